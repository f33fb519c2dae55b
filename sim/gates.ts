import type { Rng } from "./random.ts";

interface Gate {
  readonly owner: object;
  readonly label: string;
  readonly open: () => void;
}

/** Messages on their way. Whoever sends one waits at a gate until the driver lets it through, or for ever. */
export interface Gates {
  /** Resolves when the driver opens the gate; never when its owner dies first. */
  pass(owner: object, label: string): Promise<void>;
  /** Opens one at random; null: nothing waits. Returns its label. */
  openOne(rng: Rng): string | null;
  /** Forgets what waits for an owner that has died. */
  drop(owner: object): void;
  /** Labels of what waits. */
  waiting(): readonly string[];
  /** Nothing waits any more, now and later. */
  openAll(): void;
  readonly paused: Set<object>;
}

/** Makes gates; `isHeld` decides for each message whether it waits at all. */
export function createGates(isHeld: (label: string) => boolean): Gates {
  let pending: Gate[] = [];
  let isOpen = false;
  const paused = new Set<object>();
  const dead = new WeakSet<object>();
  return {
    paused,
    pass(owner, label) {
      if (dead.has(owner)) return new Promise(() => {});
      if (!paused.has(owner) && (isOpen || !isHeld(label))) return Promise.resolve();
      return new Promise((resolve) => pending.push({ owner, label, open: resolve }));
    },
    openOne(rng) {
      const open = paused.size === 0 ? pending : pending.filter(({ owner }) => !paused.has(owner));
      if (open.length === 0) return null;
      const gate = open[rng.int(open.length)];
      if (gate === undefined) return null;
      pending.splice(pending.indexOf(gate), 1);
      gate.open();
      return gate.label;
    },
    drop(owner) {
      dead.add(owner);
      pending = pending.filter((gate) => gate.owner !== owner);
    },
    waiting: () => pending.map(({ label }) => label),
    openAll() {
      isOpen = true;
      const all = pending;
      pending = [];
      for (const { open } of all) open();
    },
  };
}

/** Lets everything go on that waits for nothing outside: all promises that can settle have settled afterwards. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
