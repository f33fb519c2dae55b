import { addTo, copySteps, type Demand, earliestFit, leastIn, type Steps, slotsIn, stepAt } from "./steps.ts";
import { copyTimeline, type Hold, type Span, type Timeline, type Timelines, type Use } from "./timeline.ts";

/** Who looks at the calendar: holds bind according to it. */
export interface Viewer {
  readonly tenant: string;
  readonly intent: string;
  readonly priority: number;
  /** Longest closure, milliseconds, it sits out where it is: services pause in maintenance, other work never. */
  readonly toleratedMs: number;
}

/** A run: how long it is expected to take and at most; Infinity where nothing ends it. Milliseconds. */
export interface Lasting {
  readonly expectedMs: number;
  readonly mostMs: number;
}

/** Work that a plan enters in its calendar. */
export interface Booking extends Use {
  readonly offer: number;
  /** What it takes in all. */
  readonly amounts: Demand;
  /** Nothing that comes later may delay it. */
  readonly isPromise: boolean;
}

/** The calendar of one plan: the snapshot's timelines and what the plan adds. Mutable. */
export interface Calendar {
  readonly base: Timelines;
  readonly own: Map<number, OwnTimeline>;
  /** Intents whose holds are given up, because the plan decided about them anew. */
  readonly released: Set<string>;
  /** Estimates that others were told do not count: an estimate may slip for a promise. */
  readonly letsEstimatesSlip?: boolean;
}

/** A changed timeline with the views computed from it. */
interface OwnTimeline {
  timeline: Timeline;
  readonly bookings: Booking[];
}

export const createCalendar = (base: Timelines): Calendar => ({
  base,
  own: new Map(),
  released: new Set(),
});

export function timelineOf({ base, own }: Calendar, offer: number): Timeline {
  return own.get(offer)?.timeline ?? base.of(offer);
}

function ownOf(calendar: Calendar, offer: number): OwnTimeline {
  const found = calendar.own.get(offer);
  if (found !== undefined) return found;
  const made = { timeline: copyTimeline(calendar.base.of(offer)), bookings: [] };
  calendar.own.set(offer, made);
  return made;
}

function enter({ expected, sure }: Timeline, booking: Booking, sign: 1 | -1): void {
  const delta = booking.amounts.map((amount) => -sign * amount);
  addTo(expected, booking.from, booking.to, delta);
  addTo(sure, booking.from, booking.sureTo, delta);
}

const promiseOf = ({ intent, from, sureTo }: Booking): Timeline["promised"][number] => ({
  intent,
  from,
  to: sureTo,
});

/** Enters work. Whether it fits is the caller's question, asked before. */
export function book(calendar: Calendar, booking: Booking): void {
  const own = ownOf(calendar, booking.offer);
  const { timeline } = own;
  enter(timeline, booking, 1);
  own.bookings.push(booking);
  own.timeline = {
    ...timeline,
    uses: timeline.holds.length === 0 ? timeline.uses : [...timeline.uses, booking],
    promised: booking.isPromise ? [...timeline.promised, promiseOf(booking)] : timeline.promised,
  };
}

/** Takes work out again. */
export function unbook(calendar: Calendar, booking: Booking): void {
  const own = ownOf(calendar, booking.offer);
  const index = own.bookings.indexOf(booking);
  if (index < 0) return;
  enter(own.timeline, booking, -1);
  own.bookings.splice(index, 1);
  const { uses } = calendar.base.of(booking.offer);
  own.timeline = {
    ...own.timeline,
    uses: own.timeline.holds.length === 0 ? uses : [...uses, ...own.bookings],
    promised: own.bookings.filter(({ isPromise }) => isPromise).map(promiseOf),
  };
}

/** Gives up what an earlier plan held for an intent: this plan decides anew. */
export function giveUpHold(calendar: Calendar, intent: string): void {
  calendar.released.add(intent);
}

const binds = (calendar: Calendar, hold: Hold, viewer: Viewer): boolean => {
  if (hold.intent === null) return hold.tenant !== viewer.tenant;
  if (hold.intent === viewer.intent || calendar.released.has(hold.intent)) return false;
  if (calendar.letsEstimatesSlip === true && !hold.isPromise) return false;
  return hold.priority === null || viewer.priority <= hold.priority;
};

/** Uses that count against a hold: those of its intent, or of its tenant without a hold of their own. */
function usesOf(hold: Hold, { uses, holds }: Timeline): readonly Use[] {
  if (hold.intent !== null) return uses.filter(({ intent }) => intent === hold.intent);
  const apart = new Set(holds.map(({ intent }) => intent));
  return uses.filter(({ tenant, intent }) => tenant === hold.tenant && !apart.has(intent));
}

