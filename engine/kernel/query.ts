/**
 * The kernel's interface: a columnar table of options and questions over it. Two implementations give the same
 * answers bit for bit: `twin.ts` (plain TypeScript) and `wasm.ts` (AssemblyScript, SIMD).
 */

/** Numbers of one trait, one per row; NaN is unknown. Integers up to 2^53 compare exactly. */
export interface NumericColumn {
  readonly name: string;
  readonly values: Float64Array;
}

/** Dictionary codes of one trait, one per row, 0 .. size-1; -1 is unknown. */
export interface CategoryColumn {
  readonly name: string;
  readonly codes: Int32Array;
  readonly size: number;
}

/** Yes/no of one trait, one per row: 0 no, 1 yes, 2 unknown. */
export interface FlagColumn {
  readonly name: string;
  readonly values: Uint8Array;
}

/** One additive term of the score per row, finite f32, usually a logarithm. */
export interface ScoreColumn {
  readonly name: string;
  readonly values: Float32Array;
}

/**
 * One test of one column. A row whose value is unknown fails when `unknown` is "fail" (and is counted as unknown),
 * passes when it is "pass".
 */
export type Predicate =
  | {
      readonly kind: "range";
      readonly column: number;
      /** Inclusive bounds, exact f64 comparison; absent is open. */
      readonly min?: number;
      readonly max?: number;
      readonly unknown: "fail" | "pass";
    }
  | {
      readonly kind: "category";
      readonly column: number;
      /** Bit `code` of word `code >> 5` set: allowed. Length `ceil(size / 32)`. */
      readonly allowed: Uint32Array;
      readonly unknown: "fail" | "pass";
    }
  | {
      readonly kind: "flag";
      readonly column: number;
      readonly value: 0 | 1;
      readonly unknown: "fail" | "pass";
    }
  | {
      /** Rows decided by the caller: bit set is failed / unknown (unknown is a subset of failed). */
      readonly kind: "bitmap";
      readonly failed: Uint32Array;
      readonly unknown?: Uint32Array;
    };

/** A named hard constraint: a row fails it when any of its predicates fails. */
export interface Constraint {
  readonly name: string;
  readonly predicates: readonly Predicate[];
}

export interface Query {
  readonly constraints: readonly Constraint[];
  /** Flag column whose rows with value 1 are outside the universe: neither counted nor returned. */
  readonly skip?: number;
  /** Score = sum over terms of weight * column[row]; smaller is better. */
  readonly terms: readonly { readonly column: number; readonly weight: number }[];
  /** Rows wanted, at least 1. */
  readonly k: number;
  /** Non-negative, in units of the score. */
  readonly margin: number;
}

/** Exact counts and the rows to look at closer. */
export interface Answer {
  /** Rows in the universe. */
  readonly considered: number;
  readonly feasible: number;
  /** Per constraint: rows failing it, whatever else they fail. */
  readonly failed: Uint32Array;
  /** Per constraint: of those, rows that fail only because of unknown values (no known value fails). */
  readonly unknown: Uint32Array;
  /** Per constraint: rows that fail it and nothing else. */
  readonly sole: Uint32Array;
  /**
   * Every feasible row whose score is within `margin` of the k-th smallest, and perhaps a few more, because the sum is
   * taken in integers (quantize.ts): the caller ranks them by exact values. Ordered by (integer score, row).
   */
  readonly rows: Uint32Array;
  /** Integer scores of `rows`, in a unit of the query's own. */
  readonly scores: Int32Array;
}

/**
 * A table of columns that answers queries and follows its catalog row by row. A row keeps its number until it is
 * removed; numbers of removed rows are used again. Owns its memory; `dispose` frees it.
 */
export interface Table {
  /** Row numbers in use are below it; removed rows among them take part in nothing. */
  readonly rows: number;
  readonly backend: "wasm" | "typescript";
  /** Bytes of kernel memory that columns and encoded queries take; 0 for the twin. */
  readonly bytes: number;
  /**
   * Adds a column after creation; returns its index within its kind. `instead` puts it in place of an older one, which
   * nobody may use any more.
   */
  addNumeric(column: NumericColumn, instead?: number): number;
  addCategory(column: CategoryColumn): number;
  addFlag(column: FlagColumn): number;
  addScore(column: ScoreColumn, instead?: number): number;
  /** A new row, all values unknown and all score columns 0. */
  addRow(): number;
  removeRow(row: number): void;
  setNumeric(column: number, row: number, value: number): void;
  /** A code beyond the dictionary makes the dictionary larger. */
  setCategory(column: number, row: number, code: number): void;
  setFlag(column: number, row: number, value: 0 | 1 | 2): void;
  setScore(column: number, row: number, value: number): void;
  /** As the above for one row after the other, and faster where they are many. */
  setNumerics(column: number, rows: Uint32Array, values: Float64Array): void;
  setCategories(column: number, rows: Uint32Array, codes: Int32Array): void;
  setFlags(column: number, rows: Uint32Array, values: Uint8Array): void;
  /** Likewise; the scale of a column that needs another one is that of all its values afterwards. */
  setScores(column: number, rows: Uint32Array, values: Float32Array): void;
  /** Exact values of a numeric column, NaN is unknown; valid until rows are added. */
  exact(column: number): Float64Array;
  /** Answers a query; what it was encoded to is kept, so that asking with the same object again costs less. */
  select(query: Query): Answer;
  /** Answers many queries in one pass over the rows. */
  selectAll(queries: readonly Query[]): Answer[];
  /** Feasible rows in row order, without scoring; what the assignment layer works on. */
  feasible(query: Query): Uint32Array;
  /** All columns as they are now, to be saved or to make another table from; valid until the next change. */
  columns(): TableColumns;
  dispose(): void;
}

export interface TableColumns {
  readonly rows: number;
  readonly numeric: readonly NumericColumn[];
  readonly category: readonly CategoryColumn[];
  readonly flags: readonly FlagColumn[];
  readonly scores: readonly ScoreColumn[];
  /** Rows that are not in the table, the one to be used next last. */
  readonly removed?: Uint32Array;
}
