import type { Query, Table, TableColumns } from "../engine/kernel/query.ts";
import { type BenchIntent, categoryNames, numericNames, wanted } from "./kernel-data.ts";

/** What every variant must agree on. */
export interface Outcome {
  readonly feasible: number;
  /** Per constraint. */
  readonly failed: ArrayLike<number>;
  readonly sole: ArrayLike<number>;
  /** The best by (score, row), the score being the f64 sum of weight times f32 logarithm in order. */
  readonly best: readonly number[];
}

export function checksum({ feasible, failed, sole, best }: Outcome): number {
  let sum = feasible;
  for (const list of [failed, sole, best])
    for (let index = 0; index < list.length; index++) sum = (Math.imul(sum, 31) + list[index]! + index) | 0;
  return sum;
}

const isBefore = (score: number, row: number, other: number, otherRow: number): boolean =>
  score < other || (score === other && row < otherRow);

/** The k best of a stream of rows by (score, row), kept in order. */
class Best {
  readonly rows: number[] = [];
  readonly #scores: number[] = [];
  /** Scores from here on need not be offered. */
  limit = Infinity;

  offer(row: number, score: number): void {
    let at = this.rows.length < wanted ? this.rows.length : wanted - 1;
    while (at > 0 && isBefore(score, row, this.#scores[at - 1]!, this.rows[at - 1]!)) {
      this.rows[at] = this.rows[at - 1]!;
      this.#scores[at] = this.#scores[at - 1]!;
      at--;
    }
    this.rows[at] = row;
    this.#scores[at] = score;
    if (this.rows.length === wanted) this.limit = this.#scores[wanted - 1]!;
  }
}

const TILE = 1024;

/**
 * Typed arrays, a column at a time over tiles that stay in the first cache. A row's failures are counted in the upper
 * byte of its counter, and the lower byte adds up their indices, so that one pass tells the sole blocker.
 */
export class TypedArrays {
  readonly #numeric: readonly Float32Array[];
  readonly #codes: readonly Uint8Array[];
  readonly #flags: readonly Uint8Array[];
  readonly #scores: readonly Float32Array[];
  readonly #rows: number;
  readonly #fails: Uint16Array = new Uint16Array(TILE);
  readonly #found: Uint32Array = new Uint32Array(TILE);

  constructor({ rows, numeric, category, flags, scores }: TableColumns) {
    this.#rows = rows;
    this.#numeric = numeric.map(({ values }) => Float32Array.from(values));
    this.#codes = category.map(({ codes }) => Uint8Array.from(codes));
    this.#flags = flags.map(({ values }) => values.slice());
    this.#scores = scores.map(({ values }) => values.slice());
  }

