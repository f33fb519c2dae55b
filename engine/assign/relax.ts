import type { LinearModel } from "../milp/model.ts";
import type { Solver } from "../milp/solver.ts";
import { solveVerified, type VerifiedAnswer } from "../milp/verify.ts";
import { basisFor, type KeptBasis, keepBasis, restoreBasis } from "./carry.ts";
import { type Classes, classesOf } from "./classes.ts";
import { bestScores, fill, orderBy, priceScores, roundRelaxation } from "./construct.ts";
import { boundAt } from "./dual.ts";
import { type Formulation, formulate, pricesOf, relaxedUnits, wholeUnits } from "./formulate.ts";
import { type Instance, type Reduced, restore, subsetOf, type Units } from "./instance.ts";
import { polish } from "./polish.ts";
import { note, offerState, type Run, tighten } from "./progress.ts";
import { createState, load } from "./state.ts";

/** The solver of a run, its clock, and the time that is left for a share of the deadline. */
export interface SolverStage {
  readonly solver: Solver;
  readonly classes: Classes;
  /** One clock for all solves of the run. */
  readonly clock: object;
}

/** Time limit of a request that may use the run's deadline up to this share. */
export const deadlineOf = (run: Run, share: number): { deadlineMs?: number } =>
  run.options.deadlineMs === undefined ? {} : { deadlineMs: run.options.deadlineMs * share };

/**
 * The LP's capacities are a hair larger than the instance's: of all optimal duals this singles out the ones with
 * the least total price, so degenerate prices follow one rule whichever solver finds them.
 */
function leastPriceModel({ model, instanceRows }: Formulation): LinearModel {
  const rowUpper = model.rowUpper.map((limit, row) => (row < instanceRows ? limit * (1 + 1e-5) : limit));
  return { ...model, rowUpper };
}

/** A solved relaxation: of the whole instance, or of the columns that matter to it. */
interface Relaxed {
  readonly answer: VerifiedAnswer;
  readonly formulation: Formulation;
  readonly part: Reduced;
}

/** Programs with fewer columns are solved at once; larger ones over the columns that prices single out. */
const wholeColumns = 3_000;
const columnsPerItem = 4;
const pricingRounds = 3;

/** Options to begin with: per item the best few at these prices, and what is in use. */
function firstColumns(instance: Instance, prices: Float64Array, units: Units): Uint8Array {
  const scores = priceScores(instance, prices);
  const kept = new Uint8Array(instance.options);
  for (let item = 0; item < instance.items; item++) {
    const first = instance.optionStart[item]!;
    const own = Array.from({ length: instance.optionStart[item + 1]! - first }, (_, at) => first + at);
    own.sort((a, b) => scores[b]! - scores[a]! || a - b);
    for (const option of own.slice(0, columnsPerItem)) kept[option] = 1;
    for (const option of own) if (units[option]! > 0) kept[option] = 1;
  }
  return kept;
}

/** Adds options that would gain more than the item's best kept one at these prices; how many. */
function priceOut(instance: Instance, prices: Float64Array, kept: Uint8Array): number {
  const scores = priceScores(instance, prices);
  let added = 0;
  for (let item = 0; item < instance.items; item++) {
    const last = instance.optionStart[item + 1]!;
    let best = 0;
    for (let option = instance.optionStart[item]!; option < last; option++)
      if (kept[option] === 1) best = Math.max(best, scores[option]!);
    const slack = 1e-7 * instance.worth[item]!;
    for (let option = instance.optionStart[item]!; option < last; option++)
      if (kept[option] === 0 && scores[option]! > best + slack) {
        kept[option] = 1;
        added++;
      }
  }
  return added;
}

function partOf(instance: Instance, kept: Uint8Array): Reduced {
  const option: number[] = [];
  const starts = new Int32Array(instance.items + 1);
  for (let item = 0; item < instance.items; item++) {
    for (let at = instance.optionStart[item]!; at < instance.optionStart[item + 1]!; at++)
      if (kept[at] === 1) option.push(at);
    starts[item + 1] = option.length;
  }
  return { instance: subsetOf(instance, option, starts), option: Int32Array.from(option) };
}

