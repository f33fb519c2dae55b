import type { BatchReport, ScarcityPrice } from "../model/plan.ts";
import type { Running } from "../model/terms.ts";
import { type Batch, unitsOf } from "./batch.ts";
import { boundAt } from "./dual.ts";
import type { Served } from "./serve.ts";
import type { AssignOutcome } from "./solve.ts";

/** A batch, and the position of each of its contenders among the served. */
export interface Tallied {
  readonly batch: Batch;
  readonly members: readonly number[];
}

/** What a batch's members got: worth per tier, and the regret and moves of it all. */
export interface Tally {
  readonly worth: number[];
  readonly cost: number;
  readonly gain: number;
}

export function tallyOf(
  { batch, members }: Tallied,
  served: readonly Served[],
  evicted: ReadonlySet<Running>,
): Tally {
  const { instance } = batch;
  const worth: number[] = Array.from(instance.tier, () => 0);
  const free = instance.capacity.slice();
  let cost = 0;
  for (const [index, one] of batch.running.entries()) {
    const item = batch.contenders.length + index;
    if (!evicted.has(one)) worth[instance.tier[item]!]! += instance.worth[item]!;
  }
  for (const [item, index] of members.entries()) {
    const { verdict, result } = served[index]!;
    // capacity that running work gave up is outside the batch, and its bound
    if (verdict.outcome !== "placed" || verdict.preempts !== undefined) continue;
    worth[instance.tier[item]!]! += instance.worth[item]!;
    const units = new Int32Array(instance.options);
    const last = instance.optionStart[item + 1]!;
    if (unitsOf(batch, item, result.shares, { units, free }))
      for (let option = instance.optionStart[item]!; option < last; option++) {
        cost += (instance.cost[option]! - instance.forgone[option]!) * units[option]!;
        worth[instance.tier[item]!]! -= instance.forgone[option]! * units[option]!;
      }
    // beyond the list nothing is known but that it is no better than the last listed option
    else if (last > instance.optionStart[item]!) cost += instance.cost[last - 1]! * instance.copies[item]!;
  }
  return { worth, cost, gain: worth.reduce((sum, tier) => sum + tier, 0) - cost };
}

/** Negative when `a` is better: tiers first, then cost. */
export function compareTallies(a: Tally, b: Tally): number {
  for (const [tier, worth] of a.worth.entries()) if (worth !== b.worth[tier]) return b.worth[tier]! - worth;
  return a.cost - b.cost;
}

/** Scarcity prices per offer and resource, positive ones only. */
function pricesOf(batch: Batch, outcome: AssignOutcome): ScarcityPrice[] {
  const prices: ScarcityPrice[] = [];
  for (const [row, of] of batch.rowOf.entries()) {
    const micro = Math.round(outcome.prices[row]!);
    if (of !== null && micro > 0) prices.push({ ...of, micro });
  }
  return prices.sort((a, b) =>
    a.offer === b.offer ? (a.resource < b.resource ? -1 : 1) : a.offer < b.offer ? -1 : 1,
  );
}

/**
 * The bound over every feasible option, listed or not: an option beyond the list costs at least as much regret as
 * the last listed one and pays no price, at best.
 */
function fullBound(batch: Batch, outcome: AssignOutcome): number {
  if (batch.restRegret.every((regret) => regret === Number.POSITIVE_INFINITY)) return outcome.bound;
  const { instance, restRegret } = batch;
  const listed = boundAt(instance, outcome.prices);
  let extra = 0;
  for (let item = 0; item < instance.items; item++) {
    if (restRegret[item] === Number.POSITIVE_INFINITY) continue;
    const rest = Math.max(0, instance.worth[item]! - instance.copies[item]! * restRegret[item]!);
    extra += Math.max(0, rest - reducedGain(instance, item, outcome.prices));
  }
  return Math.max(outcome.gain, listed + extra);
}

/** What an item gains at these prices from its listed options, at least 0. */
function reducedGain(instance: Batch["instance"], item: number, prices: Float64Array): number {
  let least = Number.POSITIVE_INFINITY;
  for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++) {
    let charge = instance.cost[option]!;
    for (let use = instance.useStart[option]!; use < instance.useStart[option + 1]!; use++)
      charge += prices[instance.useRow[use]!]! * instance.useAmount[use]!;
    least = Math.min(least, charge / instance.covers[option]!);
  }
  return Math.max(0, instance.worth[item]! - instance.copies[item]! * least);
}

/** The report of a batch that gains this much. */
export function reportOf(
  batch: Batch,
  gain: number,
  outcome: AssignOutcome,
): Omit<BatchReport, "evicted" | "moved"> {
  const bound = Math.max(gain, fullBound(batch, outcome));
  return {
    items: batch.instance.items,
    options: batch.instance.options,
    gain,
    bound,
    gap: bound <= gain ? 0 : (bound - gain) / Math.max(1, Math.abs(gain - batch.baseline)),
    solver: outcome.solver,
    prices: pricesOf(batch, outcome),
    pricesFrom: outcome.pricesFrom,
    stoppedBy: outcome.stoppedBy,
    answers: outcome.answers,
  };
}
