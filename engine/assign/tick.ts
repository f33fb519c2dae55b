import type { KeptCuts } from "./carry.ts";
import { bestScores, fill, orderBy } from "./construct.ts";
import {
  type Active,
  afterRelaxation,
  basicStatus,
  type CutLoop,
  type CutPrices,
  judge,
  startCuts,
  useTightened,
} from "./cut-rounds.ts";
import { type CutFrame, type CutRow, cutFrameOf, drawCut } from "./cuts.ts";
import { ascend } from "./dual.ts";
import type { Instance } from "./instance.ts";
import { boundByPrices, construct, searchFromLargest, searchOnce } from "./own.ts";
import { polish } from "./polish.ts";
import { gapOf, isDone, note, offerState, type Run, tighten } from "./progress.ts";
import { type Relaxed, roundAll, type SolverStage, solveRelaxation, useRelaxation } from "./relax.ts";
import { dualOf } from "./relaxer.ts";
import { createState, load } from "./state.ts";

/** Cuts of the last tick, as far as they still say something, and what they were worth. */
interface Recalled {
  readonly active: readonly Active[];
  readonly prices: CutPrices;
}

function recall(frame: CutFrame, kept: KeptCuts): Recalled {
  const active: Active[] = [];
  const prices: number[] = [];
  for (const [index, cut] of kept.cuts.entries()) {
    const row = drawCut(frame, cut);
    if (row === null) continue;
    active.push({ cut, row, status: basicStatus });
    prices.push(kept.prices[index]!);
  }
  return { active, prices: { rows: kept.rowPrices, cuts: Float64Array.from(prices) } };
}

/** The instance with its cuts as further rows; their amounts may be fractions, and below 0. */
function withCutRows(instance: Instance, active: readonly Active[]): Instance {
  const { options, rows } = instance;
  const useStart = instance.useStart.slice();
  for (const { row } of active) for (const option of row.options) useStart[option + 1]! += 1;
  for (let option = 0, more = 0; option < options; option++) {
    more += useStart[option + 1]! - instance.useStart[option + 1]!;
    useStart[option + 1] = instance.useStart[option + 1]! + more;
  }
  const useRow = new Int32Array(useStart[options]!);
  const useAmount = new Float64Array(useRow.length);
  const next = useStart.slice(0, options);
  for (let option = 0; option < options; option++)
    for (let use = instance.useStart[option]!; use < instance.useStart[option + 1]!; use++) {
      const at = next[option]!++;
      useRow[at] = instance.useRow[use]!;
      useAmount[at] = instance.useAmount[use]!;
    }
  const capacity = new Float64Array(rows + active.length);
  capacity.set(instance.capacity);
  for (const [index, { row }] of active.entries()) {
    capacity[rows + index] = row.limit;
    for (const [entry, option] of row.options.entries()) {
      const at = next[option]!++;
      useRow[at] = rows + index;
      useAmount[at] = row.values[entry]!;
    }
  }
  return { ...instance, rows: capacity.length, capacity, useStart, useRow, useAmount };
}

/** Rounds that bring the prices of the last tick up to date: they come to within a few hundredths of the program's. */
const priceRounds = 100;

/** Rows and cuts at prices that a few rounds bring up to date. */
interface Priced {
  readonly prices: CutPrices;
  /** Lowers the bound from these prices on, for the best answer so far. */
  ascend(): Priced;
}

function pricedBy(run: Run, { active, prices }: Recalled): Priced {
  const { rows } = run.instance;
  const extended = withCutRows(run.instance, active);
  const evaluate = dualOf(extended);
  const at = (joined: Float64Array): Priced => ({
    prices: { rows: joined.slice(0, rows), cuts: joined.slice(rows) },
    ascend() {
      const { gain, bound, options } = run;
      // an answer that is still bad would make steps too long
      const wanted = bound - options.gap * Math.abs(gain - options.baseline);
      const known = Math.max(gain, wanted);
      return at(ascend(extended, { rounds: priceRounds, known, from: joined, evaluate }).prices);
    },
  });
  const joined = new Float64Array(rows + active.length);
  joined.set(prices.rows);
  joined.set(prices.cuts, rows);
  return at(joined);
}

/** The kept cuts at these prices, for this run and the next tick. */
function useCutPrices(run: Run, { active }: Recalled, prices: CutPrices): void {
  const { scores, bound } = judge(run.instance, active, prices);
  tighten(run, bound);
  run.scores = scores;
  run.cuts = {
    cuts: active.map(({ cut }) => cut),
    prices: prices.cuts,
    rowPrices: prices.rows,
  };
}

