import type { LinearModel } from "./model.ts";

/** The backends this package knows; a host may bring others under any name. */
export const solverNames = ["highs", "lagrangian", "glpk", "jslp"] as const;

export type SolverName = (typeof solverNames)[number];

/** Simplex basis, one status per column and row: 0 lower, 1 basic, 2 upper, 3 zero, 4 nonbasic. */
export interface Basis {
  readonly columns: Int32Array;
  readonly rows: Int32Array;
}

export interface SolveRequest {
  readonly model: LinearModel;
  /** Wall-clock limit; only a solver knows time. Absent: until proven. */
  readonly deadlineMs?: number;
  /**
   * Requests that carry the same object share one clock: `deadlineMs` then counts from the first of them. A solver
   * without a clock of its own counts from each request.
   */
  readonly clock?: object;
  /** Relative gap at which a mixed-integer solve may stop, default 0. */
  readonly gap?: number;
  /** Where effort goes: to the bound when a good start is given, else the solver's own balance. */
  readonly focus?: "bound";
  /** Values of a feasible point to improve on; a solver may ignore it. */
  readonly start?: Float64Array;
  /** Basis of a model of the same shape; a solver may ignore it. */
  readonly basis?: Basis;
}

/**
 * - `optimal`: proven within `gap`
 * - `feasible`: values hold, optimality is not proven
 * - `infeasible`, `unbounded`: claimed by the solver
 * - `unknown`: nothing found in time
 * - `failed`: crashed, refused, or answered what verification rejects
 */
export type SolveStatus = "optimal" | "feasible" | "infeasible" | "unbounded" | "unknown" | "failed";

/** What a backend says. Unverified: only `solveVerified` may hand one on. */
export interface SolveAnswer {
  readonly status: SolveStatus;
  /** Column values; null when there are none. */
  readonly values: Float64Array | null;
  /** Lower bound on the minimum; -Infinity when none is claimed. */
  readonly bound: number;
  /**
   * Change of the minimum per unit of a row's bound, pure LPs only: at most 0 where the upper bound binds, at
   * least 0 where the lower one does.
   */
  readonly rowDuals: Float64Array | null;
  readonly basis: Basis | null;
  /** Why, for `failed` and `unknown`. */
  readonly message?: string;
  /** Backend that answered, where several stand behind one. */
  readonly from?: string;
}

/** What a backend is good for; asking for more is answered with `failed`. */
export interface SolverLimits {
  readonly integers: boolean;
  readonly duals: boolean;
  /** Stops on its own at a deadline. */
  readonly deadline: boolean;
  readonly maxCols: number;
  readonly maxEntries: number;
}

/** A linear or mixed-integer solver. Never throws for a well-formed model: trouble is an answer. */
export interface Solver {
  readonly name: string;
  readonly limits: SolverLimits;
  solve(request: SolveRequest): Promise<SolveAnswer>;
  /** Frees whatever the solver holds; idempotent. */
  dispose(): Promise<void>;
}

/** An answer without values. */
export function noAnswer(
  status: "infeasible" | "unbounded" | "unknown" | "failed",
  message: string,
): SolveAnswer {
  return { status, values: null, bound: -Infinity, rowDuals: null, basis: null, message };
}
