import { assert } from "../model/errors.ts";
import { KernelMemory } from "./memory.ts";
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

const TILE = 1024;
const TILE_BYTES = TILE / 8;
const PREDICATE_BYTES = 64;
const QUERY_BYTES = 64;

interface Exports {
  selectRows(query: number): number;
}

interface NumericBlock {
  /** f32 and f64 addresses, and whether every value is an f32, so that no bound needs an exact check. */
  readonly narrow: number;
  readonly exact: number;
  readonly isExact: boolean;
}

interface CategoryBlock {
  readonly codes: number;
  readonly size: number;
}

/** Bitmaps of a flag column. */
interface FlagBlock {
  readonly yes: number;
  readonly unknown: number;
}

/** What the kernel wrote, still in its memory. */
interface Raw {
  readonly feasible: number;
  readonly considered: number;
  readonly kth: number;
  readonly counts: number;
}

/**
 * A table in WebAssembly memory (see `assembly/`): f32 columns filtered four rows at a time, rows whose f32 value
 * equals the bound checked against the f64 value, everything counted by bitmaps of 1,024 rows.
 */
class WasmTable implements Table {
  readonly rows: number;
  readonly backend = "wasm" as const;
  readonly #padded: number;
  readonly #memory: KernelMemory = new KernelMemory();
  readonly #exports: Exports;
  readonly #numeric: NumericBlock[] = [];
  readonly #category: CategoryBlock[] = [];
  readonly #flags: FlagBlock[] = [];
  readonly #scores: number[] = [];
  readonly #live: number;
  readonly #found: number;
  readonly #foundScores: number;
  #arena: { at: number; size: number };

