import type { Ending, Phase } from "../control/lifecycle.ts";
import type { Act, Answered, IdempotencyKey, KeptAnswer, Once } from "./act.ts";
import type { Head, NewAudit } from "./chain.ts";
import type {
  AllocationRow,
  AuditRow,
  DecisionRow,
  EventRow,
  IntentRow,
  OutboxRow,
  PlanRow,
  ReservationRow,
  TenantRow,
  TokenRow,
} from "./schema.ts";
import type { Sessions } from "./sessions.ts";
import type { TenantId } from "./tenant.ts";
import type { TenantWebhooks, WebhookQueues } from "./webhooks.ts";

export type { Act, Answered, IdempotencyKey, KeptAnswer, Once } from "./act.ts";

export interface AcceptIntent extends Act {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly priority: number;
  readonly document: string;
  readonly spec: string;
  readonly message: string;
  /** What the tenant finds it by. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The answer that is given, kept under the idempotency key when there is one. */
  readonly answer: KeptAnswer;
  readonly idempotency?: IdempotencyKey;
}

export type Accepted =
  | { readonly kind: "accepted" }
  | Answered
  /** An intent of that name has not ended. */
  | { readonly kind: "name_taken"; readonly id: string };

/** One page of a list, newest first. */
export interface IntentFilter {
  readonly phases?: readonly Phase[];
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** The workload's name. */
  readonly name?: string;
  readonly label?: { readonly key: string; readonly value: string };
  /** Rows before this id. */
  readonly before?: string;
  readonly limit: number;
}

/** Columns of an intent that a move may set. */
export type IntentChange = Partial<
  Pick<
    IntentRow,
    | "reason"
    | "message"
    | "ending"
    | "attempt"
    | "failures"
    | "due_ms"
    | "expected_start_ms"
    | "held"
    | "work_done_seconds"
    | "started_ms"
    | "document"
    | "spec"
    | "priority"
    | "generation"
  >
>;

export type AllocationChange = Partial<
  Pick<
    AllocationRow,
    "state" | "contract" | "service_url" | "cost_micro" | "expires_ms" | "billed_ms" | "released_ms"
  >
>;

/** The log entry of one run of `plan()`. */
export type NewPlan = PlanRow & {
  /** Stored once per hash; null where an entry before this one brought it. */
  readonly catalogDocument: string | null;
};

/** A change that follows from a plan. */
export interface PlannedChange extends ChangeIntent {
  /** Happens only where the change of this intent in the same plan does. */
  readonly onlyWith?: string;
}

/** A run of `plan()` and what follows from it. */
export interface SettlePlan {
  readonly plan: NewPlan;
  readonly changes: readonly PlannedChange[];
  /** Number of the last reservation that the plan knows of; 0 for none. */
  readonly lastReservation: number;
}

/**
 * The intent after a change of a plan. Null: it had another version, or what it goes with did not happen. `outdated`:
 * others reserved capacity of an offer that it would take, and the plan did not know: it is to be decided again.
 */
export type Settled = IntentRow | "outdated" | null;

/**
 * One change of one intent, all or nothing. Nothing happens when the intent's version is no longer `version`: the
 * caller looks again. A change of phase must be legal, and writes one event and one audit row.
 */
export interface ChangeIntent extends Act {
  readonly id: string;
  readonly version: number;
  /** Absent: stays in its phase, and no event is written unless `event` names one. */
  readonly to?: Phase;
  readonly set?: IntentChange;
  /** Kind of the event; default `intent.<phase>`. */
  readonly event?: string;
  /** More facts for the event. */
  readonly payload?: Readonly<Record<string, unknown>>;
  readonly newAllocations?: readonly AllocationRow[];
  readonly allocations?: readonly { readonly id: string; readonly set: AllocationChange }[];
  readonly decision?: Omit<DecisionRow, "seq" | "intent_id" | "tenant_id">;
}

export type Cancelled =
  | { readonly kind: "cancelled"; readonly intent: IntentRow }
  /** It had ended, or its end was under way: nothing changed. */
  | { readonly kind: "unchanged"; readonly intent: IntentRow }
  | { readonly kind: "version_differs"; readonly intent: IntentRow }
  | { readonly kind: "not_found" };

/** A changed wish for an intent that has not ended. */
export interface AmendIntent extends Act {
  readonly id: string;
  /** The version that was read and changed. */
  readonly version: number;
  readonly document: string;
  readonly spec: string;
  readonly priority: number;
  /** True when where it runs may have to change, and not only its rank. */
  readonly replan: boolean;
}

