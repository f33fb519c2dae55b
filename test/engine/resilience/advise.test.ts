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
