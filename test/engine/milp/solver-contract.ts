import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createModelBuilder, type LinearModel, relaxed } from "../../../engine/milp/model.ts";
import type { Solver } from "../../../engine/milp/solver.ts";
import { checkPoint, dualBound, solveVerified } from "../../../engine/milp/verify.ts";

/** Dense description of a model, for tables and generators. */
export interface SmallModel {
  readonly cost: readonly number[];
  readonly upper: readonly number[];
  readonly rows: readonly {
    readonly terms: readonly number[];
    readonly low: number;
    readonly high: number;
  }[];
  readonly isInteger: boolean;
}

export function modelOf(small: SmallModel): LinearModel {
  const builder = createModelBuilder();
  for (const [column, cost] of small.cost.entries())
    builder.addColumn(cost, 0, small.upper[column]!, small.isInteger);
  for (const { terms, low, high } of small.rows) {
    const row = builder.addRow(low, high);
    for (const [column, value] of terms.entries()) builder.put(row, column, value);
  }
  return builder.build();
}

/** Minimum over every integer point, or Infinity when there is none. */
export function bruteForce(model: LinearModel): number {
  const point = model.colLower.slice();
  let best = Infinity;
  for (;;) {
    const check = checkPoint(model, point);
    if (check.feasible) best = Math.min(best, check.objective);
    let column = 0;
    while (column < model.cols && point[column] === model.colUpper[column]) {
      point[column] = model.colLower[column]!;
      column++;
    }
    if (column === model.cols) return best;
    point[column]! += 1;
  }
}

// narrow on purpose: ties, exact fits and infeasible rows must happen
const smallModels: fc.Arbitrary<SmallModel> = fc.integer({ min: 1, max: 4 }).chain((columns) =>
  fc.record({
    cost: fc.array(fc.integer({ min: -4, max: 3 }), { minLength: columns, maxLength: columns }),
    upper: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: columns, maxLength: columns }),
    rows: fc.array(
      fc
        .record({
          terms: fc.array(fc.integer({ min: -1, max: 3 }), { minLength: columns, maxLength: columns }),
          side: fc.integer({ min: 0, max: 4 }),
          kind: fc.constantFrom("most", "most", "most", "least", "exactly"),
        })
        .map(({ terms, side, kind }) => ({
          terms,
          low: kind === "most" ? -Infinity : side,
          high: kind === "least" ? Infinity : side,
        })),
      { minLength: 1, maxLength: 3 },
    ),
    isInteger: fc.constant(true),
  }),
);

export interface ContractOptions {
  /** Reaches and proves the optimum. */
  readonly isExact: boolean;
  readonly runs?: number;
}

