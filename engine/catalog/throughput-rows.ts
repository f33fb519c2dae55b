import type { WorkloadKind } from "../model/flavor.ts";

/** A measured speed: kind of work, GPU model or family, speed relative to V100, jobs measured, source. */
export type ThroughputRow = readonly [
  kind: WorkloadKind,
  model: string,
  speed: number,
  jobs: number,
  source: string,
];

/**
 * Measured throughput per kind of work, relative to NVIDIA V100: the geometric mean over jobs, one GPU each. Where a kind
 * or a model has no row, speed follows from the datasheet (`relativeSpeed`).
 *
 * Training: the ResNet-18, ResNet-50, language-model and Transformer jobs of the Gavel measurements (Narayanan et al.,
 * OSDI 2020). Its recommendation jobs are left out, which the CPU limits (a P100 is twice as fast as a V100 on them), and
 * so are models that were measured once. No comparable public measurements of inference, HPC or graphics cover enough
 * models of the catalog with one method.
 */
// biome-ignore format: one measurement per line
export const throughputRows: readonly ThroughputRow[] = [
  ["training", "nvidia-v100", 1, 19, "Gavel, OSDI 2020"],
  ["training", "nvidia-p100", 0.79, 19, "Gavel, OSDI 2020"],
  ["training", "nvidia-k80", 0.21, 19, "Gavel, OSDI 2020"],
];
