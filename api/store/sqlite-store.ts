import { Worker } from "node:worker_threads";
import { sqliteDialect } from "./dialect.ts";
import { StoreError } from "./errors.ts";
import { migrate } from "./migrate.ts";
import { createQueuedStore, type Writer } from "./queued-store.ts";
import { type Connection, type OpenOptions, openSqlite } from "./sqlite.ts";
import type { Store } from "./store.ts";
import { type GroupResult, perform, runGroup, type WriterState } from "./writer.ts";

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
  const reader = openSqlite({ path, readOnly: true });
  return createQueuedStore({
    writer,
    read: (command) => perform({ db: reader.db, heads: new Map(), hasOutbox: false }, command),
    onFatal,
    ...(mostInGroup === undefined ? {} : { mostInGroup }),
    close: () => reader.close(),
  });
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
  return createQueuedStore({
    writer,
    onFatal(message) {
      throw new StoreError("unavailable", message);
    },
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
