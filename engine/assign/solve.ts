import type { LinearModel } from "../milp/model.ts";
import { recordingSolver } from "../milp/record.ts";
import type { Solver } from "../milp/solver.ts";
import { solveVerified } from "../milp/verify.ts";
import { assert } from "../model/errors.ts";
import type { RecordedAnswer } from "../model/plan.ts";
import { ascendBlocks } from "./blocks.ts";
import { checkAssignment } from "./check.ts";
import { type Classes, classesOf, inClassOrder } from "./classes.ts";
import { greedy, roundRelaxation } from "./construct.ts";
import { ascend, boundAt } from "./dual.ts";
import { type Formulation, formulate, pointOf, pricesOf, relaxedUnits, wholeUnits } from "./formulate.ts";
import { gainOf, type Instance, preprocess, restore, type Units } from "./instance.ts";
import { placeLargest } from "./largest.ts";
import { type Neighborhood, neighborhoodOf, search } from "./search.ts";
import { createState, load } from "./state.ts";
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
  /** Former prices in this instance's rows. */
  readonly prices?: Float64Array;
}

/** One step of the pipeline, for reports. */
export interface Stage {
  readonly name: "greedy" | "lagrangian" | "lp" | "blocks" | "rounding" | "search" | "mip" | "tiers";
  readonly gain: number;
  readonly bound: number;
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
  /** Items served out of tier order by the weighted solve and repaired tier by tier. */
  readonly tierRepairs: number;
}

/** LPs above this many columns are left to the Lagrangian bound, which is within 0.1 % there. */
const lpColumnLimit = 60_000;
/**
 * A MIP of more columns than this, or than the deadline's milliseconds times 6, does not finish its root relaxation
 * in time: then only the columns of the most valuable items are integer, which still is a valid bound.
 */
const fullyIntegerColumns = 9_000;
const columnsPerMillisecond = 6;
const integerItems = 150;

/** Best answer and bound so far, and what the stages share. */
interface Run {
  readonly instance: Instance;
  readonly neighborhood: Neighborhood;
  readonly options: Required<Pick<AssignOptions, "work" | "seed" | "gap" | "baseline">> & AssignOptions;
  readonly stages: Stage[];
  units: Units;
  gain: number;
  bound: number;
  prices: Float64Array;
  pricesFrom: "lp" | "lagrangian";
  isLate: boolean;
}

const gapOf = (bound: number, gain: number, baseline: number): number =>
  bound <= gain ? 0 : (bound - gain) / Math.max(1, Math.abs(gain - baseline));

const isDone = (run: Run): boolean =>
  gapOf(run.bound, run.gain, run.options.baseline) <= run.options.gap || run.instance.options === 0;

const offer = (run: Run, units: Units, gain: number): void => {
  if (gain <= run.gain) return;
  run.gain = gain;
  run.units = units;
};

/** A bound below a known assignment is wrong, whoever says it: it is left out. */
const tighten = (run: Run, bound: number): void => {
  // gains are integers; the rest is for the rounding of sums
  const rounded = Math.floor(bound + 1e-9 * Math.abs(bound));
  if (rounded < run.bound && rounded >= run.gain) run.bound = rounded;
  else if (rounded < run.gain && run.gain - rounded <= 1e-7 * Math.abs(run.gain)) run.bound = run.gain;
};

const note = (run: Run, name: Stage["name"]): void => {
  run.stages.push({ name, gain: run.gain, bound: run.bound });
};

/** Searches with the present prices, in slices so that a proven gap ends it early. */
function searchMore(run: Run, work: number, seed: number, fromBest: boolean): void {
  const slices = 4;
  for (let slice = 0; slice < slices && !isDone(run); slice++) {
    const { units, gain } = search(run.instance, run.neighborhood, {
      work: work / slices,
      seed: run.options.seed * 1009 + seed * 31 + slice,
      prices: run.prices,
      ...(fromBest || slice > 0 ? { start: run.units } : {}),
      ...(fromBest || slice > 0 ? {} : { warm: 0.15 }),
    });
    offer(run, units, gain);
  }
  note(run, "search");
}

