import type { WorkerSolver } from "../adapters/solver/worker-solver.ts";
import { carryOver, type Keys, type Tick } from "../engine/assign/carry.ts";
import { createInstance, type Instance, type ItemInput, preprocess } from "../engine/assign/instance.ts";
import { type AssignOptions, assign } from "../engine/assign/solve.ts";
import { breathe, type CaseResult, workPerMs } from "./assign-contended.ts";
import { generateBatch } from "./assign-instances.ts";
import { aim, median } from "./report.ts";

/** What a plan may take, milliseconds. */
const budgetMs = 1000;
/** Ticks of a sequence after its first plan. */
const sequenceTicks = 4;

export interface WarmLimits {
  readonly seeds: readonly number[];
  readonly intents: number;
  /** Of the intents, how many leave and as many others arrive. */
  readonly change: number;
}

/** Items of an instance as inputs, with uses in place. */
function itemsOf(instance: Instance): ItemInput[] {
  const { optionStart, useStart, useRow, useAmount, cost, covers, copies, worth, tier } = instance;
  return Array.from({ length: instance.items }, (_, item) => ({
    copies: copies[item]!,
    worth: worth[item]!,
    tier: tier[item]!,
    options: Array.from({ length: optionStart[item + 1]! - optionStart[item]! }, (_, at) => {
      const option = optionStart[item]! + at;
      const uses = Array.from(
        { length: useStart[option + 1]! - useStart[option]! },
        (_, use) => [useRow[useStart[option]! + use]!, useAmount[useStart[option]! + use]!] as const,
      );
      return { cost: cost[option]!, covers: covers[option]!, uses };
    }),
  }));
}

/** One tick's batch, and the names of its parts. */
interface TickBatch {
  readonly instance: Instance;
  readonly keys: Keys;
}

/** Ticks over the same rows: at each some intents leave and as many others arrive. */
function ticksOf(seed: number, { intents, change }: WarmLimits, ticks: number) {
  const arriving = Math.max(1, Math.round(intents * change));
  // those of all ticks; the running work behind them stays
  const all = intents + arriving * ticks;
  // as contended however many are generated
  const load = (1.3 * all) / (intents + arriving);
  const { instance, baseline } = generateBatch({ intents: all, seed, load });
  const items = itemsOf(instance);
  const rows = instance.rowKind.map((kind, row) => ({ kind, capacity: instance.capacity[row]! }));
  const tick = (index: number): TickBatch => {
    const first = index * arriving;
    const members = Array.from(items.keys()).filter(
      (item) => (item >= first && item < first + intents) || item >= all,
    );
    const keys: Keys = {
      items: members.map((item) => `${item}`),
      options: members.flatMap((item) => items[item]!.options.map((_, option) => `${item} ${option}`)),
      rows: rows.map((_, row) => `${row}`),
    };
    return {
      instance: createInstance(
        rows,
        members.map((item) => items[item]!),
      ),
      keys,
    };
  };
  return { baseline, tick };
}

/** A fresh and a warm plan that both stop as soon as they have proven the same. */
interface Pair {
  readonly target: number;
  readonly warmGap: number;
  readonly freshGap: number;
  readonly warmMs: number;
  readonly freshMs: number;
  /** Processor time, the solver's thread included. */
  readonly warmCpuMs: number;
  readonly freshCpuMs: number;
}

interface WarmSeed {
  readonly seed: number;
  /** To prove as much as a fresh plan does in all of its time. */
  readonly full: Pair;
  /** To prove what a plan of this size has to within a second. */
  readonly usual: Pair;
  /** The same tick after tick, every one from what the one before left, none with more time than it needs. */
  readonly sequence: readonly Pair[];
}

/** What 500 intents have to be proven to within a second. */
const usualGap = 0.015;

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

interface RunnerOptions {
  readonly seed: number;
  readonly baseline: number;
  /** Work per millisecond. */
  readonly rate: number;
}

function runnerOf(solver: WorkerSolver, { seed, baseline, rate }: RunnerOptions) {
  const plan = ({ instance }: TickBatch, ms: number, options: Pick<AssignOptions, "gap" | "warm">) =>
    assign(instance, { solver, baseline, seed, deadlineMs: ms, work: ms * rate, pause: breathe, ...options });
  const timed = async (batch: TickBatch, gap: number, last?: Tick) => {
    const [start, startCpu] = [performance.now(), cpuMs()];
    const warm = last === undefined ? {} : { warm: carryOver(last, batch.keys) };
    const outcome = await plan(batch, budgetMs, { gap, ...warm });
    return { outcome, ms: performance.now() - start, cpu: cpuMs() - startCpu };
  };
  const pair = async (batch: TickBatch, target: number, last: Tick) => {
    const fresh = await timed(batch, target);
    const warm = await timed(batch, target, last);
    const result: Pair = {
      target,
      warmGap: warm.outcome.gap,
      freshGap: fresh.outcome.gap,
      warmMs: warm.ms,
      freshMs: fresh.ms,
      warmCpuMs: warm.cpu,
      freshCpuMs: fresh.cpu,
    };
    return { result, left: { keys: batch.keys, carry: warm.outcome.carry } };
  };
  return { plan, pair };
}

