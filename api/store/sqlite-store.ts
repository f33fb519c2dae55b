import { Worker } from "node:worker_threads";
import { sqliteDialect } from "./dialect.ts";
import { StoreError, toStoreError } from "./errors.ts";
import { migrate } from "./migrate.ts";
import { systemOperations, tenantOperations } from "./operations/registry.ts";
import { type Connection, type OpenOptions, openSqlite } from "./sqlite.ts";
import type { Store, SystemStore, TenantStore } from "./store.ts";
import type { TenantId } from "./tenant.ts";
import {
  type Command,
  type GroupResult,
  operationOf,
  perform,
  runGroup,
  type WriterState,
} from "./writer.ts";

/** Writes that may wait before callers are told to come back. */
const MOST_WAITING = 4096;
/** Writes in one transaction, unless said otherwise: bounds how long the last of them waits for the first. */
const MOST_IN_GROUP = 256;

/** Writes after which a token that was read may be another one. */
const tokenWrites: ReadonlySet<string> = new Set([
  "createToken",
  "revokeToken",
  "touchTokens",
  "changeTenant",
]);
/** Tokens whose rows are kept. */
const MOST_TOKENS = 10_000;

/** Runs groups one after another; the store never sends a second before the first is answered. */
interface Writer {
  run(commands: readonly Command[]): Promise<GroupResult>;
  close(): Promise<void>;
}

export interface SqliteStoreOptions {
  /** Database file; its folder exists. */
  readonly path: string;
  /** See `OpenOptions`. */
  readonly synchronous?: OpenOptions["synchronous"];
  /** Puts every event into the outbox as well; somebody has to empty it. Default false. */
  readonly hasOutbox?: boolean;
  /** Writes that share one commit at most; 1 is the baseline that benches compare with. Default 256. */
  readonly mostInGroup?: number;
  /** Called once when the storage can no longer be trusted; the process is to end. */
  readonly onFatal: (message: string) => void;
}

/**
 * Opens the durable store: one worker thread writes in groups, this thread reads through a connection of its own, so
 * that a read never waits for a sync.
 *
 * @throws {StoreError} `unavailable` when the database cannot be opened, is in use, or has a newer schema
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, onFatal, synchronous = "full", hasOutbox = false, mostInGroup } = options;
  const writer = await startThread({ path, synchronous, hasOutbox }, onFatal);
  return createStore(writer, openSqlite({ path, readOnly: true }), onFatal, mostInGroup);
}

/**
 * A store in this thread, for tests and simulations: same operations, same database engine, `:memory:` or a given
 * connection. Nothing in it depends on the operating system's timing.
 */
export async function openLocalStore(
  connection: Connection = openSqlite({ path: ":memory:" }),
): Promise<Store> {
  await migrate(connection.db, sqliteDialect);
  const state: WriterState = { heads: new Map(), hasOutbox: true };
  const writer: Writer = {
    run: (commands) => runGroup(connection, state, commands),
    close: async () => connection.close(),
  };
  return createStore(writer, null, (message) => {
    throw new StoreError("unavailable", message);
  });
}

// compiled code lies next to compiled code
const entry = new URL(
  import.meta.url.endsWith(".ts") ? "./sqlite-worker.ts" : "./sqlite-worker.js",
  import.meta.url,
);

async function startThread(
  options: OpenOptions & Pick<WriterState, "hasOutbox">,
  onFatal: (message: string) => void,
): Promise<Writer> {
  const worker = new Worker(entry, { workerData: options });
  let answer: PromiseWithResolvers<GroupResult> | null = null;
  const ready = Promise.withResolvers<void>();
  let isClosing = false;
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  const fail = (message: string): void => {
    const error = new StoreError("unavailable", message);
    ready.reject(error);
    answer?.reject(error);
    answer = null;
  };
  worker.on("message", (message: "ready" | GroupResult) => {
    if (message === "ready") ready.resolve();
    else {
      const waiting = answer;
      answer = null;
      waiting?.resolve(message);
    }
  });
  let isReady = false;
  const died = (message: string): void => {
    fail(message);
    if (isReady && !isClosing) onFatal(message);
  };
  worker.on("error", (error: Error) => died(`the store thread failed: ${error.message}`));
  worker.on("exit", (code) => died(`the store thread ended with code ${code}`));
  await ready.promise;
  isReady = true;
  return {
    run(commands) {
      answer = Promise.withResolvers<GroupResult>();
      worker.postMessage(commands);
      return answer.promise;
    },
    async close() {
      isClosing = true;
      worker.postMessage("close");
      await exited;
    },
  };
}

interface Pending {
  readonly command: Command;
  readonly settle: PromiseWithResolvers<unknown>;
}

/** The queue in front of a writer, and the methods in front of the queue. */
function createStore(
  writer: Writer,
  reader: Connection | null,
  onFatal: (message: string) => void,
  mostInGroup: number = MOST_IN_GROUP,
): Store {
  const queue: Pending[] = [];
  const listeners = new Set<(lastSeq: number) => void>();
  const scopes = new Map<TenantId, TenantStore>();
  /** Rows of tokens that were asked for: every request asks, and only writes that pass through here change them. */
  const tokens = new Map<unknown, unknown>();
  let running: Promise<void> | null = null;
  let isClosed = false;
  let commits = 0;
  let writes = 0;

  const settleGroup = (group: readonly Pending[], result: GroupResult): void => {
    commits++;
    writes += group.length;
    if (group.some(({ command }) => tokenWrites.has(command.name))) tokens.clear();
    group.forEach(({ settle }, index) => {
      const reply = result.replies[index];
      if (reply !== undefined && "value" in reply) settle.resolve(reply.value);
      else settle.reject(new StoreError(reply?.error.code ?? "internal", reply?.error.message ?? "no reply"));
    });
    if (result.lastEvent !== null) for (const listener of listeners) listener(result.lastEvent);
    if (result.fatal !== undefined) onFatal(result.fatal);
  };
  /** One group after another: what arrives while one is being synced makes the next. */
  const drain = async (): Promise<void> => {
    // everything that this turn of the event loop asks for shares the first commit
    await Promise.resolve();
    while (queue.length > 0) {
      const group = queue.splice(0, mostInGroup);
      try {
        settleGroup(group, await writer.run(group.map(({ command }) => command)));
      } catch (error) {
        for (const { settle } of group) settle.reject(toStoreError(error));
      }
    }
    running = null;
  };
  const submit = (command: Command): Promise<unknown> => {
    if (isClosed) return Promise.reject(new StoreError("unavailable", "the store is closed"));
    if (queue.length >= MOST_WAITING)
      return Promise.reject(new StoreError("overloaded", `${MOST_WAITING} writes wait already`));
    const settle = Promise.withResolvers<unknown>();
    queue.push({ command, settle });
    running ??= drain();
    return settle.promise;
  };
  const call = async (command: Command): Promise<unknown> => {
    if (reader === null || operationOf(command).mode === "write") return submit(command);
    if (isClosed) throw new StoreError("unavailable", "the store is closed");
    if (command.name === "tokenById" && tokens.has(command.input[0])) return tokens.get(command.input[0]);
    try {
      const value = await perform({ db: reader.db, heads: new Map(), hasOutbox: false }, command);
      if (command.name === "tokenById" && value !== null && tokens.size < MOST_TOKENS)
        tokens.set(command.input[0], value);
      return value;
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
    stats: () => ({ commits, writes, waiting: queue.length }),
    async close() {
      if (isClosed) return;
      isClosed = true;
      await running;
      reader?.close();
      await writer.close();
    },
  };
}
