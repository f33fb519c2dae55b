import { AdapterError } from "../../adapters/port.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import { parseTime } from "../../engine/model/time.ts";
import { spotSlotSeconds } from "../../engine/resilience/spot-runs.ts";
import type { Cancel, Env } from "../env.ts";
import { StoreError } from "../store/errors.ts";
import type { IntentRow } from "../store/schema.ts";
import type { IntentView } from "../store/store.ts";
import {
  advance,
  type Deadlines,
  defaultDeadlines,
  drivenPhases,
  type Step,
  type StepContext,
} from "./advance.ts";
import { createSoleLeadership, type Leadership } from "./leader.ts";
import { type Decided, intentOf, type Planner, type World } from "./planner.ts";
import { reconcile } from "./reconcile.ts";
import { allocationsOf, placedStep, type SettleContext, unplacedStep } from "./settle.ts";

export interface LoopOptions {
  readonly deadlines?: Deadlines;
  /** Tries that may fail in a row before an intent fails, default 8. */
  readonly mostFailures?: number;
  /** Waiting intents decided together at most, default 50. */
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
  /** One round now, after any that is under way; for tests and driven clocks. */
  round(): Promise<void>;
  /** Ends after the round that is under way. Everything that was not done is done after the next start. */
  stop(): Promise<void>;
}

/** Rounds of a loop at which the federation or the store could not be used wait this long, doubling. */
const BACKOFF_MS = 200;
const MOST_BACKOFF_MS = 10_000;
/** Arrivals that are decided in one round; the next round drives first what these started. */
const ARRIVALS = 32;
/** Intents that one round drives. */
const DRIVEN = 500;
/** An offer that let an intent down is left out for this long. */
const AVOID_MS = 15_000;
/** Waiting intents are looked at again after this long even when nothing was freed: windows open, deadlines pass. */
const LOOK_AGAIN_MS = 60_000;

const transitional = drivenPhases.filter((phase) => phase !== "running");

const isFenced = (error: unknown): boolean => error instanceof StoreError && error.code === "fenced";

/** True when some offer is new, cheaper or dearer, or has more room than before. */
function hasMoreRoom(before: readonly Flavor[], now: readonly Flavor[]): boolean {
  if (before === now) return false;
  if (before.length !== now.length) return true;
  return now.some((offer, index) => {
    const old = before[index];
    if (old === offer) return false;
    if (old === undefined || old.id !== offer.id || old.price !== offer.price) return true;
    const { gpusFree, cpuMilliFree = 0, memoryMibFree = 0, podsFree = 0 } = offer.capacity;
    return (
      gpusFree > old.capacity.gpusFree ||
      cpuMilliFree > (old.capacity.cpuMilliFree ?? cpuMilliFree) ||
      memoryMibFree > (old.capacity.memoryMibFree ?? memoryMibFree) ||
      podsFree > (old.capacity.podsFree ?? podsFree)
    );
  });
}

/**
 * The control loop. Each round moves on what is on its way, decides about arrivals one after another, and then about
 * what waits, together, once per change of what is free. Every second it compares itself with the federation. Truth is
 * the store and what the federation says; hints only make it look sooner.
 */
