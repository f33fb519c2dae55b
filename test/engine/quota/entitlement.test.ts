import fc from "fast-check";
import { expect, test } from "vitest";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import { createModelBuilder } from "../../../engine/milp/model.ts";
import { entitlements, type ShareProblem } from "../../../engine/quota/entitlement.ts";

const solver = await createHighsSolver();

/** Problems of small integers: ties, exact fits, useless ways and claimants without demand occur. */
const problems: fc.Arbitrary<ShareProblem> = fc
  .record({
    capacity: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 5 }),
    claimants: fc.array(
      fc.record({
        weight: fc.integer({ min: 1, max: 3 }),
        held: fc.integer({ min: 0, max: 3 }),
        demands: fc.array(
          fc.record({
            units: fc.integer({ min: 1, max: 6 }),
            ways: fc.array(
              fc.record({
                value: fc.integer({ min: 1, max: 3 }),
                row: fc.nat(4),
                amount: fc.integer({ min: 1, max: 2 }),
              }),
              { minLength: 1, maxLength: 5 },
            ),
          }),
          { maxLength: 2 },
        ),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ capacity, claimants }) => ({
    capacity,
    claimants: claimants.map(({ demands, ...rest }) => ({
      ...rest,
      demands: demands.map(({ units, ways }) => ({
        units,
        ways: ways.map(({ value, row, amount }) => ({
          value,
          uses: [[row % capacity.length, amount] as const],
        })),
      })),
    })),
  }));

/** Most that `objective` can be while every claimant gets at least its `least`; from all ways at once. */
async function most(
  { capacity, claimants }: ShareProblem,
  least: readonly { readonly value: number; readonly perLevel: number }[],
  objective: number | "level",
): Promise<number> {
  const builder = createModelBuilder();
  const level = builder.addColumn(objective === "level" ? -1 : 0, 0, 1000);
  for (const amount of capacity) builder.addRow(-Infinity, amount);
  for (const [index, { held, demands }] of claimants.entries()) {
    const { value, perLevel } = least[index]!;
    const row = builder.addRow(value - held, Infinity);
    builder.put(row, level, -perLevel);
    for (const { units, ways } of demands) {
      const cap = builder.addRow(-Infinity, units);
      for (const way of ways) {
        const column = builder.addColumn(objective === index ? -way.value : 0, 0, units);
        builder.put(row, column, way.value);
        builder.put(cap, column, 1);
        for (const [use, amount] of way.uses) builder.put(use, column, amount);
      }
    }
  }
  const answer = await solver.solve({ model: builder.build() });
  expect(answer.status).toBe("optimal");
  return -answer.bound + (objective === "level" ? 0 : claimants[objective]!.held);
}

/** Max-min shares by the textbook: raise all, settle whoever can rise no further by itself, and again. */
async function byTextbook(problem: ShareProblem): Promise<number[]> {
  const { claimants } = problem;
  const settled: (number | null)[] = claimants.map(() => null);
  let floor = 0;
  while (settled.includes(null)) {
    const goals = (level: number | null) =>
      settled.map((value, index) => {
        const { weight, held } = claimants[index]!;
        if (value !== null) return { value: value - 1e-5, perLevel: 0 };
        // who holds more than the level already is not held back by it
        return level === null
          ? { value: held > floor * weight ? -1000 : 0, perLevel: held > floor * weight ? 0 : weight }
          : { value: Math.max(held, level * weight) - 1e-5, perLevel: 0 };
      });
    const above = settled.flatMap((value, index) =>
      value === null && claimants[index]!.held > floor * claimants[index]!.weight
        ? [claimants[index]!.held / claimants[index]!.weight]
        : [],
    );
    const reached = Math.min(1000, await most(problem, goals(null), "level"), ...above);
    for (const [index, value] of settled.entries()) {
      if (value !== null) continue;
      const can = await most(problem, goals(reached), index);
      const { weight, held } = claimants[index]!;
      if (can <= Math.max(held, reached * weight) + 1e-3) settled[index] = Math.max(held, reached * weight);
    }
    if (reached >= 1000) break;
    floor = reached;
  }
  return settled.map((value, index) => value ?? claimants[index]!.held);
}

test("entitlements are the weighted max-min shares of the textbook", async () => {
  await fc.assert(
    fc.asyncProperty(problems, async (problem) => {
      const { values, from } = await entitlements(problem, solver);
      expect(from).toBe("lp");
      const expected = await byTextbook(problem);
      for (const [index, value] of values.entries()) expect(value).toBeCloseTo(expected[index]!, 2);
    }),
    { numRuns: 60 },
  );
});

test("filling without a solver gives nobody's lowest share more than the program does", async () => {
  await fc.assert(
    fc.asyncProperty(problems, async (problem) => {
      const lowest = (values: readonly number[]): number =>
        Math.min(...values.map((value, index) => value / problem.claimants[index]!.weight));
      const filled = await entitlements(problem);
      expect(filled.from).toBe("filling");
      expect(lowest(filled.values)).toBeLessThanOrEqual(
        lowest((await entitlements(problem, solver)).values) + 1e-4,
      );
    }),
    { numRuns: 60 },
  );
});
