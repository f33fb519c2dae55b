import type { Cancel, Env } from "../env.ts";
import type { Lease } from "../store/store.ts";

/** Whether this process decides. */
export interface Leadership {
  /** Who decides, for events and audit. */
  readonly actor: string;
  /** The epoch in which this process decides; null: another one does. */
  hold(): Promise<number | null>;
  /** Whether this process decides, as far as it knows now. */
  leads(): boolean;
  /** True while nothing says that the epoch is over. The store has the last word. */
  holds(epoch: number): boolean;
  /** The store refused a write of that epoch. */
  lost(epoch: number): void;
  /** Gives the right up, so that another may take it at once. */
  stop(): Promise<void>;
}

type LeaderEnv = Pick<Env, "store" | "clock" | "ids">;

function take({ store, clock, ids }: LeaderEnv, holder: string, seen: Lease): Promise<number | null> {
  return store.system.takeLease({
    holder,
    seen,
    actor: `replica:${holder}`,
    atMs: clock.wallMs(),
    requestId: ids.next("lead"),
  });
}

/** For a process that has its store to itself: it decides from its first round on, each start in an epoch of its own. */
export function createSoleLeadership(env: LeaderEnv): Leadership {
  let epoch: number | null = null;
  let isOver = false;
  return {
    actor: "control",
    async hold() {
      if (epoch === null && !isOver)
        epoch = await take(env, env.ids.next("replica"), await env.store.system.lease());
      return isOver ? null : epoch;
    },
    leads: () => !isOver,
    holds: (of) => !isOver && epoch === of,
    lost(of) {
      if (epoch === of) isOver = true;
    },
    async stop() {},
  };
}

export interface ElectionOptions {
  /** A leader that shows no sign for this long is replaced, milliseconds; it renews four times as often. */
  readonly leaseMs: number;
  /** Called when this process has become the one that decides. */
  readonly onGain: () => void;
}

/**
 * One of several processes decides. Each watches the lease: a holder that renews keeps it, one that has not renewed for
 * a whole lease by the watcher's own monotonic clock is replaced. No clock of another machine is trusted, and a clock
 * that jumps moves nothing. Who is wrong about leading is stopped by the store, which compares epochs in every decision.
 */
export function createElection(
  env: LeaderEnv & Pick<Env, "timers" | "log">,
  { leaseMs, onGain }: ElectionOptions,
): Leadership {
  const { store, clock, timers, log, ids } = env;
  // random, so that a process that was started again is not taken for the one before
  const holder = ids.next("replica");
  const stepMs = leaseMs / 4;
  let epoch: number | null = null;
  /** When the last renewal that arrived was sent; after a whole lease without one this process no longer leads. */
  let renewedMs = 0;
  /** The lease as last seen to change, and when. */
  let seen = { epoch: -1, renewals: -1 };
  let seenMs = 0;
  let timer: Cancel | null = null;
  let active: Promise<void> = Promise.resolve();
  let isStopped = false;

  const yieldEpoch = (why: string): void => {
    if (epoch !== null) log.warn({ epoch, holder }, `leads no longer: ${why}`);
    epoch = null;
  };
  const renew = async (of: number): Promise<void> => {
    const sentMs = clock.monoMs();
    if (await store.system.renewLease({ epoch: of })) renewedMs = sentMs;
    else yieldEpoch("another process took the lease");
  };
  const watch = async (): Promise<void> => {
    const sentMs = clock.monoMs();
    const now = await store.system.lease();
    if (now.epoch !== seen.epoch || now.renewals !== seen.renewals) {
      seen = now;
      seenMs = clock.monoMs();
    }
    const isFree = now.holder === "" || sentMs - seenMs >= leaseMs;
    // taken before, and the answer was lost, or the renewals did not arrive in time: nobody else had this epoch
    const isOwn = now.holder === holder && (await store.system.renewLease(now));
    const taken = isOwn ? now.epoch : isFree ? await take(env, holder, now) : null;
    if (taken === null) return;
    epoch = taken;
    renewedMs = sentMs;
    log.info({ epoch, holder }, "leads from now on");
    onGain();
  };
  const step = async (): Promise<void> => {
    try {
      await (epoch === null ? watch() : renew(epoch));
    } catch (error) {
      log.warn({ error: String(error) }, "the lease could not be read or renewed");
    }
    if (epoch !== null && clock.monoMs() - renewedMs >= leaseMs) yieldEpoch("the lease could not be renewed");
    if (!isStopped) schedule(stepMs);
  };
  const schedule = (delayMs: number): void => {
    timer?.();
    timer = timers.after(delayMs, () => {
      active = step();
    });
  };
  schedule(0);

  const holds = (of: number): boolean => epoch === of && clock.monoMs() - renewedMs < leaseMs;
  return {
    actor: `control:${holder}`,
    hold: async () => (epoch !== null && holds(epoch) ? epoch : null),
    leads: () => epoch !== null && holds(epoch),
    holds,
    lost(of) {
      if (epoch === of) yieldEpoch("the store refused a decision");
    },
    async stop() {
      isStopped = true;
      timer?.();
      await active;
      if (epoch === null) return;
      const last = epoch;
      epoch = null;
      await store.system
        .releaseLease({ epoch: last })
        .catch((error: unknown) => log.warn({ error: String(error) }, "the lease could not be given up"));
    },
  };
}
