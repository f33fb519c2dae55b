import { type Booking, type Calendar, changesAfter, earliestIn, isSure, look } from "../calendar/calendar.ts";
import { type Catalog, flavorOf, rowRank } from "../compile/catalog.ts";
import { reachableMs } from "../compile/constraints/cost.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import { encode } from "../compile/encode.ts";
import { amountsOf, demandOf, lastingOf, roundsOf, viewerOf } from "../compile/horizon.ts";
import { endByMs, type Need, needOf } from "../compile/need.ts";
import { nextPeriods, type OpenPeriod } from "../compile/open-periods.ts";
import type { Intent } from "../model/intent.ts";
import { goalOf } from "../score/objective.ts";
import { type Candidate, candidateOf, comparator, rangeOf } from "./rank.ts";
import { type Share, slotsNow } from "./replicas.ts";
import { fitRanked } from "./single.ts";

/** A start that the calendar has room for. */
export interface Held {
  readonly startMs: number;
  /** Expected end of the last share; Infinity for services. */
  readonly endMs: number;
  /** Latest end; Infinity unless its timeout enforces one. */
  readonly latestMs: number;
  /** The intent at its start. */
  readonly scope: Scope;
  readonly shares: readonly Share[];
  readonly isPromise: boolean;
  /** No start that is known meets the deadline. */
  readonly isLate: boolean;
  readonly bookings: readonly Booking[];
}

/** Openings of an availability window that are searched. */
const openings = 60;
/** Starts tried for a workload over several offers, or in waves, before it is left without a known one. */
const startsTried = 400;

/** What the search for a start knows. */
interface Search {
  readonly catalog: Catalog;
  readonly calendar: Calendar;
  readonly intent: Intent;
  readonly period: OpenPeriod;
  /** The need as if it started with the period. */
  readonly need: Need;
  /** What is given away now. */
  readonly usage: Scope["usage"];
}

/** An option with its first start in the period. */
interface Start {
  readonly row: number;
  readonly from: number;
  readonly until: number;
}

function periodsOf(need: Need): OpenPeriod[] {
  const { availability } = need.intent.constraints;
  if (availability === undefined) return [{ startMs: need.atMs, endMs: Number.POSITIVE_INFINITY }];
  const now = need.period === null || need.period === undefined ? [] : [need.period];
  return [...now, ...nextPeriods(availability, need.atMs, openings)];
}

/** Options that pass every constraint but those of time, with the starts that window and deadline allow. */
function startsOf({ catalog, calendar, period, need }: Search): Start[] {
  const scope: Scope = { catalog, need, usage: new Map(), asIfFree: true };
  const { query } = encode(scope, 1);
  const { base, own } = calendar;
  const free = catalog.columns.at("gpusFree");
  const { flavor, spot } = catalog.options;
  const starts: Start[] = [];
  for (const row of catalog.table.feasible(query)) {
    const offer = flavor[row]!;
    // where nothing changes, what does not fit now never does
    if (!base.eventful.has(offer) && !own.has(offer) && free(row) < need.gpus) continue;
    const coolUntil = spot[row] === 1 ? (catalog.spotRates.coolUntilMs.get(offer) ?? 0) : 0;
    const lastStart = endByMs(need) - (reachableMs({ catalog, need }, row) - need.atMs);
    const until = Math.min(period.endMs - 1, lastStart);
    starts.push({ row, from: Math.max(period.startMs, coolUntil), until });
  }
  return starts;
}

/** First start of `replicas` in one option; Infinity when the period has none. */
function earliestOf(
  { catalog, calendar, need }: Search,
  { row, from, until }: Start,
  replicas: number,
): number {
  const seen = look(calendar, catalog.options.flavor[row]!, viewerOf(need));
  const wanted = { demand: demandOf(catalog, need, row), replicas };
  return earliestIn(seen, { from, until }, lastingOf(catalog, need, row, 1), wanted);
}

/** Options in the offers that an earlier plan held for the intent from this time on: kept unless it can start sooner. */
function toldRows({ catalog, calendar, intent }: Search, startMs: number, rows: readonly number[]): number[] {
  const { base } = calendar;
  const offers = base.heldFor.get(intent.name);
  if (offers === undefined) return [];
  const isTold = new Set(
    offers.filter((offer) =>
      base.of(offer).holds.some(({ intent: name, from }) => name === intent.name && from <= startMs),
    ),
  );
  return rows.filter((row) => isTold.has(catalog.options.flavor[row]!));
}

