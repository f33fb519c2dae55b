import type { Cancel, Env } from "../env.ts";
import { StoreError } from "../store/errors.ts";
import type { IntentRow } from "../store/schema.ts";
import type { ChangeIntent, Fenced } from "../store/store.ts";
import { type Deadlines, defaultDeadlines, type Step } from "./advance.ts";
import { createDecide } from "./decide.ts";
import { createDrive } from "./drive.ts";
import { createLane } from "./lane.ts";
import { createSoleLeadership, type Leadership } from "./leader.ts";
import type { Planner } from "./planner.ts";

export interface LoopOptions {
  readonly deadlines?: Deadlines;
  /** Tries that may fail in a row before an intent fails, default 8. */
  readonly mostFailures?: number;
  /** Intents decided together at most, default 50. */
  readonly batch?: number;
  /** Without any hint the loop looks again, and compares itself with the federation, after this long; default 1,000 ms. */
  readonly pollMs?: number;
  /** Whether this process decides; default: it alone does. */
  readonly leadership?: Leadership;
}

/** Drives intents from accepted to their end. */
export interface ControlLoop {
  /** Something may have changed: look soon. Cheap, any number of times. */
  wake(): void;
  /** Whether this process decides; what is to be done by one process alone goes by it. */
  leads(): boolean;
  /** Everything that there is to do now, after what is under way; for tests and driven clocks. */
  round(): Promise<void>;
  /** Ends after what is under way. Everything that was not done is done after the next start. */
  stop(): Promise<void>;
}

/** When the federation or the store could not be used, the loop looks again after this long, doubling. */
const BACKOFF_MS = 200;
const MOST_BACKOFF_MS = 10_000;

const isFenced = (error: unknown): boolean => error instanceof StoreError && error.code === "fenced";

/**
 * The control loop: one lane moves on what is on its way, another decides about what is new and what waits, so that
 * neither has to wait for the other. Every second all of it is compared with the federation. Truth is the store and what
 * the federation says; hints only make it look sooner.
 */
export function createControlLoop(env: Env, planner: Planner, options: LoopOptions = {}): ControlLoop {
  const { store, federation, clock, timers, log, ids } = env;
  const { deadlines = defaultDeadlines, mostFailures = 8, batch = 50, pollMs = 1000 } = options;
  const { leadership = createSoleLeadership(env) } = options;
  /** The epoch of what is under way; 0 before the first. */
  let epoch = 0;
  let isStopped = false;
  let timer: Cancel | null = null;
  let backoffMs = 0;
  /** Something had to wait since the last look at everything. */
  let hasFailed = false;
  /** A decision could not be written: nothing is decided until somebody asks for it again. */
  let isResting = false;

  const changeOf = (intent: IntentRow, step: Exclude<Step, null>): ChangeIntent & Fenced => ({
    actor: leadership.actor,
    atMs: clock.wallMs(),
    requestId: ids.next("round"),
    id: intent.id,
    version: intent.version,
    epoch,
    ...step,
  });
  const goesOn = (): boolean => !isStopped && leadership.holds(epoch);
  /** Steps that began and have not ended. */
  let working = 0;
  let leading: Promise<boolean> | null = null;
  /** True when this process decides. What it remembers from an epoch before, another has changed since. */
  const lead = (): Promise<boolean> => {
    const ask = async (): Promise<boolean> => {
      const held = isStopped ? null : await leadership.hold();
      if (held === null) return false;
      if (held !== epoch) {
        // what began in an epoch before must end in it, refused: its writes would pass for ones of this epoch
        if (working > 0 || decide.settling().length > 0) return false;
        epoch = held;
        planner.forget();
        drive.sweep();
        decide.forget();
      }
      return true;
    };
    // both lanes may ask at the same time, and it is taken once
    leading ??= ask().finally(() => {
      leading = null;
    });
    return leading;
  };
  const backOff = (): void => {
    if (hasFailed || isStopped) return;
    hasFailed = true;
    backoffMs = Math.min(MOST_BACKOFF_MS, Math.max(BACKOFF_MS, backoffMs * 2));
    schedule(backoffMs);
  };
  const failed = (error: unknown): void => {
    if (isFenced(error)) leadership.lost(epoch);
    if (isStopped) return;
    log.error({ error: String(error) }, "control round failed");
    backOff();
  };
  const drive = createDrive(env, planner, {
    deadlines,
    mostFailures,
    move: (intent, step) => store.system.changeIntent(changeOf(intent, step)),
    freed: () => pokeDeciding(),
    backOff,
  });
  const decide = createDecide(env, planner, {
    deadlines,
    batch,
    changeOf,
    epoch: () => epoch,
    goesOn,
    moved: () => driving.poke(),
    outdated: () => deciding.poke(),
    failed(error) {
      isResting = true;
      failed(error);
    },
  });
  const whileLeading = (step: () => Promise<boolean>) => async (): Promise<boolean> => {
    if (!(await lead())) return false;
    working++;
    try {
      return await step();
    } finally {
      working--;
    }
  };
  const driving = createLane(whileLeading(drive.step), failed);
  const deciding = createLane(async () => !isResting && (await whileLeading(decide.step)()), failed);
  const pokeDeciding = (): void => {
    isResting = false;
    deciding.poke();
  };

  /** Looks at everything after this long, and from then on every `pollMs`. */
  const schedule = (delayMs: number): void => {
    timer?.();
    timer = timers.after(delayMs, () => {
      if (!hasFailed) backoffMs = 0;
      hasFailed = false;
      drive.sweep();
      wake();
      schedule(pollMs);
    });
  };
  let cancelPokes: Cancel | null = null;
  const poked = { driving: false, deciding: false };
  /** Lanes begin in a turn of their own: whoever gives the hint is done by then, and hints given together are one. */
  const pokeSoon = (which: { readonly driving: boolean; readonly deciding: boolean }): void => {
    if (isStopped) return;
    poked.driving ||= which.driving;
    poked.deciding ||= which.deciding;
    cancelPokes ??= timers.after(0, () => {
      cancelPokes = null;
      const { driving: isDriving, deciding: isDeciding } = poked;
      poked.driving = false;
      poked.deciding = false;
      if (isDriving) driving.poke();
      if (isDeciding) pokeDeciding();
    });
  };
  const wake = (): void => pokeSoon({ driving: true, deciding: true });
  const settled = async (): Promise<void> => {
    for (;;) {
      const under = [driving.active(), deciding.active(), ...decide.settling()].filter((one) => one !== null);
      if (under.length === 0) return;
      await Promise.all(under);
    }
  };
  const unsubscribe = federation.subscribe((keys) => {
    if (keys === undefined) drive.sweep();
    else drive.hint(keys);
    pokeSoon({
      driving: keys === undefined || keys.length > 0,
      deciding: keys === undefined || keys.length === 0,
    });
  });
  schedule(pollMs);

  return {
    wake,
    leads: leadership.leads,
    async round() {
      await settled();
      drive.sweep();
      driving.poke();
      pokeDeciding();
      await settled();
    },
    async stop() {
      isStopped = true;
      unsubscribe();
      timer?.();
      cancelPokes?.();
      await settled();
      await leadership.stop();
    },
  };
}
