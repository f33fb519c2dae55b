import { createRandom, type Random } from "../engine/assign/random.ts";
import { DEVICE_MILLI, type PackNode, type PackPod, podMilli } from "../engine/pack/model.ts";

/** GPU demand of an order over the GPUs of the nodes. */
export const LOAD = 1.3;

/** A shuffled copy. */
function shuffled<T>(values: readonly T[], random: Random): T[] {
  const copy = [...values];
  for (let at = copy.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    const value = copy[at]!;
    copy[at] = copy[other]!;
    copy[other] = value;
  }
  return copy;
}

/** Orders by name, as the published simulator does before it draws. */
export const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

/** GPU thousandths of all nodes. */
export const capacityOf = (nodes: readonly PackNode[]): number =>
  DEVICE_MILLI * nodes.reduce((sum, { gpus }) => sum + gpus, 0);

/** Nodes in the order of their rank, which a seed draws. */
export const rankedNodes = (nodes: readonly PackNode[], seed: number): PackNode[] =>
  shuffled([...nodes].sort(byName), createRandom(seed ^ 0x5eed));

/**
 * Pods in order of arrival: sorted by name, shuffled, then filled up with uniformly drawn copies to 130 % of the GPUs,
 * or cut down to it. As in the published simulator, the next copy is judged by its thousandths per GPU.
 */
export function arrivalsOf(pods: readonly PackPod[], nodes: readonly PackNode[], seed: number): PackPod[] {
  const random = createRandom(seed);
  const sorted = [...pods].sort(byName);
  const order = shuffled(sorted, random);
  const limit = LOAD * capacityOf(nodes);
  let milli = order.reduce((sum, pod) => sum + podMilli(pod), 0);
  while (milli > limit && order.length > 0) {
    const [removed] = order.splice(random.below(order.length), 1);
    milli -= podMilli(removed!);
  }
  if (order.length < sorted.length) return order;
  for (let copy = 0; sorted.length > 0; copy++) {
    const pod = sorted[random.below(sorted.length)]!;
    if (milli + pod.gpuMilli > limit) break;
    order.push({ ...pod, name: `${pod.name}-copy-${copy}` });
    milli += podMilli(pod);
  }
  return order;
}

/**
 * The same classes with wrong shares: each weight times e^(s z), z uniform in -1..1 per class, with s such that the total
 * variation distance from the true distribution is `wrong` (0.2: a fifth of the pods counted for other classes).
 */
export function misjudged(pods: readonly PackPod[], wrong: number, seed: number): PackPod[] {
  const classes = new Map<string, { readonly pod: PackPod; count: number }>();
  for (const pod of pods) {
    const key = [pod.cpuMilli, pod.memoryMib, pod.gpus, pod.gpuMilli, pod.spec].join(" ");
    const known = classes.get(key);
    if (known === undefined) classes.set(key, { pod, count: 1 });
    else known.count += 1;
  }
  const random = createRandom(seed);
  const list = [...classes.values()].map((one) => ({ ...one, z: 2 * random.next() - 1 }));
  const weightsAt = (strength: number): number[] => {
    const raw = list.map(({ count, z }) => count * Math.exp(strength * z));
    const sum = raw.reduce((total, weight) => total + weight, 0);
    return raw.map((weight) => weight / sum);
  };
  const distance = (weights: readonly number[]): number =>
    weights.reduce((sum, weight, at) => sum + Math.abs(weight - list[at]!.count / pods.length), 0) / 2;
  let low = 0;
  let high = 1;
  while (distance(weightsAt(high)) < wrong && high < 64) high *= 2;
  for (let round = 0; round < 50; round++) {
    const middle = (low + high) / 2;
    if (distance(weightsAt(middle)) < wrong) low = middle;
    else high = middle;
  }
  // ten times as many pods, so that rounding to whole ones does not matter
  return weightsAt(high).flatMap((weight, at) =>
    Array.from({ length: Math.round(weight * pods.length * 10) }, () => list[at]!.pod),
  );
}
