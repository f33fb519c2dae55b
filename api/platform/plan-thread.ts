import { parentPort } from "node:worker_threads";
import { type KernelTables, openKernelTables } from "../../adapters/kernel-pool/tables.ts";
import { createWorkerSolver } from "../../adapters/solver/worker-solver.ts";
import type { Plan } from "../../engine/model/plan.ts";
import { createPlanRunner, type PlanJob } from "../control/plan-job.ts";

/** What the thread answers to each job, in their order. */
export type PlanAnswer = { readonly plan: Plan } | { readonly error: string };

/** Thread entry: plans, one job after another, so that no plan keeps the service from answering. */
const port = parentPort;
if (port === null) throw new Error("plan-thread runs as a worker thread only");

/** The threads of the kernel, started for the first catalog that is large enough and kept. */
let tables: KernelTables | null = null;
const runner = createPlanRunner(createWorkerSolver(), async (offers) => {
  if (tables === null || tables.threads === 1) tables = await openKernelTables(offers);
  return tables.make;
});
let last: Promise<void> = Promise.resolve();
port.on("message", (job: PlanJob | "dispose") => {
  last = last.then(async () => {
    if (job === "dispose") {
      await runner.dispose();
      await tables?.close();
      port.close();
      return;
    }
    let answer: PlanAnswer;
    try {
      answer = { plan: await runner.run(job) };
    } catch (error) {
      answer = { error: String(error) };
    }
    port.postMessage(answer);
  });
});
