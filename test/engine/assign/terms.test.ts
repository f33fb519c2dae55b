import fc from "fast-check";
import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import { type Floor, type Limit, noTerms, type Running, type Terms } from "../../../engine/model/terms.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, intent, snapshot } from "../builders.ts";

const highs = await createHighsSolver();

const of = (tenant: string, name: string, gpus = 1, priority = 500): Intent => ({
  ...intent({ name, gpu: { count: gpus }, priority }),
  tenant,
});
const gpuLimit = (tenant: string, left: number): Limit => ({
  kind: "quota",
  left,
  concerns: (one) => one.tenant === tenant,
  amountOf: ({ gpus }) => gpus,
});
const budget = (tenant: string, left: number): Limit => ({
  kind: "budget",
  left,
  concerns: (one) => one.tenant === tenant,
  amountOf: ({ billedMicro }) => billedMicro,
});
const gpuFloor = (tenant: string, least: number): Floor => ({
  least,
  concerns: (one) => one.tenant === tenant,
  amountOf: ({ gpus }) => gpus,
});
const running = (name: string, offer: string, gpus: number, priority: number, lossMicro = 1): Running => ({
  intent: name,
  priority,
  offer,
  gpus,
  cpuMilli: 0,
  memoryMib: 0,
  pods: 1,
  lossMicro,
  returns: [],
});

const offer = (id: string, gpus: number, free: number, price = 1, divisible = true) =>
  flavor(id, {
    capacity: { gpus, gpusFree: free },
    divisible,
    price: { basis: "gpu", onDemand: eur(price) },
  });

interface Case {
  readonly name: string;
  readonly offers: Parameters<typeof snapshot>[0];
  readonly intents: readonly Intent[];
  readonly terms: Partial<Terms>;
  readonly placed: string;
  readonly evicted?: readonly string[];
}

test.for<Case>([
  {
    name: "a quota binds although capacity is free",
    offers: [offer("o", 4, 4)],
    intents: [of("a", "a1"), of("a", "a2"), of("b", "b1")],
    terms: { limits: [gpuLimit("a", 1)] },
    placed: "a1 b1",
  },
  {
    name: "a budget sends the second intent to the cheaper offer, not away",
    offers: [offer("cheap", 1, 1, 1), offer("dear", 4, 4, 3)],
    intents: [of("a", "a1"), of("b", "b1"), of("b", "b2")],
    terms: { limits: [budget("a", 1_000_000)] },
    placed: "a1 b1 b2",
  },
  {
    name: "without floors the older tenant's large gang keeps everything",
    offers: [offer("o", 4, 4)],
    intents: [of("a", "a1", 4), of("b", "b1")],
    terms: {},
    placed: "a1",
  },
  {
    name: "a floor is served before the utility of others",
    offers: [offer("o", 4, 4)],
    intents: [of("a", "a1", 4), of("b", "b1")],
    terms: { floors: [gpuFloor("b", 1)] },
    placed: "b1",
  },
  {
    name: "what exceeds the floor competes like everybody else",
    offers: [offer("o", 4, 4)],
    intents: [of("a", "a1", 3), of("b", "b1"), of("b", "b2"), of("b", "b3")],
    terms: { floors: [gpuFloor("b", 1)] },
    placed: "a1 b1",
  },
  {
    name: "a floor never overrides a higher priority",
    offers: [offer("o", 4, 4)],
    intents: [of("a", "a1", 4, 700), of("b", "b1")],
    terms: { floors: [gpuFloor("b", 1)] },
    placed: "a1",
  },
  {
    name: "running work makes way for higher priority, and only as much as needed",
    offers: [offer("o", 4, 0)],
    intents: [of("a", "a1", 2, 700), of("b", "b1", 1, 300)],
    terms: { running: [running("r1", "o", 2, 300, 5), running("r2", "o", 2, 300, 9)] },
    placed: "a1",
    evicted: ["r1"],
  },
  {
    name: "running work never makes way for equal priority",
    offers: [offer("o", 4, 1)],
    intents: [of("a", "a1", 2, 300), of("b", "b1", 1, 300)],
    terms: { running: [running("r1", "o", 3, 300)] },
    placed: "b1",
  },
  {
    name: "nothing is evicted when the preemptor would not fit all the same",
    offers: [offer("o", 8, 0)],
    intents: [of("a", "a1", 6, 700), of("b", "b1", 6, 700)],
    terms: { running: [running("r1", "o", 2, 300), running("r2", "o", 2, 300)] },
    placed: "",
  },
  {
    name: "an offer sold whole is taken over whole",
    offers: [offer("whole", 4, 0, 1, false)],
    intents: [of("a", "a1", 2, 700), of("b", "b1", 2, 700)],
    terms: { running: [running("r1", "whole", 4, 300)] },
    placed: "a1",
    evicted: ["r1"],
  },
])("$name", async ({ offers, intents, terms, placed, evicted = [] }) => {
  for (const solver of [undefined, highs]) {
    const { decisions, batch } = await plan(prepare(snapshot(offers)), intents, {
      terms: { ...noTerms, ...terms },
      ...(solver === undefined ? {} : { solver }),
    });
    const names = decisions.filter(({ outcome }) => outcome === "placed").map(({ intent: name }) => name);
    expect(names.join(" ")).toBe(placed);
    expect(batch!.evicted).toEqual(evicted);
  }
});

