import type { Block } from "./memory.ts";
import type { Failing, StoreHost } from "./numeric-store.ts";
import { type PredicateCode, type StoredItem, unionOf } from "./predicate-code.ts";
import type { Predicate } from "./query.ts";
import { UnknownRows } from "./unknown-rows.ts";

/** Up to here every code has a bitmap, and a set of codes is a union of them. */
const MOST_BITMAPS = 32;
/** Up to here a code is a byte, and a set is looked up 16 rows at a time. */
const MOST_BYTES = 256;

type Form =
  | { readonly kind: "bitmaps"; readonly bitmaps: Block[] }
  | { readonly kind: "bytes" | "words"; readonly codes: Block };

/** One column of dictionary codes; the layout follows from the size of the dictionary, which may grow. */
export class CategoryStore {
  readonly name: string;
  codes: Int32Array;
  /** Codes in use are below it. */
  size: number;
  /** Counts changes of values. */
  version = 0;
  /** Counts changes of what encoded predicates point to or were encoded from. */
  layout = 0;
  readonly #host: StoreHost;
  readonly #unknown: UnknownRows;
  /** Rows per code, while there is a layout. */
  #counts: number[] = [];
  #form: Form | null = null;

  constructor(host: StoreHost, name: string, codes: Int32Array, size: number) {
    this.#host = host;
    this.name = name;
    this.codes = new Int32Array(host.capacity).fill(-1);
    this.codes.set(codes);
    for (const row of host.gone) this.codes[row] = -1;
    this.size = size;
    this.#unknown = new UnknownRows(host);
  }

  grow(): void {
    const { capacity, memory } = this.#host;
    const larger = new Int32Array(capacity).fill(-1);
    larger.set(this.codes);
    this.codes = larger;
    const form = this.#form;
    if (form === null) return;
    this.#unknown.grow();
    if (form.kind === "bitmaps") for (const block of form.bitmaps) memory.enlarge(block, capacity / 8);
    else memory.enlarge(form.codes, form.kind === "bytes" ? capacity : capacity * 2);
  }

  /** Sets a row's code, -1 for unknown; a code beyond the dictionary makes it larger. */
  set(row: number, code: number): void {
    this.#write(row, code, code < 0);
  }

  /** Sets the codes of rows in turn. */
  setAll(rows: Uint32Array, codes: Int32Array): void {
    // rows lie far apart: in a loop with little else to do the processor waits for many of them at once
    const before = new Int32Array(rows.length);
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index]!;
      before[index] = this.codes[row]!;
      this.codes[row] = codes[index]!;
    }
    for (let index = 0; index < rows.length; index++)
      this.#moved(rows[index]!, before[index]!, codes[index]!, codes[index]! < 0);
  }

  /** A row that is new in the table: unknown. */
  add(row: number): void {
    this.version++;
    this.#write(row, -1, true);
  }

  /** A row that is not in the table any more. */
  remove(row: number): void {
    this.version++;
    this.#write(row, -1, false);
  }

  #write(row: number, code: number, isUnknown: boolean): void {
    const before = this.codes[row]!;
    this.codes[row] = code;
    this.#moved(row, before, code, isUnknown);
  }

  #moved(row: number, before: number, code: number, isUnknown: boolean): void {
    if (before !== code) {
      this.version++;
      if (code >= this.size) this.#extend(code + 1);
      if (this.#form !== null) this.#move(this.#form, row, before, code);
    }
    if (this.#form !== null && this.#unknown.mark(row, isUnknown)) this.#changed();
  }

  #changed(): void {
    this.layout++;
    this.#host.changed();
  }

  /** A larger dictionary, in the layout there is where that still holds it. */
  #extend(size: number): void {
    this.size = size;
    const form = this.#form;
    if (form === null) return;
    if (form.kind === "bytes" ? size > MOST_BYTES : form.kind === "bitmaps" && size > MOST_BITMAPS) {
      this.#drop();
      return;
    }
    const { memory, capacity } = this.#host;
    while (this.#counts.length < size) this.#counts.push(0);
    if (form.kind === "bitmaps")
      while (form.bitmaps.length < size) form.bitmaps.push(memory.allocate(capacity / 8));
    // what queries say of the new code is not in the tables they were encoded to
    this.#changed();
  }

  #move(form: Form, row: number, before: number, code: number): void {
    const { u8, u16 } = this.#host.memory;
    if (before >= 0) this.#counts[before]!--;
    if (code >= 0) this.#counts[code]!++;
    if (form.kind === "bitmaps") {
      const byte = row >> 3;
      const bit = 1 << (row & 7);
      if (before >= 0) u8[form.bitmaps[before]!.at + byte]! &= ~bit;
      if (code >= 0) u8[form.bitmaps[code]!.at + byte]! |= bit;
    } else if (form.kind === "bytes") u8[form.codes.at + row] = Math.max(0, code);
    else u16[(form.codes.at >> 1) + row] = Math.max(0, code);
  }

  code({ allowed, unknown }: Extract<Predicate, { kind: "category" }>): PredicateCode {
    this.#form ??= this.#build();
    const form = this.#form;
    const missing = { unknown: this.#unknown.block, unknownFails: unknown === "fail" };
    const isAllowed = allowedBy(allowed);
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

  /** How many rows fail a set of codes. */
  failing({ allowed, unknown }: Extract<Predicate, { kind: "category" }>): Failing {
    this.#form ??= this.#build();
    const isAllowed = allowedBy(allowed);
    const missing = unknown === "fail" ? this.#unknown.count : 0;
    const failed = this.#counts.reduce((sum, count, code) => (isAllowed(code) ? sum : sum + count), missing);
    return { failed, unknown: missing };
  }

  dispose(): void {
    this.#drop();
  }

  #drop(): void {
    const { memory } = this.#host;
    if (this.#form?.kind === "bitmaps") for (const block of this.#form.bitmaps) memory.free(block);
    else if (this.#form !== null) memory.free(this.#form.codes);
    this.#unknown.free();
    this.#form = null;
    this.#changed();
  }

  #build(): Form {
    const { memory, capacity, rows } = this.#host;
    const { codes, size } = this;
    const counts = new Array<number>(size).fill(0);
    this.#counts = counts;
    const unknown = new Uint32Array(capacity / 32);
    for (let row = 0; row < rows; row++) {
      const code = codes[row]!;
      if (code >= 0) counts[code]!++;
      else unknown[row >> 5]! |= 1 << (row & 31);
    }
    this.#unknown.replace(unknown);
    if (size <= MOST_BITMAPS) {
      const bitmaps = Array.from({ length: size }, () => memory.allocate(capacity / 8));
      const starts = bitmaps.map(({ at }) => at);
      const { u8 } = memory;
      for (let row = 0; row < rows; row++) {
        const code = codes[row]!;
        if (code >= 0) u8[starts[code]! + (row >> 3)]! |= 1 << (row & 7);
      }
      return { kind: "bitmaps", bitmaps };
    }
    const isBytes = size <= MOST_BYTES;
    const block = memory.allocate(isBytes ? capacity : capacity * 2);
    const { u8, u16 } = memory;
    for (let row = 0; row < rows; row++) {
      const code = Math.max(0, codes[row]!);
      if (isBytes) u8[block.at + row] = code;
      else u16[(block.at >> 1) + row] = code;
    }
    return { kind: isBytes ? "bytes" : "words", codes: block };
  }
}

const allowedBy =
  (allowed: Uint32Array) =>
  (code: number): boolean =>
    (((allowed[code >> 5] ?? 0) >>> (code & 31)) & 1) === 1;
