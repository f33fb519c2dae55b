import { blocksOf, createBlockSolver } from "./blocks.ts";
import type { DualBound } from "./dual.ts";
import type { Instance } from "./instance.ts";
import type { Knapsacks } from "./knapsacks.ts";
import type { Relaxer } from "./relaxer.ts";

/** A bound by decomposition, and what the parts would choose in their best round: a guide, no assignment. */
export interface Decomposition {
  readonly bound: number;
  /** Units per option that the offers' knapsacks chose. */
  readonly chosen: Int32Array;
  /** Per item: what one copy is worth to the offers; a start for a similar batch. */
  readonly value: Float64Array;
  readonly work: number;
}

export interface DecomposeOptions {
  /** Bound on counted work: knapsack states and labels, about five state changes of a search each. */
  readonly work: number;
  /** Gain of a known assignment. */
  readonly known: number;
  readonly from: DualBound;
  /** Per item: values of a former decomposition; absent or NaN: from the prices. */
  readonly values?: Float64Array;
  readonly relaxer: Relaxer;
}

/** Shared parts of both ascents. */
interface Parts {
  readonly instance: Instance;
  readonly knapsacks: Knapsacks;
  readonly prices: Float64Array;
  /** Prices times capacities of the rows that are neither exact nor a block's own. */
  readonly fixed: number;
  /** Per option: cost and the prices of all rows that are not exact. */
  readonly charge: Float64Array;
  readonly itemOf: Int32Array;
  /** Work of one round of knapsacks. */
  readonly round: number;
}

function partsOf(instance: Instance, prices: Float64Array, { knapsacks }: Relaxer): Parts {
  const { optionStart, useStart, useRow, useAmount, cost, rows, capacity } = instance;
  const charge = cost.slice();
  const itemOf = new Int32Array(instance.options);
  let fixed = 0;
  let round = instance.options;
  for (let row = 0; row < rows; row++)
    if (knapsacks.isExact[row] === 0) fixed += prices[row]! * capacity[row]!;
    else round += ((knapsacks.start[row + 1]! - knapsacks.start[row]!) * capacity[row]!) / 16;
  for (let item = 0; item < instance.items; item++)
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      itemOf[option] = item;
      for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
        const row = useRow[use]!;
        // an exact row counts only the options that it is exact for: the others use it free of charge
        if (knapsacks.isExact[row] === 0) charge[option]! += prices[row]! * useAmount[use]!;
      }
    }
  return { instance, knapsacks, prices, fixed, charge, itemOf, round };
}

/** What the prices make one copy of every item worth to the offers: all of its charge in its best option. */
function valuesAt({ instance, charge, knapsacks, prices }: Parts): Float64Array {
  const { optionStart, useStart, useRow, useAmount, covers, copies, worth } = instance;
  return Float64Array.from({ length: instance.items }, (_, item) => {
    let least = worth[item]! / copies[item]!;
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      let full = charge[option]!;
      for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
        if (useRow[use] === knapsacks.rowOf[option]) full += prices[useRow[use]!]! * useAmount[use]!;
      least = Math.min(least, full / covers[option]!);
    }
    return least;
  });
}

/**
 * Most that a copy of each item may be worth to the offers: its worth, and where an option is outside all knapsacks, no
 * more than that one costs, or it would gain without bound.
 */
function ceilingsOf({ instance, charge, knapsacks }: Parts): Float64Array {
  const { optionStart, covers, copies, worth } = instance;
  return Float64Array.from({ length: instance.items }, (_, item) => {
    let least = worth[item]! / copies[item]!;
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++)
      if (knapsacks.rowOf[option]! < 0) least = Math.min(least, charge[option]! / covers[option]!);
    return least;
  });
}

/**
 * First half: every offer's capacity is exact, "each item once" is priced. Tighter than the LP where offers are small
 * against the items.
 *
 * @see Fisher, "The Lagrangian relaxation method for solving integer programming problems" (1981)
 */
function ascendValues(parts: Parts, { work, known, values, relaxer }: DecomposeOptions): Decomposition {
  const { instance, knapsacks, charge, itemOf } = parts;
  const { items, options, covers, copies, worth } = instance;
  const value = valuesAt(parts);
  for (const [item, known] of (values ?? []).entries()) if (!Number.isNaN(known)) value[item] = known;
  const ceiling = ceilingsOf(parts);
  for (let item = 0; item < items; item++) value[item] = Math.min(value[item]!, ceiling[item]!);
  const gains = new Float64Array(options);
  const chosen = new Int32Array(options);
  const usage = new Float64Array(items);
  const direction = new Float64Array(items);
  let best = { bound: Infinity, chosen: chosen.slice(), value: value.slice() };
  let spent = 0;
  let step = 0.6;
  let idle = 0;
  while (spent < work && step > 1e-3) {
    for (let option = 0; option < options; option++)
      gains[option] =
        knapsacks.rowOf[option]! < 0 ? 0 : value[itemOf[option]!]! * covers[option]! - charge[option]!;
    let bound = parts.fixed + relaxer.packKnapsacks(gains, chosen);
    spent += parts.round;
    usage.fill(0);
    for (let option = 0; option < options; option++)
      if (chosen[option]! > 0) usage[itemOf[option]!]! += chosen[option]! * covers[option]!;
    let norm = 0;
    for (let item = 0; item < items; item++) {
      const rest = worth[item]! - copies[item]! * value[item]!;
      const isPlaced = rest > 1e-9 * worth[item]!;
      if (isPlaced) bound += rest;
      const slope = usage[item]! - copies[item]!;
      // at its full worth an item is indifferent: only asking for too much moves it
      const next = (isPlaced ? slope : Math.max(0, slope)) + 0.4 * direction[item]!;
      direction[item] = next;
      norm += next * next;
    }
    if (bound < best.bound) {
      idle = bound < best.bound - 1e-5 * Math.abs(best.bound) ? 0 : idle + 1;
      best = { bound, chosen: chosen.slice(), value: value.slice() };
    } else idle++;
    if (idle > 4) {
      step *= 0.7;
      idle = 0;
    }
    if (norm < 1e-12) break;
    const length = (step * Math.max(bound - known, 1e-5 * Math.abs(bound))) / norm;
    for (let item = 0; item < items; item++)
      value[item] = Math.min(ceiling[item]!, value[item]! - length * direction[item]!);
  }
  return { ...best, work: spent };
}

