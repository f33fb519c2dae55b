import type { Cancel, Env } from "../env.ts";
import type { Anchor } from "../store/verify.ts";

const EVERY_EVENTS = 1000;
const EVERY_MS = 60_000;

/**
 * Writes down the heads of both logs outside the database, every 1,000 events and every minute in which something
 * happened: what is cut off or rewritten before an anchor is found by comparing. What cannot be written is tried again a
 * minute later. Returns its end, which writes the last one.
 */
export function keepAnchors(
  { store, timers, log }: Pick<Env, "store" | "timers" | "log">,
  write: (anchors: readonly Anchor[]) => void,
): () => Promise<void> {
  let anchored = 0;
  let anchoredAudit = 0;
  let seen = 0;
  let isOver = false;
  let timer: Cancel | null = null;
  let active: Promise<void> = Promise.resolve();

  const anchor = async (): Promise<void> => {
    timer?.();
    timer = null;
    try {
      const { events, audit } = await store.system.heads();
      if (events.seq === anchored && audit.seq === anchoredAudit) return;
      write([
        { log: "events", ...events },
        { log: "audit", ...audit },
      ]);
      anchored = events.seq;
      anchoredAudit = audit.seq;
      log.info({ events, audit }, "anchor");
    } catch (error) {
      log.warn({ error: String(error) }, "the logs could not be anchored");
      if (!isOver) timer = timers.after(EVERY_MS, next);
    }
  };
  const next = (): void => {
    active = active.then(anchor);
  };
  const unsubscribe = store.subscribe((lastSeq) => {
    if (lastSeq - Math.max(anchored, seen) >= EVERY_EVENTS) {
      seen = lastSeq;
      next();
    } else timer ??= timers.after(EVERY_MS, next);
  });
  return async () => {
    unsubscribe();
    isOver = true;
    next();
    await active;
  };
}
