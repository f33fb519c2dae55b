import type { Basis } from "../milp/solver.ts";
import { solveVerified, type VerifiedAnswer } from "../milp/verify.ts";
import { basisFor, type KeptBasis, type KeptCuts, keepBasis, restoreBasis } from "./carry.ts";
import { classesOf } from "./classes.ts";
import { type Cut, type CutFrame, type CutRow, cutFrameOf, isTight, separate, withCuts } from "./cuts.ts";
import { boundOfItems } from "./dual.ts";
import { type Formulation, formulate, pricesOf } from "./formulate.ts";
import type { Instance, Reduced } from "./instance.ts";
import { gapOf, note, type Run, tighten } from "./progress.ts";
import {
  columnsOfPart,
  deadlineOf,
  partOf,
  pointOfPart,
  priceOut,
  type Relaxed,
  type Rounding,
  roundingOf,
  type SolverStage,
} from "./relax.ts";

/** What the linear program with cuts proves and suggests. */
export interface Tightened {
  /** No assignment gains more. */
  readonly bound: number;
  readonly rounding: Rounding;
  /** Per option: gain per covered copy after paying the prices of rows and cuts. */
  readonly scores: Float64Array;
  /** The cuts that bind. */
  readonly rows: readonly CutRow[];
  readonly kept: KeptCuts;
}

/** Programs per run, and those in a row that may bring next to nothing before it ends. */
const mostRounds = 16;
const mostIdle = 2;
/** Share of the distance to the known answer that a round has to close to count. */
const leastProgress = 0.02;

/** A cut in the program, and its status in the last basis. */
export interface Active {
  readonly cut: Cut;
  readonly row: CutRow;
  readonly status: number;
}

/** Of the row of a cut that is new in a program. */
export const basicStatus = 1;

/** A part of the columns as a program. */
interface Program {
  readonly part: Reduced;
  readonly formulation: Formulation;
  readonly columnOf: Int32Array;
}

function programOf(instance: Instance, kept: Uint8Array, { classes }: SolverStage): Program {
  const part = partOf(instance, kept);
  const isWhole = part.instance.options === instance.options;
  const formulation = formulate(part.instance, isWhole ? classes : classesOf(part.instance));
  return { part, formulation, columnOf: columnsOfPart(instance, part, formulation) };
}

/** Prices of rows and of cuts. */
export interface CutPrices {
  readonly rows: Float64Array;
  readonly cuts: Float64Array;
}

function cutPricesOf({ formulation }: Program, duals: Float64Array): CutPrices {
  const first = formulation.model.rows;
  return {
    rows: pricesOf(formulation, duals),
    cuts: Float64Array.from(duals.subarray(first), (dual) => Math.max(0, -dual * formulation.scale)),
  };
}

/** Per option, its gain per covered copy after paying for rows and cuts; the bound that these prices prove. */
export function judge(
  instance: Instance,
  active: readonly Active[],
  prices: CutPrices,
): { scores: Float64Array; bound: number } {
  const { optionStart, useStart, useRow, useAmount, cost, covers, copies, worth, capacity } = instance;
  const charge = cost.slice();
  let bound = 0;
  for (let row = 0; row < instance.rows; row++) bound += prices.rows[row]! * capacity[row]!;
  for (const [index, { row }] of active.entries()) {
    const price = prices.cuts[index]!;
    if (price === 0) continue;
    bound += price * row.limit;
    for (let at = 0; at < row.options.length; at++) charge[row.options[at]!]! += price * row.values[at]!;
  }
  for (let item = 0; item < instance.items; item++)
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
        charge[option]! += prices.rows[useRow[use]!]! * useAmount[use]!;
      charge[option] = worth[item]! / copies[item]! - charge[option]! / covers[option]!;
    }
  return { scores: charge, bound: bound + boundOfItems(instance, charge) };
}

/** Solves the program with its cuts from the basis. */
async function solveWithCuts(
  run: Run,
  stage: SolverStage,
  { part, formulation, columnOf }: Program,
  active: readonly Active[],
  basis: KeptBasis | null,
): Promise<VerifiedAnswer> {
  const model = withCuts(
    formulation.model,
    active.map(({ row }) => row),
    columnOf,
  );
  let start = {};
  if (basis !== null) {
    const narrowed = { ...basis, options: Int8Array.from(part.option, (option) => basis.options[option]!) };
    const { columns, rows } = basisFor(part.instance, formulation, narrowed);
    start = { basis: { columns, rows: Int32Array.of(...rows, ...active.map(({ status }) => status)) } };
  }
  return solveVerified(stage.solver, { model, clock: stage.clock, ...deadlineOf(run, 0.6), ...start });
}

/** Where the rounds begin: columns, cuts and a basis. */
export interface Beginning {
  readonly frame: CutFrame;
  readonly kept: Uint8Array;
  readonly active: readonly Active[];
  readonly basis: KeptBasis | null;
}

