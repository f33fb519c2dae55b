import { buildPlanes, valueBytes, valuesOf } from "./build-planes.ts";
import { type Bounds, FirstBounds } from "./first-bounds.ts";
import { keyOf, leastKey, mostKey } from "./keys.ts";
import type { Block, KernelMemory } from "./memory.ts";
import type { FewValues, Floats, Form, Planes } from "./numeric-forms.ts";
import { flag, type PredicateCode, type StoredItem, unionOf } from "./predicate-code.ts";
import type { Predicate } from "./query.ts";
import { firstKey, REMAINDERS, rankOf } from "./splits.ts";
import { UnknownRows } from "./unknown-rows.ts";

const TILE = 1024;
const TILE_BYTES = TILE / 8;
/** From this many rows on one call of the kernel costs less than writing their planes here. */
const MANY_ROWS = 16;
/** A column with at most this many values keeps a bitmap per value instead of codes: a range is then one look-up. */
const FEW_VALUES = 17;

/** What the stores need of the table. */
export interface StoreHost {
  readonly memory: KernelMemory;
  /** Rows in use, removed ones among them. */
  readonly rows: number;
  /** Rows there is room for, a multiple of 1,024. */
  readonly capacity: number;
  /** Rows that are not in the table; they have no value in any column, and are not counted as unknown. */
  readonly gone: ReadonlySet<number>;
  /** Bounds a column is asked for before it is encoded. */
  readonly firstBounds: number;
  /** Assembly's `encode`: codes and bit planes of a column of keys. */
  encode(
    keys: number,
    tiles: number,
    splits: number,
    count: number,
    planes: number,
    bits: number,
    codes: number,
  ): void;
  /** Assembly's `recode`: other codes for some rows. */
  recode(
    rows: number,
    count: number,
    keys: number,
    splits: number,
    splitCount: number,
    planes: number,
    bits: number,
    codes: number,
  ): void;
  /** Called when something encoded queries may have relied on has changed. */
  changed(): void;
}

/** Rows of the whole table that fail a predicate, and those of them that fail for want of a value. */
export interface Failing {
  readonly failed: number;
  readonly unknown: number;
}

/** Numbers that are the same but for the sign of zero, or both unknown. */
const isSame = (a: number, b: number): boolean => a === b || (Number.isNaN(a) && Number.isNaN(b));

/**
 * One numeric column: the exact values on the host, and in kernel memory what the filter needs, built when first asked
 * for and kept up to date row by row.
 */
export class NumericStore {
  readonly name: string;
  exact: Float64Array;
  /** Counts changes of values. */
  version = 0;
  /** Counts changes of what encoded predicates point to or were encoded from. */
  layout = 0;
  readonly #host: StoreHost;
  readonly #asFloats: boolean;
  readonly #first: FirstBounds;
  readonly #unknown: UnknownRows;
  #form: Form | null = null;

  constructor(host: StoreHost, name: string, values: Float64Array, asFloats: boolean) {
    this.#host = host;
    this.#asFloats = asFloats;
    this.#first = new FirstBounds(host, host.firstBounds);
    this.name = name;
    this.exact = new Float64Array(host.capacity).fill(Number.NaN);
    this.exact.set(values);
    for (const row of host.gone) this.exact[row] = Number.NaN;
    this.#unknown = new UnknownRows(host);
  }

  /** Makes room for the table's capacity; new rows are unknown. */
  grow(): void {
    const before = this.exact.length;
    const { capacity, memory } = this.#host;
    const larger = new Float64Array(capacity).fill(Number.NaN);
    larger.set(this.exact);
    this.exact = larger;
    const form = this.#form;
    this.#unknown.grow();
    this.#first.grow();
    if (form === null) return;
    const perRow = (block: Block | null): void => {
      if (block !== null) memory.enlarge(block, (block.bytes / before) * capacity);
    };
    if (form.kind === "few") for (const block of form.bitmaps) perRow(block);
    else if (form.kind === "floats") perRow(form.values);
    else {
      memory.enlarge(form.planes, (capacity / 8) * form.bits);
      if (form.values !== null) memory.enlarge(form.values, capacity * valueBytes(form));
    }
  }

  /** Sets a row's value; NaN is unknown. */
  set(row: number, value: number): void {
    this.#write(row, value, Number.isNaN(value));
  }

  /** Sets the values of rows in turn. */
  setAll(rows: Uint32Array, values: Float64Array): void {
    const form = this.#form;
    const isMany = rows.length >= MANY_ROWS;
    if (isMany && form?.kind === "planes") this.#setManyPlanes(form, rows, values);
    else if (isMany && form?.kind === "few") this.#setManyFew(form, rows, values);
    else for (const [index, row] of rows.entries()) this.set(row, values[index]!);
  }

