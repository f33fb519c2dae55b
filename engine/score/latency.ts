import type { Coordinates, Flavor } from "../model/flavor.ts";
import { asin, sinCosDegrees } from "./numeric.ts";

const EARTH_RADIUS_KM = 6371;

/** Great-circle distance (haversine), kilometers. */
export function distanceKm(a: Coordinates, b: Coordinates): number {
  const dLatitude = sinCosDegrees((b.latitude - a.latitude) / 2).sin;
  const dLongitude = sinCosDegrees((b.longitude - a.longitude) / 2).sin;
  const cosines = sinCosDegrees(a.latitude).cos * sinCosDegrees(b.latitude).cos;
  const h = dLatitude * dLatitude + cosines * dLongitude * dLongitude;
  return 2 * EARTH_RADIUS_KM * asin(Math.sqrt(Math.min(1, h)));
}

/** Roughly the continent: where short routes detour more, so the estimate uses its own figures. */
function inEurope(at: Coordinates): boolean {
  return at.latitude > 35 && at.latitude < 72 && at.longitude > -11 && at.longitude < 40;
}

/**
 * Estimated round-trip time in milliseconds: light in fiber (200 km/ms) over the great circle, times a detour
 * factor, plus a constant for access and equipment. Figures fitted to public inter-region measurements; 1 ms at
 * the same place.
 */
export function estimateRoundTripMs(a: Coordinates, b: Coordinates): number {
  const distance = distanceKm(a, b);
  if (distance < 1) return 1;
  const nearby = distance < 1500 && inEurope(a) && inEurope(b);
  return ((2 * distance) / 200) * (nearby ? 1.9 : 1.6) + (nearby ? 4 : 2);
}

/** Where an intent feels latency. `measured`: the offers' own figures, taken from the hub, apply. */
export interface LatencyOrigin {
  readonly coordinates?: Coordinates;
  readonly measured: boolean;
}

/**
 * Latency of an offer in milliseconds: its own measured figure where the origin is the hub, else estimated from
 * coordinates, else NaN (unknown).
 */
export function latencyMs(flavor: Flavor, origin: LatencyOrigin): number {
  if (origin.measured && flavor.network.latencyMs !== undefined) return flavor.network.latencyMs;
  if (origin.coordinates === undefined || flavor.coordinates === undefined) return Number.NaN;
  return estimateRoundTripMs(origin.coordinates, flavor.coordinates);
}
