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
interface Exports {
  run(job: number, own: number, outputs: number, from: number, to: number): void;
  encode: StoreHost["encode"];
}

/** Runs jobs, on this thread or on many. A thread's memory is given by address. */
export interface Runner {
  readonly threads: number;
  /** @param outputs offset of the outputs within a thread's memory */
  run(job: number, owns: readonly number[], outputs: number, tiles: number): void;
  dispose(): void;
}

/** What a table runs on; `pooled` hosts bring a shared memory and a runner of their own. */
export interface KernelHost {
  readonly module: WebAssembly.Module;
  readonly memory?: WebAssembly.Memory;
  readonly runner?: Runner;
}

export interface TableSettings {
  /** Plain f32 values in place of bit planes: what the bench and the tests compare with. */
  readonly layout?: "planes" | "floats";
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
  readonly #exports: Exports;
  readonly #runner: Runner;
  readonly #layout: "planes" | "floats";
  readonly #numeric: NumericStore[] = [];
  readonly #category: CategoryStore[] = [];
  readonly #flags: FlagStore[] = [];
  readonly #scores: ScorePanels;
  readonly #live: Block;
  #liveVersion = 0;
  readonly #freeRows: number[] = [];
  readonly #universes: Map<number, Universe> = new Map();
  readonly #jobs: Map<object, Kept> = new Map();
  #epoch = 0;
  #threads: Block[] = [];
  #owned: Block[] = [];

  constructor(host: KernelHost, columns: TableColumns, { layout = "planes" }: TableSettings = {}) {
    this.rows = columns.rows;
    this.capacity = Math.max(1, Math.ceil(columns.rows / TILE)) * TILE;
    this.memory = new KernelMemory(host.memory);
    const instance = new WebAssembly.Instance(host.module, {
      env: { memory: this.memory.memory, abort: fail },
    });
    this.#exports = instance.exports as unknown as Exports;
    this.#runner = host.runner ?? {
      threads: 1,
      run: (job, [own], outputs, tiles) => this.#exports.run(job, own!, own! + outputs, 0, tiles),
      dispose: () => undefined,
    };
    this.#layout = layout;
    this.#live = this.memory.allocate(this.capacity / 8);
    for (let row = 0; row < this.rows; row++) this.memory.u8[this.#live.at + (row >> 3)]! |= 1 << (row & 7);
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

  addNumeric({ name, values }: NumericColumn): number {
    return this.#numeric.push(new NumericStore(this, name, values, this.#layout === "floats")) - 1;
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
    const answers: Answer[] = [];
    for (let from = 0; from < queries.length; from += BATCH)
      answers.push(...this.#answer({}, queries.slice(from, from + BATCH)));
    return answers;
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
    const considered = queries.map(({ skip }) => this.#universe(skip ?? -1).count);
    this.#run(job);
    const threads = this.#threads.map(({ at }) => at);
    return job.parts.map((part, index) => readAnswer(this.memory, threads, part, considered[index]!));
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

  /** Runs a job on all threads, each in its own memory, freshly initialised. */
  #run(job: Job): void {
    const { threads } = this.#runner;
    while (this.#threads.length < threads) this.#threads.push(this.memory.allocate(64));
    for (const block of this.#threads) if (block.bytes < job.threadBytes) this.#renew(block, job.threadBytes);
    const { u32, i32 } = this.memory;
    for (const { at } of this.#threads) {
      u32.fill(0, at >> 2, (at >> 2) + 32);
      for (const part of job.parts) {
        const words = [
          0,
          0,
          0x7fffffff,
          0,
          at + part.kept,
          at + part.heap,
          at + part.counts,
          at + part.references,
        ];
        i32.set(words, (at + part.output) >> 2);
        const counts = (at + part.counts) >> 2;
        u32.fill(0, counts, counts + part.constraints * 3);
      }
    }
    this.#runner.run(
      job.block.at,
      this.#threads.map(({ at }) => at),
      job.outputs,
      Math.ceil(this.rows / TILE),
    );
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
