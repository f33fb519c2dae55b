import { assert } from "../model/errors.ts";
import { CategoryStore } from "./category-store.ts";
import { FlagStore } from "./flag-store.ts";
import { type Job, type JobSource, writeJob } from "./job.ts";
import { type Block, KernelMemory } from "./memory.ts";
import { NumericStore, type StoreHost } from "./numeric-store.ts";
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

const TILE = 1024;
/** Encoded queries kept: enough for those in turn; an encoded query is small, what it points to is not. */
const KEPT_JOBS = 64;
/** Queries of one pass: their bitmaps and outputs stay in the caches; 64 were slower than 16. */
const BATCH = 16;
/** Room for further rows when a table becomes full, as a share of its rows. */
const HEADROOM = 1 / 8;

/** The compiled kernel on its memory. */
export interface Exports {
  run(job: number, own: number, outputs: number, from: number, to: number): void;
  encode: StoreHost["encode"];
}

/** A job to be run; addresses in bytes. */
export interface RunRequest {
  readonly job: number;
  /** Each thread's own memory. */
  readonly owns: readonly number[];
  /** Offset of the outputs in a thread's own memory. */
  readonly outputs: number;
  readonly tiles: number;
  readonly queries: number;
}

/** Runs jobs on many threads. */
export interface Runner {
  readonly threads: number;
  /** @param exec the kernel on the calling thread */
  run(exec: Exports["run"], request: RunRequest): void;
  /** The table is gone. */
  dispose(): void;
}

/** What a table runs on; several threads bring a shared memory and a runner of their own. */
export interface KernelHost {
  readonly module: WebAssembly.Module;
  readonly memory?: WebAssembly.Memory;
  readonly runner?: Runner;
}

export interface TableSettings {
  /** Plain f32 values in place of bit planes: what the bench and the tests compare with. */
  readonly layout?: "planes" | "floats";
  /** Bounds a numeric column is asked for before it is encoded; default 0: at once, as pays where many are asked for. */
  readonly firstBounds?: number;
}

const alone: Runner = {
  threads: 1,
  run: (exec, { job, owns: [own], outputs, tiles }) => {
    exec(job, own!, own! + outputs, 0, tiles);
  },
  dispose: () => undefined,
};

/** See `WasmTable.written`. Addresses in bytes. */
export interface WrittenJob {
  readonly address: number;
  /** Where a run writes, and its output blocks before it, eight words per query. */
  start(): { readonly own: number; readonly outputs: number; readonly words: Uint32Array };
  run(): void;
  answers(): Answer[];
}

