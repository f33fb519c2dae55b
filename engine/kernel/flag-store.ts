import type { Block } from "./memory.ts";
import type { Failing, StoreHost } from "./numeric-store.ts";
import { type PredicateCode, unionOf } from "./predicate-code.ts";
import type { Predicate } from "./query.ts";
import { UnknownRows } from "./unknown-rows.ts";

/** One yes/no column: a bitmap of yes, and one of unknown rows where there are any. */
export class FlagStore {
  readonly name: string;
  /** 0 no, 1 yes, 2 unknown; rows nobody set are unknown. */
  values: Uint8Array;
  /** Counts changes of values. */
  version = 0;
  /** Counts changes of what encoded predicates point to or were encoded from. */
  layout = 0;
  readonly #host: StoreHost;
  readonly #unknown: UnknownRows;
  /** Rows that say no, and yes, while there is a bitmap. */
  readonly #counts: [no: number, yes: number] = [0, 0];
  #yes: Block | null = null;

  constructor(host: StoreHost, name: string, values: Uint8Array) {
    this.#host = host;
    this.name = name;
    this.values = new Uint8Array(host.capacity).fill(2);
    this.values.set(values);
    for (const row of host.gone) this.values[row] = 2;
    this.#unknown = new UnknownRows(host);
  }

  /** Bitmap of the rows that say yes. */
  get yes(): Block {
    this.#yes ??= this.#build();
    return this.#yes;
  }

  grow(): void {
    const { capacity, memory } = this.#host;
    const larger = new Uint8Array(capacity).fill(2);
    larger.set(this.values);
    this.values = larger;
    if (this.#yes === null) return;
    memory.enlarge(this.#yes, capacity / 8);
    this.#unknown.grow();
  }

  set(row: number, value: number): void {
    this.#write(row, value, value === 2);
  }

  /** Sets the values of rows in turn. */
  setAll(rows: Uint32Array, values: Uint8Array): void {
    for (let index = 0; index < rows.length; index++)
      this.#write(rows[index]!, values[index]!, values[index] === 2);
  }

  /** A row that is new in the table: unknown. */
  add(row: number): void {
    this.version++;
    this.#write(row, 2, true);
  }

  /** A row that is not in the table any more. */
  remove(row: number): void {
    this.version++;
    this.#write(row, 2, false);
  }

  code({ value, unknown }: Extract<Predicate, { kind: "flag" }>): PredicateCode {
    const bitmap = this.yes;
    return unionOf(
      [{ bitmap, invert: value === 1 ? -1 : 0 }],
      0,
      { unknown: this.#unknown.block, unknownFails: unknown === "fail" },
      value === 1,
    );
  }

  /** How many rows fail a wanted value. */
  failing({ value, unknown }: Extract<Predicate, { kind: "flag" }>): Failing {
    this.#yes ??= this.#build();
    const missing = unknown === "fail" ? this.#unknown.count : 0;
    return { failed: this.#counts[value === 1 ? 0 : 1] + missing, unknown: missing };
  }

  dispose(): void {
    if (this.#yes !== null) this.#host.memory.free(this.#yes);
    this.#unknown.free();
    this.#yes = null;
  }

  #write(row: number, value: number, isUnknown: boolean): void {
    const before = this.values[row]!;
    if (before !== value) {
      this.values[row] = value;
      this.version++;
      if (this.#yes === null) return;
      const { u8 } = this.#host.memory;
      const bit = 1 << (row & 7);
      const at = this.#yes.at + (row >> 3);
      u8[at] = value === 1 ? u8[at]! | bit : u8[at]! & ~bit;
      if (before !== 2) this.#counts[before as 0 | 1]--;
      if (value !== 2) this.#counts[value as 0 | 1]++;
    }
    if (this.#yes === null || !this.#unknown.mark(row, isUnknown)) return;
    this.layout++;
    this.#host.changed();
  }

  #build(): Block {
    const { memory, capacity, rows } = this.#host;
    const counts = this.#counts;
    counts.fill(0);
    const unknown = new Uint32Array(capacity / 32);
    for (let row = 0; row < rows; row++) {
      const value = this.values[row]!;
      if (value !== 2) counts[value as 0 | 1]++;
      else unknown[row >> 5]! |= 1 << (row & 31);
    }
    this.#unknown.replace(unknown);
    const yes = memory.allocate(capacity / 8);
    const { u8 } = memory;
    for (let row = 0; row < rows; row++)
      if (this.values[row] === 1) u8[yes.at + (row >> 3)]! |= 1 << (row & 7);
    return yes;
  }
}
