import { type Instance, type Reduced, subsetOf, type Units } from "./instance.ts";
import { createState, load, type State, unplaced } from "./state.ts";

/** Highest tier rank in use plus one. */
export function tierCount(instance: Instance): number {
  return instance.tier.reduce((most, tier) => Math.max(most, tier + 1), 0);
}

/** Per tier: worth placed, what counts towards no floor deducted; and the regret of it all. */
interface TierTotals {
  readonly worth: Float64Array;
  readonly cost: number;
}

function totalsOf(instance: Instance, units: Units): TierTotals {
  const worth = new Float64Array(tierCount(instance));
  let cost = 0;
  for (let item = 0; item < instance.items; item++) {
    let covered = 0;
    for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++) {
      const count = units[option]!;
      if (count === 0) continue;
      covered += count * instance.covers[option]!;
      cost += count * (instance.cost[option]! - instance.forgone[option]!);
      worth[instance.tier[item]!]! -= count * instance.forgone[option]!;
    }
    if (covered >= instance.copies[item]!) worth[instance.tier[item]!]! += instance.worth[item]!;
  }
  return { worth, cost };
}

/**
 * Order of assignments, better first (negative when `a` is better): worth placed tier by tier from the highest
 * down, then less cost.
 */
export function compareAssignments(instance: Instance, a: Units, b: Units): number {
  const left = totalsOf(instance, a);
  const right = totalsOf(instance, b);
  for (const [tier, worth] of left.worth.entries())
    if (worth !== right.worth[tier]) return right.worth[tier]! - worth;
  return left.cost - right.cost;
}

/**
 * Items that a lower tier was served in place of: unplaced, yet they would fit if everything of lower tiers were
 * taken away. A weighted objective is an exchange rate, not an order, so every plan is tested for these.
 */
export function tierViolations(instance: Instance, units: Units): number[] {
  const tiers = tierCount(instance);
  if (tiers < 2) return [];
  const state = createState(instance);
  load(state, units);
  const scores = Float64Array.from(instance.cost, (cost, option) => -cost / instance.covers[option]!);
  const byTier = Array.from({ length: tiers }, (): number[] => []);
  for (let item = 0; item < instance.items; item++) byTier[instance.tier[item]!]!.push(item);
  const found: number[] = [];
  for (let tier = tiers - 1; tier >= 0; tier--) {
    // lower tiers are gone by now: what is free here is what this tier may claim
    for (const item of byTier[tier]!) {
      if (tier === tiers - 1 || state.choice[item] !== unplaced || !state.place(item, scores)) continue;
      state.remove(item);
      found.push(item);
    }
    for (const item of byTier[tier]!) state.remove(item);
  }
  return found.sort((a, b) => a - b);
}

/** The instance with only the items of one tier, of equal rank, over the capacity that `held` leaves. */
export function tierInstance(instance: Instance, tier: number, held: State): Reduced {
  const kept: number[] = [];
  const starts = new Int32Array(instance.items + 1);
  for (let item = 0; item < instance.items; item++) {
    const last = instance.optionStart[item + 1]!;
    if (instance.tier[item] === tier)
      for (let option = instance.optionStart[item]!; option < last; option++) kept.push(option);
    starts[item + 1] = kept.length;
  }
  return {
    instance: {
      ...subsetOf(instance, kept, starts),
      tier: new Int32Array(instance.items),
      capacity: held.free.slice(),
    },
    option: Int32Array.from(kept),
  };
}
