import type { Micro } from "./money.ts";

/** The outcomes of a decision. */
type Outcome = "placed" | "waiting" | "refused";

/** Why running work makes way: for higher priority, or because its tenant runs on quota that another takes back. */
export type EvictionCause = "priority" | "reclaim";

/** Running work that a plan ends, with what that loses. For operators: names of all tenants. */
export interface Eviction {
  readonly intent: string;
  readonly tenant: string;
  readonly priority: number;
  readonly cause: EvictionCause;
  /** The intent that takes its place. */
  readonly by: string;
  readonly from: readonly { readonly offer: string; readonly gpus: number }[];
  /** Seconds of work since the last checkpoint. */
  readonly lostSeconds: number;
  readonly restartSeconds: number;
  /** Both, at list price. */
  readonly lostMicro: Micro;
  /** What becomes of it in this plan; `unknown` where the plan was not given its intent: it queues. */
  readonly outcome: Outcome | "unknown";
  /** Offers where it goes on. */
  readonly to: readonly string[];
}

/** One choice of victims and how good it is. */
export interface Preemption {
  readonly intent: string;
  readonly victims: readonly string[];
  readonly lostMicro: Micro;
  /** No choice loses less; equal to `lostMicro` where the search was exact. */
  readonly leastMicro: Micro;
}

/** What an intent's own decision tells about the work that made way for it: other tenants' is counted only. */
export interface Preempted {
  readonly own: readonly string[];
  readonly others: number;
}

/** What a decision tells about an eviction of its own work. */
export interface Evicted {
  readonly cause: EvictionCause;
  readonly from: readonly string[];
  readonly lostSeconds: number;
  readonly restartSeconds: number;
}
