import type { Cancel, Env } from "../env.ts";
import type { WebhookRow } from "../store/schema.ts";
import { isWanted } from "./filter.ts";
import { forgeBody } from "./message.ts";
import { GONE, type HookTools, sendOnce } from "./sender.ts";

/** Sends what happened to the webhooks that want it, at least once and in order. */
export interface HookDispatcher {
  /** Something may have happened: look soon. Cheap, any number of times. */
  wake(): void;
  /** Resolves when all that was due at the call, and followed from it at once, is done; for tests and driven clocks. */
  settle(): Promise<void>;
  /**
   * Begins nothing new, waits a moment for the tries under way and leaves the rest: what is not noted is sent again
   * after the next start.
   */
  stop(): Promise<void>;
}

export interface DispatcherOptions {
  /** Default always: with several replicas, only while this one leads. */
  readonly mayDeliver?: () => boolean;
}

const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;

/** Waits between the tries of one message: ten tries in a little more than three days. */
export const retryWaitsMs: readonly number[] = [
  5 * SECOND_MS,
  300 * SECOND_MS,
  1800 * SECOND_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];

/** A webhook at which nothing has arrived for this long is disabled. */
export const DISABLE_AFTER_MS: number = 120 * HOUR_MS;

/** Most of a wait that chance adds, so that receivers that come back are not asked by all at once. */
const JITTER = 0.1;
/** Events read, and put into a queue, at once. */
const PAGE = 100;
/** Without any hint it looks again after this long. */
const LOOK_MS = 1000;
/** Hints that come closer together than this are one. */
const PACE_MS = 20;
/** Every queue is looked at this often, whatever happened: tenants come back, filters change, errors pass. */
const LOOK_AT_ALL_MS = 10_000;
/** How long the end waits for tries under way. */
const END_MS = 1000;
/** A position is stored at the latest when it is this far behind what was looked at. */
const MOST_BEHIND = 1000;

/** Wait before the next try after `attempts` tries, or null after the last; `chance` from 0 to 1. */
export function retryWaitMs(attempts: number, chance: number): number | null {
  const wait = retryWaitsMs[attempts - 1];
  return wait === undefined ? null : Math.round(wait * (1 + JITTER * chance));
}

/**
 * One queue per webhook, each sending one message after another: the order of events is kept, and a webhook that is slow
 * or down holds up nobody but itself. What is queued is in the store before it is sent and noted after it arrived, so a
 * process that dies in between sends it again under the same id.
 */
