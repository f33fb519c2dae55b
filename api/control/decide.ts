import type { Flavor } from "../../engine/model/flavor.ts";
import { parseTime } from "../../engine/model/time.ts";
import { spotSlotSeconds } from "../../engine/resilience/spot-runs.ts";
import type { Clock, Env } from "../env.ts";
import type { AllocationRow, IntentRow } from "../store/schema.ts";
import type { ChangeIntent, Fenced, PlannedChange, Settled, WaitingRow } from "../store/store.ts";
import type { Deadlines, Step } from "./advance.ts";
import { intentOf } from "./documents.ts";
import type { Decided, Planner, World } from "./planner.ts";
import { createPrecedence } from "./precedence.ts";
import { allocationsOf, placedStep, type SettleContext, unplacedStep } from "./settle.ts";
import { mayTakeOver } from "./takeover.ts";

/** Arrivals that are decided one after another on one look at the federation. */
const ARRIVALS = 32;
/** Waiting intents are looked at again after this long even when nothing was freed: windows open, deadlines pass. */
const LOOK_AGAIN_MS = 60_000;

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

const isMoved = (settled: Settled | undefined): boolean => typeof settled === "object" && settled !== null;

export interface DecideOptions {
  readonly deadlines: Deadlines;
  /** Intents decided together at most. */
  readonly batch: number;
  /** One step of an intent as a change to write. */
  readonly changeOf: (intent: IntentRow, step: Exclude<Step, null>) => ChangeIntent & Fenced;
  /** The epoch of what is under way. */
  readonly epoch: () => number;
  /** False when this process is to decide nothing more. */
  readonly goesOn: () => boolean;
  /** Something was decided and written. */
  readonly moved: () => void;
  /** Something has to be decided again, with what was reserved meanwhile. */
  readonly outdated: () => void;
  readonly failed: (error: unknown) => void;
}

/** Decides about what is new and what waits. */
export interface Decide {
  /** Decides what there is; true when there may be more. */
  step(): Promise<boolean>;
  /** What was seen says nothing any more: everything that waits is looked at again. */
  forget(): void;
  /** Writes of decisions under way. */
  settling(): readonly Promise<unknown>[];
}

/**
 * An arrival is decided alone and at once, on what is free. Where intents wait and something became free, all that wait
 * and all that arrive are decided together instead, most urgent first: what was freed belongs to nobody yet.
 */
