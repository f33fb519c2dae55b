import fc from "fast-check";
import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import type { Holding } from "../../../engine/model/snapshot.ts";
import { advise } from "../../../engine/resilience/advise.ts";
import { eur, flavor, type IntentChanges, intent, snapshot } from "../builders.ts";

const priced = (id: string, price: number, gpus = 4, free = gpus, changes: object = {}): Flavor =>
  flavor(id, {
    capacity: { gpus, gpusFree: free },
    price: { basis: "gpu", onDemand: eur(price) },
    ...changes,
  });
const runs = (name: string, offer: string, gpus: number, changes: Partial<Holding> = {}): Holding => ({
  intent: name,
  offer,
  gpus,
  since: "2026-01-05T06:00:00Z",
  priority: 500,
  tenant: "default",
  evictable: true,
  ...changes,
});
const service = (name: string, gpus: number) => intent({ name, gpu: { count: gpus } });
const batch = (name: string, changes: IntentChanges = {}) =>
  intent({
    name,
    workload: {
      type: "batch",
      batch: { parallelTasks: 1, maxRetries: 0, completionPolicy: "All", estimatedRuntimeSeconds: 36_000 },
    },
    ...changes,
  });

test.for<{ name: string; price: number; holding?: Partial<Holding>; isBatch?: boolean; proposes: boolean }>([
  { name: "much cheaper for a service: proposed", price: 0.7, proposes: true },
  { name: "a small flicker of prices moves nothing", price: 0.91, proposes: false },
  { name: "just enough of a saving", price: 0.9, proposes: true },
  { name: "ten hours of work without a checkpoint would be lost", price: 0.7, isBatch: true, proposes: true },
  {
    name: "a day of work without a checkpoint would be lost",
    price: 0.8,
    isBatch: true,
    holding: { since: "2026-01-04T06:00:00Z" },
    proposes: false,
  },
  {
    name: "the same with a fresh checkpoint",
    price: 0.8,
    isBatch: true,
    holding: { since: "2026-01-04T06:00:00Z", lastCheckpoint: "2026-01-05T11:50:00Z" },
    proposes: true,
  },
  {
    name: "it ends before the move has paid",
    price: 0.8,
    isBatch: true,
    holding: { lastCheckpoint: "2026-01-05T11:50:00Z", until: "2026-01-05T12:30:00Z" },
    proposes: false,
  },
])("$name", ({ price, holding, isBatch, proposes }) => {
  const state = snapshot([priced("old", 1, 4, 3), priced("new", price)], {
    holdings: [runs("work", "old", 1, holding)],
  });
  const proposals = advise(prepare(state), [isBatch === true ? batch("work") : service("work", 1)]);
  expect(proposals.map(({ kind, to }) => [kind, to[0]!.offer])).toEqual(proposes ? [["cheaper", "new"]] : []);
  for (const { paybackHours, moveMicro, beforeMicro, afterMicro } of proposals) {
    expect(paybackHours).toBeCloseTo(moveMicro / (beforeMicro - afterMicro), 9);
    expect(paybackHours).toBeLessThanOrEqual(24);
  }
});

test("egress that is known counts in the payback", () => {
  const state = snapshot([priced("old", 1, 4, 3), priced("new", 0.7)], {
    holdings: [runs("work", "old", 1)],
  });
  const work = [service("work", 1)];
  expect(advise(prepare(state), work, { egressMicro: 7_000_000 })).toHaveLength(1);
  expect(advise(prepare(state), work, { egressMicro: 8_000_000 })).toEqual([]);
});

test("work on a node that is sold whole and mostly idle is right-sized", () => {
  const whole = priced("whole", 1, 8, 0, { divisible: false });
  const state = snapshot([whole, priced("small", 1.5)], { holdings: [runs("work", "whole", 2)] });
  expect(advise(prepare(state), [service("work", 2)])).toMatchObject([
    { kind: "right-size", beforeMicro: 8e6, afterMicro: 3e6, to: [{ offer: "small" }] },
  ]);
});

test("the last work on an offer is consolidated onto one that is in use, when that costs no more", () => {
  const offers = [priced("a", 1, 4, 3), priced("b", 1, 4, 1), priced("c", 1)];
  const state = snapshot(offers, { holdings: [runs("lonely", "a", 1), runs("crowd", "b", 3)] });
  const proposals = advise(prepare(state), [service("lonely", 1), service("crowd", 3)]);
  expect(proposals).toMatchObject([
    { kind: "consolidate", intent: "lonely", to: [{ offer: "b" }], empties: ["a"], paybackHours: null },
  ]);
});

