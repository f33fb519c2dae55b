import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import type { Clock, Log, Timers } from "../env.ts";
import { isConnectionLoss, StoreError } from "./errors.ts";
import type { Database } from "./schema.ts";

/** Where a PostgreSQL database is, and how long to wait for it. */
export interface PostgresOptions {
  /** `postgres://user@host/database?sslmode=verify-full`; what is missing comes from `PG*` variables and `~/.pgpass`. */
  readonly url: string;
  /** A session that stands still inside a transaction for this long is ended by the server, and its locks with it. */
  readonly idleMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

/** How long one connection attempt, and one statement, may take. */
const CONNECT_MS = 3000;
const STATEMENT_MS = 30_000;
/** Statements that the server keeps prepared: all texts come from code, those with lists of any length do not count. */
const MOST_PREPARED = 300;
const INT8 = 20;
/** Waits between attempts to reach the database. */
const RETRY_MS = 100;

function readInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new StoreError("internal", "a number of the database is too large");
  return value;
}

const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === INT8 ? readInt8 : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/** Settings of every session: durable commits, and an end to everything that stands still. */
export function sessionSettings({ url, idleMs }: PostgresOptions): pg.ClientConfig {
  return {
    connectionString: url,
    types,
    keepAlive: true,
    application_name: "flare",
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    // the server's own limit comes first, unless the network has gone
    query_timeout: STATEMENT_MS + 5000,
    idle_in_transaction_session_timeout: idleMs,
  };
}

/** What Kysely needs of a connection or a pool. */
interface Source {
  connect(): Promise<{ query: pg.ClientBase["query"]; release(destroy?: boolean): void }>;
  end(): Promise<void>;
}

/** Kysely on connections whose statements the server plans once. */
export function kyselyOver(source: Source): Kysely<Database> {
  const names = new Map<string, string>();
  const nameOf = (text: string): string | undefined => {
    const known = names.get(text);
    if (known !== undefined || names.size >= MOST_PREPARED) return known;
    const name = `flare${names.size}`;
    names.set(text, name);
    return name;
  };
  return new Kysely<Database>({
    dialect: new PostgresDialect({
      pool: {
        async connect() {
          const client = await source.connect();
          const query = async (text: unknown, values?: readonly unknown[]) => {
            const name = nameOf(String(text));
            return client.query({
              text: String(text),
              values: [...(values ?? [])],
              ...(name === undefined ? {} : { name }),
            });
          };
          return { query: query as never, release: (destroy) => client.release(destroy) };
        },
        end: () => source.end(),
      },
    }),
  });
}

/**
 * Opens one connection. Errors after that show in its queries alone. A pipelined one sends queries that are asked at the
 * same time without waiting for each other's answers; the server runs them one after another.
 */
export async function connect(options: PostgresOptions, isPipelined: boolean = false): Promise<pg.Client> {
  const client = new pg.Client({ ...sessionSettings(options), pipeline: isPipelined });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    drop(client);
    throw error;
  }
}

/** Lets go of a connection that may no longer answer. */
export function drop(client: pg.Client): void {
  client.end().catch(() => undefined);
}

/** Waits a moment. */
export const pause = ({ timers }: Pick<PostgresOptions, "timers">, ms: number = RETRY_MS): Promise<void> =>
  new Promise((resolve) => void timers.after(ms, resolve));

/**
 * Runs until it succeeds, again after every lost connection, up to `untilMs` of the monotonic clock.
 *
 * @throws the last error
 */
export async function persist<T>(
  options: Pick<PostgresOptions, "clock" | "timers">,
  untilMs: number,
  run: () => Promise<T>,
): Promise<T> {
  for (;;)
    try {
      return await run();
    } catch (error) {
      if (!isConnectionLoss(error) || options.clock.monoMs() >= untilMs) throw error;
      await pause(options);
    }
}

// credentials up to the last @ of the authority and path; a password with an unencoded ? or # is not an address
const ADDRESS = /^(postgres(?:ql)?:\/\/)(?:[^?#]*@)?([^@/?#]*)(\/[^@?#]*)?(?:[?#][^@]*)?$/;

/**
 * What of a URL may be shown: no credentials, no parameters.
 *
 * @throws {Error} when it is not the URL of a PostgreSQL database
 */
export function describeUrl(url: string): string {
  const [, scheme, host, path = ""] = ADDRESS.exec(url) ?? [];
  if (scheme === undefined) throw new Error("the store is not a postgres:// URL");
  return `${scheme}${host}${path}`;
}
