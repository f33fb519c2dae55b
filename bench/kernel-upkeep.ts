import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createKernelPool } from "../adapters/kernel-pool/pool.ts";
import { kernelModule } from "../engine/kernel/load.ts";
import type { TableColumns } from "../engine/kernel/query.ts";
import { type WasmTable, wasmTable } from "../engine/kernel/wasm.ts";
import { makeColumns, makeIntents, queryOf, randomFrom } from "./kernel-data.ts";
import { measure, processorMs, say } from "./measure.ts";
import { median } from "./report.ts";

/** What keeping a table up to date takes. */
export interface Updates {
  readonly cell_us: number;
  readonly row_us: number;
  readonly delta_one_percent_ms: number;
  readonly price_delta_one_percent_ms: number;
  readonly encode_us: number;
}

/** Sets every column of a row to those of another. */
function copyRow(table: WasmTable, from: TableColumns, row: number, other: number): void {
  from.numeric.forEach(({ values }, column) => {
    table.setNumeric(column, row, values[other]!);
  });
  from.category.forEach(({ codes }, column) => {
    table.setCategory(column, row, codes[other]!);
  });
  from.flags.forEach(({ values }, column) => {
    table.setFlag(column, row, values[other] as 0 | 1);
  });
  from.scores.forEach(({ values }, column) => {
    table.setScore(column, row, values[other]!);
  });
}

/** Rows to be set and what to: a value per row and column. */
interface Delta {
  readonly rows: Uint32Array;
  readonly columns: TableColumns;
}

/** Rows chosen at random, in order, with the values of other rows, read beforehand as a delta would bring them. */
function makeDelta(from: TableColumns, count: number, row: () => number): Delta {
  const rows = Uint32Array.from({ length: count }, row).sort();
  const others = Uint32Array.from(rows, row);
  const picked = <T extends Float64Array | Float32Array | Int32Array | Uint8Array>(values: T): T =>
    values.slice(0, count).map((_, index) => values[others[index]!]!) as T;
  return {
    rows,
    columns: {
      rows: count,
      numeric: from.numeric.map(({ name, values }) => ({ name, values: picked(values) })),
      category: from.category.map(({ name, codes, size }) => ({ name, codes: picked(codes), size })),
      flags: from.flags.map(({ name, values }) => ({ name, values: picked(values) })),
      scores: from.scores.map(({ name, values }) => ({ name, values: picked(values) })),
    },
  };
}

/** Column by column, as the engine applies changes. */
function applyDelta(table: WasmTable, { rows, columns }: Delta): void {
  const { numeric, category, flags, scores } = columns;
  for (const [column, { values }] of numeric.entries()) table.setNumerics(column, rows, values);
  for (const [column, { codes }] of category.entries()) table.setCategories(column, rows, codes);
  for (const [column, { values }] of flags.entries()) table.setFlags(column, rows, values);
  for (const [column, { values }] of scores.entries()) table.setScores(column, rows, values);
}

/** Deltas per round. */
const DELTAS = 8;

