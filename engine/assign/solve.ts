import { recordingSolver } from "../milp/record.ts";
import type { Solver } from "../milp/solver.ts";
import { solveVerified, type VerifiedAnswer } from "../milp/verify.ts";
import { assert } from "../model/errors.ts";
import type { RecordedAnswer } from "../model/plan.ts";
import { type Carry, type KeptCuts, reduceCarry, restoreBasis } from "./carry.ts";
import { checkAssignment } from "./check.ts";
import { classesOf, inClassOrder } from "./classes.ts";
import { greedy, priceScores } from "./construct.ts";
import { cutRounds, useTightened } from "./cut-rounds.ts";
import { type CutRow, withCuts } from "./cuts.ts";
import { boundAt } from "./dual.ts";
import { type Formulation, formulate, pointOf, wholeUnits } from "./formulate.ts";
import { groupOffers, useGrouped } from "./groups.ts";
import { gainOf, type Instance, preprocess, type Reduced, restore, type Units } from "./instance.ts";
import { improveByPrograms } from "./neighborhoods.ts";
import { boundByParts, boundByPrices, construct, searchFromLargest, searchMore, searchOnce } from "./own.ts";
import { polish } from "./polish.ts";
import { gapOf, isDone, note, offerState, type Run, type Stage, tighten } from "./progress.ts";
import {
  columnsOfPart,
  deadlineOf,
  roundAll,
  roundingOf,
  type SolverStage,
  solveRelaxation,
  useRelaxation,
} from "./relax.ts";
import { createRelaxer } from "./relaxer.ts";
import { neighborhoodOf } from "./search.ts";
import { createState, load } from "./state.ts";
import { relaxWarm } from "./tick.ts";
import { compareAssignments, tierCount, tierInstance, tierViolations } from "./tiers.ts";

export interface AssignOptions {
  /** Work units of own search, default 4e6 (about 0.1 s). */
  readonly work?: number;
  /** Default 1. */
  readonly seed?: number;
  /** Solver for LP and MIP; absent: own bound and search only. */
  readonly solver?: Solver;
  /** Handed to the solver only; it counts from the first solve. */
  readonly deadlineMs?: number;
  /** Stop when the proven gap is at most this, default 1e-4. */
  readonly gap?: number;
  /** Gain of leaving everything as it is; gaps are relative to what is gained on top of it. Default 0. */
  readonly baseline?: number;
  /** A former assignment in this instance's indices, need not be feasible any more. */
  readonly start?: Units;
  /** What the last assignment of almost the same batch left, in this instance's indices. */
  readonly warm?: Carry;
  /** Called between steps of own work, so that a host's event loop breathes; changes nothing. */
  readonly pause?: () => Promise<void>;
}

export interface AssignOutcome {
  readonly units: Units;
  readonly gain: number;
  /** No assignment gains more. */
  readonly bound: number;
  /** (bound - gain) / |gain - baseline|; 0 when proven optimal. */
  readonly gap: number;
  /** Scarcity per row: gain lost per unit of capacity; a signal, never a bill. */
  readonly prices: Float64Array;
  readonly pricesFrom: "lp" | "lagrangian";
  /** Backend that helped, or `lagrangian`. */
  readonly solver: string;
  readonly stoppedBy: "completed" | "work" | "time";
  /** The solver's answers in order, for replay. */
  readonly answers: readonly RecordedAnswer[];
  readonly stages: readonly Stage[];
  /** For the next assignment of almost the same batch. */
  readonly carry: Carry;
  /** Items served out of tier order by the weighted solve and repaired tier by tier. */
  readonly tierRepairs: number;
}

/** LPs above this many columns are left to the Lagrangian bound, which is within 0.1 % there. */
const lpColumnLimit = 60_000;
/** Columns that a MIP proves much about per millisecond; within the first bound always. */
const fullyIntegerColumns = 3_000;
const columnsPerMillisecond = 1.6;
/** The same where members of classes count as one: of such programs presolve leaves little. */
const aggregatedColumns = 6_000;
/** Items that are integer in a MIP that is too large to be so entirely: the most valuable ones. */
const integerItems = 100;

