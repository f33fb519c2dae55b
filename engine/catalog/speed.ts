import type { WorkloadKind } from "../model/flavor.ts";
import { throughputRows } from "./throughput-rows.ts";

/** The figures that tell a GPU's speed. */
export interface SpeedFigures {
  readonly name?: string;
  readonly model?: string;
  readonly families?: readonly string[];
  readonly fp16Tflops?: number;
  readonly fp32Tflops?: number;
  readonly memoryBandwidth?: number;
}

/** NVIDIA V100: the GPU whose speed is 1 for every kind of work. */
const reference = { fp16Tflops: 125, fp32Tflops: 15.7, memoryBandwidth: 900 };

const measured: ReadonlyMap<string, number> = new Map(
  throughputRows.map(([kind, model, speed]) => [`${kind} ${model}`, speed]),
);

/** The measured speed of a model, or of the first family that has one. */
function measuredSpeed({ name, model, families }: SpeedFigures, kind: WorkloadKind): number | undefined {
  for (const known of [name ?? model ?? "", ...(families ?? [])]) {
    const speed = measured.get(`${kind} ${known}`);
    if (speed !== undefined) return speed;
  }
  return undefined;
}

/**
 * Speed of one GPU for a kind of work relative to V100, or NaN when figures are missing.
 *
 * Measured throughput where known; else the root of compute times memory bandwidth, each relative to V100: dense half
 * precision for training and inference, FP32 for graphics and HPC.
 */
export function relativeSpeed(figures: SpeedFigures, kind: WorkloadKind): number {
  const known = measuredSpeed(figures, kind);
  if (known !== undefined) return known;
  const half = (figures.fp16Tflops ?? Number.NaN) / reference.fp16Tflops;
  const single = (figures.fp32Tflops ?? Number.NaN) / reference.fp32Tflops;
  const bandwidth = (figures.memoryBandwidth ?? Number.NaN) / reference.memoryBandwidth;
  return Math.sqrt((kind === "hpc" || kind === "graphics" ? single : half) * bandwidth);
}
