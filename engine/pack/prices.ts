import { exp, ln } from "../score/numeric.ts";
import type { PodClass } from "./classes.ts";
import type { Cluster } from "./cluster.ts";
import { podMilli } from "./model.ts";

/** GPU worth at which a pod without GPUs competes for CPU, thousandths. */
const PLAIN_WORTH = 100;
/** Smoothing: worth differences below this share of a pod's worth barely steer it. */
const TEMPERATURE = 0.07;
/** Share of the free GPUs that prices aim to fill. */
const FILL = 0.95;
const FIRST_STEPS = 400;
const NEXT_STEPS = 20;
const NEXT_SIZE = 0.1;
const MOST_GPU_PRICE = 3;
const MOST_CPU_PRICE = 0.3;
/** Exponentials of 0, -1/64, -2/64, ... down to -40. */
const EXPONENTIALS = Float64Array.from({ length: 40 * 64 + 2 }, (_, at) => exp(-at / 64));

/** e^-x for x of at least 0, within 4e-5 of it: many are needed, and only their ratios matter. */
function decay(x: number): number {
  const place = x * 64;
  if (!(place < 40 * 64)) return 0;
  const at = place | 0;
  const here = EXPONENTIALS[at]!;
  return here + (EXPONENTIALS[at + 1]! - here) * (place - at);
}

/** What a class asks for, as far as prices go, and the groups that can host it. */
interface Row {
  readonly milli: number;
  readonly cpuMilli: number;
  /** How fast its weight falls with a CPU price. */
  readonly cpuRate: number;
  readonly groups: Int32Array;
}

interface Demand {
  readonly rows: readonly Row[];
  readonly pods: Float64Array;
}

/**
 * Prices of what is free, one pair per group of nodes (model, devices, CPU): GPU worth per GPU thousandth and per CPU
 * thousandth. Dual ascent on the entropy-smoothed transport of the demand still expected to the free capacity. Smoothing
 * keeps a scarce model dear even where an exact LP has slack, and its capacity term drains all groups evenly.
 */
export interface GroupPrices {
  /** Moves the prices towards what is free now and the pods expected, by shares per class id. */
  solve(shares: readonly number[], pods: number): void;
  /** Price of a class by kind of node. A view that changes with the next `solve`. */
  of(pod: PodClass): Float64Array;
  readonly groups: readonly { readonly model: number; readonly gpus: number; readonly cpuMilli: number }[];
  readonly gpuPrice: Float64Array;
  readonly cpuPrice: Float64Array;
}