/**
 * Which items are integer in the MIP. A large MIP does not finish its root in time; with only the most valuable items
 * integer it does, and its bound still holds: a few indivisible gangs make most of the LP's looseness.
 */
function integerItemsOf({ instance, options }: Run, columns: number, isAggregated: boolean): Uint8Array {
  const chosen = new Uint8Array(instance.items);
  const inTime = (options.deadlineMs ?? Number.POSITIVE_INFINITY) * columnsPerMillisecond;
  const whole = isAggregated ? aggregatedColumns : fullyIntegerColumns;
  if (columns <= Math.max(whole, inTime)) return chosen.fill(1);
  const order = Array.from({ length: instance.items }, (_, item) => item).sort(
    (a, b) => instance.worth[b]! - instance.worth[a]! || a - b,
  );
  for (const item of order.slice(0, integerItems)) chosen[item] = 1;
  return chosen;
}

/** Takes a MIP's bound and, made whole and polished, its answer. */
async function useMip(run: Run, formulation: Formulation, mip: VerifiedAnswer): Promise<void> {
  const { instance, options } = run;
  tighten(run, -mip.bound * formulation.scale);
  if (mip.values !== null) {
    const state = createState(instance);
    load(state, wholeUnits(instance, formulation, mip.values));
    polish(state, state.work + options.work * 0.02);
    const units = state.units();
    offerState(run, state);
    const seed = options.seed * 1009 + 97;
    await searchOnce(run, { work: options.work * 0.05, seed, start: units, warm: 0.01 });
  }
  run.isLate ||= mip.status === "feasible" || mip.status === "unknown";
  await note(run, "mip");
}

/** The linear program, then the same with cuts, with own search beside them; the cuts that bind. */
async function relaxFresh(run: Run, stage: SolverStage): Promise<readonly CutRow[]> {
  const { options } = run;
  await boundByPrices(run, options.work * 0.08);
  // what the searches beside it find must not decide what is asked: a replay has another timing
  const frozen = { ...run };
  const relaxing = solveRelaxation(frozen, stage).then(async (relaxed) => ({
    relaxed,
    tightened: await cutRounds(frozen, stage, relaxed),
  }));
  await construct(run, options.work * 0.07);
  if (options.start === undefined) await searchFromLargest(run, options.work * 0.2, 2);
  else await searchMore(run, { work: options.work * 0.2, seed: 2, fromBest: true });
  const { relaxed, tightened } = await relaxing;
  useRelaxation(run, relaxed);
  await note(run, "lp");
  if (tightened !== null) await useTightened(run, tightened);
  else await boundByParts(run, options.work * 0.15);
  if (relaxed.answer.values !== null && !isDone(run))
    await roundAll(run, tightened?.rounding ?? roundingOf(run.instance, relaxed));
  return tightened?.rows ?? [];
}

/** What a former tick proves with: its cuts, or its program's prices alone; null where it solved none. */
function keptOf({ cuts, basis, prices }: Carry): KeptCuts | null {
  if (cuts !== null) return cuts;
  return basis === null ? null : { cuts: [], prices: new Float64Array(0), rowPrices: prices };
}

/** LP with cuts, then a MIP from the best answer, with own search beside both. */
async function solverStages(run: Run, stage: SolverStage): Promise<void> {
  const { instance, options, warm } = run;
  const { solver, clock, classes } = stage;
  const kept = warm === null ? null : keptOf(warm);
  const cuts = await (kept === null ? relaxFresh(run, stage) : relaxWarm(run, stage, kept));
  if (isDone(run)) return;

  const columns = classes.count === instance.items ? instance.options : columnsOf(instance, classes);
  const isAggregated = classes.count < instance.items * 0.8;
  const integer = integerItemsOf(run, columns, isAggregated);
  const formulation = formulate(instance, classes, { integer });
  const whole = { instance, option: Int32Array.from({ length: instance.options }, (_, option) => option) };
  // a solver without integers rejects the model, and own search goes on alone
  const solving = solveVerified(solver, {
    model: withCuts(formulation.model, cuts, columnsOfPart(instance, whole, formulation)),
    gap: mipGapOf(run),
    // few classes with many members: the solver's own heuristics find what moves of single members do not
    ...(isAggregated ? {} : { focus: "bound" }),
    start: pointOf(instance, formulation, run.units),
    clock,
    ...deadlineOf(run, 0.8),
  });
  await searchMore(run, { work: options.work * 0.45, seed: 5, fromBest: true });
  await useMip(run, formulation, await solving);
  await improveByPrograms(run, stage);
  await searchMore(run, { work: options.work * 0.1, seed: 3, fromBest: true });
}

