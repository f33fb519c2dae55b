import type { WorkloadKind } from "../model/flavor.ts";

/** The figures that tell a GPU's speed. */
export interface SpeedFigures {
  readonly name?: string;
  readonly model?: string;
  readonly fp16Tflops?: number;
  readonly fp32Tflops?: number;
  readonly memoryBandwidth?: number;
}

/** NVIDIA V100: the GPU whose speed is 1 for every kind of work. */
const reference = { fp16Tflops: 125, fp32Tflops: 15.7, memoryBandwidth: 900 };

/**
 * Measured training throughput relative to V100, where measurements exist: geometric means over the image,
 * language-model and translation jobs of the published Gavel measurements (OSDI 2020), one GPU per job.
 */
const measuredTraining: Readonly<Record<string, number>> = {
  "nvidia-v100": 1,
  "nvidia-v100-16": 1,
  "nvidia-p100": 0.77,
  "nvidia-k80": 0.2,
};

/**
 * Speed of one GPU for a kind of work relative to V100, or NaN when figures are missing.
 *
 * Measured throughput where known; else the root of compute times memory bandwidth, each relative to V100: dense half
 * precision for training and inference, FP32 for graphics and HPC.
 */
export function relativeSpeed(figures: SpeedFigures, kind: WorkloadKind): number {
  const measured = measuredTraining[figures.name ?? figures.model ?? ""];
  if (kind === "training" && measured !== undefined) return measured;
  const half = (figures.fp16Tflops ?? Number.NaN) / reference.fp16Tflops;
  const single = (figures.fp32Tflops ?? Number.NaN) / reference.fp32Tflops;
  const bandwidth = (figures.memoryBandwidth ?? Number.NaN) / reference.memoryBandwidth;
  return Math.sqrt((kind === "hpc" || kind === "graphics" ? single : half) * bandwidth);
}
