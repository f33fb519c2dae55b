import { AdapterError } from "../../adapters/port.ts";
import type { Clock, Env } from "../env.ts";
import type { Books } from "./books.ts";

/** What a comparison of the federation with the store found. */
export interface Discrepancies {
  /** Running intents whose capacity is gone or taken, whose work is done, or who have run for as long as they may. */
  readonly troubled: readonly string[];
  /** Keys that the federation holds and nobody owns; they were given back. */
  readonly orphans: number;
}

/**
 * Compares what the federation holds with what the store holds. What the store does not know is given back: a call
 * whose answer was lost after its intent had moved on, or the world as it was after the moment of a restored backup.
 *
 * @throws {AdapterError} when the federation cannot be seen
 */
export async function reconcile({
  federation,
  books,
  clock,
  log,
}: Pick<Env, "federation" | "log"> & {
  readonly books: Books;
  readonly clock: Clock;
}): Promise<Discrepancies> {
  // the federation first: every key was stored before it was sent, so what it shows is in the books by then or never
  const observed = await federation.observe();
  await books.refresh();
  let orphans = 0;
  for (const { key, intent } of observed) {
    if (books.rows.has(key)) continue;
    log.warn({ key, intent }, "held by nobody: given back");
    try {
      await federation.release(key);
      orphans++;
    } catch (error) {
      if (!(error instanceof AdapterError)) throw error;
    }
  }
  const phases = new Map(observed.map(({ key, phase }) => [key, phase]));
  const troubled = new Set<string>();
  for (const { id, intent_id, intent_phase, intent_due_ms } of books.rows.values()) {
    const isOverdue = intent_due_ms !== null && intent_due_ms <= clock.wallMs();
    if (intent_phase === "running" && (isOverdue || phases.get(id) !== "running")) troubled.add(intent_id);
  }
  return { troubled: [...troubled], orphans };
}
