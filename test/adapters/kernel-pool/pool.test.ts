import { Worker } from "node:worker_threads";
import { afterAll, expect, test } from "vitest";
import { createKernelPool, type KernelPool } from "../../../adapters/kernel-pool/pool.ts";
import { control, state } from "../../../adapters/kernel-pool/protocol.ts";
import { sharedKernelModule } from "../../../engine/kernel/load.ts";
import { twinTable } from "../../../engine/kernel/twin.ts";
import { wasmTable } from "../../../engine/kernel/wasm.ts";
import { drawFrom, randomChange, randomColumns, randomQuery } from "../../engine/kernel/tables.ts";

const pools: KernelPool[] = [];

async function poolOf(threads: number): Promise<KernelPool> {
  const pool = await createKernelPool(threads);
  pools.push(pool);
  return pool;
}

afterAll(async () => {
  for (const pool of pools) await pool.close();
});

test("two and three threads answer like the twin, through changes, growth and many tables", async () => {
  for (const threads of [2, 3]) {
    const pool = await poolOf(threads);
    expect(pool.threads).toBe(threads);
    for (const rows of [1, 5000, 70_000]) {
      const columns = randomColumns(rows, rows);
      const table = wasmTable(pool.host(), columns);
      const twin = twinTable(columns);
      const draw = drawFrom(rows);
      const live = new Set(Array.from({ length: rows }, (_, row) => row));
      for (let round = 0; round < 3; round++) {
        for (let change = 0; change < 5; change++) randomChange(draw, [table, twin], live);
        // a batch large enough to be split even over few rows
        const batch = Array.from({ length: rows < 10_000 ? 16 : 2 }, () => randomQuery(draw, twin));
        expect(table.selectAll(batch)).toEqual(batch.map((one) => twin.select(one)));
        expect(table.feasible(batch[0]!)).toEqual(twin.feasible(batch[0]!));
      }
      table.dispose();
    }
  }
});

test("a thread that cannot take a table says so, and does not leave who asked it asleep", async () => {
  const shared = new SharedArrayBuffer(control.words * 4);
  const words = new Int32Array(shared);
  const entry = new URL("../../../adapters/kernel-pool/worker.ts", import.meta.url);
  const worker = new Worker(entry, { workerData: { module: sharedKernelModule(), control: shared } });
  worker.on("error", () => undefined);
  worker.postMessage({ table: 0, memory: {} });
  words[control.table] = 0;
  Atomics.store(words, control.state, state.asked);
  Atomics.notify(words, control.state);
  const answer = Atomics.waitAsync(words, control.state, state.asked, 10_000);
  expect(await answer.value).not.toBe("timed-out");
  expect(Atomics.load(words, control.state)).toBe(state.failed);
  await worker.terminate();
});

test("one thread is the calling one, on a memory of its own", async () => {
  const pool = await poolOf(1);
  const host = pool.host();
  expect([pool.threads, host.memory, host.runner]).toEqual([1, undefined, undefined]);
});

test("without SharedArrayBuffer a pool of many falls back to the calling thread", async () => {
  const { SharedArrayBuffer: shared } = globalThis;
  try {
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    const pool = await poolOf(4);
    expect(pool.threads).toBe(1);
    const columns = randomColumns(100, 1);
    const draw = drawFrom(1);
    const table = wasmTable(pool.host(), columns);
    const one = randomQuery(draw, table);
    expect(table.select(one)).toEqual(twinTable(columns).select(one));
  } finally {
    globalThis.SharedArrayBuffer = shared;
  }
});
