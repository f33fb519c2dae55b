import fc from "fast-check";
import { expect, test } from "vitest";
import { type Catalog, prepare } from "../../../engine/compile/catalog.ts";
import { applyChanges } from "../../../engine/compile/changes.ts";
import { kernelTable } from "../../../engine/kernel/table.ts";
import { twinTable } from "../../../engine/kernel/twin.ts";
import { EngineError } from "../../../engine/model/errors.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, intent, snapshot } from "../builders.ts";
import { intents, offers } from "../plan/arbitraries.ts";

const decide = async (catalog: Catalog, wanted: readonly Intent[]) => {
  const { engine: _, ...rest } = await plan(catalog, wanted, { tradeoffs: true });
  return rest;
};

/** Which of the possible ids a step writes and which it removes. */
const steps = fc.array(
  fc.record({
    fresh: offers,
    removed: fc.subarray(Array.from({ length: 9 }, (_, index) => `offer-${index}`)),
  }),
  { minLength: 1, maxLength: 4 },
);

test("plans over changed rows are those over the changed snapshot prepared anew", async () => {
  await fc.assert(
    fc.asyncProperty(
      offers,
      steps,
      fc.array(intents, { minLength: 1, maxLength: 3 }),
      async (first, list, some) => {
        const wanted = some.map((one, index) => ({ ...one, name: `intent-${index}` }));
        for (const makeTable of [kernelTable, twinTable, undefined]) {
          let current = new Map(first.map((one) => [one.id, one]));
          let catalog = prepare(snapshot(first), makeTable);
          for (const { fresh, removed } of list) {
            // what an earlier plan has cached must follow the changes too
            await decide(catalog, wanted);
            const written = fresh.filter(({ id }) => !removed.includes(id) || id > "offer-4");
            catalog = applyChanges(catalog, { offers: written, removed });
            current = new Map([...current].filter(([id]) => !removed.includes(id)));
            for (const one of written) current.set(one.id, one);
            const anew = prepare(snapshot([...current.values()]));
            expect(catalog.snapshot.offers).toEqual(anew.snapshot.offers);
            expect(await decide(catalog, wanted)).toEqual(await decide(anew, wanted));
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

const many = (count: number): Flavor[] =>
  Array.from({ length: count }, (_, index) =>
    flavor(`offer-${String(index).padStart(5, "0")}`, {
      price: { basis: "gpu", onDemand: eur(2 + (index % 7)) },
    }),
  );

test("a price change alone moves the choice, and the row stays", async () => {
  const catalog = prepare(snapshot(many(3000)));
  const wanted = [intent({ objective: "cost" })];
  const before = await decide(catalog, wanted);
  expect(before.decisions[0]!.placements[0]!.offer).toBe("offer-00000");
  const rows = catalog.table.rows;
  const cheaper = flavor("offer-02999", { price: { basis: "gpu", onDemand: eur(1) } });
  const changed = applyChanges(catalog, { offers: [cheaper], snapshot: { version: "2" } });
  const after = await decide(changed, wanted);
  expect(after.decisions[0]!.placements[0]!.offer).toBe("offer-02999");
  expect(after.snapshotVersion).toBe("2");
  expect([changed.table, changed.table.rows]).toEqual([catalog.table, rows]);
});

test("a catalog doubles by changes, past the room it began with", async () => {
  const all = many(5000);
  let catalog = prepare(snapshot(all.slice(0, 1000)));
  const wanted = [intent({ objective: "cost" }), intent({ objective: "latency", name: "near" })];
  await decide(catalog, wanted);
  for (let from = 1000; from < all.length; from += 500)
    catalog = applyChanges(catalog, { offers: all.slice(from, from + 500) });
  expect(await decide(catalog, wanted)).toEqual(await decide(prepare(snapshot(all)), wanted));
});

test("a catalog whose rows were changed refuses to plan", async () => {
  const catalog = prepare(snapshot(many(2)));
  applyChanges(catalog, { removed: ["offer-00000"] });
  await expect(plan(catalog, [intent()])).rejects.toThrow("use the one that applyChanges returned");
});

test("two changes of one offer at once are refused", () => {
  const catalog = prepare(snapshot(many(2)));
  const [one] = many(1);
  expect(() => applyChanges(catalog, { offers: [one!, one!] })).toThrow(EngineError);
});
