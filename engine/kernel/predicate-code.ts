import type { Block } from "./memory.ts";

/** A stored bitmap and whether set bits are the failing rows (0) or the passing ones (~0). `null` has no bit set. */
export interface StoredItem {
  readonly bitmap: Block | null;
  readonly invert: 0 | -1;
}

/** What a predicate says of rows without a value: the kernel's `unknown` word, and where those rows are marked. */
interface Unknown {
  /** Null where every row has a value. */
  readonly unknown: Block | null;
  readonly unknownFails: boolean;
}

/** A predicate in terms of the blocks a column is stored in; see assembly/predicates.ts. */
export type PredicateCode = Unknown &
  (
    | {
        readonly kind: "union";
        readonly items: readonly StoredItem[];
        /** -1: rows in none of the items fail; 0: rows in any of them do. */
        readonly none: 0 | -1;
        /** What the items say of unknown rows; false also where they say the opposite of what is wanted. */
        readonly coversUnknown: boolean;
      }
    | {
        readonly kind: "planes";
        readonly planes: Block;
        readonly bits: number;
        readonly least: number;
        readonly most: number;
        readonly flags: number;
        readonly values: Block | null;
        readonly leastRemainder: number;
        readonly mostRemainder: number;
        readonly min: number;
        readonly max: number;
      }
    | { readonly kind: "bytes" | "words"; readonly codes: Block; readonly table: Uint8Array }
    | { readonly kind: "floats"; readonly values: Block; readonly min: number; readonly max: number }
  );

export const flag = { low: 1, high: 2, lowByValue: 4, highByValue: 8, doubles: 16 } as const;

/** A union over stored bitmaps that also decides unknown rows where one more item can. */
export function unionOf(
  items: readonly StoredItem[],
  none: 0 | -1,
  { unknown, unknownFails }: Unknown,
  itemsFailUnknown: boolean,
): PredicateCode {
  const covers = unknown === null || itemsFailUnknown === unknownFails;
  if (covers || none === -1 || !unknownFails)
    return { kind: "union", items, none, unknown, unknownFails, coversUnknown: covers };
  const all = [
    ...items.filter(({ bitmap, invert }) => bitmap !== null || invert !== 0),
    { bitmap: unknown, invert: 0 } as const,
  ];
  return { kind: "union", items: all, none, unknown, unknownFails, coversUnknown: true };
}
