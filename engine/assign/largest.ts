import { type Instance, subsetOf, type Units } from "./instance.ts";
import { neighborhoodOf, search } from "./search.ts";

export interface LargestOptions {
  /** Work units to spend. */
  readonly work: number;
  readonly seed: number;
  /** Per option: gain per covered copy after paying what everyone else would for the capacity. */
  readonly scores: Float64Array;
}

/**
 * Places only the most valuable items (a twelfth, 20 to 150), as if all others were a continuum that pays the
 * prices: a few indivisible gangs decide most of the gap, and a search over everybody rarely moves them. A start
 * for a search over all (measured on three seeds of 500 and 1,000 contended intents: mean gap to the LP after the
 * same work 2.9 to 2.7 % and 2.6 to 2.2 %).
 */
export function placeLargest(instance: Instance, { work, seed, scores }: LargestOptions): Units {
  const count = Math.min(instance.items, Math.max(20, Math.min(150, Math.floor(instance.items / 12))));
  const isLarge = new Uint8Array(instance.items);
  const order = Array.from({ length: instance.items }, (_, item) => item).sort(
    (a, b) => instance.worth[b]! - instance.worth[a]! || a - b,
  );
  for (const item of order.slice(0, count)) isLarge[item] = 1;
  const kept: number[] = [];
  const starts = new Int32Array(instance.items + 1);
  for (let item = 0; item < instance.items; item++) {
    const last = instance.optionStart[item + 1]!;
    if (isLarge[item] === 1)
      for (let option = instance.optionStart[item]!; option < last; option++) kept.push(option);
    starts[item + 1] = kept.length;
  }
  const subset = subsetOf(instance, kept, starts);
  const own = Float64Array.from(kept, (option) => scores[option]!);
  const cost = new Float64Array(subset.options);
  for (let item = 0; item < subset.items; item++)
    for (let option = starts[item]!; option < starts[item + 1]!; option++)
      cost[option] = (instance.worth[item]! / instance.copies[item]! - own[option]!) * subset.covers[option]!;
  const priced = { ...subset, cost };
  const found = search(priced, neighborhoodOf(priced), {
    work,
    seed,
    scores: own,
    warm: 0.15,
  });
  const units = new Int32Array(instance.options);
  for (const [index, option] of kept.entries()) units[option] = found.units[index]!;
  return units;
}
