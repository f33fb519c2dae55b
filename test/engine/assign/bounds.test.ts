import fc from "fast-check";
import { expect, test } from "vitest";
import { generateBatch } from "../../../bench/assign-instances.ts";
import { checkAssignment } from "../../../engine/assign/check.ts";
import { classesOf } from "../../../engine/assign/classes.ts";
import { firstMatch, greedy } from "../../../engine/assign/construct.ts";
import { decompose } from "../../../engine/assign/decompose.ts";
import { boundAt, spreadBoundAt } from "../../../engine/assign/dual.ts";
import { formulate, pricesOf } from "../../../engine/assign/formulate.ts";
import { type Instance, preprocess } from "../../../engine/assign/instance.ts";
import { polish } from "../../../engine/assign/polish.ts";
import { createRandom } from "../../../engine/assign/random.ts";
import { partOf } from "../../../engine/assign/relax.ts";
import { createRelaxer, twinRelaxer } from "../../../engine/assign/relaxer.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
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
        const relaxer = createRelaxer(instance);
        const from = { bound: boundAt(instance, vector), prices: vector };
        const start = Float64Array.from({ length: instance.items }, (_, item) => value[item]!);
        for (const more of [{}, { values: start }]) {
          const { bound } = decompose(instance, { work, known: best, from, relaxer, ...more });
          expect(bound).toBeGreaterThanOrEqual(best - 1e-9);
        }
      },
    ),
    { numRuns: 400, seed: 23 },
  );
});

test("gangs spread over the room there is: a bound for any prices, at most the plain one", () => {
  let tighter = 0;
  fc.assert(
    fc.property(smallBatches(), prices, (batch, price) => {
      const { instance } = preprocess(layOut(batch));
      const vector = Float64Array.from({ length: instance.rows }, (_, row) => price[row]!);
      const bound = spreadBoundAt(instance, vector);
      expect(bound).toBeGreaterThanOrEqual(bruteForce(instance).gain - 1e-9);
      expect(bound).toBeLessThanOrEqual(boundAt(instance, vector) + 1e-9);
      if (bound < boundAt(instance, vector) - 1e-9) tighter++;
    }),
    { numRuns: 400, seed: 29 },
  );
  expect(tighter).toBeGreaterThan(0);
});

test("a gang that can only be paid where there is too little room is left out", () => {
  // two copies: the cheap offer has room for one, and a budget of 5 does not pay for one at 1 and one at 5
  const gang = (budget: number): Instance =>
    layOut({
      rows: [
        { kind: "capacity", capacity: 1 },
        { kind: "capacity", capacity: 9 },
        { kind: "budget", capacity: budget },
      ],
      items: [
        {
          copies: 2,
          worth: 6,
          tier: 0,
          options: [
            {
              cost: 0,
              covers: 1,
              uses: [
                [0, 1],
                [2, 1],
              ],
            },
            {
              cost: 0,
              covers: 1,
              uses: [
                [1, 1],
                [2, 5],
              ],
            },
          ],
        },
      ],
    });
  expect(preprocess(gang(5)).instance.options).toBe(0);
  expect(preprocess(gang(6)).instance.options).toBe(2);
});

test("prices of a part of the columns prove what its program does, in the units of the whole", async () => {
  const whole = preprocess(generateBatch({ intents: 40, seed: 2 }).instance).instance;
  // without the largest uses of every row, whose size sets the unit of the row in the model
  const largest = new Float64Array(whole.rows);
  for (const [use, row] of whole.useRow.entries())
    largest[row] = Math.max(largest[row]!, whole.useAmount[use]!);
  const kept = Uint8Array.from({ length: whole.options }, (_, option) =>
    whole.useRow
      .subarray(whole.useStart[option]!, whole.useStart[option + 1]!)
      .every((row, at) => whole.useAmount[whole.useStart[option]! + at]! * 2 <= largest[row]!)
      ? 1
      : 0,
  );
  const { instance } = partOf(whole, kept);
  expect(instance.options).toBeLessThan(whole.options);
  const formulation = formulate(instance, classesOf(instance));
  const solver = await createHighsSolver();
  const { bound, rowDuals } = await solver.solve({ model: formulation.model });
  const proven = spreadBoundAt(instance, pricesOf(formulation, rowDuals!));
  expect(proven / (-bound * formulation.scale)).toBeCloseTo(1, 6);
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
  const { bound } = decompose(instance, {
    work: 1e5,
    known: 6,
    from: { bound: 9, prices: vector },
    relaxer: createRelaxer(instance),
  });
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
  polish(state, 1e6);
  expect(state.gain).toBe(9);
});

test("the kernel and its twin agree bit for bit", () => {
  const agree = (instance: Instance, seed: number): void => {
    const random = createRandom(seed);
    const kernel = createRelaxer(instance);
    const twin = twinRelaxer(instance);
    expect(kernel.backend).toBe("wasm");
    const prices = Float64Array.from({ length: instance.rows }, () => Math.max(0, random.next() * 9 - 4));
    const gains = Float64Array.from({ length: instance.options }, () => random.next() * 9 - 4);
    const [a, b] = [new Float64Array(instance.rows), new Float64Array(instance.rows)];
    expect(kernel.dualBound(prices, a)).toBe(twin.dualBound(prices, b));
    expect(a).toEqual(b);
    const [c, d] = [new Int32Array(instance.options), new Int32Array(instance.options)];
    expect(kernel.packKnapsacks(gains, c)).toBe(twin.packKnapsacks(gains, d));
    expect(c).toEqual(d);
  };
  fc.assert(
    fc.property(smallBatches(), fc.nat(), (batch, seed) => agree(layOut(batch), seed)),
    { numRuns: 300, seed: 41 },
  );
  for (const seed of [1, 2]) agree(generateBatch({ intents: 120, seed }).instance, seed);
});