  constructor(module: WebAssembly.Module, columns: TableColumns) {
    this.rows = columns.rows;
    this.#padded = Math.ceil(columns.rows / TILE) * TILE;
    const instance = new WebAssembly.Instance(module, { env: { memory: this.#memory.memory, abort: fail } });
    this.#exports = instance.exports as unknown as Exports;
    this.#live = this.#memory.allocate(this.#padded / 8);
    const live = this.#memory.u8(this.#live, this.#padded / 8);
    for (let row = 0; row < this.rows; row++) live[row >> 3]! |= 1 << (row & 7);
    this.#found = this.#memory.allocate(this.#padded * 4);
    this.#foundScores = this.#memory.allocate(this.#padded * 4);
    this.#arena = { at: this.#memory.allocate(4096), size: 4096 };
    for (const column of columns.numeric) this.addNumeric(column);
    for (const column of columns.category) this.addCategory(column);
    for (const column of columns.flags) this.addFlag(column);
    for (const column of columns.scores) this.addScore(column);
  }

  addNumeric({ values }: NumericColumn): number {
    const narrow = this.#memory.allocate(this.#padded * 4);
    const exact = this.#memory.allocate(this.#padded * 8);
    this.#memory.f32(narrow, this.rows).set(values);
    this.#memory.f64(exact, this.rows).set(values);
    let isExact = true;
    for (let row = 0; row < this.rows && isExact; row++) {
      const value = values[row]!;
      isExact = Number.isNaN(value) || Math.fround(value) === value;
    }
    return this.#numeric.push({ narrow, exact, isExact }) - 1;
  }

  addCategory({ codes, size }: CategoryColumn): number {
    const at = this.#memory.allocate(this.#padded * 4);
    this.#memory.i32(at, this.#padded).fill(-1);
    this.#memory.i32(at, this.rows).set(codes);
    return this.#category.push({ codes: at, size }) - 1;
  }

  addFlag({ values }: FlagColumn): number {
    const bytes = this.#padded / 8;
    const yes = this.#memory.allocate(bytes);
    const unknown = this.#memory.allocate(bytes);
    const isYes = this.#memory.u8(yes, bytes);
    const isUnknown = this.#memory.u8(unknown, bytes);
    for (let row = 0; row < this.rows; row++) {
      if (values[row] === 1) isYes[row >> 3]! |= 1 << (row & 7);
      else if (values[row] === 2) isUnknown[row >> 3]! |= 1 << (row & 7);
    }
    return this.#flags.push({ yes, unknown }) - 1;
  }

  addScore({ values }: ScoreColumn): number {
    const at = this.#memory.allocate(this.#padded * 4);
    this.#memory.f32(at, this.rows).set(values);
    return this.#scores.push(at) - 1;
  }

  select(query: Query): Answer {
    const { feasible, considered, kth, counts } = this.#run(query, true);
    const count = query.constraints.length;
    const rows: number[] = [];
    const scores: number[] = [];
    const foundRows = this.#memory.u32(this.#found, feasible);
    const foundScores = this.#memory.f32(this.#foundScores, feasible);
    const limit = Math.fround(kth + Math.fround(query.margin));
    for (let index = 0; index < feasible; index++)
      if (foundScores[index]! <= limit) {
        rows.push(foundRows[index]!);
        scores.push(foundScores[index]!);
      }
    const order = rows
      .map((_, index) => index)
      .sort((a, b) => scores[a]! - scores[b]! || rows[a]! - rows[b]!);
    return {
      considered,
      feasible,
      failed: this.#memory.u32(counts, count).slice(),
      unknown: this.#memory.u32(counts + 4 * count, count).slice(),
      sole: this.#memory.u32(counts + 8 * count, count).slice(),
      rows: Uint32Array.from(order, (index) => rows[index]!),
      scores: Float32Array.from(order, (index) => scores[index]!),
    };
  }

  feasible(query: Query): Uint32Array {
    const { feasible } = this.#run(query, false);
    return this.#memory.u32(this.#found, feasible).slice();
  }

  dispose(): void {
    this.#numeric.length = 0;
    this.#category.length = 0;
    this.#flags.length = 0;
    this.#scores.length = 0;
  }

  /** Writes the query block and all it points to into the arena, runs the kernel. */
  #run(query: Query, scored: boolean): Raw {
    const count = query.constraints.length;
    assert(count <= 64, `at most 64 constraints, got ${count}`);
    const predicates = query.constraints.reduce((sum, constraint) => sum + constraint.predicates.length, 0);
    const k = scored ? Math.min(query.k, this.rows) : 0;
    const bitmaps = query.constraints
      .flatMap((constraint) => constraint.predicates)
      .reduce((sum, predicate) => sum + this.#extraBytes(predicate), 0);
    const sizes = [
      QUERY_BYTES,
      count * 4,
      predicates * PREDICATE_BYTES,
      count * 12,
      query.terms.length * 8,
      k * 4,
    ];
    const scratch = (5 + count) * TILE_BYTES;
    this.#reserve(sizes.reduce((sum, bytes) => sum + bytes + 16, 0) + scratch + bitmaps + 64);
    let next = this.#arena.at;
    const take = (bytes: number): number => {
      const at = next;
      next += (bytes + 15) & ~15;
      return at;
    };
    const [block, perConstraint, list, counts, terms, heap] = sizes.map(take) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    this.#memory.u32(counts, count * 3).fill(0);
    this.#memory
      .u32(perConstraint, count)
      .set(query.constraints.map((constraint) => constraint.predicates.length));
    let at = list;
    for (const constraint of query.constraints)
      for (const predicate of constraint.predicates) {
        this.#write(at, predicate, take);
        at += PREDICATE_BYTES;
      }
    query.terms.forEach(({ column, weight }, index) => {
      this.#memory.u32(terms + index * 8, 1)[0] = this.#scores[column]!;
      this.#memory.f32(terms + index * 8 + 4, 1)[0] = weight;
    });
    const skip = query.skip === undefined ? 0 : this.#flags[query.skip]!.yes;
    const view = this.#memory.u32(block, QUERY_BYTES / 4);
    view.set([this.#padded, count, this.#live, skip, query.terms.length, terms, perConstraint, list, counts]);
    view.set([this.#found, scored ? this.#foundScores : 0, k, heap, take(scratch)], 9);
    const feasible = this.#exports.selectRows(block);
    const kth = this.#memory.f32(block + 60, 1)[0]!;
    return { feasible, considered: this.#memory.u32(block + 56, 1)[0]!, kth, counts };
  }

  #extraBytes(predicate: Predicate): number {
    if (predicate.kind === "category") return this.#category[predicate.column]!.size + 16;
    return predicate.kind === "bitmap" ? (this.#padded / 8 + 16) * 2 : 0;
  }

  /** Makes the arena at least `bytes` large; a larger one takes the place of the old. */
  #reserve(bytes: number): void {
    if (bytes <= this.#arena.size) return;
    this.#arena = { at: this.#memory.allocate(bytes * 2), size: bytes * 2 };
  }

  #write(at: number, predicate: Predicate, take: (bytes: number) => number): void {
    const words = this.#memory.u32(at, PREDICATE_BYTES / 4);
    words.fill(0);
    const unknownFails = predicate.kind !== "bitmap" && predicate.unknown === "fail" ? 1 : 0;
    switch (predicate.kind) {
      case "range": {
        const column = this.#numeric[predicate.column]!;
        const { min, max } = predicate;
        const exact = column.isExact ? 8 : 0;
        words.set([
          0,
          unknownFails | (min === undefined ? 0 : 2) | (max === undefined ? 0 : 4) | exact,
          column.narrow,
          column.exact,
        ]);
        const narrow = this.#memory.f32(at + 16, 2);
        narrow[0] = column.isExact ? roundUp(min ?? 0) : (min ?? 0);
        narrow[1] = column.isExact ? -roundUp(-(max ?? 0)) : (max ?? 0);
        const wide = this.#memory.f64(at + 24, 2);
        wide[0] = min ?? 0;
        wide[1] = max ?? 0;
        return;
      }
      case "category": {
        const { codes, size } = this.#category[predicate.column]!;
        const allowed = take(size);
        const bytes = this.#memory.u8(allowed, size);
        for (let code = 0; code < size; code++)
          bytes[code] = (predicate.allowed[code >> 5]! >>> (code & 31)) & 1;
        words.set([1, unknownFails, codes, allowed]);
        return;
      }
      case "flag": {
        const { yes, unknown } = this.#flags[predicate.column]!;
        words.set([2, unknownFails, yes, unknown, predicate.value]);
        return;
      }
      case "bitmap": {
        words.set([3, 0, this.#bits(predicate.failed, take)]);
        if (predicate.unknown !== undefined) words[3] = this.#bits(predicate.unknown, take);
      }
    }
  }

  #bits(bits: Uint32Array, take: (bytes: number) => number): number {
    const at = take(this.#padded / 8);
    const view = this.#memory.u32(at, this.#padded / 32);
    view.fill(0);
    view.set(bits.subarray(0, view.length));
    return at;
  }
}

/** The smallest f32 that is at least `value`. */
function roundUp(value: number): number {
  const near = Math.fround(value);
  if (near >= value || Number.isNaN(near)) return near;
  step[0] = near;
  // Floats of one sign order like their bits; negative ones the other way round.
  if (near === 0) bits[0] = 1;
  else bits[0] = near > 0 ? bits[0]! + 1 : bits[0]! - 1;
  return step[0]!;
}

const step = new Float32Array(1);
const bits = new Uint32Array(step.buffer);

function fail(): never {
  throw new Error("broken invariant: the kernel aborted");
}

/** A table on the WebAssembly kernel. */
export function wasmTable(module: WebAssembly.Module, columns: TableColumns): Table {
  return new WasmTable(module, columns);
}
