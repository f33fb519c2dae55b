import { join } from "node:path";
import type { InProcessOptions } from "../adapters/federation/in-process.ts";
import { openJournal } from "../adapters/federation/journal.ts";
import { createSharedJournal } from "../adapters/federation/shared-journal.ts";
import { createElection, type Leadership } from "./control/leader.ts";
import type { Env } from "./env.ts";
import { waitingTimers } from "./platform/node-env.ts";
import { connect } from "./store/postgres.ts";
import { openPostgresStore } from "./store/postgres-store.ts";
import { DATABASE_FILE } from "./store/sqlite-backup.ts";
import { openSqliteStore, type SqliteStoreOptions } from "./store/sqlite-store.ts";
import type { Store } from "./store/store.ts";

/** A PostgreSQL database that several replicas share. */
export interface SharedDatabase {
  /** `postgres://...`; may hold a password and is never shown. */
  readonly url: string;
  /** A leader that shows no sign for this long is replaced, milliseconds; default 3,000. */
  readonly leaseMs?: number;
  /** False: does without LISTEN and NOTIFY, as behind a pooler that does not carry them. Default true. */
  readonly hasHints?: boolean;
}

export interface StorageOptions {
  /** Folder of the database, or of what a replica keeps for itself. */
  readonly data: string;
  /** Absent: SQLite in the folder, for one process. */
  readonly postgres?: SharedDatabase;
  readonly hasOutbox: boolean;
  readonly synchronous?: SqliteStoreOptions["synchronous"];
  readonly onFatal: (message: string) => void;
}

/** Where a service keeps everything, and whether it shares it. */
export interface Storage {
  readonly store: Store;
  /** What the in-process federation remembers with. */
  readonly memory: Pick<InProcessOptions, "journal" | "shared">;
  /** Who decides; absent: this process alone. */
  readonly elect?: (env: Env, onGain: () => void) => Leadership;
}

const LEASE_MS = 3000;

/** Opens the store and the federation's memory: in the folder, or in the database that all replicas share. */
export async function openStorage(
  options: StorageOptions,
  base: Pick<Env, "clock" | "timers" | "ids" | "log">,
): Promise<Storage> {
  const { data, postgres, hasOutbox, synchronous, onFatal } = options;
  if (postgres === undefined) {
    const path = join(data, DATABASE_FILE);
    const rest = synchronous === undefined ? {} : { synchronous };
    // before the store, whose thread keeps the process alive: where this fails, nothing is left open
    const journal = openJournal(join(data, "federation.db"));
    return { store: await openSqliteStore({ path, hasOutbox, onFatal, ...rest }), memory: { journal } };
  }
  const { url, leaseMs = LEASE_MS, hasHints = true } = postgres;
  // a leader that stands still inside a transaction must not keep its successor waiting
  const session = { ...base, timers: waitingTimers, url, idleMs: Math.ceil(leaseMs / 2) };
  return {
    store: await openPostgresStore({ ...session, hasOutbox, hasHints }),
    memory: { shared: createSharedJournal(() => connect(session)) },
    elect: (env, onGain) => createElection(env, { leaseMs, onGain }),
  };
}
