import fc from "fast-check";
import { expect, test } from "vitest";
import { generateSnapshot } from "../../../adapters/catalog/generate.ts";
import { readIntent } from "../../../adapters/json/intent.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import { follow } from "../../../engine/compile/changes.ts";
import { kernelTable } from "../../../engine/kernel/table.ts";
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
  ["wasm", kernelTable],
  ["typescript", twinTable],
] as const)("a catalogue that follows free capacity plans like one built anew (%s)", ([, makeTable]) =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { maxLength: 30 }), { minLength: 1, maxLength: 4 }),
      async (steps) => {
        let now = snapshot;
        let catalog = prepare(now, makeTable);
        await plan(catalog, intents);
        for (const step of steps) {
          now = changed(now, step);
          catalog = follow(catalog, now);
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
  {
    name: "prices",
    make: (s: Snapshot) =>
      s.offers.map((o, index) => {
        const { onDemand } = o.price;
        if (onDemand === undefined || index % 3 > 0) return o;
        return { ...o, price: { ...o.price, onDemand: { ...onDemand, micro: onDemand.micro * 3 } } };
      }),
  },
  {
    name: "offers that came and went, in no order",
    make: (s: Snapshot) => [
      { ...s.offers[0]!, id: "zz" },
      ...s.offers.slice(7),
      { ...s.offers[1]!, id: "aa" },
    ],
  },
  {
    name: "totals",
    make: (s: Snapshot) =>
      s.offers.map((o) => ({ ...o, capacity: { ...o.capacity, gpus: o.capacity.gpus + 1 } })),
  },
  { name: "no offers at all", make: () => [] },
])("$name are followed as if prepared anew", async ({ make }) => {
  const catalog = prepare(snapshot);
  await plan(catalog, intents);
  const now = { ...snapshot, offers: make(snapshot) };
  expect(await plan(follow(catalog, now), intents)).toEqual(await plan(prepare(now), intents));
});

test("a reservation binds on offers whose rows were added", async () => {
  const [first, ...others] = snapshot.offers;
  const reserved = (offers: Snapshot["offers"]): Snapshot => ({
    ...snapshot,
    offers,
    reservations: offers.map(({ id, capacity }) => ({
      id: `for-${id}`,
      tenant: "somebody-else",
      offer: id,
      gpus: capacity.gpus,
      start: "2026-03-01T00:00:00Z",
      end: "2027-03-01T00:00:00Z",
    })),
  });
  const later = reserved([{ ...first!, id: "zz" }, ...others]);
  const { decisions } = await plan(follow(prepare(reserved(snapshot.offers)), later), intents);
  expect(decisions).toEqual((await plan(prepare(later), intents)).decisions);
  expect(decisions.every(({ outcome }) => outcome !== "placed")).toBe(true);
});

test("another currency is prepared anew", () => {
  expect(() => follow(prepare(snapshot), { ...snapshot, currency: "USD" })).toThrow(
    /prepare the snapshot anew/,
  );
});

test("a cool-down that has passed ends with the moment, and rates follow the spot history", async () => {
  const spot = snapshot.offers.find(({ price }) => price.spot !== undefined)!;
  const history = (interruptions: number): Snapshot => ({
    ...snapshot,
    spotHistory: [{ offer: spot.id, hours: 10, interruptions, last: "2026-02-28T23:55:00Z" }],
  });
  const catalog = prepare(history(3));
  await plan(catalog, intents);
  expect(catalog.spotRates.coolUntilMs.size).toBeGreaterThan(0);
  const later = follow(catalog, { ...history(3), at: "2026-03-01T00:20:00Z" });
  expect(later.spotRates.coolUntilMs.size).toBe(0);
  expect(await plan(follow(later, history(9)), intents)).toEqual(await plan(prepare(history(9)), intents));
});
