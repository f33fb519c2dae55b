import fc from "fast-check";
import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import { replaySolver } from "../../../engine/milp/record.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, type IntentChanges, intent, snapshot } from "../builders.ts";

const highs = await createHighsSolver();
const where = (decisions: Awaited<ReturnType<typeof plan>>["decisions"]): string =>
  decisions
    .map(
      ({ intent: name, placements, outcome }) =>
        `${name}:${outcome === "placed" ? placements.map(({ offer, replicas }) => `${offer}x${replicas}`).join("+") : outcome}`,
    )
    .join(" ");

const cheap = (gpus: number) =>
  flavor("cheap", { capacity: { gpus, gpusFree: gpus }, price: { basis: "gpu", onDemand: eur(1) } });
const dear = (gpus: number) =>
  flavor("dear", { capacity: { gpus, gpusFree: gpus }, price: { basis: "gpu", onDemand: eur(2) } });
const capped = (name: string, cap: number, changes: IntentChanges = {}): Intent =>
  intent({ name, ...changes, constraints: { maxHourlyCost: eur(cap), ...changes.constraints } });

test.for<{ name: string; offers: Parameters<typeof snapshot>[0]; intents: Intent[]; expected: string }>([
  {
    name: "an intent that can go elsewhere leaves the cheap offer to one that cannot",
    offers: [cheap(1), dear(1)],
    intents: [intent({ name: "a" }), capped("b", 1)],
    expected: "a:dearx1 b:cheapx1",
  },
  {
    name: "nobody competes: everyone has its best",
    offers: [cheap(2), dear(2)],
    intents: [intent({ name: "a" }), intent({ name: "b" })],
    expected: "a:cheapx1 b:cheapx1",
  },
  {
    name: "one large gang gives way to two others only when they are worth as much together",
    offers: [cheap(4)],
    intents: [
      intent({ name: "a", gpu: { count: 3 } }),
      intent({ name: "b", gpu: { count: 2 } }),
      intent({ name: "c", gpu: { count: 2 } }),
    ],
    expected: "a:waiting b:cheapx1 c:cheapx1",
  },
  {
    name: "higher priority first, whatever the sum",
    offers: [cheap(4)],
    intents: [
      intent({ name: "a", gpu: { count: 3 }, priority: 700 }),
      intent({ name: "b", gpu: { count: 2 } }),
      intent({ name: "c", gpu: { count: 2 } }),
    ],
    expected: "a:cheapx1 b:waiting c:waiting",
  },
  {
    name: "an offer sold whole goes to one intent",
    offers: [flavor("whole", { divisible: false, price: { basis: "node", onDemand: eur(3) } }), dear(1)],
    intents: [intent({ name: "a" }), intent({ name: "b" }), intent({ name: "c" })],
    expected: "a:dearx1 b:wholex1 c:waiting",
  },
  {
    name: "a gang is placed whole over several offers or not at all",
    offers: [cheap(2), dear(2)],
    intents: [
      intent({
        name: "a",
        workload: {
          scaling: {
            minReplicas: 3,
            maxReplicas: 3,
            autoScale: false,
            targetCpuPercent: 80,
            targetGpuPercent: 80,
          },
        },
      }),
      capped("b", 1),
      capped("c", 1),
    ],
    expected: "a:cheapx1+dearx2 b:cheapx1 c:waiting",
  },
])("$name", async ({ offers, intents, expected }) => {
  for (const solver of [undefined, highs]) {
    const { decisions, batch } = await plan(
      prepare(snapshot(offers)),
      intents,
      solver === undefined ? {} : { solver },
    );
    expect(where(decisions)).toBe(expected);
    if (solver !== undefined) expect(batch!.gap).toBeLessThan(1e-4);
  }
});

test("a single intent has no batch report: it keeps the short way", async () => {
  expect((await plan(prepare(snapshot([cheap(1)])), [intent()])).batch).toBeUndefined();
});

test("scarce offers have a price, free ones have none", async () => {
  const { batch } = await plan(
    prepare(snapshot([cheap(1), dear(4)])),
    [intent({ name: "a" }), intent({ name: "b" }), intent({ name: "c" })],
    { solver: highs },
  );
  expect(batch!.prices).toEqual([{ offer: "cheap", resource: "gpu", micro: 1_000_000 }]);
});