export function createHookDispatcher(
  env: Pick<Env, "store" | "clock" | "timers" | "ids" | "random" | "log">,
  tools: HookTools,
  { mayDeliver = () => true }: DispatcherOptions = {},
): HookDispatcher {
  const { store, clock, timers, ids, random, log } = env;
  const active = new Map<string, Promise<void>>();
  /** Webhooks to look at again when what they are at is done. */
  const again = new Set<string>();
  /** Up to where events were looked at and not wanted, where that is further than the stored position. */
  const passed = new Map<string, number>();
  /** Events up to this number were offered to every queue. */
  let seen = 0;
  let allSeenMs = 0;
  let looking: Promise<void> | null = null;
  let isWoken = false;
  let isStopped = false;
  let isOver = false;
  let timer: Cancel | null = null;

  const goesOn = (): boolean => !isStopped && mayDeliver();

  /** Puts the next wanted events into an empty queue; false when there are none. */
  const fill = async (webhook: WebhookRow): Promise<boolean> => {
    const filters = JSON.parse(webhook.events) as string[];
    let to = Math.max(webhook.position, passed.get(webhook.id) ?? 0);
    while (goesOn()) {
      const page = await store.forTenant(webhook.tenant_id).events({ after: to, limit: PAGE });
      const events = page.filter(({ kind }) => isWanted(filters, kind));
      to = page.at(-1)?.seq ?? to;
      const isBehind = to - webhook.position >= MOST_BEHIND;
      if (events.length > 0 || (isBehind && page.length < PAGE)) {
        const { id, position: from } = webhook;
        // where that fails, or another process was first, all of it is looked at again from the stored position
        passed.delete(id);
        if (await store.system.queueDeliveries({ id, from, to, events, atMs: clock.wallMs() }))
          passed.set(id, to);
        return events.length > 0;
      }
      passed.set(webhook.id, to);
      if (page.length < PAGE) return false;
    }
    return false;
  };
  /** One try of the first of a queue. */
  const attempt = async (id: string): Promise<boolean> => {
    const queue = await store.system.webhookQueue(id);
    if (queue === null) passed.delete(id);
    if (queue === null || queue.webhook.status !== "active" || !goesOn()) return false;
    const { webhook, first } = queue;
    if (first === null) return fill(webhook);
    if (webhook.due_ms === null || webhook.due_ms > clock.wallMs()) return false;
    const { delivery, event } = first;
    const message = { id: delivery.message_id, body: forgeBody(event) };
    const ended = await sendOnce(env, tools, webhook, message);
    // what was cut off by our own end is no failure of the receiver
    if (isOver) return false;
    const wait = retryWaitMs(delivery.attempts + 1, (random.bytes(1)[0] ?? 0) / 255);
    await store.system.recordAttempt({
      ...ended,
      delivery: delivery.id,
      attempts: delivery.attempts,
      retryMs: wait === null ? null : ended.atMs + wait,
      isGone: ended.status === GONE,
      disableAfterMs: DISABLE_AFTER_MS,
      requestId: ids.next("hook"),
    });
    return true;
  };
  const drain = async (id: string): Promise<void> => {
    try {
      while (goesOn() && (await attempt(id)));
    } catch (error) {
      if (!isStopped) log.error({ webhook: id, error: String(error) }, "a queue of messages could not go on");
    }
  };
  const begin = (id: string): void => {
    if (active.has(id)) {
      again.add(id);
      return;
    }
    again.delete(id);
    const done = drain(id).finally(() => {
      active.delete(id);
      if (again.has(id) && goesOn()) begin(id);
    });
    active.set(id, done);
  };
  const look = async (): Promise<void> => {
    if (!goesOn()) {
      // whoever leads next begins with what is stored
      seen = 0;
      passed.clear();
      return;
    }
    try {
      const now = clock.monoMs();
      const isFull = seen === 0 || now - allSeenMs >= LOOK_AT_ALL_MS;
      if (isFull) allSeenMs = now;
      const after = isFull ? 0 : seen;
      const { last, webhooks } = await store.system.webhookWork({ after, nowMs: clock.wallMs() });
      for (const { id } of webhooks) begin(id);
      seen = last;
    } catch (error) {
      if (!isStopped) log.error({ error: String(error) }, "webhooks could not be read");
    }
  };
  const schedule = (delayMs: number): void => {
    timer?.();
    timer = timers.after(delayMs, () => void lookOnce());
  };
  const lookOnce = (): Promise<void> => {
    looking ??= look().finally(() => {
      looking = null;
      if (isStopped) return;
      schedule(isWoken ? PACE_MS : LOOK_MS);
      isWoken = false;
    });
    return looking;
  };
  const wake = (): void => {
    if (isStopped) return;
    if (looking !== null) isWoken = true;
    else schedule(PACE_MS);
  };
  const unsubscribe = store.subscribe(wake);
  return {
    wake,
    async settle() {
      await looking;
      await lookOnce();
      while (active.size > 0) await Promise.all(active.values());
    },
    async stop() {
      isStopped = true;
      unsubscribe();
      timer?.();
      await looking;
      let cancel: Cancel = () => {};
      const patience = new Promise<void>((resolve) => {
        cancel = timers.after(END_MS, resolve);
      });
      await Promise.race([Promise.all(active.values()), patience]);
      cancel();
      isOver = true;
    },
  };
}
