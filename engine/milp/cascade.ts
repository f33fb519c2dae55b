import { noAnswer, type SolveAnswer, type SolveRequest, type Solver, type SolverLimits } from "./solver.ts";

/** True when a backend declares that it takes a request of this size and kind. */
function takes({ integers, maxCols, maxEntries }: SolverLimits, { model }: SolveRequest): boolean {
  return (
    (model.integer === undefined || integers) && model.cols <= maxCols && model.indices.length <= maxEntries
  );
}

/**
 * Several backends as one: each request goes to the first that takes its size and kind, and on to the next when that
 * one fails. The answer names the backend it came from.
 *
 * @param backends best first, at least one
 */
export function cascade(backends: readonly [Solver, ...Solver[]]): Solver {
  const limits = backends.map((backend) => backend.limits);
  return {
    name: backends[0].name,
    limits: {
      integers: limits.some(({ integers }) => integers),
      duals: limits.some(({ duals }) => duals),
      deadline: limits.every(({ deadline }) => deadline),
      maxCols: Math.max(...limits.map(({ maxCols }) => maxCols)),
      maxEntries: Math.max(...limits.map(({ maxEntries }) => maxEntries)),
    },
    async solve(request) {
      let last: SolveAnswer = noAnswer("failed", "no backend takes a model of this size");
      for (const backend of backends) {
        if (!takes(backend.limits, request)) continue;
        let answer: SolveAnswer;
        try {
          answer = await backend.solve(request);
        } catch (error) {
          answer = noAnswer("failed", error instanceof Error ? error.message : String(error));
        }
        last = { ...answer, from: answer.from ?? backend.name };
        if (answer.status !== "failed") return last;
      }
      return last;
    },
    async dispose() {
      for (const backend of backends) await backend.dispose();
    },
  };
}
