import type { Flavor } from "../model/flavor.ts";
import type { Warning } from "../model/intent.ts";
import {
  type Holding,
  type Outage,
  offerIndexOf,
  type Reservation,
  type Snapshot,
} from "../model/snapshot.ts";
import { parseTime } from "../model/time.ts";
import { type Amounts, type Change, copySteps, type Steps, stepsFrom } from "./steps.ts";

/** Half-open: `[from, to)`, milliseconds since 1970; `to` may be Infinity. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Work on an offer: what runs, or what a plan booked. */
export interface Use extends Span {
  readonly tenant: string;
  readonly intent: string;
  readonly gpus: number;
  /** Latest end; Infinity unless enforced. */
  readonly sureTo: number;
}

/** Capacity kept free for a tenant or for one intent. */
export interface Hold extends Span {
  readonly id: string;
  readonly tenant: string;
  readonly intent: string | null;
  /** Work of higher priority does not see the hold; null binds everybody. */
  readonly priority: number | null;
  readonly gpus: number;
  readonly isPromise: boolean;
  /** Latest end: of a reservation its own, of an intent's run only an enforced one. */
  readonly sureTo: number;
}

/**
 * One offer over time. `expected` frees what runs at its expected end; `sure` only where the end is enforced, so what
 * fits there is there whatever the others do. Neither contains the holds, which depend on who looks.
 */
export interface Timeline {
  readonly expected: Steps;
  readonly sure: Steps;
  readonly uses: readonly Use[];
  readonly holds: readonly Hold[];
  /** Outages and maintenance, in order of their start. */
  readonly closed: readonly Span[];
  /** Promised spans of waiting intents, which nothing may delay; filled by plans. */
  readonly promised: readonly (Span & { readonly intent: string })[];
}

/** The calendar of a snapshot: timelines by offer index, built when first looked at. */
export interface Timelines {
  readonly atMs: number;
  /** Entries that were refused, with the reason; the rest counts. */
  readonly warnings: readonly Warning[];
  /** Offers where less may be free later than now, or less for some than for others. */
  readonly binding: ReadonlySet<number>;
  /** Offers where anything changes in time. */
  readonly eventful: ReadonlySet<number>;
  /** Indices of the offers that an intent's own hold is on. */
  readonly heldFor: ReadonlyMap<string, readonly number[]>;
  of(offer: number): Timeline;
}

const minute = 60_000;

/**
 * When a holding is expected to end. An end that has passed while it still runs was wrong: it is expected to run on for
 * as long again as it is late, a minute at least.
 */
export function expectedEndMs(holding: Holding, atMs: number): number {
  if (holding.until === undefined) return Number.POSITIVE_INFINITY;
  const until = parseTime(holding.until);
  return until > atMs ? until : atMs + Math.max(minute, atMs - until);
}

/** When a holding ends at the latest: never, unless its end is enforced and still ahead. */
function sureEndMs(holding: Holding, atMs: number): number {
  if (holding.until === undefined || holding.enforced !== true) return Number.POSITIVE_INFINITY;
  const until = parseTime(holding.until);
  return until > atMs ? until : Number.POSITIVE_INFINITY;
}

/** True when an outage or maintenance entry covers the offer. */
export function covers(outage: Outage, offer: Flavor): boolean {
  return (
    (outage.offer === undefined || outage.offer === offer.id) &&
    (outage.provider === undefined || outage.provider === offer.provider) &&
    (outage.region === undefined || outage.region === offer.region)
  );
}

/** Indices of the offers that an outage or maintenance entry covers. */
export function* coveredBy(outage: Outage, snapshot: Snapshot): Generator<number> {
  const { offers } = snapshot;
  if (outage.offer !== undefined) {
    const index = offerIndexOf(snapshot, outage.offer);
    if (index >= 0 && covers(outage, offers[index]!)) yield index;
    return;
  }
  for (let index = 0; index < offers.length; index++) if (covers(outage, offers[index]!)) yield index;
}

const unlimited = Number.POSITIVE_INFINITY;

/** The last time that RFC 3339 can tell: whatever ends then never ends, and nothing starts after it. */
const lastMs = parseTime("9999-12-31T23:59:59Z");

function totalsOf({ capacity, divisible }: Flavor): Amounts {
  return [
    capacity.gpus,
    capacity.cpuMilli ?? capacity.cpuMilliFree ?? unlimited,
    capacity.memoryMib ?? capacity.memoryMibFree ?? unlimited,
    capacity.pods ?? capacity.podsFree ?? unlimited,
    divisible ? unlimited : 1,
  ];
}

