import { Worker } from "node:worker_threads";
import type { Plan } from "../../engine/model/plan.ts";
import { PlannerBusy, type PlanRunner } from "../control/plan-job.ts";
import type { PlanAnswer, PlanTask } from "./plan-thread.ts";

// compiled code lies next to compiled code
const entry = new URL(
  import.meta.url.endsWith(".ts") ? "./plan-thread.ts" : "./plan-thread.js",
  import.meta.url,
);

/** A task that was sent, and how many intents it is about. */
interface Waiting extends PromiseWithResolvers<Plan> {
  readonly intents: number;
}

/**
 * Makes plans in a thread. A thread that dies fails the plans it had; the next task starts another, which knows nothing.
 *
 * @param mostWaiting intents of tasks that may wait together; one task may always, whatever it is about
 */
export function createThreadPlanner(mostWaiting: number = Number.POSITIVE_INFINITY): PlanRunner {
  let worker: Worker | null = null;
  let epoch = 0;
  const waiting: Waiting[] = [];

  const die = (thread: Worker, message: string): void => {
    if (thread !== worker) return;
    worker = null;
    epoch++;
    for (const { reject } of waiting.splice(0)) reject(new Error(message));
  };
  const start = (): Worker => {
    const thread = new Worker(entry);
    thread.unref();
    thread.on("message", (answer: PlanAnswer) => {
      const next = waiting.shift();
      if ("plan" in answer) next?.resolve(answer.plan);
      else next?.reject(new Error(answer.error));
    });
    thread.on("error", (error: Error) => die(thread, `the planning thread failed: ${error.message}`));
    thread.on("exit", (code) => die(thread, `the planning thread ended with code ${code}`));
    return thread;
  };
  const ask = (task: PlanTask, intents: number): Promise<Plan> => {
    worker ??= start();
    const answer = Promise.withResolvers<Plan>();
    waiting.push({ ...answer, intents });
    worker.postMessage(task);
    return answer.promise;
  };

  return {
    admit(intents) {
      const before = waiting.reduce((sum, one) => sum + one.intents, 0);
      if (waiting.length > 0 && before + intents > mostWaiting)
        throw new PlannerBusy(`${before} intents wait to be planned`);
    },
    run: (job) => ask({ job }, job.intents.length),
    rerun: (record, options = {}) => ask({ record, options }, 1),
    epoch: () => epoch,
    async dispose() {
      const thread = worker;
      if (thread === null) return;
      const gone = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
      thread.postMessage("dispose" satisfies PlanTask);
      await gone;
    },
  };
}
