import fc from "fast-check";
import { expect, test } from "vitest";
import { checkAssignment } from "../../../engine/assign/check.ts";
import { greedy } from "../../../engine/assign/construct.ts";
import { ascend, boundAt } from "../../../engine/assign/dual.ts";
import { createInstance, preprocess } from "../../../engine/assign/instance.ts";
import { assign } from "../../../engine/assign/solve.ts";
import { compareAssignments, tierViolations } from "../../../engine/assign/tiers.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import { replaySolver } from "../../../engine/milp/record.ts";
import { noAnswer, type SolveAnswer, type SolveRequest, type Solver } from "../../../engine/milp/solver.ts";
import { bruteForce, layOut, smallBatches } from "./small-instances.ts";

const highs = await createHighsSolver();
const work = 20_000;

test("with HiGHS it equals brute force on tiny batches", async () => {
  await fc.assert(
    fc.asyncProperty(smallBatches(), async (batch) => {
      const instance = layOut(batch);
      const best = bruteForce(instance);
      const outcome = await assign(instance, { solver: highs, work, gap: 0 });
      expect(outcome.gain).toBe(best.gain);
      expect(outcome.bound).toBeGreaterThanOrEqual(best.gain);
      expect(outcome.gap).toBeLessThan(1e-6);
    }),
    { numRuns: 150, seed: 3 },
  );
});

test("alone it oversubscribes nothing, keeps gangs whole, is no worse than greedy and bounds the optimum", async () => {
  await fc.assert(
    fc.asyncProperty(smallBatches(2), fc.integer({ min: 0, max: 9 }), async (batch, seed) => {
      const instance = layOut(batch);
      const outcome = await assign(instance, { work: 2_000, seed });
      const report = checkAssignment(instance, outcome.units);
      expect(report.violations).toEqual([]);
      expect(report.gain).toBe(outcome.gain);
      expect(outcome.bound).toBeGreaterThanOrEqual(bruteForce(instance).gain);
      const reduced = preprocess(instance);
      const yardstick = greedy(reduced.instance).units();
      const restored = new Int32Array(instance.options);
      for (const [index, option] of reduced.option.entries()) restored[option] = yardstick[index]!;
      expect(compareAssignments(instance, outcome.units, restored)).toBeLessThanOrEqual(0);
    }),
    { numRuns: 200, seed: 5 },
  );
});

test("more capacity never lowers the optimum, and the order of items does not change it", async () => {
  await fc.assert(
    fc.asyncProperty(smallBatches(), fc.nat(2), async (batch, extra) => {
      const { gain } = await assign(layOut(batch), { solver: highs, work, gap: 0 });
      const larger = {
        ...batch,
        rows: batch.rows.map((row, index) =>
          index === extra % batch.rows.length ? { ...row, capacity: row.capacity + 1 } : row,
        ),
      };
      expect((await assign(layOut(larger), { solver: highs, work, gap: 0 })).gain).toBeGreaterThanOrEqual(
        gain,
      );
      const turned = { ...batch, items: batch.items.toReversed() };
      expect((await assign(layOut(turned), { solver: highs, work, gap: 0 })).gain).toBe(gain);
    }),
    { numRuns: 60, seed: 9 },
  );
});

test("every vector of prices proves a bound", () => {
  fc.assert(
    fc.property(
      smallBatches(),
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 3, maxLength: 3 }),
      (batch, prices) => {
        const instance = layOut(batch);
        const best = bruteForce(instance).gain;
        const vector = Float64Array.from({ length: instance.rows }, (_, row) => prices[row]!);
        expect(boundAt(instance, vector)).toBeGreaterThanOrEqual(best - 1e-9);
        expect(ascend(instance, { rounds: 40, known: best }).bound).toBeGreaterThanOrEqual(best - 1e-9);
      },
    ),
    { numRuns: 200, seed: 13 },
  );
});

