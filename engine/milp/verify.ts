import { columnsOf, type LinearModel } from "./model.ts";
import { noAnswer, type SolveAnswer, type SolveRequest, type Solver, type SolveStatus } from "./solver.ts";

/** Absolute tolerance of a row or bound whose terms are about 1 in size; scaled by the row's own magnitude. */
const feasibilityTolerance = 1e-6;
const integralityTolerance = 1e-5;

/** Largest violation of a point, and its objective. */
export interface PointCheck {
  readonly feasible: boolean;
  readonly objective: number;
  readonly message: string;
}

/**
 * Recounts a point against the model: bounds, rows and integrality within 1e-6 (relative to the row's largest
 * term). NaN fails.
 */
export function checkPoint(model: LinearModel, values: Float64Array): PointCheck {
  if (values.length !== model.cols)
    return {
      feasible: false,
      objective: Number.NaN,
      message: `${values.length} values for ${model.cols} columns`,
    };
  let objective = 0;
  const fail = (message: string): PointCheck => ({ feasible: false, objective, message });
  for (let column = 0; column < model.cols; column++) {
    const value = values[column]!;
    const slack = feasibilityTolerance * (1 + Math.abs(value));
    if (!(value >= model.colLower[column]! - slack && value <= model.colUpper[column]! + slack))
      return fail(`column ${column} is ${value}`);
    if (model.integer?.[column] === 1 && Math.abs(value - Math.round(value)) > integralityTolerance)
      return fail(`integer column ${column} is ${value}`);
    objective += model.cost[column]! * value;
  }
  for (let row = 0; row < model.rows; row++) {
    let activity = 0;
    let magnitude = 1;
    for (let entry = model.starts[row]!; entry < model.starts[row + 1]!; entry++) {
      const term = model.values[entry]! * values[model.indices[entry]!]!;
      activity += term;
      magnitude = Math.max(magnitude, Math.abs(term));
    }
    const slack = feasibilityTolerance * magnitude;
    if (!(activity >= model.rowLower[row]! - slack && activity <= model.rowUpper[row]! + slack))
      return fail(`row ${row} is ${activity}, allowed ${model.rowLower[row]}..${model.rowUpper[row]}`);
  }
  return Number.isFinite(objective)
    ? { feasible: true, objective, message: "" }
    : fail(`objective is ${objective}`);
}

/**
 * Lower bound on the LP's minimum that `duals` prove, by weak duality: valid for any vector whatsoever, so a
 * wrong dual costs tightness and never truth. Duals that need a missing bound count as 0.
 */
export function dualBound(model: LinearModel, duals: Float64Array): number {
  const reduced = model.cost.slice();
  let bound = 0;
  for (let row = 0; row < model.rows; row++) {
    const dual = duals[row]!;
    const side = dual > 0 ? model.rowLower[row]! : model.rowUpper[row]!;
    if (dual === 0 || !Number.isFinite(dual) || !Number.isFinite(side)) continue;
    bound += dual * side;
    for (let entry = model.starts[row]!; entry < model.starts[row + 1]!; entry++)
      reduced[model.indices[entry]!]! -= dual * model.values[entry]!;
  }
  for (let column = 0; column < model.cols; column++)
    bound += reduced[column]! * (reduced[column]! > 0 ? model.colLower[column]! : model.colUpper[column]!);
  return bound;
}

/** A solver's answer after verification. */
export interface VerifiedAnswer extends SolveAnswer {
  /** Recomputed from the verified values; Infinity without values. */
  readonly objective: number;
}

const rejected = (message: string): VerifiedAnswer => ({
  ...noAnswer("failed", message),
  objective: Infinity,
});

/** Rounds integer columns to integers and clamps every column into its bounds. */
function tidied(model: LinearModel, values: Float64Array): Float64Array {
  const tidy = values.slice();
  for (let column = 0; column < tidy.length; column++) {
    const value = model.integer?.[column] === 1 ? Math.round(tidy[column]!) : tidy[column]!;
    tidy[column] = Math.min(model.colUpper[column]!, Math.max(model.colLower[column]!, value));
  }
  return tidy;
}

