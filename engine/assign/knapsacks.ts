import { type Instance, unitLimit } from "./instance.ts";

/**
 * One knapsack per offer: of all rows an option uses, its first capacity row is kept exact, if that is small enough
 * for a table; the others are priced.
 */
export interface Knapsacks {
  /** Per option: its exact row, or -1. */
  readonly rowOf: Int32Array;
  /** Per row: 1 where it is exact. */
  readonly isExact: Uint8Array;
  /** Entries of row r: `start[r] .. start[r + 1]`; an option has one for every unit that fits. */
  readonly start: Int32Array;
  readonly option: Int32Array;
  readonly weight: Int32Array;
}

/** Rows with more states than this are priced like all others. */
const mostStates = 512;

/** Lays the knapsacks out. */
export function knapsacksOf(instance: Instance): Knapsacks {
  const { options, rows, items, optionStart, useStart, useRow, useAmount, capacity, rowKind } = instance;
  const rowOf = new Int32Array(options).fill(-1);
  const amount = new Int32Array(options);
  const units = new Int32Array(options);
  const start = new Int32Array(rows + 1);
  for (let item = 0; item < items; item++)
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++)
      for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
        const row = useRow[use]!;
        const kind = rowKind[row];
        if ((kind !== "capacity" && kind !== "sale") || capacity[row]! > mostStates) continue;
        rowOf[option] = row;
        amount[option] = useAmount[use]!;
        units[option] = Math.max(0, unitLimit(instance, item, option));
        start[row + 1]! += units[option]!;
        break;
      }
  const isExact = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) {
    isExact[row] = start[row + 1]! > 0 ? 1 : 0;
    start[row + 1]! += start[row]!;
  }
  const next = start.slice();
  const option = new Int32Array(start[rows]!);
  const weight = new Int32Array(start[rows]!);
  for (let one = 0; one < options; one++)
    for (let unit = 0; unit < units[one]!; unit++) {
      const at = next[rowOf[one]!]!++;
      option[at] = one;
      weight[at] = amount[one]!;
    }
  return { rowOf, isExact, start, option, weight };
}

/**
 * The sum of the knapsacks' optima, and in `chosen` the units per option that give it; cost: entries with a gain times
 * capacity. The twin of `packKnapsacks` in assembly/relax.ts.
 *
 * @param gains per option, of one unit; what is not positive is never chosen
 */
export function packKnapsacks(
  { rows, capacity }: Instance,
  { start, option: options, weight: weights }: Knapsacks,
  gains: Float64Array,
  chosen: Int32Array,
): number {
  chosen.fill(0);
  let sum = 0;
  const list: number[] = [];
  for (let row = 0; row < rows; row++) {
    const size = capacity[row]!;
    list.length = 0;
    let total = 0;
    let all = 0;
    for (let entry = start[row]!; entry < start[row + 1]!; entry++) {
      const gain = gains[options[entry]!]!;
      if (!(gain > 0) || weights[entry]! > size) continue;
      list.push(entry);
      total += weights[entry]!;
      all += gain;
    }
    if (total <= size) {
      sum += all;
      for (const entry of list) chosen[options[entry]!]! += 1;
      continue;
    }
    const width = size + 1;
    const states = new Float64Array(width);
    const taken = new Uint8Array(list.length * width);
    for (const [index, entry] of list.entries()) {
      const gain = gains[options[entry]!]!;
      const weight = weights[entry]!;
      for (let room = size; room >= weight; room--) {
        const other = states[room - weight]! + gain;
        if (!(other > states[room]!)) continue;
        states[room] = other;
        taken[index * width + room] = 1;
      }
    }
    let room = size;
    for (let index = list.length - 1; index >= 0; index--) {
      if (taken[index * width + room] === 0) continue;
      const entry = list[index]!;
      chosen[options[entry]!]! += 1;
      room -= weights[entry]!;
    }
    sum += states[size]!;
  }
  return sum;
}
