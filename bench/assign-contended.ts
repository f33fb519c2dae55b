import { setImmediate } from "node:timers/promises";
import type { WorkerSolver } from "../adapters/solver/worker-solver.ts";
import { classesOf } from "../engine/assign/classes.ts";
import { firstMatch, greedy, priceScores } from "../engine/assign/construct.ts";
import { formulate } from "../engine/assign/formulate.ts";
import { type Instance, preprocess } from "../engine/assign/instance.ts";
import { neighborhoodOf, search } from "../engine/assign/search.ts";
import { type AssignOutcome, assign } from "../engine/assign/solve.ts";
import { solveVerified } from "../engine/milp/verify.ts";
import { type GeneratorOptions, generateBatch } from "./assign-instances.ts";
import { type Aim, aim } from "./report.ts";

export interface Limits {
  readonly seeds: readonly number[];
  readonly sizes: readonly number[];
  readonly seconds: readonly number[];
}

/** One line of the result and the aims that follow from it. */
export interface CaseResult {
  readonly name: string;
  readonly figures: unknown;
  readonly aims: readonly Aim[];
  readonly lines: readonly string[];
}

/** One seed of one case. Gaps are relative to the gain over leaving everything as it is. */
interface SeedResult {
  readonly seed: number;
  readonly options: number;
  readonly ms: number;
  readonly gap: number;
  /** How far others' answers lie below the best bound of this run. */
  readonly greedyGap: number;
  readonly firstMatchGap: number;
  /** HiGHS's answer by itself, in as much time, against the best bound; null where it has none. */
  readonly highsGap: number | null;
  /** The same against its own bound: what it could certify alone. */
  readonly highsCertifiedGap: number | null;
  readonly highsMs: number;
  readonly solver: string;
  readonly stoppedBy: string;
  readonly gain: number;
}

interface Case {
  readonly name: string;
  readonly seconds: number;
  readonly options: Omit<GeneratorOptions, "seed">;
  readonly mostGap: number;
  readonly withHighsAlone: boolean;
  /** Seeds beyond these are left out; absent: none is. */
  readonly mostSeeds?: number;
}

/** Largest mean gap, in per cent, after one and after five seconds; 0.01 counts as optimal. */
const fullAims: Readonly<Record<number, readonly [number, number]>> = {
  50: [0.5, 0.01],
  100: [0.5, 0.05],
  200: [0.5, 0.1],
  500: [1.5, 0.5],
  1000: [1.5, 1],
  2000: [4, 2],
};

function casesOf(group: "full" | "classes" | "capacity", limits: Limits): Case[] {
  if (group === "classes")
    return [
      {
        // identical intents aggregate; running work never does, and would be most of the model
        name: "classes-2000@1s",
        seconds: 1,
        options: { intents: 2000, classes: 200, running: false },
        mostGap: 0.1,
        withHighsAlone: true,
      },
      {
        // offers too: up to forty identical machines each
        name: "classes-2000-machines@1s",
        seconds: 1,
        options: { intents: 2000, classes: 200, running: false, machines: 40, candidates: 160 },
        mostGap: Number.POSITIVE_INFINITY,
        withHighsAlone: true,
      },
    ];
  if (group === "capacity")
    return [
      { name: "capacity-1e4x1e4", seconds: 1.5, intents: 10_000, mostGap: 0.7 },
      // a minute per seed: one is enough
      { name: "capacity-1e5x1e4", seconds: 30, intents: 100_000, mostGap: 1.3, mostSeeds: 1 },
    ].map(({ intents, ...rest }) => ({
      ...rest,
      options: { intents, offers: 10_000, full: false },
      withHighsAlone: false,
    }));
  return limits.sizes.flatMap((intents) =>
    limits.seconds.map((seconds) => ({
      name: `full-${intents}@${seconds}s`,
      seconds,
      options: { intents },
      mostGap: fullAims[intents]?.[seconds === 1 ? 0 : 1] ?? Number.POSITIVE_INFINITY,
      withHighsAlone: true,
    })),
  );
}

/** Lets the solver's answers in between steps of own work. */
export const breathe = (): Promise<void> => setImmediate();

/** Work units of own search that this machine does per millisecond, measured after a warm-up. */
export function workPerMs(instance: Instance): number {
  const neighborhood = neighborhoodOf(instance);
  const scores = priceScores(instance, new Float64Array(instance.rows));
  let rate = 0;
  for (let round = 0; round < 3; round++) {
    const start = performance.now();
    const { work } = search(instance, neighborhood, { work: 3e6, seed: round + 1, scores });
    rate = Math.max(rate, work / (performance.now() - start));
  }
  return rate;
}