  run(intent: BenchIntent): Outcome {
    const { bounds, choices } = intent;
    const count = bounds.length + choices.length + 1;
    const failed = new Uint32Array(count);
    const sole = new Uint32Array(256);
    const best = new Best();
    const fails = this.#fails;
    const found = this.#found;
    let feasible = 0;
    for (let first = 0; first < this.#rows; first += TILE) {
      const size = Math.min(TILE, this.#rows - first);
      fails.fill(0);
      let index = 0;
      for (const { column, min, max } of bounds) {
        const values = this.#numeric[column]!;
        failed[index]! +=
          max === undefined
            ? below(values, first, size, min!, fails, 256 + index)
            : min === undefined
              ? above(values, first, size, max, fails, 256 + index)
              : outside(values, first, size, min, max, fails, 256 + index);
        index++;
      }
      for (const { column, mask } of choices) {
        failed[index]! += notIn(this.#codes[column]!, first, size, mask, fails, 256 + index);
        index++;
      }
      failed[index]! += notSet(this.#flags[intent.flag]!, first, size, fails, 256 + index);
      const here = collect(fails, size, found, sole);
      feasible += here;
      this.#score(intent.weights, first, found, here, best);
    }
    return { feasible, failed, sole: sole.subarray(0, count), best: best.rows };
  }

  #score(weights: readonly number[], first: number, found: Uint32Array, count: number, best: Best): void {
    const [s0, s1, s2, s3, s4, s5] = this.#scores as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const [w0, w1, w2, w3, w4, w5] = weights as [number, number, number, number, number, number];
    let { limit } = best;
    for (let at = 0; at < count; at++) {
      const row = first + found[at]!;
      const score =
        w0 * s0[row]! + w1 * s1[row]! + w2 * s2[row]! + w3 * s3[row]! + w4 * s4[row]! + w5 * s5[row]!;
      if (score < limit) {
        best.offer(row, score);
        limit = best.limit;
      }
    }
  }
}

function below(
  values: Float32Array,
  first: number,
  size: number,
  min: number,
  fails: Uint16Array,
  mark: number,
): number {
  let count = 0;
  for (let row = 0; row < size; row++) {
    const fail = values[first + row]! >= min ? 0 : 1;
    count += fail;
    fails[row]! += fail * mark;
  }
  return count;
}

function above(
  values: Float32Array,
  first: number,
  size: number,
  max: number,
  fails: Uint16Array,
  mark: number,
): number {
  let count = 0;
  for (let row = 0; row < size; row++) {
    const fail = values[first + row]! <= max ? 0 : 1;
    count += fail;
    fails[row]! += fail * mark;
  }
  return count;
}

function outside(
  values: Float32Array,
  first: number,
  size: number,
  min: number,
  max: number,
  fails: Uint16Array,
  mark: number,
): number {
  let count = 0;
  for (let row = 0; row < size; row++) {
    const value = values[first + row]!;
    const fail = value >= min && value <= max ? 0 : 1;
    count += fail;
    fails[row]! += fail * mark;
  }
  return count;
}

function notIn(
  codes: Uint8Array,
  first: number,
  size: number,
  mask: number,
  fails: Uint16Array,
  mark: number,
): number {
  let count = 0;
  for (let row = 0; row < size; row++) {
    const fail = ((mask >>> codes[first + row]!) & 1) ^ 1;
    count += fail;
    fails[row]! += fail * mark;
  }
  return count;
}

function notSet(flags: Uint8Array, first: number, size: number, fails: Uint16Array, mark: number): number {
  let count = 0;
  for (let row = 0; row < size; row++) {
    const fail = flags[first + row]! ^ 1;
    count += fail;
    fails[row]! += fail * mark;
  }
  return count;
}

/** Rows without failures into `found`, those with one into `sole`. */
function collect(fails: Uint16Array, size: number, found: Uint32Array, sole: Uint32Array): number {
  let count = 0;
  for (let row = 0; row < size; row++) {
    const fail = fails[row]!;
    if (fail === 0) found[count++] = row;
    else if (fail < 512) sole[fail - 256]!++;
  }
  return count;
}

type OfferObject = Record<string, number | string | boolean>;

/** One object per offer, as one would write it first and well: plain loops, no allocation per offer. */
export class Objects {
  readonly #offers: readonly OfferObject[];

  constructor({ rows, numeric, category, flags, scores }: TableColumns) {
    this.#offers = Array.from({ length: rows }, (_, row) => {
      const offer: OfferObject = {};
      for (const { name, values } of numeric) offer[name] = values[row]!;
      for (const { name, codes } of category) offer[name] = `${name}-${codes[row]}`;
      for (const { name, values } of flags) offer[name] = values[row] === 1;
      for (const { name, values } of scores) offer[`ln ${name}`] = values[row]!;
      return offer;
    });
  }

  run(intent: BenchIntent): Outcome {
    const bounds = intent.bounds.map(({ column, min = -Infinity, max = Infinity }) => ({
      name: numericNames[column]!,
      min,
      max,
    }));
    const choices = intent.choices.map(({ column, mask }) => {
      const name = categoryNames[column]!;
      const allowed = new Set<unknown>();
      for (let code = 0; code < 32; code++) if ((mask >>> code) & 1) allowed.add(`${name}-${code}`);
      return { name, allowed };
    });
    const flag = `flag${intent.flag}`;
    const terms = ["price", "latency", "tflops", "bandwidth", "carbon", "suitability"].map((name, index) => ({
      name: `ln ${name}`,
      weight: intent.weights[index]!,
    }));
    const count = bounds.length + choices.length + 1;
    const failed = new Array<number>(count).fill(0);
    const sole = new Array<number>(count).fill(0);
    const best = new Best();
    let feasible = 0;
    for (let row = 0; row < this.#offers.length; row++) {
      const offer = this.#offers[row]!;
      let failures = 0;
      let last = 0;
      let index = 0;
      for (const { name, min, max } of bounds) {
        const value = offer[name] as number;
        if (!(value >= min && value <= max)) {
          failed[index]!++;
          failures++;
          last = index;
        }
        index++;
      }
      for (const { name, allowed } of choices) {
        if (!allowed.has(offer[name])) {
          failed[index]!++;
          failures++;
          last = index;
        }
        index++;
      }
      if (offer[flag] !== true) {
        failed[index]!++;
        failures++;
        last = index;
      }
      if (failures === 1) sole[last]!++;
      if (failures > 0) continue;
      feasible++;
      let score = 0;
      for (const { name, weight } of terms) score += weight * (offer[name] as number);
      if (score < best.limit) best.offer(row, score);
    }
    return { feasible, failed, sole, best: best.rows };
  }
}

/** The kernel's rows ranked by exact scores: what its callers do with them, so it is part of its time. */
export function rankExactly(
  { feasible, failed, sole, rows }: ReturnType<Table["select"]>,
  { terms }: Query,
  scores: TableColumns["scores"],
): Outcome {
  const best = new Best();
  for (const row of rows) {
    let score = 0;
    for (const { column, weight } of terms) score += weight * scores[column]!.values[row]!;
    if (score < best.limit) best.offer(row, score);
  }
  return { feasible, failed, sole, best: best.rows };
}
