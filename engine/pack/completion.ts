import type { PodClass } from "./classes.ts";
import { DEVICE_STEPS, type Items, itemsFor, MILLI_STEP, risesOf, roomOf, shareTable } from "./items.ts";
import { plainTable } from "./pattern.ts";
import type { GpuStates, NodeKind } from "./states.ts";

/** CPU steps, thousandths. */
const STEP_MILLI = 500;

/** Worth of what is free on a node: the most profit that could still be packed into it, GPU thousandths. */
export interface Completion {
  /** Of a device state with this much CPU and memory free. */
  of(state: number, cpuMilli: number, memoryMib: number): number;
}

/** Tables of one kind of node. */
interface KindTables {
  readonly width: number;
  /** Profit of one device by its free steps, then room. */
  readonly device: readonly Float64Array[];
  /** Where each of them rises. */
  readonly rises: readonly (readonly number[])[];
  readonly gangs: Items["gangs"];
  readonly plain: Float64Array;
  readonly plainRises: readonly number[];
  /** Filling of no devices: the root of all others. */
  readonly root: Filling;
}

/** Best use of some devices by room. */
interface Filling {
  readonly devices: Float64Array;
  /** Profit with pods without GPUs added, by room, or -1 where nobody asked yet. */
  readonly answers: Float64Array;
  /** The same without the last device, null for the root. */
  readonly before: Filling | null;
  /** Devices that are free altogether, the last ones. */
  readonly whole: number;
  /** With one more device, by its free steps, at least as many as the last one's. */
  readonly next: (Filling | undefined)[];
}

const fillingOf = (devices: Float64Array, before: Filling | null, whole: number): Filling => ({
  devices,
  answers: new Float64Array(devices.length).fill(-1),
  before,
  whole,
  next: [],
});

function tablesOf(kind: NodeKind, classes: readonly PodClass[], profit: Float64Array): KindTables {
  const width = roomOf(kind, kind.cpuMilli, kind.memoryMib, STEP_MILLI) + 1;
  const items = itemsFor(kind, classes, profit, STEP_MILLI);
  const { value } = shareTable(items.shares, width);
  const device = Array.from({ length: DEVICE_STEPS + 1 }, (_, steps) =>
    value.slice(steps * width, (steps + 1) * width),
  );
  for (const item of items.wholes) {
    const whole = device[DEVICE_STEPS]!;
    for (let room = item.room; room < width; room++) whole[room] = Math.max(whole[room]!, item.profit);
  }
  const plain = plainTable(items.plain, width).value;
  return {
    width,
    device,
    rises: device.map(risesOf),
    gangs: items.gangs,
    plain,
    plainRises: risesOf(plain),
    root: fillingOf(new Float64Array(width), null, 0),
  };
}

/** Adds one device with a nondecreasing table to a filling. */
function withDevice(filled: Float64Array, device: Float64Array, rises: readonly number[]): Float64Array {
  const sum = filled.slice();
  for (const rise of rises) {
    const gain = device[rise]!;
    if (gain === 0) continue;
    for (let room = rise; room < sum.length; room++) {
      const value = gain + filled[room - rise]!;
      if (value > sum[room]!) sum[room] = value;
    }
  }
  return sum;
}

/**
 * Worth of free room at fixed profits per class. Fillings are built device by device, partly free ones first, and kept as
 * a tree: one more device extends a filling, a gang on the last devices extends the one before them.
 */
export function createCompletion(
  states: GpuStates,
  classes: readonly PodClass[],
  profit: Float64Array,
): Completion {
  const tables = states.kinds.map((kind) => tablesOf(kind, classes, profit));
  /** Filling by state; states that differ below a step share it. */
  const ofState: (Filling | undefined)[] = [];

  const extend = (table: KindTables, filling: Filling, steps: number): Filling => {
    const devices = withDevice(filling.devices, table.device[steps]!, table.rises[steps]!);
    const whole = steps === DEVICE_STEPS ? filling.whole + 1 : 0;
    for (const { size, room: needed, profit: gain } of table.gangs) {
      if (size > whole) continue;
      let rest = filling;
      for (let more = 1; more < size; more++) rest = rest.before!;
      const left = rest.devices;
      for (let room = needed; room < devices.length; room++) {
        const value = left[room - needed]! + gain;
        if (value > devices[room]!) devices[room] = value;
      }
    }
    return fillingOf(devices, filling, whole);
  };

  const find = (state: number): Filling => {
    const table = tables[states.kind(state)]!;
    let filling = table.root;
    for (const milli of states.free(state)) {
      const steps = Math.floor(milli / MILLI_STEP);
      if (steps > 0) filling = filling.next[steps] ??= extend(table, filling, steps);
    }
    return filling;
  };

  return {
    of(state, cpuMilli, memoryMib) {
      const kind = states.kind(state);
      const room = roomOf(states.kinds[kind]!, cpuMilli, memoryMib, STEP_MILLI);
      const filling = ofState[state] ?? find(state);
      ofState[state] = filling;
      const { devices, answers } = filling;
      const known = answers[room]!;
      if (known >= 0) return known;
      const { plain, plainRises } = tables[kind]!;
      let best = 0;
      for (const rise of plainRises) {
        if (rise > room) break;
        best = Math.max(best, devices[room - rise]! + plain[rise]!);
      }
      answers[room] = best;
      return best;
    },
  };
}
