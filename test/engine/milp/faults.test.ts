import { expect, test } from "vitest";
import type { SolveAnswer, Solver } from "../../../engine/milp/solver.ts";
import { solveVerified } from "../../../engine/milp/verify.ts";
import { modelOf } from "./solver-contract.ts";

const model = modelOf({
  cost: [-5, -4, -3],
  upper: [1, 1, 1],
  rows: [{ terms: [2, 3, 1], low: -Infinity, high: 5 }],
  isInteger: true,
});
/** Feasible, objective -7; the optimum is -9. */
const start = Float64Array.of(0, 1, 1);

const fake = (solve: () => Promise<SolveAnswer>): Solver => ({
  name: "fake",
  limits: { integers: true, duals: true, deadline: true, maxCols: 100, maxEntries: 100 },
  solve,
  dispose: async () => {},
});

const answer = (part: Partial<SolveAnswer>): SolveAnswer => ({
  status: "optimal",
  values: Float64Array.of(1, 1, 0),
  bound: -9,
  rowDuals: null,
  basis: null,
  ...part,
});

test("an honest answer passes", async () => {
  const verified = await solveVerified(
    fake(async () => answer({})),
    { model, start },
  );
  expect(verified).toMatchObject({ status: "optimal", objective: -9, bound: -9 });
});

test.for<{ name: string; given: Partial<SolveAnswer>; status: string; bound: number }>([
  {
    name: "values that overfill a row",
    given: { values: Float64Array.of(1, 1, 1) },
    status: "failed",
    bound: -9,
  },
  {
    name: "values outside their bounds",
    given: { values: Float64Array.of(2, 0, 0) },
    status: "failed",
    bound: -9,
  },
  { name: "NaN values", given: { values: Float64Array.of(1, Number.NaN, 0) }, status: "failed", bound: -9 },
  {
    name: "fractions in integer columns",
    given: { values: Float64Array.of(1, 0.9, 0) },
    status: "failed",
    bound: -9,
  },
  { name: "too few values", given: { values: Float64Array.of(1) }, status: "failed", bound: -9 },
  { name: "a bound above the known point", given: { bound: -6 }, status: "feasible", bound: -Infinity },
  { name: "a NaN bound", given: { bound: Number.NaN }, status: "feasible", bound: -Infinity },
  {
    name: "optimal without proof",
    given: { bound: -Infinity },
    status: "feasible",
    bound: -Infinity,
  },
  {
    name: "all zeros and Unknown",
    given: { status: "unknown", values: null, bound: -12 },
    status: "unknown",
    bound: -12,
  },
  {
    name: "infeasible although a point is known",
    given: { status: "infeasible", values: null },
    status: "failed",
    bound: -Infinity,
  },
  {
    name: "unbounded although every column is bounded and a point is known",
    given: { status: "unbounded", values: null },
    status: "failed",
    bound: -Infinity,
  },
])("$name: nothing false is handed on", async ({ given, status, bound }) => {
  const verified = await solveVerified(
    fake(async () => answer(given)),
    { model, start },
  );
  expect(verified.status).toBe(status);
  expect(verified.bound).toBe(bound);
  if (status === "failed") expect(verified.values).toBeNull();
});

test("duals that prove too much are recomputed, not believed", async () => {
  const lp = modelOf({
    cost: [-1, -1],
    upper: [1, 1],
    rows: [{ terms: [1, 1], low: -Infinity, high: 1 }],
    isInteger: false,
  });
  const verified = await solveVerified(
    fake(async () => answer({ values: Float64Array.of(1, 0), bound: -0.5, rowDuals: Float64Array.of(-0.5) })),
    { model: lp },
  );
  // at -0.5 the row pays 0.5 and both columns still gain 0.5: the proof says -1.5, not -0.5
  expect(verified.bound).toBe(-1.5);
  expect(verified.status).toBe("feasible");
});

test.for([
  { name: "throws", solve: () => Promise.reject(new Error("memory access out of bounds")) },
  {
    name: "throws synchronously",
    solve: (): Promise<SolveAnswer> => {
      throw new Error("RuntimeError: unreachable");
    },
  },
  { name: "answers with nothing", solve: async () => undefined as unknown as SolveAnswer },
])("a backend that $name is an answer, not an exception", async ({ solve }) => {
  const verified = await solveVerified(fake(solve), { model, start });
  expect(verified.status).toBe("failed");
  expect(verified.values).toBeNull();
  expect(verified.bound).toBe(-Infinity);
});
