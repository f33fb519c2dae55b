/** A machine with GPUs, empty. Units: thousandths of a CPU, MiB. */
export interface PackNode {
  readonly name: string;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** Devices, 0 or more; each has 1000 thousandths. */
  readonly gpus: number;
  /** GPU model, any text; empty without GPUs. */
  readonly model: string;
}

/**
 * What one pod asks for. A share (`gpus` 1, `gpuMilli` below 1000) sits on one device; otherwise `gpus` devices of one
 * node are taken whole.
 */
export interface PackPod {
  readonly name: string;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** 0 for a pod without GPUs. */
  readonly gpus: number;
  /** Thousandths per device: 1..1000, 1000 where `gpus` is above 1, 0 where it is 0. */
  readonly gpuMilli: number;
  /** Models it may run on, joined by `|`; empty is any. Ignored without GPUs. */
  readonly spec: string;
}

/** Where a pod sits: row of the node and device indices, ascending; no devices for a pod without GPUs. */
export interface Spot {
  readonly node: number;
  readonly devices: readonly number[];
}

/** Thousandths of one device. */
export const DEVICE_MILLI = 1000;

/** Pods that one node takes at most, GPU or not. */
export const PODS_PER_NODE = 1001;

/** Thousandths of GPU that a pod asks for in total. */
export const podMilli = (pod: Pick<PackPod, "gpus" | "gpuMilli">): number => pod.gpus * pod.gpuMilli;

/** True for a pod that shares one device with others. */
export const isShare = (pod: Pick<PackPod, "gpus" | "gpuMilli">): boolean =>
  pod.gpus === 1 && pod.gpuMilli < DEVICE_MILLI;
