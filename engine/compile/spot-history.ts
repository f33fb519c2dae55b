import type { Flavor } from "../model/flavor.ts";
import type { Snapshot, SpotHistory } from "../model/snapshot.ts";
import { parseTime } from "../model/time.ts";
import { DEFAULT_INTERRUPTION_RATE } from "../score/spot.ts";

/** Hours of watching that the prior is worth: after as many hours of its own, an offer counts as much as its prior. */
const priorHours = 100;

/** Spot capacity of a model that a provider just lost in a region is left alone for this long. */
export const coolDownMs = 900_000;

/** Expected interruptions per hour of an offer's spot price, and where the figure comes from. */
export interface SpotRate {
  readonly perHour: number;
  readonly source: "stated" | "assumed" | "provider" | "history";
  /** Own hours watched and interruptions seen in them. */
  readonly hours: number;
  readonly interruptions: number;
}

/** What the snapshot's history says about spot capacity. */
export interface SpotRates {
  /** Rate of an offer. */
  of(offer: Flavor): SpotRate;
  /** The same, the figure alone. */
  perHour(offer: Flavor): number;
  /** Offers whose kind of spot capacity was just lost, and when they may be bought again. */
  readonly coolUntilMs: ReadonlyMap<number, number>;
}

const weighted = (rate: number, interruptions: number, hours: number): number =>
  (rate * priorHours + interruptions) / (priorHours + hours);

/** Where capacity is lost together: one provider's GPUs of one model in one region. */
const poolOf = ({ provider, region, gpu }: Snapshot["offers"][number]): string =>
  `${provider}\n${region ?? ""}\n${gpu.model}`;

/**
 * Interruption rates updated by history (gamma prior, so a weighted mean): the stated rate, or what the provider's other
 * offers show, or the default, is worth `priorHours` of watching; the offer's own history counts on top.
 */
export function spotRatesOf(snapshot: Snapshot): SpotRates {
  const { offers, spotHistory = [] } = snapshot;
  const byId = new Map<string, SpotHistory>(spotHistory.map((entry) => [entry.offer, entry]));
  const pooled = new Map<string, { hours: number; interruptions: number }>();
  const coolPools = new Map<string, number>();
  const now = parseTime(snapshot.at);
  if (spotHistory.length > 0)
    for (const offer of offers) {
      const own = byId.get(offer.id);
      if (own === undefined) continue;
      const sum = pooled.get(offer.provider) ?? { hours: 0, interruptions: 0 };
      sum.hours += own.hours;
      sum.interruptions += own.interruptions;
      pooled.set(offer.provider, sum);
      const until = own.last === undefined ? 0 : parseTime(own.last) + coolDownMs;
      const pool = poolOf(offer);
      if (until > now) coolPools.set(pool, Math.max(until, coolPools.get(pool) ?? 0));
    }
  const coolUntilMs = new Map<number, number>();
  if (coolPools.size > 0)
    for (const [index, offer] of offers.entries()) {
      const until = coolPools.get(poolOf(offer));
      if (until !== undefined) coolUntilMs.set(index, until);
    }
  const of = (offer: Flavor): SpotRate => {
    const stated = offer.price.interruptionRate;
    const own = byId.get(offer.id);
    const hours = own?.hours ?? 0;
    const interruptions = own?.interruptions ?? 0;
    const all = pooled.get(offer.provider);
    const others = {
      hours: (all?.hours ?? 0) - hours,
      interruptions: (all?.interruptions ?? 0) - interruptions,
    };
    const prior = stated ?? weighted(DEFAULT_INTERRUPTION_RATE, others.interruptions, others.hours);
    const before = stated !== undefined ? "stated" : others.hours > 0 ? "provider" : "assumed";
    return {
      perHour: hours > 0 ? weighted(prior, interruptions, hours) : prior,
      source: hours > 0 ? "history" : before,
      hours,
      interruptions,
    };
  };
  const assumed = weighted(DEFAULT_INTERRUPTION_RATE, 0, 0);
  return {
    coolUntilMs,
    of,
    perHour: (offer) =>
      spotHistory.length === 0 ? (offer.price.interruptionRate ?? assumed) : of(offer).perHour,
  };
}