test("random terms: limits hold, evictions serve higher priority on their offer, floors cost no priority", async () => {
  const small = fc.record({
    offers: fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 2 })), {
      minLength: 1,
      maxLength: 2,
    }),
    intents: fc.array(
      fc.tuple(fc.constantFrom("a", "b"), fc.integer({ min: 1, max: 3 }), fc.constantFrom(300, 500)),
      { minLength: 2, maxLength: 5 },
    ),
    quota: fc.integer({ min: 0, max: 4 }),
    floor: fc.integer({ min: 0, max: 3 }),
    priority: fc.constantFrom(100, 300),
  });
  await fc.assert(
    fc.asyncProperty(small, async ({ offers, intents, quota, floor, priority }) => {
      const list = offers.map(([free, held], index) => offer(`o${index}`, Math.max(1, free + held), free));
      const terms: Terms = {
        limits: [gpuLimit("a", quota)],
        floors: [gpuFloor("b", floor)],
        running: offers.flatMap(([, held], index) =>
          held > 0 ? [running(`r${index}`, `o${index}`, held, priority)] : [],
        ),
      };
      const wanted = intents.map(([tenant, gpus, rank], index) => of(tenant, `i${index}`, gpus, rank));
      // capacity, eligibility and prices are recounted inside: a broken one throws
      const { decisions, batch } = await plan(prepare(snapshot(list)), wanted, {
        terms,
        solver: highs,
        work: 20_000,
        explain: false,
      });
      const byName = new Map(wanted.map((one) => [one.name, one]));
      const placements = decisions.flatMap((one) =>
        one.placements.map(({ offer: id, gpus }) => ({ intent: byName.get(one.intent)!, id, gpus })),
      );
      const used = placements.reduce((sum, one) => sum + (one.intent.tenant === "a" ? one.gpus : 0), 0);
      expect(used).toBeLessThanOrEqual(quota);
      for (const name of batch!.evicted) {
        const victim = terms.running.find((one) => one.intent === name)!;
        const above = placements.filter(
          ({ id, intent: by }) => id === victim.offer && by.priority > victim.priority,
        );
        const free = list.find(({ id }) => id === victim.offer)!.capacity.gpusFree;
        expect(above.reduce((sum, { gpus }) => sum + gpus, 0)).toBeGreaterThan(0);
        // it did not fit without the eviction
        const all = placements.filter(({ id }) => id === victim.offer);
        expect(all.reduce((sum, { gpus }) => sum + gpus, 0)).toBeGreaterThan(free);
      }
    }),
    { numRuns: 150, seed: 31 },
  );
});