/** One LP over a part of the columns, from a basis where there is one. */
async function solvePart(
  run: Run,
  stage: SolverStage,
  part: Reduced,
  classes: Classes,
  basis: KeptBasis | null,
): Promise<Relaxed> {
  const formulation = formulate(part.instance, classes);
  const narrowed =
    basis === null
      ? null
      : { ...basis, options: Int8Array.from(part.option, (option) => basis.options[option]!) };
  const answer = await solveVerified(stage.solver, {
    model: leastPriceModel(formulation),
    clock: stage.clock,
    ...deadlineOf(run, 0.85),
    ...(narrowed === null ? {} : { basis: basisFor(part.instance, formulation, narrowed) }),
  });
  return { answer, formulation, part };
}

const isWhole = ({ instance }: Reduced, of: Instance): boolean => instance.options === of.options;

/**
 * The LP's value, prices and basis by column generation: few columns first, then those that its prices call for, each
 * time from the last basis. A program that is small, or aggregates well, is solved whole.
 */
export async function solveRelaxation(run: Run, stage: SolverStage): Promise<Relaxed> {
  const { instance } = run;
  const { classes } = stage;
  const all = Int32Array.from({ length: instance.options }, (_, option) => option);
  const whole: Reduced = { instance, option: all };
  let basis = run.warm?.basis ?? null;
  const isAggregated = classes.count < instance.items * 0.8;
  if (isAggregated || instance.options <= wholeColumns) return solvePart(run, stage, whole, classes, basis);

  const kept = firstColumns(instance, run.prices, run.units);
  for (let round = 0; ; round++) {
    const part = round === pricingRounds ? whole : partOf(instance, kept);
    const relaxed = await solvePart(run, stage, part, classesOf(part.instance), basis);
    const { answer, formulation } = relaxed;
    if (answer.rowDuals === null || answer.status !== "optimal" || isWhole(part, instance)) return relaxed;
    const prices = pricesOf(instance, formulation, answer.rowDuals);
    if (priceOut(instance, prices, kept) === 0) return relaxed;
    if (answer.basis !== null)
      basis = restoreBasis(keepBasis(part.instance, formulation, answer.basis), instance, part);
  }
}

/** Takes an LP's prices, bound and basis, and rounds its values in several orders. */
export async function useRelaxation(run: Run, { answer, formulation, part }: Relaxed): Promise<void> {
  const { instance } = run;
  if (answer.values === null) {
    run.isLate ||= answer.status !== "failed" && answer.status !== "infeasible";
    return;
  }
  if (answer.rowDuals !== null) {
    run.prices = pricesOf(instance, formulation, answer.rowDuals);
    run.pricesFrom = "lp";
    // an optimum that is only claimed proves nothing; duals do, over all options
    tighten(run, boundAt(instance, run.prices));
  }
  if (answer.basis !== null)
    run.basis = restoreBasis(keepBasis(part.instance, formulation, answer.basis), instance, part);
  await note(run, "lp");

  const { prices } = run;
  const values = new Float64Array(instance.options);
  const ofPart = relaxedUnits(part.instance, formulation, answer.values);
  for (const [index, option] of part.option.entries()) values[option] = ofPart[index]!;
  for (const order of ["fraction", "value", "product"] as const)
    offerState(run, roundRelaxation(instance, { values, prices, order }));
  const state = createState(instance);
  load(state, restore(instance, part, wholeUnits(part.instance, formulation, answer.values)));
  const scores = priceScores(instance, prices);
  fill(state, orderBy(bestScores(instance, scores)), scores);
  polish(state, state.work + run.options.work * 0.05);
  offerState(run, state);
  await note(run, "rounding");
}