/** Objective of the request's start where it holds, else Infinity. */
function knownObjective({ model, start }: SolveRequest): number {
  if (start === undefined) return Infinity;
  const check = checkPoint(model, start);
  return check.feasible ? check.objective : Infinity;
}

/**
 * Judges an answer: values that break the model are dropped, a pure LP's bound is recomputed from its duals, a
 * bound above a known feasible objective (the answer's own, or the start's) is dropped, and the status says only
 * what is left. Infeasibility is believed only while no feasible point is known.
 */
export function verifyAnswer(request: SolveRequest, answer: SolveAnswer): VerifiedAnswer {
  const { model } = request;
  const known = knownObjective(request);
  if (answer.status === "infeasible" || answer.status === "unbounded" || answer.status === "failed") {
    if (answer.status !== "failed" && known < Infinity)
      return rejected(`claims ${answer.status} although a feasible point is known`);
    return { ...answer, values: null, bound: -Infinity, rowDuals: null, basis: null, objective: Infinity };
  }

  let values = answer.values === null ? null : tidied(model, answer.values);
  let objective = Infinity;
  let message = answer.message;
  if (values !== null) {
    const check = checkPoint(model, values);
    // tidying must not hide a far-off value: the raw point has to hold too
    const raw = checkPoint(model, answer.values!);
    if (check.feasible && raw.feasible) objective = check.objective;
    else {
      message = `answer rejected: ${raw.feasible ? check.message : raw.message}`;
      values = null;
    }
  }

  const isPureLp = model.integer === undefined;
  const duals = answer.rowDuals?.length === model.rows ? answer.rowDuals : null;
  let bound = Number.isNaN(answer.bound) ? -Infinity : answer.bound;
  if (isPureLp && duals !== null) bound = dualBound(model, duals);
  const least = Math.min(objective, known);
  const slack = 1e-6 * (1 + Math.abs(least));
  if (bound > least + slack) {
    if (!isPureLp || duals === null) bound = -Infinity;
    message = `bound rejected: above a known feasible objective ${least}`;
  }
  bound = Math.min(bound, least);

  if (values === null && bound === -Infinity && answer.values !== null)
    return rejected(message ?? "no usable part");
  const allowedGap = (request.gap ?? 0) * Math.abs(objective) + 1e-6 * (1 + Math.abs(objective));
  const isProven = values !== null && objective - bound <= allowedGap;
  const status: SolveStatus =
    values === null ? (answer.values === null ? "unknown" : "failed") : isProven ? "optimal" : "feasible";
  return {
    status,
    values,
    objective,
    bound,
    rowDuals: duals,
    basis: answer.basis,
    ...(message === undefined ? {} : { message }),
    ...(answer.from === undefined ? {} : { from: answer.from }),
  };
}

/**
 * Asks a solver and verifies what it says; an exception, a rejection or a missing answer becomes `failed`.
 * The only way the rest of the engine talks to a solver.
 */
export async function solveVerified(solver: Solver, request: SolveRequest): Promise<VerifiedAnswer> {
  const { model } = request;
  const { limits } = solver;
  if (model.integer !== undefined && !limits.integers)
    return rejected(`${solver.name} takes no integer columns`);
  if (model.cols > limits.maxCols || model.indices.length > limits.maxEntries)
    return rejected(
      `${solver.name} takes at most ${limits.maxCols} columns and ${limits.maxEntries} entries, got ${model.cols} and ${model.indices.length}`,
    );
  try {
    return verifyAnswer(request, await solver.solve(request));
  } catch (error) {
    return rejected(
      `${solver.name} failed: ${error instanceof Error ? error.message : String(error)}`.slice(0, 300),
    );
  }
}

/** Reduced costs `cost - A' duals` of every column. */
export function reducedCosts(model: LinearModel, duals: Float64Array): Float64Array {
  const columns = columnsOf(model);
  const reduced = model.cost.slice();
  for (let column = 0; column < model.cols; column++)
    for (let entry = columns.starts[column]!; entry < columns.starts[column + 1]!; entry++)
      reduced[column]! -= columns.values[entry]! * duals[columns.rows[entry]!]!;
  return reduced;
}
