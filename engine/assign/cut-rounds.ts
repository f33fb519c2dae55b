import type { Basis } from "../milp/solver.ts";
import { solveVerified, type VerifiedAnswer } from "../milp/verify.ts";
import { basisFor, type KeptBasis, type KeptCuts, keepBasis, restoreBasis } from "./carry.ts";
import { type Classes, classesOf } from "./classes.ts";
import { bestScores } from "./construct.ts";
import {
  type Cut,
  type CutFrame,
  type CutRow,
  cutFrameOf,
  drawCut,
  isTight,
  separate,
  withCuts,
} from "./cuts.ts";
import { type Formulation, formulate, pricesOf } from "./formulate.ts";
import type { Instance, Reduced } from "./instance.ts";
import { gapOf, type Run } from "./progress.ts";
import {
  columnsOfPart,
  deadlineOf,
  firstColumns,
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
interface Active {
  readonly cut: Cut;
  readonly row: CutRow;
  readonly status: number;
}

const basicStatus = 1;

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

/** Prices of rows and of cuts, from the duals of a program with both. */
interface CutPrices {
  readonly rows: Float64Array;
  readonly cuts: Float64Array;
}

function cutPricesOf(instance: Instance, { formulation }: Program, duals: Float64Array): CutPrices {
  const first = formulation.model.rows;
  return {
    rows: pricesOf(instance, formulation, duals),
    cuts: Float64Array.from(duals.subarray(first), (dual) => Math.max(0, -dual * formulation.scale)),
  };
}

/** Per option, its gain per covered copy after paying for rows and cuts; the bound that these prices prove. */
function judge(
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
  for (const best of bestScores(instance, charge)) bound += Math.max(0, best);
  return { scores: charge, bound };
}

/** Cuts of the last tick, as far as they still say something, and what they were worth. */
function keptCuts(frame: CutFrame, kept: KeptCuts): { active: Active[]; prices: CutPrices } {
  const active: Active[] = [];
  const prices: number[] = [];
  for (const [index, cut] of kept.cuts.entries()) {
    const row = drawCut(frame, cut);
    if (row === null) continue;
    active.push({ cut, row, status: kept.statuses[index]! });
    prices.push(kept.prices[index]!);
  }
  return { active, prices: { rows: kept.rowPrices, cuts: Float64Array.from(prices) } };
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
interface Beginning {
  readonly kept: Uint8Array;
  readonly active: Active[];
  readonly basis: KeptBasis | null;
}

/** After a linear program: its columns, its basis, and the cuts that its optimum breaks. */
function afterRelaxation(instance: Instance, frame: CutFrame, relaxed: Relaxed): Beginning | null {
  if (relaxed.answer.values === null || relaxed.answer.rowDuals === null) return null;
  const kept = new Uint8Array(instance.options);
  for (const option of relaxed.part.option) kept[option] = 1;
  return { kept, active: newCuts(frame, pointOfPart(instance, relaxed)), basis: relaxed.basis };
}

/** What the cuts and prices of a former tick prove of this instance, before anybody is asked. */
export function judgeTick(
  instance: Instance,
  classes: Classes,
  cuts: KeptCuts,
): { readonly scores: Float64Array; readonly bound: number } {
  const { active, prices } = keptCuts(cutFrameOf(instance, classes), cuts);
  return judge(instance, active, prices);
}

/** After a former tick: its cuts, its basis, and the columns that these and its prices single out. */
function afterTick({ instance, units }: Run, frame: CutFrame, cuts: KeptCuts): Beginning {
  const { active, prices } = keptCuts(frame, cuts);
  const kept = firstColumns(instance, judge(instance, active, prices).scores, units);
  for (let option = 0; option < instance.options; option++)
    if ((cuts.basis?.options[option] ?? 0) !== 0) kept[option] = 1;
  return { kept, active, basis: cuts.basis };
}

/**
 * The linear program with rounding cuts: what its optimum breaks is added and solved again from the last basis, until
 * the wanted gap is proven or cuts bring next to nothing. Everything it needs of the run is read at the start, so it may
 * go on beside own search.
 *
 * @param relaxed the program without cuts; null after a former tick, whose cuts are the start then
 */
export async function cutRounds(
  run: Run,
  stage: SolverStage,
  relaxed: Relaxed | null,
): Promise<Tightened | null> {
  const { instance, gain: known, options, warm } = run;
  const frame = cutFrameOf(instance, stage.classes);
  const beginning =
    relaxed !== null
      ? afterRelaxation(instance, frame, relaxed)
      : warm?.cuts != null
        ? afterTick(run, frame, warm.cuts)
        : null;
  if (beginning === null) return null;
  const { kept } = beginning;
  let { active, basis } = beginning;
  let program = programOf(instance, kept, stage);
  let best: Tightened | null = null;
  let idle = 0;
  for (let round = 0; round < mostRounds && active.length > 0 && idle < mostIdle; round++) {
    const answer = await solveWithCuts(run, stage, program, active, basis);
    if (answer.status !== "optimal" || answer.values === null || answer.rowDuals === null) break;
    const prices = cutPricesOf(instance, program, answer.rowDuals);
    const { scores, bound } = judge(instance, active, prices);
    const rounding = roundingOf(instance, { ...program, answer });
    const { values } = rounding;
    if (answer.basis !== null) basis = wholeBasis(instance, program, answer.basis);
    active = active.map((one, index) => ({
      ...one,
      status: answer.basis?.rows[program.formulation.model.rows + index] ?? basicStatus,
    }));
    const before = best?.bound ?? Number.POSITIVE_INFINITY;
    idle = before - bound < leastProgress * Math.max(0, bound - known) ? idle + 1 : 0;
    const binding = active.map(({ row }) => isTight(row, values));
    const bindingCuts = active.filter((_, index) => binding[index]);
    if (bound < before)
      best = {
        bound,
        rounding,
        scores,
        rows: bindingCuts.map(({ row }) => row),
        kept: {
          cuts: bindingCuts.map(({ cut }) => cut),
          statuses: Int8Array.from(bindingCuts, ({ status }) => status),
          prices: prices.cuts.filter((_, index) => binding[index]),
          rowPrices: prices.rows,
          basis,
        },
      };
    if (gapOf(bound, known, options.baseline) <= options.gap) break;
    const fresh = newCuts(frame, values);
    const priced = priceOut(instance, scores, kept);
    if (fresh.length === 0 && priced === 0) break;
    if (priced > 0) program = programOf(instance, kept, stage);
    active = [...bindingCuts, ...fresh];
  }
  return best;
}

const newCuts = (frame: CutFrame, point: Float64Array): Active[] =>
  separate(frame, point).map(({ cut, cutRow }) => ({ cut, row: cutRow, status: basicStatus }));

const wholeBasis = (instance: Instance, { part, formulation }: Program, basis: Basis): KeptBasis =>
  restoreBasis(keepBasis(part.instance, formulation, basis), instance, part);
