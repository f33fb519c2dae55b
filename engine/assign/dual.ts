import { priceScores } from "./construct.ts";
import { type Instance, unitLimit } from "./instance.ts";

/** A proven upper bound on the gain and the prices that prove it. */
export interface DualBound {
  readonly bound: number;
  /** Per row, >= 0: gain lost per unit of capacity. */
  readonly prices: Float64Array;
}

/**
 * Upper bound that `prices` prove, by weak duality: rows relaxed, every item on its own. Valid for any prices
 * >= 0. Where `usage` is given it receives the consumption of the items' best choices.
 *
 * Cost: one pass over all uses.
 */
export function boundAt(instance: Instance, prices: Float64Array, usage?: Float64Array): number {
  const { optionStart, useStart, useRow, useAmount, capacity, cost, covers, copies, worth } = instance;
  let bound = 0;
  for (let row = 0; row < instance.rows; row++) bound += prices[row]! * capacity[row]!;
  usage?.fill(0);
  for (let item = 0; item < instance.items; item++) {
    let least = Infinity;
    let chosen = -1;
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      let charge = cost[option]!;
      for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
        charge += prices[useRow[use]!]! * useAmount[use]!;
      charge /= covers[option]!;
      if (charge < least) {
        least = charge;
        chosen = option;
      }
    }
    const reduced = chosen < 0 ? 0 : worth[item]! - copies[item]! * least;
    if (reduced <= 0) continue;
    bound += reduced;
    if (usage === undefined) continue;
    const units = copies[item]! / covers[chosen]!;
    for (let use = useStart[chosen]!; use < useStart[chosen + 1]!; use++)
      usage[useRow[use]!]! += units * useAmount[use]!;
  }
  return bound;
}

/** Most that an item of several copies gains at these scores, with no more units anywhere than there is room for. */
function spreadGain(instance: Instance, item: number, scores: Float64Array): number {
  const { optionStart, copies, covers } = instance;
  const first = optionStart[item]!;
  const own = Array.from({ length: optionStart[item + 1]! - first }, (_, at) => first + at);
  own.sort((a, b) => scores[b]! - scores[a]!);
  let left = copies[item]!;
  let gain = 0;
  for (const option of own) {
    const here = Math.min(left, unitLimit(instance, item, option) * covers[option]!);
    gain += here * scores[option]!;
    left -= here;
    if (left === 0) return gain;
  }
  return 0;
}

/**
 * The items' part of an upper bound: what they gain at best, every one on its own.
 *
 * @param scores per option: gain per covered copy after paying for rows
 */
export function boundOfItems(instance: Instance, scores: Float64Array): number {
  const { items, optionStart, copies } = instance;
  let bound = 0;
  for (let item = 0; item < items; item++) {
    let best = 0;
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++)
      best = Math.max(best, scores[option]!);
    if (best > 0) bound += copies[item] === 1 ? best : Math.max(0, spreadGain(instance, item, scores));
  }
  return bound;
}

/** The bound at `prices` with items of several copies spread as they have to be: tighter than `boundAt`, and slower. */
export function spreadBoundAt(instance: Instance, prices: Float64Array): number {
  let bound = boundOfItems(instance, priceScores(instance, prices));
  for (let row = 0; row < instance.rows; row++) bound += prices[row]! * instance.capacity[row]!;
  return bound;
}

/** Per row, one over its mean use, which is negative in some rows of cuts: steps then weigh rows of GPUs and of money alike. */
function rowScales(instance: Instance): Float64Array {
  const sum = new Float64Array(instance.rows);
  const count = new Float64Array(instance.rows);
  for (let use = 0; use < instance.useRow.length; use++) {
    sum[instance.useRow[use]!]! += Math.abs(instance.useAmount[use]!);
    count[instance.useRow[use]!]! += 1;
  }
  return sum.map((total, row) => (total > 0 ? count[row]! / total : 0));
}

export interface AscentOptions {
  /** Passes over the instance. */
  readonly rounds: number;
  /** Gain of a known assignment: the ascent aims at it. */
  readonly known: number;
  /** Prices to start from; absent: 0. */
  readonly from?: Float64Array;
  /** Evaluates the bound; absent: `boundAt`. */
  readonly evaluate?: (prices: Float64Array, usage: Float64Array) => number;
}

/**
 * Lowers the dual bound by a deflected subgradient with Polyak steps; the best bound seen and its prices.
 * Within about 0.01 % of the LP after a few hundred rounds.
 *
 * @see Held, Wolfe, Crowder, "Validation of subgradient optimization" (1974)
 */
export function ascend(instance: Instance, { rounds, known, from, evaluate }: AscentOptions): DualBound {
  const { rows, capacity } = instance;
  const scales = rowScales(instance);
  const prices = from === undefined ? new Float64Array(rows) : from.slice();
  const usage = new Float64Array(rows);
  const direction = new Float64Array(rows);
  let best: DualBound = { bound: Infinity, prices };
  let step = from === undefined ? 1.5 : 0.6;
  let idle = 0;
  for (let round = 0; round < rounds && step > 1e-4; round++) {
    const bound = evaluate === undefined ? boundAt(instance, prices, usage) : evaluate(prices, usage);
    if (bound < best.bound) {
      idle = bound < best.bound - 1e-5 * Math.abs(best.bound) ? 0 : idle + 1;
      best = { bound, prices: prices.slice() };
    } else idle++;
    if (idle > 8) {
      step *= 0.7;
      idle = 0;
    }
    let norm = 0;
    for (let row = 0; row < rows; row++) {
      const slope = (capacity[row]! - usage[row]!) * scales[row]!;
      let next = slope + 0.6 * direction[row]!;
      if (prices[row]! <= 0 && next > 0) next = 0;
      direction[row] = next;
      norm += next * next;
    }
    if (norm < 1e-12) break;
    const reach = Math.max(bound - known, 1e-5 * Math.abs(bound));
    const length = (step * reach) / norm;
    for (let row = 0; row < rows; row++)
      prices[row] = Math.max(0, prices[row]! - length * direction[row]! * scales[row]!);
  }
  return best;
}
