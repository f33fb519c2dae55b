import type { Highs, Model, ModelData } from "highs";
import { noAnswer, type SolveAnswer, type SolveRequest, type Solver } from "./solver.ts";

/** Model status codes of HiGHS that matter here. */
const codes = { optimal: 7, infeasible: 8, infeasibleOrUnbounded: 9, unbounded: 10 } as const;
const feasiblePoint = 2;

let runtime: Promise<Highs> | undefined;

/** The package's types describe its CommonJS build; the ES module's default export is the loader itself. */
type Loader = () => Promise<Highs>;

const loadRuntime = (): Promise<Highs> => {
  runtime ??= import("highs").then((module) => (module.default as unknown as Loader)());
  return runtime;
};

/** Forgets the loaded runtime, so that the next solver starts with fresh memory (after a crash inside WASM). */
function forgetRuntime(): void {
  runtime = undefined;
}

const dataOf = (highs: Highs, { model }: SolveRequest): ModelData => ({
  numCols: model.cols,
  numRows: model.rows,
  sense: highs.constants.objectiveSense.minimize,
  colCost: model.cost,
  colLower: model.colLower,
  colUpper: model.colUpper,
  rowLower: model.rowLower,
  rowUpper: model.rowUpper,
  matrix: {
    format: "csr",
    numRows: model.rows,
    numCols: model.cols,
    starts: model.starts,
    indices: model.indices,
    values: model.values,
  },
  ...(model.integer === undefined ? {} : { integrality: Int32Array.from(model.integer) }),
});

/**
 * Reads the answer out of a finished run. A time limit without incumbent leaves all-zero columns behind, hence
 * the test of the primal status.
 */
function answerOf(model: Model, request: SolveRequest, status: number): SolveAnswer {
  const isMip = request.model.integer !== undefined;
  if (status === codes.infeasible || status === codes.infeasibleOrUnbounded)
    return noAnswer("infeasible", `HiGHS status ${status}`);
  if (status === codes.unbounded) return noAnswer("unbounded", "HiGHS status 10");
  const claimed = isMip
    ? Number(model.info.get("mip_dual_bound"))
    : status === codes.optimal
      ? model.getObjectiveValue()
      : -Infinity;
  const bound = Math.abs(claimed) < 1e30 ? claimed : -Infinity;
  const hasPoint = Number(model.info.get("primal_solution_status")) === feasiblePoint;
  const solution = model.getSolution();
  const isOptimal = status === codes.optimal;
  const duals = isMip || !isOptimal ? null : solution.rowDual;
  const basis = isMip || !isOptimal ? null : model.getBasis();
  return {
    status: hasPoint ? (isOptimal ? "optimal" : "feasible") : "unknown",
    values: hasPoint ? solution.colValue : null,
    bound,
    rowDuals: duals,
    basis: basis === null ? null : { columns: basis.colStatus, rows: basis.rowStatus },
    ...(isOptimal ? {} : { message: `HiGHS status ${status}` }),
  };
}

/**
 * No primal heuristics: with a good start they only delay the bound (measured on 50 contended intents: proof after
 * 0.3 s instead of 1.0 s, or at all within 2 s).
 */
const boundFocus = {
  mip_heuristic_effort: 0,
  mip_heuristic_run_feasibility_jump: false,
  mip_heuristic_run_rins: false,
  mip_heuristic_run_rens: false,
} as const;

function run(highs: Highs, request: SolveRequest): SolveAnswer {
  return highs.withModel(dataOf(highs, request), (model) => {
    const isMip = request.model.integer !== undefined;
    model.options.set({
      output_flag: false,
      random_seed: 0,
      ...(request.deadlineMs === undefined ? {} : { time_limit: Math.max(0.001, request.deadlineMs / 1000) }),
      ...(isMip ? { mip_rel_gap: request.gap ?? 0, mip_abs_gap: 0 } : {}),
      ...(isMip && request.focus === "bound" ? boundFocus : {}),
    });
    if (isMip && request.start !== undefined) model.setSolution({ colValue: request.start });
    const { basis } = request;
    if (
      !isMip &&
      basis !== undefined &&
      basis.columns.length === request.model.cols &&
      basis.rows.length === request.model.rows
    )
      model.setBasis({ colStatus: basis.columns, rowStatus: basis.rows });
    return answerOf(model, request, model.run().modelStatus);
  });
}

/** HiGHS with the size of its memory, for hosts that recycle it. */
export interface HighsSolver extends Solver {
  /** Capacity of the solver's linear memory, bytes. */
  memoryBytes(): number;
}

/**
 * HiGHS in this thread: LPs, MIPs, duals, basis and MIP start. A solve blocks the thread until it is done or its
 * deadline has passed; hosts with threads run it in a worker. Every model is disposed after its solve.
 *
 * @throws when the WASM module cannot be loaded
 */
export async function createHighsSolver(): Promise<HighsSolver> {
  let highs = await loadRuntime();
  return {
    name: "highs",
    limits: { integers: true, duals: true, deadline: true, maxCols: 2_000_000, maxEntries: 10_000_000 },
    memoryBytes: () => highs.memoryBytes,
    async solve(request) {
      if (request.model.cols === 0) return emptyAnswer(request);
      try {
        return run(highs, request);
      } catch (error) {
        // an abort leaves the runtime unusable: replace it, and say so
        forgetRuntime();
        highs = await loadRuntime();
        return noAnswer("failed", `HiGHS aborted: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
    async dispose() {
      // models are disposed per solve; the runtime is shared and stays warm
    },
  };
}

/** A model without columns holds exactly when every row allows 0. */
function emptyAnswer({ model }: SolveRequest): SolveAnswer {
  const holds = model.rowLower.every((low, row) => low <= 0 && model.rowUpper[row]! >= 0);
  if (!holds) return noAnswer("infeasible", "a row without columns excludes 0");
  return {
    status: "optimal",
    values: new Float64Array(0),
    bound: 0,
    rowDuals: new Float64Array(model.rows),
    basis: null,
  };
}
