import { expect, test } from "vitest";
import { cascade } from "../../../engine/milp/cascade.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import { createJavaScriptLpSolver } from "../../../engine/milp/jslp.ts";
import { relaxed } from "../../../engine/milp/model.ts";
import { noAnswer, type Solver } from "../../../engine/milp/solver.ts";
import { solveVerified } from "../../../engine/milp/verify.ts";
import { describeSolver, modelOf } from "./solver-contract.ts";

const highs = await createHighsSolver();
const lpOnly = (await createJavaScriptLpSolver())!;
const broken = (solve: Solver["solve"]): Solver => ({
  name: "broken",
  limits: { integers: true, duals: true, deadline: true, maxCols: 1e9, maxEntries: 1e9 },
  solve,
  dispose: async () => {},
});
const model = modelOf({
  cost: [-5, -4, -3],
  upper: [1, 1, 1],
  rows: [{ terms: [2, 3, 1], low: -Infinity, high: 5 }],
  isInteger: true,
});

describeSolver(
  "cascade from a broken backend to HiGHS",
  async () => cascade([broken(async () => noAnswer("failed", "no")), highs]),
  { isExact: true, runs: 20 },
);

test.for<{ name: string; solve: Solver["solve"] }>([
  { name: "says failed", solve: async () => noAnswer("failed", "out of memory") },
  { name: "throws", solve: () => Promise.reject(new Error("gone")) },
])("a backend that $name leaves the request to the next, which is named", async ({ solve }) => {
  const answer = await solveVerified(cascade([broken(solve), highs]), { model });
  expect(answer).toMatchObject({ status: "optimal", objective: -9, from: "highs" });
});

test("a model goes to the first backend that takes its kind and size", async () => {
  const chosen = cascade([lpOnly, highs]);
  expect((await solveVerified(chosen, { model: relaxed(model) })).from).toBe("jslp");
  expect((await solveVerified(chosen, { model })).from).toBe("highs");
});

test("an answer that is no success and no failure is final: infeasible stays infeasible", async () => {
  let asked = 0;
  const first = broken(async () => noAnswer("infeasible", "proven"));
  const second = broken(async () => {
    asked++;
    return noAnswer("unknown", "");
  });
  expect((await cascade([first, second]).solve({ model })).status).toBe("infeasible");
  expect(asked).toBe(0);
});
