import { StoreError, toStoreError } from "./errors.ts";
import { systemOperations, tenantOperations } from "./operations/registry.ts";
import type { Store, SystemStore, TenantStore } from "./store.ts";
import type { TenantId } from "./tenant.ts";
import { type Command, type GroupResult, operationOf } from "./writer.ts";

/** Writes that may wait before callers are told to come back. */
const MOST_WAITING = 4096;
/** Writes in one transaction, unless said otherwise: bounds how long the last of them waits for the first. */
const MOST_IN_GROUP = 256;
/** Tokens whose rows are kept. */
const MOST_TOKENS = 10_000;

/** Writes after which a token that was read may be another one. */
export const tokenWrites: ReadonlySet<string> = new Set([
  "createFirstToken",
  "createToken",
  "revokeToken",
  "revokeIdentity",
  "touchTokens",
  "changeTenant",
]);
/** Writes that do not wait for others: a lease that queues behind a thousand intents is lost meanwhile. */
const urgent: ReadonlySet<string> = new Set(["takeLease", "renewLease", "releaseLease"]);

/** Runs groups one after another; the store never sends a second before the first is answered. */
export interface Writer {
  /** `sinceMs`: when the oldest of them was handed in, by the store's clock. */
  run(commands: readonly Command[], sinceMs: number): Promise<GroupResult>;
  close(): Promise<void>;
}

/** What a store is made of. */
export interface StoreParts {
  readonly writer: Writer;
  /** Answers a command that only reads; absent: the writer does. */
  readonly read?: (command: Command) => Promise<unknown>;
  readonly onFatal: (message: string) => void;
  readonly mostInGroup?: number;
  /** Monotonic milliseconds; absent: time does not matter. */
  readonly nowMs?: () => number;
  /** How long the row of a token may be taken as read, where others may change it; default for ever. */
  readonly tokenLifeMs?: number;
  /** Ends what reads, after the last write. */
  readonly close?: () => Promise<void> | void;
}

/** A store, and what its maker may tell it. */
export interface QueuedStore extends Store {
  /** Others have appended events, up to `lastSeq`. */
  heard(lastSeq: number): void;
  /** Others have changed tokens. */
  forgetTokens(): void;
}

interface Pending {
  readonly command: Command;
  readonly sinceMs: number;
  readonly settle: PromiseWithResolvers<unknown>;
}

interface Counts {
  commits: number;
  writes: number;
}

/** Writes in the order of their arrival, as many at once as wait. */
function createQueue(parts: StoreParts, settled: (group: readonly Command[], result: GroupResult) => void) {
  const { writer, mostInGroup = MOST_IN_GROUP, nowMs = () => 0 } = parts;
  const queue: Pending[] = [];
  const counts: Counts = { commits: 0, writes: 0 };
  let running: Promise<void> | null = null;

  const settleGroup = (group: readonly Pending[], result: GroupResult): void => {
    counts.commits++;
    counts.writes += group.length;
    settled(
      group.map(({ command }) => command),
      result,
    );
    group.forEach(({ settle }, index) => {
      const reply = result.replies[index];
      if (reply !== undefined && "value" in reply) settle.resolve(reply.value);
      else settle.reject(new StoreError(reply?.error.code ?? "internal", reply?.error.message ?? "no reply"));
    });
  };
  /** One group after another: what arrives while one is being synced makes the next. */
  const drain = async (): Promise<void> => {
    // everything that this turn of the event loop asks for shares the first commit
    await Promise.resolve();
    while (queue.length > 0) {
      const group = queue.splice(0, mostInGroup);
      try {
        const commands = group.map(({ command }) => command);
        settleGroup(group, await writer.run(commands, group[0]?.sinceMs ?? nowMs()));
      } catch (error) {
        for (const { settle } of group) settle.reject(toStoreError(error));
      }
    }
    running = null;
  };
  return {
    counts,
    waiting: () => queue.length,
    submit(command: Command): Promise<unknown> {
      const isUrgent = urgent.has(command.name);
      if (queue.length >= MOST_WAITING && !isUrgent)
        return Promise.reject(new StoreError("overloaded", `${MOST_WAITING} writes wait already`));
      const settle = Promise.withResolvers<unknown>();
      const pending = { command, sinceMs: nowMs(), settle };
      const behind = isUrgent ? queue.findIndex(({ command: { name } }) => !urgent.has(name)) : -1;
      if (behind === -1) queue.push(pending);
      else queue.splice(behind, 0, pending);
      running ??= drain();
      return settle.promise;
    },
    idle: async () => running,
  };
}

/** Rows of tokens that were asked for: every request asks, and they hardly ever change. */
function createTokenCache({ nowMs = () => 0, tokenLifeMs = Number.POSITIVE_INFINITY }: StoreParts) {
  const tokens = new Map<unknown, { readonly row: unknown; readonly readMs: number }>();
  return {
    forget: () => tokens.clear(),
    async read(id: unknown, ask: () => Promise<unknown>): Promise<unknown> {
      const known = tokens.get(id);
      // told by when it was asked for, not by when the answer came
      const readMs = nowMs();
      if (known !== undefined && readMs - known.readMs < tokenLifeMs) return known.row;
      const row = await ask();
      if (tokens.size >= MOST_TOKENS) tokens.clear();
      if (row !== null) tokens.set(id, { row, readMs });
      return row;
    },
  };
}

/** The queue in front of a writer, and the methods in front of the queue. */
export function createQueuedStore(parts: StoreParts): QueuedStore {
  const { writer, read, onFatal } = parts;
  const listeners = new Set<(lastSeq: number, isForeign: boolean) => void>();
  const scopes = new Map<TenantId, TenantStore>();
  const tokens = createTokenCache(parts);
  let isClosed = false;
  let lastHeard = 0;

  const tell = (lastSeq: number, isForeign: boolean): void => {
    lastHeard = Math.max(lastHeard, lastSeq);
    for (const listener of listeners) listener(lastSeq, isForeign);
  };
  const queue = createQueue(parts, (group, result) => {
    if (group.some(({ name }) => tokenWrites.has(name))) tokens.forget();
    if (result.lastEvent !== null) tell(result.lastEvent, false);
    if (result.fatal !== undefined) onFatal(result.fatal);
  });
  const call = async (command: Command): Promise<unknown> => {
    if (isClosed) throw new StoreError("unavailable", "the store is closed");
    if (read === undefined || operationOf(command).mode === "write") return queue.submit(command);
    try {
      if (command.name !== "tokenById") return await read(command);
      return await tokens.read(command.input[0], () => read(command));
    } catch (error) {
      throw toStoreError(error);
    }
  };
  const methods = (names: readonly string[], tenant: TenantId | null): unknown =>
    Object.fromEntries(names.map((name) => [name, (...input: unknown[]) => call({ tenant, name, input })]));

  return {
    forTenant(tenant) {
      const known = scopes.get(tenant);
      if (known !== undefined) return known;
      const made = methods(Object.keys(tenantOperations), tenant) as TenantStore;
      scopes.set(tenant, made);
      return made;
    },
    system: methods(Object.keys(systemOperations), null) as SystemStore,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    heard(lastSeq) {
      if (lastSeq > lastHeard) tell(lastSeq, true);
    },
    forgetTokens: tokens.forget,
    stats: () => ({ ...queue.counts, waiting: queue.waiting() }),
    async close() {
      if (isClosed) return;
      isClosed = true;
      await queue.idle();
      await parts.close?.();
      await writer.close();
    },
  };
}
