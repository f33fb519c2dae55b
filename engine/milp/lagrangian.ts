import { type Columns, columnsOf, type LinearModel } from "./model.ts";
import type { SolveAnswer, SolveRequest, Solver } from "./solver.ts";
import { checkPoint, dualBound } from "./verify.ts";

/** Rounds of the dual ascent; each costs one pass over the matrix. */
const ascentRounds = 400;

/** Row norms, to step in units in which every row weighs the same. */
function rowScales(model: LinearModel): Float64Array {
  const scales = new Float64Array(model.rows);
  for (let row = 0; row < model.rows; row++) {
    let square = 0;
    for (let entry = model.starts[row]!; entry < model.starts[row + 1]!; entry++)
      square += model.values[entry]! * model.values[entry]!;
    scales[row] = square > 0 ? 1 / Math.sqrt(square) : 0;
  }
  return scales;
}

/** Each column at the bound its reduced cost prefers; the lower one on a tie. */
function innerPoint(model: LinearModel, columns: Columns, duals: Float64Array, point: Float64Array): void {
  for (let column = 0; column < model.cols; column++) {
    let reduced = model.cost[column]!;
    for (let entry = columns.starts[column]!; entry < columns.starts[column + 1]!; entry++)
      reduced -= columns.values[entry]! * duals[columns.rows[entry]!]!;
    point[column] = reduced < 0 ? model.colUpper[column]! : model.colLower[column]!;
  }
}

/** Subgradient ascent on the dual of the LP; the best duals found. `target` is a known objective or Infinity. */
function ascend(model: LinearModel, columns: Columns, target: number): Float64Array {
  const scales = rowScales(model);
  const duals = new Float64Array(model.rows);
  const direction = new Float64Array(model.rows);
  const point = new Float64Array(model.cols);
  let best = duals.slice();
  let bestBound = dualBound(model, duals);
  let step = 1.5;
  let idle = 0;
  for (let round = 0; round < ascentRounds && step > 1e-5; round++) {
    innerPoint(model, columns, duals, point);
    let norm = 0;
    for (let row = 0; row < model.rows; row++) {
      let activity = 0;
      for (let entry = model.starts[row]!; entry < model.starts[row + 1]!; entry++)
        activity += model.values[entry]! * point[model.indices[entry]!]!;
      const over = Math.max(0, activity - model.rowUpper[row]!);
      const under = Math.max(0, model.rowLower[row]! - activity);
      // a positive dual belongs to the lower bound, a negative one to the upper; a slack row pulls it to 0
      let slope = under > 0 ? under : over > 0 ? -over : 0;
      if (duals[row]! < 0 && slope === 0) slope = model.rowUpper[row]! - activity;
      if (duals[row]! > 0 && slope === 0) slope = model.rowLower[row]! - activity;
      direction[row] = slope * scales[row]! + 0.5 * direction[row]!;
      norm += direction[row]! * direction[row]!;
    }
    if (norm < 1e-18) break;
    const bound = dualBound(model, duals);
    const reach = target < Infinity ? target - bound : 0.05 * Math.abs(bound) + 1;
    const length = (step * Math.max(reach, 1e-6 * (1 + Math.abs(bound)))) / norm;
    for (let row = 0; row < model.rows; row++) {
      let dual = duals[row]! + length * direction[row]! * scales[row]!;
      if (!Number.isFinite(model.rowLower[row]!)) dual = Math.min(0, dual);
      if (!Number.isFinite(model.rowUpper[row]!)) dual = Math.max(0, dual);
      duals[row] = dual;
    }
    const reached = dualBound(model, duals);
    if (reached > bestBound + 1e-9 * (1 + Math.abs(bestBound))) {
      bestBound = reached;
      best = duals.slice();
      idle = 0;
    } else if (++idle > 8) {
      step *= 0.7;
      idle = 0;
      duals.set(best);
      direction.fill(0);
    }
  }
  return best;
}

/**
 * Raises columns one by one from their lower bounds, best reduced cost first, as far as every row's upper side
 * allows; rows that are still short of their lower side are then filled by the columns that help. Feasible only
 * when the final check says so.
 */
function repair(model: LinearModel, columns: Columns, duals: Float64Array): Float64Array {
  const point = model.colLower.slice();
  const activity = new Float64Array(model.rows);
  for (let column = 0; column < model.cols; column++)
    for (let entry = columns.starts[column]!; entry < columns.starts[column + 1]!; entry++)
      activity[columns.rows[entry]!]! += columns.values[entry]! * point[column]!;
  const reduced = model.cost.slice();
  for (let column = 0; column < model.cols; column++)
    for (let entry = columns.starts[column]!; entry < columns.starts[column + 1]!; entry++)
      reduced[column]! -= columns.values[entry]! * duals[columns.rows[entry]!]!;
  const order = Array.from(reduced.keys()).sort((a, b) => reduced[a]! - reduced[b]! || a - b);

  const raise = (column: number): boolean => {
    let room = model.colUpper[column]! - point[column]!;
    for (let entry = columns.starts[column]!; entry < columns.starts[column + 1]!; entry++) {
      const row = columns.rows[entry]!;
      const value = columns.values[entry]!;
      const side = value > 0 ? model.rowUpper[row]! : model.rowLower[row]!;
      // a lower side that is not reached yet may not be moved away from, and is no obstacle either way
      const slack = value > 0 ? side - activity[row]! : activity[row]! - side;
      if (Number.isFinite(slack)) room = Math.min(room, Math.max(0, slack + 1e-9) / Math.abs(value));
    }
    if (model.integer?.[column] === 1) room = Math.floor(room + 1e-9);
    if (!(room > 1e-12)) return false;
    point[column]! += room;
    for (let entry = columns.starts[column]!; entry < columns.starts[column + 1]!; entry++)
      activity[columns.rows[entry]!]! += columns.values[entry]! * room;
    return true;
  };

  const needs = (column: number): boolean => {
    for (let entry = columns.starts[column]!; entry < columns.starts[column + 1]!; entry++) {
      const row = columns.rows[entry]!;
      if (columns.values[entry]! > 0 && activity[row]! < model.rowLower[row]! - 1e-9) return true;
    }
    return false;
  };
  for (const column of order) if (needs(column)) raise(column);
  for (const column of order) if (model.cost[column]! < 0) raise(column);
  return point;
}

function solve({ model, start }: SolveRequest): SolveAnswer {
  const columns = columnsOf(model);
  let best: Float64Array | null = null;
  let objective = Infinity;
  const consider = (point: Float64Array): void => {
    const check = checkPoint(model, point);
    if (!check.feasible || check.objective >= objective) return;
    objective = check.objective;
    best = point;
  };
  if (start !== undefined) consider(start.slice());
  consider(repair(model, columns, new Float64Array(model.rows)));
  const duals = ascend(model, columns, objective);
  consider(repair(model, columns, duals));
  return {
    status: best === null ? "unknown" : "feasible",
    values: best,
    bound: dualBound(model, duals),
    rowDuals: model.integer === undefined ? duals : null,
    basis: null,
  };
}

/**
 * Own backend without dependencies: dual ascent for a proven bound, greedy repair for a point. Always there and
 * always in time (its work is counted, never timed), rarely exact. Its duals are near-optimal, not basic.
 */
export function createLagrangianSolver(): Solver {
  return {
    name: "lagrangian",
    limits: { integers: true, duals: true, deadline: false, maxCols: 5_000_000, maxEntries: 50_000_000 },
    async solve(request) {
      return solve(request);
    },
    async dispose() {
      // nothing is held between solves
    },
  };
}