export function createGroupPrices(cluster: Cluster, classes: readonly PodClass[]): GroupPrices {
  const { kinds } = cluster.states;
  const groups: { model: number; gpus: number; cpuMilli: number }[] = [];
  const groupOfKind = Int32Array.from(kinds, ({ model, gpus, cpuMilli }) => {
    const at = groups.findIndex(
      (one) => one.model === model && one.gpus === gpus && one.cpuMilli === cpuMilli,
    );
    return at >= 0 ? at : groups.push({ model, gpus, cpuMilli }) - 1;
  });
  const count = groups.length;
  const gpuPrice = new Float64Array(count);
  const cpuPrice = new Float64Array(count);
  const gpuFree = new Float64Array(count);
  const cpuFree = new Float64Array(count);
  const gpuUse = new Float64Array(count);
  const cpuUse = new Float64Array(count);
  const spread = new Float64Array(count);
  const gpuWeight = new Float64Array(count);
  const plainWeight = new Float64Array(count);
  const weight = new Float64Array(count);
  const rows = new Map<string, Row>();
  const rowOfClass: Row[] = [];
  let prices: (Float64Array | undefined)[] = [];
  let isFirst = true;

  const rowOf = (pod: PodClass): Row => {
    const key = `${pod.cpuMilli} ${pod.gpuMilli} ${pod.gpus} ${pod.allowed.join("")}`;
    const known = rows.get(key);
    if (known !== undefined) return known;
    const milli = podMilli(pod);
    const own = groups.flatMap(({ model, gpus }, group) =>
      pod.gpus === 0 || (pod.allowed[model] === 1 && pod.gpus <= gpus) ? [group] : [],
    );
    const worth = pod.gpus === 0 ? PLAIN_WORTH : milli;
    const cpuRate = pod.cpuMilli / (worth * TEMPERATURE);
    const made = { milli, cpuMilli: pod.cpuMilli, cpuRate, groups: Int32Array.from(own) };
    rows.set(key, made);
    return made;
  };

  /** Expected pods of classes that the prices cannot tell apart, added up. */
  const demandOf = (shares: readonly number[], pods: number): Demand => {
    const merged = new Map<Row, number>();
    shares.forEach((share, id) => {
      if (share === 0) return;
      const row = rowOfClass[id] ?? rowOf(classes[id]!);
      rowOfClass[id] = row;
      merged.set(row, (merged.get(row) ?? 0) + share * pods);
    });
    return { rows: [...merged.keys()], pods: Float64Array.from(merged.values()) };
  };

  const measure = (): void => {
    gpuFree.fill(0);
    cpuFree.fill(0);
    for (let node = 0; node < cluster.nodes.length; node++) {
      const group = groupOfKind[cluster.kindOf[node]!]!;
      gpuFree[group]! += cluster.states.total(cluster.state[node]!);
      cpuFree[group]! += cluster.cpuMilli[node]!;
    }
    const all = gpuFree.reduce((sum, free) => sum + free, 0);
    for (let group = 0; group < count; group++)
      spread[group] = all === 0 ? 0 : ln(Math.max(gpuFree[group]!, 1) / all + 1e-9);
  };

  /**
   * Spreads the demand over groups and over not being placed: a softmax of worth less price over `TEMPERATURE` times
   * worth. A GPU price falls on a pod in proportion to its worth, so that part of the weight is the group's alone.
   */
  const spreadDemand = (demand: Demand): void => {
    for (let group = 0; group < count; group++) {
      const open = gpuFree[group]! > 0;
      gpuWeight[group] = open ? exp((1 - gpuPrice[group]!) / TEMPERATURE + spread[group]!) : 0;
      plainWeight[group] = exp(1 / TEMPERATURE + spread[group]!);
    }
    const { rows: all, pods } = demand;
    for (let at = 0; at < all.length; at++) {
      const { milli, cpuMilli, cpuRate, groups: own } = all[at]!;
      const base = milli > 0 ? gpuWeight : plainWeight;
      let sum = 1;
      for (let index = 0; index < own.length; index++) {
        const group = own[index]!;
        const price = cpuPrice[group]!;
        const value = price > 0 ? base[group]! * decay(price * cpuRate) : base[group]!;
        weight[index] = value;
        sum += value;
      }
      const scale = pods[at]! / sum;
      for (let index = 0; index < own.length; index++) {
        const placed = scale * weight[index]!;
        gpuUse[own[index]!]! += placed * milli;
        cpuUse[own[index]!]! += placed * cpuMilli;
      }
    }
  };

  const step = (size: number): void => {
    for (let group = 0; group < count; group++) {
      const wanted = FILL * gpuFree[group]!;
      const gpuExcess = (gpuUse[group]! - wanted) / Math.max(1, wanted);
      const cpuExcess = (cpuUse[group]! - cpuFree[group]!) / Math.max(1, cpuFree[group]!);
      gpuPrice[group] = clamp(gpuPrice[group]! + size * clamp(gpuExcess, -1, 1), 0, MOST_GPU_PRICE);
      cpuPrice[group] = clamp(cpuPrice[group]! + 0.03 * size * clamp(cpuExcess, -1, 1), 0, MOST_CPU_PRICE);
    }
  };

  return {
    groups,
    gpuPrice,
    cpuPrice,
    solve(shares, pods) {
      measure();
      const demand = demandOf(shares, pods);
      const steps = isFirst ? FIRST_STEPS : NEXT_STEPS;
      for (let at = 0; at < steps; at++) {
        gpuUse.fill(0);
        cpuUse.fill(0);
        spreadDemand(demand);
        step(isFirst ? 0.3 / (1 + at * 0.01) : NEXT_SIZE / (1 + at * 0.02));
      }
      isFirst = false;
      prices = [];
    },
    of: (pod) =>
      (prices[pod.id] ??= Float64Array.from(
        groupOfKind,
        (group) => gpuPrice[group]! * podMilli(pod) + cpuPrice[group]! * pod.cpuMilli,
      )),
  };
}

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));
