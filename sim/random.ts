/** Draws that repeat: the same seed gives the same sequence everywhere. */
export interface Rng {
  /** 0 or more, below 1. */
  next(): number;
  /** Integer from 0 to `below` - 1. */
  int(below: number): number;
  /** Integer from `least` to `most`. */
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  /** @throws {Error} for an empty list */
  pick<T>(list: readonly T[]): T;
  bytes(count: number): Uint8Array;
}

const scramble = (value: number): number => {
  let mixed = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
};

/** One 32-bit seed of several numbers: a step's seed follows from the run's seed and the step alone. */
export function mix(...parts: readonly number[]): number {
  let state = 0x9e3779b9;
  for (const part of parts) {
    state = scramble((state ^ (part >>> 0)) + 0x9e3779b9);
    state = scramble((state ^ Math.floor(part / 2 ** 32)) + 0x85ebca6b);
  }
  return state;
}

/** SplitMix32. */
export function createRng(seed: number): Rng {
  let state = seed | 0;
  const draw = (): number => {
    state = (state + 0x9e3779b9) | 0;
    return scramble(state);
  };
  const int = (below: number): number => Math.floor((draw() / 2 ** 32) * below);
  return {
    next: () => draw() / 2 ** 32,
    int,
    between: (least, most) => least + int(most - least + 1),
    chance: (probability) => draw() / 2 ** 32 < probability,
    pick(list) {
      const chosen = list[int(list.length)];
      if (chosen === undefined) throw new Error("nothing to pick from");
      return chosen;
    },
    bytes: (count) => Uint8Array.from({ length: count }, () => draw() & 255),
  };
}