/**
 * Second half: offers' knapsacks and tenants' programs both exact, linked by what one unit of each option costs in its
 * offer. Starts where the first half ended, which alone joins the strength of both.
 */
function ascendCharges(
  parts: Parts,
  first: Decomposition,
  { work, known, relaxer }: DecomposeOptions,
): Decomposition {
  const { instance, knapsacks, charge, itemOf, prices } = parts;
  const { options, covers, rows, capacity, useStart, useRow, useAmount } = instance;
  const blocks = blocksOf(instance);
  const labelLimit = Math.max(40, Math.min(1000, Math.floor(work / Math.max(1, options))));
  const solveBlock = createBlockSolver(instance, labelLimit);
  const isOwn = new Uint8Array(rows);
  const inBlock = new Uint8Array(instance.items);
  for (const { items, quota, budget } of blocks) {
    for (const row of [quota, budget]) if (row >= 0) isOwn[row] = 1;
    for (const item of items) inBlock[item] = 1;
  }
  let fixed = parts.fixed;
  for (let row = 0; row < rows; row++) if (isOwn[row] === 1) fixed -= prices[row]! * capacity[row]!;
  /** Per option: prices of the blocks' own rows, which the programs know better. */
  const own = new Float64Array(options);
  for (let option = 0; option < options; option++)
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
      if (isOwn[useRow[use]!] === 1) own[option]! += prices[useRow[use]!]! * useAmount[use]!;
  const toOffer = new Float64Array(options);
  for (let option = 0; option < options; option++)
    toOffer[option] =
      knapsacks.rowOf[option]! < 0
        ? 0
        : Math.max(0, first.value[itemOf[option]!]! * covers[option]! - charge[option]!);
  const total = new Float64Array(options);
  const priced = new Float64Array(options);
  const chosen = new Int32Array(options);
  const wanted = new Float64Array(options);
  const direction = new Float64Array(options);
  let best = { bound: first.bound, chosen: first.chosen };
  let spent = 0;
  let step = 0.5;
  let idle = 0;
  while (spent < work && step > 1e-3) {
    for (let option = 0; option < options; option++) {
      priced[option] = charge[option]! + toOffer[option]!;
      total[option] = priced[option]! - own[option]!;
    }
    wanted.fill(0);
    let bound = fixed + relaxer.packKnapsacks(toOffer, chosen);
    spent += parts.round;
    for (let item = 0; item < instance.items; item++)
      if (inBlock[item] === 0) bound += takeBest(instance, item, total, wanted);
    for (const block of blocks) {
      const answer = solveBlock(block, prices, total);
      bound += answer.bound;
      spent += answer.work + block.items.length * 16;
      // where a program gave no choice, its items by price show the direction
      if (answer.options === null) for (const item of block.items) takeBest(instance, item, priced, wanted);
      else for (const option of answer.options) wanted[option]! += 1 / covers[option]!;
    }
    if (bound < best.bound) {
      idle = bound < best.bound - 1e-4 * Math.abs(best.bound - known) ? 0 : idle + 1;
      best = { bound, chosen: chosen.slice() };
    } else idle++;
    if (idle > 3) {
      step *= 0.7;
      idle = 0;
    }
    let norm = 0;
    for (let option = 0; option < options; option++) {
      let next = chosen[option]! - wanted[option]! + 0.5 * direction[option]!;
      if (knapsacks.rowOf[option]! < 0 || (toOffer[option]! <= 0 && next > 0)) next = 0;
      direction[option] = next;
      norm += next * next;
    }
    if (norm < 1e-12) break;
    const length = (step * Math.max(bound - known, 1e-6 * Math.abs(bound))) / norm;
    for (let option = 0; option < options; option++)
      if (direction[option] !== 0)
        toOffer[option] = Math.max(0, toOffer[option]! - length * direction[option]!);
  }
  return { ...best, value: first.value, work: first.work + spent };
}

/** Gain of an item at these charges, at least 0; notes which option it wants. */
function takeBest(instance: Instance, item: number, total: Float64Array, wanted: Float64Array): number {
  const { optionStart, covers, copies, worth } = instance;
  let least = Infinity;
  let chosen = -1;
  for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
    const each = total[option]! / covers[option]!;
    if (each >= least) continue;
    least = each;
    chosen = option;
  }
  const gain = chosen < 0 ? 0 : worth[item]! - copies[item]! * least;
  if (gain <= 0) return 0;
  wanted[chosen]! += copies[item]! / covers[chosen]!;
  return gain;
}

/**
 * Bounds by decomposition, tighter than any price can be: offers' capacities and tenants' quotas and budgets stay
 * exact, what links them is priced. Valid whatever the prices.
 */
export function decompose(instance: Instance, options: DecomposeOptions): Decomposition {
  const parts = partsOf(instance, options.from.prices, options.relaxer);
  const hasBlocks = blocksOf(instance).length > 0;
  const first = ascendValues(parts, { ...options, work: options.work * (hasBlocks ? 0.4 : 1) });
  const left = options.work - first.work;
  return left <= 0 || !hasBlocks ? first : ascendCharges(parts, first, { ...options, work: left });
}
