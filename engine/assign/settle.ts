import {
  type Booking,
  book,
  type Calendar,
  createCalendar,
  giveUpHold,
  unbook,
} from "../calendar/calendar.ts";
import { copyTimeline } from "../calendar/timeline.ts";
import { offerIndexOf } from "../compile/catalog.ts";
import type { Holding } from "../model/snapshot.ts";
import type { Limit, Running } from "../model/terms.ts";
import { formatTime } from "../model/time.ts";
import { type Accounts, copyAccounts, enter as give, isWithinQuota, leave, scopeIn } from "./accounts.ts";
import { endWork, fitsNow } from "./endings.ts";
import { bookingsNow, type Held, holdFor } from "./hold.ts";
import { createMeter, type Meter, overLimit } from "./meter.ts";
import type { Evicting } from "./preempt.ts";
import { addUsage, type Ledger, release, type Served, serve } from "./serve.ts";
import { freedBy } from "./victims.ts";

export interface SettleOptions {
  readonly k: number;
  /** Running work that was evicted by this plan. */
  readonly evicting: readonly Evicting[];
  /** What is left of displaced work: it ends. */
  readonly ended: readonly Holding[];
  /** Running work that a caller's own terms released. */
  readonly released: readonly Running[];
  readonly limits: readonly Limit[];
  /** Intents that keep their places in any case, because a price was paid for them. */
  readonly pinned: ReadonlySet<string>;
}

/** Everybody with their place in the calendar. */
export interface Settled {
  readonly served: readonly Served[];
  /** By intent: starts held for those who wait. */
  readonly held: ReadonlyMap<string, Held>;
}

/** Reasons to wait that the passing of time can end. */
const timely: ReadonlySet<string> = new Set([
  "CAPACITY_BUSY",
  "OUTSIDE_AVAILABILITY_WINDOW",
  "CONTENTION",
  "PREEMPTED",
]);

/** Everything that ends with this plan, in calendar and accounts. What the start's accounts already ended counts too. */
function endAll(calendar: Calendar, accounts: Accounts, { evicting, ended, released }: SettleOptions): void {
  const { catalog } = accounts;
  for (const { victim } of evicting) {
    for (const [offer, freed] of victim.frees) {
      addUsage(accounts.usage, offer, freed, -1);
      endWork(calendar, offer, victim.intent, freed);
    }
    accounts.books.enter(victim.tenant, victim.amounts, -1);
  }
  for (const running of released) {
    release(accounts.usage, catalog, running);
    const offer = offerIndexOf(catalog.snapshot, running.offer);
    if (offer >= 0) endWork(calendar, offer, running.intent, running);
  }
  for (const holding of ended) {
    const offer = offerIndexOf(catalog.snapshot, holding.offer);
    if (offer >= 0) endWork(calendar, offer, holding.intent, freedBy(catalog, holding, offer));
  }
}

/** The calendar without some of its bookings; the original is left alone. */
function without(calendar: Calendar, bookings: readonly Booking[]): Calendar {
  const own = new Map(calendar.own);
  for (const { offer } of bookings) {
    const { timeline, bookings: list } = own.get(offer)!;
    own.set(offer, { timeline: copyTimeline(timeline), bookings: [...list] });
  }
  const copy = { ...calendar, own };
  for (const booking of bookings) unbook(copy, booking);
  return copy;
}

/**
 * Served intents in their order of precedence: as they were served in turn, and what was evicted behind everybody of
 * its priority.
 */
export function inPrecedence(served: readonly Served[], inTurn: readonly Served[]): Served[] {
  const turn = new Map(inTurn.map(({ stated }, index) => [stated.name, index]));
  const turnOf = ({ stated }: Served): number => turn.get(stated.name) ?? inTurn.length;
  return [...served].sort(
    (a, b) =>
      b.stated.priority - a.stated.priority ||
      turnOf(a) - turnOf(b) ||
      (a.stated.name < b.stated.name ? -1 : 1),
  );
}

