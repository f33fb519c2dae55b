import { afterAll, expect, test } from "vitest";
import { createWorkerSolver } from "../../../adapters/solver/worker-solver.ts";
import { solveVerified } from "../../../engine/milp/verify.ts";
import { describeSolver, modelOf } from "../../engine/milp/solver-contract.ts";

describeSolver("highs in a worker", async () => createWorkerSolver(), { isExact: true, runs: 25 });

const hostile = (behavior: string): URL =>
  new URL(
    `data:text/javascript,import{parentPort as p}from"node:worker_threads";p.on("message",(m)=>{${behavior}});p.postMessage({kind:"ready"})`,
  );
const model = modelOf({ cost: [-1], upper: [1], rows: [], isInteger: false });
const solvers: { dispose(): Promise<void> }[] = [];
const workerOf = (behavior: string) => {
  const solver = createWorkerSolver({ entry: hostile(behavior), graceMs: 20 });
  solvers.push(solver);
  return solver;
};
afterAll(async () => {
  for (const solver of solvers) await solver.dispose();
});

test.for([
  // only the one that never answers has a deadline: the others must be noticed without a clock
  { name: "throws", behavior: 'throw new Error("bad")', message: "died" },
  { name: "ends itself", behavior: "process.exit(3)", message: "ended with code 3" },
  { name: "never answers", behavior: "for(;;){}", message: "overstayed", deadline: { deadlineMs: 30 } },
])("a worker that $name costs its solve and nothing else", async ({ behavior, message, deadline }) => {
  const solver = workerOf(behavior);
  await solver.ready();
  // two at once: the second survives the first one's thread and meets its own end
  const answers = await Promise.all([
    solveVerified(solver, { model, ...deadline }),
    solveVerified(solver, { model, ...deadline }),
  ]);
  for (const answer of answers) expect(answer.status).not.toBe("optimal");
  expect(answers[0]!.message).toContain(message);
  expect(solver.threads()).toBeGreaterThanOrEqual(2);
});

test("a thread that cannot start fails what it is asked, and is tried again with the next request only", async () => {
  const entry = new URL('data:text/javascript,throw new Error("no backend")');
  const solver = createWorkerSolver({ entry });
  solvers.push(solver);
  await solver.ready();
  expect(solver.threads()).toBe(1);
  for (const threads of [2, 3]) {
    expect(await solver.solve({ model })).toMatchObject({ status: "failed", values: null });
    expect(solver.threads()).toBe(threads);
  }
});

test("a thread whose memory grew too large is replaced, and the answer is kept", async () => {
  const solver = createWorkerSolver({ maxMemoryBytes: 1 });
  solvers.push(solver);
  expect((await solveVerified(solver, { model })).status).toBe("optimal");
  expect((await solveVerified(solver, { model })).status).toBe("optimal");
  expect(solver.threads()).toBeGreaterThanOrEqual(2);
});

test("the event loop stays free while the worker solves", async () => {
  const solver = createWorkerSolver();
  solvers.push(solver);
  await solver.ready();
  const columns = 60;
  const hard = modelOf({
    cost: Array.from({ length: columns }, (_, column) => -100 - ((column * 37) % 53)),
    upper: Array.from({ length: columns }, () => 1),
    rows: Array.from({ length: 12 }, (_, row) => ({
      terms: Array.from({ length: columns }, (_, column) => 90 + ((column * 41 + row * 29) % 67)),
      low: -Infinity,
      high: 2345 + 11 * row,
    })),
    isInteger: true,
  });
  let turns = 0;
  let isDone = false;
  const spin = (): void => {
    turns++;
    if (!isDone) setImmediate(spin);
  };
  spin();
  await solveVerified(solver, { model: hard, deadlineMs: 100 });
  isDone = true;
  expect(turns).toBeGreaterThan(10);
});

test("after dispose every request is answered with failed", async () => {
  const solver = createWorkerSolver();
  await solver.dispose();
  expect((await solveVerified(solver, { model })).status).toBe("failed");
});
