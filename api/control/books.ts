import type { Intent } from "../../engine/model/intent.ts";
import type { Holding } from "../../engine/model/snapshot.ts";
import type { Clock, Env } from "../env.ts";
import type { AllocationRow } from "../store/schema.ts";
import type { HeldRow } from "../store/store.ts";
import { intentOf } from "./documents.ts";
import { type Temper, temperOf, toHolding } from "./holdings.ts";

/**
 * What we hold, as the store has it: kept up by reading what events name, not by reading everything again. What was
 * decided and is not written yet is in it too, so that the next decision does without.
 */
export interface Books {
  /** Reads what has changed since the last time. */
  refresh(): Promise<void>;
  /** Rows by key. */
  readonly rows: ReadonlyMap<string, HeldRow>;
  /** Of these, the ones that no provider was asked for yet, as far as the store knows. */
  readonly planned: ReadonlyMap<string, HeldRow>;
  /** Of these, the ones whose place the spot policy decides. */
  readonly spotRuns: ReadonlyMap<string, HeldRow>;
  /** What the planner is told about them, by key. */
  readonly holdings: ReadonlyMap<string, Holding>;
  /**
   * What runs and could not make way before: since the last call it began to run, or its guaranteed time passed; with
   * whether more urgent work may evict it.
   */
  ripened(): readonly { readonly row: HeldRow; readonly isEvictable: boolean }[];
  /** Enters what was decided before it is written. */
  take(allocations: readonly AllocationRow[], intent: Intent): void;
  /** It was written, or never will be; null: nobody knows, so everything is read again. */
  settle(allocations: readonly AllocationRow[], isWritten: boolean | null): void;
  /** The next refresh reads everything again. */
  forget(): void;
  /** Calls back with the intents that events named; null: any may have changed. */
  subscribe(listener: (intents: ReadonlySet<string> | null) => void): void;
  /** Begins to watch; each call of what is returned tells the keys that changed since the one before. */
  watch(): () => ReadonlySet<string>;
}

/** Events read at once. */
const EVENTS = 2000;
/** Intents asked for at once. */
const INTENTS = 500;

function* portions<T>(all: readonly T[], most: number): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += most) yield all.slice(at, at + most);
}