export function createControlLoop(env: Env, planner: Planner, options: LoopOptions = {}): ControlLoop {
  const { store, federation, clock, timers, log, ids } = env;
  const { deadlines = defaultDeadlines, mostFailures = 8, batch = 50, pollMs = 1000 } = options;
  const { leadership = createSoleLeadership(env) } = options;
  /** The epoch of the round that is under way; 0 before the first. */
  let epoch = 0;
  let isStopped = false;
  let isWoken = false;
  let active: Promise<void> | null = null;
  let timer: Cancel | null = null;
  let backoffMs = 0;
  /** Until when the last comparison with the federation is good. */
  let reconcileMs = 0;
  let troubled: readonly string[] = [];
  /** Offers at the last look, the waiting intents that were decided on since, and when that began. */
  let seen: readonly Flavor[] = [];
  let lookedAt = new Set<string>();
  let lookedMs = 0;
  /** When running work on spot capacity is decided about again. */
  let spotMs = 0;

  const move = (intent: IntentRow, step: Exclude<Step, null>): Promise<IntentRow | null> =>
    store.system.changeIntent({
      actor: leadership.actor,
      atMs: clock.wallMs(),
      requestId: ids.next("round"),
      id: intent.id,
      version: intent.version,
      epoch,
      ...step,
    });
  const goesOn = (): boolean => !isStopped && leadership.holds(epoch);
  const backOff = (): void => {
    backoffMs = Math.min(MOST_BACKOFF_MS, Math.max(BACKOFF_MS, backoffMs * 2));
  };

  const driveOne = async (context: StepContext, { intent, allocations }: IntentView): Promise<boolean> => {
    try {
      const step = await advance(context, { intent, allocations });
      return step !== null && (await move(intent, step)) !== null;
    } catch (error) {
      if (isFenced(error)) throw error;
      // one intent that cannot be moved must not keep the others
      const code = error instanceof AdapterError || error instanceof StoreError ? error.code : "broken";
      const fields = { intent: intent.id, phase: intent.phase, code };
      if (code === "broken") log.error({ ...fields, error: String(error) }, "a step failed");
      else log.warn(fields, "a step has to wait");
      backOff();
      return false;
    }
  };
  /** One step for every intent on its way; true when any moved. */
  const drive = async (): Promise<boolean> => {
    const views = [...(await store.system.views({ phases: transitional, limit: DRIVEN }))];
    for (const id of troubled) {
      const view = await store.system.intentById(id);
      if (view?.intent.phase === "running") views.push(view);
    }
    troubled = [];
    if (views.length === 0) return false;
    const live = views.flatMap(({ allocations }) =>
      allocations.filter(({ released_ms }) => released_ms === null),
    );
    const observed = await federation.observe(live.map(({ id }) => id));
    const context: StepContext = {
      federation,
      clock,
      deadlines,
      mostFailures,
      avoid: (offer) => planner.avoid(offer, clock.wallMs() + AVOID_MS),
      observed: new Map(observed.map((held) => [held.key, held])),
      clearing: new Set(
        views
          .filter(({ intent }) => intent.phase === "releasing")
          .flatMap(({ allocations }) =>
            allocations.filter(({ released_ms }) => released_ms === null).map(({ offer }) => offer),
          ),
      ),
    };
    return (await Promise.all(views.map((view) => driveOne(context, view)))).includes(true);
  };

  /** Writes what follows from decisions: the plan first, so that no move is on disk before it. True when any moved. */
  const settle = async (world: World, rows: readonly IntentRow[], decided: Decided): Promise<boolean> => {
    const context: SettleContext = { decided, atMs: clock.wallMs(), deadlines };
    const writes: Promise<unknown>[] = [store.system.logPlan({ ...decided.log, epoch })];
    for (const [victim, by] of decided.evicted) writes.push(makeWay(victim, by));
    const moves = rows.map(async (row): Promise<boolean> => {
      const decision = decided.decisions.get(row.id);
      if (decision === undefined) return false;
      if (decision.outcome !== "placed") {
        world.hold(decision, intentOf(row));
        const step = unplacedStep(row, decision, context);
        return step !== null && (await move(row, step)) !== null;
      }
      const intent = intentOf(row);
      const allocations = allocationsOf(row, intent, decision, decided.currency, context.atMs);
      world.take(allocations, intent);
      const step = placedStep(row, decision, allocations, context);
      return step !== null && (await move(row, step)) !== null;
    });
    const [, moved] = await Promise.all([Promise.all(writes), Promise.all(moves)]);
    return moved.includes(true);
  };
  /** A running intent gives its place to another one and queues again. */
  const makeWay = async (victim: string, by: string): Promise<void> => {
    const view = await store.system.intentById(victim);
    if (view?.intent.phase !== "running") return;
    await move(view.intent, {
      to: "releasing",
      set: { ending: "preempted", reason: "PREEMPTED", message: "Makes way for more urgent work" },
      payload: { by },
    });
  };

  /** New intents, one after another by priority and age; what does not fit now waits. */
  const decideArrivals = async (world: World): Promise<boolean> => {
    for (const row of await store.system.inPhases({ phases: ["preempted"], limit: ARRIVALS }))
      await move(row, { to: "queued", set: { message: "Queued again" } });
    const rows = [...(await store.system.inPhases({ phases: ["queued"], limit: ARRIVALS }))];
    rows.sort((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1));
    const settled: Promise<boolean>[] = [];
    for (const row of rows) {
      if (!goesOn()) break;
      const decided = await world.decide([intentOf(row)]);
      lookedAt.add(row.id);
      // the commit of this one and the plan of the next go on at the same time
      const settling = settle(world, [row], decided);
      // heard of below, after the others: until then it must not count as unheard
      settling.catch(() => undefined);
      settled.push(settling);
    }
    return (await Promise.all(settled)).includes(true);
  };
  /** Waiting intents together, most urgent first, each once per change of what is free. */
  const decideWaiting = async (world: World): Promise<boolean> => {
    const now = clock.wallMs();
    const { offers, reservations } = world.snapshot();
    const isDue = reservations.some(
      ({ intent, start }) => intent !== undefined && lookedMs < parseTime(start) && parseTime(start) <= now,
    );
    if (hasMoreRoom(seen, offers) || isDue || now - lookedMs >= LOOK_AGAIN_MS) {
      lookedAt = new Set();
      lookedMs = now;
    }
    seen = offers;
    const wanted = (await store.system.waitingIds()).filter((id) => !lookedAt.has(id)).slice(0, batch);
    if (wanted.length === 0) return false;
    for (const id of wanted) lookedAt.add(id);
    const rows = (await store.system.intentsById(wanted)).filter(({ phase }) => phase === "waiting");
    if (rows.length === 0) return false;
    const decided = await world.decide(rows.map(intentOf));
    await settle(world, rows, decided);
    // more of them may not have been looked at
    return true;
  };

  /** Running work with a deadline is asked for every slot: spot capacity, on demand, or a wait for either. */
  const decideSpotRuns = async (world: World): Promise<boolean> => {
    const now = clock.wallMs();
    const ids = world.spotRuns();
    if (ids.length === 0 || now < spotMs) return false;
    spotMs = now + spotSlotSeconds * 1000;
    const rows = (await store.system.intentsById(ids)).filter(({ phase }) => phase === "running");
    if (rows.length === 0) return false;
    const decided = await world.decide(rows.map(intentOf));
    const leaving = rows.flatMap((row) => {
      const decision = decided.decisions.get(row.id);
      const isMoved = decision?.spot !== undefined && decision.reason !== "RUNNING";
      return isMoved ? [{ row, message: decision.spot.message }] : [];
    });
    if (leaving.length === 0) return false;
    await store.system.logPlan({ ...decided.log, epoch });
    for (const { row, message } of leaving)
      await move(row, { to: "releasing", set: { ending: "queued", reason: "SPOT_POLICY", message } });
    return true;
  };

  /** True when this process decides. What it remembers from an epoch before, another has changed since. */
  const lead = async (): Promise<boolean> => {
    const held = await leadership.hold();
    if (held === null) return false;
    if (held !== epoch) {
      epoch = held;
      reconcileMs = 0;
      lookedMs = 0;
    }
    return true;
  };
  const work = async (): Promise<void> => {
    backoffMs = 0;
    try {
      if (!(await lead())) return;
      for (let busy = true; busy && goesOn(); ) {
        if (clock.wallMs() >= reconcileMs) {
          reconcileMs = clock.wallMs() + pollMs;
          ({ troubled } = await reconcile(env));
        }
        const moved = await drive();
        const world = await planner.look();
        const arrived = await decideArrivals(world);
        const waited = arrived ? false : await decideWaiting(world);
        const changed = arrived || waited ? false : await decideSpotRuns(world);
        busy = moved || arrived || waited || changed;
      }
    } catch (error) {
      backOff();
      if (isFenced(error)) leadership.lost(epoch);
      if (!isStopped) log.error({ error: String(error) }, "control round failed");
    }
  };

  const round = (): Promise<void> => {
    active ??= work().finally(() => {
      active = null;
      if (isStopped) return;
      if (isWoken && backoffMs === 0) schedule(0);
      else schedule(backoffMs === 0 ? pollMs : backoffMs);
      isWoken = false;
    });
    return active;
  };
  const schedule = (delayMs: number): void => {
    timer?.();
    timer = timers.after(delayMs, () => void round());
  };
  const wake = (): void => {
    if (isStopped) return;
    if (active !== null) isWoken = true;
    else schedule(0);
  };
  const unsubscribe = federation.subscribe(wake);

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
      await leadership.stop();
    },
  };
}