/** Large items first, then one long annealing over all, then once more from the best. */
function searchFromLargest(run: Run, work: number, seed: number): void {
  if (isDone(run)) return;
  const { instance, neighborhood, prices } = run;
  const base = run.options.seed * 1009 + seed * 31;
  const start = placeLargest(instance, { work: work * 0.08, seed: base, prices });
  const annealed = search(instance, neighborhood, {
    work: work * 0.62,
    seed: base,
    prices,
    start,
    warm: 0.15,
  });
  offer(run, annealed.units, annealed.gain);
  searchMore(run, work * 0.3, seed, true);
}

/** Lagrangian bound and prices; rounds follow from the work allowed. */
function lagrangian(run: Run, work: number): void {
  const perRound = Math.max(1, run.instance.useRow.length / 5);
  const { prices: from } = run.options;
  const wanted = from === undefined ? 300 : 60;
  const rounds = Math.max(20, Math.min(wanted, Math.floor(work / perRound)));
  const dual = ascend(run.instance, { rounds, known: run.gain, ...(from === undefined ? {} : { from }) });
  run.prices = dual.prices;
  tighten(run, dual.bound);
  note(run, "lagrangian");
}

/** Everything the solver is asked about one instance. */
interface SolverStage {
  readonly solver: Solver;
  readonly classes: Classes;
  readonly relaxation: Formulation;
  /** One clock for all solves of the run. */
  readonly clock: object;
}

const deadlineOf = (run: Run, share: number): { deadlineMs?: number } =>
  run.options.deadlineMs === undefined ? {} : { deadlineMs: run.options.deadlineMs * share };

/**
 * The LP's capacities are a hair larger than the instance's: of all optimal duals this singles out the ones with
 * the least total price, so degenerate prices follow one rule whichever solver finds them.
 */
function leastPriceModel({ model, instanceRows }: Formulation): LinearModel {
  const rowUpper = model.rowUpper.map((limit, row) => (row < instanceRows ? limit * (1 + 1e-5) : limit));
  return { ...model, rowUpper };
}

/** Takes an LP's prices and roundings. */
function useRelaxation(run: Run, stage: SolverStage, lp: Awaited<ReturnType<typeof solveVerified>>): void {
  if (lp.values === null) {
    run.isLate ||= lp.status !== "failed" && lp.status !== "infeasible";
    return;
  }
  if (lp.rowDuals !== null) {
    run.prices = pricesOf(run.instance, stage.relaxation, lp.rowDuals);
    run.pricesFrom = "lp";
    // an optimum that is only claimed proves nothing; duals do
    tighten(run, boundAt(run.instance, run.prices));
  }
  note(run, "lp");
  const { prices } = run;
  const values = relaxedUnits(run.instance, stage.relaxation, lp.values);
  for (const order of ["fraction", "value", "product"] as const) {
    const state = roundRelaxation(run.instance, { values, prices, order });
    offer(run, state.units(), state.gain);
  }
  note(run, "rounding");
}

/** Which items are integer in the MIP; fewer is a weaker bound that is proven sooner. */
function integerItemsOf({ instance, options }: Run, { relaxation }: SolverStage): Uint8Array {
  const chosen = new Uint8Array(instance.items);
  const inTime = (options.deadlineMs ?? Number.POSITIVE_INFINITY) * columnsPerMillisecond;
  if (relaxation.model.cols <= Math.max(fullyIntegerColumns, inTime)) return chosen.fill(1);
  const order = Array.from({ length: instance.items }, (_, item) => item).sort(
    (a, b) => instance.worth[b]! - instance.worth[a]! || a - b,
  );
  for (const item of order.slice(0, integerItems)) chosen[item] = 1;
  return chosen;
}

/** The bound that keeps quotas and budgets exact. A label costs about five work units. */
function tenantBound(run: Run, work: number): void {
  const { instance, gain: known, prices } = run;
  if (isDone(run)) return;
  const from = { bound: run.bound, prices };
  tighten(run, ascendBlocks(instance, { work: work / 5, known, from }).bound);
  note(run, "blocks");
}

