import type { Predicate, Table } from "../kernel/query.ts";
import type { Flavor } from "../model/flavor.ts";

/**
 * Predicates on a trait before it is worth a column of the table: each is decided for all rows by itself, which costs less
 * than a column does, let alone its encoding. A plan asks for one or two, its explanation for a few more.
 */
const FIRST_ASKS = 16;

/** Inclusive bounds, absent is open; a row without a value fails or passes. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
  readonly unknown: "fail" | "pass";
}

/** What a row may be to a predicate. */
const verdict = { passes: 0, fails: 1, lacks: 2 } as const;

/** The bitmap predicate of verdicts: of each row, or of each kind where `of` says which one a row is. */
function predicateOf(verdicts: Uint8Array, of?: Int32Array): Predicate {
  const rows = of?.length ?? verdicts.length;
  const failed = new Uint32Array((rows + 31) >> 5);
  const unknown = new Uint32Array(failed.length);
  for (let row = 0; row < rows; row++) {
    const found = verdicts[of === undefined ? row : of[row]!]!;
    failed[row >> 5]! |= Number(found !== verdict.passes) << (row & 31);
    unknown[row >> 5]! |= Number(found === verdict.lacks) << (row & 31);
  }
  return { kind: "bitmap", failed, unknown };
}

/** Values of each row, or of each kind where `of` says which one a row is; NaN is unknown. */
export interface Numbers {
  readonly values: Float64Array;
  readonly of?: Int32Array;
}

const perRow = ({ values, of }: Numbers): Float64Array =>
  of === undefined ? values : Float64Array.from(of, (kind) => values[kind]!);

/** A trait that is a number. */
export class NumberTrait {
  readonly #table: Table;
  readonly #name: string;
  readonly #read: () => Numbers;
  readonly #bitmaps: Map<string, Predicate> = new Map();
  #asks = 0;
  #column = -1;
  /** Value of a row as it is now, NaN for unknown. */
  readonly at: (row: number) => number;

  /** @param read all values as they are now */
  constructor(table: Table, name: string, at: (row: number) => number, read: () => Numbers) {
    this.#table = table;
    this.#name = name;
    this.at = at;
    this.#read = read;
  }

  /** Column of the table, -1 while there is none. */
  get column(): number {
    return this.#column;
  }

