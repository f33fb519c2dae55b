import type { LinearModel } from "../../engine/milp/model.ts";
import type { Basis, SolveAnswer } from "../../engine/milp/solver.ts";

/** Backends that a thread can hold. */
export type Backend = "highs" | "glpk" | "jslp";

/** What the host sends to the worker. */
export interface SolveMessage {
  readonly id: number;
  readonly model: LinearModel;
  /** Milliseconds since 1970 at which the solve is to stop; absolute, so that waiting and loading count. */
  readonly until?: number;
  readonly gap?: number;
  readonly focus?: "bound";
  readonly start?: Float64Array;
  readonly basis?: Basis;
}

/** What the worker sends back: `ready` once, then one answer per message. */
export type WorkerMessage =
  | { readonly kind: "ready" }
  | {
      readonly kind: "answer";
      readonly id: number;
      readonly answer: SolveAnswer;
      /** Capacity of the solver's memory after the solve. */
      readonly memoryBytes: number;
    };
