import fc from "fast-check";
import { expect, test } from "vitest";
import { generateSnapshot } from "../../../adapters/catalog/generate.ts";
import { readIntent } from "../../../adapters/json/intent.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import { amend } from "../../../engine/compile/amend.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import { twinTable } from "../../../engine/kernel/twin.ts";
import type { Snapshot } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";

const snapshot = readSnapshot(generateSnapshot(60, 3), { at: "2026-03-01T00:00:00Z" });
const intents = [1, 2, 5].map((count) =>
  readIntent({
    intent: {
      objective: "Balanced_Optimization",
      workload: {
        type: "service",
        name: `wants-${count}`,
        image: "registry.example.org/serve:1",
        resources: { cpu: "4", memory: "16Gi", gpu: { count } },
      },
      constraints: { preemptible: true },
    },
  }),
);

/** The snapshot with other free capacities, by offer index. */
function changed(from: Snapshot, changes: readonly (readonly [number, number, number])[]): Snapshot {
  const offers = [...from.offers];
  for (const [index, gpus, cpu] of changes) {
    const offer = offers[index % offers.length]!;
    const { capacity } = offer;
    const gpusFree = Math.min(capacity.gpus, gpus);
    offers[index % offers.length] = {
      ...offer,
      capacity: { ...capacity, gpusFree, cpuMilliFree: cpu * 2000 },
    };
  }
  return { ...from, offers, version: "later" };
}

const change = fc.tuple(fc.nat(59), fc.nat(9), fc.nat(9));

test.for([
  ["wasm", undefined],
  ["typescript", twinTable],
] as const)("a catalogue amended in steps plans like one built anew (%s)", ([, makeTable]) =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { maxLength: 30 }), { minLength: 1, maxLength: 4 }),
      async (steps) => {
        let now = snapshot;
        let catalog = prepare(now, makeTable);
        await plan(catalog, intents);
        for (const step of steps) {
          now = changed(now, step);
          catalog = amend(catalog, now);
          const anew = prepare(now, makeTable);
          expect(await plan(catalog, intents)).toEqual(await plan(anew, intents));
          anew.table.dispose();
        }
        catalog.table.dispose();
      },
    ),
    { numRuns: 15 },
  ),
);

test.for([
  { name: "a price", make: (s: Snapshot) => s.offers.map((o) => ({ ...o, price: { ...o.price } })) },
  { name: "an offer that came", make: (s: Snapshot) => [...s.offers, { ...s.offers[0]!, id: "zz" }] },
  {
    name: "a total",
    make: (s: Snapshot) =>
      s.offers.map((o) => ({ ...o, capacity: { ...o.capacity, gpus: o.capacity.gpus + 1 } })),
  },
])("$name cannot be amended", ({ make }) => {
  const catalog = prepare(snapshot);
  expect(() => amend(catalog, { ...snapshot, offers: make(snapshot) })).toThrow(/only free capacity/);
});

test("a cool-down that has passed ends with the moment, and another spot history is prepared anew", () => {
  const spot = snapshot.offers.find(({ price }) => price.spot !== undefined)!;
  const history = (interruptions: number): Snapshot => ({
    ...snapshot,
    spotHistory: [{ offer: spot.id, hours: 10, interruptions, last: "2026-02-28T23:55:00Z" }],
  });
  const catalog = prepare(history(3));
  expect(catalog.spotRates.coolUntilMs.size).toBeGreaterThan(0);
  const later = amend(catalog, { ...history(3), at: "2026-03-01T00:20:00Z" });
  expect(later.spotRates.coolUntilMs.size).toBe(0);
  expect(() => amend(later, history(9))).toThrow(/one spot history/);
});