  /** @param spare columns of the table that nothing uses any more */
  within(bounds: Bounds, spare: number[] = []): Predicate {
    if (this.#column < 0 && ++this.#asks > FIRST_ASKS) {
      const values = perRow(this.#read());
      this.#column = this.#table.addNumeric({ name: this.#name, values }, spare.pop());
      this.#bitmaps.clear();
    }
    if (this.#column >= 0) return { kind: "range", column: this.#column, ...bounds };
    const { min = -Infinity, max = Infinity, unknown } = bounds;
    const key = `${min} ${max} ${unknown}`;
    let bitmap = this.#bitmaps.get(key);
    if (bitmap === undefined) {
      const { values, of } = this.#read();
      const lacking = unknown === "fail" ? verdict.lacks : verdict.passes;
      const verdicts = new Uint8Array(values.length);
      for (let index = 0; index < verdicts.length; index++) {
        const value = values[index]!;
        verdicts[index] = Number.isNaN(value)
          ? lacking
          : value < min || value > max
            ? verdict.fails
            : verdict.passes;
      }
      bitmap = predicateOf(verdicts, of);
      this.#bitmaps.set(key, bitmap);
    }
    return bitmap;
  }

  /** Tells that rows have changed or were added. */
  rewrite(changed: readonly number[]): void {
    this.#bitmaps.clear();
    if (this.#column < 0) return;
    this.#table.setNumerics(this.#column, Uint32Array.from(changed), Float64Array.from(changed, this.at));
  }
}

/** 0 no, 1 yes, 2 unknown: of each row, or of each kind where `of` says which one a row is. */
export interface Flags {
  readonly values: Uint8Array;
  readonly of?: Int32Array;
}

/** A trait that is yes or no. */
export class FlagTrait {
  readonly #table: Table;
  readonly #name: string;
  readonly #at: (row: number) => 0 | 1 | 2;
  readonly #read: () => Flags;
  readonly #bitmaps: Map<0 | 1, Predicate> = new Map();
  #asks = 0;
  #column = -1;

  /**
   * @param at 0 no, 1 yes, 2 unknown of a row as it is now
   * @param read all of them
   */
  constructor(table: Table, name: string, at: (row: number) => 0 | 1 | 2, read: () => Flags) {
    this.#table = table;
    this.#name = name;
    this.#at = at;
    this.#read = read;
  }

  /** Stated to be yes (1) or no (0). */
  is(wanted: 0 | 1): Predicate {
    if (this.#column < 0 && ++this.#asks > FIRST_ASKS) this.column();
    if (this.#column >= 0) return { kind: "flag", column: this.#column, value: wanted, unknown: "fail" };
    let bitmap = this.#bitmaps.get(wanted);
    if (bitmap === undefined) {
      const { values, of } = this.#read();
      const verdicts = values.map((value) =>
        value === wanted ? verdict.passes : value === 2 ? verdict.lacks : verdict.fails,
      );
      bitmap = predicateOf(verdicts, of);
      this.#bitmaps.set(wanted, bitmap);
    }
    return bitmap;
  }

  /** Column of the table. */
  column(): number {
    if (this.#column < 0) {
      const { values, of } = this.#read();
      const all = of === undefined ? values : Uint8Array.from(of, (kind) => values[kind]!);
      this.#column = this.#table.addFlag({ name: this.#name, values: all });
      this.#bitmaps.clear();
    }
    return this.#column;
  }

  /** Tells that rows have changed or were added. */
  rewrite(changed: readonly number[]): void {
    this.#bitmaps.clear();
    if (this.#column >= 0) for (const row of changed) this.#table.setFlag(this.#column, row, this.#at(row));
  }
}

/** Distinct values of a trait, each by a flavor that has it. */
export interface Names {
  /** Code of each row's value, -1 for unknown. */
  readonly codes: Int32Array;
  readonly entries: readonly Flavor[];
  /** Code of a row as it is now; a value not seen before gets a new one, and the row's flavor its entry. */
  readonly codeOf: (row: number) => number;
}

/** A trait with named values: a predicate is decided once per value, by looking at a flavor that has it. */
export class NamedTrait {
  readonly #table: Table;
  readonly #name: string;
  readonly #read: () => Names;
  #names: Names | null = null;
  #asks = 0;
  #column = -1;

  constructor(table: Table, name: string, read: () => Names) {
    this.#table = table;
    this.#name = name;
    this.#read = read;
  }

  /** A stated value that is accepted. */
  accepted(accepts: (flavor: Flavor) => boolean): Predicate {
    this.#names ??= this.#read();
    const { codes, entries } = this.#names;
    if (this.#column < 0 && ++this.#asks > FIRST_ASKS) this.#add();
    if (this.#column >= 0) {
      const allowed = new Uint32Array(Math.max(1, (entries.length + 31) >> 5));
      entries.forEach((flavor, code) => {
        if (accepts(flavor)) allowed[code >> 5]! |= 1 << (code & 31);
      });
      return { kind: "category", column: this.#column, allowed, unknown: "fail" };
    }
    // before the codes comes one more: no value
    const verdicts = Uint8Array.from(entries, (one) => (accepts(one) ? verdict.passes : verdict.fails));
    const byCode = new Uint8Array(entries.length + 1).fill(verdict.lacks);
    byCode.set(verdicts, 1);
    const shifted = new Int32Array(codes.length);
    for (let row = 0; row < shifted.length; row++) shifted[row] = codes[row]! + 1;
    return predicateOf(byCode, shifted);
  }

  /** Tells that rows have changed or were added. */
  rewrite(changed: readonly number[]): void {
    if (this.#names === null) return;
    // a catalogue whose rows change lives long enough
    if (this.#column < 0) this.#add();
    for (const row of changed) this.#table.setCategory(this.#column, row, this.#names.codeOf(row));
  }

  #add(): void {
    const { codes, entries } = this.#names!;
    this.#column = this.#table.addCategory({ name: this.#name, codes, size: entries.length });
  }
}
