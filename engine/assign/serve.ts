import { type Catalog, offerIndexOf } from "../compile/catalog.ts";
import type { Scope, Usage } from "../compile/constraints/spec.ts";
import { type DevicePart, openedBy } from "../compile/devices.ts";
import { needOf } from "../compile/need.ts";
import { nextPeriods } from "../compile/open-periods.ts";
import type { Change, Outcome } from "../model/decision.ts";
import type { Evicted, Preempted } from "../model/eviction.ts";
import type { Intent } from "../model/intent.ts";
import type { QuotaShort } from "../model/quota.ts";
import type { ReasonCode } from "../model/reason.ts";
import type { Running } from "../model/terms.ts";
import { formatTime } from "../model/time.ts";
import { rounds } from "./negotiate.ts";
import { refusalOf } from "./outcome.ts";
import { overQuota, whenFree } from "./over-quota.ts";
import { type Asked, placeSingle, type SingleResult } from "./single.ts";

/** What was decided, before it is explained. */
export interface Verdict {
  readonly outcome: Outcome;
  readonly reason: ReasonCode;
  readonly message: string;
  readonly relaxations: readonly Change[];
  readonly expectedStart?: string;
  /** The quotas that keep the intent out. */
  readonly quota?: readonly QuotaShort[];
  /** Running work that makes way for the intent. */
  readonly preempts?: Preempted;
  /** The intent ran, and made way. */
  readonly evicted?: Evicted;
}

/** One intent served from what is free: the scope it was decided in (after negotiation), the result, the verdict. */
export interface Served {
  readonly scope: Scope;
  /** The intent as stated, before negotiation. */
  readonly stated: Intent;
  readonly result: SingleResult;
  readonly verdict: Verdict;
}

/** What a plan has given away so far, per offer index. */
export type Ledger = Map<number, Usage>;

const nothing: Usage = { gpus: 0, cpuMilli: 0, memoryMib: 0, pods: 0 };

/** What a served intent takes, by offer index. */
export function takenBy({ scope, result }: Served): (readonly [offer: number, amount: Usage])[] {
  const { need, catalog } = scope;
  return result.shares.map(({ candidate, replicas, parts }) => {
    const offer = catalog.options.flavor[candidate.row]!;
    const { capacity, divisible } = catalog.snapshot.offers[offer]!;
    return [
      offer,
      {
        // an offer sold whole is gone, however few of its GPUs are needed
        gpus: !divisible ? capacity.gpus : parts === undefined ? need.gpus * replicas : 0,
        cpuMilli: need.cpuMilli * replicas,
        memoryMib: need.memoryMib * replicas,
        pods: replicas,
        ...(parts === undefined || !divisible ? {} : { parts }),
      },
    ];
  });
}

/** Parts in use after some more, or without some of them. */
function partsAfter(
  before: readonly DevicePart[],
  change: readonly DevicePart[],
  sign: 1 | -1,
): readonly DevicePart[] {
  if (sign === 1) return [...before, ...change];
  return before.filter((part) => !change.includes(part));
}

/** Adds to what is in use of an offer, or takes away; an untouched offer is absent. */
export function addUsage(ledger: Ledger, offer: number, change: Usage, sign: 1 | -1): void {
  const before = ledger.get(offer) ?? nothing;
  const parts = partsAfter(before.parts ?? [], change.parts ?? [], sign);
  const after: Usage = {
    // devices that parts open are gone as whole ones, once each
    gpus: before.gpus + sign * change.gpus + openedBy(parts) - openedBy(before.parts ?? []),
    cpuMilli: before.cpuMilli + sign * change.cpuMilli,
    memoryMib: before.memoryMib + sign * change.memoryMib,
    pods: before.pods + sign * change.pods,
    ...(parts.length > 0 ? { parts } : {}),
  };
  if (
    parts.length === 0 &&
    after.gpus === 0 &&
    after.cpuMilli === 0 &&
    after.memoryMib === 0 &&
    after.pods === 0
  )
    ledger.delete(offer);
  else ledger.set(offer, after);
}

/** Books what a served intent takes. */
export function book(ledger: Ledger, served: Served): void {
  for (const [offer, amount] of takenBy(served)) addUsage(ledger, offer, amount, 1);
}

/** Gives back what running work holds: less than nothing is in use there then. */
export function release(ledger: Ledger, { snapshot }: Catalog, running: Running): void {
  const offer = offerIndexOf(snapshot, running.offer);
  if (offer < 0) return;
  addUsage(ledger, offer, running, -1);
}

/** Gives back what a served intent took. */
export function unbook(ledger: Ledger, served: Served): void {
  for (const [offer, amount] of takenBy(served)) addUsage(ledger, offer, amount, -1);
}

/** Openings of an availability window that are tried for a workload that does not fit now. */
const OPENINGS = 8;

/** The first opening of its availability window at which some known offer would do, as if all were free. */
function opensAt({ catalog, need }: Scope, k: number): string | undefined {
  const { availability } = need.intent.constraints;
  if (availability === undefined) return undefined;
  for (const { startMs } of nextPeriods(availability, need.atMs, OPENINGS)) {
    const then = needOf(catalog, need.intent, startMs);
    const later = placeSingle({ catalog, need: then, usage: new Map(), asIfFree: true }, k);
    if (later.shares.length > 0) return formatTime(startMs);
  }
  return undefined;
}

