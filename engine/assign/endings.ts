import { book, type Calendar, createCalendar, look, roomFor } from "../calendar/calendar.ts";
import { slotsIn } from "../calendar/steps.ts";
import type { Scope, Usage } from "../compile/constraints/spec.ts";
import { demandOf, lastingOf, roundsOf, viewerOf } from "../compile/horizon.ts";
import { bookingsNow } from "./hold.ts";
import type { Share } from "./replicas.ts";
import type { Served } from "./serve.ts";
import type { Victim } from "./victims.ts";

/** True when the shares fit from now on for their whole run, and delay nothing that was promised. */
export function fitsNow(calendar: Calendar, scope: Scope, shares: readonly Share[]): boolean {
  const { catalog, need } = scope;
  const rounds = roundsOf(
    need,
    shares.reduce((sum, { replicas }) => sum + replicas, 0),
  );
  return shares.every(({ candidate: { row }, replicas }) => {
    const offer = catalog.options.flavor[row]!;
    if (!calendar.own.has(offer) && !calendar.base.binding.has(offer)) return true;
    const room = roomFor(
      look(calendar, offer, viewerOf(need)),
      need.atMs,
      lastingOf(catalog, need, row, rounds),
    );
    return slotsIn(room, demandOf(catalog, need, row)) >= replicas;
  });
}

/** Takes running work out of the calendar from now on. */
export function endWork(calendar: Calendar, offer: number, intent: string, freed: Usage): void {
  const { atMs } = calendar.base;
  const use = calendar.base.of(offer).uses.find((one) => one.intent === intent);
  const { gpus, cpuMilli, memoryMib, pods } = freed;
  book(calendar, {
    offer,
    tenant: use?.tenant ?? "",
    intent,
    gpus: -gpus,
    from: atMs,
    to: use?.to ?? Number.POSITIVE_INFINITY,
    sureTo: use?.sureTo ?? Number.POSITIVE_INFINITY,
    amounts: [-gpus, -cpuMilli, -memoryMib, -pods, 0],
    isPromise: false,
  });
}

/**
 * A victim whose end does not help a claimant: its GPUs count as used of what its tenant reserved, and are kept for the
 * tenant again once it has gone. Null when the claimant has its room in time as well.
 *
 * @param victims all that have to go, in this claim and before
 * @param others everybody else whom this plan places
 */
export function keptForOwner(
  claimant: Served,
  victims: readonly Victim[],
  others: Iterable<Served>,
): Victim | null {
  const { scope, result } = claimant;
  const { base } = scope.catalog.calendar;
  const { flavor } = scope.catalog.options;
  const wanted = new Set(result.shares.map(({ candidate: { row } }) => flavor[row]!));
  const guarded = victims.filter(({ tenant, frees }) =>
    frees.some(
      ([offer]) =>
        wanted.has(offer) &&
        base.of(offer).holds.some((hold) => hold.intent === null && hold.tenant === tenant),
    ),
  );
  if (guarded.length === 0) return null;
  const calendar = createCalendar(base);
  for (const { frees, intent } of victims)
    for (const [offer, freed] of frees) if (wanted.has(offer)) endWork(calendar, offer, intent, freed);
  for (const { scope: at, result: has } of others) {
    const shares = has.shares.filter(({ candidate: { row } }) => wanted.has(flavor[row]!));
    for (const booking of bookingsNow(calendar, at, shares)) book(calendar, booking);
  }
  return fitsNow(calendar, scope, result.shares) ? null : guarded.at(-1)!;
}
