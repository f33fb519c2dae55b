import { kernelModule } from "./load.ts";

/** The arrays of an assignment instance that its relaxations read. */
export interface RelaxArrays {
  readonly items: number;
  readonly rows: number;
  readonly options: number;
  readonly optionStart: Int32Array;
  readonly useStart: Int32Array;
  readonly useRow: Int32Array;
  readonly useAmount: Float64Array;
  readonly capacity: Float64Array;
  readonly cost: Float64Array;
  readonly covers: Int32Array;
  readonly copies: Int32Array;
  readonly worth: Float64Array;
}

/** The entries of every row's knapsack: `start[row] .. start[row + 1]`. */
export interface KnapsackArrays {
  readonly start: Int32Array;
  readonly option: Int32Array;
  readonly weight: Int32Array;
}

/** Relaxations of one instance in WebAssembly memory (assembly/relax.ts). */
export interface RelaxKernel {
  /** The dual bound at `prices`; `usage` receives what every row would be asked for. */
  dualBound(prices: Float64Array, usage: Float64Array): number;
  /** The knapsacks' optima in sum; `chosen` receives the units per option. */
  packKnapsacks(gains: Float64Array, chosen: Int32Array): number;
}

interface Exports {
  dualBound(at: number): number;
  packKnapsacks(at: number): number;
}

/** The module keeps its own data below this address. */
const base = 16384;
const page = 65536;
type Arrays = Int32Array | Float64Array;

/** Hands out memory upwards; 16-byte aligned. */
function createLayout(): { take(bytes: number): number; top(): number } {
  let top = base;
  return {
    take(bytes) {
      const at = top;
      top += (bytes + 15) & ~15;
      return at;
    },
    top: () => top,
  };
}

/** Scratch of the largest knapsack. */
function largest(
  { rows, capacity }: RelaxArrays,
  { start }: KnapsackArrays,
): { states: number; entries: number; table: number } {
  let states = 1;
  let entries = 1;
  let table = 1;
  for (let row = 0; row < rows; row++) {
    const count = start[row + 1]! - start[row]!;
    if (count === 0) continue;
    const width = capacity[row]! + 1;
    states = Math.max(states, width);
    entries = Math.max(entries, count);
    table = Math.max(table, count * width);
  }
  return { states, entries, table };
}

/**
 * Puts an instance into memory of its own, or answers null where WebAssembly is not available: the callers then take
 * their twins. The memory goes with the kernel.
 */
export function createRelaxKernel(instance: RelaxArrays, knapsacks: KnapsackArrays): RelaxKernel | null {
  if (kernelModule === null) return null;
  const { take, top } = createLayout();
  const { rows, items, options } = instance;
  const dual = take(64);
  const pack = take(64);
  const scratch = largest(instance, knapsacks);
  const copied: (readonly [address: number, values: Arrays])[] = [];
  const place = (values: Arrays): number => {
    const at = take(values.byteLength);
    copied.push([at, values]);
    return at;
  };
  const capacity = place(instance.capacity);
  const prices = take(rows * 8);
  const usage = take(rows * 8);
  const gains = take(options * 8);
  const chosen = take(options * 4);
  const dualBlock = [
    items,
    rows,
    ...[instance.optionStart, instance.useStart, instance.useRow, instance.useAmount].map(place),
    capacity,
    ...[instance.cost, instance.covers, instance.copies, instance.worth].map(place),
    prices,
    usage,
  ];
  const packBlock = [
    rows,
    options,
    ...[knapsacks.start, knapsacks.option, knapsacks.weight].map(place),
    capacity,
    gains,
    chosen,
    take(scratch.states * 8),
    take(scratch.table),
    take(scratch.entries * 4),
  ];
  const pages = Math.ceil(top() / page);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { buffer } = memory;
  for (const [at, values] of copied) {
    if (values instanceof Int32Array) new Int32Array(buffer, at, values.length).set(values);
    else new Float64Array(buffer, at, values.length).set(values);
  }
  new Uint32Array(buffer, dual, dualBlock.length).set(dualBlock);
  new Uint32Array(buffer, pack, packBlock.length).set(packBlock);
  const { exports } = new WebAssembly.Instance(kernelModule, { env: { memory, abort } });
  const kernel = exports as unknown as Exports;
  const [pricesView, usageView] = [
    new Float64Array(buffer, prices, rows),
    new Float64Array(buffer, usage, rows),
  ];
  const gainsView = new Float64Array(buffer, gains, options);
  const chosenView = new Int32Array(buffer, chosen, options);
  return {
    dualBound(at, out) {
      pricesView.set(at);
      const bound = kernel.dualBound(dual);
      out.set(usageView);
      return bound;
    },
    packKnapsacks(at, out) {
      gainsView.set(at);
      const sum = kernel.packKnapsacks(pack);
      out.set(chosenView);
      return sum;
    },
  };
}

function abort(): never {
  throw new Error("broken invariant: the kernel aborted");
}