export type Amended =
  | { readonly kind: "amended"; readonly intent: IntentRow }
  | { readonly kind: "version_differs"; readonly intent: IntentRow }
  /** It had ended, or its end was under way: nothing changed. */
  | { readonly kind: "ended"; readonly intent: IntentRow }
  | { readonly kind: "not_found" };

/** An intent with what it holds or held, oldest first. */
export interface IntentView {
  readonly intent: IntentRow;
  readonly allocations: readonly AllocationRow[];
}

/** A tenant with what it holds now: GPUs, and micro-units per hour. */
export interface Account {
  /** Null when the tenant was never made. */
  readonly tenant: TenantRow | null;
  readonly gpus: number;
  readonly costMicro: number;
}

/** Columns of a tenant that administration may set. */
export type TenantChange = Partial<Pick<TenantRow, "weight" | "status" | "quotas" | "cohort">>;

/** Capacity of an offer that is wanted for a window. */
export interface ReserveInput extends Act {
  readonly reservation: Omit<ReservationRow, "tenant_id" | "seq">;
  /** GPUs of the offer. */
  readonly capacity: number;
  /** The offer is sold whole: whoever uses it uses all of it. */
  readonly isWhole: boolean;
  /** What others use of the offer and nothing ends before the window, by tenant. */
  readonly inUse: readonly { readonly tenant: string; readonly gpus: number }[];
  /** Allocations of the offer that `inUse` was made with, by id. */
  readonly known: readonly string[];
}

/** One page of reservations. */
export interface ReservationFilter {
  /** Absent: all. */
  readonly status?: "active" | "cancelled" | "expired";
  /** Now. */
  readonly atMs: number;
  /** Rows before this id. */
  readonly before?: string;
  readonly limit: number;
}

/** Whether there is room. */
export type Reserved =
  | { readonly kind: "reserved" }
  /** Most GPUs that could be reserved in that window. */
  | { readonly kind: "full"; readonly most: number }
  /** Something was placed on the offer that is not `known`, and there may be no room beside it: look again. */
  | { readonly kind: "outdated" }
  /** A decision goes first that reservations have put off too often: try again soon. */
  | { readonly kind: "paused" };

/** An allocation that is not released, and its owner. */
export interface HeldRow extends AllocationRow {
  readonly intent_phase: Phase;
  readonly intent_priority: number;
  readonly intent_generation: number;
  /** Since when the intent stands in its phase, and when it has to leave it. */
  readonly intent_phase_ms: number;
  readonly intent_due_ms: number | null;
  readonly intent_created_ms: number;
  readonly intent_work_done_seconds: number;
}

/** A waiting intent with what decides whose place it may take. */
export type WaitingRow = Pick<IntentRow, "id" | "priority" | "tenant_id">;

/** An intent that is to go on with work that was interrupted. */
export type BegunRow = Pick<IntentRow, "id" | "created_ms" | "work_done_seconds">;

/** A waiting intent with what is held for its start. */
export interface HeldStartRow extends Pick<IntentRow, "id" | "priority"> {
  readonly held: string;
}

/** What a tenant's requests may do: every row belongs to that tenant; another's rows do not exist here. */
export interface TenantStore extends TenantWebhooks {
  /** One transaction: intent, event, audit, outbox and idempotency. Durable when it resolves. */
  acceptIntent(input: AcceptIntent): Promise<Accepted>;
  /** Ends an intent in any phase; repeated, it changes nothing. */
  cancelIntent(input: Act & { readonly id: string; readonly version?: number }): Promise<Cancelled>;
  /**
   * Changes what is wanted, in any phase before the end. What is decided already is given back and decided again when
   * `replan` says so.
   */
  amendIntent(input: AmendIntent): Promise<Amended>;
  intent(id: string): Promise<IntentView | null>;
  intents(filter: IntentFilter): Promise<readonly IntentRow[]>;
  /** Newest first; with `plan` the one that this plan made. */
  decisions(intentId: string, limit: number, plan?: string): Promise<readonly DecisionRow[]>;
  /** What was answered under an idempotency key that has not expired. */
  keptAnswer(input: {
    readonly key: string;
    readonly atMs: number;
  }): Promise<(KeptAnswer & { readonly requestHash: string }) | null>;
  /** The tenant itself. */
  account(): Promise<Account>;
  /** Events with a number above `after`, in order. */
  events(input: {
    readonly after: number;
    readonly subject?: string;
    readonly limit: number;
  }): Promise<readonly EventRow[]>;
  audit(input: { readonly before?: number; readonly limit: number }): Promise<readonly AuditRow[]>;
  /** `full`: with `most` there are as many already that are neither revoked nor expired. */
  createToken(
    input: Act & Once & { readonly token: Omit<TokenRow, "tenant_id">; readonly most?: number },
  ): Promise<Answered | { readonly kind: "created" } | { readonly kind: "full"; readonly active: number }>;
  tokens(): Promise<readonly TokenRow[]>;
  /** The token with its time of revocation, or null when the tenant has none of that id. */
  revokeToken(input: Act & { readonly id: string }): Promise<TokenRow | null>;
  /** Refused when what all tenants reserved or use in the window would exceed the offer. */
  createReservation(input: ReserveInput & Once): Promise<Reserved | Answered>;
  /** Newest first. */
  reservations(filter: ReservationFilter): Promise<readonly ReservationRow[]>;
  reservation(id: string): Promise<ReservationRow | null>;
  /** The reservation as it is now; one that has run out stays as it is. Null: there is none of that id. */
  cancelReservation(input: Act & { readonly id: string }): Promise<ReservationRow | null>;
}

