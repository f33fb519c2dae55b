import { expect, test } from "vitest";
import { generateSnapshot } from "../../../adapters/catalog/generate.ts";
import { readIntent } from "../../../adapters/json/intent.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import { type Catalog, prepare } from "../../../engine/compile/catalog.ts";
import { applyChanges } from "../../../engine/compile/changes.ts";
import { kernelModule } from "../../../engine/kernel/load.ts";
import type { TableColumns } from "../../../engine/kernel/query.ts";
import { twinTable } from "../../../engine/kernel/twin.ts";
import { type WasmTable, wasmTable } from "../../../engine/kernel/wasm.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import type { Plan } from "../../../engine/model/plan.ts";
import { plan } from "../../../engine/plan.ts";

const snapshot = readSnapshot(generateSnapshot(80, 3), { at: "2026-03-01T00:00:00Z" });

/** The same intent, read from its document each time, as a service does. */
const stated = (count = 2, cap = "20 EUR"): Intent =>
  readIntent({
    intent: {
      objective: "Balanced_Optimization",
      workload: {
        type: "service",
        name: "asks-often",
        image: "registry.example.org/serve:1",
        resources: { cpu: "4", memory: "16Gi", gpu: { count, memory_min: "20Gi" } },
      },
      constraints: { preemptible: true, max_hourly_cost: cap, max_latency_ms: 200 },
    },
  });

/** A catalogue whose traits were asked for so often that each is a column of its table. */
async function wellAsked(): Promise<{ readonly catalog: Catalog; readonly table: WasmTable }> {
  const make = (columns: TableColumns): WasmTable => wasmTable({ module: kernelModule! }, columns);
  const catalog = prepare(snapshot, make);
  for (let index = 0; index < 20; index++) await plan(catalog, [stated()]);
  return { catalog, table: catalog.table as WasmTable };
}

/** A plan but for the kernel's name. */
const told = ({ engine: _, ...rest }: Plan): Omit<Plan, "engine"> => rest;

test("a later plan of an equal intent encodes no query", async () => {
  const { catalog, table } = await wellAsked();
  const { written } = table.jobs;
  const again = await plan(catalog, [stated()]);
  expect(table.jobs.written).toBe(written);
  expect(told(again)).toEqual(told(await plan(prepare(snapshot, twinTable), [stated()])));
  await plan(catalog, [stated(1)]);
  expect(table.jobs.written).toBeGreaterThan(written);
});

test("after changes of the catalogue its queries are still known, and plans are those of one prepared anew", async () => {
  let { catalog, table } = await wellAsked();
  const { written } = table.jobs;
  let plans = 0;
  for (let round = 0; round < 12; round++) {
    const offer = catalog.snapshot.offers[round * 3]!;
    const gpusFree = round % Math.max(1, offer.capacity.gpus);
    catalog = applyChanges(catalog, {
      offers: [{ ...offer, capacity: { ...offer.capacity, gpusFree } }],
    });
    const anew = prepare(catalog.snapshot, twinTable);
    for (const intent of [stated(), stated(2, "9 EUR")]) {
      expect(told(await plan(catalog, [intent]))).toEqual(told(await plan(anew, [intent])));
      plans++;
    }
  }
  expect(plans).toBe(24);
  // the second intent, once; its explanations may ask for more
  expect(table.jobs.written - written).toBeLessThan(plans / 2);
});
