import { type Catalog, offerIndexOf } from "../compile/catalog.ts";
import type { Scope, Usage } from "../compile/constraints/spec.ts";
import { needOf } from "../compile/need.ts";
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

/** When the offers that would fit come back, where that is known for one of them. */
function comesBack(scope: Scope, later: SingleResult): string | undefined {
  const { backAtMs } = scope.catalog.downtime;
  const times = later.ranked.map(({ row }) => backAtMs.get(scope.catalog.options.flavor[row]!) ?? Infinity);
  const first = Math.min(...times);
  return Number.isFinite(first) ? formatTime(first) : undefined;
}

/**
 * Serves one intent: as stated; else by the rounds its negotiation allows; else it waits, when a known offer would do
 * once it is free, or when `queue` is stated; else it is refused.
 */
export function serve(scope: Scope, k: number): Served {
  const { catalog, need } = scope;
  const stated = need.intent;
  const result = placeSingle(scope, k);
  const placed = (relaxations: readonly Change[]): Verdict => ({
    outcome: "placed",
    reason: "PLACED",
    message: relaxations.length === 0 ? "placed as stated" : "placed after negotiation",
    relaxations,
  });
  if (result.shares.length > 0) return { scope, stated, result, verdict: placed([]) };
  for (const round of rounds(need.intent)) {
    const tried = { ...scope, need: needOf(catalog, round.intent) };
    const outcome = placeSingle(tried, k);
    if (outcome.shares.length > 0)
      return { scope: tried, stated, result: outcome, verdict: placed(round.given) };
  }
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
