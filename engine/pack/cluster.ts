import { assert } from "../model/errors.ts";
import type { PodClass } from "./classes.ts";
import { DEVICE_MILLI, isShare, type PackNode, PODS_PER_NODE, podMilli } from "./model.ts";
import { createStates, type GpuStates, kindsOf } from "./states.ts";

/** What is free on every node, changed by `take` and `give`. Columns are by row of the node. */
export interface Cluster {
  readonly nodes: readonly PackNode[];
  readonly models: readonly string[];
  readonly modelOf: Int32Array;
  readonly kindOf: Int32Array;
  readonly states: GpuStates;
  readonly cpuMilli: Int32Array;
  readonly memoryMib: Int32Array;
  readonly pods: Int32Array;
  /** Device state, an id of `states`. */
  readonly state: Int32Array;
  /** GPU thousandths of all nodes together. */
  readonly capacityMilli: number;
  /** Of them, taken. */
  usedMilli(): number;
  /** Free thousandths of the devices of a node, by index; a view. */
  devices(node: number): Uint16Array;
  /** Whether a pod of this class can be placed on the node now. */
  fits(node: number, pod: PodClass): boolean;
  /**
   * Devices for a class: for a share the lowest index with exactly `free` left, else the lowest wholly free ones.
   * @param free what is free on the device to share, one of the state's values
   */
  pick(node: number, pod: PodClass, free: number): number[];
  /** Takes the pod's resources. A class that does not fit is a broken invariant. */
  take(node: number, pod: PodClass, devices: readonly number[]): void;
  /** Gives them back. */
  give(node: number, pod: PodClass, devices: readonly number[]): void;
  /** Rows of the nodes that changed, in order, one entry per change. */
  readonly changes: readonly number[];
}

/** What is free of a node that is not empty; devices by index, 0 for one that cannot be shared. */
export interface Free {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly devices: readonly number[];
}

/**
 * Nodes with everything free, or with what `free` says by row.
 *
 * @param modelOf model of every node, an index into `models`
 */
export function createCluster(
  nodes: readonly PackNode[],
  models: readonly string[],
  modelOf: Int32Array,
  frees?: readonly Free[],
): Cluster {
  const { kinds, of: kindOf } = kindsOf(nodes, modelOf);
  const states = createStates(kinds);
  const stride = nodes.reduce((most, { gpus }) => Math.max(most, gpus), 0);
  const free = new Uint16Array(nodes.length * stride);
  nodes.forEach(({ gpus }, row) => {
    const own = frees?.[row]?.devices;
    for (let device = 0; device < gpus; device++) free[row * stride + device] = own?.[device] ?? DEVICE_MILLI;
  });
  const cpuMilli = Int32Array.from(nodes, (node, row) => frees?.[row]?.cpuMilli ?? node.cpuMilli);
  const memoryMib = Int32Array.from(nodes, (node, row) => frees?.[row]?.memoryMib ?? node.memoryMib);
  const pods = new Int32Array(nodes.length);
  const devices = (node: number): Uint16Array =>
    free.subarray(node * stride, node * stride + nodes[node]!.gpus);
  const state = Int32Array.from(nodes, (_, row) => states.intern(kindOf[row]!, devices(row)));
  const changes: number[] = [];
  const capacityMilli = nodes.reduce((sum, { gpus }) => sum + gpus * DEVICE_MILLI, 0);
  let used = capacityMilli - free.reduce((sum, milli) => sum + milli, 0);

  const fits = (node: number, pod: PodClass): boolean => {
    if (pod.allowed[modelOf[node]!] === 0 || cpuMilli[node]! < pod.cpuMilli) return false;
    if (memoryMib[node]! < pod.memoryMib || pods[node]! >= PODS_PER_NODE) return false;
    if (pod.gpus === 0) return true;
    const at = state[node]!;
    return isShare(pod) ? states.largest(at) >= pod.gpuMilli : states.whole(at) >= pod.gpus;
  };

  /** Adds the pod's needs (sign 1) to what is free on the node, or takes them (sign -1). */
  const move = (node: number, pod: PodClass, picked: readonly number[], sign: 1 | -1): void => {
    cpuMilli[node]! += sign * pod.cpuMilli;
    memoryMib[node]! += sign * pod.memoryMib;
    pods[node]! -= sign;
    const own = devices(node);
    for (const device of picked) own[device]! += sign * pod.gpuMilli;
    state[node] = states.intern(kindOf[node]!, own);
    used -= sign * podMilli(pod);
    changes.push(node);
  };

  return {
    nodes,
    models,
    modelOf,
    kindOf,
    states,
    cpuMilli,
    memoryMib,
    pods,
    state,
    capacityMilli,
    usedMilli: () => used,
    devices,
    fits,
    pick(node, pod, wanted) {
      const own = devices(node);
      if (isShare(pod)) return [own.indexOf(wanted)];
      const picked: number[] = [];
      for (let device = 0; picked.length < pod.gpus; device++)
        if (own[device] === DEVICE_MILLI) picked.push(device);
      return picked;
    },
    take(node, pod, picked) {
      const own = devices(node);
      assert(fits(node, pod), `class ${pod.id} does not fit node ${nodes[node]!.name}`);
      assert(
        picked.length === pod.gpus && picked.every((device) => own[device]! >= pod.gpuMilli),
        `devices ${picked.join("-")} of node ${nodes[node]!.name} cannot take class ${pod.id}`,
      );
      move(node, pod, picked, -1);
    },
    give: (node, pod, picked) => move(node, pod, picked, 1),
    changes,
  };
}
