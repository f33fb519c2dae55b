import type { Flavor } from "./flavor.ts";
import type { Intent } from "./intent.ts";

/** What some replicas of an intent would take from one offer, as a limit or a floor counts it. */
export interface Take {
  readonly intent: Intent;
  readonly flavor: Flavor;
  readonly spot: boolean;
  /** GPUs; of a part its share, to the thousandth. */
  readonly gpus: number;
  /** Micro-units per hour in the snapshot's currency. */
  readonly billedMicro: number;
}

/** Amount of a limit or floor that a take counts for: an integer, 0 where it is none of its business. */
export type AmountOf = (take: Take) => number;

/** At most `left` over everything that the batch places: a quota in GPUs, a budget in money. Hard. */
export interface Limit {
  readonly kind: "quota" | "budget";
  /** False spares the engine to ask for the amounts of this intent's options: they are all 0. */
  readonly concerns: (intent: Intent) => boolean;
  /** What is left for this batch, >= 0; running work that may be evicted still counts as used. */
  readonly left: number;
  readonly amountOf: AmountOf;
}

/**
 * A minimum that somebody is to get before the others' utility counts, as far as the order of priorities and
 * capacity allow. Whole placements count only as long as they fit below `least`, so the guarantee is `least` minus
 * one largest job.
 */
export interface Floor {
  readonly least: number;
  readonly concerns: (intent: Intent) => boolean;
  readonly amountOf: AmountOf;
}

/** Running work that may be evicted for intents of higher priority, never for others. */
export interface Running {
  /** Name of the intent that runs. */
  readonly intent: string;
  readonly priority: number;
  readonly offer: string;
  readonly gpus: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly pods: number;
  /** What an eviction loses: work since the checkpoint and the restart, micro-units, > 0. */
  readonly lossMicro: number;
  /** What an eviction gives back: index into `limits` and amount. */
  readonly returns: readonly (readonly [limit: number, amount: number])[];
}

/** What binds a batch besides its offers. */
export interface Terms {
  readonly limits: readonly Limit[];
  readonly floors: readonly Floor[];
  readonly running: readonly Running[];
}

/** Nothing but the offers binds. */
export const noTerms: Terms = { limits: [], floors: [], running: [] };