function freeNow({ capacity, divisible }: Flavor): Amounts {
  return [
    capacity.gpusFree,
    capacity.cpuMilliFree ?? capacity.cpuMilli ?? unlimited,
    capacity.memoryMibFree ?? capacity.memoryMib ?? unlimited,
    capacity.podsFree ?? capacity.pods ?? unlimited,
    divisible ? unlimited : 1,
  ];
}

const isPart = ({ fractionMilli, migProfile }: Holding): boolean =>
  migProfile !== undefined || (fractionMilli !== undefined && fractionMilli < 1000);

/** What the end of a holding gives back: its GPUs, and of the rest what it states or its share by GPUs. */
function releases(
  offer: Flavor,
  holdings: readonly Holding[],
  endOf: (holding: Holding) => number,
): Change[] {
  const totals = totalsOf(offer);
  const free = freeNow(offer);
  const held = holdings.reduce((sum, { gpus }) => sum + gpus, 0);
  const inUse = Math.max(1, held, offer.capacity.gpus - offer.capacity.gpusFree);
  const shareOf = (resource: number, gpus: number): number => {
    const used = totals[resource]! - free[resource]!;
    return Number.isFinite(used) ? Math.floor((used * gpus) / inUse) : 0;
  };
  return holdings.map((holding) => ({
    at: endOf(holding),
    delta: [
      // which device a part is on is not known, so no whole GPU is known to come free
      isPart(holding) ? 0 : holding.gpus,
      holding.cpuMilli ?? shareOf(1, holding.gpus),
      holding.memoryMib ?? shareOf(2, holding.gpus),
      shareOf(3, holding.gpus),
      0,
    ],
  }));
}

/**
 * GPUs of holdings that the offer says are free: work that has ended there, before its holding was known to. Which of
 * them it is nobody can tell, so that none of them may use what its tenant reserved.
 */
function endedUnseen({ capacity }: Flavor, holdings: readonly Holding[]): number {
  const whole = holdings.reduce((sum, one) => sum + (isPart(one) ? 0 : one.gpus), 0);
  return Math.max(0, whole - (capacity.gpus - capacity.gpusFree));
}

function buildTimeline(snapshot: Snapshot, atMs: number, index: number, parts: Parts): Timeline {
  const offer = snapshot.offers[index]!;
  const holdings = parts.holdings.get(index) ?? [];
  const free = freeNow(offer);
  const totals = totalsOf(offer);
  const expected = releases(offer, holdings, (holding) => expectedEndMs(holding, atMs));
  const sure = releases(offer, holdings, (holding) => sureEndMs(holding, atMs));
  const ended = endedUnseen(offer, holdings);
  return {
    expected: stepsFrom(atMs, free, expected, totals),
    sure: stepsFrom(atMs, free, sure, totals),
    uses: holdings.map((holding) => ({
      tenant: holding.tenant,
      intent: holding.intent,
      gpus: Math.max(0, holding.gpus - ended),
      from: atMs,
      to: expectedEndMs(holding, atMs),
      sureTo: sureEndMs(holding, atMs),
    })),
    holds: parts.holds.get(index) ?? [],
    closed: parts.closed.get(index) ?? [],
    promised: [],
  };
}

/** A timeline that a plan may change. */
export function copyTimeline(timeline: Timeline): Timeline {
  return { ...timeline, expected: copySteps(timeline.expected), sure: copySteps(timeline.sure) };
}