/** Shares of the intent when it starts at a time, among options that have room then. */
function sharesAt(search: Search, startMs: number, rows: readonly number[]): Pick<Held, "scope" | "shares"> {
  const { catalog, calendar, intent } = search;
  const need = needOf(catalog, intent, startMs);
  const isLater = startMs > calendar.base.atMs;
  const usage = isLater ? new Map() : search.usage;
  const scope: Scope = { catalog, need, usage, asIfFree: isLater, calendar };
  const ranking = goalOf(intent);
  const told = toldRows(search, startMs, rows);
  if (told.length > 0 && told.length < rows.length) {
    const kept = sharesAt(search, startMs, told);
    if (kept.shares.length > 0) return kept;
  }
  const fitting = rows.filter((row) => slotsNow(scope, row) >= need.perOffer);
  const { worst } = rangeOf(catalog, need, fitting);
  const ranked: Candidate[] = fitting.map((row) => candidateOf(scope, ranking, row, worst));
  ranked.sort(comparator(scope, ranking));
  return { scope, shares: fitRanked(scope, ranking, ranked).shares };
}

/** True when all replicas go into one offer, or one by one. */
const isSimple = ({ replicas, perOffer, together }: Need): boolean =>
  replicas === 1 || perOffer > 1 || together === 1;

/** Start times worth trying, ascending, each with the options that may be used then. */
function* attempts(
  search: Search,
  starts: readonly Start[],
): Generator<readonly [number, readonly number[]]> {
  const { need, calendar, catalog } = search;
  const firsts = starts
    .map((start) => ({ start, at: earliestOf(search, start, need.perOffer) }))
    .filter(({ at }) => at < Number.POSITIVE_INFINITY)
    .sort((a, b) => a.at - b.at || rowRank(catalog, a.start.row) - rowRank(catalog, b.start.row));
  if (isSimple(need)) {
    for (const at of new Set(firsts.map((first) => first.at)))
      yield [
        at,
        firsts.filter((first) => first.at <= at && first.start.until >= at).map(({ start }) => start.row),
      ];
    return;
  }
  const times = new Set(firsts.map(({ at }) => at));
  const viewer = viewerOf(need);
  for (const { start, at } of firsts)
    for (const change of changesAfter(look(calendar, catalog.options.flavor[start.row]!, viewer), at))
      if (change <= start.until) times.add(change);
  for (const at of [...times].sort((a, b) => a - b))
    yield [
      at,
      firsts.filter((first) => first.at <= at && first.start.until >= at).map(({ start }) => start.row),
    ];
}

/** Bookings of shares that start at a time; what is a promise ends when its user's timeout says. */
function bookingsOf(
  { catalog, calendar }: Pick<Search, "catalog" | "calendar">,
  { scope, shares }: Pick<Held, "scope" | "shares">,
  wasPromised = false,
): Booking[] {
  const { need } = scope;
  const viewer = viewerOf(need);
  const hosted = shares.reduce((sum, { replicas }) => sum + replicas, 0);
  const rounds = roundsOf(need, hosted);
  const sure =
    wasPromised ||
    shares.every(({ candidate: { row }, replicas }) =>
      isSure(
        calendar,
        catalog.options.flavor[row]!,
        viewer,
        need.atMs,
        lastingOf(catalog, need, row, rounds),
        {
          demand: demandOf(catalog, need, row),
          replicas,
        },
      ),
    );
  return shares.map(({ candidate: { row }, replicas, parts }) => {
    const { expectedMs, mostMs } = lastingOf(catalog, need, row, rounds);
    const flavor = flavorOf(catalog, row);
    // a GPU is gone with the first part on it
    const opened = parts?.filter(({ opens }) => opens).length;
    const amounts = amountsOf(catalog, need, row, replicas);
    if (opened !== undefined && flavor.divisible) amounts[0] = opened;
    return {
      offer: catalog.options.flavor[row]!,
      tenant: viewer.tenant,
      intent: viewer.intent,
      gpus: flavor.divisible ? (opened ?? need.gpus * replicas) : flavor.capacity.gpus,
      from: need.atMs,
      to: need.atMs + expectedMs,
      sureTo: sure ? need.atMs + mostMs : Number.POSITIVE_INFINITY,
      amounts,
      isPromise: sure,
    };
  });
}