/** LP, then a MIP from the best answer, with own search beside both. */
async function solverStages(run: Run, stage: SolverStage): Promise<void> {
  const { instance, options } = run;
  const { solver, clock } = stage;
  const lpPending = solveVerified(solver, {
    model: leastPriceModel(stage.relaxation),
    clock,
    ...deadlineOf(run, 0.85),
  });
  lagrangian(run, options.work * 0.15);
  searchMore(run, options.work * 0.1, 1, options.start !== undefined);
  useRelaxation(run, stage, await lpPending);
  if (isDone(run)) return;

  const integer = integerItemsOf(run, stage);
  const formulation = formulate(instance, stage.classes, { integer });
  // a solver without integers rejects the model, and own search goes on alone
  const mipPending = solveVerified(solver, {
    model: formulation.model,
    gap: options.gap / 2,
    focus: "bound",
    start: pointOf(instance, formulation, run.units),
    clock,
    ...deadlineOf(run, 0.85),
  });
  tenantBound(run, options.work * 0.1);
  if (options.start === undefined) searchFromLargest(run, options.work * 0.5, 2);
  else searchMore(run, options.work * 0.5, 2, true);
  const mip = await mipPending;
  tighten(run, -mip.bound * formulation.scale);
  if (mip.values !== null) {
    const state = createState(instance);
    load(state, wholeUnits(instance, formulation, mip.values));
    const units = state.units();
    offer(run, units, state.gain);
    const polished = search(instance, run.neighborhood, {
      work: options.work * 0.05,
      seed: options.seed * 1009 + 97,
      prices: run.prices,
      start: units,
      warm: 0.01,
    });
    offer(run, polished.units, polished.gain);
  }
  run.isLate ||= mip.status === "feasible" || mip.status === "unknown";
  note(run, "mip");
  searchMore(run, options.work * 0.1, 3, true);
}

/** Replaces an answer that breaks the order of tiers by one solved tier by tier, if that is better. */
function repairTiers(run: Run, fallback: Units): number {
  const { instance, options } = run;
  const violations = tierViolations(instance, run.units);
  let best = run.units;
  if (violations.length > 0) {
    const held = createState(instance);
    const tiers = tierCount(instance);
    for (let tier = 0; tier < tiers; tier++) {
      const part = tierInstance(instance, tier, held);
      const solved = search(part.instance, neighborhoodOf(part.instance), {
        work: (options.work * 0.3) / tiers,
        seed: options.seed,
        prices: new Float64Array(instance.rows),
      });
      load(held, restore(instance, { instance: part.instance, option: part.option }, solved.units));
    }
    const byTier = held.units();
    if (compareAssignments(instance, byTier, best) < 0) best = byTier;
  }
  if (tierCount(instance) > 1 && compareAssignments(instance, fallback, best) < 0) best = fallback;
  if (best !== run.units) {
    run.units = best;
    run.gain = gainOf(instance, best);
    note(run, "tiers");
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
  const first = greedy(instance).units();
  const checked = checkAssignment(instance, first);
  assert(checked.violations.length === 0, `greedy: ${checked.violations[0]?.message}`);
  const run: Run = {
    instance,
    neighborhood: neighborhoodOf(instance),
    options: { work: 4e6, seed: 1, gap: 1e-4, baseline: 0, ...options },
    stages: [],
    units: first,
    gain: checked.gain,
    bound: boundAt(instance, new Float64Array(instance.rows)),
    prices: new Float64Array(instance.rows),
    pricesFrom: "lagrangian",
    isLate: false,
  };
  if (options.start !== undefined) {
    const state = createState(instance);
    load(
      state,
      Int32Array.from(reduced.option, (option) => options.start![option]!),
    );
    const units = state.units();
    offer(run, units, state.gain);
  }
  note(run, "greedy");
  const answers: (RecordedAnswer | null)[] = [];
  if (!isDone(run)) await improve(run, answers);
  const tierRepairs = repairTiers(run, first);

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
    tierRepairs,
  };
}

/** Everything after greedy. */
async function improve(run: Run, answers: (RecordedAnswer | null)[]): Promise<void> {
  const { instance, options } = run;
  const { solver } = options;
  if (solver !== undefined && instance.options <= Math.min(lpColumnLimit, solver.limits.maxCols)) {
    const classes = classesOf(instance);
    await solverStages(run, {
      solver: recordingSolver(solver, answers),
      classes,
      relaxation: formulate(instance, classes),
      clock: {},
    });
    return;
  }
  lagrangian(run, options.work * 0.4);
  tenantBound(run, options.work * 0.1);
  if (options.start === undefined) searchFromLargest(run, options.work * 0.5, 1);
  else searchMore(run, options.work * 0.5, 1, true);
}
