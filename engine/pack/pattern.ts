import type { PodClass } from "./classes.ts";
import { DEVICE_STEPS, type Item, type Items, itemsFor, risesOf, roomOf, shareTable } from "./items.ts";
import type { NodeKind } from "./states.ts";

/** What one empty node hosts: classes with counts, and the profit of them. */
export interface Pattern {
  readonly profit: number;
  readonly counts: ReadonlyMap<number, number>;
}

/** Best filling of one to all devices of a node, by room. */
interface Filling {
  /** `value[devices][room]`. */
  readonly value: readonly Float64Array[];
  /** Gang taken last, or -1 for a single device. */
  readonly gang: readonly Int16Array[];
  /** Room that the last single device uses. */
  readonly used: readonly Int32Array[];
}

function fillDevices(devices: number, single: Float64Array, gangs: readonly Item[], width: number): Filling {
  const rises = risesOf(single);
  const value = [new Float64Array(width)];
  const gang = [new Int16Array(width)];
  const used = [new Int32Array(width)];
  for (let count = 1; count <= devices; count++) {
    const best = new Float64Array(width).fill(-1);
    const by = new Int16Array(width).fill(-1);
    const room = new Int32Array(width);
    const before = value[count - 1]!;
    for (const rise of rises)
      for (let at = rise; at < width; at++) {
        const sum = single[rise]! + before[at - rise]!;
        if (sum > best[at]!) {
          best[at] = sum;
          room[at] = rise;
        }
      }
    gangs.forEach((item, index) => {
      if (item.size > count) return;
      const rest = value[count - item.size]!;
      for (let at = item.room; at < width; at++) {
        const sum = rest[at - item.room]! + item.profit;
        if (sum > best[at]! + 1e-12) {
          best[at] = sum;
          by[at] = index;
        }
      }
    });
    value.push(best);
    gang.push(by);
    used.push(room);
  }
  return { value, gang, used };
}

/** Best use of room by pods without GPUs, and the item taken last. */
export function plainTable(
  plain: readonly Item[],
  width: number,
): { readonly value: Float64Array; readonly last: Int16Array } {
  const value = new Float64Array(width);
  const last = new Int16Array(width).fill(-1);
  for (let room = 1; room < width; room++) {
    value[room] = value[room - 1]!;
    plain.forEach((item, index) => {
      if (item.room > room) return;
      const sum = value[room - item.room]! + item.profit;
      if (sum > value[room]! + 1e-12) {
        value[room] = sum;
        last[room] = index;
      }
    });
  }
  return { value, last };
}

/** One device: shares, or one whole pod where that pays more (index of it, else -1). */
function singleDevice(items: Items, table: Float64Array, width: number) {
  const single = table.slice(DEVICE_STEPS * width, (DEVICE_STEPS + 1) * width);
  const whole = new Int16Array(width).fill(-1);
  items.wholes.forEach((item, index) => {
    for (let room = item.room; room < width; room++)
      if (item.profit > single[room]!) {
        single[room] = item.profit;
        whole[room] = index;
      }
  });
  return { single, whole };
}

/**
 * Most profitable filling of an empty node at the given profits per class: the pricing problem of the configuration LP.
 * Sizes are rounded so that the profit is an upper bound on every real filling.
 */
export function bestPattern(
  kind: NodeKind,
  classes: readonly PodClass[],
  profit: ArrayLike<number>,
  stepMilli: number,
): Pattern {
  const width = roomOf(kind, kind.cpuMilli, kind.memoryMib, stepMilli) + 1;
  const items = itemsFor(kind, classes, profit, stepMilli);
  const shares = shareTable(items.shares, width);
  const { single, whole } = singleDevice(items, shares.value, width);
  const filling = fillDevices(kind.gpus, single, items.gangs, width);
  const plain = plainTable(items.plain, width);
  const all = filling.value[kind.gpus]!;
  let split = 0;
  for (let room = 1; room < width; room++)
    if (all[room]! + plain.value[width - 1 - room]! > all[split]! + plain.value[width - 1 - split]!)
      split = room;

  const counts = new Map<number, number>();
  const add = ({ pod }: Item): void => void counts.set(pod, (counts.get(pod) ?? 0) + 1);
  for (let room = width - 1 - split; room > 0; ) {
    const index = plain.last[room]!;
    if (index < 0) room -= 1;
    else {
      add(items.plain[index]!);
      room -= items.plain[index]!.room;
    }
  }
  const addDevice = (room: number): void => {
    if (whole[room]! >= 0) {
      add(items.wholes[whole[room]!]!);
      return;
    }
    let at = DEVICE_STEPS * width + room;
    for (let index = shares.last[at]!; index >= 0; index = shares.last[at]!) {
      const item = items.shares[index]!;
      add(item);
      at -= item.size * width + item.room;
    }
  };
  for (let devices = kind.gpus, room = split; devices > 0; ) {
    const index = filling.gang[devices]![room]!;
    if (index >= 0) {
      const item = items.gangs[index]!;
      add(item);
      devices -= item.size;
      room -= item.room;
    } else {
      const used = filling.used[devices]![room]!;
      addDevice(used);
      devices -= 1;
      room -= used;
    }
  }
  return { profit: all[split]! + plain.value[width - 1 - split]!, counts };
}