const sumAt = (spans: readonly (Span & { readonly gpus: number })[], at: number): number =>
  spans.reduce((sum, { from, to, gpus }) => (from <= at && at < to ? sum + gpus : sum), 0);

/** GPUs that the holds of one owner still keep free over time, as changes of the steps. */
function subtractOwner(steps: Steps, timeline: Timeline, holds: readonly Hold[], isWhole: boolean): void {
  const uses = usesOf(holds[0]!, timeline);
  const times = new Set([...holds, ...uses].flatMap(({ from, to }) => [from, to]));
  times.add(steps.times[0]!);
  const sorted = [...times].filter((at) => at >= steps.times[0]!).sort((a, b) => a - b);
  for (const [index, at] of sorted.entries()) {
    const kept = Math.max(0, sumAt(holds, at) - sumAt(uses, at));
    if (kept > 0)
      addTo(steps, at, sorted[index + 1] ?? Number.POSITIVE_INFINITY, [-kept, 0, 0, 0, isWhole ? -1 : 0]);
  }
}

/**
 * What one viewer sees of an offer: free amounts minus holds that bind it and closures it does not sit out. The
 * timeline's own steps where neither exists; do not change them.
 */
function viewOf(calendar: Calendar, timeline: Timeline, viewer: Viewer, kind: "expected" | "sure"): Steps {
  const holds = timeline.holds
    .filter((hold) => binds(calendar, hold, viewer))
    .map((hold) => (kind === "expected" ? hold : { ...hold, to: hold.sureTo }));
  const closed =
    kind === "sure" ? [] : timeline.closed.filter(({ from, to }) => to - from > viewer.toleratedMs);
  if (holds.length === 0 && closed.length === 0) return timeline[kind];
  const steps = copySteps(timeline[kind]);
  const owners = new Map<string, Hold[]>();
  for (const hold of holds) {
    const owner = hold.intent === null ? `tenant ${hold.tenant}` : `intent ${hold.intent}`;
    owners.set(owner, [...(owners.get(owner) ?? []), hold]);
  }
  const isWhole = Number.isFinite(steps.free[4]![0]!);
  for (const list of owners.values()) subtractOwner(steps, timeline, list, isWhole);
  for (const { from, to } of closed) addTo(steps, from, to, [Number.NEGATIVE_INFINITY, 0, 0, 0, 0]);
  return steps;
}

/** Capacity promised to somebody else. */
interface Guarded extends Span {
  /** Promised to one intent that starts with the span: what begins later cannot delay it. */
  readonly isStart: boolean;
}

/** Spans that nothing may delay, as far as they bind the viewer. */
function promisesFor(calendar: Calendar, { holds, promised }: Timeline, viewer: Viewer): Guarded[] {
  return [
    ...holds
      .filter((hold) => hold.isPromise && binds(calendar, hold, viewer))
      .map(({ from, to, intent }) => ({ from, to, isStart: intent !== null })),
    ...promised
      .filter(({ intent }) => intent !== viewer.intent)
      .map(({ from, to }) => ({ from, to, isStart: true })),
  ];
}

/** What one viewer can have of one offer. */
export interface Look {
  readonly steps: Steps;
  readonly sure: Steps;
  readonly promises: readonly Guarded[];
  /** Nothing starts in these, whoever it is. */
  readonly closed: readonly Span[];
  /** What is free at the calendar's moment at most, and whenever a run from then on would need it at least. */
  readonly now: Demand;
  readonly least: Demand;
}

/** Looks of those whom no hold is for: every intent of a tenant and priority sees the same. */
const shared = new WeakMap<Timeline, Map<string, Look>>();
/** Kept per timeline; more viewers than this are rare, and then looking again is cheap enough. */
const sharedLooks = 64;

/** Viewers with the same key see the same, where no hold is for one of them. */
export const keyOf = ({ priority, toleratedMs, tenant }: Viewer): string =>
  `${priority} ${toleratedMs} ${tenant}`;

export function look(calendar: Calendar, offer: number, viewer: Viewer): Look {
  const timeline = timelineOf(calendar, offer);
  const isShared =
    calendar.released.size === 0 &&
    timeline.promised.length === 0 &&
    timeline.holds.every(
      ({ intent }) => intent === null || (intent !== viewer.intent && calendar.letsEstimatesSlip !== true),
    );
  if (!isShared) return lookAt(calendar, timeline, viewer);
  const key = keyOf(viewer);
  let looks = shared.get(timeline);
  if (looks === undefined || looks.size >= sharedLooks) {
    looks = new Map();
    shared.set(timeline, looks);
  }
  const known = looks.get(key);
  if (known !== undefined) return known;
  const seen = lookAt(calendar, timeline, viewer);
  looks.set(key, seen);
  return seen;
}

