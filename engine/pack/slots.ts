import { exp, ln } from "../score/numeric.ts";
import type { PodClass } from "./classes.ts";
import type { Cluster } from "./cluster.ts";
import { DEVICE_MILLI, isShare, PODS_PER_NODE } from "./model.ts";

/**
 * Reservation of whole devices for pods that take several: a slot is room for one such pod on one node. Its price is the
 * worth of the pod times the probability that the pods still expected need all slots that are left.
 */
export interface Slots {
  /** New prices for this many pods still expected. */
  reprice(pods: number): void;
  /** Worth of the slots destroyed by placing the class on the node, at least 0; `free` is the device a share takes. */
  loss(node: number, pod: PodClass, free: number): number;
  /** Counts the slots of a node again after a change. */
  update(node: number): void;
  /** Whether any slot has a price. */
  isActive(): boolean;
}

/** Share of a slot's worth that counts. */
const WEIGHT = 0.5;
/** Least price that counts, GPU thousandths after weighting. */
const LEAST_PRICE = 20;

/** P(Poisson(mean) >= slots). Above a mean of 60 by the normal distribution. */
export function tail(mean: number, slots: number): number {
  if (slots <= 0) return 1;
  if (mean <= 1e-9) return 0;
  if (mean > 60) return upperNormal((slots - 0.5 - mean) / Math.sqrt(mean));
  let term = exp(-mean);
  let below = term;
  for (let count = 1; count < slots; count++) {
    term *= mean / count;
    below += term;
  }
  return Math.max(0, 1 - below);
}

/** P(Z >= z) of a standard normal, within 1e-7. @see Abramowitz and Stegun, 26.2.17 */
function upperNormal(z: number): number {
  if (z < 0) return 1 - upperNormal(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return exp((-z * z - ln(2 * Math.PI)) / 2) * series;
}

interface SlotKind {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly gpus: number;
  readonly allowed: Uint8Array;
  readonly share: number;
}

/** Kinds of request for several devices among the expected classes, by what they need. */
function slotKinds(classes: readonly PodClass[]): SlotKind[] {
  const kinds = new Map<string, SlotKind & { share: number }>();
  for (const pod of classes) {
    if (pod.gpus < 2 || pod.share === 0) continue;
    const key = `${pod.cpuMilli} ${pod.memoryMib} ${pod.gpus} ${pod.allowed.join("")}`;
    const known = kinds.get(key);
    if (known === undefined) kinds.set(key, { ...pod });
    else known.share += pod.share;
  }
  return [...kinds.values()];
}

/** True when a slot for `a` is always inside one for `b`. */
const isWithin = (a: SlotKind, b: SlotKind): boolean =>
  b.cpuMilli >= a.cpuMilli &&
  b.memoryMib >= a.memoryMib &&
  b.gpus >= a.gpus &&
  b.allowed.every((flag, model) => flag === 0 || a.allowed[model] === 1);

export function createSlots(cluster: Cluster, classes: readonly PodClass[]): Slots {
  const kinds = slotKinds(classes);
  /** Per kind: pods of which kinds need its slots, and how many of them each. */
  const users = kinds.map((a) =>
    kinds.flatMap((b) => (isWithin(a, b) ? [{ share: b.share, slots: b.gpus / a.gpus }] : [])),
  );
  const { nodes, states, state, modelOf } = cluster;
  const left = new Int32Array(kinds.length);
  const price = new Float64Array(kinds.length);
  const here = new Int32Array(nodes.length * kinds.length);
  let active: number[] = [];

  const countOn = (
    node: number,
    kind: SlotKind,
    cpuMilli: number,
    memoryMib: number,
    whole: number,
  ): number => {
    if (kind.allowed[modelOf[node]!] === 0 || cluster.pods[node]! >= PODS_PER_NODE) return 0;
    let slots = Math.floor(whole / kind.gpus);
    if (kind.cpuMilli > 0) slots = Math.min(slots, Math.floor(cpuMilli / kind.cpuMilli));
    if (kind.memoryMib > 0) slots = Math.min(slots, Math.floor(memoryMib / kind.memoryMib));
    return slots;
  };

  const update = (node: number): void => {
    const whole = states.whole(state[node]!);
    kinds.forEach((kind, index) => {
      const slots = countOn(node, kind, cluster.cpuMilli[node]!, cluster.memoryMib[node]!, whole);
      const at = node * kinds.length + index;
      left[index]! += slots - here[at]!;
      here[at] = slots;
    });
  };
  nodes.forEach((_, node) => void update(node));

  return {
    update,
    isActive: () => active.length > 0,
    reprice(pods) {
      active = [];
      kinds.forEach((kind, index) => {
        const expected = users[index]!.reduce((sum, user) => sum + user.share * user.slots * pods, 0);
        const slots = left[index]!;
        price[index] = slots > 0 ? WEIGHT * DEVICE_MILLI * kind.gpus * tail(expected, slots) : 0;
        if (price[index]! > LEAST_PRICE) active.push(index);
      });
    },
    loss(node, pod, free) {
      let most = 0;
      let whole = -1;
      for (const index of active) {
        const slots = here[node * kinds.length + index]!;
        if (slots === 0 || price[index]! <= most) continue;
        if (whole < 0) {
          const used = isShare(pod) ? (free === DEVICE_MILLI ? 1 : 0) : pod.gpus;
          whole = states.whole(state[node]!) - used;
        }
        const after = countOn(
          node,
          kinds[index]!,
          cluster.cpuMilli[node]! - pod.cpuMilli,
          cluster.memoryMib[node]! - pod.memoryMib,
          whole,
        );
        if (after < slots) most = Math.max(most, price[index]! * (slots - after));
      }
      return most;
    },
  };
}