export function measureUpdates(offers: number, rounds: number): Updates {
  say(`updates at ${offers} offers`);
  const columns = makeColumns(offers, 11);
  const fresh = makeColumns(offers, 12);
  const table = wasmTable({ module: kernelModule! }, columns);
  const queries = makeIntents(16, "full", 77).map(queryOf);
  for (const query of queries) table.select(query);
  const random = randomFrom(5);
  const row = (): number => Math.floor(random() * offers);
  // the first round is compiled code's warm-up; many changes per round, because the clock ticks in milliseconds
  const timed = (count: number, change: () => void): number => {
    const list: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const start = processorMs();
      for (let index = 0; index < count; index++) change();
      if (round > 0) list.push(((processorMs() - start) * 1000) / count);
    }
    return median(list);
  };
  const percent = Math.floor(offers / 100);
  const price = (): void => {
    const at = row();
    const other = row();
    table.setNumeric(0, at, fresh.numeric[0]!.values[other]!);
    table.setScore(0, at, fresh.scores[0]!.values[other]!);
  };
  const cell = timed(2000, () => {
    table.setNumeric(0, row(), fresh.numeric[0]!.values[row()]!);
  });
  const whole = timed(1000, () => {
    copyRow(table, fresh, row(), row());
  });
  // a delta ends with the first answer that sees it
  const deltas = Array.from({ length: (rounds + 1) * DELTAS }, () => makeDelta(fresh, percent, row));
  const delta = timed(DELTAS, () => {
    applyDelta(table, deltas.pop()!);
    table.select(queries[0]!);
  });
  const prices = timed(DELTAS, () => {
    for (let index = 0; index < percent; index++) price();
    table.select(queries[0]!);
  });
  const encode = timed(1000, () => {
    table.written([queryOf(makeIntents(1, "typical", 77)[0]!)]);
  });
  const building = timed(1000, () => {
    queryOf(makeIntents(1, "typical", 77)[0]!);
  });
  return {
    cell_us: cell,
    row_us: whole,
    delta_one_percent_ms: delta / 1000,
    price_delta_one_percent_ms: prices / 1000,
    encode_us: encode - building,
  };
}

/** From bytes to the first answer: compile, instantiate, lay out the columns a query needs. Milliseconds. */
export function measureColdStart(offers: number): number {
  const bytes = readFileSync(new URL("../build/kernel.wasm", import.meta.url));
  const columns = makeColumns(offers, 11);
  const query = queryOf(makeIntents(1, "typical", 77)[0]!);
  const start = performance.now();
  wasmTable({ module: new WebAssembly.Module(bytes) }, columns).select(query);
  return performance.now() - start;
}

export interface Threads {
  readonly offers: number;
  readonly one_us: number;
  readonly two_us: number;
  readonly speedup: number;
}

export async function measureThreads(offers: number, rounds: number): Promise<Threads> {
  say(`threads at ${offers} offers`);
  const columns = makeColumns(offers, 11);
  const queries = makeIntents(16, "typical", 77).map(queryOf);
  const pools = await Promise.all([createKernelPool(1), createKernelPool(2)]);
  const tables = pools.map((pool) => wasmTable(pool.host(), columns));
  const [one, two] = tables.map((table) => JSON.stringify(table.selectAll(queries).map(plainly)));
  if (one !== two) throw new Error("two threads answer differently from one");
  const times = measure(
    tables.map((table, index) => ({
      name: String(index + 1),
      intents: 16,
      size: 16,
      run: () => void table.selectAll(queries),
    })),
    rounds,
    () => performance.now(),
  );
  for (const table of tables) table.dispose();
  for (const pool of pools) await pool.close();
  const [first, second] = [median(times.get("1 16")!), median(times.get("2 16")!)];
  return { offers, one_us: first, two_us: second, speedup: first / second };
}

const plainly = ({ failed, unknown, sole, rows, ...rest }: ReturnType<WasmTable["select"]>): unknown => ({
  ...rest,
  scores: [],
  lists: [failed, unknown, sole, rows].map((list) => [...list]),
});

/** Bytes the heap grew by over many queries, and by how much it wavers over none. */
export function measureHeap(queries: number): { readonly bytes: number; readonly noise: number } {
  say(`heap over ${queries} queries`);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const columns = makeColumns(1000, 11);
  const table = wasmTable({ module: kernelModule! }, columns);
  const intents = makeIntents(256, "typical", 77);
  const ask = (count: number): void => {
    // new objects each time: nothing that is kept for one query may stay for ever
    for (let index = 0; index < count; index++) table.select(queryOf(intents[index % 256]!));
  };
  const used = (): number => {
    collect();
    collect();
    return process.memoryUsage().heapUsed;
  };
  ask(2000);
  const levels = Array.from({ length: 5 }, used);
  const before = used();
  ask(queries);
  return { bytes: used() - before, noise: Math.max(...levels) - Math.min(...levels) + 200_000 };
}
