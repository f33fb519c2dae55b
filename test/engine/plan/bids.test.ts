import fc from "fast-check";
import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import type { Plan } from "../../../engine/model/plan.ts";
import type { Reservation } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, type IntentChanges, intent, oneTask, snapshot } from "../builders.ts";

const offer = (id: string, gpus: number, price: number) =>
  flavor(id, { capacity: { gpus, gpusFree: gpus }, price: { basis: "gpu", onDemand: eur(price) } });
const bidding = (name: string, bid: number, changes: IntentChanges = {}): Intent => ({
  ...intent({ name, ...changes }),
  bidPerGpuHour: eur(bid),
});
const told = ({ decisions }: Plan): Record<string, string> =>
  Object.fromEntries(
    decisions.map((one) => [
      one.intent,
      one.outcome === "placed"
        ? one.placements.map((at) => `${at.offer} ${at.costMicro / 1e6}`).join("+")
        : one.reason,
    ]),
  );

test("the highest bids win the contended offer and pay the first bid that did not fit", async () => {
  const made = await plan(prepare(snapshot([offer("cheap", 2, 1), offer("dear", 4, 5)])), [
    bidding("a", 2),
    bidding("b", 4),
    bidding("c", 3),
    intent({ name: "d" }),
  ]);
  expect(told(made)).toEqual({ a: "dear 5", b: "cheap 2", c: "cheap 2", d: "dear 5" });
  expect(made.clearings).toEqual([
    {
      offer: "cheap",
      gpusFree: 2,
      listMicro: 1_000_000,
      priceMicro: 2_000_000,
      bids: 3,
      winners: ["b", "c"],
    },
  ]);
  const [a, b] = made.decisions;
  expect(a!.bid).toEqual({ offer: "cheap", bidMicro: 2_000_000, priceMicro: 2_000_000, isWon: false });
  expect(b!.bid).toMatchObject({ isWon: true, bidMicro: 4_000_000 });
  expect(b!.placements[0]).toMatchObject({ clearingMicro: 2_000_000, costMicro: 2_000_000 });
});

test("without contention a bid changes nothing: the list price", async () => {
  const made = await plan(prepare(snapshot([offer("o", 4, 1)])), [bidding("a", 9), intent({ name: "b" })]);
  expect(told(made)).toEqual({ a: "o 1", b: "o 1" });
  expect(made.clearings).toEqual([]);
});

test("what the auction leaves over goes to the ordinary queue at list price", async () => {
  const made = await plan(prepare(snapshot([offer("o", 3, 1)])), [
    bidding("a", 9),
    intent({ name: "b", gpu: { count: 2 } }),
    intent({ name: "c", gpu: { count: 2 } }),
  ]);
  expect(told(made)).toEqual({ a: "o 1", b: "o 2", c: "CAPACITY_BUSY" });
});

test("a bid never makes an intent pay more than its cap", async () => {
  const made = await plan(prepare(snapshot([offer("o", 1, 1)])), [
    bidding("capped", 9, { constraints: { maxHourlyCost: eur(2) } }),
    bidding("open", 3),
  ]);
  expect(told(made)).toEqual({ capped: "CAPACITY_BUSY", open: "o 2" });
});

test("a bid below the list price is no bid", async () => {
  const made = await plan(prepare(snapshot([offer("o", 1, 2)])), [bidding("a", 1), bidding("b", 1.5)]);
  expect(made.clearings).toEqual([]);
  expect(told(made)).toEqual({ a: "CAPACITY_BUSY", b: "o 2" });
});

test("priority comes before any bid", async () => {
  const made = await plan(prepare(snapshot([offer("o", 1, 1)])), [
    bidding("rich", 99),
    intent({ name: "urgent", priority: 700 }),
  ]);
  expect(told(made)).toEqual({ rich: "CAPACITY_BUSY", urgent: "o 1" });
});

test("a bid in a currency without a rate is refused by name, the others are planned", async () => {
  const made = await plan(prepare(snapshot([offer("o", 1, 1)])), [
    { ...intent({ name: "a" }), bidPerGpuHour: { micro: 5_000_000, currency: "XTS" } },
    { ...intent({ name: "b" }), bidPerGpuHour: { micro: 5_000_000, currency: "USD" } },
  ]);
  const [a, b] = made.decisions;
  expect(a).toMatchObject({ outcome: "refused", reason: "INVALID_INTENT", counterfactuals: [] });
  expect(a!.message).toContain("XTS");
  expect(b!.outcome).toBe("placed");
});

