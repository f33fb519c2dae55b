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

/** What the search for one item's best move found: an option, whom it throws out, and where that one goes. */
interface Move {
  option: number;
  gain: number;
  victim: number;
  victimTo: number;
}

/**
 * Local search by single moves: an item goes where it gains more; or it throws somebody out, who goes elsewhere or
 * stays out. Every move gains, so it ends by itself; items of several copies stay where they are. Returns whether a
 * whole pass found nothing more.
 *
 * Cost: per pass about one look at every option, and at the occupants of its first full row.
 *
 * @param work bound on the state's work counter
 */
export function polish(state: State, work: number): boolean {
  const { instance, choice, occupants, free } = state;
  const { optionStart, useStart, useRow, useAmount, copies } = instance;
  const { net, most } = netsOf(instance);
  const move: Move = { option: -1, gain: 0, victim: -1, victimTo: -1 };

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
      if (base + most[other]! <= move.gain || !fitsThen(option, from, -1)) continue;
      if (base > move.gain) Object.assign(move, { option, gain: base, victim: other, victimTo: -1 });
      for (let to = optionStart[other]!; to < optionStart[other + 1]!; to++) {
        if (base + net[to]! <= move.gain || to === from) continue;
        state.work++;
        if (fitsThen(to, from, option))
          Object.assign(move, { option, gain: base + net[to]!, victim: other, victimTo: to });
      }
    }
  };
  const improve = (item: number): boolean => {
    const from = choice[item]!;
    const now = from >= 0 ? net[from]! : 0;
    if (copies[item] !== 1 || most[item]! <= now) return false;
    if (from >= 0) state.remove(item);
    Object.assign(move, { option: -1, gain: now, victim: -1, victimTo: -1 });
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      // whoever is thrown out may find an even better place, so less than now is worth a look only when it fits
      if (net[option]! <= move.gain) continue;
      state.work++;
      const row = firstFull(option);
      if (row < 0) Object.assign(move, { option, gain: net[option]!, victim: -1, victimTo: -1 });
      else ejectFor(option, row);
    }
    if (move.option < 0) {
      if (from >= 0) state.put(item, from);
      return false;
    }
    if (move.victim >= 0) state.remove(move.victim);
    state.put(item, move.option);
    if (move.victimTo >= 0) state.put(move.victim, move.victimTo);
    return true;
  };

  for (;;) {
    let moves = 0;
    for (let item = 0; item < instance.items && state.work < work; item++)
      if (choice[item]! >= unplaced && improve(item)) moves++;
    if (moves === 0 || state.work >= work) return state.work < work;
  }
}
