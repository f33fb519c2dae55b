import fc from "fast-check";
import { expect, test } from "vitest";
import { forgePlan } from "../../../adapters/json/decision.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import { plan } from "../../../engine/plan.ts";
import { afterPlan } from "../../../engine/resilience/after.ts";
import { withLoss } from "../../../engine/resilience/failover.ts";
import { eur, flavor, holding, intent, snapshot } from "../builders.ts";

const sold = (id: string, provider: string, gpus: number, price: number): Flavor =>
  flavor(id, { provider, capacity: { gpus, gpusFree: gpus }, price: { basis: "gpu", onDemand: eur(price) } });

test("on request each placed intent has a plan B, which counts on no place that another one needs too", async () => {
  const state = snapshot([sold("a", "alpha", 4, 1), sold("b", "beta", 2, 2)]);
  const intents = ["one", "two"].map((name) => intent({ name, gpu: { count: 2 } }));
  const made = await plan(prepare(state), intents, { planB: true });
  // both are at alpha; beta has room for one of them
  expect(made.decisions.map(({ planB }) => planB)).toMatchObject([
    [{ provider: "alpha", outcome: "placed", to: [{ offer: "b", gpus: 2 }], moreMicro: 2e6 }],
    [{ provider: "alpha", outcome: "waiting", reason: "CAPACITY_BUSY", moreMicro: null }],
  ]);
  const { intents: told } = forgePlan(made, state) as { intents: { plan_b: object[] }[] };
  expect(told[0]!.plan_b).toMatchObject([
    { provider: "alpha", outcome: "placed", extra_cost_per_hour: { amount: 2, currency: "EUR" } },
  ]);
  const plain = await plan(prepare(state), intents);
  expect(plain.decisions.every((decision) => !("planB" in decision))).toBe(true);
  expect(plain.decisions.map(({ planB: _, ...rest }) => rest)).toEqual(
    made.decisions.map(({ planB: _, ...rest }) => rest),
  );
});

test("running work that was planned again has a plan B too, and what waits has none", async () => {
  const state = snapshot(
    [{ ...sold("a", "alpha", 2, 1), capacity: { gpus: 2, gpusFree: 0 } }, sold("b", "beta", 1, 2)],
    {
      holdings: [
        {
          intent: "runs",
          offer: "a",
          gpus: 2,
          since: "2026-01-05T06:00:00Z",
          priority: 500,
          tenant: "default",
          evictable: false,
        },
      ],
    },
  );
  const made = await plan(
    prepare(state),
    [intent({ name: "runs", gpu: { count: 2 } }), intent({ name: "waits", gpu: { count: 2 } })],
    { planB: true },
  );
  expect(made.decisions).toMatchObject([
    { intent: "runs", reason: "RUNNING", planB: [{ provider: "alpha", outcome: "refused", to: [] }] },
    { intent: "waits", outcome: "waiting" },
  ]);
  expect(made.decisions[1]!.planB).toBeUndefined();
});

test("a snapshot after a plan counts what the plan gave away, on the very devices", async () => {
  const devices = [0, 1].map((index) => ({ index, freeMilli: 1000 }));
  const state = snapshot([
    flavor("n", {
      gpu: { sharing: true },
      capacity: { gpus: 2, gpusFree: 2, devices, cpuMilli: 8000, cpuMilliFree: 6000 },
    }),
  ]);
  const intents = [
    intent({
      name: "half",
      gpu: { shared: true, fractionMilli: 500 },
      workload: { resources: { cpuMilli: 1000, gpu: { count: 1, preferredModels: [] } } },
    }),
    intent({ name: "third", gpu: { shared: true, fractionMilli: 300 } }),
  ];
  const made = await plan(prepare(state), intents);
  const { offers, holdings } = afterPlan(state, made, intents);
  expect(offers[0]!.capacity).toMatchObject({
    gpusFree: 1,
    cpuMilliFree: 5000,
    devices: [
      { index: 0, freeMilli: 200 },
      { index: 1, freeMilli: 1000 },
    ],
  });
  expect(holdings.map(({ intent: name }) => name)).toEqual(["half", "third"]);
});

test("a snapshot after a plan is without the work that makes way, also where nobody planned it anew", async () => {
  const state = snapshot([{ ...sold("a", "alpha", 4, 1), capacity: { gpus: 4, gpusFree: 0 } }], {
    holdings: [holding("old", "a", 3), holding("stays", "a", 1, { evictable: false })],
  });
  const intents = [intent({ name: "urgent", gpu: { count: 2 }, priority: 900 })];
  const made = await plan(prepare(state), intents);
  expect(made.evictions.map(({ intent: name }) => name)).toEqual(["old"]);
  const { offers, holdings } = afterPlan(state, made, intents);
  expect(holdings.map(({ intent: name }) => name)).toEqual(["stays", "urgent"]);
  expect(offers[0]!.capacity).toMatchObject({ gpus: 4, gpusFree: 1 });
});

test("every plan B holds: carried out after the loss, nothing else moved, it fits and avoids what is lost", async () => {
  const offers = fc.array(
    fc.tuple(
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom("alpha", "beta", "gamma"),
      fc.integer({ min: 1, max: 3 }),
    ),
    { minLength: 2, maxLength: 4 },
  );
  const asks = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom(300, 500)), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(offers, asks, async (list, wanted) => {
      const state = snapshot(
        list.map(([gpus, provider, price], index) => sold(`o${index}`, provider, gpus, price)),
      );
      const intents = wanted.map(([count, priority], index) =>
        intent({ name: `job-${index}`, gpu: { count }, priority }),
      );
      const options = { explain: false, work: 5000 } as const;
      const made = await plan(prepare(state), intents, { ...options, planB: true });
      const after = afterPlan(state, made, intents);
      for (const { id, capacity } of after.offers) {
        const used = after.holdings
          .filter(({ offer }) => offer === id)
          .reduce((sum, { gpus }) => sum + gpus, 0);
        expect(used + capacity.gpusFree).toBe(capacity.gpus);
      }
      const providers = new Set(made.decisions.flatMap(({ planB = [] }) => planB.map((one) => one.provider)));
      for (const provider of providers) {
        const free = new Map(
          withLoss(after, { provider })
            .offers.filter((offer) => offer.provider !== provider)
            .map(({ id, capacity }) => [id, capacity.gpusFree]),
        );
        for (const { placements, planB = [] } of made.decisions) {
          const own = planB.find((one) => one.provider === provider);
          expect(own !== undefined).toBe(placements.some((one) => one.provider === provider));
          for (const { offer, gpus } of own?.to ?? []) free.set(offer, (free.get(offer) ?? -99) - gpus);
        }
        expect([...free.values()].every((left) => left >= 0)).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});
