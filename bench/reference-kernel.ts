import { execFileSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TableColumns } from "../engine/kernel/query.ts";
import { type BenchIntent, criteria } from "./kernel-data.ts";
import type { Outcome } from "./kernel-js.ts";

/** The reference kernel in C, where it lies beside the project; the bench only runs it. */
const source = fileURLToPath(new URL("../../shared/prototypes/kernel-bit-planes/best.c", import.meta.url));

const TILE = 1024;
const PAGE = 65536;
/** Codes of a column with more values than bitmaps are worth, and how many values those are. */
const CODE_BITS = 12;
const FEW_VALUES = 17;
const SAMPLE = 1 << 17;
/** Column -> float of a row of its panel; the others are kept as columns. */
const panelSlot = new Map([0, 1, 4, 5, 10, 15, 7, 12].map((column, slot) => [column, slot]));
const kind = { direct: 1, union: 2, exact: 3, codes: 5, difference: 6 } as const;
const has = { low: 1, high: 2, lowByValue: 4, highByValue: 8 } as const;

/** Memory of the reference while it is filled. */
class Image {
  readonly buffer: ArrayBuffer;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
  #next = PAGE;

  constructor(bytes: number) {
    this.buffer = new ArrayBuffer(Math.ceil(bytes / PAGE) * PAGE);
    this.u32 = new Uint32Array(this.buffer);
    this.i32 = new Int32Array(this.buffer);
    this.f32 = new Float32Array(this.buffer);
  }

