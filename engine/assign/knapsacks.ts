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

/** Solves all knapsacks of an instance again and again, for changing gains. */
export interface KnapsackSolver {
  /**
   * The sum of the knapsacks' optima, and in `chosen` the units per option that give it.
   *
   * @param gains per option, of one unit; what is not positive is never chosen
   */
  solve(gains: Float64Array, chosen: Int32Array): number;
}

/** Exact knapsacks by dynamic programming; cost per solve: entries times capacity. */
export function createKnapsackSolver(
  { rows, capacity }: Instance,
  { isExact, start, option: list, weight }: Knapsacks,
): KnapsackSolver {
  let widest = 1;
  for (let row = 0; row < rows; row++)
    if (isExact[row] === 1) widest = Math.max(widest, (start[row + 1]! - start[row]!) * (capacity[row]! + 1));
  const states = new Float64Array(mostStates + 1);
  const taken = new Uint8Array(widest);

  const fill = (row: number, gains: Float64Array): void => {
    const size = capacity[row]!;
    const width = size + 1;
    const first = start[row]!;
    states.fill(0, 0, width);
    for (let at = first; at < start[row + 1]!; at++) {
      const gain = gains[list[at]!]!;
      const need = weight[at]!;
      const base = (at - first) * width;
      taken.fill(0, base, base + width);
      if (gain <= 0) continue;
      for (let room = size; room >= need; room--) {
        const other = states[room - need]! + gain;
        if (other <= states[room]!) continue;
        states[room] = other;
        taken[base + room] = 1;
      }
    }
  };
  return {
    solve(gains, chosen) {
      let sum = 0;
      chosen.fill(0);
      for (let row = 0; row < rows; row++) {
        if (isExact[row] === 0) continue;
        fill(row, gains);
        let room = capacity[row]!;
        const width = room + 1;
        const first = start[row]!;
        sum += states[room]!;
        for (let at = start[row + 1]! - 1; at >= first; at--)
          if (taken[(at - first) * width + room] === 1) {
            chosen[list[at]!]! += 1;
            room -= weight[at]!;
          }
      }
      return sum;
    },
  };
}