interface Parts {
  readonly holdings: ReadonlyMap<number, readonly Holding[]>;
  readonly holds: ReadonlyMap<number, readonly Hold[]>;
  readonly closed: ReadonlyMap<number, readonly Span[]>;
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

/** Most GPUs that holds keep at once in a span. */
function heldAtMost(holds: readonly Hold[], { from, to }: Span): number {
  const overlapping = holds.filter((hold) => hold.from < to && from < hold.to);
  return overlapping.reduce((most, { from: start }) => {
    const at = Math.max(start, from);
    const sum = overlapping
      .filter((hold) => hold.from <= at && at < hold.to)
      .reduce((all, { gpus }) => all + gpus, 0);
    return Math.max(most, sum);
  }, 0);
}

/** Why a reservation cannot be kept, or null. */
function refusal(
  entry: Reservation,
  offer: Flavor | undefined,
  span: Span,
  { atMs, before }: { readonly atMs: number; readonly before: readonly Hold[] },
): string | null {
  if (offer === undefined) return `no offer has the id ${entry.offer}`;
  if (span.to <= span.from) return `it ends at ${entry.end}, before its start ${entry.start}`;
  if (span.to <= atMs) return `it lies in the past: it ended at ${entry.end}`;
  const { gpus } = offer.capacity;
  if (entry.gpus > gpus) return `${entry.gpus} GPUs are more than the ${gpus} of ${offer.id}`;
  const taken = heldAtMost(before, span);
  if (taken + entry.gpus > gpus)
    return `other reservations already hold ${taken} of the ${gpus} GPUs of ${offer.id} in its window`;
  return null;
}

/** Reservations of tenants first, then what waiting intents were told, by priority: who is kept when both cannot be. */
const inRank = (a: Reservation, b: Reservation): number =>
  Number(a.intent !== undefined) - Number(b.intent !== undefined) ||
  (b.priority ?? 0) - (a.priority ?? 0) ||
  (a.id < b.id ? -1 : 1);

const sureEndOf = ({ intent, enforcedEnd }: Reservation, { to }: Span): number =>
  intent === undefined ? to : enforcedEnd === undefined ? unlimited : parseTime(enforcedEnd);

function holdsOf(snapshot: Snapshot, atMs: number, indexOf: (id: string) => number, warnings: Warning[]) {
  const holds = new Map<number, Hold[]>();
  for (const entry of [...snapshot.reservations].sort(inRank)) {
    const index = indexOf(entry.offer);
    const endMs = parseTime(entry.end);
    const span = { from: parseTime(entry.start), to: endMs >= lastMs ? unlimited : endMs };
    const why = refusal(entry, snapshot.offers[index], span, { atMs, before: holds.get(index) ?? [] });
    if (why !== null) {
      const message = `refused: ${why}; everything else is planned`;
      warnings.push({ path: `reservations (${entry.id})`, code: "skipped", message });
      continue;
    }
    push(holds, index, {
      id: entry.id,
      tenant: entry.tenant,
      intent: entry.intent ?? null,
      priority: entry.intent === undefined ? null : (entry.priority ?? null),
      gpus: entry.gpus,
      isPromise: entry.basis !== "estimate",
      sureTo: sureEndOf(entry, span),
      ...span,
    });
  }
  return holds;
}

/** Outages and maintenance that still matter, per offer. */
function closedOf(snapshot: Snapshot, atMs: number): Map<number, Span[]> {
  const closed = new Map<number, Span[]>();
  for (const outage of [...snapshot.outages, ...snapshot.maintenance]) {
    const from = parseTime(outage.start);
    const to = outage.end === undefined ? unlimited : parseTime(outage.end);
    if (to <= Math.max(from, atMs)) continue;
    for (const index of coveredBy(outage, snapshot)) push(closed, index, { from: Math.max(from, atMs), to });
  }
  for (const spans of closed.values()) spans.sort((a, b) => a.from - b.from || a.to - b.to);
  return closed;
}

/**
 * The calendar of a snapshot whose offers are sorted by id. Linear in its entries; timelines are built on demand.
 * A reservation that cannot be kept is refused by itself, with a warning that says why.
 */
export function timelinesOf(snapshot: Snapshot): Timelines {
  const atMs = parseTime(snapshot.at);
  // a search per entry: offers are many, those with entries few
  const indexOf = (id: string): number => offerIndexOf(snapshot, id);
  const warnings: Warning[] = [];
  const holdings = new Map<number, Holding[]>();
  for (const holding of snapshot.holdings) {
    const index = indexOf(holding.offer);
    if (index >= 0) push(holdings, index, holding);
  }
  const holds = holdsOf(snapshot, atMs, indexOf, warnings);
  const closed = closedOf(snapshot, atMs);
  const heldFor = new Map<string, number[]>();
  for (const [index, list] of holds)
    for (const { intent } of list) if (intent !== null) push(heldFor, intent, index);
  // an offer that is down now is out of the question anyhow
  const closing = [...closed].filter(([, spans]) => spans.some(({ from }) => from > atMs));
  const binding = new Set([...holds.keys(), ...closing.map(([index]) => index)]);
  const ending = [...holdings].filter(([, list]) => list.some(({ until }) => until !== undefined));
  const known = new Map<number, Timeline>();
  return {
    atMs,
    warnings,
    binding,
    eventful: new Set([...binding, ...closed.keys(), ...ending.map(([index]) => index)]),
    heldFor,
    of(offer) {
      const found = known.get(offer);
      if (found !== undefined) return found;
      const built = buildTimeline(snapshot, atMs, offer, { holdings, holds, closed });
      known.set(offer, built);
      return built;
    },
  };
}
