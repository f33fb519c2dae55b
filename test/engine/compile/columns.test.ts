import fc from "fast-check";
import { expect, test } from "vitest";
import { generateSnapshot } from "../../../adapters/catalog/generate.ts";
import { readIntent } from "../../../adapters/json/intent.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import { type Catalog, prepare } from "../../../engine/compile/catalog.ts";
import { blockedRows, encode } from "../../../engine/compile/encode.ts";
import { needOf } from "../../../engine/compile/need.ts";
import { speedsOf } from "../../../engine/compile/speeds.ts";
import { kernelTable } from "../../../engine/kernel/table.ts";
import { twinTable } from "../../../engine/kernel/twin.ts";
import type { Flavor, WorkloadKind } from "../../../engine/model/flavor.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import type { Snapshot } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";
import { gpuSpeed } from "../../../engine/score/performance.ts";
import { eur, flavor, intent, snapshot } from "../builders.ts";
import { intents, offers } from "../plan/arbitraries.ts";

const decide = async (catalog: Catalog, wanted: readonly Intent[]) => {
  const { engine: _, ...rest } = await plan(catalog, wanted, { tradeoffs: true });
  return JSON.stringify(rest);
};

/** The same snapshot of objects that share nothing, as somebody may build it by hand. */
const plain = (from: Snapshot): Snapshot => JSON.parse(JSON.stringify(from)) as Snapshot;

const read = readSnapshot(generateSnapshot(3000, 7));

const stated = (objective: string, constraints: object, gpu: object): Intent =>
  readIntent({
    intent: {
      objective,
      workload: {
        type: "service",
        name: "one",
        image: "registry.example.org/serve:1",
        resources: { cpu: "4", memory: "16Gi", gpu },
      },
      constraints,
    },
  });

test.for([
  {
    name: "balanced, with limits of every kind",
    one: stated(
      "Balanced_Optimization",
      { max_hourly_cost: "20 EUR", location: "EU", max_latency_ms: 60, preemptible: true },
      { count: 2, memory_min: "40Gi", tier: "premium" },
    ),
  },
  {
    name: "greenest, with flags and numbers that many offers leave out",
    one: stated(
      "Energy_Efficiency",
      {
        energy: { green_certified_only: true },
        compliance: { gdpr_compliant: true },
        performance: { min_uptime_percent: "98.5%" },
      },
      { count: 1, dedicated: true },
    ),
  },
  {
    name: "refused",
    one: stated("Cost_Minimization", { max_hourly_cost: "0.01 EUR", location: "Germany" }, { count: 8 }),
  },
])("what is shared, asked before or kept in columns does not show in plans: $name", async ({ one }) => {
  const expected = await decide(prepare(plain(read)), [one]);
  for (const makeTable of [kernelTable, twinTable, undefined]) {
    const catalog = prepare(read, makeTable);
    // the first asks are bitmaps, later ones columns; scores are columns once enough rows were scored one by one
    for (let round = 0; round < 20; round++) {
      if (round % 7 === 0) expect(await decide(catalog, [one])).toBe(expected);
      else await plan(catalog, [one], { explain: false });
    }
    expect(await decide(catalog, [one])).toBe(expected);
  }
});

/** The offers, those with the given indices without any latency. */
const silent = (some: readonly Flavor[], which: readonly number[]): Flavor[] =>
  some.map((one, index) => {
    if (!which.includes(index)) return one;
    const { coordinates: _, ...rest } = one;
    return { ...rest, network: {} };
  });

test("plans over random offers stay the same from the first to the thirtieth", async () => {
  await fc.assert(
    fc.asyncProperty(offers, intents, fc.array(fc.nat(8)), async (some, one, which) => {
      const catalog = prepare(snapshot(silent(some, which)));
      const first = await decide(catalog, [one]);
      for (let round = 0; round < 30; round++) await plan(catalog, [one], { explain: false });
      expect(await decide(catalog, [one])).toBe(first);
    }),
    { numRuns: 100 },
  );
});

test.for(["latency", "balanced", "energy", "performance", "cost"] as const)(
  "an offer that does not tell what is weighed counts as the worst, however often it is asked for (%s)",
  async (objective) => {
    const some = Array.from({ length: 30 }, (_, index) =>
      flavor(`offer-${10 + index}`, {
        price: { basis: "gpu", onDemand: eur(3 - index / 20) },
        network: { latencyMs: 10 + index },
        energy: { carbonIntensity: 100 + index, pue: 1.2 },
      }),
    );
    const which = [0, 7, 29];
    const offers = silent(some, which).map((one, index) =>
      which.includes(index)
        ? { ...one, energy: {}, gpu: { ...one.gpu, model: "unheard-of", fp16Tflops: 0 } }
        : one,
    );
    const wanted = [intent({ objective })];
    const catalog = prepare(snapshot(offers));
    const first = await decide(catalog, wanted);
    for (let round = 0; round < 4; round++) expect(await decide(catalog, wanted)).toBe(first);
    const complete = offers.filter((_, index) => !which.includes(index));
    const told = prepare(snapshot(complete));
    for (let round = 0; round < 4; round++) await decide(told, wanted);
    expect(told.scoreColumns.values().some(({ column }) => column >= 0)).toBe(true);
    expect(await decide(told, wanted)).toBe(await decide(prepare(snapshot(complete)), wanted));
  },
);

test("blocked rows are those that fail one constraint or two, told one by one", () => {
  fc.assert(
    fc.property(offers, intents, (some, one) => {
      const catalog = prepare(snapshot(some));
      const scope = { catalog, need: needOf(catalog, one), usage: new Map(), asIfFree: false };
      const encoded = encode(scope, 4);
      const { constraints, ...rest } = encoded.query;
      const passing = constraints.map(
        (constraint) => new Set(catalog.table.feasible({ ...rest, constraints: [constraint] })),
      );
      const expected = new Map<string, number[]>();
      for (const row of catalog.table.feasible({ ...rest, constraints: [] })) {
        const by = passing.flatMap((rows, index) => (rows.has(row) ? [] : [index]));
        if (by.length === 0 || by.length > 2) continue;
        expected.set(by.join(), [...(expected.get(by.join()) ?? []), row]);
      }
      const found = blockedRows(catalog, encoded).map(({ by, rows }) => [by.join(), rows] as const);
      expect(found).toEqual([...expected]);
    }),
    { numRuns: 200 },
  );
});

test("speeds looked up by model are those of each offer by itself", () => {
  const models = ["nvidia-a100", "H100 PCIe", "amd-mi300x", "somebody-else"];
  const kinds: readonly WorkloadKind[] = ["training", "inference", "hpc", "graphics"];
  const some: readonly Flavor[] = models.flatMap((model, index) =>
    [undefined, 0, 0.4].map((score, place) => {
      const base = flavor(`offer-${index}-${place}`);
      const scores = score === undefined ? {} : { training: score, graphics: score };
      return { ...base, gpu: { ...base.gpu, model, families: [model], fp16Tflops: 100 + index }, scores };
    }),
  );
  const catalog = prepare(snapshot([...some]));
  for (const kind of kinds)
    for (const [row, one] of catalog.columns.rows.flavor.entries())
      expect(speedsOf(catalog, kind)(row)).toBe(gpuSpeed(one, kind));
});
