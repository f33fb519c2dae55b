import type { Keying } from "./keys.ts";
import type { Block } from "./memory.ts";

/** At most 17 values: bitmap k holds the rows with a value of at least `values[k + 1]`. */
export interface FewValues {
  readonly kind: "few";
  readonly values: Float64Array;
  readonly bitmaps: readonly Block[];
  /** Rows per value. */
  readonly counts: Uint32Array;
}

/** Codes as bit planes; a code is the number of splits that are at most the key. */
export interface Planes {
  readonly kind: "planes";
  readonly keying: Keying;
  readonly bits: number;
  readonly splits: Float64Array;
  /** Key that remainders of the first code are counted from; the others begin with their splits. */
  readonly first: number;
  /** Smallest and largest key of each code among the rows it ever had; code and bound decide where they do not cut. */
  readonly lowest: Float64Array;
  readonly highest: Float64Array;
  /** Rows per code. */
  readonly counts: Uint32Array;
  /** Rows with a smaller code, per code and for one more; as of `belowVersion`. */
  readonly below: Uint32Array;
  belowVersion: number;
  /** Changes since the splits were chosen. */
  changes: number;
  readonly planes: Block;
  /** u16 key less the code's first key, or f64 keys; null while no code has two keys. */
  values: Block | null;
}

/** Plain f32 values, for comparison only. */
export interface Floats {
  readonly kind: "floats";
  readonly values: Block;
}

/** How a numeric column lies in kernel memory. */
export type Form = FewValues | Planes | Floats;
