import type { Instance, Units } from "./instance.ts";

/** No option, and "several options" (see `slots`), where a choice names one option otherwise. */
export const unplaced = -1;
export const spread = -2;

/** Occupants of one row, with repeats for items that use it several times; unordered. */
interface Occupants {
  list: Int32Array;
  count: number;
}

/**
 * A feasible assignment under construction: what is free, who sits where. Every operation keeps it feasible.
 * `work` counts option evaluations and placements, the unit in which own search is bounded.
 */
export interface State {
  readonly instance: Instance;
  /** Per row: capacity left. */
  readonly free: Float64Array;
  /** Per item: option, `unplaced` or `spread`. */
  readonly choice: Int32Array;
  /** Options of a spread item, one per unit: `slotStart[i] ..`, ended by -1 when fewer than its copies. */
  readonly slots: Int32Array;
  readonly slotStart: Int32Array;
  readonly occupants: readonly Occupants[];
  gain: number;
  work: number;
  fits(option: number): boolean;
  /** Places the item where `score` (per copy, higher is better) is best; false leaves it unplaced. */
  place(item: number, score: Float64Array): boolean;
  /** Places a one-unit item in this option, which must fit and cover it. */
  put(item: number, option: number): void;
  remove(item: number): void;
  /** Copies an item's placement out and back in. */
  save(item: number, choice: Int32Array, slots: Int32Array): void;
  restore(item: number, choice: Int32Array, slots: Int32Array): void;
  units(): Units;
}

/** Places the item's units as `units` has them where they are whole and fit; others stay out. */
export function load(state: State, units: Units): void {
  const { instance, slots, slotStart, choice } = state;
  const wanted = new Int32Array(instance.items).fill(unplaced);
  const list = new Int32Array(slots.length).fill(-1);
  for (let item = 0; item < instance.items; item++) {
    let filled = slotStart[item]!;
    for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++)
      for (let unit = 0; unit < units[option]! && filled < slotStart[item + 1]!; unit++)
        list[filled++] = option;
    const first = list[slotStart[item]!]!;
    if (filled === slotStart[item]) continue;
    const isSingle = filled === slotStart[item]! + 1 && instance.covers[first]! >= instance.copies[item]!;
    wanted[item] = isSingle ? first : spread;
  }
  for (let item = 0; item < instance.items; item++)
    if (choice[item] === unplaced && wanted[item] !== unplaced) state.restore(item, wanted, list);
}

/** An empty assignment. */
export function createState(instance: Instance): State {
  const { optionStart, useStart, useRow, useAmount, cost, covers, copies, worth } = instance;
  const free = instance.capacity.slice();
  const choice = new Int32Array(instance.items).fill(unplaced);
  const slotStart = new Int32Array(instance.items + 1);
  for (let item = 0; item < instance.items; item++) slotStart[item + 1] = slotStart[item]! + copies[item]!;
  const slots = new Int32Array(slotStart[instance.items]!).fill(-1);
  const occupants = Array.from(
    { length: instance.rows },
    (): Occupants => ({ list: new Int32Array(8), count: 0 }),
  );

  const fits = (option: number): boolean => {
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
      if (free[useRow[use]!]! < useAmount[use]!) return false;
    return true;
  };
  const take = (item: number, option: number): void => {
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
      const row = useRow[use]!;
      free[row]! -= useAmount[use]!;
      const here = occupants[row]!;
      if (here.count === here.list.length) {
        const larger = new Int32Array(here.count * 2);
        larger.set(here.list);
        here.list = larger;
      }
      here.list[here.count++] = item;
    }
    state.gain -= cost[option]!;
  };
  const give = (item: number, option: number): void => {
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
      const row = useRow[use]!;
      free[row]! += useAmount[use]!;
      const here = occupants[row]!;
      const { list } = here;
      for (let at = here.count - 1; at >= 0; at--) {
        if (list[at] !== item) continue;
        list[at] = list[--here.count]!;
        break;
      }
    }
    state.gain += cost[option]!;
  };
  const bestFitting = (item: number, score: Float64Array): number => {
    let best = -1;
    let bestScore = -Infinity;
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      if (score[option]! <= bestScore || !fits(option)) continue;
      bestScore = score[option]!;
      best = option;
    }
    state.work += optionStart[item + 1]! - optionStart[item]! + 4;
    return best;
  };
  const placeSpread = (item: number, score: Float64Array): boolean => {
    let left = copies[item]!;
    let at = slotStart[item]!;
    while (left > 0) {
      const option = bestFitting(item, score);
      if (option < 0) break;
      take(item, option);
      slots[at++] = option;
      left -= covers[option]!;
    }
    if (at < slotStart[item + 1]!) slots[at] = -1;
    if (left <= 0) {
      choice[item] = spread;
      state.gain += worth[item]!;
      return true;
    }
    while (at > slotStart[item]!) give(item, slots[--at]!);
    return false;
  };

  const state: State = {
    instance,
    free,
    choice,
    slots,
    slotStart,
    occupants,
    gain: 0,
    work: 0,
    fits,
    place(item, score) {
      if (copies[item] !== 1) return placeSpread(item, score);
      const option = bestFitting(item, score);
      if (option < 0) return false;
      state.put(item, option);
      return true;
    },
    put(item, option) {
      take(item, option);
      choice[item] = option;
      state.gain += worth[item]!;
      state.work += 4;
    },
    remove(item) {
      const current = choice[item]!;
      if (current === unplaced) return;
      if (current >= 0) give(item, current);
      else
        for (let at = slotStart[item]!; at < slotStart[item + 1]! && slots[at]! >= 0; at++)
          give(item, slots[at]!);
      choice[item] = unplaced;
      state.gain -= worth[item]!;
      state.work += 4;
    },
    save(item, savedChoice, savedSlots) {
      savedChoice[item] = choice[item]!;
      if (choice[item] !== spread) return;
      for (let at = slotStart[item]!; at < slotStart[item + 1]!; at++) savedSlots[at] = slots[at]!;
    },
    restore(item, savedChoice, savedSlots) {
      const wanted = savedChoice[item]!;
      if (wanted === unplaced) return;
      if (wanted >= 0) {
        if (fits(wanted)) state.put(item, wanted);
        return;
      }
      let covered = 0;
      let at = slotStart[item]!;
      for (; at < slotStart[item + 1]! && savedSlots[at]! >= 0; at++) {
        const option = savedSlots[at]!;
        if (!fits(option)) break;
        take(item, option);
        slots[at] = option;
        covered += covers[option]!;
      }
      if (covered >= copies[item]!) {
        if (at < slotStart[item + 1]!) slots[at] = -1;
        choice[item] = spread;
        state.gain += worth[item]!;
      } else while (at > slotStart[item]!) give(item, slots[--at]!);
    },
    units() {
      const units = new Int32Array(instance.options);
      for (let item = 0; item < instance.items; item++) {
        const current = choice[item]!;
        if (current >= 0) units[current] = 1;
        else if (current === spread)
          for (let at = slotStart[item]!; at < slotStart[item + 1]! && slots[at]! >= 0; at++)
            units[slots[at]!]! += 1;
      }
      return units;
    },
  };
  return state;
}
