import { slotsOver, withoutRoom } from "../horizon.ts";
import { taskSeconds } from "../need.ts";
import { changed } from "./forms.ts";
import {
  bitmapOf,
  bitmapOfOffers,
  type ConstraintSpec,
  type Relaxation,
  type Scope,
  withField,
} from "./spec.ts";

/** A run short enough to end before the offer's capacity is needed by others, where its end is up to the user. */
function shorter(scope: Scope, rows: readonly number[]): Relaxation | null {
  const { need, catalog } = scope;
  if (need.runtime.source === "none") return null;
  const present = need.intent.workload.batch?.timeoutSeconds;
  // halving finds a length that fits within a factor of two, which is as exact as a runtime is known
  for (let seconds = present ?? 64 * 3600; seconds >= 60; seconds = Math.floor(seconds / 2)) {
    if (present === seconds) continue;
    const step = changed(need.intent, ["workload", "batch", "timeoutSeconds"], seconds, {
      path: "workload.batch.timeout",
      from: present === undefined ? null : `${present}s`,
      to: `${seconds}s`,
    });
    const tried = { ...scope, need: { ...need, intent: step.intent } };
    const isEstimated = need.runtime.source === "estimate" || need.runtime.source === "scaled";
    const fits = (row: number): boolean =>
      slotsOver(tried, row) >= need.perOffer && (!isEstimated || taskSeconds(catalog, need, row) <= seconds);
    if (rows.some(fits)) return step;
  }
  return null;
}

/** Offers of a set, or of a map by offer. */
const keysOf = (
  offers: ReadonlySet<number> | ReadonlyMap<number, unknown> | readonly number[],
): Iterable<number> => offers.keys();

/** Reservations, closures ahead and what was promised to others, over the whole run. */
const calendar: ConstraintSpec = {
  name: "offer.calendar",
  predicates: (scope) => {
    const { catalog, need, asIfFree } = scope;
    const { base } = catalog.calendar;
    const isLater = need.atMs > base.atMs;
    if (asIfFree && (!isLater || scope.calendar === undefined)) return null;
    if (!isLater && base.binding.size === 0 && (scope.calendar?.own.size ?? 0) === 0) return null;
    const { count } = catalog.options;
    const fails = (row: number): boolean => slotsOver(scope, row) < need.perOffer;
    if (isLater) return [{ kind: "bitmap", failed: bitmapOf(count, fails) }];
    if (scope.calendar === undefined) return [{ kind: "bitmap", failed: withoutRoom(scope) }];
    const offers = [...keysOf(base.binding), ...keysOf(scope.calendar.own)];
    const failed = bitmapOfOffers(catalog, offers, (_, row) => fails(row));
    return [{ kind: "bitmap", failed }];
  },
  relax: shorter,
};

/**
 * Spot capacity that was just lost is not bought again at once: an interruption is rarely alone, and the next one
 * would cost another restart.
 */
const cooling: ConstraintSpec = {
  name: "offer.spot_cooldown",
  predicates: ({ catalog, need, asIfFree }) => {
    const { coolUntilMs } = catalog.spotRates;
    if (coolUntilMs.size === 0 || (asIfFree && need.atMs === catalog.calendar.base.atMs)) return null;
    const { flavor, spot, count } = catalog.options;
    const isCooling = (row: number): boolean =>
      spot[row] === 1 && need.atMs < (coolUntilMs.get(flavor[row]!) ?? 0);
    return [{ kind: "bitmap", failed: bitmapOf(count, isCooling) }];
  },
};

/** Under a deadline the spot policy chooses between spot capacity and on-demand; who refuses spot is not asked. */
const spotPolicy: ConstraintSpec = {
  name: "spot_policy",
  predicates: ({ catalog, need, lodging }) => {
    if (lodging === undefined || !need.spotAllowed) return null;
    const { flavor, spot, count } = catalog.options;
    const fails = (row: number): boolean => {
      if (lodging === "on-demand") return spot[row] === 1;
      return spot[row] === 0 || (lodging !== "spot" && flavor[row] !== lodging);
    };
    return [{ kind: "bitmap", failed: bitmapOf(count, fails) }];
  },
  relax: ({ need: { intent }, lodging }) => {
    if (lodging !== "spot") return null;
    const field = ["workload", "resources", "gpu", "interruptible"];
    return changed(withField(intent, field, undefined), ["constraints", "preemptible"], false, {
      path: "constraints.preemptible",
      from: true,
      to: false,
    });
  },
};

/** When an offer can be had. */
export const timeConstraints: readonly ConstraintSpec[] = [calendar, cooling, spotPolicy];