/** HiGHS with nothing around it: the whole model, no start, all integer. */
async function highsAlone(
  solver: WorkerSolver,
  instance: Instance,
  seconds: number,
): Promise<{ gain: number | null; bound: number; ms: number }> {
  const start = performance.now();
  const { instance: reduced } = preprocess(instance);
  const formulation = formulate(reduced, classesOf(reduced), {
    integer: new Uint8Array(reduced.items).fill(1),
  });
  const left = seconds * 1000 - (performance.now() - start);
  const answer = await solveVerified(solver, { model: formulation.model, deadlineMs: left, gap: 1e-6 });
  return {
    gain: answer.values === null ? null : -answer.objective * formulation.scale,
    bound: -answer.bound * formulation.scale,
    ms: performance.now() - start,
  };
}

async function runSeed(solver: WorkerSolver, one: Case, seed: number): Promise<SeedResult> {
  const { instance, baseline } = generateBatch({ ...one.options, seed });
  const { instance: reduced } = preprocess(instance);
  const rate = workPerMs(reduced);
  const start = performance.now();
  const outcome: AssignOutcome = await assign(instance, {
    solver,
    baseline,
    seed,
    pause: breathe,
    deadlineMs: one.seconds * 1000 * 0.94,
    // the rest of the time goes to laying out, rounding and checking
    work: one.seconds * 1000 * rate * 0.85,
  });
  const ms = performance.now() - start;
  const alone = one.withHighsAlone ? await highsAlone(solver, instance, one.seconds) : null;
  const bound = Math.min(outcome.bound, alone?.bound ?? Number.POSITIVE_INFINITY);
  const below = (gain: number, by = bound): number => Math.max(0, by - gain) / Math.max(1, gain - baseline);
  return {
    seed,
    options: instance.options,
    ms,
    gap: outcome.gap,
    greedyGap: below(greedy(reduced).gain),
    firstMatchGap: below(firstMatch(reduced).gain),
    highsGap: alone === null || alone.gain === null ? null : below(alone.gain),
    highsCertifiedGap: alone === null || alone.gain === null ? null : below(alone.gain, alone.bound),
    highsMs: alone?.ms ?? 0,
    solver: outcome.solver,
    stoppedBy: outcome.stoppedBy,
    gain: outcome.gain,
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const percent = (value: number | null): string =>
  value === null ? "none" : `${(100 * value).toFixed(value < 0.001 ? 3 : 2)} %`;

/** Mean over seeds; null as soon as one has no value. */
const meanOrNull = (values: readonly (number | null)[]): number | null =>
  values.some((value) => value === null) ? null : mean(values as readonly number[]);

/** Runs the cases of a group, one after the other. */
export async function* contendedCases(
  group: "full" | "classes" | "capacity",
  solver: WorkerSolver,
  limits: Limits,
): AsyncGenerator<CaseResult> {
  for (const one of casesOf(group, limits)) {
    const seeds: SeedResult[] = [];
    for (const seed of limits.seeds.slice(0, one.mostSeeds)) seeds.push(await runSeed(solver, one, seed));
    const gap = mean(seeds.map((seed) => seed.gap));
    const slowest = Math.max(...seeds.map(({ ms }) => ms));
    const lines = [
      `${one.name.padEnd(18)} gap ${percent(gap).padEnd(9)} greedy ${percent(mean(seeds.map((seed) => seed.greedyGap))).padEnd(8)} first match ${percent(mean(seeds.map((seed) => seed.firstMatchGap))).padEnd(8)} HiGHS alone ${percent(meanOrNull(seeds.map((seed) => seed.highsGap))).padEnd(8)} (certified ${percent(meanOrNull(seeds.map((seed) => seed.highsCertifiedGap)))})  ${Math.round(slowest)} ms`,
    ];
    yield {
      name: one.name,
      figures: { seeds, slowest_ms: slowest },
      // an answer that comes too late misses its aim, however good
      aims: Number.isFinite(one.mostGap)
        ? [
            aim(one.name, 100 * gap, { most: one.mostGap }, "% mean certified gap"),
            aim(`${one.name}-time`, slowest, { most: one.seconds * 1000 * 1.05 }, "ms"),
          ]
        : [],
      lines,
    };
  }
}
