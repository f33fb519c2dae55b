import type { BidResult } from "./bid.ts";
import type { Evicted, Preempted } from "./eviction.ts";
import type { Objective, Warning, Weights } from "./intent.ts";
import type { Micro } from "./money.ts";
import type { QuotaShort } from "./quota.ts";
import type { ConstraintName, ReasonCode } from "./reason.ts";

/** Replicas of one intent in one offer. Costs are billed micro-units per hour in the snapshot's currency. */
export interface Placement {
  readonly offer: string;
  readonly provider: string;
  readonly region: string | null;
  readonly zone: string | null;
  /** GPUs taken in this offer, all replicas together. */
  readonly gpus: number;
  readonly replicas: number;
  readonly costMicro: Micro;
  readonly spot: boolean;
  /** Price per GPU and hour where an auction set it instead of the list; `costMicro` follows it. */
  readonly clearingMicro?: Micro;
  /** Device indices per replica, where the offer lists devices. */
  readonly devices?: readonly (readonly number[])[];
}

export type CriterionName = "cost" | "slowness" | "latency" | "energy";

/** One criterion of one option, smaller is better. */
export interface Criterion {
  /** Raw value: micro-units per hour, relative slowness, milliseconds, gCO2 per unit of work. */
  readonly value: number;
  /** Value / best feasible value, >= 1. */
  readonly ratio: number;
  /** Normalised weight of the criterion in the score. */
  readonly weight: number;
  /** The offer does not state it: scored as the worst of the feasible set. */
  readonly unknown: boolean;
}

export type Criteria = Readonly<Record<CriterionName, Criterion>>;

/** Another feasible option and the criterion that lost it most of the score. */
export interface RunnerUp {
  readonly offer: string;
  readonly provider: string;
  readonly region: string | null;
  readonly costMicro: Micro;
  readonly spot: boolean;
  readonly criteria: Criteria;
  readonly score: number;
  /** What decided against it: a criterion, or `order` when every criterion is equal and the id decided. */
  readonly lostOn: CriterionName | "order" | "total";
}

/** One field of an intent, changed. Values as the documented JSON form writes them. */
export interface Change {
  readonly path: string;
  readonly from: string | number | boolean | null;
  readonly to: string | number | boolean | null;
}

/** A verified promise: with these changes the intent is placed, on `best`. */
export interface Counterfactual {
  readonly changes: readonly Change[];
  /** Options that are feasible with the changes. */
  readonly offers: number;
  readonly best: {
    readonly offer: string;
    readonly provider: string;
    readonly costMicro: Micro;
    readonly spot: boolean;
  };
}

/** A named Pareto-optimal alternative, with ratios to the chosen option. */
export interface Tradeoff {
  readonly name: "cheapest" | "fastest" | "closest" | "greenest" | "knee";
  readonly offer: string;
  readonly provider: string;
  readonly costMicro: Micro;
  readonly spot: boolean;
  readonly criteria: Criteria;
  /** (value / chosen value) - 1 per criterion. */
  readonly deltas: Readonly<Record<CriterionName, number>>;
}

/** A start that the calendar holds for a waiting intent. */
export interface HeldStart {
  /** RFC 3339 UTC. */
  readonly start: string;
  /** End by its runtime; null for a service. */
  readonly end: string | null;
  /** Latest end, where its timeout enforces one. */
  readonly enforcedEnd: string | null;
  /** `promise`: every end it relies on is enforced or reserved; else `estimate`. */
  readonly basis: "promise" | "estimate";
  readonly placements: readonly Placement[];
}

/** Where a waiting intent stands. Other tenants are counted, never named. */
export interface Waiting {
  /** 1 is served next. */
  readonly position: number;
  /** Waiting intents ahead: the tenant's own by name, the others as a number. */
  readonly ahead: { readonly own: readonly string[]; readonly others: number };
  /** Null while no end is known of what it waits for. */
  readonly held: HeldStart | null;
  /** The start an earlier plan held for it, when the new one is later, and why. */
  readonly moved?: { readonly from: string; readonly because: string };
}