/** After a linear program: its columns, its basis, and the cuts that its optimum breaks. */
export function afterRelaxation(instance: Instance, frame: CutFrame, relaxed: Relaxed): Beginning | null {
  if (relaxed.answer.values === null || relaxed.answer.rowDuals === null) return null;
  const kept = new Uint8Array(instance.options);
  for (const option of relaxed.part.option) kept[option] = 1;
  return { frame, kept, active: newCuts(frame, pointOfPart(instance, relaxed)), basis: relaxed.basis };
}

/** Programs with cuts, one after the other. */
export interface CutLoop {
  /**
   * Solves once more, with what the last optimum breaks.
   *
   * @param known gain of the best assignment so far: closing next to nothing of the distance to it, twice, is the end
   * @returns the tightest so far; null when there is no more to be had
   */
  next(known: number): Promise<Tightened | null>;
}

/** Rounds of cuts over a run, which have to be asked for. What the run finds meanwhile changes nothing. */
export function startCuts(run: Run, stage: SolverStage, beginning: Beginning): CutLoop {
  const { instance } = run;
  const { frame, kept } = beginning;
  let { active, basis } = beginning;
  let program = programOf(instance, kept, stage);
  let best: Tightened | null = null;
  let last: {
    readonly binding: readonly Active[];
    readonly scores: Float64Array;
    values: Float64Array;
  } | null = null;
  let idle = 0;
  let round = 0;

  /** Adds what the last optimum breaks; false where that is nothing. */
  const extend = (): boolean => {
    if (last === null) return active.length > 0;
    const fresh = newCuts(frame, last.values);
    const priced = priceOut(instance, last.scores, kept);
    if (priced > 0) program = programOf(instance, kept, stage);
    active = [...last.binding, ...fresh];
    return fresh.length > 0 || priced > 0;
  };
  return {
    async next(known) {
      if (round++ >= mostRounds || idle >= mostIdle || !extend()) return null;
      const answer = await solveWithCuts(run, stage, program, active, basis);
      if (answer.status !== "optimal" || answer.values === null || answer.rowDuals === null) {
        round = mostRounds;
        return null;
      }
      const prices = cutPricesOf(program, answer.rowDuals);
      const { scores, bound } = judge(instance, active, prices);
      const rounding = roundingOf(instance, { ...program, answer });
      const { values } = rounding;
      if (answer.basis !== null) basis = wholeBasis(instance, program, answer.basis);
      const firstCut = program.formulation.model.rows;
      const now = active.map((one, index) => ({
        ...one,
        status: answer.basis?.rows[firstCut + index] ?? basicStatus,
      }));
      const before = best?.bound ?? Number.POSITIVE_INFINITY;
      idle = before - bound < leastProgress * Math.max(0, bound - known) ? idle + 1 : 0;
      const isBinding = now.map(({ row }) => isTight(row, values));
      const binding = now.filter((_, index) => isBinding[index]);
      last = { binding, scores, values };
      if (best === null || bound < before)
        best = {
          bound,
          rounding,
          scores,
          rows: binding.map(({ row }) => row),
          kept: {
            cuts: binding.map(({ cut }) => cut),
            prices: prices.cuts.filter((_, index) => isBinding[index]),
            rowPrices: prices.rows,
          },
        };
      return best;
    },
  };
}

/**
 * The linear program with rounding cuts: what its optimum breaks is added and solved again from the last basis, until
 * the wanted gap is proven or cuts bring next to nothing. Everything it needs of the run is read at the start, so it may
 * go on beside own search.
 */
export async function cutRounds(run: Run, stage: SolverStage, relaxed: Relaxed): Promise<Tightened | null> {
  const { gain: known, options } = run;
  const frame = cutFrameOf(run.instance, stage.classes);
  const beginning = afterRelaxation(run.instance, frame, relaxed);
  if (beginning === null) return null;
  const loop = startCuts(run, stage, beginning);
  let best: Tightened | null = null;
  for (;;) {
    const tightened = await loop.next(known);
    if (tightened === null) return best;
    best = tightened;
    if (gapOf(best.bound, known, options.baseline) <= options.gap) return best;
  }
}

const newCuts = (frame: CutFrame, point: Float64Array): Active[] =>
  separate(frame, point).map(({ cut, cutRow }) => ({ cut, row: cutRow, status: basicStatus }));

const wholeBasis = (instance: Instance, { part, formulation }: Program, basis: Basis): KeptBasis =>
  restoreBasis(keepBasis(part.instance, formulation, basis), instance, part);

/** Takes what the program with cuts proves and suggests. */
export async function useTightened(run: Run, tightened: Tightened): Promise<void> {
  tighten(run, tightened.bound);
  run.scores = tightened.scores;
  run.cuts = tightened.kept;
  await note(run, "cuts");
}
