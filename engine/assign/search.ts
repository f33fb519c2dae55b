import { bestScores, fill, orderBy, sizesOf } from "./construct.ts";
import type { Instance, Units } from "./instance.ts";
import { createRandom } from "./random.ts";
import { createState, load, type State, spread, unplaced } from "./state.ts";

export interface SearchOptions {
  /** Work units to spend. */
  readonly work: number;
  readonly seed: number;
  /** Per option: gain per covered copy that guides the placing, see `priceScores`. */
  readonly scores: Float64Array;
  readonly start?: Units;
  /** Temperature at the beginning and the end, in mean gains per item. */
  readonly warm?: number;
  readonly cold?: number;
  /** Items of which one is taken in half of all rounds, on top of those drawn from all; default none. */
  readonly focus?: readonly number[];
}

export interface SearchResult {
  readonly units: Units;
  readonly gain: number;
  readonly work: number;
  readonly rounds: number;
}

/** Options per row, for picking neighbors of a freed place. */
export interface Neighborhood {
  readonly rowStart: Int32Array;
  readonly rowOption: Int32Array;
  readonly optionItem: Int32Array;
}

/** Indexes the instance once for any number of searches. */
export function neighborhoodOf(instance: Instance): Neighborhood {
  const rowStart = new Int32Array(instance.rows + 1);
  for (const row of instance.useRow) rowStart[row + 1]! += 1;
  for (let row = 0; row < instance.rows; row++) rowStart[row + 1]! += rowStart[row]!;
  const next = rowStart.slice();
  const rowOption = new Int32Array(instance.useRow.length);
  const optionItem = new Int32Array(instance.options);
  for (let item = 0; item < instance.items; item++)
    for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++) {
      optionItem[option] = item;
      for (let use = instance.useStart[option]!; use < instance.useStart[option + 1]!; use++)
        rowOption[next[instance.useRow[use]!]!++] = option;
    }
  return { rowStart, rowOption, optionItem };
}

/** 1 / e^x for x >= 0 within a few per cent, from arithmetic that every engine rounds alike. */
const decay = (x: number): number => 1 / (1 + x * (1 + x * (0.5 + x * (0.1666 + x * 0.0417))));

/** A search that goes on in steps, so that others may have their turn in between; the steps' sizes change nothing. */
export interface Search {
  /** Spends up to this much more work; false once all of it is spent. */
  advance(work: number): boolean;
  /** Of the best answer so far. */
  gain(): number;
  result(): SearchResult;
}

/**
 * Ruin and recreate with simulated annealing, guided by prices: one item is forced into an option (whoever is in
 * the way leaves) or a few neighbors are thrown out, then everyone concerned is placed again by reduced gain.
 * Stops after counted work, so the same inputs give the same answer anywhere.
 *
 * @see Schrimpf et al., "Record breaking optimization results using the ruin and recreate principle" (2000)
 */
export function startSearch(
  instance: Instance,
  neighborhood: Neighborhood,
  { work, seed, scores, start, warm = 0.05, cold = 0.002, focus = [] }: SearchOptions,
): Search {
  const state = createState(instance);
  const best = bestScores(instance, scores);
  const sizes = sizesOf(instance);
  if (start !== undefined) load(state, start);
  fill(state, orderBy(best.map((score, item) => score / Math.sqrt(sizes[item]!))), scores);
  let rounds = 0;
  if (instance.items === 0 || instance.options === 0)
    return {
      advance: () => false,
      gain: () => state.gain,
      result: () => ({ units: state.units(), gain: state.gain, work: state.work, rounds }),
    };
  const round = createRound(state, neighborhood, { scores, best, sizes, seed, focus });
  const mean = Math.max(1, state.gain / instance.items);
  let temperature = mean * warm;
  return {
    advance(more) {
      const until = Math.min(work, state.work + more);
      while (state.work < until) {
        if ((rounds & 63) === 0) {
          const left = 1 - state.work / work;
          temperature = mean * (cold + (warm - cold) * left * left);
        }
        rounds++;
        round(temperature);
      }
      return state.work < work;
    },
    gain: round.gain,
    result: () => ({ ...round.best(), work: state.work, rounds }),
  };
}

/** A search at one go. */
export function search(instance: Instance, neighborhood: Neighborhood, options: SearchOptions): SearchResult {
  const going = startSearch(instance, neighborhood, options);
  going.advance(options.work);
  return going.result();
}

interface Guide {
  readonly scores: Float64Array;
  readonly best: Float64Array;
  readonly sizes: Float64Array;
  readonly seed: number;
  readonly focus: readonly number[];
}

interface Round {
  (temperature: number): void;
  best(): { units: Units; gain: number };
  gain(): number;
}

