import type { Planting } from "./process.ts";
import { type RunResult, run } from "./run.ts";

export interface ShrinkOptions {
  readonly seed: number;
  /** Length of the run, which decides when the phase without faults begins. */
  readonly steps: number;
  readonly planting?: Planting;
  /** Runs that may be spent, default 150. */
  readonly mostRuns?: number;
}

/** A failure by as few steps as were found. */
export interface Shrunken {
  readonly keep: readonly number[];
  readonly result: RunResult;
  readonly runs: number;
}

/**
 * Leaves steps out as long as the same class of violation remains (Zeller's ddmin over the list of steps). It works
 * because the draws of a step follow from the seed and its number alone.
 */
export async function shrink(failed: RunResult, options: ShrinkOptions): Promise<Shrunken> {
  const { seed, steps, planting, mostRuns = 150 } = options;
  let runs = 0;
  let best: { keep: readonly number[]; result: RunResult } = {
    keep: [...failed.operations.keys()],
    result: failed,
  };
  const stillFails = async (keep: readonly number[]): Promise<boolean> => {
    runs++;
    const result = await run({
      seed,
      steps,
      keep: new Set(keep),
      ...(planting === undefined ? {} : { planting }),
    });
    if (result.violation?.kind !== failed.violation?.kind) return false;
    best = { keep: [...result.operations.keys()], result };
    return true;
  };
  let parts = 2;
  while (best.keep.length > 1 && runs < mostRuns) {
    const { keep } = best;
    const size = Math.ceil(keep.length / parts);
    let isSmaller = false;
    for (let from = 0; from < keep.length && runs < mostRuns && !isSmaller; from += size)
      isSmaller = await stillFails([...keep.slice(0, from), ...keep.slice(from + size)]);
    if (isSmaller) parts = Math.max(2, parts - 1);
    else if (size === 1) break;
    else parts = Math.min(keep.length, parts * 2);
  }
  return { ...best, runs };
}
