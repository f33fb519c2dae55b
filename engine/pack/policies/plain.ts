import type { PodClass } from "../classes.ts";
import type { Cluster } from "../cluster.ts";
import { DEVICE_MILLI, isShare, podMilli } from "../model.ts";
import type { Scorer } from "../scorer.ts";

/** Largest CPU and GPU figures of the published simulator, by which it scales its vectors. */
const MOST_CPU = 128_000;
const MOST_GPU = 8_000;

/** The device with least free that still takes the share; the simulator's "best" selection. */
const tightest =
  (cluster: Cluster) =>
  (node: number, pod: PodClass): number =>
    cluster.states.ways(cluster.state[node]!, pod)[0]!;

/** The first node that takes the pod. */
export const createFirst = (cluster: Cluster): Scorer => ({
  name: "first",
  score: () => 0,
  device: tightest(cluster),
});

/** A uniformly drawn feasible node and device. */
export function createRandomPolicy(cluster: Cluster, draw: () => number): Scorer {
  return {
    name: "random",
    score: () => 0,
    penalty: draw,
    device(node, pod) {
      if (!isShare(pod)) return DEVICE_MILLI;
      const fitting = cluster.devices(node).filter((free) => free >= pod.gpuMilli);
      return fitting[Math.floor(draw() * fitting.length)]!;
    },
  };
}

/**
 * Least of CPU and GPU left, both scaled by the largest machine, in whole per cent. The simulator spreads the scores of
 * the feasible nodes over 0..100 afterwards; that keeps the order, as there are at most 101 different ones.
 */
export const createBestFit = (cluster: Cluster): Scorer => ({
  name: "bestfit",
  score(node, pod) {
    let left = 0;
    left += ((cluster.cpuMilli[node]! - pod.cpuMilli) / MOST_CPU) * 0.5;
    left += ((cluster.states.total(cluster.state[node]!) - podMilli(pod)) / MOST_GPU) * 0.5;
    return Math.trunc((1 - left) * 100);
  },
  device: tightest(cluster),
});

/** The smaller the product of what is free and what is asked for, the better; GPUs as one dimension, whole per cent. */
export const createDotProduct = (cluster: Cluster): Scorer => ({
  name: "dotprod",
  score(node, pod) {
    let product = 0;
    product += (cluster.cpuMilli[node]! / MOST_CPU) * (pod.cpuMilli / MOST_CPU);
    product += (cluster.states.total(cluster.state[node]!) / MOST_GPU) * (podMilli(pod) / MOST_GPU);
    return Math.trunc(100 * (1 - product / 2));
  },
  device: tightest(cluster),
});

/**
 * Devices in use first, then free devices of nodes in use, then empty nodes, the smaller the better; pods without GPUs
 * go to the first node.
 */
export const createPacking = (cluster: Cluster): Scorer => ({
  name: "packing",
  score(node, pod) {
    if (pod.gpus === 0) return 0;
    const { states } = cluster;
    const state = cluster.state[node]!;
    const whole = states.whole(state);
    const free = states.free(state);
    if (whole === free.length) return Math.max(33 - whole, whole);
    const taken = free.filter((milli) => milli >= pod.gpuMilli).slice(0, pod.gpus);
    const opened = taken.filter((milli) => milli === DEVICE_MILLI).length;
    if (opened > 0) return Math.max(50 - opened, 33);
    const percent = taken.reduce((sum, milli) => sum + Math.floor((milli * 100) / DEVICE_MILLI), 0);
    return Math.max(100 - Math.floor(percent / 10), 50);
  },
  device: tightest(cluster),
});

/** Kind of GPU request for clustering: -1 without GPUs, 0 for a share, else the number of devices. */
const affinityOf = (pod: PodClass): number => (pod.gpus === 0 ? -1 : isShare(pod) ? 0 : pod.gpus);

/**
 * Nodes that host the same kind of request and nothing else first, then those that host it too, then empty ones, then
 * the others; within each the fuller node. Pods without GPUs go to the first node.
 */
export function createClustering(cluster: Cluster): Scorer {
  const hosted = cluster.nodes.map(() => new Set<number>());
  return {
    name: "clustering",
    score(node, pod) {
      const affinity = affinityOf(pod);
      if (affinity < 0) return 0;
      const here = hosted[node]!;
      const step = here.has(affinity) ? (here.size === 1 ? 75 : 50) : here.size === 0 ? 25 : 0;
      const taken = 25 * (MOST_GPU - cluster.states.total(cluster.state[node]!));
      return Math.trunc(taken / MOST_GPU) + step;
    },
    device: tightest(cluster),
    placed(node, pod) {
      if (pod.gpus > 0) hosted[node]!.add(affinityOf(pod));
    },
  };
}