/** One settling in progress. */
interface Run {
  readonly calendar: Calendar;
  /** With everybody who is placed in them. */
  readonly accounts: Accounts;
  /** What ends with this plan, and nothing else: what the calendar's own entries do not count. */
  readonly freed: Ledger;
  readonly meter: Meter;
  readonly k: number;
  readonly served: Served[];
  readonly held: Map<string, Held>;
  readonly booked: Map<number, readonly Booking[]>;
  /** Somebody gave back room after others had looked for some. */
  isLoose: boolean;
}

function enter(run: Run, index: number, bookings: readonly Booking[]): void {
  for (const booking of bookings) book(run.calendar, booking);
  run.booked.set(index, bookings);
}

/** The earliest start of an intent in the calendar as it is. */
function search({ accounts, freed, calendar }: Run, { stated }: Served): Held | null {
  return holdFor({ catalog: accounts.catalog, usage: freed }, calendar, stated);
}

/** Holds the earliest start for a waiting intent; what starts at once, within its quota, is placed instead. */
function hold(run: Run, index: number, found: Held | null): void {
  const one = run.served[index]!;
  if (found === null) return;
  if (found.startMs > run.calendar.base.atMs) {
    enter(run, index, found.bookings);
    run.held.set(one.stated.name, found);
    return;
  }
  const placed: Served = {
    ...one,
    scope: found.scope,
    result: { ...one.result, shares: found.shares, shortfall: null },
    verdict: {
      ...one.verdict,
      outcome: "placed",
      reason: "PLACED",
      message: "placed as stated",
      relaxations: [],
    },
  };
  if (!isWithinQuota(run.accounts, placed) || !run.meter.fits(placed)) return;
  enter(run, index, found.bookings);
  run.served[index] = placed;
  give(run.accounts, placed);
  run.meter.enter(placed, 1);
}

/** The start of an intent that the batch passed over: after everybody whom it preferred, placed later or not. */
function holdAfterPlaced(run: Run, index: number): Held | null {
  const { calendar, served, booked } = run;
  const tentative: Booking[] = [];
  for (const [other, one] of served.entries()) {
    const { scope, result } = one;
    if (other <= index || !isPlaced(one) || booked.has(other)) continue;
    if (!fitsNow(calendar, scope, result.shares)) continue;
    const bookings = bookingsNow(calendar, scope, result.shares);
    for (const booking of bookings) book(calendar, booking);
    tentative.push(...bookings);
  }
  const found = search(run, served[index]!);
  for (const booking of tentative) unbook(calendar, booking);
  return found;
}

/** Serves an intent again whose place would delay what was promised to others before it. */
function serveAgain(run: Run, index: number): void {
  const { accounts, calendar, k, meter } = run;
  const before = run.served[index]!;
  leave(accounts, before);
  meter.enter(before, -1);
  run.isLoose = true;
  const again = serve({ ...scopeIn(accounts, before.stated), calendar }, k);
  const one = meter.fits(again) ? again : overLimit(again);
  run.served[index] = one;
  give(accounts, one);
  meter.enter(one, 1);
  if (isPlaced(one)) enter(run, index, bookingsNow(calendar, one.scope, one.result.shares));
  else if (mayHold(one)) hold(run, index, search(run, one));
}

/** True when time may end the wait; a quota that is used up has no known end, and parts of GPUs have no timeline. */
const mayHold = ({ verdict, scope: { need } }: Served): boolean =>
  need.part === undefined &&
  verdict.outcome === "waiting" &&
  timely.has(verdict.reason) &&
  verdict.quota === undefined;

/** Passes in which starts move up into room that was given back; more than two are rare. */
const mostPasses = 8;

/** Who waits moves up, in order, into what others gave back after its start was held. */
function moveUp(run: Run): void {
  const { calendar, served, held, booked } = run;
  run.isLoose = false;
  for (const [index, one] of served.entries()) {
    if (!mayHold(one)) continue;
    const { name } = one.stated;
    const before = held.get(name);
    for (const booking of booked.get(index) ?? []) unbook(calendar, booking);
    const found = search(run, one);
    const isSooner = found !== null && found.startMs < (before?.startMs ?? Number.POSITIVE_INFINITY);
    if (!isSooner) {
      for (const booking of booked.get(index) ?? []) book(calendar, booking);
      continue;
    }
    run.isLoose = true;
    held.delete(name);
    booked.delete(index);
    hold(run, index, found);
  }
}