export function createBooks({ store, clock }: Pick<Env, "store"> & { readonly clock: Clock }): Books {
  const rows = new Map<string, HeldRow>();
  const planned = new Map<string, HeldRow>();
  const spotRuns = new Map<string, HeldRow>();
  const holdings = new Map<string, Holding>();
  const keysOf = new Map<string, Set<string>>();
  /** Keys that run and have not been told as ripe. */
  const ripening = new Set<string>();
  /** Keys that were decided on, until a reading that began after they were written. */
  const pending = new Set<string>();
  /** Of these, the ones that are written. */
  const written = new Set<string>();
  /** By intent and generation. */
  const tempers = new Map<string, Temper>();
  const watchers: Set<string>[] = [];
  const listeners: ((intents: ReadonlySet<string> | null) => void)[] = [];
  /** The last event whose effects are in; null: read everything. */
  let cursor: number | null = null;

  const touch = (key: string): void => {
    for (const changed of watchers) changed.add(key);
  };
  const remove = (key: string): void => {
    const row = rows.get(key);
    if (row === undefined) return;
    rows.delete(key);
    planned.delete(key);
    spotRuns.delete(key);
    holdings.delete(key);
    ripening.delete(key);
    const keys = keysOf.get(row.intent_id);
    keys?.delete(key);
    if (keys?.size === 0) keysOf.delete(row.intent_id);
    touch(key);
  };
  const put = (row: HeldRow, temper: Temper): void => {
    if (row.intent_phase !== "running") ripening.delete(row.id);
    else if (rows.get(row.id)?.intent_phase !== "running") ripening.add(row.id);
    rows.set(row.id, row);
    if (row.state === "planned") planned.set(row.id, row);
    else planned.delete(row.id);
    if (temper.isSpotRun) spotRuns.set(row.id, row);
    else spotRuns.delete(row.id);
    holdings.set(row.id, toHolding(row, temper));
    const keys = keysOf.get(row.intent_id);
    if (keys === undefined) keysOf.set(row.intent_id, new Set([row.id]));
    else keys.add(row.id);
    touch(row.id);
  };
  const temperKey = (id: string, generation: number): string => `${id} ${generation}`;
  /** Enters rows, reading what is not known of their intents. */
  const enter = async (found: readonly HeldRow[]): Promise<void> => {
    const keyOf = (row: HeldRow): string => temperKey(row.intent_id, row.intent_generation);
    const unknown = new Set(
      found.filter((row) => !tempers.has(keyOf(row))).map(({ intent_id }) => intent_id),
    );
    if (tempers.size > 2 * (rows.size + found.length) + 1000) tempers.clear();
    for (const ids of portions([...unknown], INTENTS))
      for (const row of await store.system.intentsById(ids))
        tempers.set(temperKey(row.id, row.generation), temperOf(intentOf(row)));
    for (const row of found) {
      const temper = tempers.get(keyOf(row));
      if (temper !== undefined) put(row, temper);
    }
  };
  const tell = (intents: ReadonlySet<string> | null): void => {
    for (const listener of listeners) listener(intents);
  };
  const readAll = async (): Promise<void> => {
    const { events } = await store.system.heads();
    const found = await store.system.held();
    const known = new Set(found.map(({ id }) => id));
    for (const key of [...rows.keys()]) if (!known.has(key) && !pending.has(key)) remove(key);
    await enter(found);
    cursor = events.seq;
    tell(null);
  };
  const readChanges = async (after: number): Promise<void> => {
    const changed = await store.system.changedSince({ after, limit: EVENTS });
    if (changed.length >= EVENTS) return readAll();
    const last = changed.at(-1);
    if (last === undefined) return;
    const ids = new Set(changed.map(({ subject }) => subject));
    const found: HeldRow[] = [];
    for (const some of portions([...ids], INTENTS)) found.push(...(await store.system.heldBy(some)));
    const known = new Set(found.map(({ id }) => id));
    for (const id of ids)
      for (const key of [...(keysOf.get(id) ?? [])]) if (!known.has(key) && !pending.has(key)) remove(key);
    await enter(found);
    cursor = last.seq;
    tell(ids);
  };
  let reading: Promise<unknown> = Promise.resolve();

  return {
    rows,
    planned,
    spotRuns,
    holdings,
    refresh() {
      // one after the other: what was committed before this call is seen by it
      const next = reading.then(async () => {
        const seen = [...written];
        await (cursor === null ? readAll() : readChanges(cursor));
        for (const key of seen) {
          written.delete(key);
          pending.delete(key);
        }
      });
      reading = next.catch(() => undefined);
      return next;
    },
    ripened() {
      const ripe: { row: HeldRow; isEvictable: boolean }[] = [];
      for (const key of ripening) {
        const row = rows.get(key);
        const holding = holdings.get(key);
        if (row === undefined || holding === undefined) continue;
        const { minRuntimeSeconds = 0, evictable } = holding;
        if ((row.billed_ms ?? row.created_ms) + minRuntimeSeconds * 1000 > clock.wallMs()) continue;
        ripening.delete(key);
        ripe.push({ row, isEvictable: evictable });
      }
      return ripe;
    },
    take(allocations, intent) {
      const temper = temperOf(intent);
      const owner = {
        intent_phase: "placing",
        intent_priority: intent.priority,
        intent_generation: 0,
        intent_phase_ms: clock.wallMs(),
        intent_due_ms: null,
        intent_created_ms: clock.wallMs(),
        intent_work_done_seconds: 0,
      } as const;
      for (const row of allocations) {
        pending.add(row.id);
        put({ ...row, ...owner }, temper);
      }
    },
    settle(allocations, isWritten) {
      for (const { id } of allocations) {
        if (isWritten === true) written.add(id);
        else pending.delete(id);
        if (isWritten === false) remove(id);
      }
      if (isWritten === null) cursor = null;
    },
    forget() {
      cursor = null;
    },
    subscribe(listener) {
      listeners.push(listener);
    },
    watch() {
      let changed = new Set(rows.keys());
      watchers.push(changed);
      return () => {
        const told = changed;
        changed = new Set();
        watchers[watchers.indexOf(told)] = changed;
        return told;
      };
    },
  };
}
