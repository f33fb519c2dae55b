import type { ClearingReport } from "./bid.ts";
import type { Decision } from "./decision.ts";
import type { Eviction, Preemption } from "./eviction.ts";
import type { Warning } from "./intent.ts";
import type { Micro } from "./money.ts";
import type { Resource } from "./quota.ts";

/** When running work may move to another offer: never for less than this. */
export interface MoveRules {
  /** What a move costs once, restart and lost work, has to come back within this many hours. */
  readonly horizonHours: number;
  /** Hysteresis: a move has to bring more than this share of what the work costs now, or flickering prices move it. */
  readonly leastShare: number;
}

/** Everything that steers a plan besides its inputs; part of the replay record. */
export interface PlanOptions {
  /** Seed of every random choice, default 1. */
  readonly seed?: number;
  /** Bound on own search, in counted work units. */
  readonly work?: number;
  /** Handed to the solver port only. */
  readonly deadlineMs?: number;
  readonly tradeoffs?: boolean;
  /** Adds to each placed intent where it would go if a provider of it died: one drill per provider. Default false. */
  readonly planB?: boolean;
  /** False serves intents one after the other only, without the batch: where speed counts most. Default true. */
  readonly together?: boolean;
  /** Running work may move where that pays, or makes room for others that are worth more; absent: nothing moves. */
  readonly moves?: MoveRules;
  /** Runners-up to report, default 3. */
  readonly runnersUp?: number;
  /** False skips explanations (rejections stay), for hot paths. Default true. */
  readonly explain?: boolean;
}

/** A solver's answer as plain JSON: sparse values, exact numbers. An input of every replay. */
export interface RecordedAnswer {
  readonly solver: string;
  /** Checksum of the model it answers. */
  readonly model: number;
  readonly status: "optimal" | "feasible" | "infeasible" | "unbounded" | "unknown" | "failed";
  /** Alternating column and value of the nonzero values; null without values. */
  readonly values: readonly number[] | null;
  /** Null is no bound. */
  readonly bound: number | null;
  /** Alternating row and dual of the nonzero duals. */
  readonly rowDuals: readonly number[] | null;
  readonly message?: string;
}

/** Scarcity of one resource of one offer: what one more unit would be worth to this batch. Never a bill. */
export interface ScarcityPrice {
  readonly offer: string;
  /** `offer` where it is sold whole. */
  readonly resource: "gpu" | "cpu" | "memory" | "pod" | "offer";
  /** Micro-units per hour and unit: GPU, milli-CPU, MiB, pod, whole offer. */
  readonly micro: number;
}

/** How well several intents were assigned together, and the proof. */
export interface BatchReport {
  /** Items that competed: intents with at least one option of their own. */
  readonly items: number;
  readonly options: number;
  /** Value of what was placed minus regret and moves, micro-units per hour, tiers weighted. */
  readonly gain: number;
  /** No assignment gains more. */
  readonly bound: number;
  /** (bound - gain) / gain; 0 when proven optimal. */
  readonly gap: number;
  /** Backend that helped, `lagrangian` alone, or `none` when nobody competed. */
  readonly solver: string;
  /** Positive prices only, by offer and resource. A signal of scarcity, not a charge. */
  readonly prices: readonly ScarcityPrice[];
  readonly pricesFrom: "lp" | "lagrangian";
  readonly stoppedBy: "completed" | "work" | "time";
  /** Running intents that make way for intents of higher priority. */
  readonly evicted: readonly string[];
  /** Running intents that move elsewhere; all others stay where they are. */
  readonly moved: readonly string[];
  /** In the order asked; hand them to `replaySolver` to get the same plan again. */
  readonly answers: readonly RecordedAnswer[];
}

/** What a tenant is entitled to and what a contended batch gives it, money per hour at list price. */
export interface TenantShare {
  readonly tenant: string;
  readonly weight: number;
  /** Its weighted max-min share of what it can use, what it holds included. */
  readonly entitledMicro: Micro;
  /** What it holds and what the plan gives it. */
  readonly gotMicro: Micro;
  /** Its largest pending job. A backlogged tenant gets its entitlement less this, unless whole jobs do not pack so. */
  readonly largestMicro: Micro;
  readonly isBacklogged: boolean;
  /** `lp`: exact for demand that can be divided; `filling`: an attainable share, for want of a solver. */
  readonly from: "lp" | "filling";
}

/** A quota that keeps an intent out. */
export interface QuotaReport {
  readonly intent: string;
  readonly tenant: string;
  readonly resource: Resource;
  readonly nominal: number;
  readonly used: number;
  readonly asked: number;
  /** Who owns and lends what it does not use now, most first. */
  readonly lenders: readonly { readonly name: string; readonly amount: number }[];
}

export interface Plan {
  readonly decisions: readonly Decision[];
  readonly snapshotVersion: string;
  readonly at: string;
  readonly currency: string;
  readonly seed: number;
  /**
   * `kernel` is what the host reads tables with: `typescript` where WebAssembly is missing. Tables of up to 64 rows are read
   * by the TypeScript twin on any host; both give the same bytes.
   */
  readonly engine: { readonly version: string; readonly kernel: "wasm" | "typescript" };
  readonly stoppedBy: "completed" | "work" | "time";
  readonly warnings: readonly Warning[];
  /** Running work that makes way, by intent. For operators: it names tenants. */
  readonly evictions: readonly Eviction[];
  /** The choices of victims, by the intent that takes their place, and how good each is. */
  readonly preemptions: readonly Preemption[];
  /** Quotas that keep intents out, and who could lend. For operators: it names tenants. */
  readonly quotas: readonly QuotaReport[];
  /** Auctions, by offer and priority served. For operators. */
  readonly clearings: readonly ClearingReport[];
  /** Shares of the tenants that compete in a batch. For operators: it names tenants. */
  readonly shares: readonly TenantShare[];
  /** Present when several intents were planned together. */
  readonly batch?: BatchReport;
}
