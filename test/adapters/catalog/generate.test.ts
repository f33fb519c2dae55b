import { expect, test } from "vitest";
import { generateSnapshot } from "../../../adapters/catalog/generate.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";

test("every generated offer is read, none is skipped", () => {
  const snapshot = readSnapshot(generateSnapshot(2000, 3));
  expect(snapshot.skipped).toEqual([]);
  expect(snapshot.offers).toHaveLength(2000);
});

test("the same count and seed give the same document, another seed another one", () => {
  expect(generateSnapshot(50, 1)).toEqual(generateSnapshot(50, 1));
  expect(generateSnapshot(50, 2)).not.toEqual(generateSnapshot(50, 1));
});

test("generated federations sell per GPU and whole, on demand and on spot, in two currencies", () => {
  const { offers } = readSnapshot(generateSnapshot(300, 1));
  const some = (holds: (offer: (typeof offers)[number]) => boolean): boolean => offers.some(holds);
  expect(some(({ divisible }) => divisible)).toBe(true);
  expect(some(({ divisible }) => !divisible)).toBe(true);
  expect(some(({ price }) => price.onDemand === undefined)).toBe(true);
  expect(some(({ price }) => price.onDemand !== undefined && price.spot !== undefined)).toBe(true);
  const currencies = new Set(offers.map(({ price }) => (price.onDemand ?? price.spot)?.currency));
  expect([...currencies].sort()).toEqual(["EUR", "USD"]);
});
