import { DatabaseSync } from "node:sqlite";
import { AdapterError, type ReserveRequest } from "../port.ts";

/** All that the in-process federation knows about one key. Times are milliseconds since 1970. */
export interface HeldEntry {
  readonly request: ReserveRequest;
  readonly costMicro: number;
  readonly reservedMs: number;
  readonly expiresMs: number;
  readonly contract?: string;
  readonly peeredMs?: number;
  readonly deployedMs?: number;
  /** When the work ends by itself; absent: it runs until released. */
  readonly endsMs?: number;
  /** How its work is kept: what was done before, and how often a checkpoint is made. Seconds. */
  readonly work?: { readonly before: number; readonly checkpoint: number };
  /** What is kept of the work of a key that was lost or released, seconds. */
  readonly kept?: number;
  /** Taken away by the provider. */
  readonly lost?: {
    readonly reason: "interrupted" | "failed" | "expired" | "revoked";
    readonly message: string;
  };
  readonly released: boolean;
}

/** Where the in-process federation remembers, as real providers do when their customer restarts. */
export interface Journal {
  load(): Iterable<HeldEntry>;
  save(entry: HeldEntry): void;
  close(): void;
}

/** Remembers nothing: for tests that end with the process. */
export const forgetful: Journal = { load: () => [], save: () => {}, close: () => {} };

/**
 * Remembers in a file of its own. Survives the end of the process; after a power failure the last moments may be
 * missing, like a provider that lost a contract: reconciliation deals with it.
 */
export function openJournal(path: string): Journal {
  const database = new DatabaseSync(path, { timeout: 5000 });
  database.exec("pragma journal_mode = wal; pragma synchronous = normal");
  database.exec("create table if not exists held (key text primary key, entry text not null) strict");
  const put = database.prepare(
    "insert into held values (?, ?) on conflict (key) do update set entry = excluded.entry",
  );
  return {
    load: () =>
      database
        .prepare("select entry from held order by key")
        .all()
        .map((row) => JSON.parse(String(row["entry"])) as HeldEntry),
    save(entry) {
      try {
        put.run(entry.request.key, JSON.stringify(entry));
      } catch (error) {
        throw new AdapterError("unavailable", "the provider could not write it down", { cause: error });
      }
    },
    close: () => database.close(),
  };
}
