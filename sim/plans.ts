import { createPlanRunner, type PlanJob, type PlanRunner } from "../api/control/plan-job.ts";
import type { Solver } from "../engine/milp/solver.ts";
import type { Plan } from "../engine/model/plan.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import type { Gates } from "./gates.ts";
import type { Rng } from "./random.ts";

export interface PlansOptions {
  readonly owner: object;
  readonly gates: Gates;
  readonly rng: () => Rng;
  /** Probability that the thread dies of a job. */
  readonly faults: () => number;
  readonly solver: Solver;
}

/**
 * The planning thread: answers when the driver lets it, and dies now and then with all that it had. The next job starts
 * another, which is handed the catalog again, as in `api/platform/thread-planner.ts`.
 */
export function createSimPlans({ owner, gates, rng, faults, solver }: PlansOptions): PlanRunner {
  let inner = createPlanRunner(solver);
  let handed = "";
  let current: { readonly hash: string; readonly catalog: Snapshot } | null = null;
  let threads = 0;
  /** Jobs are done in their order. */
  let last: Promise<unknown> = Promise.resolve();

  const work = async ({ catalog, ...job }: PlanJob, thread: number): Promise<Plan> => {
    await gates.pass(owner, "plan >");
    if (thread !== threads || rng().chance(faults())) {
      if (thread === threads) {
        threads++;
        inner = createPlanRunner(solver);
        handed = "";
      }
      throw new Error("the planning thread ended with code 1");
    }
    if (job.isForeign === true) return inner.run(catalog === undefined ? job : { ...job, catalog });
    const isNew = handed !== job.catalogHash && current?.hash === job.catalogHash;
    handed = job.catalogHash;
    const plan = await inner.run(isNew && current !== null ? { ...job, catalog: current.catalog } : job);
    await gates.pass(owner, "plan <");
    return plan;
  };
  return {
    run(job) {
      if (job.catalog !== undefined && job.isForeign !== true)
        current = { hash: job.catalogHash, catalog: job.catalog };
      const thread = threads;
      const answer = last.then(() => work(job, thread));
      last = answer.catch(() => undefined);
      return answer;
    },
    dispose: () => inner.dispose(),
  };
}
