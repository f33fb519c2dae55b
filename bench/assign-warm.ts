import type { WorkerSolver } from "../adapters/solver/worker-solver.ts";
import { carryOver, type Keys } from "../engine/assign/carry.ts";
import { createInstance, type Instance, type ItemInput, preprocess } from "../engine/assign/instance.ts";
import { type AssignOptions, assign } from "../engine/assign/solve.ts";
import { breathe, type CaseResult, workPerMs } from "./assign-contended.ts";
import { generateBatch } from "./assign-instances.ts";
import { aim } from "./report.ts";

const intents = 500;
/** What a plan may take, milliseconds. */
const budgetMs = 1000;
/** Of the intents, how many leave and as many others arrive. */
const change = 0.05;

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

/** The first items but some, and the held-back ones in their place: two ticks over the same rows. */
function ticksOf(seed: number) {
  // a few more intents than one tick has: those that arrive later
  const later = Math.round(intents * change);
  const { instance, baseline } = generateBatch({ intents: intents + later, seed });
  const all = itemsOf(instance);
  const rows = instance.rowKind.map((kind, row) => ({ kind, capacity: instance.capacity[row]! }));
  const part = (isHere: (item: number) => boolean) => {
    const members = Array.from(all.keys()).filter(isHere);
    const keys: Keys = {
      items: members.map((item) => `${item}`),
      options: members.flatMap((item) => all[item]!.options.map((_, option) => `${item} ${option}`)),
      rows: rows.map((_, row) => `${row}`),
    };
    return {
      instance: createInstance(
        rows,
        members.map((item) => all[item]!),
      ),
      keys,
    };
  };
  return {
    baseline,
    before: part((item) => item < intents || item >= intents + later),
    after: part((item) => item >= later),
  };
}

/** A fresh and a warm plan that both stop as soon as they have proven the same. */
interface Pair {
  readonly target: number;
  readonly gap: number;
  readonly warmMs: number;
  readonly freshMs: number;
  readonly freshGap: number;
}

interface WarmSeed {
  readonly seed: number;
  /** To prove as much as a fresh plan does in all of its time. */
  readonly full: Pair;
  /** To prove what a plan of this size has to within a second. */
  readonly usual: Pair;
}

/** What 500 intents have to be proven to within a second. */
const usualGap = 0.015;

async function runSeed(solver: WorkerSolver, seed: number): Promise<WarmSeed> {
  const { before, after, baseline } = ticksOf(seed);
  const rate = workPerMs(preprocess(before.instance).instance);
  const first = await assign(before.instance, {
    solver,
    baseline,
    seed,
    deadlineMs: 5000,
    work: 5000 * rate,
    pause: breathe,
  });
  const timed = async (options: Pick<AssignOptions, "gap" | "warm">) => {
    const start = performance.now();
    const limits = { deadlineMs: budgetMs, work: budgetMs * rate, pause: breathe };
    const outcome = await assign(after.instance, { solver, baseline, seed, ...limits, ...options });
    return { outcome, ms: performance.now() - start };
  };
  const pair = async (target: number): Promise<Pair> => {
    const fresh = await timed({ gap: target });
    const warm = await timed({
      gap: target,
      warm: carryOver({ keys: before.keys, carry: first.carry }, after.keys),
    });
    return {
      target,
      gap: warm.outcome.gap,
      warmMs: warm.ms,
      freshMs: fresh.ms,
      freshGap: fresh.outcome.gap,
    };
  };
  const { outcome } = await timed({});
  return { seed, full: await pair(outcome.gap * 1.02), usual: await pair(usualGap) };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * A plan after one intent in twenty was replaced, from what the last plan left, against the time a fresh one needs to
 * prove as much.
 */
export async function warmCase(solver: WorkerSolver, seeds: readonly number[]): Promise<CaseResult> {
  const runs: WarmSeed[] = [];
  for (const seed of seeds) runs.push(await runSeed(solver, seed));
  const summary = (of: (run: WarmSeed) => Pair) => {
    const pairs = runs.map(of);
    const warmMs = mean(pairs.map((pair) => pair.warmMs));
    const freshMs = mean(pairs.map((pair) => pair.freshMs));
    const gap = mean(pairs.map((pair) => pair.gap));
    const text = `gap ${(100 * gap).toFixed(2)} % in ${Math.round(warmMs)} ms after a change of ${100 * change} %; fresh needs ${Math.round(freshMs)} ms for as much`;
    return { ratio: freshMs / warmMs, text };
  };
  const full = summary((run) => run.full);
  const usual = summary((run) => run.usual);
  return {
    name: "warm-tick",
    figures: { intents, change, seeds: runs, ratio: usual.ratio, ratioAtFullGap: full.ratio },
    aims: [
      aim("warm-tick", usual.ratio, { least: 3 }, "x faster than fresh"),
      // where only a MIP proves as much as a fresh plan does in all of its time
      aim("warm-tick-at-most", full.ratio, { least: 1 }, "x faster than fresh"),
    ],
    lines: [`warm-tick          ${usual.text}`, `warm-tick-at-most  ${full.text}`],
  };
}
