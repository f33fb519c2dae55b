import type { Instance } from "./instance.ts";
import { type State, unplaced } from "./state.ts";

/** Gain of one unit of each option of a one-copy item, and each item's largest. */
interface Nets {
  readonly net: Float64Array;
  readonly most: Float64Array;
}

function netsOf({ items, options, optionStart, worth, cost }: Instance): Nets {
  const net = new Float64Array(options);
  const most = new Float64Array(items);
  for (let item = 0; item < items; item++)
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      net[option] = worth[item]! - cost[option]!;
      most[item] = Math.max(most[item]!, net[option]!);
    }
  return { net, most };
}

/** A pass that gains less than this share is the last: the next ones would cost as much and find next to nothing. */
const leastGain = 1e-4;

/**
 * Local search by single moves: an item goes where it gains more; or it throws somebody out, who goes elsewhere or
 * stays out. Every move gains, so it ends by itself; items of several copies stay where they are.
 *
 * Cost: per pass about one look at every option, and at the occupants of its first full row.
 *
 * @param work bound on the state's work counter
 */
export function polish(state: State, work: number): void {
  const { instance, choice, occupants, free } = state;
  const { optionStart, useStart, useRow, useAmount, copies } = instance;
  const { net, most } = netsOf(instance);
  // the best move of one item so far: its option, what is gained, whom it throws out, and where that one goes
  let bestOption = -1;
  let bestGain = 0;
  let victim = -1;
  let victimTo = -1;
  const keep = (option: number, gain: number, out: number, to: number): void => {
    bestOption = option;
    bestGain = gain;
    victim = out;
    victimTo = to;
  };

  const use = (option: number, row: number): number => {
    for (let at = useStart[option]!; at < useStart[option + 1]!; at++)
      if (useRow[at] === row) return useAmount[at]!;
    return 0;
  };
  const firstFull = (option: number): number => {
    for (let at = useStart[option]!; at < useStart[option + 1]!; at++)
      if (free[useRow[at]!]! < useAmount[at]!) return useRow[at]!;
    return -1;
  };
  /** Would `option` fit if `gone` were given back and `taken` taken? -1 is neither. */
  const fitsThen = (option: number, gone: number, taken: number): boolean => {
    for (let at = useStart[option]!; at < useStart[option + 1]!; at++) {
      const row = useRow[at]!;
      const left = free[row]! + use(gone, row) - (taken < 0 ? 0 : use(taken, row));
      if (left < useAmount[at]!) return false;
    }
    return true;
  };
  /** Tries to throw out one occupant of a full row for `option`. */
  const ejectFor = (option: number, row: number): void => {
    const { list, count } = occupants[row]!;
    for (let at = 0; at < count; at++) {
      const other = list[at]!;
      const from = choice[other]!;
      if (from < 0 || copies[other] !== 1) continue;
      const base = net[option]! - net[from]!;
      state.work++;
      if (base + most[other]! <= bestGain || !fitsThen(option, from, -1)) continue;
      if (base > bestGain) keep(option, base, other, -1);
      for (let to = optionStart[other]!; to < optionStart[other + 1]!; to++) {
        if (base + net[to]! <= bestGain || to === from) continue;
        state.work++;
        if (fitsThen(to, from, option)) keep(option, base + net[to]!, other, to);
      }
    }
  };
  const improve = (item: number): void => {
    const from = choice[item]!;
    const now = from >= 0 ? net[from]! : 0;
    if (copies[item] !== 1 || most[item]! <= now) return;
    if (from >= 0) state.remove(item);
    keep(-1, now, -1, -1);
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      // whoever is thrown out may find an even better place, so less than now is worth a look only when it fits
      if (net[option]! <= bestGain) continue;
      state.work++;
      const row = firstFull(option);
      if (row < 0) keep(option, net[option]!, -1, -1);
      else ejectFor(option, row);
    }
    if (bestOption < 0) {
      if (from >= 0) state.put(item, from);
      return;
    }
    if (victim >= 0) state.remove(victim);
    state.put(item, bestOption);
    if (victimTo >= 0) state.put(victim, victimTo);
  };

  let before = Number.NEGATIVE_INFINITY;
  while (state.work < work && state.gain - before > leastGain * Math.abs(state.gain)) {
    before = state.gain;
    for (let item = 0; item < instance.items && state.work < work; item++)
      if (choice[item]! >= unplaced) improve(item);
  }
}
