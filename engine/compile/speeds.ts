import type { GpuTraits, WorkloadKind } from "../model/flavor.ts";
import { gpuSpeed } from "../score/performance.ts";
import type { Catalog } from "./catalog.ts";

const noScores = {};

/**
 * Speed of one GPU per row for a kind of work, NaN where unknown; computed once per catalogue, and once per distinct GPU
 * description where the provider states no suitability score of its own.
 */
export function speedsOf(catalog: Catalog, kind: WorkloadKind): Float64Array {
  const known = catalog.speeds.get(kind);
  if (known !== undefined) return known;
  const { kindOf, kinds, scored } = catalog.hardware;
  const usual = Float64Array.from(kinds, (gpu: GpuTraits) => gpuSpeed({ gpu, scores: noScores }, kind));
  const speeds = new Float64Array(kindOf.length);
  for (let row = 0; row < speeds.length; row++) speeds[row] = usual[kindOf[row]!]!;
  if (scored.length > 0) {
    const own = new Map(scored.map((index) => [index, gpuSpeed(catalog.snapshot.offers[index]!, kind)]));
    catalog.options.flavor.forEach((index, row) => {
      speeds[row] = own.get(index) ?? speeds[row]!;
    });
  }
  catalog.speeds.set(kind, speeds);
  return speeds;
}
