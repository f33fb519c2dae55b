import { assert } from "../model/errors.ts";
import { CategoryStore } from "./category-store.ts";
import { FlagStore } from "./flag-store.ts";
import { alone, type Exports, type KernelHost, type Runner } from "./host.ts";
import type { Job, JobSource } from "./job.ts";
import { KeptJobs } from "./kept-jobs.ts";
import { type Block, KernelMemory } from "./memory.ts";
import { type Failing, NumericStore, type StoreHost } from "./numeric-store.ts";
import type { PredicateCode } from "./predicate-code.ts";
import type { Scale } from "./quantize.ts";
import type {
  Answer,
  CategoryColumn,
  FlagColumn,
  NumericColumn,
  Predicate,
  Query,
  ScoreColumn,
  Table,
  TableColumns,
} from "./query.ts";
import { readAnswer } from "./read-answer.ts";
import { ScorePanels } from "./score-panels.ts";
import { bitCount } from "./unknown-rows.ts";

const TILE = 1024;
/** Queries of one pass: their bitmaps and outputs stay in the caches; 64 were slower than 16. */
const BATCH = 16;
/** Room for further rows when a table becomes full, as a share of its rows. */
const HEADROOM = 1 / 8;

export interface TableSettings {
  /** Plain f32 values in place of bit planes: what the bench and the tests compare with. */
  readonly layout?: "planes" | "floats";
  /** Bounds a numeric column is asked for before it is encoded; default 0: at once, as pays where many are asked for. */
  readonly firstBounds?: number;
}

/** See `WasmTable.written`. Addresses in bytes. */
export interface WrittenJob {
  readonly job: Job;
  /** Where a run writes, and its output blocks before it, eight words per query. */
  start(): { readonly own: number; readonly outputs: number; readonly words: Uint32Array };
  run(): void;
  answers(): Answer[];
}

/** Bitmap of the live rows outside a flag column, and their number. */
interface Universe {
  readonly block: Block;
  version: number;
  count: number;
}

/** A table in WebAssembly memory; docs/kernel.md draws it. */
export class WasmTable implements Table, StoreHost, JobSource {
  readonly backend = "wasm" as const;
  readonly memory: KernelMemory;
  rows: number;
  capacity: number;
  readonly firstBounds: number;
  readonly #exports: Exports;
  readonly #runner: Runner;
  readonly #layout: "planes" | "floats";
  readonly #numeric: NumericStore[] = [];
  readonly #category: CategoryStore[] = [];
  readonly #flags: FlagStore[] = [];
  readonly #scores: ScorePanels;
  /** Bitmap of the rows in the table. */
  readonly live: Block;
  #liveVersion = 0;
  readonly #freeRows: number[];
  readonly gone: Set<number>;
  readonly #universes: Map<number, Universe> = new Map();
  readonly jobs: KeptJobs;
  /** How larger batches were divided, so that each part finds its job again. */
  readonly #chunks: WeakMap<readonly Query[], Query[][]> = new WeakMap();
  /** Grows when the layout of any column changes. */
  layouts = 0;
  /** Grows when a value changes. */
  version = 0;
  #threads: Block[] = [];
  #owned: Block[] = [];

