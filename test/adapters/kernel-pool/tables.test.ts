import { afterAll, expect, test } from "vitest";
import { generateSnapshot } from "../../../adapters/catalog/generate.ts";
import { readIntent } from "../../../adapters/json/intent.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import { type KernelTables, openKernelTables } from "../../../adapters/kernel-pool/tables.ts";
import { createPlanRunner } from "../../../api/control/plan-job.ts";
import { applyChanges, plan, prepare } from "../../../engine/index.ts";

const opened: KernelTables[] = [];

async function open(...args: Parameters<typeof openKernelTables>): Promise<KernelTables> {
  const tables = await openKernelTables(...args);
  opened.push(tables);
  return tables;
}

afterAll(async () => {
  for (const tables of opened) await tables.close();
});

const intentOf = (index: number): ReturnType<typeof readIntent> =>
  readIntent({
    intent: {
      objective: ["Cost_Minimization", "Latency_Minimization", "Balanced_Optimization"][index % 3],
      workload: {
        type: "service",
        name: `w-${index}`,
        image: "registry.example/w:1",
        resources: {
          cpu: "2",
          memory: "8Gi",
          gpu: { count: 1 + (index % 3), memory: `${8 << (index % 4)}Gi` },
        },
      },
      constraints: { max_hourly_cost: `${2 + (index % 7)} EUR`, location: index % 2 === 0 ? "EU" : "DE" },
    },
  });

// enough tiles and intents for a job to be divided
const snapshot = readSnapshot(generateSnapshot(3000, 1));
const intents = Array.from({ length: 16 }, (_, index) => intentOf(index));
const large = { intents: 1e6, cores: 2 };

test("plans are the same bytes with threads and without, also after changes of the catalogue", async () => {
  const tables = await open(100_000, large);
  expect(tables.threads).toBe(2);
  const [one, two] = [prepare(snapshot), prepare(snapshot, tables.make)];
  const made = await plan(one, intents);
  expect(made.decisions.filter(({ outcome }) => outcome === "placed").length).toBeGreaterThan(5);
  expect(JSON.stringify(await plan(two, intents))).toBe(JSON.stringify(made));
  const changes = { offers: readSnapshot(generateSnapshot(3000, 2)).offers.slice(0, 200) };
  const [first, second] = [applyChanges(one, changes), applyChanges(two, changes)];
  expect(JSON.stringify(await plan(second, intents))).toBe(JSON.stringify(await plan(first, intents)));
  two.table.dispose();
});

test("the service's runner plans over threads with the same bytes", async () => {
  const tables = await open(100_000, large);
  const asked: number[] = [];
  const job = { catalog: snapshot, change: {}, intents, options: {} };
  const alone = createPlanRunner();
  const threaded = createPlanRunner(undefined, async (count) => {
    asked.push(count);
    return tables.make;
  });
  expect(JSON.stringify(await threaded.run(job))).toBe(JSON.stringify(await alone.run(job)));
  const taken = snapshot.offers[0]!;
  const capacity = { [taken.id]: { ...taken.capacity, gpusFree: 0 } };
  const later = { change: { capacity }, intents, options: {} };
  expect(JSON.stringify(await threaded.run(later))).toBe(JSON.stringify(await alone.run(later)));
  expect(asked).toEqual([3000]);
  await threaded.dispose();
  await alone.dispose();
});

test.for([
  { name: "a small catalogue", offers: 49_999, intents: 1e6, cores: 4, threads: 1 },
  { name: "few intents", offers: 100_000, intents: 400, cores: 4, threads: 1 },
  { name: "one core", offers: 100_000, intents: 1e6, cores: 1, threads: 1 },
  { name: "much to do", offers: 100_000, intents: 500, cores: 2, threads: 2 },
])("$name is for $threads thread(s)", async ({ offers, intents: count, cores, threads }) => {
  expect((await open(offers, { intents: count, cores })).threads).toBe(threads);
});

test("where memory cannot be shared the calling thread does it all", async () => {
  const { SharedArrayBuffer: shared } = globalThis;
  try {
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    expect((await open(100_000, large)).threads).toBe(1);
  } finally {
    globalThis.SharedArrayBuffer = shared;
  }
});
