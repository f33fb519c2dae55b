import fc from "fast-check";
import { expect, test } from "vitest";
import { generateSnapshot } from "../../../adapters/catalog/generate.ts";
import { readIntent } from "../../../adapters/json/intent.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import { type Catalog, prepare } from "../../../engine/compile/catalog.ts";
import { blockedRows, encode } from "../../../engine/compile/encode.ts";
import { needOf } from "../../../engine/compile/need.ts";
import { speedsOf } from "../../../engine/compile/speeds.ts";
import { twinTable } from "../../../engine/kernel/twin.ts";
import type { Flavor, WorkloadKind } from "../../../engine/model/flavor.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import type { Snapshot } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";
import { gpuSpeed } from "../../../engine/score/performance.ts";
import { flavor, snapshot } from "../builders.ts";
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
  for (const makeTable of [undefined, twinTable]) {
    const catalog = prepare(read, makeTable);
    // the first asks are bitmaps, later ones columns; scores are columns once enough rows were scored one by one
    for (let round = 0; round < 20; round++) {
      if (round % 7 === 0) expect(await decide(catalog, [one])).toBe(expected);
      else await plan(catalog, [one], { explain: false });
    }
    expect(await decide(catalog, [one])).toBe(expected);
  }
});

test("plans over random offers stay the same from the first to the thirtieth", async () => {
  await fc.assert(
    fc.asyncProperty(offers, intents, async (some, one) => {
      const catalog = prepare(snapshot(some));
      const first = await decide(catalog, [one]);
      for (let round = 0; round < 30; round++) await plan(catalog, [one], { explain: false });
      expect(await decide(catalog, [one])).toBe(first);
    }),
    { numRuns: 60 },
  );
});

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
