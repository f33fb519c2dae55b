import type { Block, KernelMemory } from "./memory.ts";
import { bitCount } from "./unknown-rows.ts";

/** What the bitmaps need of the table. */
interface Host {
  readonly memory: KernelMemory;
  readonly capacity: number;
}

/** Bounds with the rows whose known values are outside: a bitmap, and how many. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly outside: Block;
  count: number;
}

const isOutside = ({ min, max }: Bounds, value: number): boolean => value < min || value > max;

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

  /** What is outside of bounds, valid until `dispose`; null for further bounds than are kept. */
  of(values: Float64Array, min: number, max: number): Bounds | null {
    const known = this.#known.find((one) => one.min === min && one.max === max);
    if (known !== undefined) return known;
    if (this.#known.length === this.#most) return null;
    const { memory, capacity } = this.#host;
    const outside = memory.allocate(capacity / 8);
    const { u32 } = memory;
    let count = 0;
    for (let row = 0, at = outside.at >> 2; row < capacity; at++) {
      let word = 0;
      // NaN is on neither side
      for (let bit = 0; bit < 32; bit++, row++)
        word |= Number(values[row]! < min || values[row]! > max) << bit;
      u32[at] = word;
      count += bitCount(word);
    }
    const bounds = { min, max, outside, count };
    this.#known.push(bounds);
    return bounds;
  }

  /** A row's value has changed; NaN is outside of nothing. */
  set(row: number, before: number, value: number): void {
    const { u8 } = this.#host.memory;
    for (const bounds of this.#known) {
      const change = Number(isOutside(bounds, value)) - Number(isOutside(bounds, before));
      if (change === 0) continue;
      bounds.count += change;
      u8[bounds.outside.at + (row >> 3)]! ^= 1 << (row & 7);
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
