import type { Block, KernelMemory } from "./memory.ts";

/** What the bitmap lies in. */
interface Host {
  readonly memory: KernelMemory;
  readonly capacity: number;
  readonly gone: ReadonlySet<number>;
}

/** Set bits of a word. */
export function bitCount(word: number): number {
  let count = word - ((word >>> 1) & 0x55555555);
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The rows of a table that have no value in a column: their number, and a bitmap from the first one on. */
export class UnknownRows {
  count = 0;
  readonly #host: Host;
  #block: Block | null = null;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Null while every row has a value. */
  get block(): Block | null {
    return this.count > 0 ? this.#block : null;
  }

  /** Marks exactly the rows of a bitmap, but those that are not in the table. */
  replace(words: Uint32Array): void {
    for (const row of this.#host.gone) words[row >> 5]! &= ~(1 << (row & 31));
    this.count = words.reduce((sum, word) => sum + bitCount(word), 0);
    if (this.count === 0 && this.#block === null) return;
    const { memory, capacity } = this.#host;
    this.#block ??= memory.allocate(capacity / 8);
    memory.u32.set(words, this.#block.at >> 2);
  }

  /** Marks a row or not; true when that made `block` another one. */
  mark(row: number, isUnknown: boolean): boolean {
    if (this.count === 0) {
      if (!isUnknown) return false;
      this.#block ??= this.#host.memory.allocate(this.#host.capacity / 8);
    }
    const { u8 } = this.#host.memory;
    const at = this.#block!.at + (row >> 3);
    const bit = 1 << (row & 7);
    const was = (u8[at]! & bit) !== 0;
    if (was === isUnknown) return false;
    u8[at]! ^= bit;
    this.count += isUnknown ? 1 : -1;
    return this.count === Number(isUnknown);
  }

  grow(): void {
    if (this.#block !== null) this.#host.memory.enlarge(this.#block, this.#host.capacity / 8);
  }

  free(): void {
    if (this.#block !== null) this.#host.memory.free(this.#block);
    this.#block = null;
    this.count = 0;
  }
}
