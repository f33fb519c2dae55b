import type { Block } from "./memory.ts";
import type { StoreHost } from "./numeric-store.ts";
import { type PredicateCode, type StoredItem, unionOf } from "./predicate-code.ts";
import type { Predicate } from "./query.ts";

/** Up to here every code has a bitmap, and a set of codes is a union of them. */
const MOST_BITMAPS = 32;
/** Up to here a code is a byte, and a set is looked up 16 rows at a time. */
const MOST_BYTES = 256;

type Form =
  | { readonly kind: "bitmaps"; readonly bitmaps: readonly Block[] }
  | { readonly kind: "bytes" | "words"; readonly codes: Block };

/** One column of dictionary codes; the layout follows from the size of the dictionary, which may grow. */
export class CategoryStore {
  readonly name: string;
  codes: Int32Array;
  /** Codes in use are below it. */
  size: number;
  readonly #host: StoreHost;
  #form: Form | null = null;
  #unknown: Block | null = null;

  constructor(host: StoreHost, name: string, codes: Int32Array, size: number) {
    this.#host = host;
    this.name = name;
    this.codes = new Int32Array(host.capacity).fill(-1);
    this.codes.set(codes);
    this.size = size;
  }

  grow(): void {
    const { capacity, memory } = this.#host;
    const before = this.codes.length;
    const larger = new Int32Array(capacity).fill(-1);
    larger.set(this.codes);
    this.codes = larger;
    const form = this.#form;
    if (form === null) return;
    memory.enlarge(this.#unknown!, capacity / 8);
    memory.u8.fill(255, this.#unknown!.at + before / 8, this.#unknown!.at + capacity / 8);
    if (form.kind === "bitmaps") for (const block of form.bitmaps) memory.enlarge(block, capacity / 8);
    else memory.enlarge(form.codes, form.kind === "bytes" ? capacity : capacity * 2);
  }

  /** Sets a row's code, -1 for unknown; a code beyond the dictionary makes it larger. */
  set(row: number, code: number): void {
    const before = this.codes[row]!;
    if (before === code) return;
    this.codes[row] = code;
    const form = this.#form;
    if (code >= this.size) {
      this.size = code + 1;
      const fits = form?.kind === "bytes" ? this.size <= MOST_BYTES : form?.kind === "words";
      if (!fits) {
        this.#drop();
        return;
      }
    }
    if (form === null) return;
    const { u8, u16 } = this.#host.memory;
    const byte = row >> 3;
    const bit = 1 << (row & 7);
    if (code < 0) u8[this.#unknown!.at + byte]! |= bit;
    else u8[this.#unknown!.at + byte]! &= ~bit;
    if (form.kind === "bitmaps") {
      if (before >= 0) u8[form.bitmaps[before]!.at + byte]! &= ~bit;
      if (code >= 0) u8[form.bitmaps[code]!.at + byte]! |= bit;
    } else if (form.kind === "bytes") u8[form.codes.at + row] = Math.max(0, code);
    else u16[(form.codes.at >> 1) + row] = Math.max(0, code);
  }

  code({ allowed, unknown }: Extract<Predicate, { kind: "category" }>): PredicateCode {
    this.#form ??= this.#build();
    const form = this.#form;
    const missing = { unknown: this.#unknown, unknownFails: unknown === "fail" };
    const isAllowed = (code: number): boolean => (((allowed[code >> 5] ?? 0) >>> (code & 31)) & 1) === 1;
    if (form.kind === "bitmaps") {
      const chosen: StoredItem[] = [];
      const others: StoredItem[] = [];
      for (const [code, bitmap] of form.bitmaps.entries())
        (isAllowed(code) ? chosen : others).push({ bitmap, invert: 0 });
      // the shorter list; rows without a code are in none of the bitmaps
      if (chosen.length === 0) return unionOf([{ bitmap: null, invert: -1 }], 0, missing, true);
      if (others.length === 0) return unionOf([{ bitmap: null, invert: 0 }], 0, missing, false);
      return chosen.length < others.length
        ? unionOf(chosen, -1, missing, true)
        : unionOf(others, 0, missing, false);
    }
    const table = new Uint8Array(form.kind === "bytes" ? 32 : (this.size + 7) >> 3);
    for (let code = 0; code < this.size; code++) if (isAllowed(code)) table[code >> 3]! |= 1 << (code & 7);
    return { kind: form.kind, codes: form.codes, table, ...missing };
  }

  dispose(): void {
    this.#drop();
  }

  #drop(): void {
    const { memory } = this.#host;
    if (this.#form?.kind === "bitmaps") for (const block of this.#form.bitmaps) memory.free(block);
    else if (this.#form !== null) memory.free(this.#form.codes);
    if (this.#unknown !== null) memory.free(this.#unknown);
    this.#form = null;
    this.#unknown = null;
    this.#host.changed();
  }

  #build(): Form {
    const { memory, capacity } = this.#host;
    const { codes, size } = this;
    this.#unknown = memory.allocate(capacity / 8);
    const unknown = this.#unknown.at;
    if (size <= MOST_BITMAPS) {
      const bitmaps = Array.from({ length: size }, () => memory.allocate(capacity / 8));
      const starts = bitmaps.map(({ at }) => at);
      const { u8 } = memory;
      for (let row = 0; row < capacity; row++) {
        const code = codes[row]!;
        u8[(code < 0 ? unknown : starts[code]!) + (row >> 3)]! |= 1 << (row & 7);
      }
      return { kind: "bitmaps", bitmaps };
    }
    const isBytes = size <= MOST_BYTES;
    const block = memory.allocate(isBytes ? capacity : capacity * 2);
    const { u8, u16 } = memory;
    for (let row = 0; row < capacity; row++) {
      const code = codes[row]!;
      if (code < 0) u8[unknown + (row >> 3)]! |= 1 << (row & 7);
      else if (isBytes) u8[block.at + row] = code;
      else u16[(block.at >> 1) + row] = code;
    }
    return { kind: isBytes ? "bytes" : "words", codes: block };
  }
}