/** The gap to ask of a MIP, whose objective counts the baseline too. */
function mipGapOf({ options, gain }: Run): number {
  const share = Math.abs(gain - options.baseline) / Math.max(1, Math.abs(gain));
  return Math.max(0, 0.99 * options.gap * share);
}

/** Columns of the aggregated model. */
function columnsOf(instance: Instance, { count, start, member }: SolverStage["classes"]): number {
  let columns = 0;
  for (let index = 0; index < count; index++) {
    const item = member[start[index]!]!;
    columns += instance.optionStart[item + 1]! - instance.optionStart[item]!;
  }
  return columns;
}

/** Share of work and time for solving again by tier. */
const tierShare = 0.3;

/** Every tier by itself over what the ones before it leave, the highest first, with all means of a batch. */
async function solveByTier({ instance, options }: Run): Promise<Units> {
  const held = createState(instance);
  const tiers = tierCount(instance);
  const { deadlineMs, solver, pause } = options;
  for (let tier = 0; tier < tiers; tier++) {
    const part = tierInstance(instance, tier, held);
    const { units } = await assign(part.instance, {
      work: (options.work * tierShare) / tiers,
      seed: options.seed,
      gap: options.gap,
      ...(solver === undefined ? {} : { solver }),
      ...(deadlineMs === undefined ? {} : { deadlineMs: (deadlineMs * tierShare) / tiers }),
      ...(pause === undefined ? {} : { pause }),
    });
    load(held, restore(instance, part, units));
  }
  return held.units();
}

/** An answer that breaks the order of tiers is replaced by one solved tier by tier, if that keeps the order better. */
async function repairTiers(run: Run, fallback: Units): Promise<number> {
  const { instance } = run;
  const violations = tierViolations(instance, run.units);
  let best = run.units;
  if (violations.length > 0) {
    const byTier = await solveByTier(run);
    if (compareAssignments(instance, byTier, best) < 0) best = byTier;
  }
  if (tierCount(instance) > 1 && compareAssignments(instance, fallback, best) < 0) best = fallback;
  if (best !== run.units) {
    run.units = best;
    run.gain = gainOf(instance, best);
    await note(run, "tiers");
  }
  return violations.length;
}

/**
 * Assigns a batch: preprocess, greedy answer (checked before any solver starts), bound and prices, rounding,
 * search and MIP, order of tiers, independent check, measured gap. Never worse than greedy. Deterministic up to
 * the solver's answers, which are recorded.
 *
 * @throws when the final check finds a violation: a bug, never an outcome
 */