/** What every backend promises. `create` may return null where an optional package is absent. */
export function describeSolver(
  name: string,
  create: () => Promise<Solver | null>,
  { isExact, runs = 60 }: ContractOptions,
): void {
  describe(`the ${name} backend`, () => {
    let solver: Solver;
    beforeAll(async () => {
      const created = await create();
      if (created === null) throw new Error(`${name} is not installed; it is a development dependency`);
      solver = created;
    });
    afterAll(async () => {
      await solver?.dispose();
      await solver?.dispose();
    });

    test.for<{ name: string; small: Omit<SmallModel, "isInteger">; lp: number }>([
      {
        name: "two columns, two binding rows",
        small: {
          cost: [-3, -5],
          upper: [10, 10],
          rows: [
            { terms: [1, 2], low: -Infinity, high: 14 },
            { terms: [1, -1], low: 2, high: Infinity },
          ],
        },
        lp: -40,
      },
      {
        name: "an equality",
        small: { cost: [1, 2, 3], upper: [1, 1, 4], rows: [{ terms: [1, 1, 1], low: 3, high: 3 }] },
        lp: 6,
      },
      {
        name: "a degenerate vertex",
        small: {
          cost: [-1, -1],
          upper: [1, 1],
          rows: [
            { terms: [1, 1], low: -Infinity, high: 1 },
            { terms: [2, 2], low: -Infinity, high: 2 },
          ],
        },
        lp: -1,
      },
      {
        name: "rows that bind nothing",
        small: { cost: [-2], upper: [3], rows: [{ terms: [1], low: -Infinity, high: 100 }] },
        lp: -6,
      },
    ])("solves the LP with $name", async ({ small, lp }) => {
      const model = modelOf({ ...small, isInteger: false });
      const answer = await solveVerified(solver, { model });
      if (answer.values !== null) expect(answer.objective).toBeGreaterThanOrEqual(lp - 1e-6);
      expect(answer.bound).toBeLessThanOrEqual(lp + 1e-6);
      if (!isExact) return;
      expect(answer.status).toBe("optimal");
      expect(answer.objective).toBeCloseTo(lp, 6);
      expect(answer.bound).toBeCloseTo(lp, 6);
      if (solver.limits.duals) expect(dualBound(model, answer.rowDuals!)).toBeCloseTo(lp, 6);
    });

    test("equals brute force on tiny integer models, or proves a bound below it", async () => {
      await fc.assert(
        fc.asyncProperty(smallModels, async (small) => {
          const model = modelOf(small);
          const best = bruteForce(model);
          if (!solver.limits.integers) {
            expect((await solveVerified(solver, { model })).status).toBe("failed");
            return;
          }
          const answer = await solveVerified(solver, { model });
          expect(answer.bound).toBeLessThanOrEqual(best + 1e-6);
          expect(answer.objective).toBeGreaterThanOrEqual(best - 1e-6);
          if (answer.values !== null) expect(checkPoint(model, answer.values).feasible).toBe(true);
          if (!isExact) return;
          if (best === Infinity) expect(["infeasible", "unknown"]).toContain(answer.status);
          else expect(answer.objective).toBeCloseTo(best, 6);
        }),
        { numRuns: runs, seed: 7 },
      );
    });

    test("agrees with its own duals and never beats the integer optimum's relaxation from above", async () => {
      await fc.assert(
        fc.asyncProperty(smallModels, async (small) => {
          const integerModel = modelOf(small);
          const model = relaxed(integerModel);
          const best = bruteForce(integerModel);
          const answer = await solveVerified(solver, { model });
          if (answer.rowDuals !== null) {
            expect(dualBound(model, answer.rowDuals)).toBeLessThanOrEqual(best + 1e-6);
            if (isExact && answer.status === "optimal")
              expect(dualBound(model, answer.rowDuals)).toBeCloseTo(answer.objective, 5);
          }
          if (isExact && best < Infinity) expect(answer.objective).toBeLessThanOrEqual(best + 1e-6);
        }),
        { numRuns: runs, seed: 11 },
      );
    });

    test("never hands out a point of an infeasible model", async () => {
      const model = modelOf({
        cost: [1, 1],
        upper: [1, 1],
        rows: [{ terms: [1, 1], low: 3, high: Infinity }],
        isInteger: false,
      });
      const answer = await solveVerified(solver, { model });
      expect(answer.values).toBeNull();
      if (isExact) expect(["infeasible", "unknown"]).toContain(answer.status);
    });

    test("improves on a feasible start and never answers worse than it when it uses one", async () => {
      if (!solver.limits.integers) return;
      const model = modelOf({
        cost: [-5, -4, -3],
        upper: [1, 1, 1],
        rows: [{ terms: [2, 3, 1], low: -Infinity, high: 5 }],
        isInteger: true,
      });
      const answer = await solveVerified(solver, { model, start: Float64Array.of(0, 1, 1) });
      expect(answer.objective).toBeLessThanOrEqual(-7);
      if (isExact) expect(answer.objective).toBe(-9);
    });

    test("gives the same answer again", async () => {
      const model = modelOf({
        cost: [-1, -1, -1],
        upper: [2, 2, 2],
        rows: [{ terms: [1, 1, 1], low: -Infinity, high: 3 }],
        isInteger: false,
      });
      const first = await solveVerified(solver, { model });
      const second = await solveVerified(solver, { model });
      expect(second.values).toEqual(first.values);
      expect(second.rowDuals).toEqual(first.rowDuals);
    });

    test("refuses more columns than it declares", async () => {
      const limited: Solver = { ...solver, limits: { ...solver.limits, maxCols: 1 } };
      const model = modelOf({ cost: [1, 1], upper: [1, 1], rows: [], isInteger: false });
      const answer = await solveVerified(limited, { model });
      expect(answer.status).toBe("failed");
      expect(answer.message).toContain("at most 1 columns");
    });
  });
}