const isPlaced = ({ verdict }: Served): boolean => verdict.outcome === "placed";

/** The verdict of a waiting intent, with what is held for it. */
function withStart(one: Served, held: Held | undefined): Served {
  if (held === undefined) return one;
  const start = formatTime(held.startMs);
  const basis = held.isPromise ? "promised" : "estimated";
  const late = held.isLate ? "; no known start meets its deadline" : "";
  return {
    ...one,
    verdict: {
      ...one.verdict,
      reason: held.isLate ? "DEADLINE_UNREACHABLE" : one.verdict.reason,
      message: `${one.verdict.message}; its start is ${basis} for ${start}${late}`,
      expectedStart: start,
    },
  };
}

/**
 * Enters everybody in the calendar in order of precedence (conservative backfill): who was placed keeps the place unless
 * that delays what was held for somebody before; who waits gets the earliest start that the calendar has room for.
 *
 * An intent that waits only because the batch as a whole gains more from others, although there is room, starts after
 * all of them: its wait is not the fault of backfill.
 *
 * Work that others were evicted for, evicted work that had to go on elsewhere, and winners of auctions keep their places
 * in any case.
 *
 * @param start what is given away before any of them
 * @param inOrder served intents in their order of precedence
 */
export function settle(start: Accounts, inOrder: readonly Served[], options: SettleOptions): Settled {
  const calendar = createCalendar(start.catalog.calendar.base);
  const accounts = copyAccounts(start);
  endAll(calendar, accounts, options);
  const run: Run = {
    calendar,
    accounts,
    freed: new Map(accounts.usage),
    meter: createMeter(options.limits),
    k: options.k,
    served: [...inOrder],
    held: new Map(),
    booked: new Map(),
    isLoose: false,
  };
  for (const one of inOrder) {
    give(accounts, one);
    run.meter.enter(one, 1);
  }
  for (const [index, one] of inOrder.entries())
    if (isPlaced(one) && isFixed(one, options))
      enter(run, index, bookingsNow(calendar, one.scope, one.result.shares));
  for (const [index, one] of inOrder.entries()) settleOne(run, index, one);
  for (let pass = 0; run.isLoose && pass < mostPasses; pass++) moveUp(run);
  return { served: run.served.map((one, index) => pinned(run, one, index)), held: run.held };
}

const isFixed = ({ verdict, stated }: Served, { pinned }: SettleOptions): boolean =>
  verdict.preempts !== undefined || verdict.evicted !== undefined || pinned.has(stated.name);

function settleOne(run: Run, index: number, one: Served): void {
  const { calendar, booked } = run;
  giveUpHold(calendar, one.stated.name);
  if (booked.has(index)) return;
  if (isPlaced(one)) {
    if (fitsNow(calendar, one.scope, one.result.shares))
      enter(run, index, bookingsNow(calendar, one.scope, one.result.shares));
    else serveAgain(run, index);
    return;
  }
  if (!mayHold(one)) return;
  const found = search(run, one);
  // whoever was already told a start has waited before: the batch may not pass it over again
  const isHeld = calendar.base.heldFor.has(one.stated.name);
  const isPassedOver = found !== null && found.startMs === calendar.base.atMs && !isHeld;
  hold(run, index, isPassedOver ? holdAfterPlaced(run, index) : found);
}

/** A served intent as it is explained: in a calendar that has everybody else's entries. */
function pinned(run: Run, one: Served, index: number): Served {
  const { calendar, accounts, held, booked } = run;
  const usesCalendar = !isPlaced(one) || one.scope.calendar !== undefined;
  if (!usesCalendar || calendar.own.size === 0) return one;
  const own = booked.get(index) ?? [];
  const others = copyAccounts(accounts);
  if (isPlaced(one)) leave(others, one);
  const scope = { ...one.scope, usage: others.usage, calendar: without(calendar, own) };
  return withStart({ ...one, scope }, isPlaced(one) ? undefined : held.get(one.stated.name));
}
