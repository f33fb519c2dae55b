import { parentPort } from "node:worker_threads";
import { type KernelTables, openKernelTables } from "../../adapters/kernel-pool/tables.ts";
import { createWorkerSolver } from "../../adapters/solver/worker-solver.ts";
import type { Plan, PlanOptions } from "../../engine/model/plan.ts";
import { createPlanRunner, type PlanJob } from "../control/plan-job.ts";
import type { PlanRecord } from "../control/plan-log.ts";

/** What the thread is asked. */
export type PlanTask =
  | { readonly job: PlanJob }
  | { readonly record: PlanRecord; readonly options: PlanOptions }
  | "dispose";

/** What the thread answers to each task but the last, in their order. */
export type PlanAnswer = { readonly plan: Plan } | { readonly error: string };

/** Thread entry: plans, one task after another, so that no plan keeps the service from answering. */
const port = parentPort;
if (port === null) throw new Error("plan-thread runs as a worker thread only");

/** The threads of the kernel, started for the first catalog that is large enough and kept. */
let tables: KernelTables | null = null;
const runner = createPlanRunner(createWorkerSolver(), async (offers) => {
  if (tables === null || tables.threads === 1) tables = await openKernelTables(offers);
  return tables.make;
});
let last: Promise<void> = Promise.resolve();
port.on("message", (task: PlanTask) => {
  last = last.then(async () => {
    if (task === "dispose") {
      await runner.dispose();
      await tables?.close();
      port.close();
      return;
    }
    let answer: PlanAnswer;
    try {
      const plan = "job" in task ? await runner.run(task.job) : await runner.rerun(task.record, task.options);
      answer = { plan };
    } catch (error) {
      answer = { error: String(error) };
    }
    port.postMessage(answer);
  });
});
