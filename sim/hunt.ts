import type { Bug } from "./bugs/bug.ts";
import { mix } from "./random.ts";
import { type RunResult, run } from "./run.ts";
import { drawSwarm } from "./swarm.ts";

/** Steps within which every planted bug has to be found. */
export const MOST_HUNT_STEPS = 200_000;

/** More seeds than elsewhere aim at situations: a bug shows in few of them, and time is no matter. */
const AIMED = 0.6;

export interface Hunt {
  readonly bug: string;
  /** Steps until it was found; null: it was not. */
  readonly steps: number | null;
  /** The run that found it, or the last one. */
  readonly result: RunResult | null;
}

/** Runs seeds until a planted bug is found, or something else is. */
export async function hunt(bug: Bug, base: number, stepsPerRun = 400): Promise<Hunt> {
  let steps = 0;
  let result: RunResult | null = null;
  for (let count = 0; steps < MOST_HUNT_STEPS; count++) {
    const seed = mix(base, count);
    result = await run({ seed, steps: stepsPerRun, planting: bug.plant(), swarm: drawSwarm(seed, AIMED) });
    steps += result.steps;
    if (result.violation === null) continue;
    const isIt = bug.breaks.includes(result.violation.kind);
    return { bug: bug.name, steps: isIt ? steps : null, result };
  }
  return { bug: bug.name, steps: null, result };
}