/** Where a batch is that runs on spot capacity under a deadline. */
export type SpotPlace = "spot" | "on-demand" | "idle";

/**
 * What the spot policy decided for a batch with a deadline that survives interruptions, and the figures behind it.
 * Times are seconds.
 */
export interface SpotChoice {
  readonly from: SpotPlace;
  readonly choice: SpotPlace;
  /** The spot offer that is meant; null for the other choices. */
  readonly offer: string | null;
  /** Spot offers that would do, and those that are there now. */
  readonly zones: number;
  readonly zonesUp: number;
  /** What is left to do on demand, work since the last checkpoint included. */
  readonly remainingSeconds: number;
  /** What a change of place costs at most: a restart, and the work since a checkpoint. */
  readonly changeoverSeconds: number;
  /** Time until the deadline beyond what is left and one change of place. */
  readonly slackSeconds: number;
  /** Slack that is kept back for changes of place to come: with less, it does not wait for spot capacity. */
  readonly reserveSeconds: number;
  /** RFC 3339 UTC: the last moment to go on demand. */
  readonly onDemandBy: string;
  /** Spot price / on-demand price. */
  readonly priceRatio: number;
  /** One sentence for people. */
  readonly message: string;
}

/** Where a placed intent would go if a provider that it is placed at died, with everything else left where it is. */
export interface PlanB {
  readonly provider: string;
  readonly outcome: Outcome;
  readonly reason: ReasonCode;
  readonly to: readonly Placement[];
  /** RFC 3339 UTC of a held start, where it would have to wait. */
  readonly expectedStart: string | null;
  /** Micro-units per hour that it would cost more, less than 0 where it would cost less; null unless placed. */
  readonly moreMicro: Micro | null;
}

export type Outcome = "placed" | "waiting" | "refused";

/** What was decided for one intent, with everything needed to defend it. */
export interface Decision {
  readonly intent: string;
  readonly tenant: string;
  readonly outcome: Outcome;
  readonly reason: ReasonCode;
  /** One sentence for people. */
  readonly message: string;
  readonly objective: Objective;
  readonly weights: Weights;
  readonly placements: readonly Placement[];
  /** Criteria of the whole placement; null unless placed. */
  readonly criteria: Criteria | null;
  readonly score: number | null;
  readonly runnersUp: readonly RunnerUp[];
  /** Options that pass every constraint. */
  readonly feasible: number;
  /** Options considered. */
  readonly considered: number;
  /** Options failing each constraint, every failing one counted, unknown traits included. Zero counts absent. */
  readonly rejections: Readonly<Record<ConstraintName, number>>;
  /** Of those, the options that fail because they do not state the trait. */
  readonly unknown: Readonly<Record<ConstraintName, number>>;
  /** Options rejected by exactly one constraint, by that constraint. */
  readonly soleBlockers: Readonly<Record<ConstraintName, number>>;
  readonly counterfactuals: readonly Counterfactual[];
  readonly tradeoffs: readonly Tradeoff[];
  /** What the intent's own negotiation rules gave up to be placed, in the order it was given up. */
  readonly relaxations: readonly Change[];
  readonly warnings: readonly Warning[];
  /** The quotas of the tenant that keep the intent out: its own figures only. */
  readonly quota?: readonly QuotaShort[];
  /** How the intent's bid ended, where an offer it wanted was auctioned. */
  readonly bid?: BidResult;
  /** Running work that makes way for the intent. */
  readonly preempts?: Preempted;
  /** The intent ran until this plan evicted it. */
  readonly evicted?: Evicted;
  /** RFC 3339 UTC; only for waiting intents with a known start. */
  readonly expectedStart?: string;
  /** Only for waiting intents: position, and the capacity held for them. */
  readonly wait?: Waiting;
  /** Only for batches that the spot policy decides about. */
  readonly spot?: SpotChoice;
  /** Only on request, for what is placed: one per provider it is placed at. */
  readonly planB?: readonly PlanB[];
}
