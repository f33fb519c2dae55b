import { afterAll, expect, test } from "vitest";
import { createWorkerSolver } from "../../../adapters/solver/worker-solver.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import { replaySolver } from "../../../engine/milp/record.ts";
import type { Solver } from "../../../engine/milp/solver.ts";
import type { Plan } from "../../../engine/model/plan.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, intent, snapshot } from "../../engine/builders.ts";

// sizes that do not pack, so that programs are asked more than once
const offers = [3, 5, 7, 6].map((gpus, index) =>
  flavor(`offer-${index}`, {
    capacity: { gpus, gpusFree: gpus },
    price: { basis: "gpu", onDemand: eur(1 + index / 5) },
  }),
);
const intents = [2, 3, 4, 2, 3, 5, 2, 4, 3, 2].map((count, index) =>
  intent({ name: `job-${index}`, gpu: { count }, priority: index % 3 === 0 ? 700 : 500 }),
);
const catalog = prepare(snapshot(offers));
const decide = (solver?: Solver): Promise<Plan> =>
  plan(catalog, intents, { explain: false, work: 2e3, ...(solver === undefined ? {} : { solver }) });

const workers: { dispose(): Promise<void> }[] = [];
afterAll(async () => {
  for (const worker of workers) await worker.dispose();
});

test("200 solves of plans leave the worker's memory where it was, and the worker itself", async () => {
  const worker = createWorkerSolver();
  workers.push(worker);
  let solves = 0;
  const counting: Solver = {
    ...worker,
    solve(request) {
      solves++;
      return worker.solve(request);
    },
  };
  const first = await decide(counting);
  const perPlan = solves;
  expect(perPlan).toBeGreaterThan(0);
  for (let round = 0; round < 4; round++) await decide(counting);
  const before = worker.memoryBytes();
  expect(before).toBeGreaterThan(1e6);
  while (solves < 200 + 5 * perPlan) expect((await decide(counting)).decisions).toEqual(first.decisions);
  expect(worker.memoryBytes()).toBe(before);
  expect(worker.threads()).toBe(1);
});

/** The worker of HiGHS, whose every thread ends at its second request, before it answers. */
const mortal = (): ReturnType<typeof createWorkerSolver> => {
  const real = new URL("../../../adapters/solver/solver-worker.ts", import.meta.url).href;
  // after the real listener: its answer is under way, but not out
  const code = `import{parentPort as p}from"node:worker_threads";await import(${JSON.stringify(real)});let n=0;p.on("message",()=>{if(++n===2)process.exit(9)})`;
  const worker = createWorkerSolver({ entry: new URL(`data:text/javascript,${encodeURIComponent(code)}`) });
  workers.push(worker);
  return worker;
};

test("a worker that is killed at every other solve loses nothing", async () => {
  const alone = await decide();
  const worker = mortal();
  await worker.ready();
  const made = await decide(worker);
  const again = await decide(worker);
  expect(worker.threads()).toBeGreaterThan(1);
  const statuses = [...made.batch!.answers, ...again.batch!.answers].map(({ status }) => status);
  expect(statuses).toContain("failed");
  expect(statuses).toContain("optimal");
  for (const one of [made, again]) {
    // what the engine finds by itself is there in any case, and so is its proof
    expect(one.batch!.gain).toBeGreaterThanOrEqual(alone.batch!.gain);
    expect(one.batch!.bound).toBeGreaterThanOrEqual(one.batch!.gain);
    expect(one.decisions.map(({ intent: name }) => name)).toEqual(intents.map(({ name }) => name));
    const replayed = await decide(replaySolver(one.batch!.answers));
    expect(JSON.stringify(replayed)).toBe(JSON.stringify(one));
  }
});
