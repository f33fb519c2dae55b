import { expect, onTestFinished, test } from "vitest";
import { readIntent } from "../../../adapters/json/intent.ts";
import { type PlanJob, PlannerBusy } from "../../../api/control/plan-job.ts";
import { createThreadPlanner } from "../../../api/platform/thread-planner.ts";
import { twoOffers, wish } from "../driven-env.ts";

const jobOf = (intents: number): PlanJob => ({
  catalog: twoOffers,
  isForeign: true,
  change: {},
  intents: Array.from({ length: intents }, (_, index) => readIntent(wish(`web-${index}`, 1))),
  options: { explain: false },
});

test("so many intents may wait together, and one job always, however many it has", async () => {
  const planner = createThreadPlanner(5);
  onTestFinished(() => planner.dispose());
  planner.admit?.(100);
  const made = [planner.run(jobOf(3)), planner.run(jobOf(1))];
  planner.admit?.(1);
  expect(() => planner.admit?.(2)).toThrow(PlannerBusy);
  const plans = await Promise.all(made);
  expect(plans.map(({ decisions }) => decisions.length)).toEqual([3, 1]);
  planner.admit?.(100);
});
