import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import type { Plan } from "../../../engine/model/plan.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, type IntentChanges, intent, snapshot } from "../builders.ts";

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