async function runSeed(solver: WorkerSolver, seed: number, limits: WarmLimits): Promise<WarmSeed> {
  const { tick, baseline } = ticksOf(seed, limits, 1);
  const [before, now] = [tick(0), tick(1)];
  const rate = workPerMs(preprocess(before.instance).instance);
  const run = runnerOf(solver, { seed, baseline, rate });
  const first = await run.plan(before, 5 * budgetMs, {});
  const last = { keys: before.keys, carry: first.carry };
  const { gap } = await run.plan(now, budgetMs, {});
  const full = await run.pair(now, gap * 1.02, last);
  const usual = await run.pair(now, usualGap, last);

  const long = ticksOf(seed, limits, sequenceTicks);
  const { plan, pair } = runnerOf(solver, { seed, baseline: long.baseline, rate });
  const start = long.tick(0);
  const { carry } = await plan(start, budgetMs, { gap: usualGap });
  const sequence: Pair[] = [];
  let previous: Tick = { keys: start.keys, carry };
  for (let index = 1; index <= sequenceTicks; index++) {
    const { result, left } = await pair(long.tick(index), usualGap, previous);
    sequence.push(result);
    previous = left;
  }
  return { seed, full: full.result, usual: usual.result, sequence };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const percent = (share: number): string => (100 * share).toFixed(2);

/** How many times a warm plan is faster, by wall and by processor time: of all together, in the median and at worst. */
function ratiosOf(pairs: readonly Pair[]) {
  const ofWall = pairs.map(({ freshMs, warmMs }) => freshMs / warmMs);
  const ofCpu = pairs.map(({ freshCpuMs, warmCpuMs }) => freshCpuMs / warmCpuMs);
  const total = (of: (pair: Pair) => number): number => mean(pairs.map(of));
  return {
    all: total((pair) => pair.freshMs) / total((pair) => pair.warmMs),
    median: median(ofWall),
    worst: Math.min(...ofWall),
    allCpu: total((pair) => pair.freshCpuMs) / total((pair) => pair.warmCpuMs),
    medianCpu: median(ofCpu),
    worstCpu: Math.min(...ofCpu),
  };
}

const seedLine = (name: string, seed: number, pair: Pair): string =>
  `${name.padEnd(18)} seed ${seed}: to ${percent(pair.target)} %, warm ${Math.round(pair.warmMs)} ms (processor ${Math.round(pair.warmCpuMs)}) to ${percent(pair.warmGap)} %, fresh ${Math.round(pair.freshMs)} ms (${Math.round(pair.freshCpuMs)}) to ${percent(pair.freshGap)} %`;

/**
 * A plan after some intents were replaced, from what the last plan left, against the time a fresh one needs to prove as
 * much: from a last plan that had plenty of time, and tick after tick from plans that had no more than they needed.
 */
export async function warmCase(solver: WorkerSolver, limits: WarmLimits): Promise<CaseResult> {
  const seeds: WarmSeed[] = [];
  for (const seed of limits.seeds) seeds.push(await runSeed(solver, seed, limits));
  const kinds = [
    ["warm-tick", (run: WarmSeed) => [run.usual]],
    ["warm-tick-sequence", (run: WarmSeed) => run.sequence],
    ["warm-tick-at-most", (run: WarmSeed) => [run.full]],
  ] as const;
  const ratios = kinds.map(([name, of]) => ({ name, ...ratiosOf(seeds.flatMap(of)) }));
  const [usual, sequence, full] = ratios;
  return {
    name: "warm-tick",
    figures: { intents: limits.intents, change: limits.change, seeds, ratios },
    aims: [
      aim("warm-tick", usual!.all, { least: 3 }, "x faster than fresh"),
      aim("warm-tick-worst", Math.min(usual!.worst, sequence!.worst), { least: 1 }, "x faster than fresh"),
      // where only a MIP proves as much as a fresh plan does in all of its time
      aim("warm-tick-at-most", full!.all, { least: 1 }, "x faster than fresh"),
    ],
    lines: [
      ...kinds.flatMap(([name, of]) =>
        seeds.flatMap((run) => of(run).map((pair) => seedLine(name, run.seed, pair))),
      ),
      ...ratios.map(
        ({ name, all, median, worst, allCpu, medianCpu, worstCpu }) =>
          `${name.padEnd(18)} after a change of ${100 * limits.change} % of ${limits.intents}: ${all.toFixed(1)} x faster than fresh (median ${median.toFixed(1)}, worst ${worst.toFixed(2)}); processor time ${allCpu.toFixed(1)} x less (median ${medianCpu.toFixed(1)}, worst ${worstCpu.toFixed(2)})`,
      ),
    ],
  };
}
