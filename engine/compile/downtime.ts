import { coveredBy } from "../calendar/timeline.ts";
import type { Outage, Snapshot } from "../model/snapshot.ts";
import { parseTime } from "../model/time.ts";

/** Offers out of use at the snapshot's time, by index. */
export interface Downtime {
  readonly down: ReadonlySet<number>;
  /** Of those, the ones whose outage has no known end. */
  readonly downForGood: ReadonlySet<number>;
  /** Milliseconds since 1970 at which an offer that is down comes back, where known. */
  readonly backAtMs: ReadonlyMap<number, number>;
}

/** Evaluates outages and maintenance at the snapshot's time. */
export function downtimeOf(snapshot: Snapshot): Downtime {
  const now = parseTime(snapshot.at);
  const down = new Set<number>();
  const downForGood = new Set<number>();
  const backAtMs = new Map<number, number>();
  const active = (outage: Outage): boolean =>
    parseTime(outage.start) <= now && (outage.end === undefined || now < parseTime(outage.end));
  for (const outage of [...snapshot.outages, ...snapshot.maintenance].filter(active)) {
    for (const index of coveredBy(outage, snapshot)) {
      down.add(index);
      if (outage.end === undefined) downForGood.add(index);
      else backAtMs.set(index, Math.max(backAtMs.get(index) ?? 0, parseTime(outage.end)));
    }
  }
  return { down, downForGood, backAtMs };
}