/** The right to decide, held by one process at a time. */
export interface Lease {
  /** Random for each start of a process; empty: given up, anybody may take it. */
  readonly holder: string;
  /** Rises by one with every taking; 0 before the first. */
  readonly epoch: number;
  /** Rises with every renewal. */
  readonly renewals: number;
}

/**
 * What only the deciding process may write: refused with `fenced`, in the same transaction, when the lease is of
 * another epoch by then. A process that was paused and goes on writes nothing.
 */
export interface Fenced {
  readonly epoch: number;
}

/** What the service itself may do, over all tenants. Routes of tenants never see this. */
export interface SystemStore extends WebhookQueues, Sessions {
  /** Intents in any of the phases, oldest first. */
  inPhases(input: {
    readonly phases: readonly Phase[];
    readonly limit: number;
  }): Promise<readonly IntentRow[]>;
  /** The ids alone, those after one. */
  idsIn(input: {
    readonly phases: readonly Phase[];
    readonly after?: string;
    readonly limit: number;
  }): Promise<readonly string[]>;
  /** The intents of these ids, by id; unknown ids are left out. */
  intentsById(ids: readonly string[]): Promise<readonly IntentRow[]>;
  intentById(id: string): Promise<IntentView | null>;
  /** The intents of these ids with what they hold or held, oldest first; unknown ids are left out. */
  viewsOf(ids: readonly string[]): Promise<readonly IntentView[]>;
  /** Waiting intents as a queue: higher priority first, then older. */
  waiting(): Promise<readonly WaitingRow[]>;
  /** Intents that hold nothing and have part of their work done, by id. */
  begun(): Promise<readonly BegunRow[]>;
  /** Waiting intents whose start is held, by id. */
  heldStarts(): Promise<readonly HeldStartRow[]>;
  /** All allocations that are not released, by id, with what of their intents decides about them. */
  held(): Promise<readonly HeldRow[]>;
  /** The same, of these intents. */
  heldBy(intents: readonly string[]): Promise<readonly HeldRow[]>;
  /** What events with a number above `after` are about, in order. */
  changedSince(input: {
    readonly after: number;
    readonly limit: number;
  }): Promise<readonly { readonly seq: number; readonly subject: string }[]>;
  /** Null: the version differs. */
  changeIntent(input: ChangeIntent & Fenced): Promise<IntentRow | null>;
  /**
   * Logs a plan and makes its changes, all or nothing but for those that {@link Settled} tells. The entry that it goes back
   * to must be in the log.
   */
  settlePlan(input: SettlePlan & Fenced): Promise<readonly Settled[]>;
  /**
   * From now on, and as long as this epoch lasts, no reservation is stored; or reservations are stored again. Decisions that
   * were `outdated` too often are made meanwhile.
   */
  pauseReservations(input: Fenced & { readonly isPaused: boolean }): Promise<void>;
  /** The lease as it stands. */
  lease(): Promise<Lease>;
  /** Takes the lease, unless it is no longer as `seen`: the new epoch, or null. Recorded in the audit log. */
  takeLease(
    input: Act & { readonly holder: string; readonly seen: Pick<Lease, "epoch" | "renewals"> },
  ): Promise<number | null>;
  /** False: the lease is of another epoch. */
  renewLease(input: Fenced): Promise<boolean>;
  /** Gives the lease up, if it is still of this epoch. */
  releaseLease(input: Fenced): Promise<void>;
  plan(id: string): Promise<PlanRow | null>;
  /** The catalog of a hash that plans name. */
  catalog(hash: string): Promise<string | null>;
  tenants(): Promise<readonly TenantRow[]>;
  /** Creates the tenant unless it exists. */
  ensureTenant(tenant: TenantRow): Promise<void>;
  tenant(id: string): Promise<TenantRow | null>;
  /** `exists`: nothing changed. The key is one of the caller's tenant. */
  createTenant(
    input: Act & Once & { readonly tenant: TenantRow; readonly caller: TenantId },
  ): Promise<Answered | { readonly kind: "created" | "exists" }>;
  /** The tenant as it is now, or null when there is none of that name. */
  changeTenant(input: Act & { readonly id: string; readonly set: TenantChange }): Promise<TenantRow | null>;
  tokenById(id: string): Promise<(TokenRow & { readonly tenant_status: string }) | null>;
  /** A secret of the service under a name: `fresh` the first time, the same ever after. */
  secret(input: { readonly name: string; readonly fresh: string }): Promise<string>;
  /** Intents that have not ended, by phase. */
  phaseCounts(): Promise<readonly { readonly phase: Phase; readonly count: number }[]>;
  /**
   * GPUs that all tenants held at 2 or more points, evenly from `fromMs` to `untilMs` with both, which is later. Point `i`
   * is at `fromMs + floor((untilMs - fromMs) * i / (points - 1))`.
   */
  gpusInUse(input: {
    readonly fromMs: number;
    readonly untilMs: number;
    readonly points: number;
  }): Promise<readonly number[]>;
  /** True when the store has any token at all: the first start has none. */
  hasTokens(): Promise<boolean>;
  /** Creates a token where the store has none at all: false when another start was first. */
  createFirstToken(input: Act & { readonly token: TokenRow }): Promise<boolean>;
  /** Notes that tokens were used, to the minute. */
  touchTokens(uses: readonly { readonly id: string; readonly atMs: number }[]): Promise<void>;
  recordAudit(entry: NewAudit): Promise<void>;
  /** Reservations whose window has not ended. */
  openReservations(atMs: number): Promise<readonly ReservationRow[]>;
  /** Whether any row is due that nobody has claimed. */
  isOutboxDue(nowMs: number): Promise<boolean>;
  /** Up to `limit` due rows, claimed until `untilMs` by `claimId`; rows claimed by others are left out. */
  claimOutbox(input: {
    readonly claimId: string;
    readonly nowMs: number;
    readonly untilMs: number;
    readonly limit: number;
  }): Promise<readonly { readonly row: OutboxRow; readonly event: EventRow }[]>;
  /** Removes rows still claimed by `claimId`; a row that somebody else claimed meanwhile stays. */
  finishOutbox(input: { readonly claimId: string; readonly ids: readonly number[] }): Promise<void>;
  /** Gives back the rows that are still claimed by `claimId`: they are due as before. */
  releaseOutbox(input: { readonly claimId: string }): Promise<void>;
  /** Puts rows off, each to its `dueMs`, one attempt more. */
  retryOutbox(input: {
    readonly claimId: string;
    readonly rows: readonly { readonly id: number; readonly dueMs: number }[];
  }): Promise<void>;
  /** Deletes what has outlived its use: expired idempotency keys, deliveries that ended 30 days ago, sessions. */
  purge(nowMs: number): Promise<void>;
  /** Last entries of both logs. */
  heads(): Promise<{ readonly events: Head; readonly audit: Head }>;
}

