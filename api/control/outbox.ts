import type { Cancel, Env } from "../env.ts";
import type { EventRow } from "../store/schema.ts";

/** Where events go that leave the service. */
export interface EventSink {
  /** True once the receiver has it; false or an exception: to be sent again later. */
  deliver(event: EventRow): Promise<boolean>;
}

/** Sends what the store has put into the outbox, at least once. */
export interface Outbox {
  wake(): void;
  /** One round now, after any that is under way. */
  round(): Promise<void>;
  stop(): Promise<void>;
}

const CLAIM_MS = 60_000;
/** No delivery begins later than this after a claim: it ends before others may claim the same. */
const WORK_MS = 30_000;
const BATCH = 100;
const FIRST_RETRY_MS = 1000;
const MOST_RETRY_MS = 300_000;

/** Delay before attempt `attempts + 1`: doubling, up to five minutes. */
export const retryDelayMs = (attempts: number): number =>
  Math.min(MOST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts, 20));

/**
 * The dispatcher: claims due rows, delivers in order, and removes a row only after its event arrived. Within one
 * subject the order is kept: after a failure the subject's later events wait as well.
 */
export function createOutbox(
  env: Pick<Env, "store" | "clock" | "timers" | "ids" | "log">,
  sink: EventSink,
): Outbox {
  const { store, clock, timers, ids, log } = env;
  let active: Promise<void> | null = null;
  let timer: Cancel | null = null;
  let isWoken = false;
  let isStopped = false;

  const batch = async (): Promise<number> => {
    const nowMs = clock.wallMs();
    // as a rule nothing is, and a look is no write
    if (!(await store.system.isOutboxDue(nowMs))) return 0;
    const endMs = clock.monoMs() + WORK_MS;
    const claimId = ids.next("claim");
    const claimed = await store.system.claimOutbox({
      claimId,
      nowMs,
      untilMs: nowMs + CLAIM_MS,
      limit: BATCH,
    });
    const done: number[] = [];
    const late: { readonly id: number; readonly dueMs: number }[] = [];
    const behind = new Set<string>();
    let isLate = false;
    for (const { row, event } of claimed) {
      isLate = clock.monoMs() >= endMs;
      if (isLate) break;
      let arrived = false;
      if (!behind.has(event.subject_id) && !isStopped)
        try {
          arrived = await sink.deliver(event);
        } catch (error) {
          log.warn({ event: event.seq, error: String(error) }, "an event could not be delivered");
        }
      if (arrived) done.push(row.id);
      else {
        const dueMs = clock.wallMs() + retryDelayMs(row.attempts);
        behind.add(event.subject_id);
        late.push({ id: row.id, dueMs });
      }
    }
    // asked for together, they share a commit
    await Promise.all([
      done.length > 0 ? store.system.finishOutbox({ claimId, ids: done }) : undefined,
      late.length > 0 ? store.system.retryOutbox({ claimId, rows: late }) : undefined,
      // what there was no time for is claimed anew
      isLate ? store.system.releaseOutbox({ claimId }) : undefined,
    ]);
    return done.length;
  };
  const work = async (): Promise<void> => {
    try {
      while (!isStopped && (await batch()) > 0);
    } catch (error) {
      if (!isStopped) log.error({ error: String(error) }, "the outbox could not be read or written");
    }
  };
  const schedule = (delayMs: number): void => {
    timer?.();
    timer = timers.after(delayMs, () => void round());
  };
  const round = (): Promise<void> => {
    active ??= work().finally(() => {
      active = null;
      if (isStopped) return;
      schedule(isWoken ? 0 : FIRST_RETRY_MS);
      isWoken = false;
    });
    return active;
  };
  const wake = (): void => {
    if (isStopped) return;
    if (active !== null) isWoken = true;
    else schedule(0);
  };
  const unsubscribe = store.subscribe(wake);
  return {
    wake,
    async round() {
      await active;
      await round();
    },
    async stop() {
      isStopped = true;
      unsubscribe();
      timer?.();
      await active;
    },
  };
}
