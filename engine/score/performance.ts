import { findGpuModel } from "../catalog/gpus.ts";
import { relativeSpeed } from "../catalog/speed.ts";
import type { Flavor, WorkloadKind } from "../model/flavor.ts";

/** Share of the ideal speed that several GPUs reach together when neither offer nor link tells. */
const DEFAULT_MULTI_GPU_EFFICIENCY = 0.8;

/**
 * A speed corrected by the suitability score that the provider states, relative to what is usual for the model; NaN
 * where the speed is unknown.
 */
export function correctedSpeed(base: number, stated: number | undefined, usual: number | undefined): number {
  if (!(base > 0)) return Number.NaN;
  return stated !== undefined && usual !== undefined && stated > 0 && usual > 0
    ? (base * stated) / usual
    : base;
}

/**
 * Speed of one GPU of an offer for a kind of work, relative to the reference GPU (1), or NaN when neither the
 * catalogue nor the offer's figures tell. A suitability score that the provider states corrects the catalogue's own
 * value for that model; it never multiplies on top of it.
 */
export function gpuSpeed(flavor: Pick<Flavor, "gpu" | "scores">, kind: WorkloadKind): number {
  const model = findGpuModel(flavor.gpu.model);
  const base = relativeSpeed(model ?? flavor.gpu, kind);
  return correctedSpeed(base, flavor.scores[kind], model?.scores[kind]);
}

/** Share 0..1 of the sum of their speeds that `count` GPUs of one offer reach together; NaN stated is unknown. */
export function effectiveShare(stated: number, count: number): number {
  if (count <= 1) return 1;
  return Number.isNaN(stated) ? DEFAULT_MULTI_GPU_EFFICIENCY : stated;
}

/**
 * Slowness: 1 / effective speed per GPU, NaN when unknown. The count of GPUs is the same for all offers and left
 * out, so only the loss by working together counts.
 */
export function slowness(flavor: Flavor, kind: WorkloadKind, count: number): number {
  return 1 / (gpuSpeed(flavor, kind) * effectiveShare(flavor.gpu.multiGpuEfficiency ?? Number.NaN, count));
}

/** Grams of CO2 per hour of a GPU at full power, or NaN when a fact is missing: W, ratio, gCO2 per kWh. */
export function carbonGrams(
  powerWatts: number | undefined,
  pue: number | undefined,
  carbonIntensity: number | undefined,
): number {
  if (carbonIntensity === undefined || pue === undefined || powerWatts === undefined) return Number.NaN;
  return (powerWatts / 1000) * pue * carbonIntensity;
}

/** Grams of CO2 one GPU of the offer causes per hour at full power, or NaN when unknown. */
export function carbonGramsPerGpuHour({ gpu, energy }: Flavor): number {
  return carbonGrams(gpu.powerWatts, energy.pue, energy.carbonIntensity);
}

/** Grams of CO2 per unit of work (an hour of the reference GPU), or NaN when unknown. */
export function energyPerWork(flavor: Flavor, kind: WorkloadKind, count: number): number {
  return carbonGramsPerGpuHour(flavor) * slowness(flavor, kind, count);
}
