import type { SystemStore } from "../store/store.ts";

/** Decisions about an intent in a row that reservations may put off, before reservations wait for the next one. */
const MOST_PUT_OFF = 2;

/** Sees that decisions come to an end however many reservations are made: some time reservations wait for them. */
export interface Precedence {
  /** Whether the last decision about an intent was put off by a reservation that it did not know of. */
  note(intent: string, isPutOff: boolean): void;
  /** Whether reservations may wait at the moment. */
  isTaken(): boolean;
  /** Before decisions about `intents`, and after: lets reservations wait when one of them was put off too often. */
  update(intents: ReadonlySet<string>, epoch: number): Promise<void>;
  /** Another epoch: what was taken in the one before is void. */
  forget(): void;
}

export function createPrecedence(system: Pick<SystemStore, "pauseReservations">): Precedence {
  const putOff = new Map<string, number>();
  /** Null: it was asked for, and nobody knows whether it was done. */
  let isPaused: boolean | null = false;
  return {
    note(intent, isPutOff) {
      if (isPutOff) putOff.set(intent, (putOff.get(intent) ?? 0) + 1);
      else putOff.delete(intent);
    },
    isTaken: () => isPaused !== false,
    async update(intents, epoch) {
      for (const id of putOff.keys()) if (!intents.has(id)) putOff.delete(id);
      const isDue = [...putOff.values()].some((times) => times >= MOST_PUT_OFF);
      if (isPaused === isDue) return;
      isPaused = null;
      await system.pauseReservations({ epoch, isPaused: isDue });
      isPaused = isDue;
    },
    forget() {
      putOff.clear();
      isPaused = false;
    },
  };
}