export async function assign(original: Instance, options: AssignOptions = {}): Promise<AssignOutcome> {
  const reduced = preprocess(original);
  const { instance } = reduced;
  const answers: (RecordedAnswer | null)[] = [];
  const solver = options.solver === undefined ? {} : { solver: recordingSolver(options.solver, answers) };
  const first = greedy(instance).units();
  const checked = checkAssignment(instance, first);
  assert(checked.violations.length === 0, `greedy: ${checked.violations[0]?.message}`);
  const run: Run = {
    instance,
    neighborhood: neighborhoodOf(instance),
    relaxer: createRelaxer(instance),
    options: { work: 4e6, seed: 1, gap: 1e-4, baseline: 0, ...options, ...solver },
    warm: options.warm === undefined ? null : reduceCarry(options.warm, reduced),
    stages: [],
    units: first,
    gain: checked.gain,
    bound: boundAt(instance, new Float64Array(instance.rows)),
    prices: new Float64Array(instance.rows),
    scores: priceScores(instance, new Float64Array(instance.rows)),
    pricesFrom: "lagrangian",
    values: null,
    basis: null,
    cuts: null,
    isLate: false,
    judged: null,
  };
  for (const start of [options.start, options.warm?.units]) {
    if (start === undefined) continue;
    const state = createState(instance);
    load(
      state,
      Int32Array.from(reduced.option, (option) => start[option]!),
    );
    offerState(run, state);
  }
  await note(run, "greedy");
  if (!isDone(run)) await improveByGroups(run);
  if (!isDone(run)) await improve(run);
  const tierRepairs = await repairTiers(run, first);
  return { ...outcomeOf(original, reduced, run, answers), tierRepairs };
}

/** The checked end of a run, in the original's indices. */
function outcomeOf(
  original: Instance,
  reduced: Reduced,
  run: Run,
  answers: readonly (RecordedAnswer | null)[],
): Omit<AssignOutcome, "tierRepairs"> {
  const { instance } = reduced;
  const units = restore(original, reduced, inClassOrder(instance, classesOf(instance), run.units));
  const report = checkAssignment(original, units);
  assert(report.violations.length === 0, `assignment: ${report.violations[0]?.message}`);
  assert(report.gain === run.gain, `assignment: gain ${run.gain}, recount ${report.gain}`);
  const bound = Math.max(run.bound, run.gain);
  const recorded = answers.filter((answer) => answer !== null);
  return {
    units,
    gain: run.gain,
    bound,
    gap: gapOf(bound, run.gain, run.options.baseline),
    prices: run.prices,
    pricesFrom: run.pricesFrom,
    solver: recorded.find((answer) => answer.status !== "failed")?.solver ?? "lagrangian",
    stoppedBy: isDone(run) ? "completed" : run.isLate ? "time" : "work",
    answers: recorded,
    stages: run.stages,
    carry: {
      units,
      prices: run.prices,
      values: run.values ?? new Float64Array(instance.items).fill(Number.NaN),
      basis: run.basis === null ? null : restoreBasis(run.basis, original, reduced),
      cuts: run.cuts,
    },
  };
}

/** Share of work and time for the instance with interchangeable offers as one, where there are many. */
const groupShare = 0.85;

/** First with interchangeable offers as one; what that leaves of work and time is for the offers themselves. */
async function improveByGroups(run: Run): Promise<void> {
  const { instance, options, warm } = run;
  // cuts of a former tick belong to the offers themselves
  const grouped = warm === null || warm.cuts === null ? groupOffers(instance) : null;
  if (grouped === null) return;
  const { deadlineMs, solver, pause, start: _offers, warm: _none, ...rest } = options;
  const limited = (share: number) => ({
    work: options.work * share,
    ...(deadlineMs === undefined ? {} : { deadlineMs: deadlineMs * share }),
  });
  const outcome = await assign(grouped.instance, {
    ...rest,
    ...limited(groupShare),
    ...(solver === undefined ? {} : { solver }),
    ...(pause === undefined ? {} : { pause }),
  });
  await useGrouped(run, grouped, outcome);
  run.options = { ...options, ...limited(1 - groupShare) };
}

/** Everything after greedy. */
async function improve(run: Run): Promise<void> {
  const { instance, options, warm } = run;
  const { solver } = options;
  if (solver !== undefined && instance.options <= Math.min(lpColumnLimit, solver.limits.maxCols))
    return solverStages(run, { solver, classes: classesOf(instance), clock: {} });
  await boundByPrices(run, options.work * 0.12);
  await construct(run, options.work * 0.08);
  await boundByParts(run, options.work * 0.55);
  if (warm === null && options.start === undefined && instance.items < 5_000)
    await searchFromLargest(run, options.work * 0.25, 1);
  else await searchMore(run, { work: options.work * 0.25, seed: 1, fromBest: true });
}
