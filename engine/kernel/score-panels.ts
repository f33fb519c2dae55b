import type { Block } from "./memory.ts";
import type { StoreHost } from "./numeric-store.ts";
import { isWithin, quantize, type Scale, scaleOf } from "./quantize.ts";

/** Columns of a panel: what one vector of 16-bit integers holds. */
export const LANES = 8;

interface Lane {
  readonly name: string;
  values: Float32Array;
  scale: Scale;
}

/** Score columns, eight to a panel of 16 bytes per row (assembly/rank.ts). Column c is lane c % 8 of panel c / 8. */
export class ScorePanels {
  readonly panels: Block[] = [];
  readonly #lanes: Lane[] = [];
  readonly #host: StoreHost;

  constructor(host: StoreHost) {
    this.#host = host;
  }

  get count(): number {
    return this.#lanes.length;
  }

  names(): string[] {
    return this.#lanes.map(({ name }) => name);
  }

  scale(column: number): Scale {
    return this.#lanes[column]!.scale;
  }

  values(column: number): Float32Array {
    return this.#lanes[column]!.values;
  }

  /** Adds a column; `at` puts it in place of an older one. Returns its index. */
  add(name: string, given: Float32Array, at: number = this.#lanes.length): number {
    const { capacity, memory } = this.#host;
    const values = new Float32Array(capacity);
    values.set(given);
    const lane = { name, values, scale: scaleOf(values, given.length) };
    this.#lanes[at] = lane;
    if (at / LANES >= this.panels.length) this.panels.push(memory.allocate(capacity * 2 * LANES));
    this.#write(at);
    this.#host.changed();
    return at;
  }

  set(column: number, row: number, given: number): void {
    const lane = this.#lanes[column]!;
    const value = Math.fround(given);
    if (lane.values[row] === value) return;
    lane.values[row] = value;
    if (isWithin(lane.scale, value)) {
      const panel = this.panels[Math.floor(column / LANES)]!;
      this.#host.memory.i16[(panel.at >> 1) + row * LANES + (column % LANES)] = quantize(lane.scale, value);
      return;
    }
    this.#rescale(column);
  }

  /** Sets the values of rows in turn. */
  setAll(column: number, rows: Uint32Array, given: Float32Array): void {
    const lane = this.#lanes[column]!;
    const { values, scale } = lane;
    const panel = this.panels[Math.floor(column / LANES)]!;
    const { i16 } = this.#host.memory;
    const first = (panel.at >> 1) + (column % LANES);
    let fits = true;
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index]!;
      const value = given[index]!;
      values[row] = value;
      fits &&= isWithin(scale, value);
      i16[first + row * LANES] = quantize(scale, value);
    }
    if (!fits) this.#rescale(column);
  }

  /** Sets all columns of a new row to 0. */
  clear(row: number): void {
    this.#lanes.forEach((lane, column) => {
      lane.values[row] = Number.NaN;
      this.set(column, row, 0);
    });
  }

  grow(): void {
    const { capacity, memory } = this.#host;
    for (const panel of this.panels) memory.enlarge(panel, capacity * 2 * LANES);
    for (const lane of this.#lanes) {
      const larger = new Float32Array(capacity);
      larger.set(lane.values);
      lane.values = larger;
    }
  }

  dispose(): void {
    for (const panel of this.panels) this.#host.memory.free(panel);
    this.panels.length = 0;
    this.#lanes.length = 0;
  }

  #rescale(column: number): void {
    const lane = this.#lanes[column]!;
    lane.scale = scaleOf(lane.values, this.#host.rows);
    this.#write(column);
    this.#host.changed();
  }

  #write(column: number): void {
    const { values, scale } = this.#lanes[column]!;
    const { i16 } = this.#host.memory;
    let at = (this.panels[Math.floor(column / LANES)]!.at >> 1) + (column % LANES);
    for (let row = 0; row < values.length; row++, at += LANES) i16[at] = quantize(scale, values[row]!);
  }
}