/** A job with what makes it stale. */
interface Kept {
  readonly job: Job;
  readonly epoch: number;
  readonly owned: readonly Block[];
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
  readonly #live: Block;
  #liveVersion = 0;
  readonly #freeRows: number[];
  readonly #universes: Map<number, Universe> = new Map();
  readonly #jobs: Map<object, Kept> = new Map();
  /** How larger batches were divided, so that each part finds its job again. */
  readonly #chunks: WeakMap<readonly Query[], Query[][]> = new WeakMap();
  #epoch = 0;
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
    this.#live = this.memory.allocate(this.capacity / 8);
    this.#freeRows = [...(columns.removed ?? [])];
    const { u8 } = this.memory;
    u8.fill(255, this.#live.at, this.#live.at + (this.rows >> 3));
    if ((this.rows & 7) > 0) u8[this.#live.at + (this.rows >> 3)] = (1 << (this.rows & 7)) - 1;
    for (const row of this.#freeRows) u8[this.#live.at + (row >> 3)]! &= ~(1 << (row & 7));
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

  get panels(): readonly Block[] {
    return this.#scores.panels;
  }

  scale(column: number): Scale {
    return this.#scores.scale(column);
  }

  encode: StoreHost["encode"] = (...args) => this.#exports.encode(...args);

  /** Encoded queries are stale from now on. */
  changed(): void {
    this.#epoch++;
  }

  addNumeric({ name, values }: NumericColumn, instead: number = this.#numeric.length): number {
    this.#numeric[instead]?.dispose();
    this.#numeric[instead] = new NumericStore(this, name, values, this.#layout === "floats");
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
    this.memory.u8[this.#live.at + (row >> 3)]! |= 1 << (row & 7);
    this.#liveVersion++;
    for (const column of this.#numeric) column.set(row, Number.NaN);
    for (const column of this.#category) column.set(row, -1);
    for (const column of this.#flags) column.set(row, 2);
    this.#scores.clear(row);
    return row;
  }

  removeRow(row: number): void {
    const at = this.#live.at + (row >> 3);
    assert(((this.memory.u8[at]! >> (row & 7)) & 1) === 1, `row ${row} is in the table`);
    this.memory.u8[at]! &= ~(1 << (row & 7));
    this.#liveVersion++;
    this.#freeRows.push(row);
  }

  setNumeric(column: number, row: number, value: number): void {
    this.#numeric[column]!.set(row, value);
  }

  setCategory(column: number, row: number, code: number): void {
    this.#category[column]!.set(row, code);
  }

  setFlag(column: number, row: number, value: 0 | 1 | 2): void {
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
    const { job, owned } = this.#write([query], true);
    const { parts } = job;
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
    this.#release({ job, owned });
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
    const { job } = this.#write(queries, false);
    const tiles = Math.ceil(this.rows / TILE);
    // a larger job may have moved the thread's memory since
    const place = (): { readonly own: number; readonly outputs: number } => {
      this.#initialize(job);
      const own = this.#threads[0]!.at;
      return { own, outputs: own + job.outputs };
    };
    return {
      address: job.block.at,
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
      answers: () => job.parts.map((part) => readAnswer(this.memory, [this.#threads[0]!.at], part, 0)),
    };
  }

  dispose(): void {
    for (const column of [...this.#numeric, ...this.#category, ...this.#flags]) column.dispose();
    this.#scores.dispose();
    this.#jobs.clear();
    this.#runner.dispose();
  }

  /** Bitmap of the rows a query is about. */
  universe(skip: number | undefined): Block {
    return skip === undefined ? this.#live : this.#universe(skip).block;
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
      const live = u32[(this.#live.at >> 2) + word]!;
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
    this.memory.enlarge(this.#live, this.capacity / 8);
    for (const column of [...this.#numeric, ...this.#category, ...this.#flags]) column.grow();
    this.#scores.grow();
    for (const universe of this.#universes.values()) {
      this.memory.enlarge(universe.block, this.capacity / 8);
      universe.version = -1;
    }
    this.changed();
  }

  #answer(key: object, queries: readonly Query[]): Answer[] {
    const { job } = this.#encoded(key, queries);
    // an encoded query holds the address of its universe, not its content
    for (const { skip } of queries) this.#universe(skip ?? -1);
    const owns = this.#run(job);
    const answers: Answer[] = [];
    for (let index = 0; index < queries.length; index++) {
      const { count } = this.#universe(queries[index]!.skip ?? -1);
      answers.push(readAnswer(this.memory, owns, job.parts[index]!, count));
    }
    return answers;
  }

  /** The job of these queries, from the last time where nothing has changed. */
  #encoded(key: object, queries: readonly Query[]): Kept {
    const known = this.#jobs.get(key);
    if (known !== undefined && known.epoch === this.#epoch) return known;
    if (known !== undefined) this.#forget(key, known);
    const kept = this.#write(queries, false);
    this.#jobs.set(key, kept);
    if (this.#jobs.size > KEPT_JOBS) {
      const [oldest] = this.#jobs;
      this.#forget(...oldest!);
    }
    return kept;
  }

  #forget(key: object, kept: Kept): void {
    this.#jobs.delete(key);
    this.#release(kept);
  }

  #release({ job, owned }: Pick<Kept, "job" | "owned">): void {
    this.memory.free(job.block);
    for (const block of owned) this.memory.free(block);
  }

  #write(queries: readonly Query[], wantsAll: boolean): Kept {
    this.#owned = [];
    const job = writeJob(this, queries, wantsAll);
    const owned = this.#owned;
    this.#owned = [];
    return { job, owned, epoch: this.#epoch };
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
      for (let word = at >> 2; word < (at >> 2) + 32; word++) i32[word] = 0;
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

/** Set bits of a word. */
function bitCount(word: number): number {
  let count = word - ((word >>> 1) & 0x55555555);
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function fail(): never {
  throw new Error("broken invariant: the kernel aborted");
}

/** A table on the WebAssembly kernel. */
export function wasmTable(host: KernelHost, columns: TableColumns, settings?: TableSettings): WasmTable {
  return new WasmTable(host, columns, settings);
}