const forever: Lasting = { expectedMs: Number.POSITIVE_INFINITY, mostMs: Number.POSITIVE_INFINITY };

/** Most looks are for the steps alone: the rest is found when asked for. To be used before the timeline changes. */
function lookAt(calendar: Calendar, timeline: Timeline, viewer: Viewer): Look {
  const promises = promisesFor(calendar, timeline, viewer);
  const { atMs } = calendar.base;
  let sure: Steps | null = promises.length === 0 ? timeline.sure : null;
  let now: Demand | null = null;
  let least: Demand | null = null;
  return {
    steps: viewOf(calendar, timeline, viewer, "expected"),
    promises,
    closed: timeline.closed,
    get sure() {
      sure ??= viewOf(calendar, timeline, viewer, "sure");
      return sure;
    },
    get now() {
      now ??= leastIn(this.steps, atMs, atMs);
      return now;
    },
    get least() {
      least ??= roomFor(this, atMs, forever);
      return least;
    },
  };
}

/**
 * Free amounts for a run from `from`: expected for as long as it is expected to run, and, where it could run into a
 * promise, what is sure to be left beside it.
 */
export function roomFor(
  seen: Pick<Look, "steps" | "sure" | "promises" | "closed">,
  from: number,
  { expectedMs, mostMs }: Lasting,
): number[] {
  const { steps, promises, closed } = seen;
  const room = leastIn(steps, from, from + expectedMs);
  if (closed.some((span) => span.from <= from && from < span.to)) return room.map(() => 0);
  for (const promise of promises) {
    if (promise.isStart && from >= promise.from) continue;
    const start = Math.max(from, promise.from);
    // whoever has room at the start of a run has it beside the run
    const end = Math.min(from + mostMs, promise.isStart ? promise.from + 1 : promise.to);
    if (start >= end) continue;
    for (const [index, amount] of leastIn(seen.sure, start, end).entries())
      room[index] = Math.min(room[index]!, amount);
  }
  return room;
}

/** Earliest start in `[from, until]` at which `replicas` fit for the whole run; Infinity when there is none. */
export function earliestIn(
  seen: Look,
  { from, until }: { readonly from: number; readonly until: number },
  lasting: Lasting,
  wanted: { readonly demand: Demand; readonly replicas: number },
): number {
  let start = earliestFit(seen.steps, from, lasting.expectedMs, wanted);
  while (start <= until) {
    if (slotsIn(roomFor(seen, start, lasting), wanted.demand) >= wanted.replicas) return start;
    const next = nextChange(seen, start);
    if (next === Number.POSITIVE_INFINITY) return next;
    start = earliestFit(seen.steps, next, lasting.expectedMs, wanted);
  }
  return Number.POSITIVE_INFINITY;
}

/** The next time after `at` at which anything changes for a viewer. */
function nextChange({ steps, promises, closed }: Look, at: number): number {
  const step = steps.times[stepAt(steps, at) + 1] ?? Number.POSITIVE_INFINITY;
  const starts = promises.filter(({ isStart }) => isStart).map(({ from }) => from);
  const ends = [...starts, ...[...promises, ...closed].map(({ to }) => to)].filter((to) => to > at);
  return Math.min(step > at ? step : Number.POSITIVE_INFINITY, ...ends);
}

/** Times after `from` at which more may be free for a viewer, ascending. */
export function changesAfter({ steps, promises, closed }: Look, from: number): number[] {
  const times = new Set([...steps.times, ...[...promises, ...closed].flatMap(({ from, to }) => [from, to])]);
  return [...times].filter((at) => at > from && at < Number.POSITIVE_INFINITY).sort((a, b) => a - b);
}

/** True when the run fits whatever the work of others does whose end nobody enforces. */
export function isSure(
  calendar: Calendar,
  offer: number,
  viewer: Viewer,
  from: number,
  { mostMs }: Lasting,
  wanted: { readonly demand: Demand; readonly replicas: number },
): boolean {
  const sure = viewOf(calendar, timelineOf(calendar, offer), viewer, "sure");
  return slotsIn(leastIn(sure, from, from + mostMs), wanted.demand) >= wanted.replicas;
}
