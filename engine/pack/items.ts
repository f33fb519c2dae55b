import type { PodClass } from "./classes.ts";
import { isShare } from "./model.ts";
import type { NodeKind } from "./states.ts";

/** Thousandths of a device are counted in steps of ten, rounded up for what is asked and down for what is free. */
export const MILLI_STEP = 10;
export const DEVICE_STEPS = 100;

/**
 * A class as an item for one kind of node. `room` is its size in the one dimension that stands for CPU and memory:
 * the larger of its CPU and its memory worth in CPU of this kind, in steps, rounded down (so profits are bounds).
 */
export interface Item {
  readonly pod: number;
  /** Steps of one device for a share, devices for whole ones, 0 without GPUs. */
  readonly size: number;
  readonly room: number;
  readonly profit: number;
}

/** Items of one kind of node with a positive profit, by how they use devices. Dominated ones are left out. */
export interface Items {
  readonly shares: readonly Item[];
  readonly wholes: readonly Item[];
  /** Two devices and more. */
  readonly gangs: readonly Item[];
  readonly plain: readonly Item[];
}

/** CPU thousandths per MiB of the empty node. */
export const cpuPerMib = (kind: NodeKind): number =>
  kind.memoryMib === 0 ? Number.POSITIVE_INFINITY : kind.cpuMilli / kind.memoryMib;

/** What is free on a node in steps of `stepMilli` of CPU: the smaller of CPU and memory, rounded down. */
export const roomOf = (kind: NodeKind, cpuMilli: number, memoryMib: number, stepMilli: number): number => {
  const byMemory = kind.memoryMib === 0 ? cpuMilli : memoryMib * cpuPerMib(kind) + 1e-6;
  return Math.floor(Math.min(cpuMilli, Math.floor(byMemory)) / stepMilli);
};

/** Items that no other beats in size, room and profit; at equal figures the first class stays. */
function undominated(items: Item[]): Item[] {
  items.sort((a, b) => b.profit - a.profit || a.size - b.size || a.room - b.room || a.pod - b.pod);
  const kept: Item[] = [];
  for (const item of items)
    if (!kept.some((other) => other.size <= item.size && other.room <= item.room)) kept.push(item);
  return kept;
}

/** Least profit that counts, GPU thousandths. */
const LEAST_PROFIT = 1e-9;

/** Items of all classes that may run on the kind, at these profits. */
export function itemsFor(
  kind: NodeKind,
  classes: readonly PodClass[],
  profit: ArrayLike<number>,
  stepMilli: number,
): Items {
  const shares: Item[] = [];
  const wholes: Item[] = [];
  const gangs: Item[] = [];
  const plain: Item[] = [];
  for (const pod of classes) {
    const worth = profit[pod.id]!;
    if (!(worth > LEAST_PROFIT) || pod.gpus > kind.gpus) continue;
    if (pod.gpus > 0 && pod.allowed[kind.model] === 0) continue;
    const byMemory = pod.memoryMib === 0 ? 0 : pod.memoryMib * cpuPerMib(kind);
    const room = Math.floor(Math.max(pod.cpuMilli, byMemory) / stepMilli);
    if (!Number.isFinite(room)) continue;
    const item = { pod: pod.id, room, profit: worth };
    if (pod.gpus === 0) plain.push({ ...item, size: 0, room: Math.max(1, room) });
    else if (isShare(pod)) shares.push({ ...item, size: Math.ceil(pod.gpuMilli / MILLI_STEP) });
    else (pod.gpus === 1 ? wholes : gangs).push({ ...item, size: pod.gpus });
  }
  return {
    shares: undominated(shares),
    wholes: undominated(wholes),
    gangs: undominated(gangs),
    plain: undominated(plain),
  };
}

/**
 * Most profit of shares on one device by what is free on it and the node's room: `value[steps * width + room]`, and the
 * item taken last (-1: none). Any number of each item.
 */
export function shareTable(
  shares: readonly Item[],
  width: number,
): { readonly value: Float64Array; readonly last: Int16Array } {
  const value = new Float64Array((DEVICE_STEPS + 1) * width);
  const last = new Int16Array((DEVICE_STEPS + 1) * width).fill(-1);
  shares.forEach(({ size, room, profit }, item) => {
    const back = size * width + room;
    for (let steps = size; steps <= DEVICE_STEPS; steps++) {
      const end = (steps + 1) * width;
      for (let at = steps * width + room; at < end; at++) {
        const with_ = value[at - back]! + profit;
        if (with_ > value[at]!) {
          value[at] = with_;
          last[at] = item;
        }
      }
    }
  });
  return { value, last };
}

/** Rooms at which a nondecreasing table rises, the first one included. */
export function risesOf(table: ArrayLike<number>): number[] {
  const rises = [0];
  for (let room = 1; room < table.length; room++)
    if (table[room]! > table[room - 1]! + 1e-9) rises.push(room);
  return rises;
}