/** When the run ends at the latest. */
function latestEndOf({ scope, shares }: Pick<Held, "scope" | "shares">): number {
  const { catalog, need } = scope;
  const hosted = shares.reduce((sum, { replicas }) => sum + replicas, 0);
  const most = shares.map(
    ({ candidate: { row } }) => lastingOf(catalog, need, row, roundsOf(need, hosted)).mostMs,
  );
  return need.atMs + Math.max(...most);
}

function heldOf(search: Search, found: Pick<Held, "scope" | "shares">, wasPromised: boolean): Held {
  const bookings = bookingsOf(search, found, wasPromised);
  return {
    ...found,
    startMs: found.scope.need.atMs,
    endMs: Math.max(...bookings.map(({ to }) => to)),
    latestMs: latestEndOf(found),
    isPromise: bookings.every(({ isPromise }) => isPromise),
    isLate: false,
    bookings,
  };
}

/** The start that an earlier plan promised to the intent; Infinity without one. */
function promisedMs({ calendar: { base }, intent }: Search): number {
  const holds = (base.heldFor.get(intent.name) ?? []).flatMap((offer) => base.of(offer).holds);
  const own = holds.filter(({ intent: name, isPromise }) => name === intent.name && isPromise);
  return Math.max(base.atMs, Math.min(Number.POSITIVE_INFINITY, ...own.map(({ from }) => from)));
}

/**
 * The earliest start in the period. A promise stays one, whatever others were told since; and it is given up for an
 * earlier start only when that is sure too, or now: an estimate could slip beyond it.
 */
function searchPeriod(search: Search): Held | null {
  const promised = promisedMs(search);
  const now = search.calendar.base.atMs;
  const starts = startsOf(search);
  let tried = 0;
  for (const [at, rows] of attempts(search, starts)) {
    if (tried++ >= startsTried) break;
    const found = sharesAt(search, at, rows);
    if (found.shares.length === 0) continue;
    const held = heldOf(search, found, at === promised);
    const isKept = promised === Number.POSITIVE_INFINITY || at === promised;
    if (isKept || at === now || (at < promised && held.isPromise)) return held;
    return promisedAgain(search, starts, promised) ?? held;
  }
  return promisedAgain(search, starts, promised);
}

/** The start that was promised, whatever others were told that may slip; null where there is no room for it any more. */
function promisedAgain(search: Search, starts: readonly Start[], promised: number): Held | null {
  if (promised === Number.POSITIVE_INFINITY) return null;
  const calendar: Calendar = { ...search.calendar, letsEstimatesSlip: true };
  const again = { ...search, calendar };
  // an offer that is down has nothing to do with a start that was told elsewhere
  const rows = starts
    .filter(({ from, until }) => from <= promised && promised <= until)
    .filter(({ row }) => {
      const start = { row, from: promised, until: promised };
      return earliestOf(again, start, search.need.perOffer) === promised;
    })
    .map(({ row }) => row);
  if (rows.length === 0) return null;
  const kept = sharesAt(again, promised, rows);
  return kept.shares.length === 0 ? null : heldOf(search, kept, true);
}

/**
 * The earliest start at which the calendar has room for an intent, in the best options that are free then; null when
 * no end is known of what stands in the way. Where every known start misses the deadline, the earliest one without it.
 */
export function holdFor(
  { catalog, usage }: { readonly catalog: Catalog; readonly usage: Scope["usage"] },
  calendar: Calendar,
  intent: Intent,
): Held | null {
  const now = needOf(catalog, intent);
  for (const period of periodsOf(now)) {
    const need = needOf(catalog, intent, period.startMs);
    const held = searchPeriod({ catalog, calendar, intent, period, need, usage });
    if (held !== null) return held;
  }
  const { deadline, ...constraints } = intent.constraints;
  if (deadline === undefined) return null;
  const late = holdFor({ catalog, usage }, calendar, { ...intent, constraints });
  return late === null ? null : { ...late, isLate: true };
}

/** Bookings of an intent that starts now where its shares are; whether they fit is not asked. */
export function bookingsNow(calendar: Calendar, scope: Scope, shares: readonly Share[]): Booking[] {
  const bookings = bookingsOf({ catalog: scope.catalog, calendar }, { scope, shares });
  const rounds = roundsOf(
    scope.need,
    shares.reduce((sum, { replicas }) => sum + replicas, 0),
  );
  // what runs ends when its timeout says, whatever it displaced
  return bookings.map((booking, index) => ({
    ...booking,
    sureTo:
      scope.need.atMs + lastingOf(scope.catalog, scope.need, shares[index]!.candidate.row, rounds).mostMs,
    isPromise: false,
  }));
}
