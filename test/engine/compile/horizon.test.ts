import fc from "fast-check";
import { expect, test } from "vitest";
import { openAccounts, scopeIn } from "../../../engine/assign/accounts.ts";
import { addUsage } from "../../../engine/assign/serve.ts";
import { createCalendar, type Look, look } from "../../../engine/calendar/calendar.ts";
import { timelinesOf } from "../../../engine/calendar/timeline.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import { slotsOver, viewerOf, withoutRoom } from "../../../engine/compile/horizon.ts";
import { flavor, intent, snapshot } from "../builders.ts";

const at = (hours: number): string => new Date(Date.UTC(2026, 0, 5, 12 + hours)).toISOString();
const offers = [0, 1, 2].map((index) =>
  flavor(`offer-${index}`, { capacity: { gpus: 4, gpusFree: 3 }, divisible: index < 2 }),
);
const spans = fc.record({
  offer: fc.integer({ min: 0, max: 2 }),
  start: fc.integer({ min: -2, max: 6 }),
  hours: fc.integer({ min: 1, max: 4 }),
  gpus: fc.integer({ min: 1, max: 4 }),
  owner: fc.integer({ min: 0, max: 3 }),
});

const shown = ({ steps, sure, promises, closed, now, least }: Look): unknown => ({
  steps,
  sure,
  promises,
  closed,
  now,
  least,
});

test("the same rows have no room as one by one, whoever asks and however often", () => {
  fc.assert(
    fc.property(
      fc.array(spans, { maxLength: 4 }),
      fc.array(spans, { maxLength: 2 }),
      fc.array(
        fc.record({
          count: fc.integer({ min: 1, max: 4 }),
          hours: fc.option(fc.integer({ min: 1, max: 8 })),
          tenant: fc.integer({ min: 0, max: 1 }),
          name: fc.integer({ min: 0, max: 3 }),
          taken: fc.option(fc.integer({ min: 0, max: 2 })),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      (held, closed, asking) => {
        const world = snapshot(offers, {
          reservations: held.map(({ offer, start, hours, gpus, owner }, index) => ({
            id: `r-${index}`,
            tenant: `tenant-${owner % 2}`,
            offer: `offer-${offer}`,
            gpus,
            start: at(start),
            end: at(start + hours),
            ...(owner > 1
              ? { intent: `job-${owner}`, basis: owner > 2 ? ("estimate" as const) : ("promise" as const) }
              : {}),
          })),
          maintenance: closed.map(({ offer, start, hours }) => ({
            offer: `offer-${offer}`,
            start: at(start),
            end: at(start + hours),
          })),
        });
        const catalog = prepare(world);
        for (const { count, hours, tenant, name, taken } of asking) {
          const workload =
            hours === null
              ? {}
              : {
                  type: "batch" as const,
                  batch: {
                    parallelTasks: 1,
                    maxRetries: 0,
                    completionPolicy: "All" as const,
                    timeoutSeconds: hours * 3600,
                  },
                };
          const asked = {
            ...intent({ name: `job-${name}`, gpu: { count }, workload }),
            tenant: `tenant-${tenant}`,
          };
          const accounts = openAccounts(catalog);
          if (taken !== null)
            addUsage(accounts.usage, taken, { gpus: 1, cpuMilli: 0, memoryMib: 0, pods: 0 }, 1);
          const scope = scopeIn(accounts, asked);
          const bits = withoutRoom(scope);
          // what was looked at before, by whomever, does not show
          const anew = { ...scope, catalog: prepare(world) };
          for (let row = 0; row < catalog.options.count; row++)
            expect((bits[row >> 5]! >> (row & 31)) & 1).toBe(
              Number(slotsOver(anew, row) < scope.need.perOffer),
            );
          for (const letsEstimatesSlip of [true, false])
            for (const offer of offers.keys()) {
              const seen = look({ ...catalog.calendar, letsEstimatesSlip }, offer, viewerOf(scope.need));
              const first = createCalendar(timelinesOf(world));
              expect(shown(seen)).toEqual(
                shown(look({ ...first, letsEstimatesSlip }, offer, viewerOf(scope.need))),
              );
            }
        }
      },
    ),
    { numRuns: 150, seed: 71 },
  );
});
