import type { Instance } from "./instance.ts";
import { createState, type State, unplaced } from "./state.ts";

/** Per option, the gain per covered copy after paying `prices`; higher is better. */
export function priceScores(instance: Instance, prices: Float64Array): Float64Array {
  const { optionStart, useStart, useRow, useAmount, cost, covers, copies, worth } = instance;
  const scores = new Float64Array(instance.options);
  for (let item = 0; item < instance.items; item++) {
    const share = worth[item]! / copies[item]!;
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      let charge = cost[option]!;
      for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
        charge += prices[useRow[use]!]! * useAmount[use]!;
      scores[option] = share - charge / covers[option]!;
    }
  }
  return scores;
}

/** Per item: its best option's score times its copies; -Infinity without options. */
export function bestScores(instance: Instance, scores: Float64Array): Float64Array {
  const best = new Float64Array(instance.items).fill(-Infinity);
  for (let item = 0; item < instance.items; item++) {
    for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++)
      best[item] = Math.max(best[item]!, scores[option]!);
    best[item]! *= instance.copies[item]!;
  }
  return best;
}

/** Size of an item: the mean first amount of its options times its copies, at least 1. */
export function sizesOf(instance: Instance): Float64Array {
  return Float64Array.from({ length: instance.items }, (_, item) => {
    const option = instance.optionStart[item]!;
    const use = instance.useStart[option];
    if (option === instance.optionStart[item + 1] || use === undefined || use >= instance.useRow.length)
      return 1;
    return Math.max(1, (instance.useAmount[use]! / instance.covers[option]!) * instance.copies[item]!);
  });
}

/** Items in descending order of `key`, ties by index. */
export function orderBy(key: Float64Array): number[] {
  return Array.from(key.keys()).sort((a, b) => key[b]! - key[a]! || a - b);
}

/** Places every unplaced item of `order` where its score is best. */
export function fill(state: State, order: readonly number[], scores: Float64Array): void {
  for (const item of order) if (state.choice[item] === unplaced) state.place(item, scores);
}

/**
 * Greedy: items by tier, then by worth per size, each into its cheapest option that fits. The yardstick that no
 * plan may fall below.
 */
export function greedy(instance: Instance): State {
  const state = createState(instance);
  const scores = priceScores(instance, new Float64Array(instance.rows));
  const best = bestScores(instance, scores);
  const sizes = sizesOf(instance);
  const order = Array.from({ length: instance.items }, (_, item) => item).sort(
    (a, b) => instance.tier[a]! - instance.tier[b]! || best[b]! / sizes[b]! - best[a]! / sizes[a]! || a - b,
  );
  for (const item of order) if (best[item]! > 0) state.place(item, scores);
  return state;
}

/** First match: items in their order, each into the first of its options that fits. What a naive broker does. */
export function firstMatch(instance: Instance): State {
  const state = createState(instance);
  const scores = Float64Array.from({ length: instance.options }, (_, option) => -option);
  for (let item = 0; item < instance.items; item++) state.place(item, scores);
  return state;
}

export interface RoundingInput {
  /** Per option: units of a relaxation. */
  readonly values: Float64Array;
  /** Per option: gain per copy at the relaxation's prices. */
  readonly scores: Float64Array;
  readonly order: "fraction" | "value" | "product";
}

/**
 * Rounds a relaxation: items with most of themselves in one option first, there if it fits; then all others by
 * reduced gain.
 */
export function roundRelaxation(instance: Instance, { values, scores, order }: RoundingInput): State {
  const { optionStart, covers, copies } = instance;
  const best = bestScores(instance, scores);
  const sizes = sizesOf(instance);
  const state = createState(instance);
  const share = new Float64Array(instance.items);
  const lpScores = new Float64Array(instance.options);
  for (let item = 0; item < instance.items; item++) {
    let total = 0;
    let largest = 0;
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      const part = (values[option]! * covers[option]!) / copies[item]!;
      total += part;
      largest = Math.max(largest, part);
      lpScores[option] = part > 1e-6 ? part : -Infinity;
    }
    share[item] = largest + 1e-3 * total;
  }
  const key = Float64Array.from(share, (part, item) => {
    if (part <= 0.3) return -Infinity;
    if (order === "fraction") return part;
    if (order === "product") return instance.worth[item]! * Math.min(1, part);
    return (part > 0.99 ? 1e15 : 0) + instance.worth[item]! * part;
  });
  for (const item of orderBy(key)) if (key[item]! > -Infinity) state.place(item, lpScores);
  fill(state, orderBy(best.map((score, item) => score / Math.sqrt(sizes[item]!))), scores);
  return state;
}