export function createDecide(
  env: Pick<Env, "store"> & { readonly clock: Clock },
  planner: Planner,
  { deadlines, batch, changeOf, epoch, goesOn, moved, outdated, failed }: DecideOptions,
): Decide {
  const { store, clock } = env;
  /** Offers at the last look, the waiting intents that were decided on since, and when that began. */
  let seen: readonly Flavor[] = [];
  let lookedAt = new Set<string>();
  /** Reservations of tenants at the last look. */
  let reserved: ReadonlySet<string> = new Set();
  let lookedMs = 0;
  /** The same by the clock that never goes back: a wall clock that is set must not put off the next look. */
  let lookedMonoMs = Number.NEGATIVE_INFINITY;
  /** When running work on spot capacity is decided about again. */
  let spotMs = 0;
  /** Intents whose decisions are being written. */
  const deciding = new Set<string>();
  const settling = new Set<Promise<unknown>>();
  const precedence = createPrecedence(store.system);
  /** A reservation came between the look and a decision: what is decided on that look may meet it as well. */
  let isOutdated = false;

  /** A running intent gives its place to another one and queues again. */
  const makeWay = async (victim: string, by: IntentRow | null): Promise<PlannedChange[]> => {
    const view = await store.system.intentById(victim);
    if (view?.intent.phase !== "running") return [];
    // its tenant reads this: another tenant's intent is not named
    const isOwn = by !== null && by.tenant_id === view.intent.tenant_id;
    const step = {
      to: "releasing",
      set: { ending: "preempted", reason: "PREEMPTED", message: "Makes way for more urgent work" },
      payload: isOwn ? { by: by.id } : {},
    } as const;
    return [{ ...changeOf(view.intent, step), ...(by === null ? {} : { onlyWith: by.id }) }];
  };
  /** Writes what follows from decisions together with their plan, so that nothing acts on a plan that is not logged. */
  const settle = async (world: World, rows: readonly IntentRow[], decided: Decided): Promise<boolean> => {
    const context: SettleContext = { decided, atMs: clock.wallMs(), deadlines };
    const taken: AllocationRow[][] = [];
    const steps = rows.map((row): Step => {
      const decision = decided.decisions.get(row.id);
      const intent = intentOf(row);
      const allocations =
        decision?.outcome === "placed"
          ? allocationsOf(row, intent, decision, decided.currency, context.atMs)
          : [];
      taken.push(allocations);
      if (decision === undefined) return null;
      if (decision.outcome === "placed") {
        world.take(allocations, intent);
        return placedStep(row, decision, allocations, context);
      }
      world.hold(decision, intent);
      return unplacedStep(row, decision, context);
    });
    const own = rows.flatMap((row, index) => {
      const step = steps[index] ?? null;
      return step === null ? [] : [{ index, change: changeOf(row, step) }];
    });
    try {
      const moving = own.map(({ index }) => rows[index]!);
      const ways = await Promise.all(
        [...decided.evicted].map(([victim, by]) =>
          makeWay(victim, moving.find(({ id }) => id === by) ?? null),
        ),
      );
      const { log: plan, lastReservation } = decided;
      const changes = [...ways.flat(), ...own.map(({ change }) => change)];
      const settled = await store.system.settlePlan({ plan, changes, lastReservation, epoch: epoch() });
      const after = settled.slice(ways.flat().length);
      for (const [at, { index, change }] of own.entries()) {
        const isPutOff = after[at] === "outdated";
        precedence.note(change.id, isPutOff);
        if (isPutOff) lookedAt.delete(change.id);
        world.settled(taken[index] ?? [], isMoved(after[at]));
      }
      if (after.includes("outdated")) {
        isOutdated = true;
        outdated();
      }
      return after.some(isMoved);
    } catch (error) {
      world.settled(taken.flat(), null);
      throw error;
    }
  };

  /** New intents, one after another by priority and age; what does not fit now waits. */
  const decideArrivals = async (world: World, rows: readonly IntentRow[]): Promise<void> => {
    for (const row of rows) {
      if (!goesOn() || isOutdated) return;
      const decided = await world.decide([intentOf(row)], { explain: false });
      lookedAt.add(row.id);
      deciding.add(row.id);
      // the commit of this one and the plan of the next go on at the same time
      const written = settle(world, [row], decided)
        .then((isMoved) => {
          if (isMoved) moved();
        }, failed)
        .finally(() => {
          deciding.delete(row.id);
          settling.delete(written);
        });
      settling.add(written);
    }
  };
  /** Of the waiting intents, those that have not been looked at since they might find a place. */
  const unseenOf = async (world: World, waiting: readonly WaitingRow[]): Promise<string[]> => {
    const now = clock.wallMs();
    const offers = world.offers();
    const booked = new Map(world.reservations().map((entry) => [entry.id, entry]));
    // what begins is for those it was kept for; what ended or was given back is for all
    const isDue = [...booked.values()].some(
      ({ start }) => lookedMs < parseTime(start) && parseTime(start) <= now,
    );
    const isFreed = [...reserved].some((id) => !booked.has(id));
    reserved = new Set(
      world
        .reservations()
        .filter(({ intent }) => intent === undefined)
        .map(({ id }) => id),
    );
    const isLongAgo = clock.monoMs() - lookedMonoMs >= LOOK_AGAIN_MS;
    if (hasMoreRoom(seen, offers) || isDue || isFreed || isLongAgo) {
      lookedAt = new Set();
      lookedMs = now;
      lookedMonoMs = clock.monoMs();
    }
    seen = offers;
    const ripe = waiting.length === 0 ? [] : planner.books.ripened();
    if (ripe.length > 0)
      for (const id of mayTakeOver(waiting, ripe, await world.tenants())) lookedAt.delete(id);
    return waiting.map(({ id }) => id).filter((id) => !lookedAt.has(id) && !deciding.has(id));
  };
  const newRows = async (): Promise<IntentRow[]> => {
    const phases = ["queued", "preempted"] as const;
    const found = await store.system.inPhases({ phases, limit: ARRIVALS + deciding.size });
    const rows: IntentRow[] = [];
    for (const row of found.filter(({ id }) => !deciding.has(id))) {
      if (row.phase === "queued") rows.push(row);
      else {
        const step = { to: "queued", set: { message: "Queued again" } } as const;
        const queued = await store.system.changeIntent(changeOf(row, step));
        if (queued !== null) rows.push(queued);
      }
    }
    return rows.sort((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1)).slice(0, ARRIVALS);
  };
  const decideTogether = async (
    world: World,
    arrived: readonly IntentRow[],
    waiting: readonly string[],
  ): Promise<void> => {
    const wanted = waiting.slice(0, Math.max(1, batch - arrived.length));
    const rows = [
      ...arrived,
      ...(await store.system.intentsById(wanted)).filter(({ phase }) => phase === "waiting"),
    ];
    for (const { id } of rows) lookedAt.add(id);
    for (const id of wanted) lookedAt.add(id);
    if (rows.length === 0) return;
    if (await settle(world, rows, await world.decide(rows.map(intentOf), { explain: false }))) moved();
  };

  /** Running work with a deadline is asked for every slot: spot capacity, on demand, or a wait for either. */
  const decideSpotRuns = async (world: World): Promise<boolean> => {
    const now = clock.monoMs();
    const ids = world.spotRuns();
    if (ids.length === 0 || now < spotMs) return false;
    spotMs = now + spotSlotSeconds * 1000;
    const rows = (await store.system.intentsById(ids)).filter(({ phase }) => phase === "running");
    if (rows.length === 0) return false;
    const decided = await world.decide(rows.map(intentOf), { explain: false });
    const changes = rows.flatMap((row) => {
      const decision = decided.decisions.get(row.id);
      if (decision?.spot === undefined || decision.reason === "RUNNING") return [];
      const { message } = decision.spot;
      const set = { ending: "queued", reason: "SPOT_POLICY", message } as const;
      return [changeOf(row, { to: "releasing", set })];
    });
    let isLogged = false;
    try {
      const { log: plan, lastReservation } = decided;
      if (changes.length > 0)
        await store.system.settlePlan({ plan, changes, lastReservation, epoch: epoch() });
      isLogged = changes.length > 0;
    } finally {
      // a plan that changes nothing is not logged, and the next one must not lean on it
      if (!isLogged) world.settled([], null);
    }
    if (isLogged) moved();
    return isLogged;
  };

  return {
    async step() {
      isOutdated = false;
      // reservations wait until these are written
      if (precedence.isTaken()) await Promise.all(settling);
      const [arrived, waiting] = [await newRows(), await store.system.waiting()];
      const undecided = [...arrived, ...waiting].map(({ id }) => id);
      await precedence.update(new Set([...undecided, ...deciding]), epoch());
      const isSpotTime = planner.books.spotRuns.size > 0 && clock.monoMs() >= spotMs;
      if (arrived.length === 0 && waiting.length === 0 && !isSpotTime) return false;
      const world = await planner.look();
      const unseen = await unseenOf(world, waiting);
      if (unseen.length > 0) {
        await Promise.all(settling);
        await decideTogether(world, arrived, unseen);
        return true;
      }
      if (arrived.length === 0) return decideSpotRuns(world);
      await decideArrivals(world, arrived);
      return true;
    },
    forget() {
      lookedMs = 0;
      lookedMonoMs = Number.NEGATIVE_INFINITY;
      precedence.forget();
    },
    settling: () => [...settling],
  };
}
