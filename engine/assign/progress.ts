import type { Carry, KeptBasis, KeptCuts } from "./carry.ts";
import { priceScores } from "./construct.ts";
import { isProvenBest } from "./exhaust.ts";
import type { Instance, Units } from "./instance.ts";
import type { Relaxer } from "./relaxer.ts";
import type { Neighborhood } from "./search.ts";
import type { AssignOptions } from "./solve.ts";
import type { State } from "./state.ts";

/** One step of the pipeline, for reports. */
export interface Stage {
  readonly name:
    | "greedy"
    | "groups"
    | "lagrangian"
    | "construction"
    | "lp"
    | "cuts"
    | "decomposition"
    | "rounding"
    | "search"
    | "mip"
    | "neighborhood"
    | "tiers";
  readonly gain: number;
  readonly bound: number;
}

/** Best answer and bound so far, and what the stages share. */
export interface Run {
  readonly instance: Instance;
  readonly neighborhood: Neighborhood;
  readonly relaxer: Relaxer;
  options: Required<Pick<AssignOptions, "work" | "seed" | "gap" | "baseline">> & AssignOptions;
  /** The former tick in this instance's indices. */
  readonly warm: Carry | null;
  readonly stages: Stage[];
  units: Units;
  gain: number;
  bound: number;
  prices: Float64Array;
  /** Per option: gain per covered copy at the best prices known, cuts' prices too; guides every search. */
  scores: Float64Array;
  pricesFrom: "lp" | "lagrangian";
  /** Per item, for the next tick. */
  values: Float64Array | null;
  basis: KeptBasis | null;
  cuts: KeptCuts | null;
  isLate: boolean;
  /** Whether the answer of this gain was found to be the best there is. */
  judged: { readonly gain: number; readonly isBest: boolean } | null;
}

/** Proven distance to the best possible, relative to what is gained on top of leaving everything as it is. */
export const gapOf = (bound: number, gain: number, baseline: number): number =>
  bound <= gain ? 0 : (bound - gain) / Math.max(1, Math.abs(gain - baseline));

/** True once the proven gap is small enough to stop. */
export const isDone = (run: Run): boolean => wouldDo(run, run.gain) || run.instance.options === 0;

/** True where an answer of this gain would be the end. */
export const wouldDo = ({ bound, options }: Run, gain: number): boolean =>
  gapOf(bound, gain, options.baseline) <= options.gap;

/** Options up to which all assignments are tried, and how many parts of them: a hundredth of what a search takes. */
const fewOptions = 200;
const mostTried = 20_000;

/**
 * True when nothing gains more than the answer, so that searches have nothing to find. Bounds and prices go on: they are
 * what is reported as proven.
 */
export function isBest(run: Run): boolean {
  const { instance, gain, prices } = run;
  if (run.judged?.gain !== gain)
    run.judged = {
      gain,
      isBest: instance.options <= fewOptions && isProvenBest(instance, { gain, prices, most: mostTried }),
    };
  return run.judged.isBest;
}

/** Keeps an answer that gains more than the best so far. */
export function offer(run: Run, units: Units, gain: number): void {
  if (gain <= run.gain) return;
  run.gain = gain;
  run.units = units;
}

/** The same for an answer under construction. */
export function offerState(run: Run, state: State): void {
  if (state.gain > run.gain) offer(run, state.units(), state.gain);
}

/** Goes on with these prices. */
export function usePrices(run: Run, prices: Float64Array, from: Run["pricesFrom"]): void {
  run.prices = prices;
  run.pricesFrom = from;
  run.scores = priceScores(run.instance, prices);
}

/** Keeps a tighter bound. One below a known assignment is wrong, whoever says it: it is left out. */
export function tighten(run: Run, bound: number): void {
  // gains are integers; the rest is for the rounding of sums
  const rounded = Math.floor(bound + 1e-9 * Math.abs(bound));
  if (rounded < run.bound && rounded >= run.gain) run.bound = rounded;
  else if (rounded < run.gain && run.gain - rounded <= 1e-7 * Math.abs(run.gain)) run.bound = run.gain;
}

/** Notes where a stage left things, and lets the host breathe. */
export async function note(run: Run, name: Stage["name"]): Promise<void> {
  run.stages.push({ name, gain: run.gain, bound: run.bound });
  await run.options.pause?.();
}