  constructor(host: KernelHost, columns: TableColumns, settings: TableSettings = {}) {
    this.rows = columns.rows;
    this.capacity = Math.max(1, Math.ceil(columns.rows / TILE)) * TILE;
    this.memory = new KernelMemory(host.memory);
    const instance = new WebAssembly.Instance(host.module, {
      env: { memory: this.memory.memory, abort: fail },
    });
    this.#exports = instance.exports as unknown as Exports;
    this.#runner = host.runner ?? alone;
    this.#layout = settings.layout ?? "planes";
    this.firstBounds = settings.firstBounds ?? 0;
    this.jobs = new KeptJobs(this);
    this.live = this.memory.allocate(this.capacity / 8);
    this.#freeRows = [...(columns.removed ?? [])];
    this.gone = new Set(this.#freeRows);
    const { u8 } = this.memory;
    u8.fill(255, this.live.at, this.live.at + (this.rows >> 3));
    if ((this.rows & 7) > 0) u8[this.live.at + (this.rows >> 3)] = (1 << (this.rows & 7)) - 1;
    for (const row of this.#freeRows) u8[this.live.at + (row >> 3)]! &= ~(1 << (row & 7));
    this.#scores = new ScorePanels(this);
    for (const column of columns.numeric) this.addNumeric(column);
    for (const column of columns.category) this.addCategory(column);
    for (const column of columns.flags) this.addFlag(column);
    for (const column of columns.scores) this.addScore(column);
  }

  get bytes(): number {
    const threads = this.#threads.reduce((sum, { bytes }) => sum + bytes, 0);
    return this.memory.used - threads;
  }

  /** The same without encoded queries. */
  get columnBytes(): number {
    return this.bytes - this.jobs.bytes;
  }

  get panels(): readonly Block[] {
    return this.#scores.panels;
  }

  scale(column: number): Scale {
    return this.#scores.scale(column);
  }

  encode: StoreHost["encode"] = (...args) => this.#exports.encode(...args);
  recode: StoreHost["recode"] = (...args) => this.#exports.recode(...args);

  changed(): void {
    this.layouts++;
  }

  addNumeric({ name, values }: NumericColumn, instead: number = this.#numeric.length): number {
    const before = this.#numeric[instead];
    const made = new NumericStore(this, name, values, this.#layout === "floats");
    if (before !== undefined) {
      made.layout = before.layout + 1;
      made.version = before.version + 1;
      before.dispose();
    }
    this.#numeric[instead] = made;
    this.version++;
    return instead;
  }

  addCategory({ name, codes, size }: CategoryColumn): number {
    return this.#category.push(new CategoryStore(this, name, codes, size)) - 1;
  }

  addFlag({ name, values }: FlagColumn): number {
    return this.#flags.push(new FlagStore(this, name, values)) - 1;
  }

  addScore({ name, values }: ScoreColumn, instead?: number): number {
    return this.#scores.add(name, values, instead);
  }

  addRow(): number {
    const row = this.#freeRows.pop() ?? this.rows++;
    if (row >= this.capacity) this.#grow();
    this.memory.u8[this.live.at + (row >> 3)]! |= 1 << (row & 7);
    this.gone.delete(row);
    this.#liveVersion++;
    this.version++;
    for (const column of this.#columns()) column.add(row);
    this.#scores.clear(row);
    return row;
  }

  removeRow(row: number): void {
    const at = this.live.at + (row >> 3);
    assert(((this.memory.u8[at]! >> (row & 7)) & 1) === 1, `row ${row} is in the table`);
    this.memory.u8[at]! &= ~(1 << (row & 7));
    this.#liveVersion++;
    this.version++;
    this.#freeRows.push(row);
    this.gone.add(row);
    for (const column of this.#columns()) column.remove(row);
  }

  setNumeric(column: number, row: number, value: number): void {
    this.version++;
    this.#numeric[column]!.set(row, value);
  }

  setNumerics(column: number, rows: Uint32Array, values: Float64Array): void {
    this.version++;
    this.#numeric[column]!.setAll(rows, values);
  }

  setCategories(column: number, rows: Uint32Array, codes: Int32Array): void {
    this.version++;
    this.#category[column]!.setAll(rows, codes);
  }

  setFlags(column: number, rows: Uint32Array, values: Uint8Array): void {
    this.version++;
    this.#flags[column]!.setAll(rows, values);
  }

  setScores(column: number, rows: Uint32Array, values: Float32Array): void {
    this.#scores.setAll(column, rows, values);
  }

  setCategory(column: number, row: number, code: number): void {
    this.version++;
    this.#category[column]!.set(row, code);
  }

  setFlag(column: number, row: number, value: 0 | 1 | 2): void {
    this.version++;
    this.#flags[column]!.set(row, value);
  }

  setScore(column: number, row: number, value: number): void {
    this.#scores.set(column, row, value);
  }

  exact(column: number): Float64Array {
    return this.#numeric[column]!.exact.subarray(0, this.rows);
  }

  select(query: Query): Answer {
    return this.#answer(query, [query])[0]!;
  }

  selectAll(queries: readonly Query[]): Answer[] {
    if (queries.length <= BATCH) return this.#answer(queries, queries);
    let chunks = this.#chunks.get(queries);
    if (chunks === undefined) {
      const count = Math.ceil(queries.length / BATCH);
      chunks = Array.from({ length: count }, (_, index) => queries.slice(index * BATCH, (index + 1) * BATCH));
      this.#chunks.set(queries, chunks);
    }
    return chunks.flatMap((chunk) => this.#answer(chunk, chunk));
  }

  feasible(query: Query): Uint32Array {
    const job = this.jobs.get(query, [query], true);
    const { parts } = job;
    this.#universe(query.skip ?? -1);
    this.#run(job);
    const found = this.#threads.map(({ at }) => {
      const count = this.memory.u32[(at + parts[0]!.output) >> 2]!;
      const first = (at + parts[0]!.kept) >> 2;
      return this.memory.u32.subarray(first, first + count);
    });
    const rows = new Uint32Array(found.reduce((sum, { length }) => sum + length, 0));
    let next = 0;
    for (const part of found) {
      rows.set(part, next);
      next += part.length;
    }
    return rows;
  }

  columns(): TableColumns {
    const { rows } = this;
    return {
      rows,
      numeric: this.#numeric.map(({ name, exact }) => ({ name, values: exact.subarray(0, rows) })),
      category: this.#category.map(({ name, codes, size }) => ({
        name,
        codes: codes.subarray(0, rows),
        size,
      })),
      flags: this.#flags.map(({ name, values }) => ({ name, values: values.subarray(0, rows) })),
      scores: this.#scores.names().map((name, column) => ({
        name,
        values: this.#scores.values(column).subarray(0, rows),
      })),
      removed: Uint32Array.from(this.#freeRows),
    };
  }

  /** A batch as it lies in memory, for the bench: the kernel alone, and what a native twin needs to run the same. */
  written(queries: readonly Query[]): WrittenJob {
    const { job } = this.jobs.write(queries, false);
    const tiles = Math.ceil(this.rows / TILE);
    // a larger job may have moved the thread's memory since
    const place = (): { readonly own: number; readonly outputs: number } => {
      this.#initialize(job);
      const own = this.#threads[0]!.at;
      return { own, outputs: own + job.outputs };
    };
    return {
      job,
      start: () => {
        const { own, outputs } = place();
        return {
          own,
          outputs,
          words: this.memory.u32.slice(outputs >> 2, (outputs >> 2) + queries.length * 8),
        };
      },
      run: () => {
        const { own, outputs } = place();
        this.#exports.run(job.block.at, own, outputs, 0, tiles);
      },
      answers: () =>
        job.parts.map((_, index) => readAnswer(this.memory, [this.#threads[0]!.at], job, index, 0)),
    };
  }

  dispose(): void {
    for (const column of this.#columns()) column.dispose();
    this.#scores.dispose();
    this.jobs.clear();
    this.#runner.dispose();
  }

  /** Bitmap of the rows a query is about. */
  universe(skip: number | undefined): Block {
    return skip === undefined ? this.live : this.#universe(skip).block;
  }

  code(predicate: Predicate): PredicateCode {
    switch (predicate.kind) {
      case "range":
        return this.#numeric[predicate.column]!.code(predicate);
      case "category":
        return this.#category[predicate.column]!.code(predicate);
      case "flag":
        return this.#flags[predicate.column]!.code(predicate);
      case "bitmap": {
        const bitmap = this.#bits(predicate.failed);
        const unknown = predicate.unknown === undefined ? null : this.#bits(predicate.unknown);
        const items = [{ bitmap, invert: 0 } as const];
        return { kind: "union", items, none: 0, coversUnknown: true, unknown, unknownFails: true };
      }
    }
  }

  failing(predicate: Predicate): Failing | null {
    switch (predicate.kind) {
      case "range":
        return this.#numeric[predicate.column]!.failing(predicate);
      case "category":
        return this.#category[predicate.column]!.failing(predicate);
      case "flag":
        return this.#flags[predicate.column]!.failing(predicate);
      case "bitmap":
        return null;
    }
  }

  layoutOf(predicate: Predicate): number {
    return this.#columnOf(predicate)?.layout ?? 0;
  }

  versionOf(predicate: Predicate): number {
    return this.#columnOf(predicate)?.version ?? 0;
  }

  owning<T>(make: () => T): { readonly made: T; readonly owned: readonly Block[] } {
    this.#owned = [];
    const made = make();
    const owned = this.#owned;
    this.#owned = [];
    return { made, owned };
  }

  #columnOf(predicate: Predicate): NumericStore | CategoryStore | FlagStore | null {
    switch (predicate.kind) {
      case "range":
        return this.#numeric[predicate.column]!;
      case "category":
        return this.#category[predicate.column]!;
      case "flag":
        return this.#flags[predicate.column]!;
      case "bitmap":
        return null;
    }
  }

  #columns(): (NumericStore | CategoryStore | FlagStore)[] {
    return [...this.#numeric, ...this.#category, ...this.#flags];
  }

  #bits(bits: Uint32Array): Block {
    const block = this.memory.allocate(this.capacity / 8);
    this.memory.u32.set(bits.subarray(0, this.capacity / 32), block.at >> 2);
    this.#owned.push(block);
    return block;
  }

  /** The live rows that do not say yes in a flag column; brought up to date when either has changed. */
  #universe(skip: number): Universe {
    const known = this.#universes.get(skip);
    const universe = known ?? { block: this.memory.allocate(this.capacity / 8), version: -1, count: 0 };
    this.#universes.set(skip, universe);
    const flags = skip < 0 ? null : this.#flags[skip]!;
    const version = this.#liveVersion + (flags?.version ?? 0);
    if (universe.version === version) return universe;
    const yes = flags?.yes.at ?? 0;
    const { u32 } = this.memory;
    universe.count = 0;
    for (let word = 0; word < this.capacity / 32; word++) {
      const live = u32[(this.live.at >> 2) + word]!;
      const rows = flags === null ? live : live & ~u32[(yes >> 2) + word]!;
      u32[(universe.block.at >> 2) + word] = rows;
      universe.count += bitCount(rows);
    }
    universe.version = version;
    return universe;
  }

  /** More room: every block becomes longer, and what it held stays where it was in it. */
  #grow(): void {
    const before = this.capacity;
    this.capacity = (Math.ceil((before * (1 + HEADROOM)) / TILE) + 1) * TILE;
    this.memory.enlarge(this.live, this.capacity / 8);
    for (const column of this.#columns()) column.grow();
    this.#scores.grow();
    for (const universe of this.#universes.values()) {
      this.memory.enlarge(universe.block, this.capacity / 8);
      universe.version = -1;
    }
    this.changed();
  }

  #answer(key: object, queries: readonly Query[]): Answer[] {
    const job = this.jobs.get(key, queries);
    // an encoded query holds the address of its universe, not its content
    const universes = queries.map(({ skip }) => this.#universe(skip ?? -1));
    const owns = this.#run(job);
    return universes.map(({ count }, index) => readAnswer(this.memory, owns, job, index, count));
  }

  /** Runs a job on all threads, each in its own memory. */
  #run(job: Job): readonly number[] {
    const owns = this.#initialize(job);
    this.#runner.run(this.#exports.run, {
      job: job.block.at,
      owns,
      outputs: job.outputs,
      tiles: Math.ceil(this.rows / TILE),
      queries: job.parts.length,
    });
    return owns;
  }

  /** Empties what the threads will write; returns where each thread's memory is. */
  #initialize(job: Job): readonly number[] {
    const { threads } = this.#runner;
    while (this.#threads.length < threads) this.#threads.push(this.memory.allocate(64));
    for (const block of this.#threads) if (block.bytes < job.threadBytes) this.#renew(block, job.threadBytes);
    // word by word: this happens for every query, and `set` and `fill` cost more than such a few words
    const { i32 } = this.memory;
    for (const { at } of this.#threads) {
      for (let word = (at + job.cuts) >> 2, left = job.cutWords; left > 0; left--, word++) i32[word] = 0;
      for (const { output, kept, heap, counts, references, constraints } of job.parts) {
        const to = (at + output) >> 2;
        i32[to] = 0;
        i32[to + 1] = 0;
        i32[to + 2] = 0x7fffffff;
        i32[to + 3] = 0;
        i32[to + 4] = at + kept;
        i32[to + 5] = at + heap;
        i32[to + 6] = at + counts;
        i32[to + 7] = at + references;
        const from = (at + counts) >> 2;
        for (let word = from; word < from + constraints * 3; word++) i32[word] = 0;
      }
    }
    return this.#threads.map(({ at }) => at);
  }

  /** A larger block; the old content is of no use. */
  #renew(block: Block, bytes: number): void {
    this.memory.free({ ...block });
    Object.assign(block, this.memory.allocate(bytes));
  }
}

function fail(): never {
  throw new Error("broken invariant: the kernel aborted");
}

/** A table on the WebAssembly kernel. */
export function wasmTable(host: KernelHost, columns: TableColumns, settings?: TableSettings): WasmTable {
  return new WasmTable(host, columns, settings);
}