/** The last answer as far as it holds, with the new ones put in and single moves. */
async function repair(run: Run): Promise<void> {
  const { instance, scores, options, warm } = run;
  const state = createState(instance);
  load(state, warm!.units);
  fill(state, orderBy(bestScores(instance, scores)), scores);
  polish(state, state.work + options.work * 0.01);
  offerState(run, state);
  await note(run, "construction");
}

/** Items that a search after a small change turns to: those that could win most by another place. */
const mostUnsettled = 50;

function unsettled({ instance, units, scores }: Run): number[] {
  const { items, optionStart, copies } = instance;
  const potential = bestScores(instance, scores);
  for (let item = 0; item < items; item++)
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++)
      if (units[option]! > 0)
        potential[item]! -=
          scores[option]! * Math.min(copies[item]!, units[option]! * instance.covers[option]!);
  return orderBy(potential)
    .slice(0, mostUnsettled)
    .filter((item) => potential[item]! > 0);
}

/** A short cool search around what is out of place. */
async function searchAround(run: Run, seed: number): Promise<void> {
  const { instance, options, units } = run;
  await searchOnce(run, {
    work: Math.min(options.work * 0.05, instance.options * 100),
    seed: options.seed * 1009 + seed,
    start: units,
    warm: 0.01,
    focus: unsettled(run),
  });
  await note(run, "search");
}

/** A gap, in wanted ones, that search alone may close before the solver is asked. */
const nearlyDone = 2.5;

const isNear = ({ bound, gain, options }: Run): boolean =>
  gapOf(bound, gain, options.baseline) <= nearlyDone * options.gap;

/** What needs no solver: the repaired answer, the kept cuts at prices brought up to date, a short search. */
async function proveWithKept(run: Run, recalled: Recalled): Promise<void> {
  useCutPrices(run, recalled, recalled.prices);
  await repair(run);
  if (isDone(run)) return;
  const priced = pricedBy(run, recalled).ascend();
  useCutPrices(run, recalled, priced.prices);
  await note(run, "cuts");
  if (isDone(run) || !isNear(run)) return;
  await searchAround(run, 10);
  if (!isDone(run)) useCutPrices(run, recalled, priced.ascend().prices);
}

/** The program without cuts from its last basis, whose prices are published. */
async function relaxFromBasis(run: Run, stage: SolverStage): Promise<Relaxed> {
  const { scores } = run;
  const relaxing = solveRelaxation({ ...run }, stage);
  await searchAround(run, 11);
  const relaxed = await relaxing;
  useRelaxation(run, relaxed);
  // prices of cuts guide a search better
  run.scores = scores;
  await note(run, "lp");
  return relaxed;
}

/** Rounds of cuts, with a short search beside each, until enough is proven; the cuts that bind. */
async function roundsOfCuts(run: Run, loop: CutLoop): Promise<readonly CutRow[]> {
  let rows: readonly CutRow[] = [];
  for (let round = 1; !isDone(run); round++) {
    const solving = loop.next(run.gain);
    await searchAround(run, 12 + round);
    const tightened = await solving;
    if (tightened === null) break;
    ({ rows } = tightened);
    await useTightened(run, tightened);
    // later ones round to much the same
    if (round > 1 || isDone(run)) continue;
    await roundAll(run, tightened.rounding);
    if (!isDone(run) && isNear(run)) await searchAround(run, 12);
  }
  return rows;
}

/**
 * After a small change: the last answer with the new ones put in, the cuts of the last tick at prices brought up to
 * date, and a short search may prove enough without a solver. Else the program is solved again from its basis, then with
 * the cuts that its optimum breaks on top of the kept ones, which together prove nearly all that rounds of cuts can.
 */
export async function relaxWarm(run: Run, stage: SolverStage, kept: KeptCuts): Promise<readonly CutRow[]> {
  const { instance, options, warm } = run;
  run.basis = warm!.basis;
  await boundByPrices(run, options.work * 0.01);
  const frame = cutFrameOf(instance, stage.classes);
  const recalled = recall(frame, kept);
  await proveWithKept(run, recalled);
  if (isDone(run)) return [];
  const fresh = afterRelaxation(instance, frame, await relaxFromBasis(run, stage));
  let rows: readonly CutRow[] = [];
  if (fresh !== null) {
    const beginning = { ...fresh, active: [...recalled.active, ...fresh.active] };
    rows = await roundsOfCuts(run, startCuts(run, stage, beginning));
  }
  if (isDone(run)) return rows;
  // what a fresh plan does: the last answer may be far from where the good ones are now
  await construct(run, options.work * 0.07);
  await searchFromLargest(run, options.work * 0.2, 2);
  return rows;
}
