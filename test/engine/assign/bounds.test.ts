import fc from "fast-check";
import { expect, test } from "vitest";
import { checkAssignment } from "../../../engine/assign/check.ts";
import { firstMatch, greedy } from "../../../engine/assign/construct.ts";
import { decompose } from "../../../engine/assign/decompose.ts";
import { boundAt } from "../../../engine/assign/dual.ts";
import { polish } from "../../../engine/assign/polish.ts";
import { bruteForce, layOut, smallBatches } from "./small-instances.ts";

const prices = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 3, maxLength: 3 });
const values = fc.array(fc.integer({ min: -3, max: 7 }), { minLength: 4, maxLength: 4 });

test("bounds by parts hold for any prices and any values to start from", () => {
  fc.assert(
    fc.property(
      smallBatches(),
      prices,
      values,
      fc.integer({ min: 1, max: 4000 }),
      (batch, price, value, work) => {
        const instance = layOut(batch);
        const best = bruteForce(instance).gain;
        const vector = Float64Array.from({ length: instance.rows }, (_, row) => price[row]!);
        const from = { bound: boundAt(instance, vector), prices: vector };
        const start = Float64Array.from({ length: instance.items }, (_, item) => value[item]!);
        for (const more of [{}, { values: start }]) {
          const { bound } = decompose(instance, { work, known: best, from, ...more });
          expect(bound).toBeGreaterThanOrEqual(best - 1e-9);
        }
      },
    ),
    { numRuns: 400, seed: 23 },
  );
});

test("where offers are small against the items, bounds by parts are below any price's", () => {
  // three items of two GPUs, one offer of three: a price lets half an item in
  const instance = layOut({
    rows: [{ kind: "capacity", capacity: 3 }],
    items: [1, 2, 3].map(() => ({
      copies: 1,
      worth: 6,
      tier: 0,
      options: [{ cost: 0, covers: 1, uses: [[0, 2]] }],
    })),
  });
  const vector = Float64Array.of(3);
  expect(boundAt(instance, vector)).toBe(9);
  const { bound } = decompose(instance, { work: 1e5, known: 6, from: { bound: 9, prices: vector } });
  expect(bound).toBeCloseTo(6, 2);
});

test("single moves keep everything in its place and never lose", () => {
  fc.assert(
    fc.property(smallBatches(2), fc.boolean(), fc.integer({ min: 0, max: 500 }), (batch, isGreedy, work) => {
      const instance = layOut(batch);
      const state = isGreedy ? greedy(instance) : firstMatch(instance);
      const before = state.gain;
      polish(state, state.work + work);
      const { violations, gain } = checkAssignment(instance, state.units());
      expect(violations).toEqual([]);
      expect(gain).toBe(state.gain);
      expect(gain).toBeGreaterThanOrEqual(before);
    }),
    { numRuns: 300, seed: 29 },
  );
});

test("an item throws another out that goes elsewhere", () => {
  const instance = layOut({
    rows: [
      { kind: "capacity", capacity: 1 },
      { kind: "capacity", capacity: 1 },
    ],
    items: [
      {
        copies: 1,
        worth: 5,
        tier: 0,
        options: [
          { cost: 0, covers: 1, uses: [[0, 1]] },
          { cost: 1, covers: 1, uses: [[1, 1]] },
        ],
      },
      { copies: 1, worth: 5, tier: 0, options: [{ cost: 0, covers: 1, uses: [[0, 1]] }] },
    ],
  });
  const state = firstMatch(instance);
  expect(state.gain).toBe(5);
  expect(polish(state, 1e6)).toBe(true);
  expect(state.gain).toBe(9);
});
