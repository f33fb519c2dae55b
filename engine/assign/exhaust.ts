import { bestScores, priceScores } from "./construct.ts";
import type { Instance } from "./instance.ts";

export interface ExhaustOptions {
  /** Gain of the assignment in question. */
  readonly gain: number;
  /** Per row, >= 0: any prove, good ones prove more. */
  readonly prices: Float64Array;
  /** Partial assignments to look at before giving up. */
  readonly most: number;
}

/** Per place of an order: what the items from there on gain at most, each on its own at these scores. */
function gainsFrom(instance: Instance, order: readonly number[], scores: Float64Array): Float64Array {
  const best = bestScores(instance, scores);
  const sums = new Float64Array(order.length + 1);
  for (let at = order.length - 1; at >= 0; at--) sums[at] = sums[at + 1]! + Math.max(0, best[order[at]!]!);
  return sums;
}

/**
 * True when it is proven that no assignment gains more, by trying all that could: depth first, items of the largest
 * possible gain first, leaving out what cannot gain enough, be there room for everybody (prices of 0) or at the given
 * prices. False where one does, or where that cannot be told with so little work.
 *
 * @see Land, Doig, "An automatic method of solving discrete programming problems" (1960)
 */
export function isProvenBest(instance: Instance, { gain, prices, most }: ExhaustOptions): boolean {
  const { items, optionStart, useStart, useRow, useAmount, cost, covers, copies, worth } = instance;
  const free = instance.capacity.slice();
  const freely = priceScores(instance, new Float64Array(instance.rows));
  const alone = bestScores(instance, freely);
  const order = Array.from({ length: items }, (_, item) => item).sort(
    (a, b) => alone[b]! - alone[a]! || a - b,
  );
  const atMost = gainsFrom(instance, order, freely);
  const atPrices = gainsFrom(instance, order, priceScores(instance, prices));
  /** Per option: what the capacity of one unit costs at the prices. */
  const charge = new Float64Array(instance.options);
  for (let option = 0; option < charge.length; option++)
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
      charge[option]! += prices[useRow[use]!]! * useAmount[use]!;
  let left = most;

  const fits = (option: number): boolean => {
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
      if (free[useRow[use]!]! < useAmount[use]!) return false;
    return true;
  };
  const take = (option: number, sign: 1 | -1): void => {
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
      free[useRow[use]!]! -= sign * useAmount[use]!;
  };
  /** Nothing better is below. `room`: what the capacity that is left is worth at the prices. */
  const visit = (at: number, gained: number, room: number): boolean => {
    if (left-- <= 0) return false;
    if (gained + atMost[at]! <= gain) return true;
    const bound = gained + room + atPrices[at]!;
    // gains are integers; the rest is for the rounding of sums
    if (Math.floor(bound + 1e-9 * Math.abs(bound)) <= gain) return true;
    if (at === items) return false;
    const item = order[at]!;
    return cover(at, optionStart[item]!, copies[item]!, gained, room) && visit(at + 1, gained, room);
  };
  /** The same for the copies of an item that are left, in options from one on. */
  const cover = (at: number, from: number, wanted: number, gained: number, room: number): boolean => {
    const item = order[at]!;
    if (wanted <= 0) return visit(at + 1, gained + worth[item]!, room);
    for (let option = from; option < optionStart[item + 1]!; option++) {
      if (left-- <= 0) return false;
      if (!fits(option)) continue;
      take(option, 1);
      const isNone = cover(
        at,
        option,
        wanted - covers[option]!,
        gained - cost[option]!,
        room - charge[option]!,
      );
      take(option, -1);
      if (!isNone) return false;
    }
    return true;
  };
  let room = 0;
  for (let row = 0; row < instance.rows; row++) room += prices[row]! * free[row]!;
  return visit(0, 0, room);
}