  get pages(): number {
    return Math.ceil(this.#next / PAGE);
  }

  take(bytes: number): number {
    const at = this.#next;
    this.#next = Math.ceil((at + bytes) / 64) * 64;
    if (this.#next > this.buffer.byteLength) throw new Error("the reference's image is too small");
    return at;
  }

  words(values: ArrayLike<number>): number {
    const at = this.take(values.length * 4);
    this.u32.set(values, at >> 2);
    return at;
  }
}

/** Entries of an ascending list below a bound, or not above it. */
function rankOf(list: Float32Array, bound: number, isIncluded: boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isIncluded ? list[middle]! <= bound : list[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

type Column =
  | {
      readonly form: "few";
      readonly values: Float32Array;
      readonly bitmaps: readonly number[];
      readonly from: readonly number[];
    }
  | {
      readonly form: "exact" | "codes";
      readonly values: Float32Array;
      readonly bits: number;
      readonly planes: number;
      readonly below: number;
      readonly stored: number;
      readonly shift: number;
    };

/** What one predicate is to the reference: words by byte offset. */
type Words = Readonly<Record<number, number>>;

interface Predicate {
  readonly at: number;
  readonly isComputed: boolean;
}

/** The bench's table and intents in the form that the reference reads. */
class ReferenceTable {
  readonly image: Image;
  readonly #rows: number;
  readonly #zero: number;
  readonly #panel: number;
  readonly #numeric: readonly Column[];
  readonly #codes: readonly (readonly { readonly at: number; readonly count: number }[])[];
  readonly #flags: readonly { readonly at: number; readonly count: number }[];

  /** @param chosen rows that all intents choose together */
  constructor({ rows, numeric, category, flags }: TableColumns, chosen: number) {
    const padded = Math.ceil(rows / TILE) * TILE;
    this.#rows = rows;
    this.image = new Image(padded * 200 + chosen * 72 + (8 << 20));
    this.#zero = this.image.take(TILE / 8);
    this.#panel = this.image.take(padded * 32);
    for (const [column, slot] of panelSlot) {
      const { values } = numeric[column]!;
      for (let row = 0; row < rows; row++) this.image.f32[(this.#panel >> 2) + row * 8 + slot] = values[row]!;
    }
    const bitmap = (isSet: (row: number) => boolean): { at: number; count: number } => {
      const at = this.image.take(padded / 8);
      let count = 0;
      for (let row = 0; row < rows; row++)
        if (isSet(row)) {
          this.image.u32[(at >> 2) + (row >> 5)]! |= 1 << (row & 31);
          count++;
        }
      return { at, count };
    };
    this.#numeric = numeric.map(({ values }, column) => this.#layOut(values, column, padded, bitmap));
    this.#codes = category.map(({ codes, size }) =>
      Array.from({ length: size }, (_, code) => bitmap((row) => codes[row] === code)),
    );
    this.#flags = flags.map(({ values }) => bitmap((row) => values[row] === 1));
  }

  #layOut(
    values: Float64Array,
    column: number,
    padded: number,
    bitmap: (isSet: (row: number) => boolean) => { at: number; count: number },
  ): Column {
    const distinct = new Set<number>();
    for (let row = 0; row < this.#rows && distinct.size <= 1 << CODE_BITS; row++) distinct.add(values[row]!);
    if (distinct.size <= FEW_VALUES) {
      const list = Float32Array.from(distinct).sort();
      const above = Array.from(list, (value) => bitmap((row) => values[row]! >= value));
      return {
        form: "few",
        values: list,
        bitmaps: above.map(({ at }) => at),
        from: above.map(({ count }) => count),
      };
    }
    const isExact = distinct.size <= 1 << CODE_BITS;
    const splits = isExact ? Float32Array.from(distinct).sort() : quantiles(values);
    const bits = isExact ? Math.ceil(Math.log2(splits.length)) : CODE_BITS;
    const planes = this.image.take((padded / 8) * bits);
    const counts = new Uint32Array((1 << bits) + 2);
    for (let row = 0; row < this.#rows; row++) {
      const code = rankOf(splits, values[row]!, !isExact);
      counts[code + 1]!++;
      const at = (planes >> 2) + (row >> 10) * bits * 32 + ((row & 1023) >> 5);
      for (let bit = 0; bit < bits; bit++)
        if ((code >> bit) & 1) this.image.u32[at + bit * 32]! |= 1 << (row & 31);
    }
    for (let code = 1; code < counts.length; code++) counts[code]! += counts[code - 1]!;
    const slot = panelSlot.get(column);
    const own = slot === undefined && !isExact ? this.image.take(padded * 4) : 0;
    if (own !== 0) this.image.f32.set(values, own >> 2);
    return {
      form: isExact ? "exact" : "codes",
      values: splits,
      bits,
      planes,
      below: this.image.words(counts),
      stored: slot === undefined ? own : this.#panel + slot * 4,
      shift: slot === undefined ? 2 : 5,
    };
  }

  /** A job over some intents, with how many rows each chooses; answers with the addresses of their blocks. */
  job(
    intents: readonly BenchIntent[],
    feasible: readonly number[],
  ): { readonly at: number; readonly intents: readonly number[] } {
    const made = intents.map((intent, index) => this.#intent(intent, feasible[index]!));
    const all = made.flatMap(({ predicates }) => predicates);
    const computed = all.filter(({ isComputed }) => isComputed).map(({ at }) => at);
    const blocks = made.map(({ at }) => at);
    const lists = [computed, blocks, all.map(({ at }) => at)].map((list) => [
      list.length,
      this.image.words([...list, 0]),
    ]);
    return { at: this.image.words(lists.flat()), intents: blocks };
  }

  #intent(
    { bounds, choices, flag, weights }: BenchIntent,
    feasible: number,
  ): { readonly at: number; readonly predicates: readonly Predicate[] } {
    const { image } = this;
    // the last word of a bitmap writes a few rows too many
    const [chosen, copied] = [image.take(feasible * 4 + 256), image.take(feasible * 32 + 256)];
    const flags = this.#flags[flag]!;
    const predicates = [
      ...bounds.map(({ column, min, max }) => this.#range(this.#numeric[column]!, min, max)),
      ...choices.map(({ column, mask }) => this.#choice(this.#codes[column]!, mask)),
      this.#stored(flags.at, true, this.#rows - flags.count),
    ];
    const terms = image.take(weights.length * 32);
    weights.forEach((weight, index) => {
      const { column, more } = criteria[index]!;
      image.f32[(terms >> 2) + index * 8 + 1] = more ? weight : -weight;
      image.u32[(terms >> 2) + index * 8 + 6] = panelSlot.get(column)!;
    });
    const list = image.words(predicates.map(({ at }) => at));
    const counts = image.take(predicates.length * 8);
    const best = image.take(128);
    const words = [predicates.length, list, weights.length, terms, counts, 0, best, 0, 0, 0];
    const at = image.words([...words, chosen, this.#panel, image.take(64), copied]);
    return { at, predicates };
  }

  #predicate(words: Words, floats: Words = {}): Predicate {
    const { image } = this;
    const at = image.take(96);
    for (const [offset, word] of Object.entries(words)) image.i32[(at + Number(offset)) >> 2] = word;
    for (const [offset, value] of Object.entries(floats)) image.f32[(at + Number(offset)) >> 2] = value;
    const isComputed = words[0] !== kind.direct;
    if (isComputed) image.u32[(at + 48) >> 2] = image.take(TILE / 8);
    return { at, isComputed };
  }

  /** A bitmap as it is: set bits fail, or with `inverted` pass. */
  #stored(bitmap: number, inverted: boolean, rejected: number): Predicate {
    const step = bitmap === this.#zero ? 0 : TILE / 8;
    return this.#predicate({ 0: kind.direct, 48: bitmap, 52: step, 56: inverted ? -1 : 0, 60: rejected });
  }

  #choice(bitmaps: readonly { readonly at: number; readonly count: number }[], mask: number): Predicate {
    const isAllowed = (code: number): boolean => ((mask >>> code) & 1) === 1;
    const allowed = bitmaps.filter((_, code) => isAllowed(code));
    const others = bitmaps.filter((_, code) => !isAllowed(code));
    const rejected = others.reduce((sum, { count }) => sum + count, 0);
    const passes = allowed.length < others.length;
    const list = passes ? allowed : others;
    if (list.length < 2) return this.#stored(list[0]?.at ?? this.#zero, passes, rejected);
    const addresses = this.image.words(list.map(({ at }) => at));
    return this.#predicate({
      0: kind.union,
      56: passes ? -1 : 0,
      60: rejected,
      64: list.length,
      68: addresses,
    });
  }

  #range(column: Column, min: number | undefined, max: number | undefined): Predicate {
    const { values } = column;
    const first = min === undefined ? 0 : rankOf(values, min, false);
    const end = max === undefined ? values.length : rankOf(values, max, true);
    if (column.form === "few") {
      const { bitmaps, from } = column;
      const below = this.#rows - (from[first] ?? 0);
      if (first === 0 && end === values.length) return this.#stored(this.#zero, false, 0);
      if (end === values.length) return this.#stored(bitmaps[first]!, true, below);
      if (first === 0) return this.#stored(bitmaps[end]!, false, from[end]!);
      const both = { 56: -1, 60: below + from[end]!, 4: bitmaps[first]!, 84: bitmaps[end]! };
      return this.#predicate({ 0: kind.difference, ...both });
    }
    const { form, bits, planes, below, stored, shift } = column;
    const common = { 4: planes, 8: bits, 28: stored, 32: shift, 72: below };
    if (form === "exact") {
      const sides = (first > 0 ? has.low : 0) | (end < values.length ? has.high : 0);
      return this.#predicate({ 0: kind.exact, ...common, 12: end - 1, 16: first, 44: sides });
    }
    const least = min === undefined ? 0 : rankOf(values, min, true);
    const most = max === undefined ? (1 << bits) - 1 : rankOf(values, max, true);
    const low = min === undefined ? 0 : has.low | (values[least - 1] === min ? 0 : has.lowByValue);
    const high = max === undefined ? 0 : has.high | has.highByValue;
    return this.#predicate(
      { 0: kind.codes, ...common, 12: most, 16: least, 44: low | high },
      { 20: min ?? -Infinity, 24: max ?? Infinity },
    );
  }
}

/** Splits that divide a sample of a column evenly. */
function quantiles(values: Float64Array): Float32Array {
  const size = Math.min(values.length, SAMPLE);
  const sample = Float32Array.from(
    { length: size },
    (_, index) => values[Math.floor((index * values.length) / size)]!,
  ).sort();
  const splits = new Set<number>();
  for (let part = 1; part < 1 << CODE_BITS; part++)
    splits.add(sample[Math.floor((part * size) / (1 << CODE_BITS))]!);
  return Float32Array.from(splits);
}

/** Microseconds per intent, one at a time and in a batch of sixteen. */
export interface ReferenceResult {
  readonly single: number;
  readonly batch: number;
}

const HEAD_WORDS = 56;
const TERMS_WORD = 2;

/** The reference in C at both widths, on the bench's offers and intents. */
export class ReferenceKernel {
  readonly #folder: string = mkdtempSync(join(tmpdir(), "kernel-reference-"));
  readonly variants: readonly string[];

  /** @param flags by variant, those that the C twin is compiled with */
  constructor(flags: Readonly<Record<string, readonly string[]>>) {
    this.variants = Object.keys(flags).filter((name) => {
      try {
        if (!existsSync(source)) return false;
        const given = flags[name]!.map((flag) => flag.replace("WIDTH", "W"));
        execFileSync("gcc", ["-O3", ...given, "-o", join(this.#folder, name), source, "-lm"], {
          stdio: "ignore",
        });
        return true;
      } catch {
        return false;
      }
    });
  }

  /**
   * Writes the memory that the reference works on, after checking with it that all counts of all intents are those of
   * `outcomes`. Without weights its best rows are the first ones, which is what is checked then.
   *
   * @param intents sixteen
   */
  image(columns: TableColumns, intents: readonly BenchIntent[], outcomes: readonly Outcome[]): string {
    const feasible = outcomes.map((one) => one.feasible);
    const table = new ReferenceTable(
      columns,
      feasible.reduce((sum, count) => sum + count, 0),
    );
    const { image } = table;
    const singles = intents.map((intent, index) => table.job([intent], [feasible[index]!]));
    const batch = table.job(intents, feasible);
    const blocks = [...singles.flatMap((job) => job.intents), ...batch.intents];
    const head = new Uint32Array(HEAD_WORDS);
    head.set([columns.rows, intents.length, image.pages, 0, batch.at]);
    head.set(
      singles.map(({ at }) => at),
      8,
    );
    head.set(blocks, 24);
    const path = join(this.#folder, "image");
    const write = (): void => {
      const file = openSync(path, "w");
      writeSync(file, head);
      const bytes = image.pages * PAGE;
      for (let at = 0; at < bytes; at += 1 << 28)
        writeSync(file, new Uint8Array(image.buffer, at, Math.min(bytes - at, 1 << 28)));
      closeSync(file);
    };
    const terms = (count: number): void => {
      for (const at of blocks) image.u32[(at >> 2) + TERMS_WORD] = count;
    };
    terms(0);
    write();
    const expected = referenceSum(outcomes);
    for (const name of this.variants)
      for (const line of this.#lines(name, path, 1).slice(0, 2))
        if (!line.endsWith(` ${expected}`))
          throw new Error(`the reference (${name}) counts differently: ${line}, expected ${expected}`);
    terms(intents[0]!.weights.length);
    write();
    return path;
  }

  run(variant: string, image: string, repeats: number): ReferenceResult {
    const [single, batch] = this.#lines(variant, image, repeats).map((line) =>
      Number(/ med ([\d.]+) us/.exec(line)?.[1]),
    );
    return { single: single!, batch: batch! };
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #lines(variant: string, image: string, repeats: number): string[] {
    return execFileSync(join(this.#folder, variant), [image, String(repeats)], { encoding: "utf8" })
      .trim()
      .split("\n");
  }
}

/** The sum that the reference prints, of counts alone and the first feasible rows. */
function referenceSum(outcomes: readonly Outcome[]): bigint {
  let sum = 0n;
  for (const { feasible, failed, sole, best } of outcomes) {
    sum += BigInt(feasible) * 31n;
    for (let index = 0; index < failed.length; index++)
      sum += BigInt(failed[index]!) * BigInt(index + 1) + BigInt(sole[index]!) * BigInt(index + 7);
    for (const [index, row] of best.entries()) sum += BigInt(row) * BigInt(index + 1);
  }
  return sum;
}