/** Two offers of 4 GPUs, five intents: enough that greedy is not optimal. */
const contended = createInstance(
  [
    { kind: "capacity", capacity: 4 },
    { kind: "capacity", capacity: 4 },
    { kind: "quota", capacity: 6 },
  ],
  [3, 3, 2, 2, 1].map((gpus, index) => ({
    worth: 100 * gpus + 7 * index,
    options: [
      { cost: 3 * index, uses: [[0, gpus], ...(index < 3 ? ([[2, gpus]] as const) : [])] },
      { cost: 10 - index, uses: [[1, gpus], ...(index < 3 ? ([[2, gpus]] as const) : [])] },
    ],
  })),
);

test("a replay with the recorded answers is equal byte for byte", async () => {
  const first = await assign(contended, { solver: highs, work, gap: 0 });
  expect(first.answers.length).toBeGreaterThan(0);
  const recorded = JSON.parse(JSON.stringify(first.answers));
  const again = await assign(contended, { solver: replaySolver(recorded), work, gap: 0 });
  // only bases for the next tick are not recorded: they speed a solver up and decide nothing
  const record = ({ carry, ...rest }: typeof first): string =>
    JSON.stringify({
      ...rest,
      carry: { ...carry, basis: null, cuts: carry.cuts && { ...carry.cuts, basis: null, statuses: null } },
    });
  expect(record(again)).toBe(record(first));
});

test("a replay refuses answers that belong to another batch", async () => {
  const { answers } = await assign(contended, { solver: highs, work, gap: 0 });
  const other = { ...contended, worth: contended.worth.map((worth) => worth + 1) };
  const outcome = await assign(other, { solver: replaySolver(answers), work, gap: 0 });
  expect(outcome.answers[0]?.status).toBe("failed");
});

const fake = (solve: (request: SolveRequest) => Promise<SolveAnswer>): Solver => ({
  name: "fake",
  limits: { integers: true, duals: true, deadline: true, maxCols: 1e6, maxEntries: 1e6 },
  solve,
  dispose: async () => {},
});

test.for<{ name: string; solve: (request: SolveRequest) => Promise<SolveAnswer> }>([
  { name: "crashes", solve: () => Promise.reject(new Error("worker died")) },
  { name: "runs out of memory", solve: async () => noAnswer("failed", "out of memory") },
  { name: "answers Unknown", solve: async () => noAnswer("unknown", "time limit") },
  { name: "claims infeasible", solve: async () => noAnswer("infeasible", "") },
  { name: "is late", solve: async () => noAnswer("failed", "ended after its deadline") },
  {
    name: "answers garbage",
    solve: async ({ model }) => ({
      status: "optimal",
      values: new Float64Array(model.cols).fill(7),
      bound: 1e9,
      rowDuals: new Float64Array(model.rows).fill(Number.NaN),
      basis: null,
    }),
  },
  {
    name: "claims far too good a bound",
    solve: async ({ model }) => ({
      status: "optimal",
      values: new Float64Array(model.cols),
      bound: 0,
      rowDuals: null,
      basis: null,
    }),
  },
])("a solver that $name never harms a plan", async ({ solve }) => {
  const alone = greedy(contended);
  const outcome = await assign(contended, { solver: fake(solve), work, gap: 0 });
  expect(checkAssignment(contended, outcome.units).violations).toEqual([]);
  expect(outcome.gain).toBeGreaterThanOrEqual(alone.gain);
  expect(outcome.bound).toBeGreaterThanOrEqual(bruteForce(contended).gain);
});

test("a lower tier never takes the place of a higher one, whatever the weights say", async () => {
  // tier 1 is worth more in sum, so the weighted objective would serve it
  const instance = createInstance(
    [{ kind: "capacity", capacity: 4 }],
    [
      { worth: 10, tier: 0, options: [{ cost: 0, uses: [[0, 4]] }] },
      { worth: 9, tier: 1, options: [{ cost: 0, uses: [[0, 2]] }] },
      { worth: 9, tier: 1, options: [{ cost: 0, uses: [[0, 2]] }] },
    ],
  );
  expect(tierViolations(instance, Int32Array.of(0, 1, 1))).toEqual([0]);
  expect(tierViolations(instance, Int32Array.of(1, 0, 0))).toEqual([]);
  const outcome = await assign(instance, { solver: highs, work });
  expect([...outcome.units]).toEqual([1, 0, 0]);
  expect(outcome.tierRepairs).toBeGreaterThan(0);
});

