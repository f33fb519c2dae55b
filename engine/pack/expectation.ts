import type { PodClass } from "./classes.ts";
import { podMilli } from "./model.ts";

/** Expected demand as a multiple of the free capacity: no horizon is known, so somewhat more than what fits. */
const HEADROOM = 1.1;
/** Arrivals between two looks at the mix. */
const LOOK_EVERY = 500;
/** Pods that the given mix counts for once arrivals contradict it. */
const PRIOR_PODS = 500;
/** Standard deviations of chi-square above its mean at which a mix has drifted. */
const DRIFT_SIGMAS = 8;
/** Expected count below which classes are tested together. */
const LEAST_EXPECTED = 5;

/** The mix of pods to come: as given, until arrivals clearly contradict it. */
export interface Expectation {
  /** Shares by class id. */
  shares(): readonly number[];
  /** Pods still expected when this much GPU is free. */
  pods(freeMilli: number): number;
  /** Counts an arrival. */
  observe(pod: PodClass): void;
  /** Arrivals contradict the mix in use: `adopt` would change it. */
  hasDrifted(): boolean;
  /** Takes what arrived into the mix, the given one counting for 500 pods. */
  adopt(): void;
}

/** Chi-square of counts against shares, and its degrees of freedom; rare classes together. */
function chiSquare(
  counts: readonly number[],
  shares: readonly number[],
  arrived: number,
): { readonly value: number; readonly freedom: number } {
  let value = 0;
  let freedom = -1;
  let rareCount = 0;
  let rareExpected = 0;
  const add = (count: number, expected: number): void => {
    value += ((count - expected) * (count - expected)) / expected;
    freedom += 1;
  };
  for (let id = 0; id < Math.max(counts.length, shares.length); id++) {
    const expected = (shares[id] ?? 0) * arrived;
    if (expected >= LEAST_EXPECTED) add(counts[id] ?? 0, expected);
    else {
      rareCount += counts[id] ?? 0;
      rareExpected += expected;
    }
  }
  add(rareCount, Math.max(rareExpected, LEAST_EXPECTED));
  return { value, freedom };
}

/** @param classes grows as pods of new classes arrive; the given shares are those it starts with */
export function createExpectation(classes: readonly PodClass[]): Expectation {
  const given = classes.map(({ share }) => share);
  let shares: readonly number[] = given;
  const counts: number[] = [];
  let arrived = 0;
  let nextLook = LOOK_EVERY;
  let drifted = false;
  let meanMilli = meanOf(shares, classes);
  return {
    shares: () => shares,
    pods: (freeMilli) => (meanMilli === 0 ? 0 : (HEADROOM * freeMilli) / meanMilli),
    observe({ id }) {
      while (counts.length <= id) counts.push(0);
      counts[id]! += 1;
      arrived += 1;
      if (arrived < nextLook) return;
      nextLook += LOOK_EVERY;
      const { value, freedom } = chiSquare(counts, shares, arrived);
      if (value > freedom + DRIFT_SIGMAS * Math.sqrt(2 * Math.max(1, freedom))) drifted = true;
    },
    hasDrifted: () => drifted,
    adopt() {
      const prior = given.length === 0 ? 0 : PRIOR_PODS;
      shares = classes.map(
        ({ id }) => ((given[id] ?? 0) * prior + (counts[id] ?? 0)) / Math.max(1, prior + arrived),
      );
      meanMilli = meanOf(shares, classes);
      drifted = false;
      // each look costs prices anew: only when as much again has arrived
      nextLook = Math.max(nextLook, arrived * 2);
    },
  };
}

const meanOf = (shares: readonly number[], classes: readonly PodClass[]): number =>
  shares.reduce((sum, share, id) => sum + share * podMilli(classes[id]!), 0);
