import { createRelaxKernel } from "../kernel/relax-kernel.ts";
import { boundAt } from "./dual.ts";
import type { Instance } from "./instance.ts";
import { type Knapsacks, knapsacksOf, packKnapsacks } from "./knapsacks.ts";

/** The relaxations of one instance, asked thousands of times: in WebAssembly where it loads. */
export interface Relaxer {
  readonly backend: "wasm" | "typescript";
  readonly knapsacks: Knapsacks;
  /** The dual bound at `prices`; `usage` receives what every row would be asked for. */
  dualBound(prices: Float64Array, usage: Float64Array): number;
  /** The knapsacks' optima in sum at these gains of a unit; `chosen` receives the units per option. */
  packKnapsacks(gains: Float64Array, chosen: Int32Array): number;
}

/** Plain TypeScript; the same results bit for bit. */
export function twinRelaxer(instance: Instance): Relaxer {
  const knapsacks = knapsacksOf(instance);
  return {
    backend: "typescript",
    knapsacks,
    dualBound: (prices, usage) => boundAt(instance, prices, usage),
    packKnapsacks: (gains, chosen) => packKnapsacks(instance, knapsacks, gains, chosen),
  };
}

/** The fastest one there is. */
export function createRelaxer(instance: Instance): Relaxer {
  const twin = twinRelaxer(instance);
  const kernel = createRelaxKernel(instance, twin.knapsacks);
  return kernel === null ? twin : { backend: "wasm", knapsacks: twin.knapsacks, ...kernel };
}

/** The dual bound alone, for an instance whose rows are no knapsacks. */
export function dualOf(instance: Instance): Relaxer["dualBound"] {
  const none = {
    start: new Int32Array(instance.rows + 1),
    option: new Int32Array(0),
    weight: new Int32Array(0),
  };
  return (
    createRelaxKernel(instance, none)?.dualBound ?? ((prices, usage) => boundAt(instance, prices, usage))
  );
}
