import type { Block } from "./memory.ts";
import type { StoreHost } from "./numeric-store.ts";
import { type PredicateCode, unionOf } from "./predicate-code.ts";
import type { Predicate } from "./query.ts";

/** One yes/no column: a bitmap of yes, and one of unknown rows. */
export class FlagStore {
  readonly name: string;
  /** 0 no, 1 yes, 2 unknown; rows nobody set are unknown. */
  values: Uint8Array;
  /** Counts changes, for what is derived from the column. */
  version = 0;
  readonly #host: StoreHost;
  #yes: Block | null = null;
  #unknown: Block | null = null;

  constructor(host: StoreHost, name: string, values: Uint8Array) {
    this.#host = host;
    this.name = name;
    this.values = new Uint8Array(host.capacity).fill(2);
    this.values.set(values);
  }

  /** Bitmap of the rows that say yes. */
  get yes(): Block {
    this.#yes ??= this.#build();
    return this.#yes;
  }

  grow(): void {
    const { capacity, memory } = this.#host;
    const before = this.values.length;
    const larger = new Uint8Array(capacity).fill(2);
    larger.set(this.values);
    this.values = larger;
    if (this.#yes === null) return;
    memory.enlarge(this.#yes, capacity / 8);
    memory.enlarge(this.#unknown!, capacity / 8);
    memory.u8.fill(255, this.#unknown!.at + before / 8, this.#unknown!.at + capacity / 8);
  }

  set(row: number, value: number): void {
    if (this.values[row] === value) return;
    this.values[row] = value;
    this.version++;
    if (this.#yes === null) return;
    const { u8 } = this.#host.memory;
    const bit = 1 << (row & 7);
    const yes = this.#yes.at + (row >> 3);
    const unknown = this.#unknown!.at + (row >> 3);
    u8[yes] = value === 1 ? u8[yes]! | bit : u8[yes]! & ~bit;
    u8[unknown] = value === 2 ? u8[unknown]! | bit : u8[unknown]! & ~bit;
  }

  code({ value, unknown }: Extract<Predicate, { kind: "flag" }>): PredicateCode {
    const bitmap = this.yes;
    return unionOf(
      [{ bitmap, invert: value === 1 ? -1 : 0 }],
      0,
      { unknown: this.#unknown, unknownFails: unknown === "fail" },
      value === 1,
    );
  }

  dispose(): void {
    if (this.#yes !== null) this.#host.memory.free(this.#yes);
    if (this.#unknown !== null) this.#host.memory.free(this.#unknown);
    this.#yes = null;
    this.#unknown = null;
  }

  #build(): Block {
    const { memory, capacity } = this.#host;
    const yes = memory.allocate(capacity / 8);
    const unknown = memory.allocate(capacity / 8);
    this.#unknown = unknown;
    const { u8 } = memory;
    for (let row = 0; row < capacity; row++) {
      const value = this.values[row]!;
      if (value === 1) u8[yes.at + (row >> 3)]! |= 1 << (row & 7);
      else if (value === 2) u8[unknown.at + (row >> 3)]! |= 1 << (row & 7);
    }
    return yes;
  }
}