test("where the order of tiers was broken, each tier is solved again with the solver, and recorded", async () => {
  // 3 + 3 GPUs beat the 5 that greedy takes, and the weighted sum prefers the second tier to either
  const sizes = [
    [5, 11, 0],
    [3, 6, 0],
    [3, 7, 0],
    [4, 1000, 1],
    [2, 900, 1],
  ] as const;
  const instance = createInstance(
    [{ kind: "capacity", capacity: 6 }],
    sizes.map(([gpus, worth, tier]) => ({ worth, tier, options: [{ cost: 0, uses: [[0, gpus]] as const }] })),
  );
  const requests: SolveRequest[] = [];
  const noting: Solver = {
    ...highs,
    solve(request) {
      requests.push(request);
      return highs.solve(request);
    },
  };
  const outcome = await assign(instance, { solver: noting, work: 1, gap: 0 });
  expect(outcome.tierRepairs).toBeGreaterThan(0);
  expect([...outcome.units]).toEqual([0, 1, 1, 0, 0]);
  expect(requests.map(({ model }) => model.cols)).toContain(3);
  expect(outcome.answers.length).toBe(requests.length);
  const again = await assign(instance, { solver: replaySolver(outcome.answers), work: 1, gap: 0 });
  expect(again.units).toEqual(outcome.units);
});

test("no item of a higher tier is left out for lower ones, whatever the batch", async () => {
  let repaired = 0;
  await fc.assert(
    fc.asyncProperty(smallBatches(3), async (batch) => {
      // single copies only: whoever fits gains
      const items = batch.items.map((item) => ({
        ...item,
        copies: 1,
        options: item.options.map((option) => ({ ...option, cost: 0 })),
      }));
      const instance = layOut({ ...batch, items });
      const outcome = await assign(instance, { solver: highs, work: 2_000, gap: 0 });
      expect(tierViolations(instance, outcome.units)).toEqual([]);
      repaired += outcome.tierRepairs;
    }),
    { numRuns: 150, seed: 61 },
  );
  expect(repaired).toBeGreaterThan(5);
});

test("prices are the least ones among optimal duals", async () => {
  // one place, wanted at 5 and at 4: every price from 4 to 5 supports the assignment
  const instance = createInstance(
    [{ kind: "capacity", capacity: 1 }],
    [5, 4].map((worth) => ({ worth, options: [{ cost: 0, uses: [[0, 1]] as const }] })),
  );
  const outcome = await assign(instance, { solver: highs, work, gap: -1 });
  expect(outcome.pricesFrom).toBe("lp");
  expect(outcome.prices[0]).toBeCloseTo(4, 6);
});

test("exact programs over neighborhoods improve what one MIP left, and are recorded for replay", async () => {
  let integers = 0;
  const lazy = fake(async (request) => {
    // the first MIP hands its start back: no bound, nothing better
    if (request.model.integer !== undefined && integers++ === 0)
      return { status: "feasible", values: request.start!, bound: -Infinity, rowDuals: null, basis: null };
    return highs.solve(request);
  });
  const outcome = await assign(contended, { solver: lazy, work: 1, gap: -1 });
  expect(integers).toBeGreaterThan(1);
  expect(outcome.gain).toBe(bruteForce(contended).gain);
  expect(outcome.stages.map(({ name }) => name)).toContain("neighborhood");
  const again = await assign(contended, { solver: replaySolver(outcome.answers), work: 1, gap: -1 });
  expect(again.units).toEqual(outcome.units);
});
