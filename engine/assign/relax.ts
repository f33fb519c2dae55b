import type { LinearModel } from "../milp/model.ts";
import type { Solver } from "../milp/solver.ts";
import { solveVerified, type VerifiedAnswer } from "../milp/verify.ts";
import { basisFor, type KeptBasis, keepBasis, restoreBasis } from "./carry.ts";
import { type Classes, classesOf } from "./classes.ts";
import { bestScores, fill, orderBy, priceScores, roundRelaxation } from "./construct.ts";
import { spreadBoundAt } from "./dual.ts";
import { type Formulation, formulate, pricesOf, relaxedUnits, wholeUnits } from "./formulate.ts";
import { type Instance, type Reduced, restore, subsetOf, type Units } from "./instance.ts";
import { polish } from "./polish.ts";
import { note, offerState, type Run, tighten, usePrices } from "./progress.ts";
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
export interface Relaxed {
  readonly answer: VerifiedAnswer;
  readonly formulation: Formulation;
  readonly part: Reduced;
  /** In the indices of the whole instance. */
  readonly basis: KeptBasis | null;
}

/** Programs with fewer columns are solved at once; larger ones over the columns that prices single out. */
const wholeColumns = 3_000;
const columnsPerItem = 4;
const pricingRounds = 6;

/**
 * Options to begin with: per item the best few at these scores, and what is in use; all of an item of several copies,
 * which needs the next best ones as soon as the best are full.
 */
export function firstColumns(instance: Instance, scores: Float64Array, units: Units): Uint8Array {
  const kept = new Uint8Array(instance.options);
  for (let item = 0; item < instance.items; item++) {
    const first = instance.optionStart[item]!;
    const own = Array.from({ length: instance.optionStart[item + 1]! - first }, (_, at) => first + at);
    own.sort((a, b) => scores[b]! - scores[a]! || a - b);
    const most = instance.copies[item] === 1 ? columnsPerItem : own.length;
    for (const option of own.slice(0, most)) kept[option] = 1;
    for (const option of own) if (units[option]! > 0) kept[option] = 1;
  }
  return kept;
}

/** Adds options that would gain more than the item's best kept one at these scores; how many. */
export function priceOut(instance: Instance, scores: Float64Array, kept: Uint8Array): number {
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

/** The kept options as an instance of their own. */
export function partOf(instance: Instance, kept: Uint8Array): Reduced {
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
  const found = answer.basis === null ? null : keepBasis(part.instance, formulation, answer.basis);
  return {
    answer,
    formulation,
    part,
    basis: found === null ? null : restoreBasis(found, run.instance, part),
  };
}

/** Per option of the whole instance: its units in the relaxation. */
export function pointOfPart(
  instance: Instance,
  { part, formulation, answer }: Pick<Relaxed, "part" | "formulation" | "answer">,
): Float64Array {
  const values = new Float64Array(instance.options);
  const ofPart = relaxedUnits(part.instance, formulation, answer.values!);
  for (const [index, option] of part.option.entries()) values[option] = ofPart[index]!;
  return values;
}

/** Per option of the whole instance: its column in a formulation of the part, -1 where another one stands for it. */
export function columnsOfPart(instance: Instance, part: Reduced, formulation: Formulation): Int32Array {
  const columns = new Int32Array(instance.options).fill(-1);
  const { classes, optionColumn } = formulation;
  const { optionStart } = part.instance;
  for (let index = 0; index < classes.count; index++) {
    const item = classes.member[classes.start[index]!]!;
    const first = optionStart[item]!;
    for (let option = first; option < optionStart[item + 1]!; option++)
      columns[part.option[option]!] = optionColumn[index]! + option - first;
  }
  return columns;
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

  const kept = firstColumns(instance, run.scores, run.units);
  for (let round = 0; ; round++) {
    const part = partOf(instance, kept);
    const relaxed = await solvePart(run, stage, part, classesOf(part.instance), basis);
    const { answer, formulation } = relaxed;
    if (answer.rowDuals === null || answer.status !== "optimal" || isWhole(part, instance)) return relaxed;
    // the last columns change next to nothing, and the bound is taken over all options in any case
    if (round === pricingRounds) return relaxed;
    const prices = pricesOf(formulation, answer.rowDuals);
    if (priceOut(instance, priceScores(instance, prices), kept) === 0) return relaxed;
    basis = relaxed.basis ?? basis;
  }
}

/** Takes an LP's prices, bound and basis. */
export function useRelaxation(run: Run, { answer, formulation, basis }: Relaxed): void {
  const { instance } = run;
  if (answer.values === null) {
    run.isLate ||= answer.status !== "failed" && answer.status !== "infeasible";
    return;
  }
  if (answer.rowDuals !== null) {
    usePrices(run, pricesOf(formulation, answer.rowDuals), "lp");
    // an optimum that is only claimed proves nothing; duals do, over all options
    tighten(run, spreadBoundAt(instance, run.prices));
  }
  run.basis = basis;
}

/** A relaxation's units per option, and the whole ones among them dealt to items. */
export interface Rounding {
  readonly values: Float64Array;
  readonly whole: Units;
}

/** What a solved program offers to rounding. */
export function roundingOf(
  instance: Instance,
  relaxed: Pick<Relaxed, "part" | "formulation" | "answer">,
): Rounding {
  const { part, formulation, answer } = relaxed;
  const whole = wholeUnits(part.instance, formulation, answer.values!);
  return { values: pointOfPart(instance, relaxed), whole: restore(instance, part, whole) };
}

/** Rounds a relaxation in several orders at the present scores, and fills up. */
export async function roundAll(run: Run, { values, whole }: Rounding): Promise<void> {
  const { instance, scores } = run;
  for (const order of ["fraction", "value", "product"] as const)
    offerState(run, roundRelaxation(instance, { values, scores, order }));
  const state = createState(instance);
  load(state, whole);
  fill(state, orderBy(bestScores(instance, scores)), scores);
  polish(state, state.work + run.options.work * 0.05);
  offerState(run, state);
  await note(run, "rounding");
}
