import type { PackNode, PackPod } from "./model.ts";

/** Pods that ask for the same: what every policy decides on. */
export interface PodClass {
  /** Position in `Classes.list`. */
  readonly id: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly gpus: number;
  readonly gpuMilli: number;
  readonly spec: string;
  /** 1 per model id that it may run on; all of them without a constraint or without GPUs. */
  readonly allowed: Uint8Array;
  /** Position of (milli, GPUs) among all asked for, see `GpuStates`. */
  readonly demand: number;
  /** Share of the expected pods, 0 for a class that was not expected. */
  readonly share: number;
}

/** Interned classes of pods over the models of a set of nodes. Classes appear as pods do; ids never change. */
export interface Classes {
  readonly models: readonly string[];
  readonly list: readonly PodClass[];
  /** The class of a pod, made on first sight. */
  of(pod: PackPod): PodClass;
  /** Distinct (milli, GPUs) pairs so far, by `PodClass.demand`. */
  readonly demands: readonly { readonly gpuMilli: number; readonly gpus: number }[];
}

const keyOf = (pod: PackPod): string =>
  pod.gpus === 0
    ? `${pod.cpuMilli} ${pod.memoryMib}`
    : `${pod.cpuMilli} ${pod.memoryMib} ${pod.gpuMilli} ${pod.gpus} ${pod.spec}`;

/** Models named in a `gpu_spec`; empty for none. */
export const modelsIn = (spec: string): string[] => spec.split("|").filter((name) => name !== "");

/** Model of every node as an index into the sorted list of distinct models. */
export function modelsOf(nodes: readonly PackNode[]): { readonly models: string[]; readonly of: Int32Array } {
  const models = [...new Set(nodes.map(({ model }) => model))].sort();
  const index = new Map(models.map((model, id) => [model, id]));
  return { models, of: Int32Array.from(nodes, ({ model }) => index.get(model)!) };
}

/**
 * Classes over `models`, those of `expected` first (in order of first appearance) with their shares. A model that no
 * node has allows nothing.
 */
export function createClasses(models: readonly string[], expected: readonly PackPod[]): Classes {
  const list: PodClass[] = [];
  const known = new Map<string, PodClass>();
  const demands: { gpuMilli: number; gpus: number }[] = [];
  const demandOf = (pod: PackPod): number => {
    const at = demands.findIndex(({ gpuMilli, gpus }) => gpuMilli === pod.gpuMilli && gpus === pod.gpus);
    return at >= 0 ? at : demands.push({ gpuMilli: pod.gpuMilli, gpus: pod.gpus }) - 1;
  };
  const add = (pod: PackPod, share: number): PodClass => {
    const named = pod.gpus === 0 ? [] : modelsIn(pod.spec);
    const made: PodClass = {
      id: list.length,
      cpuMilli: pod.cpuMilli,
      memoryMib: pod.memoryMib,
      gpus: pod.gpus,
      gpuMilli: pod.gpus === 0 ? 0 : pod.gpuMilli,
      spec: pod.gpus === 0 ? "" : pod.spec,
      allowed: Uint8Array.from(models, (model) => (named.length === 0 || named.includes(model) ? 1 : 0)),
      demand: demandOf(pod),
      share,
    };
    list.push(made);
    known.set(keyOf(pod), made);
    return made;
  };
  const counts = new Map<string, { readonly pod: PackPod; count: number }>();
  for (const pod of expected) {
    const counted = counts.get(keyOf(pod));
    if (counted === undefined) counts.set(keyOf(pod), { pod, count: 1 });
    else counted.count += 1;
  }
  for (const { pod, count } of counts.values()) add(pod, count / expected.length);
  return { models, list, demands, of: (pod) => known.get(keyOf(pod)) ?? add(pod, 0) };
}