test("proposals can be taken together: they never claim the same room twice", () => {
  const offers = [priced("dear", 2, 4, 0), priced("cheap", 1, 3)];
  const holdings = ["p", "q", "r", "s"].map((name) => runs(name, "dear", 1));
  const proposals = advise(
    prepare(snapshot(offers, { holdings })),
    ["p", "q", "r", "s"].map((name) => service(name, 1)),
  );
  expect(proposals.map(({ intent: name, to }) => [name, to[0]!.offer])).toEqual([
    ["p", "cheap"],
    ["q", "cheap"],
    ["r", "cheap"],
  ]);
});

test("advice on its own advice is silence: after the moves nothing is proposed", () => {
  const after = snapshot([priced("dear", 2), priced("cheap", 1, 3, 0)], {
    holdings: ["p", "q", "r"].map((name) => runs(name, "cheap", 1)),
  });
  expect(advise(prepare(after), [])).toEqual([]);
});

test("every proposal saves enough, pays back in time, and is not taken back when prices flicker afterwards", async () => {
  const offers = fc.array(
    fc.record({ gpus: fc.integer({ min: 2, max: 6 }), price: fc.integer({ min: 5, max: 20 }) }),
    { minLength: 2, maxLength: 4 },
  );
  const work = fc.array(
    fc.record({
      where: fc.nat(3),
      gpus: fc.integer({ min: 1, max: 3 }),
      hours: fc.integer({ min: 0, max: 12 }),
      left: fc.option(fc.integer({ min: 1, max: 48 }), { nil: undefined }),
    }),
    { maxLength: 6 },
  );
  const flicker = fc.array(fc.integer({ min: 97, max: 103 }), { minLength: 4, maxLength: 4 });
  let proposed = 0;
  fc.assert(
    fc.property(offers, work, flicker, (list, running, changes) => {
      const free = list.map(({ gpus }) => gpus);
      const atHours = (hours: number): string =>
        new Date(Date.parse("2026-01-05T12:00:00Z") + hours * 3_600_000).toISOString().replace(".000", "");
      const holdings = running.flatMap(({ where, gpus, hours, left }, index): Holding[] => {
        const on = where % list.length;
        if (free[on]! < gpus) return [];
        free[on]! -= gpus;
        const until = left === undefined ? {} : { until: atHours(left) };
        return [runs(`run-${index}`, `o${on}`, gpus, { since: atHours(-hours), ...until })];
      });
      const sold = (prices: readonly number[], room: readonly number[]): Flavor[] =>
        list.map(({ gpus }, index) => priced(`o${index}`, prices[index]!, gpus, room[index]!));
      const prices = list.map(({ price }) => price / 10);
      const catalog = prepare(snapshot(sold(prices, free), { holdings }));
      const proposals = advise(catalog, []);
      catalog.table.dispose();
      const after = [...free];
      const moved = new Map(proposals.map((one) => [one.intent, one]));
      for (const one of proposals) {
        const saving = one.beforeMicro - one.afterMicro;
        proposed++;
        if (one.kind === "consolidate") expect(saving).toBeGreaterThanOrEqual(0);
        else {
          expect(saving).toBeGreaterThanOrEqual(0.1 * one.beforeMicro);
          expect(one.paybackHours! * saving).toBeCloseTo(one.moveMicro, 3);
          const { until } = holdings.find(({ intent: name }) => name === one.intent)!;
          const left =
            until === undefined ? 24 : (Date.parse(until) - Date.parse("2026-01-05T12:00:00Z")) / 3_600_000;
          expect(one.paybackHours!).toBeLessThanOrEqual(Math.min(24, left));
        }
      }
      const next = holdings.map((holding): Holding => {
        const to = moved.get(holding.intent)?.to[0];
        if (to === undefined) return holding;
        after[Number(holding.offer.slice(1))]! += holding.gpus;
        after[Number(to.offer.slice(1))]! -= holding.gpus;
        return { ...holding, offer: to.offer, since: "2026-01-05T12:00:00Z" };
      });
      expect(Math.min(...after)).toBeGreaterThanOrEqual(0);
      const flickered = prices.map((price, index) => (price * changes[index]!) / 100);
      const later = prepare(snapshot(sold(flickered, after), { holdings: next }));
      const again = advise(later, []).filter(({ kind }) => kind !== "consolidate");
      later.table.dispose();
      for (const one of again)
        expect(
          [...moved.values()].some(
            ({ intent: name, from }) => name === one.intent && from.includes(one.to[0]!.offer),
          ),
        ).toBe(false);
    }),
    { numRuns: 150 },
  );
  expect(proposed).toBeGreaterThan(20);
});
