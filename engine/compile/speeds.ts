import type { GpuTraits, WorkloadKind } from "../model/flavor.ts";
import { gpuSpeed } from "../score/performance.ts";
import type { Catalog } from "./catalog.ts";

const sameFigures = (a: GpuTraits, b: GpuTraits): boolean =>
  a.fp16Tflops === b.fp16Tflops && a.fp32Tflops === b.fp32Tflops && a.memoryBandwidth === b.memoryBandwidth;

/** Speed of one GPU per offer index for a kind of work, NaN where unknown; computed once per catalogue. */
export function speedsOf(catalog: Catalog, kind: WorkloadKind): Float64Array {
  const known = catalog.speeds.get(kind);
  if (known !== undefined) return known;
  const { offers } = catalog.snapshot;
  const speeds = new Float64Array(offers.length);
  // Offers without a score of their own are as fast as their model's figures say, which many share.
  const usual = new Map<string, { readonly gpu: GpuTraits; readonly speed: number }>();
  for (let index = 0; index < speeds.length; index++) {
    const flavor = offers[index]!;
    const { gpu } = flavor;
    const known = flavor.scores[kind] === undefined ? usual.get(gpu.model) : undefined;
    if (known !== undefined && sameFigures(known.gpu, gpu)) {
      speeds[index] = known.speed;
      continue;
    }
    const speed = gpuSpeed(flavor, kind);
    speeds[index] = speed;
    if (flavor.scores[kind] === undefined) usual.set(gpu.model, { gpu, speed });
  }
  catalog.speeds.set(kind, speeds);
  return speeds;
}
