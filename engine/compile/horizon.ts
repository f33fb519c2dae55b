import { type Lasting, look, looker, roomFor, type Viewer } from "../calendar/calendar.ts";
import { type Demand, slotsIn } from "../calendar/steps.ts";
import { type Catalog, flavorOf } from "./catalog.ts";
import type { Scope } from "./constraints/spec.ts";
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
 * How long a need occupies the option of a row. Only a timeout ends it for sure; services never end.
 *
 * @param rounds waves of tasks, one after the other
 */
export function lastingOf(catalog: Catalog, need: Need, row: number, rounds: number): Lasting {
  if (need.runtime.source === "none")
    return { expectedMs: Number.POSITIVE_INFINITY, mostMs: Number.POSITIVE_INFINITY };
  const { timeoutSeconds } = need.intent.workload.batch ?? {};
  const mostMs = timeoutSeconds === undefined ? Number.POSITIVE_INFINITY : timeoutSeconds * 1000 * rounds;
  return { expectedMs: Math.min(mostMs, Math.ceil(taskSeconds(catalog, need, row) * 1000) * rounds), mostMs };
}

/** Rounds of a need of which `tasks` run at a time. */
export const roundsOf = (need: Need, tasks: number): number =>
  need.together === 1 ? Math.ceil(need.replicas / Math.max(1, tasks)) : 1;

/**
 * Whether the calendar has room for `replicas` in the offers of rows that it binds, for runs from its own moment on. The
 * same answers as `slotsOver`; most need no look at the length of the run.
 */
export function roomOver(scope: Scope, replicas: number): (row: number) => boolean {
  const { catalog, need, usage } = scope;
  const { flavor } = catalog.options;
  const lookAt = looker(scope.calendar ?? catalog.calendar, viewerOf(need));
  const demands: [whole: Demand | undefined, divisible: Demand | undefined] = [undefined, undefined];
  return (row) => {
    const offer = flavor[row]!;
    if (scope.calendar === undefined && usage.has(offer)) return slotsOver(scope, row) >= replicas;
    const place = flavorOf(catalog, row).divisible ? 1 : 0;
    demands[place] ??= demandOf(catalog, need, row);
    const { now, least } = lookAt(offer);
    if (slotsIn(least, demands[place]) >= replicas) return true;
    return slotsIn(now, demands[place]) >= replicas && slotsOver(scope, row) >= replicas;
  };
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
