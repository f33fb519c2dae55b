import type { Keying } from "./keys.ts";

/** Bits of a code at most: fewer leave more rows to look at, more cost a plane each. */
const MOST_BITS = 12;
const SAMPLE = 1 << 16;
/** Remainders are below it. */
export const REMAINDERS: number = 1 << 16;

/** Number of entries of an ascending list that are at most `key`. Halves without a branch that could be mispredicted. */
export function rankOf(list: Float64Array, key: number): number {
  let base = 0;
  let left = list.length;
  while (left > 1) {
    const half = left >> 1;
    base += Number(list[base + half - 1]! <= key) * half;
    left -= half;
  }
  return left === 1 && list[base]! <= key ? base + 1 : base;
}

/** Where codes begin: the others than the first one with a split each. */
export interface Splits {
  readonly splits: Float64Array;
  /** Key that remainders of the first code are counted from. */
  readonly first: number;
}

/** The key that remainders of a code are counted from. */
export function firstKey({ splits, first }: Splits, code: number): number {
  return code === 0 ? first : splits[code - 1]!;
}

/**
 * Splits of a column: every value of its own where there are few enough, so that a bound is decided by codes alone; else
 * quantiles, so that a bound leaves few rows to look at. 12 bits: fewer leave more of them, more cost a plane each.
 * Codes that are told apart by remainders must not be wider than a remainder, even where no row is yet; null where that
 * leaves too few splits for the rows.
 */
export function splitsOf(keys: Float64Array, keying: Keying): Splits | null {
  const most = 1 << MOST_BITS;
  const distinct = new Set<number>();
  let least = Infinity;
  let largest = -Infinity;
  for (const key of keys) {
    if (key < least) least = key;
    if (key > largest) largest = key;
    if (distinct.size <= most && !Number.isNaN(key)) distinct.add(key);
  }
  if (distinct.size <= most) return { splits: Float64Array.from(distinct).sort().subarray(1), first: least };
  const stride = Math.max(1, Math.floor(keys.length / SAMPLE));
  const sample = keys.filter((key, row) => row % stride === 0 && !Number.isNaN(key)).sort();
  if (keying.kind === "double")
    return { splits: Float64Array.from(quantiles(sample, most - 1)), first: least };
  // room beyond both ends for values to come
  const slack = Math.ceil((largest - least) / 16);
  const guards = Math.ceil((largest - least + 2 * slack) / REMAINDERS) + 2;
  if (guards > most / 2) return null;
  const splits: number[] = [];
  let last = least - slack;
  for (const key of [...quantiles(sample, most - 1 - guards), largest + slack]) {
    for (; key - last > REMAINDERS; last += REMAINDERS) splits.push(last + REMAINDERS);
    if (key > last) splits.push(key);
    last = Math.max(last, key);
  }
  return { splits: Float64Array.from(new Set(splits)).sort(), first: least - slack };
}

/** At most `count` ascending, different values of a sorted sample that divide it evenly; the smallest is none of them. */
function quantiles(sample: Float64Array, count: number): number[] {
  const step = Math.max(1, sample.length / count);
  const splits: number[] = [];
  let last = sample[0]!;
  for (let at = step; at < sample.length; at += step) {
    const key = sample[Math.floor(at)]!;
    if (key > last) splits.push(key);
    last = key;
  }
  return splits;
}
