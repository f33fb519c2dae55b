import { Worker } from "node:worker_threads";
import type { Plan } from "../../engine/model/plan.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";
import type { PlanJob, PlanRunner } from "../control/plan-job.ts";
import type { PlanAnswer } from "./plan-thread.ts";

// compiled code lies next to compiled code
const entry = new URL(
  import.meta.url.endsWith(".ts") ? "./plan-thread.ts" : "./plan-thread.js",
  import.meta.url,
);

/** A runner in a thread of its own, with the CPU that it took. */
export interface ThreadPlanner extends PlanRunner {
  /** Microseconds of CPU that the present thread took so far. */
  cpuMicros(): Promise<number>;
}

/**
 * Makes plans in a thread. A thread that dies fails the plans it had; the next job starts another, which is handed the
 * catalog again.
 */
export function createThreadPlanner(): ThreadPlanner {
  let worker: Worker | null = null;
  let handed = "";
  let current: { readonly hash: string; readonly catalog: Snapshot } | null = null;
  const waiting: PromiseWithResolvers<Plan>[] = [];

  const die = (thread: Worker, message: string): void => {
    if (thread !== worker) return;
    worker = null;
    handed = "";
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

  /** The job with its catalog exactly where the present thread lacks it. */
  const withCatalog = ({ catalog, ...job }: PlanJob): PlanJob => {
    if (catalog !== undefined) current = { hash: job.catalogHash, catalog };
    if (handed === job.catalogHash || current?.hash !== job.catalogHash) return job;
    handed = job.catalogHash;
    return { ...job, catalog: current.catalog };
  };

  return {
    run(job) {
      worker ??= start();
      const answer = Promise.withResolvers<Plan>();
      waiting.push(answer);
      worker.postMessage(job.isForeign === true ? job : withCatalog(job));
      return answer.promise;
    },
    async cpuMicros() {
      if (worker === null) return 0;
      const { user, system } = await worker.cpuUsage();
      return user + system;
    },
    async dispose() {
      const thread = worker;
      if (thread === null) return;
      const gone = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
      thread.postMessage("dispose");
      await gone;
    },
  };
}
