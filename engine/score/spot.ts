import { exp } from "./numeric.ts";

/** Interruptions per hour assumed for a spot price whose offer states none. */
export const DEFAULT_INTERRUPTION_RATE = 0.05;

/** Hours until a restarted workload does useful work again: new capacity, image pull, state load. */
export const RESTART_HOURS = 0.1;

/** How a workload survives interruptions, as far as it changes the value of a spot price. */
export interface SpotExposure {
  /** Hours between checkpoints; the whole runtime without checkpoints. Absent for services, which lose no work. */
  readonly segmentHours?: number;
}

/**
 * Factor by which a spot price is worth less than the same price without interruptions: expected hours paid per hour
 * of progress. For a segment of length C and interruption rate L (exponential), restarted from its beginning after
 * each interruption, the expected time is (e^(LC) - 1)/L plus one restart per interruption; the number of
 * interruptions expected is e^(LC) - 1. Services lose only the restart: 1 + L * restart.
 *
 * Grows without bound for LC > 1: a long runtime without checkpoints is worth nothing on spot, and the caller says so.
 */
export function spotFactor(ratePerHour: number, exposure: SpotExposure): number {
  if (ratePerHour <= 0) return 1;
  const { segmentHours } = exposure;
  if (segmentHours === undefined) return 1 + ratePerHour * RESTART_HOURS;
  if (segmentHours <= 0) return 1;
  const growth = exp(ratePerHour * segmentHours) - 1;
  return (growth / ratePerHour + growth * RESTART_HOURS) / segmentHours;
}
