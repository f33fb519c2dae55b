import { type Catalog, offerIndexOf } from "../compile/catalog.ts";
import type { Scope, Usage } from "../compile/constraints/spec.ts";
import { needOf } from "../compile/need.ts";
import { nextPeriods } from "../compile/open-periods.ts";
import type { Change, Outcome } from "../model/decision.ts";
import type { Intent } from "../model/intent.ts";
import type { ReasonCode } from "../model/reason.ts";
import type { Running } from "../model/terms.ts";
import { formatTime } from "../model/time.ts";
import { rounds } from "./negotiate.ts";
import { refusalOf } from "./outcome.ts";
import { placeSingle, type SingleResult } from "./single.ts";

/** What was decided, before it is explained. */
export interface Verdict {
  readonly outcome: Outcome;
  readonly reason: ReasonCode;
  readonly message: string;
  readonly relaxations: readonly Change[];
  readonly expectedStart?: string;
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

function enter(ledger: Ledger, { scope, result }: Served, sign: 1 | -1): void {
  const { need, catalog } = scope;
  for (const { candidate, replicas } of result.shares) {
    const offer = catalog.options.flavor[candidate.row]!;
    const { capacity, divisible } = catalog.snapshot.offers[offer]!;
    const count = sign * replicas;
    add(ledger, offer, {
      // an offer sold whole is gone, however few of its GPUs are needed
      gpus: divisible ? need.gpus * count : sign * capacity.gpus,
      cpuMilli: need.cpuMilli * count,
      memoryMib: need.memoryMib * count,
      pods: count,
    });
  }
}

/** Adds to what is in use of an offer; an untouched offer is absent. */
function add(ledger: Ledger, offer: number, change: Usage): void {
  const before = ledger.get(offer) ?? nothing;
  const after: Usage = {
    gpus: before.gpus + change.gpus,
    cpuMilli: before.cpuMilli + change.cpuMilli,
    memoryMib: before.memoryMib + change.memoryMib,
    pods: before.pods + change.pods,
  };
  if (after.gpus === 0 && after.cpuMilli === 0 && after.memoryMib === 0 && after.pods === 0)
    ledger.delete(offer);
  else ledger.set(offer, after);
}

/** Books what a served intent takes. */
export function book(ledger: Ledger, served: Served): void {
  enter(ledger, served, 1);
}

/** Gives back what running work holds: less than nothing is in use there then. */
export function release(ledger: Ledger, { snapshot }: Catalog, running: Running): void {
  const offer = offerIndexOf(snapshot, running.offer);
  if (offer < 0) return;
  add(ledger, offer, {
    gpus: -running.gpus,
    cpuMilli: -running.cpuMilli,
    memoryMib: -running.memoryMib,
    pods: -running.pods,
  });
}

/** Gives back what a served intent took. */
export function unbook(ledger: Ledger, served: Served): void {
  enter(ledger, served, -1);
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

/**
 * Serves one intent: as stated; else by the rounds its negotiation allows; else it waits, when a known offer would do
 * once it is free, or when `queue` is stated; else it is refused.
 */
export function serve(scope: Scope, k: number): Served {
  const { need } = scope;
  const stated = need.intent;
  const result = placeSingle(scope, k);
  const placed = (relaxations: readonly Change[]): Verdict => ({
    outcome: "placed",
    reason: "PLACED",
    message: relaxations.length === 0 ? "placed as stated" : "placed after negotiation",
    relaxations,
  });
  if (result.shares.length > 0) return { scope, stated, result, verdict: placed([]) };
  const negotiated = negotiate(scope, k);
  if (negotiated !== null) return { ...negotiated, stated, verdict: placed(negotiated.given) };
  const refusal = refusalOf(scope, result);
  const { fallbacks } = need.intent.constraints.negotiation;
  const waiting = (reason: ReasonCode, message: string, expectedStart?: string): Served => ({
    scope,
    stated,
    result,
    verdict: {
      outcome: "waiting",
      reason,
      message,
      relaxations: [],
      ...(expectedStart === undefined ? {} : { expectedStart }),
    },
  });
  if (!fallbacks.includes("reject")) {
    const later = placeSingle({ ...scope, usage: new Map(), asIfFree: true }, k);
    const opens = later.shares.length > 0 ? undefined : opensAt(scope, k);
    if (opens !== undefined)
      return waiting(
        "OUTSIDE_AVAILABILITY_WINDOW",
        `its availability window opens at ${opens}, and a known offer fits then`,
        opens,
      );
    if (
      later.answer.feasible > 0 &&
      result.answer.feasible < later.answer.feasible &&
      later.shares.length > 0
    )
      return waiting("CAPACITY_BUSY", "a known offer fits once it is free", comesBack(scope, later));
    if (fallbacks.includes("queue"))
      return waiting("WAITING_FOR_OFFERS", `waits for new offers: ${refusal.message}`);
  }
  return { scope, stated, result, verdict: { outcome: "refused", ...refusal, relaxations: [] } };
}
