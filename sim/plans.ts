import { createPlanRunner, type PlanJob, type PlanRunner } from "../api/control/plan-job.ts";
import type { Solver } from "../engine/milp/solver.ts";
import type { Plan } from "../engine/model/plan.ts";
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
 * The planning thread: does its jobs in their order, answers when the driver lets it, and dies now and then with all
 * that it had, as in `api/platform/thread-planner.ts`.
 */
export function createSimPlans({ owner, gates, rng, faults, solver }: PlansOptions): PlanRunner {
  let inner = createPlanRunner(solver);
  let threads = 0;
  let last: Promise<unknown> = Promise.resolve();

  const work = async (thread: number, job: PlanJob): Promise<Plan> => {
    await gates.pass(owner, "plan >");
    if (thread === threads && rng().chance(faults())) {
      threads++;
      inner = createPlanRunner(solver);
    }
    if (thread !== threads) throw new Error("the planning thread ended with code 1");
    const plan = await inner.run(job);
    await gates.pass(owner, "plan <");
    return plan;
  };
  return {
    run(job) {
      const thread = threads;
      const answer = last.then(() => work(thread, job));
      last = answer.catch(() => undefined);
      return answer;
    },
    rerun: (record, options) => inner.rerun(record, options),
    epoch: () => threads,
    dispose: () => inner.dispose(),
  };
}
