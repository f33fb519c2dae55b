import fc from "fast-check";
import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Scope } from "../../../engine/compile/constraints/spec.ts";
import { encode, failingRows } from "../../../engine/compile/encode.ts";
import { needOf } from "../../../engine/compile/need.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import { plan } from "../../../engine/plan.ts";
import { flavor, intent, oneTask, snapshot } from "../builders.ts";
import { intents, offers } from "../plan/arbitraries.ts";

/** What of a scope is not its need. */
const around = fc.record({
  taken: fc.option(
    fc.record({ offer: fc.integer({ min: 0, max: 2 }), gpus: fc.integer({ min: -1, max: 2 }) }),
  ),
  asIfFree: fc.boolean(),
  keepsReserve: fc.boolean(),
  lodging: fc.option(fc.constantFrom("on-demand" as const, "spot" as const, 0)),
  left: fc.option(fc.integer({ min: 0, max: 2000 })),
});

test("what the constraints of a need say is the same whatever else the scopes differ in", () => {
  fc.assert(
    fc.property(
      offers,
      intents,
      fc.option(fc.integer({ min: 0, max: 2 })),
      fc.array(around, { minLength: 2, maxLength: 5 }),
      (some, one, hours, scopes) => {
        const [first] = some;
        if (first === undefined) return;
        const catalog = prepare(
          snapshot(
            some.map((one) => ({ ...one, capacity: { ...one.capacity, pods: 2, podsFree: 1 } })),
            {
              outages: [{ offer: first.id, start: "2026-01-05T11:00:00Z", end: "2026-01-05T13:00:00Z" }],
            },
          ),
        );
        const deadline = hours === null ? {} : { deadline: `2026-01-05T1${hours + 2}:30:00Z` };
        const batch = hours === null ? {} : oneTask({ timeoutSeconds: 3600 });
        const asked: Intent = {
          ...one,
          workload: {
            ...one.workload,
            ...batch,
            resources: { ...one.workload.resources, cpuMilli: 1000, memoryMib: 4096 },
          },
          constraints: { ...one.constraints, ...deadline },
        };
        const need = needOf(catalog, asked);
        expect(needOf(catalog, asked)).toBe(need);
        for (const { taken, left, lodging, ...rest } of scopes) {
          const usage = { cpuMilli: 63_500, memoryMib: 255 * 1024, pods: 1, gpus: taken?.gpus ?? 0 };
          const standing = { resource: "*", nominal: 2000, used: 0, available: left ?? 0 } as const;
          const scope: Scope = {
            ...rest,
            catalog,
            need,
            usage: new Map(taken === null ? [] : [[Math.min(taken.offer, some.length - 1), usage]]),
            ...(left === null ? {} : { limits: { now: [standing], ever: [standing] } }),
            ...(lodging === null ? {} : { lodging }),
          };
          const told = ({ need: by }: Pick<Scope, "need">): unknown =>
            encode({ ...scope, need: by }, 1).query.constraints.map((constraint) => [
              constraint.name,
              failingRows(catalog, constraint),
            ]);
          expect(told(scope)).toEqual(told({ need: { ...need } }));
        }
      },
    ),
    { numRuns: 300, seed: 5 },
  );
});

test.for([{ maxLatencyMs: 12 }, {}])(
  "a need that an earlier plan had names no column that has become another's (%o)",
  async (bound) => {
    // from each origin others are near
    const some = Array.from({ length: 20 }, (_, index) =>
      flavor(`offer-${10 + index}`, { coordinates: { latitude: 40, longitude: index * 2 }, network: {} }),
    );
    const catalog = prepare(snapshot(some));
    const from = (longitude: number): Intent =>
      intent({
        objective: "latency",
        constraints: { origin: { coordinates: { latitude: 40, longitude } }, ...bound },
      });
    const told = async (on: typeof catalog, one: Intent): Promise<unknown> => {
      const { engine: _, ...rest } = await plan(on, [one], { explain: false });
      return rest;
    };
    // asked so often that columns tell it
    for (let round = 0; round < 20; round++) await told(catalog, from(0));
    const mine = from(0);
    const before = await told(catalog, mine);
    expect(catalog.spareColumns.length + catalog.spareNumeric.length).toBe(0);
    // so many origins that its columns are given up, and taken by the last
    for (let origin = 1; origin <= 60; origin++) await told(catalog, from(origin / 2));
    for (let round = 0; round < 20; round++) await told(catalog, from(38));
    expect(await told(catalog, mine)).toEqual(before);
  },
);
