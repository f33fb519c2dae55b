import type { Kysely } from "kysely";
import pg from "pg";
import type { Ids } from "../env.ts";
import { postgresDialect } from "./dialect.ts";
import { toStoreError } from "./errors.ts";
import { migrate } from "./migrate.ts";
import { kyselyOver, type PostgresOptions, persist, sessionSettings } from "./postgres.ts";
import { type Feed, followFeed } from "./postgres-feed.ts";
import { createPostgresWriter } from "./postgres-writer.ts";
import { createQueuedStore, type QueuedStore } from "./queued-store.ts";
import type { Database } from "./schema.ts";
import type { Store } from "./store.ts";
import { perform } from "./writer.ts";

/** Connections for reading. With the writer's, the feed's and the federation's, a process has at most seven. */
const MOST_READERS = 4;
/** How long a write looks for a database that is not there, and a read. */
const WRITE_DEADLINE_MS = 10_000;
const READ_DEADLINE_MS = 5000;
/** A token that was read is taken as read for this long, where no hint says that it changed. */
const TOKEN_LIFE_MS = 400;
const POLL_MS = 250;
/** Writes in one transaction: all other processes wait for it. */
const MOST_IN_GROUP = 64;

export interface PostgresStoreOptions extends PostgresOptions {
  readonly ids: Ids;
  /** Puts every event into the outbox as well; somebody has to empty it. The same for all processes. Default false. */
  readonly hasOutbox?: boolean;
  /** False: does without LISTEN and NOTIFY. Default true. */
  readonly hasHints?: boolean;
  readonly writeDeadlineMs?: number;
}

/** A pool of sessions that read. */
export interface Reader {
  readonly db: Kysely<Database>;
  close(): Promise<void>;
}

/** Opens sessions for reading. */
export function openReader(options: PostgresOptions, most: number = MOST_READERS): Reader {
  const pool = new pg.Pool({ ...sessionSettings(options), max: most });
  // a session that the server ends while a query runs on it says so twice; the query's own error is enough
  pool.on("connect", (client) => client.on("error", () => undefined));
  pool.on("error", (error) => options.log.warn({ error: String(error) }, "a database connection ended"));
  const db = kyselyOver({
    async connect() {
      const client = await pool.connect();
      return { query: client.query.bind(client), release: (destroy) => client.release(destroy) };
    },
    end: () => pool.end(),
  });
  return { db, close: () => pool.end() };
}

/**
 * Opens a database that several processes share, and brings it to the present schema.
 *
 * @throws {StoreError} `unavailable` when it cannot be reached, or has a newer schema
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { ids, clock, hasOutbox = false, hasHints = true, writeDeadlineMs = WRITE_DEADLINE_MS } = options;
  const reader = openReader(options);
  try {
    const untilMs = clock.monoMs() + writeDeadlineMs;
    await persist(options, untilMs, () => migrate(reader.db, postgresDialect));
  } catch (error) {
    await reader.close();
    throw toStoreError(error);
  }
  const tx = { db: reader.db, heads: new Map(), hasOutbox: false };
  const writer = createPostgresWriter({
    ...options,
    id: ids.next("writer"),
    hasOutbox,
    deadlineMs: writeDeadlineMs,
  });
  let feed: Feed | null = null;
  const store: QueuedStore = createQueuedStore({
    writer,
    read: (command) => persist(options, clock.monoMs() + READ_DEADLINE_MS, () => perform(tx, command)),
    // a server that cannot sync ends by itself, and comes back with what it had synced
    onFatal() {},
    mostInGroup: MOST_IN_GROUP,
    nowMs: clock.monoMs,
    tokenLifeMs: TOKEN_LIFE_MS,
    async close() {
      await feed?.stop();
      await reader.close();
    },
  });
  feed = followFeed({
    ...options,
    pollMs: POLL_MS,
    hasHints,
    onEvents: store.heard,
    onTokens: store.forgetTokens,
  });
  const { isTroubled } = feed;
  return { ...store, trouble: () => (isTroubled() ? "the database does not answer" : null) };
}
