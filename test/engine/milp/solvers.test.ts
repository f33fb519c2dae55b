import { expect, test } from "vitest";
import { createGlpkSolver } from "../../../engine/milp/glpk.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import { createJavaScriptLpSolver } from "../../../engine/milp/jslp.ts";
import { createLagrangianSolver } from "../../../engine/milp/lagrangian.ts";
import { solveVerified } from "../../../engine/milp/verify.ts";
import { describeSolver, modelOf } from "./solver-contract.ts";

describeSolver("highs", createHighsSolver, { isExact: true });
describeSolver("glpk", createGlpkSolver, { isExact: true });
describeSolver("jslp", createJavaScriptLpSolver, { isExact: true });
describeSolver("lagrangian", async () => createLagrangianSolver(), { isExact: false });

test("highs reuses the basis of a model of the same shape", async () => {
  const solver = await createHighsSolver();
  const rows = [{ terms: [1, 2], low: -Infinity, high: 14 }];
  const first = await solveVerified(solver, {
    model: modelOf({ cost: [-3, -5], upper: [10, 10], rows, isInteger: false }),
  });
  const again = await solveVerified(solver, {
    model: modelOf({ cost: [-3, -4], upper: [10, 10], rows, isInteger: false }),
    ...(first.basis === null ? {} : { basis: first.basis }),
  });
  expect(again.status).toBe("optimal");
  expect(again.objective).toBe(-38);
});

test("highs returns its memory over 200 solves", async () => {
  const solver = await createHighsSolver();
  const columns = 200;
  const model = modelOf({
    cost: Array.from({ length: columns }, (_, column) => -1 - (column % 7)),
    upper: Array.from({ length: columns }, () => 3),
    rows: Array.from({ length: 20 }, (_, row) => ({
      terms: Array.from({ length: columns }, (_, column) => ((column * 31 + row * 17) % 5) + 1),
      low: -Infinity,
      high: 500,
    })),
    isInteger: false,
  });
  for (let solve = 0; solve < 5; solve++) await solveVerified(solver, { model });
  const before = solver.memoryBytes();
  for (let solve = 0; solve < 200; solve++)
    expect((await solveVerified(solver, { model })).status).toBe("optimal");
  expect(solver.memoryBytes()).toBe(before);
});