/** What the store has done since it was opened. */
export interface StoreStats {
  /** Transactions on disk, each with at least one sync. */
  readonly commits: number;
  /** Writes in them. */
  readonly writes: number;
  /** Writes that wait. */
  readonly waiting: number;
}

/**
 * Durable state. A write resolves after its commit is on disk. Writes that arrive while one commit is being synced
 * share the next one.
 *
 * Every method throws {@link StoreError}; after an error other than `unknown` nothing of that write remains.
 */
export interface Store {
  forTenant(tenant: TenantId): TenantStore;
  readonly system: SystemStore;
  /**
   * Calls back after commits that appended events, with the number of the last one; `isForeign` when they were found in
   * the log, where other processes write too. At least once for every commit: a commit of its own may be found there
   * before it is answered, and is told again then.
   */
  subscribe(listener: (lastSeq: number, isForeign: boolean) => void): () => void;
  stats(): StoreStats;
  /** Why it cannot be used at the moment, or null; absent: it can as long as this process lives. */
  trouble?(): string | null;
  /** Finishes the writes that wait, then closes. */
  close(): Promise<void>;
}

/** How the move of a cancelled intent goes on: what was never placed is cancelled at once. */
export function cancelPath(phase: Phase): { readonly to: Phase; readonly ending: Ending | null } {
  return phase === "queued" || phase === "waiting" || phase === "preempted"
    ? { to: "cancelled", ending: null }
    : { to: "releasing", ending: "cancelled" };
}