test("capacity that is promised to somebody else is not auctioned off", async () => {
  const promise: Reservation = {
    id: "gang@o",
    tenant: "default",
    intent: "gang",
    priority: 500,
    basis: "promise",
    offer: "o",
    gpus: 3,
    start: "2026-01-05T13:00:00Z",
    end: "2026-01-05T20:00:00Z",
  };
  const made = await plan(prepare(snapshot([offer("o", 4, 1)], { reservations: [promise] })), [
    bidding("a", 9),
    bidding("b", 7),
  ]);
  // three of four GPUs are promised from one o'clock on, and services stay
  expect(told(made)).toEqual({ a: "o 7", b: "CAPACITY_BUSY" });
  expect(made.clearings).toMatchObject([{ offer: "o", priceMicro: 7_000_000, winners: ["a"] }]);
});

const minuteText = (minutes: number): string =>
  new Date(Date.parse("2026-01-05T12:00:00Z") + minutes * 60_000).toISOString().replace(".000", "");

// small numbers: ties, exact fits, bids below the list price and starts within a job's runtime must occur
const bidders = fc.array(
  fc.record({
    gpus: fc.integer({ min: 1, max: 3 }),
    bid: fc.integer({ min: 0, max: 5 }),
    minutes: fc.integer({ min: 10, max: 90 }),
  }),
  { minLength: 2, maxLength: 6 },
);
const gangs = fc.array(
  fc.record({
    gpus: fc.integer({ min: 1, max: 4 }),
    start: fc.integer({ min: 0, max: 60 }),
    isPromise: fc.boolean(),
  }),
  { maxLength: 2 },
);

test("auctions: one price at or above the list, no winner above its bid, no better loser, and no held start delayed", async () => {
  let won = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 })), {
        minLength: 1,
        maxLength: 2,
      }),
      bidders,
      gangs,
      async (list, asks, held) => {
        const job = (name: string, gpus: number, minutes: number): Intent =>
          intent({
            name,
            gpu: { count: gpus },
            workload: oneTask({ timeoutSeconds: minutes * 60 }),
          });
        const offers = list.map(([gpus, price], index) => offer(`o${index}`, gpus, price));
        const reservations = held.map(
          ({ gpus, start, isPromise }, index): Reservation => ({
            id: `gang-${index}@o0`,
            tenant: "default",
            intent: `gang-${index}`,
            priority: 500,
            basis: isPromise ? "promise" : "estimate",
            offer: "o0",
            gpus,
            start: minuteText(start),
            end: minuteText(start + 60),
            enforcedEnd: minuteText(start + 60),
          }),
        );
        const bidding = asks.map(({ gpus, bid, minutes }, index) => ({
          ...job(`job-${index}`, gpus, minutes),
          ...(bid === 0 ? {} : { bidPerGpuHour: eur(bid) }),
        }));
        const waiting = held.map(({ gpus }, index) => job(`gang-${index}`, gpus, 60));
        const state = snapshot(offers, { reservations });
        const made = await plan(prepare(state), [...bidding, ...waiting], { explain: false, work: 5000 });
        const decisionOf = new Map(made.decisions.map((one) => [one.intent, one]));
        for (const { offer: id, priceMicro, listMicro, winners } of made.clearings) {
          expect(priceMicro).toBeGreaterThanOrEqual(listMicro);
          for (const name of winners) {
            const { placements, bid } = decisionOf.get(name)!;
            won++;
            expect(bid!.bidMicro).toBeGreaterThanOrEqual(priceMicro);
            expect(placements).toMatchObject([
              { offer: id, clearingMicro: priceMicro, costMicro: priceMicro * placements[0]!.gpus },
            ]);
          }
          for (const { bid } of made.decisions)
            if (bid?.offer === id && !bid.isWon) expect(bid.bidMicro).toBeLessThanOrEqual(priceMicro);
        }
        // who was promised a start in time still has it, whoever won what
        for (const warning of made.warnings) if (warning.path.startsWith("reservations")) return;
        for (const [index, { start, isPromise }] of held.entries()) {
          const { outcome, wait } = decisionOf.get(`gang-${index}`)!;
          if (!isPromise || outcome === "placed") continue;
          expect(wait?.held?.start).toBeDefined();
          expect(Date.parse(wait!.held!.start)).toBeLessThanOrEqual(Date.parse(minuteText(start)));
        }
      },
    ),
    { numRuns: 150 },
  );
  expect(won).toBeGreaterThan(50);
});
