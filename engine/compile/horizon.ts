import { keyOf, type Lasting, look, roomFor, type Viewer } from "../calendar/calendar.ts";
import { type Demand, slotsIn } from "../calendar/steps.ts";
import type { Timelines } from "../calendar/timeline.ts";
import { type Catalog, flavorOf, rowsOfOffer } from "./catalog.ts";
import { bitmapOfOffers, type Scope } from "./constraints/spec.ts";
import { type Need, taskSeconds } from "./need.ts";

/**
 * What one replica takes of the offer of a row, in the calendar's order. An offer sold whole is taken whole. A part of a
 * GPU takes none by itself: the calendar knows whole ones, the part's devices are looked up where it is placed.
 */
export function demandOf(catalog: Catalog, need: Need, row: number): Demand {
  const { divisible } = flavorOf(catalog, row);
  const gpus = need.part !== undefined && divisible ? 0 : need.gpus;
  return [gpus, need.cpuMilli, need.memoryMib, 1, divisible ? 0 : 1];
}

/** What `replicas` in the offer of a row take of it together. */
export function amountsOf(catalog: Catalog, need: Need, row: number, replicas: number): number[] {
  const [gpus, cpu, memory, pods, sale] = demandOf(catalog, need, row) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return [gpus * replicas, cpu * replicas, memory * replicas, pods * replicas, sale];
}

/** How an intent sees the calendar. A service sits out closures no longer than its SLA allows. */
export function viewerOf({ intent }: Need): Viewer {
  const { maxInterruptionSeconds } = intent.sla;
  return {
    tenant: intent.tenant,
    intent: intent.name,
    priority: intent.priority,
    toleratedMs:
      intent.workload.type === "batch"
        ? 0
        : maxInterruptionSeconds === undefined
          ? Number.POSITIVE_INFINITY
          : maxInterruptionSeconds * 1000,
  };
}

/**
 * How long a need occupies the option of a row, start and clearing included. Only a timeout ends it for sure; services never end.
 *
 * @param rounds waves of tasks, one after the other
 */
export function lastingOf(catalog: Catalog, need: Need, row: number, rounds: number): Lasting {
  if (need.runtime.source === "none")
    return { expectedMs: Number.POSITIVE_INFINITY, mostMs: Number.POSITIVE_INFINITY };
  const { timeoutSeconds } = need.intent.workload.batch ?? {};
  const besides = (catalog.snapshot.turnaroundSeconds ?? 0) * 1000;
  const mostMs = timeoutSeconds === undefined ? Number.POSITIVE_INFINITY : timeoutSeconds * 1000 * rounds;
  const expectedMs = Math.min(mostMs, Math.ceil(taskSeconds(catalog, need, row) * 1000) * rounds);
  return { expectedMs: expectedMs + besides, mostMs: mostMs + besides };
}

/** Rounds of a need of which `tasks` run at a time. */
export const roundsOf = (need: Need, tasks: number): number =>
  need.together === 1 ? Math.ceil(need.replicas / Math.max(1, tasks)) : 1;

/** Rows of bound offers by what is known of them whatever the length of a run. */
interface Judged {
  /** Bitmap of rows without room at the calendar's moment. */
  readonly failed: Uint32Array;
  /** Rows where the length of the run decides; those that have room for ever are in neither. */
  readonly open: readonly number[];
}

/** What was judged lately, by calendar: the next intent of the same size and standing is judged the same. */
const judgements = new WeakMap<Timelines, Map<string, Judged>>();
const mostJudgements = 64;

function judge({ catalog, need }: Scope): Judged {
  const { calendar } = catalog;
  const viewer = viewerOf(need);
  const { gpus, cpuMilli, memoryMib, perOffer, part } = need;
  const size = [gpus, cpuMilli, memoryMib, perOffer, part !== undefined, keyOf(viewer)].join(" ");
  // whoever a hold is for sees it differently
  const { intent } = viewer;
  const key = calendar.base.heldFor.has(intent) ? `${intent.length} ${intent} ${size}` : `- ${size}`;
  let known = judgements.get(calendar.base);
  if (known === undefined || known.size >= mostJudgements) {
    known = new Map();
    judgements.set(calendar.base, known);
  }
  const found = known.get(key);
  if (found !== undefined) return found;
  const open: number[] = [];
  const failed = bitmapOfOffers(catalog, calendar.base.binding, (offer, row) => {
    const { now, least } = look(calendar, offer, viewer);
    const demand = demandOf(catalog, need, row);
    if (slotsIn(least, demand) >= perOffer) return false;
    else if (slotsIn(now, demand) < perOffer) return true;
    else open.push(row);
    return false;
  });
  const judged = { failed, open };
  known.set(key, judged);
  return judged;
}

/** Bitmap of the rows in which the calendar has no room for the need from its own moment on; as `slotsOver` says. */
export function withoutRoom(scope: Scope): Uint32Array {
  const { catalog, need, usage } = scope;
  const { failed, open } = judge(scope);
  const bits = failed.slice();
  const mark = (row: number): void => {
    const bit = 1 << (row & 31);
    if (slotsOver(scope, row) < need.perOffer) bits[row >> 5]! |= bit;
    else bits[row >> 5]! &= ~bit;
  };
  for (const row of open) mark(row);
  // what a plan has given away so far is in no judgement
  for (const offer of usage.keys())
    if (catalog.calendar.base.binding.has(offer)) for (const row of rowsOfOffer(catalog, offer)) mark(row);
  return bits;
}

/**
 * Replicas that the calendar leaves room for in the offer of a row from `need.atMs` on, for the whole run; Infinity
 * where it says no more than what is free now.
 */
export function slotsOver(
  { catalog, need, usage, asIfFree, calendar }: Scope,
  row: number,
  rounds = 1,
): number {
  const { base } = catalog.calendar;
  const offer = catalog.options.flavor[row]!;
  const isLater = need.atMs > base.atMs;
  if (asIfFree && (!isLater || calendar === undefined)) return Number.POSITIVE_INFINITY;
  if (!isLater && !base.binding.has(offer) && calendar?.own.has(offer) !== true)
    return Number.POSITIVE_INFINITY;
  const seen = look(calendar ?? catalog.calendar, offer, viewerOf(need));
  const room = roomFor(seen, need.atMs, lastingOf(catalog, need, row, rounds));
  const used = calendar === undefined ? usage.get(offer) : undefined;
  if (used !== undefined) {
    const taken = [used.gpus, used.cpuMilli, used.memoryMib, used.pods, used.gpus > 0 ? 1 : 0];
    for (const [index, amount] of taken.entries()) room[index]! -= amount;
  }
  return slotsIn(room, demandOf(catalog, need, row));
}
