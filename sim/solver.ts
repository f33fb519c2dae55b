import type { LinearModel } from "../engine/milp/model.ts";
import { noAnswer, type SolveAnswer, type Solver } from "../engine/milp/solver.ts";
import type { Rng } from "./random.ts";

/** Columns up to which all 0-1 points are tried. */
const MOST_BINARY = 10;

function objective({ cost, cols }: LinearModel, values: Float64Array): number {
  let sum = 0;
  for (let column = 0; column < cols; column++) sum += (cost[column] ?? 0) * (values[column] ?? 0);
  return sum;
}

function isFeasible(model: LinearModel, values: Float64Array): boolean {
  for (let row = 0; row < model.rows; row++) {
    let activity = 0;
    for (let entry = model.starts[row] ?? 0; entry < (model.starts[row + 1] ?? 0); entry++)
      activity += (model.values[entry] ?? 0) * (values[model.indices[entry] ?? 0] ?? 0);
    if (activity > (model.rowUpper[row] ?? 0) + 1e-9 || activity < (model.rowLower[row] ?? 0) - 1e-9)
      return false;
  }
  return true;
}

/** The best of all 0-1 points of a small model. */
function bruteForce(model: LinearModel): SolveAnswer {
  let best: Float64Array | null = null;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let point = 0; point < 2 ** model.cols; point++) {
    const values = Float64Array.from({ length: model.cols }, (_, column) => (point >> column) & 1);
    const inBounds = values.every(
      (value, column) => value >= (model.colLower[column] ?? 0) && value <= (model.colUpper[column] ?? 0),
    );
    const cost = objective(model, values);
    if (!inBounds || cost >= bestCost || !isFeasible(model, values)) continue;
    best = values;
    bestCost = cost;
  }
  if (best === null) return noAnswer("infeasible", "no point of 0 and 1 holds");
  return { status: "optimal", values: best, bound: bestCost, rowDuals: null, basis: null };
}

const isBinary = ({ cols, integer, colUpper }: LinearModel): boolean =>
  integer !== undefined &&
  cols <= MOST_BINARY &&
  integer.every((flag, column) => flag !== 0 && (colUpper[column] ?? 2) <= 1);

/** Answers that a solver must never be believed for. */
function nonsense({ cols }: LinearModel, rng: Rng): SolveAnswer {
  const values = Float64Array.from({ length: cols }, () => rng.pick([0, 1, -1, 0.5, 7, Number.NaN]));
  const status = rng.pick(["optimal", "feasible"] as const);
  return { status, values, bound: rng.pick([0, -1e9, 1e9]), rowDuals: null, basis: null };
}

/**
 * A solver that is right for small models of 0 and 1, does not know for others, and at `faults` of its answers is late,
 * wrong, or breaks: what it says must never be believed unchecked.
 */
export function createSimSolver(rng: () => Rng, faults: () => number): Solver {
  return {
    name: "simulated",
    limits: { integers: true, duals: false, deadline: true, maxCols: 10_000, maxEntries: 1_000_000 },
    async solve({ model }) {
      if (rng().chance(faults())) {
        const kind = rng().pick(["late", "wrong", "infeasible", "trap", "failed"] as const);
        if (kind === "trap") throw new Error("unreachable executed");
        if (kind === "wrong") return nonsense(model, rng());
        if (kind === "infeasible") return noAnswer("infeasible", "claimed without reason");
        return noAnswer(kind === "late" ? "unknown" : "failed", "no answer");
      }
      return isBinary(model) ? bruteForce(model) : noAnswer("unknown", "too large for this one");
    },
    dispose: async () => {},
  };
}