// small integers on purpose: ties, exact fits and impossible requests must occur
const offers = fc.array(
  fc.record({
    gpus: fc.integer({ min: 1, max: 4 }),
    price: fc.integer({ min: 1, max: 3 }),
    whole: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
);
const intents = fc.array(
  fc.record({
    count: fc.integer({ min: 1, max: 3 }),
    replicas: fc.integer({ min: 1, max: 3 }),
    cap: fc.option(fc.integer({ min: 1, max: 6 })),
    priority: fc.constantFrom(500, 700),
    objective: fc.constantFrom<Intent["objective"]>("cost", "performance", "balanced"),
    isBatch: fc.boolean(),
    strategy: fc.constantFrom(undefined, "colocated" as const, "distributed" as const),
  }),
  { minLength: 2, maxLength: 5 },
);

const build = (
  offerList: readonly { readonly gpus: number; readonly price: number; readonly whole: boolean }[],
) =>
  offerList.map(({ gpus, price, whole }, index) =>
    flavor(`offer-${index}`, {
      capacity: { gpus, gpusFree: gpus },
      divisible: !whole,
      price: { basis: "gpu", onDemand: eur(price) },
    }),
  );

test("random batches: checked, in any order the same bytes, replayed the same bytes, gap never negative", async () => {
  await fc.assert(
    fc.asyncProperty(offers, intents, async (offerList, wanted) => {
      const catalog = prepare(snapshot(build(offerList)));
      const list = wanted.map(({ count, replicas, cap, priority, objective, isBatch, strategy }, index) =>
        intent({
          name: `job-${index}`,
          priority,
          objective,
          gpu: { count },
          workload: {
            type: isBatch ? "batch" : "service",
            ...(strategy === undefined ? {} : { deploymentStrategy: strategy }),
            ...(isBatch
              ? { batch: { parallelTasks: replicas, maxRetries: 0, completionPolicy: "All" as const } }
              : {
                  scaling: {
                    minReplicas: replicas,
                    maxReplicas: replicas,
                    autoScale: false,
                    targetCpuPercent: 80,
                    targetGpuPercent: 80,
                  },
                }),
          },
          constraints: cap === null ? {} : { maxHourlyCost: eur(cap) },
        }),
      );
      const options = { solver: highs, work: 20_000, explain: false };
      const one = await plan(catalog, list, options);
      const two = await plan(catalog, list.toReversed(), options);
      expect(JSON.stringify(two)).toBe(JSON.stringify(one));
      expect(one.batch!.bound).toBeGreaterThanOrEqual(one.batch!.gain);
      const recorded = JSON.parse(JSON.stringify(one.batch!.answers));
      if (recorded.length > 0) {
        const again = await plan(catalog, list, { ...options, solver: replaySolver(recorded) });
        expect(JSON.stringify(again)).toBe(JSON.stringify(one));
      }
    }),
    { numRuns: 120, seed: 21 },
  );
});

test("whom the calendar sends waiting after all counts in no gain, and the gap tells", async () => {
  const offers = [
    flavor("busy", { capacity: { gpus: 4, gpusFree: 2 }, price: { basis: "gpu", onDemand: eur(1) } }),
    flavor("spare", { capacity: { gpus: 1, gpusFree: 1 }, price: { basis: "gpu", onDemand: eur(1) } }),
  ];
  const running = {
    intent: "running",
    offer: "busy",
    gpus: 2,
    since: "2026-01-05T11:00:00Z",
    until: "2026-01-05T13:00:00Z",
    enforced: true,
    priority: 900,
    tenant: "default",
    evictable: false,
  };
  const batch = (timeoutSeconds: number) => ({
    type: "batch" as const,
    batch: { parallelTasks: 1, maxRetries: 0, completionPolicy: "All" as const, timeoutSeconds },
  });
  // the large one starts in an hour: whoever runs longer on its place would delay it
  const large = intent({ name: "large", priority: 800, gpu: { count: 4 }, workload: batch(3600) });
  const others = ["a", "b", "c"].map((name) =>
    intent({ name, gpu: { count: name === "c" ? 1 : 2 }, workload: batch(7200) }),
  );
  const decide = (intents: Intent[]) =>
    plan(prepare(snapshot(offers, { holdings: [running] })), intents, { solver: highs, explain: false });
  const free = await decide(others);
  const bound = await decide([large, ...others]);
  expect(where(free.decisions)).toBe("a:busyx1 b:waiting c:sparex1");
  expect(where(bound.decisions)).toBe("a:waiting b:waiting c:sparex1 large:waiting");
  expect(bound.batch!.gain).toBeLessThan(free.batch!.gain);
  expect(bound.batch!.gap).toBeGreaterThan(0);
  const { gain, bound: most, gap } = bound.batch!;
  expect(gap).toBeCloseTo((most - gain) / gain, 9);
});
