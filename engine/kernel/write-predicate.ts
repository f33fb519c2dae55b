import type { KernelMemory } from "./memory.ts";
import type { PredicateCode } from "./predicate-code.ts";

/** Bytes of a predicate; assembly/predicates.ts draws them. */
export const PREDICATE_BYTES = 64;

/** Bytes of what a predicate points to, besides columns. */
export function listBytes(code: PredicateCode): number {
  if (code.kind === "union") return code.items.length * 8;
  return code.kind === "bytes" || code.kind === "words" ? Math.max(32, code.table.length) : 0;
}

/** Where a predicate and what it points to are written. */
export interface PredicatePlace {
  readonly at: number;
  readonly list: number;
  readonly listBytes: number;
}

/** Writes a predicate over what was there before. */
export function writePredicate(
  memory: KernelMemory,
  { at, list, listBytes: room }: PredicatePlace,
  code: PredicateCode,
): void {
  memory.u8.fill(0, at, at + PREDICATE_BYTES);
  memory.u8.fill(0, list, list + room);
  const words = (values: readonly number[], from: number): void => {
    memory.i32.set(values, (at + from) >> 2);
  };
  const kind = { union: 0, planes: 1, bytes: 2, words: 3, floats: 4 }[code.kind];
  words([kind, code.unknown?.at ?? 0, code.unknownFails ? 1 : 0], 0);
  switch (code.kind) {
    case "union": {
      // an item that holds for all rows decides alone; one that holds for none adds nothing
      const all = code.items.some(({ bitmap, invert }) => bitmap === null && invert === -1);
      const items = all ? [] : code.items.filter(({ bitmap }) => bitmap !== null);
      words([list, items.length, all ? ~code.none : code.none], 12);
      memory.i32.set(
        items.flatMap(({ bitmap, invert }) => [bitmap!.at, invert]),
        list >> 2,
      );
      return;
    }
    case "planes":
      words([code.planes.at, code.bits, code.least, code.most, code.flags, code.values?.at ?? 0], 12);
      words([code.leastRemainder, code.mostRemainder], 36);
      memory.f64[(at + 48) >> 3] = code.min;
      memory.f64[(at + 56) >> 3] = code.max;
      return;
    case "bytes":
    case "words":
      memory.u8.set(code.table, list);
      words([code.codes.at, list], 12);
      return;
    case "floats": {
      words([code.values.at], 12);
      const bounds = new Float32Array(memory.u8.buffer, at + 16, 2);
      bounds.set([code.min, code.max]);
    }
  }
}
