import fc from "fast-check";
import { expect, test } from "vitest";
import { isProvenBest } from "../../../engine/assign/exhaust.ts";
import { createInstance } from "../../../engine/assign/instance.ts";
import { assign } from "../../../engine/assign/solve.ts";
import { bruteForce, layOut, smallBatches } from "./small-instances.ts";

const price = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 3, maxLength: 3 });

test("the best gain is proven, and none below it, whatever the prices and the work allowed", () => {
  let givenUp = 0;
  fc.assert(
    fc.property(smallBatches(), price, fc.integer({ min: 1, max: 40 }), (batch, some, few) => {
      const instance = layOut(batch);
      const { gain } = bruteForce(instance);
      const prices = Float64Array.from({ length: instance.rows }, (_, row) => some[row]! / 2);
      expect(isProvenBest(instance, { gain, prices, most: 1e6 })).toBe(true);
      for (const most of [few, 1e6])
        expect(isProvenBest(instance, { gain: gain - 1, prices, most })).toBe(false);
      if (!isProvenBest(instance, { gain, prices, most: few })) givenUp++;
    }),
    { numRuns: 500, seed: 31 },
  );
  expect(givenUp).toBeGreaterThan(20);
});

/** Of three items that exclude each other in pairs one can be placed; prices prove no less than one and a half. */
const triangle = createInstance(
  [0, 1, 2].map(() => ({ kind: "capacity" as const, capacity: 1 })),
  [0, 1, 2].map((item) => ({
    worth: 1_000_000,
    options: [{ cost: 0, uses: [[item, 1] as const, [(item + 1) % 3, 1] as const] }],
  })),
);

test("what no prices prove is found by trying, and not searched for as long as the work allowed", async () => {
  // with this much work a search would not end
  const outcome = await assign(triangle, { work: 1e13 });
  expect(outcome).toMatchObject({ gain: 1_000_000, stoppedBy: "work" });
  expect(outcome.bound).toBeGreaterThan(1_200_000);
});
