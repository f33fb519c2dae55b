import type { Held } from "../assign/hold.ts";
import type { Served } from "../assign/serve.ts";
import type { Decision, HeldStart, Waiting } from "../model/decision.ts";
import type { Plan } from "../model/plan.ts";
import type { Reservation, Snapshot } from "../model/snapshot.ts";
import { formatTime, parseTime } from "../model/time.ts";
import { placementsOf } from "./decision.ts";

const timeOrNull = (at: number): string | null => (Number.isFinite(at) ? formatTime(at) : null);

function startOf({ startMs, endMs, latestMs, isPromise, scope, shares }: Held): HeldStart {
  return {
    start: formatTime(startMs),
    end: timeOrNull(endMs),
    enforcedEnd: timeOrNull(latestMs),
    basis: isPromise ? "promise" : "estimate",
    placements: placementsOf(scope, shares),
  };
}

/** The start that an earlier plan held, when it is sooner than the new one. */
function movedFrom(snapshot: Snapshot, intent: string, held: Held | undefined): Waiting["moved"] {
  const own = snapshot.reservations.filter((entry) => entry.intent === intent);
  if (own.length === 0) return undefined;
  const earlier = Math.min(...own.map(({ start }) => parseTime(start)));
  if (held !== undefined && held.startMs <= Math.max(earlier, parseTime(snapshot.at))) return undefined;
  const isEstimate = own.some(({ basis }) => basis === "estimate");
  return {
    from: formatTime(earlier),
    because: isEstimate
      ? "what it waits for is expected to take longer, or work of higher priority came before it"
      : "work of higher priority came before it, or capacity was lost",
  };
}

/** Where each waiting intent stands, by name; a tenant sees names of its own only. */
export function waitsOf(
  snapshot: Snapshot,
  inOrder: readonly Served[],
  held: ReadonlyMap<string, Held>,
): Map<string, Waiting> {
  const waits = new Map<string, Waiting>();
  const ahead: { readonly name: string; readonly tenant: string }[] = [];
  for (const { stated, verdict } of inOrder) {
    if (verdict.outcome !== "waiting") continue;
    const own = ahead.filter(({ tenant }) => tenant === stated.tenant).map(({ name }) => name);
    const start = held.get(stated.name);
    const moved = movedFrom(snapshot, stated.name, start);
    waits.set(stated.name, {
      position: ahead.length + 1,
      ahead: { own, others: ahead.length - own.length },
      held: start === undefined ? null : startOf(start),
      ...(moved === undefined ? {} : { moved }),
    });
    ahead.push(stated);
  }
  return waits;
}

/** End of a reservation that nothing ends. */
const forGood = "9999-12-31T23:59:59Z";

/**
 * The starts that a plan holds for waiting intents, as reservations of the next snapshot: so the next plan keeps them,
 * unless work of higher priority comes or capacity is lost.
 *
 * @param priorityOf priority of an intent by name
 */
export function reservationsOf(plan: Plan, priorityOf: (intent: string) => number): Reservation[] {
  return plan.decisions.flatMap((decision) => holdsOf(decision, priorityOf(decision.intent)));
}

/** The same for one decision; empty where no start is held. */
export function holdsOf({ intent, tenant, wait }: Decision, priority: number): Reservation[] {
  const held = wait?.held ?? null;
  if (held === null) return [];
  return held.placements.map((placement) => ({
    id: `${intent}@${placement.offer}`,
    tenant,
    intent,
    priority,
    basis: held.basis,
    offer: placement.offer,
    gpus: placement.gpus,
    start: held.start,
    end: held.end ?? forGood,
    ...(held.enforcedEnd === null ? {} : { enforcedEnd: held.enforcedEnd }),
  }));
}