/** When the offers that would fit come back, where that is known for one of them. */
function comesBack(scope: Scope, later: SingleResult): string | undefined {
  const { backAtMs } = scope.catalog.downtime;
  const times = later.ranked.map(({ row }) => backAtMs.get(scope.catalog.options.flavor[row]!) ?? Infinity);
  const first = Math.min(...times);
  return Number.isFinite(first) ? formatTime(first) : undefined;
}

/** What a round of negotiation found. */
interface Agreement extends Pick<Served, "scope" | "result"> {
  readonly given: readonly Change[];
}

/** What an agreement costs the owner of the intent: its objective, in whichever scope the round left. */
const costOf = ({ result }: Agreement): number =>
  result.shares.reduce((sum, { billedMicro }) => sum + billedMicro, 0);

/**
 * The first round that places the intent. With a stated `auto_accept_threshold` all rounds are heard, and the first one
 * is taken whose price lies within that share of the cheapest: giving up more must be worth it.
 */
function negotiate(scope: Scope, k: number): Agreement | null {
  const { catalog, need } = scope;
  const threshold = need.intent.constraints.negotiation.autoAcceptThreshold;
  const agreements: Agreement[] = [];
  for (const round of need.period === null ? [] : rounds(need.intent)) {
    const tried = { ...scope, need: needOf(catalog, round.intent) };
    const result = placeSingle(tried, k);
    if (result.shares.length === 0) continue;
    agreements.push({ scope: tried, result, given: round.given });
    if (threshold === undefined) break;
  }
  const least = Math.min(...agreements.map(costOf));
  return agreements.find((one) => costOf(one) <= least * (1 + (threshold ?? 0))) ?? null;
}

/** True when it would run on spot capacity under a deadline: then it first looks for what an interruption spares. */
const risksDeadline = ({ need, catalog }: Scope, { shares }: SingleResult): boolean =>
  need.deadlineMs !== undefined &&
  need.exposure.segmentHours !== undefined &&
  shares.some(({ candidate }) => catalog.options.spot[candidate.row] === 1);

/**
 * Serves one intent: as stated; else by the rounds its negotiation allows; else it waits, when a known offer would do
 * once it is free or the quota is, or when `queue` is stated; else it is refused.
 *
 * @param asked the answer to the intent as stated where it is known, see `askAll`
 */
export function serve(scope: Scope, k: number, asked?: Asked): Served {
  const stated = scope.need.intent;
  const result = placeSingle(scope, k, asked);
  const placed = (relaxations: readonly Change[]): Verdict => ({
    outcome: "placed",
    reason: "PLACED",
    message: relaxations.length === 0 ? "placed as stated" : "placed after negotiation",
    relaxations,
  });
  if (result.shares.length > 0) {
    const careful = { ...scope, keepsReserve: true };
    const kept = risksDeadline(scope, result) ? placeSingle(careful, k) : null;
    return kept === null || kept.shares.length === 0
      ? { scope, stated, result, verdict: placed([]) }
      : { scope: careful, stated, result: kept, verdict: placed([]) };
  }
  const negotiated = negotiate(scope, k);
  if (negotiated !== null) return { ...negotiated, stated, verdict: placed(negotiated.given) };
  return { scope, stated, result, verdict: verdictWithout(scope, result, k) };
}

/** What becomes of an intent that finds no place now. */
function verdictWithout(scope: Scope, result: SingleResult, k: number): Verdict {
  const free = whenFree(scope, k);
  const over = scope.limits === undefined ? null : overQuota(scope, scope.limits, k, { result, free });
  const quota = over === null ? {} : { quota: over.quota };
  const refusal =
    over === null ? refusalOf(scope, result) : { reason: "QUOTA_EXCEEDED" as const, message: over.message };
  const refused = (why: typeof refusal): Verdict => ({
    outcome: "refused",
    ...why,
    relaxations: [],
    ...quota,
  });
  const { fallbacks } = scope.need.intent.constraints.negotiation;
  if (fallbacks.includes("reject")) return refused(refusal);
  const waiting = (reason: ReasonCode, message: string, expectedStart?: string): Verdict => ({
    outcome: "waiting",
    reason,
    message,
    relaxations: [],
    ...quota,
    ...(expectedStart === undefined ? {} : { expectedStart }),
  });
  if (over?.isWaiting === true) return waiting("QUOTA_EXCEEDED", over.message);
  const later = free.limited;
  if (later.shares.length > 0)
    return waiting("CAPACITY_BUSY", "a known offer fits once it is free", comesBack(scope, later));
  const opens = opensAt(scope, k);
  if (opens !== undefined)
    return waiting(
      "OUTSIDE_AVAILABILITY_WINDOW",
      `its availability window opens at ${opens}, and a known offer fits then`,
      opens,
    );
  if (fallbacks.includes("queue"))
    return waiting("WAITING_FOR_OFFERS", `waits for new offers: ${refusal.message}`);
  // a gang that even an empty federation cannot host is told so, not what happens to be free
  return refused(
    over === null && later.shortfall !== null ? refusalOf({ ...scope, asIfFree: true }, later) : refusal,
  );
}
