import type { Decision } from "./decision.ts";
import type { Warning } from "./intent.ts";

/** Everything that steers a plan besides its inputs; part of the replay record. */
export interface PlanOptions {
  /** Seed of every random choice, default 1. */
  readonly seed?: number;
  /** Bound on own search, in counted work units. */
  readonly work?: number;
  /** Handed to the solver port only. */
  readonly deadlineMs?: number;
  readonly tradeoffs?: boolean;
  /** Runners-up to report, default 3. */
  readonly runnersUp?: number;
  /** False skips explanations (rejections stay), for hot paths. Default true. */
  readonly explain?: boolean;
}

export interface Plan {
  readonly decisions: readonly Decision[];
  readonly snapshotVersion: string;
  readonly at: string;
  readonly currency: string;
  readonly seed: number;
  readonly engine: { readonly version: string; readonly kernel: "wasm" | "typescript" };
  readonly stoppedBy: "completed" | "work" | "time";
  readonly warnings: readonly Warning[];
}
