import type { Block, KernelMemory } from "./memory.ts";

/** What the bitmaps need of the table. */
interface Host {
  readonly memory: KernelMemory;
  readonly capacity: number;
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  /** Known values outside the bounds. */
  readonly outside: Block;
}

/**
 * The first few bounds a column is asked for, each as a bitmap of the rows whose value lies outside. Comparing every value
 * once costs a fiftieth of encoding the column, which pays only where many bounds are asked for.
 */
export class FirstBounds {
  readonly #host: Host;
  readonly #most: number;
  #known: Bounds[] = [];

  constructor(host: Host, most: number) {
    this.#host = host;
    this.#most = most;
  }

  get isEmpty(): boolean {
    return this.#known.length === 0;
  }

  /** Bitmap of the known values outside the bounds, valid until `dispose`; null for further bounds than are kept. */
  outside(values: Float64Array, min: number, max: number): Block | null {
    const known = this.#known.find((one) => one.min === min && one.max === max);
    if (known !== undefined) return known.outside;
    if (this.#known.length === this.#most) return null;
    const { memory, capacity } = this.#host;
    const outside = memory.allocate(capacity / 8);
    const { u32 } = memory;
    for (let row = 0, at = outside.at >> 2; row < capacity; at++) {
      let word = 0;
      // NaN is on neither side
      for (let bit = 0; bit < 32; bit++, row++)
        word |= Number(values[row]! < min || values[row]! > max) << bit;
      u32[at] = word;
    }
    this.#known.push({ min, max, outside });
    return outside;
  }

  set(row: number, value: number): void {
    const { u8 } = this.#host.memory;
    const bit = 1 << (row & 7);
    for (const { min, max, outside } of this.#known) {
      const at = outside.at + (row >> 3);
      u8[at] = value < min || value > max ? u8[at]! | bit : u8[at]! & ~bit;
    }
  }

  /** Makes room for the table's capacity; new rows are unknown, so outside of nothing. */
  grow(): void {
    const { memory, capacity } = this.#host;
    for (const { outside } of this.#known) memory.enlarge(outside, capacity / 8);
  }

  dispose(): void {
    for (const { outside } of this.#known) this.#host.memory.free(outside);
    this.#known = [];
  }
}