  /** A row that is new in the table: unknown. */
  add(row: number): void {
    this.version++;
    this.#write(row, Number.NaN, true);
  }

  /** A row that is not in the table any more. */
  remove(row: number): void {
    this.version++;
    this.#write(row, Number.NaN, false);
  }

  #write(row: number, value: number, isUnknown: boolean): void {
    const before = this.exact[row]!;
    const form = this.#form;
    if (!isSame(before, value)) {
      this.exact[row] = value;
      this.version++;
      this.#first.set(row, before, value);
      if (form?.kind === "planes") this.#setPlanes(form, row, before, value);
      else if (form?.kind === "few") this.#setFew(form, row, before, value);
      else if (form !== null)
        new Float32Array(this.#host.memory.u8.buffer, form.values.at, row + 1)[row] = value;
    }
    if (this.#isLaidOut && this.#unknown.mark(row, isUnknown)) this.#changed();
  }

  /** False until it is asked for, and again where a value did not fit. */
  get #isLaidOut(): boolean {
    return this.#form !== null || !this.#first.isEmpty;
  }

  #changed(): void {
    this.layout++;
    this.#host.changed();
  }

  /** Encodes a range. */
  code({ min, max, unknown }: Extract<Predicate, { kind: "range" }>): PredicateCode {
    const least = min ?? -Infinity;
    const most = max ?? Infinity;
    const first = this.#firstBounds(least, most);
    const form = first === null ? this.#build() : null;
    const missing = { unknown: this.#unknown.block, unknownFails: unknown === "fail" };
    if (form === null) return unionOf([{ bitmap: first!.outside, invert: 0 }], 0, missing, false);
    if (form.kind === "floats")
      return { kind: "floats", values: form.values, min: least, max: most, ...missing };
    if (form.kind === "planes") return { ...this.#codePlanes(form, least, most), ...missing };
    const { values, bitmaps } = form;
    const items: StoredItem[] = [];
    let rank = 0;
    while (rank < values.length && values[rank]! < least) rank++;
    const beyond = rankOf(values, most);
    // a bitmap of the smallest value would hold every known row
    if (rank > 0) items.push({ bitmap: rank === values.length ? null : bitmaps[rank - 1]!, invert: -1 });
    if (beyond < values.length)
      items.push(beyond === 0 ? { bitmap: null, invert: -1 } : { bitmap: bitmaps[beyond - 1]!, invert: 0 });
    if (items.length === 0) items.push({ bitmap: null, invert: 0 });
    return unionOf(
      items,
      0,
      missing,
      items.some(({ invert }) => invert === -1),
    );
  }

  /**
   * How many rows fail a range for certain. Those whose code a bound cuts through are not among them: the kernel counts
   * what it finds there. Null where that cannot be told.
   */
  failing({
    min = -Infinity,
    max = Infinity,
    unknown,
  }: Extract<Predicate, { kind: "range" }>): Failing | null {
    const first = this.#firstBounds(min, max);
    const form = first === null ? this.#build() : null;
    const missing = unknown === "fail" ? this.#unknown.count : 0;
    if (form === null) return { failed: first!.count + missing, unknown: missing };
    if (form.kind === "floats" || min > max) return null;
    if (form.kind === "few") {
      const { values, counts } = form;
      const failed = counts.reduce(
        (sum, count, index) => (values[index]! < min || values[index]! > max ? sum + count : sum),
        missing,
      );
      return { failed, unknown: missing };
    }
    const { flags, least, most } = this.#codePlanes(form, min, max);
    const below = this.#countBelow(form);
    const size = form.counts.length;
    const tooLow = (flags & flag.low) === 0 ? 0 : below[least]!;
    const tooHigh = (flags & flag.high) === 0 ? 0 : below[size]! - below[Math.min(most + 1, size)]!;
    return { failed: tooLow + tooHigh + missing, unknown: missing };
  }

  #countBelow(form: Planes): Uint32Array {
    const { counts, below } = form;
    if (form.belowVersion !== this.version)
      for (let code = 0; code < counts.length; code++) below[code + 1] = below[code]! + counts[code]!;
    form.belowVersion = this.version;
    return below;
  }

  dispose(): void {
    this.#drop();
  }

  /** Known values outside of bounds, where these are among the first asked for. */
  #firstBounds(least: number, most: number): Bounds | null {
    if (this.#host.firstBounds === 0) return null;
    if (!this.#isLaidOut) this.#markUnknown();
    return this.#first.of(this.exact, least, most);
  }

  #drop(): void {
    const { memory } = this.#host;
    const form = this.#form;
    if (!this.#isLaidOut) return;
    this.#form = null;
    this.#first.dispose();
    if (form?.kind === "few") for (const block of form.bitmaps) memory.free(block);
    else if (form?.kind === "floats") memory.free(form.values);
    else if (form !== null) {
      memory.free(form.planes);
      if (form.values !== null) memory.free(form.values);
    }
    // built anew with the rest: it would not grow with the table meanwhile
    this.#unknown.free();
    this.#changed();
  }

  #build(): Form {
    this.#form ??= this.#asFloats ? this.#buildFloats() : (this.#buildFew() ?? this.#buildPlanes());
    return this.#form;
  }

  #buildFloats(): Floats {
    const { memory, capacity } = this.#host;
    this.#markUnknown();
    const values = memory.allocate(capacity * 4);
    new Float32Array(memory.u8.buffer, values.at, capacity).set(this.exact);
    return { kind: "floats", values };
  }

  #markUnknown(): void {
    const { rows, capacity } = this.#host;
    const words = new Uint32Array(capacity / 32);
    for (let row = 0; row < rows; row++)
      if (Number.isNaN(this.exact[row]!)) words[row >> 5]! |= 1 << (row & 31);
    this.#unknown.replace(words);
  }

  #buildFew(): FewValues | null {
    const { memory, capacity } = this.#host;
    const { exact } = this;
    const distinct = new Set<number>();
    for (let row = 0; row < capacity; row++) {
      const value = exact[row]!;
      if (Number.isNaN(value)) continue;
      if (distinct.add(value).size > FEW_VALUES) return null;
    }
    this.#markUnknown();
    const values = Float64Array.from(distinct).sort();
    const rank = new Map(Array.from(values, (value, index) => [value, index]));
    const bitmaps = Array.from({ length: Math.max(0, values.length - 1) }, () =>
      memory.allocate(capacity / 8),
    );
    const counts = new Uint32Array(values.length);
    const bytes = memory.u8;
    for (let row = 0; row < capacity; row++) {
      const above = rank.get(exact[row]!);
      if (above === undefined) continue;
      counts[above]!++;
      for (let index = 0; index < above; index++) bytes[bitmaps[index]!.at + (row >> 3)]! |= 1 << (row & 7);
    }
    return { kind: "few", values, bitmaps, counts };
  }

  #setFew({ values, bitmaps, counts }: FewValues, row: number, before: number, value: number): void {
    const rank = Number.isNaN(value) ? 0 : rankOf(values, value) - 1;
    if (!Number.isNaN(value) && values[rank] !== value) {
      this.#drop();
      return;
    }
    const old = Number.isNaN(before) ? 0 : rankOf(values, before) - 1;
    if (!Number.isNaN(before)) counts[old]!--;
    if (!Number.isNaN(value)) counts[rank]!++;
    const bytes = this.#host.memory.u8;
    const most = Math.max(rank, old);
    for (let index = Math.min(rank, old); index < most; index++)
      bytes[bitmaps[index]!.at + (row >> 3)]! ^= 1 << (row & 7);
  }

  #buildPlanes(): Planes {
    this.#markUnknown();
    return buildPlanes(this.#host, this.exact);
  }

  #setPlanes(form: Planes, row: number, before: number, value: number): void {
    const { memory } = this.#host;
    const key = Number.isNaN(value) ? value : keyOf(form.keying, value);
    if (Number.isNaN(key) && !Number.isNaN(value)) {
      this.#drop();
      return;
    }
    const code = Number.isNaN(key) ? 0 : rankOf(form.splits, key);
    const { u8 } = memory;
    const shift = row & 7;
    let old = 0;
    let at = form.planes.at + (row >> 10) * form.bits * TILE_BYTES + ((row & 1023) >> 3);
    for (let plane = 0; plane < form.bits; plane++, at += TILE_BYTES) {
      const byte = u8[at]!;
      const was = (byte >> shift) & 1;
      old |= was << plane;
      // no branch: whether a bit changes is a coin toss
      u8[at] = byte ^ ((was ^ ((code >> plane) & 1)) << shift);
    }
    if (!Number.isNaN(before)) form.counts[old]!--;
    if (!Number.isNaN(key)) this.#enter(form, row, code, key);
  }

  #setManyFew(form: FewValues, rows: Uint32Array, values: Float64Array): void {
    const before = this.#exchange(rows, values);
    for (let index = 0; index < rows.length && this.#form !== null; index++)
      this.#setFew(form, rows[index]!, before[index]!, values[index]!);
  }

  /** Many rows at once: the kernel finds their codes and writes the planes, the rest is booked here. */
  #setManyPlanes(form: Planes, rows: Uint32Array, values: Float64Array): void {
    const { memory } = this.#host;
    const count = rows.length;
    const { splits, planes, bits, keying, counts } = form;
    const work = memory.allocate(count * 16 + splits.length * 8);
    const splitsAt = work.at + count * 8;
    const rowsAt = splitsAt + splits.length * 8;
    const codesAt = rowsAt + count * 4;
    const before = this.#exchange(rows, values);
    const keys = memory.f64.subarray(work.at >> 3, (work.at >> 3) + count);
    let fits = true;
    for (let index = 0; index < count; index++) {
      const value = values[index]!;
      const key = Number.isNaN(value) ? value : keyOf(keying, value);
      fits &&= !Number.isNaN(key) || Number.isNaN(value);
      keys[index] = key;
    }
    if (!fits) {
      memory.free(work);
      this.#drop();
      return;
    }
    memory.f64.set(splits, splitsAt >> 3);
    memory.u32.set(rows, rowsAt >> 2);
    this.#host.recode(rowsAt, count, work.at, splitsAt, splits.length, planes.at, bits, codesAt);
    // booking may need memory of its own, which makes the views stale
    const known = keys.slice();
    const codes = memory.u32.slice(codesAt >> 2, (codesAt >> 2) + count);
    memory.free(work);
    for (let index = 0; index < count && this.#form !== null; index++) {
      const code = codes[index]!;
      const key = known[index]!;
      if (!Number.isNaN(before[index]!)) counts[code & 0xffff]!--;
      if (!Number.isNaN(key)) this.#enter(form, rows[index]!, code >>> 16, key);
    }
  }

  /**
   * Puts values in rows and marks the unknown ones; returns what was there before. Loops of their own: rows lie far apart,
   * and with little else to do the processor waits for many of them at once.
   */
  #exchange(rows: Uint32Array, values: Float64Array): Float64Array {
    const { exact } = this;
    this.version++;
    const before = new Float64Array(rows.length);
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index]!;
      before[index] = exact[row]!;
      exact[row] = values[index]!;
    }
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index]!;
      const value = values[index]!;
      if (!this.#first.isEmpty) this.#first.set(row, before[index]!, value);
      if (this.#unknown.mark(row, Number.isNaN(value))) this.#changed();
    }
    return before;
  }

  /** Books a key under its code. */
  #enter(form: Planes, row: number, code: number, key: number): void {
    const { memory, capacity } = this.#host;
    if (key < form.lowest[code]! || key > form.highest[code]!) {
      form.lowest[code] = Math.min(form.lowest[code]!, key);
      form.highest[code] = Math.max(form.highest[code]!, key);
      this.#changed();
    }
    const count = ++form.counts[code]!;
    // a code that many rows moved to makes every bound in it dear: choose the splits anew, but seldom
    const crowded =
      ++form.changes * 16 > capacity && count > 64 && count * (form.splits.length + 1) > 8 * capacity;
    const isDouble = form.keying.kind === "double";
    const span = form.highest[code]! - form.lowest[code]!;
    const remainder = isDouble ? 0 : key - firstKey(form, code);
    if ((crowded && span > 0) || remainder < 0 || remainder >= REMAINDERS) {
      this.#drop();
      return;
    }
    if (form.values === null) {
      if (span > 0) {
        form.values = valuesOf(this.#host, this.exact, form);
        this.#changed();
      }
      return;
    }
    if (isDouble) memory.f64[(form.values.at >> 3) + row] = key;
    else memory.u16[(form.values.at >> 1) + row] = remainder;
  }

  #codePlanes(form: Planes, min: number, max: number): Extract<PredicateCode, { kind: "planes" }> {
    const { keying, splits, bits, planes, lowest, highest, values } = form;
    let flags: number = keying.kind === "double" ? flag.doubles : 0;
    const low = leastKey(keying, min);
    let least = rankOf(splits, low);
    if (low > lowest[least]!) {
      if (low > highest[least]!) least++;
      else flags |= flag.lowByValue;
    }
    const high = mostKey(keying, max);
    let most = rankOf(splits, high);
    if (high < highest[most]!) {
      if (high < lowest[most]!) most--;
      else flags |= flag.highByValue;
    }
    if (least > 0) flags |= flag.low;
    if (most < (1 << bits) - 1) flags |= flag.high;
    return {
      kind: "planes",
      planes,
      bits,
      least,
      most,
      flags,
      values,
      leastRemainder: (flags & flag.lowByValue) === 0 ? 0 : low - firstKey(form, least),
      mostRemainder: (flags & flag.highByValue) === 0 ? 0 : high - firstKey(form, most),
      min,
      max,
      unknown: null,
      unknownFails: false,
    };
  }
}
