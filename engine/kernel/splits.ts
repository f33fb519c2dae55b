import type { Keying } from "./keys.ts";

const MOST_BITS = 12;
const SAMPLE = 1 << 16;
/** Remainders of a code are below it. */
export const REMAINDERS: number = 1 << 16;

/** Where codes begin: the first one with `first`, the others with a split each. */
export interface Splits {
  readonly splits: Float64Array;
  readonly first: number;
}

/** The key that remainders of a code are counted from. */
export function firstKey(form: Splits, code: number): number {
  return code === 0 ? form.first : form.splits[code - 1]!;
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