/** One ruin-and-recreate step over a state, with its scratch memory. */
function createRound(state: State, neighborhood: Neighborhood, guide: Guide): Round {
  const { instance, choice, slots, slotStart, free, occupants } = state;
  const { optionStart, useStart, useRow, useAmount, copies } = instance;
  const { rowStart, rowOption, optionItem } = neighborhood;
  const { scores, best, sizes, focus } = guide;
  const random = createRandom(guide.seed * 31 + 7);

  let bestGain = state.gain;
  const bestChoice = choice.slice();
  const bestSlots = slots.slice();
  const oldChoice = new Int32Array(instance.items);
  const oldSlots = new Int32Array(slots.length);
  const touchedAt = new Int32Array(instance.items);
  const listedAt = new Int32Array(instance.items);
  const dirtyAt = new Int32Array(instance.items).fill(-1);
  const touched: number[] = [];
  /** Items that differ, or may, from the best assignment. */
  const dirty: number[] = [];
  let bests = 0;
  const listed: number[] = [];
  const key = new Float64Array(instance.items);
  let stamp = 0;

  const touch = (item: number): void => {
    if (touchedAt[item] === stamp) return;
    touchedAt[item] = stamp;
    touched.push(item);
    state.save(item, oldChoice, oldSlots);
  };
  const list = (item: number): void => {
    if (listedAt[item] === stamp || choice[item] !== unplaced) return;
    listedAt[item] = stamp;
    listed.push(item);
  };
  const evict = (item: number): void => {
    touch(item);
    state.remove(item);
    list(item);
  };
  const randomOption = (item: number): number =>
    optionStart[item]! + random.below(optionStart[item + 1]! - optionStart[item]!);

  /** Reduced gain that a placed item brings. */
  const worthOf = (item: number): number => {
    const now = choice[item]!;
    return now >= 0 ? scores[now]! : best[item]!;
  };
  /** An occupant other than `item`; of up to four drawn, the one that brings least at the present prices. */
  const victimOf = (row: number, item: number): number => {
    const here = occupants[row]!;
    let victim = -1;
    for (let draw = 1 + random.below(4); draw > 0; draw--) {
      const drawn = here.list[random.below(here.count)]!;
      if (drawn !== item && (victim < 0 || worthOf(drawn) < worthOf(victim))) victim = drawn;
    }
    return victim;
  };
  /** Throws out occupants of the rows in which `option` does not fit. */
  const makeRoom = (option: number, item: number): void => {
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
      const row = useRow[use]!;
      const here = occupants[row]!;
      while (free[row]! < useAmount[use]! && here.count > 0) {
        const victim = victimOf(row, item);
        if (victim < 0) break;
        evict(victim);
      }
    }
  };
  /** Throws out a few random occupants of each row of `option`. */
  const ruinAround = (option: number): void => {
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
      const here = occupants[useRow[use]!]!;
      for (let count = 1 + random.below(4); count > 0 && here.count > 0; count--)
        evict(here.list[random.below(here.count)]!);
    }
  };
  /** Lists unplaced items that could use what the touched items have freed. */
  const listNeighbors = (): void => {
    const count = Math.min(touched.length, 4);
    for (let at = 0; at < count; at++) {
      const item = touched[at]!;
      const old = oldChoice[item]!;
      const option = old >= 0 ? old : old === spread ? oldSlots[slotStart[item]!]! : randomOption(item);
      for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
        const row = useRow[use]!;
        const width = rowStart[row + 1]! - rowStart[row]!;
        for (let sample = Math.min(width, 3); sample > 0; sample--)
          list(optionItem[rowOption[rowStart[row]! + random.below(width)]!]!);
      }
    }
  };
  /** Orders the listed items by one of three noisy keys and places them. */
  const recreate = (): void => {
    const mode = random.next();
    for (const item of listed) {
      const noise = 0.6 + 0.8 * random.next();
      const value = instance.worth[item]!;
      key[item] =
        mode < 0.5
          ? best[item]! * noise + 1e-3 * value
          : mode < 0.75
            ? value * noise
            : (value * noise) / sizes[item]!;
    }
    for (let at = 1; at < listed.length; at++) {
      const item = listed[at]!;
      let to = at;
      while (to > 0 && key[listed[to - 1]!]! < key[item]!) {
        listed[to] = listed[to - 1]!;
        to--;
      }
      listed[to] = item;
    }
    for (const item of listed) {
      if (choice[item] !== unplaced) continue;
      touch(item);
      state.place(item, scores);
    }
  };
  /** Reduced gain an item could win by a better place. */
  const potential = (item: number): number => {
    const now = choice[item]!;
    if (now === spread) return 0;
    return now < 0 ? best[item]! : best[item]! - scores[now]!;
  };
  const undo = (before: number): void => {
    for (const item of touched) state.remove(item);
    for (const item of touched) state.restore(item, oldChoice, oldSlots);
    state.gain = before;
  };

  const round = (temperature: number): void => {
    stamp++;
    touched.length = 0;
    listed.length = 0;
    state.work += 8;
    const before = state.gain;
    let item = random.below(instance.items);
    const other = focus.length > 0 ? focus[random.below(focus.length)]! : random.below(instance.items);
    if (potential(other) > potential(item)) item = other;
    if (optionStart[item] === optionStart[item + 1]) return;
    touch(item);
    state.remove(item);
    let option = randomOption(item);
    const second = randomOption(item);
    if (scores[second]! > scores[option]!) option = second;
    if (random.next() < 0.7 && copies[item] === 1) {
      makeRoom(option, item);
      if (state.fits(option)) state.put(item, option);
      else list(item);
    } else {
      ruinAround(option);
      list(item);
    }
    listNeighbors();
    recreate();
    const lost = before - state.gain;
    if (lost > 1e-9 && random.next() >= decay(lost / temperature)) {
      undo(before);
      return;
    }
    for (const touchedItem of touched) {
      if (dirtyAt[touchedItem] === bests) continue;
      dirtyAt[touchedItem] = bests;
      dirty.push(touchedItem);
    }
    if (state.gain <= bestGain + 1e-7) return;
    bestGain = state.gain;
    for (const changed of dirty) state.save(changed, bestChoice, bestSlots);
    dirty.length = 0;
    bests++;
  };

  const snapshot = (): { units: Units; gain: number } => {
    const units = new Int32Array(instance.options);
    for (let item = 0; item < instance.items; item++) {
      const chosen = bestChoice[item]!;
      if (chosen >= 0) units[chosen] = 1;
      else if (chosen === spread)
        for (let at = slotStart[item]!; at < slotStart[item + 1]! && bestSlots[at]! >= 0; at++)
          units[bestSlots[at]!]! += 1;
    }
    return { units, gain: bestGain };
  };
  return Object.assign(round, { best: snapshot, gain: () => bestGain });
}
