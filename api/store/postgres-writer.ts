import type { Kysely } from "kysely";
import pg from "pg";
import { type Head, loadHeads, type Tx } from "./chain.ts";
import { isConnectionLoss, StoreError, toStoreError } from "./errors.ts";
import { connect, drop, kyselyOver, type PostgresOptions, pause } from "./postgres.ts";
import { tokenWrites, type Writer } from "./queued-store.ts";
import type { Database } from "./schema.ts";
import type { AcceptIntent } from "./store.ts";
import { type Command, failure, type GroupResult, perform, type Reply } from "./writer.ts";

/** The lock that every group of writes holds to its commit, whichever process it comes from. */
export const WRITE_LOCK = 7_206_553_002;
/** Channel of hints: `events`, or `tokens` when tokens changed as well. */
export const CHANNEL = "flare";
/** Rows of writers that have not written for this long belong to processes that have ended. */
const WRITER_LIFE_MS = 30 * 86_400_000;

export interface PostgresWriterOptions extends PostgresOptions {
  /** Random for each start of a process. */
  readonly id: string;
  readonly hasOutbox: boolean;
  /** How long a group may look for the database, counted from its oldest write. */
  readonly deadlineMs: number;
}

/** One connection, its only user being the group that runs. */
interface Session {
  readonly client: pg.Client;
  readonly db: Kysely<Database>;
}

async function openSession(options: PostgresWriterOptions): Promise<Session> {
  const { id, clock } = options;
  const client = await connect(options, true);
  try {
    // an answered write is on disk, whatever the default of the server is
    await client.query("set synchronous_commit to on");
    await client.query("insert into writers values ($1, 0, $2) on conflict (id) do nothing", [
      id,
      clock.wallMs(),
    ]);
    await client.query("delete from writers where at_ms < $1", [clock.wallMs() - WRITER_LIFE_MS]);
  } catch (error) {
    drop(client);
    throw error;
  }
  const one = { query: client.query.bind(client) as pg.ClientBase["query"], release() {} };
  return { client, db: kyselyOver({ connect: async () => one, end: async () => {} }) };
}

/**
 * What a command can meet of other accepted intents; null: it may meet anything. Accepting looks at nothing but its own
 * name and key.
 */
function claimsOf({ tenant, name, input }: Command): readonly string[] | null {
  if (name !== "acceptIntent") return null;
  const [intent] = input as [AcceptIntent];
  const { idempotency } = intent;
  return [
    JSON.stringify(["id", intent.id]),
    JSON.stringify(["name", tenant, intent.name]),
    ...(idempotency === undefined ? [] : [JSON.stringify(["key", tenant, idempotency.key])]),
  ];
}

/** Cuts commands, in their order, into runs of ones that do not meet: these may go to the server at the same time. */
export function* runsOf(commands: readonly Command[]): Generator<readonly Command[]> {
  let run: Command[] = [];
  let claimed = new Set<string>();
  for (const command of commands) {
    const claims = claimsOf(command);
    if (run.length > 0 && (claims === null || claims.some((claim) => claimed.has(claim)))) {
      yield run;
      run = [];
      claimed = new Set();
    }
    if (claims === null) yield [command];
    else {
      run.push(command);
      for (const claim of claims) claimed.add(claim);
    }
  }
  if (run.length > 0) yield run;
}

/** What one group does in its transaction; where it is, when it fails, decides what is known about it. */
class Group {
  readonly #session: Session;
  readonly #tx: Tx;
  readonly #begin: string;
  #lastEvent: number | null = null;
  /** The head of events that was read ahead, and not appended. */
  #loaded: Head | null = null;

  constructor(session: Session, options: PostgresWriterOptions, number: number) {
    this.#session = session;
    this.#tx = { db: session.db, heads: new Map(), hasOutbox: options.hasOutbox };
    const id = pg.escapeLiteral(options.id);
    // one round trip. Each statement of it sees what was committed before the lock was had
    this.#begin = `begin; select pg_advisory_xact_lock(${WRITE_LOCK}); update writers set last_group = ${number}, at_ms = ${Math.trunc(options.clock.wallMs())} where id = ${id}`;
  }

  /** Everything up to the commit. */
  async run(commands: readonly Command[]): Promise<GroupResult> {
    const { client } = this.#session;
    await client.query(this.#begin);
    // most groups have no failing command, and need no savepoints
    const together = await this.#together(commands);
    if (together !== null) return { replies: together, lastEvent: this.#lastEvent };
    await client.query("rollback");
    await client.query(this.#begin);
    const replies = await this.#apart(commands);
    return { replies, lastEvent: this.#lastEvent };
  }

  async commit(commands: readonly Command[], { lastEvent }: GroupResult): Promise<void> {
    const hint = commands.some(({ name }) => tokenWrites.has(name)) ? "tokens" : "events";
    const notify = hint === "tokens" || lastEvent !== null ? `notify ${CHANNEL}, '${hint}'; ` : "";
    const done = (await this.#session.client.query(`${notify}commit`)) as pg.QueryResult | pg.QueryResult[];
    const last = Array.isArray(done) ? done.at(-1) : done;
    if (last?.command !== "COMMIT") throw new StoreError("internal", "the transaction was not committed");
  }

  async #together(commands: readonly Command[]): Promise<Reply[] | null> {
    const replies: Reply[] = [];
    try {
      for (const run of runsOf(commands)) {
        if (run.length > 1) await this.#loadHeads();
        const settled = await Promise.allSettled(run.map((command) => this.#perform(command)));
        const failed = settled
          .filter((one) => one.status === "rejected")
          .map(({ reason }) => reason as unknown);
        if (failed.length > 0) throw failed.find(isConnectionLoss) ?? failed[0];
        for (const one of settled) replies.push({ value: (one as PromiseFulfilledResult<unknown>).value });
      }
      return replies;
    } catch (error) {
      if (isConnectionLoss(error)) throw error;
      this.#tx.heads.clear();
      this.#loaded = null;
      this.#lastEvent = null;
      return null;
    }
  }

  /** A command that fails is rolled back alone. */
  async #apart(commands: readonly Command[]): Promise<Reply[]> {
    const { client } = this.#session;
    const replies: Reply[] = [];
    for (const command of commands) {
      await client.query("savepoint one");
      try {
        replies.push({ value: await this.#perform(command) });
        await client.query("release one");
      } catch (error) {
        if (isConnectionLoss(error)) throw error;
        this.#tx.heads.clear();
        await client.query("rollback to one");
        replies.push(failure(error));
      }
    }
    return replies;
  }

  async #loadHeads(): Promise<void> {
    const { heads } = this.#tx;
    const isNew = !heads.has("events");
    await loadHeads(this.#tx);
    if (isNew) this.#loaded = heads.get("events") ?? null;
  }

  async #perform(command: Command): Promise<unknown> {
    const value = await perform(this.#tx, command);
    const head = this.#tx.heads.get("events");
    // otherwise read for appending only, and forgotten between groups
    if (head !== undefined && head !== this.#loaded) this.#lastEvent = head.seq;
    return value;
  }
}

/** Whether a group was committed: the lock waits for the old session's transaction to end, either way. */
async function wasCommitted({ client }: Session, id: string, number: number): Promise<boolean> {
  await client.query(`begin; select pg_advisory_xact_lock(${WRITE_LOCK})`);
  const { rows } = await client.query<{ last_group: number }>(
    "select last_group from writers where id = $1",
    [id],
  );
  await client.query("rollback");
  return rows[0]?.last_group === number;
}

/**
 * The writer of one process: groups of commands, each in one transaction under a lock that all processes share, so
 * that writes happen one after another as in SQLite: the chains have no gaps, and an event is visible only after
 * every event with a smaller number.
 *
 * A connection that is lost before the commit was sent leaves nothing, and the group runs again. One that is lost
 * during the commit leaves a question, which the number of the group in table `writers` answers on the next connection.
 * Without an answer in time the commands fail with `unknown`.
 */
export function createPostgresWriter(options: PostgresWriterOptions): Writer {
  const { id, deadlineMs, clock, log } = options;
  let session: Session | null = null;
  let numbered = 0;
  let isClosed = false;

  const open = async (): Promise<Session> => {
    session ??= await openSession(options);
    return session;
  };
  const lose = (): void => {
    if (session !== null) drop(session.client);
    session = null;
  };
  /** One try. `doubt.result` is set while a commit is under way that nothing was heard of. */
  const attempt = async (
    commands: readonly Command[],
    number: number,
    doubt: { result: GroupResult | null },
  ): Promise<GroupResult> => {
    const current = await open();
    if (doubt.result !== null) {
      const { result } = doubt;
      const isDone = await wasCommitted(current, id, number);
      log.warn({ group: number, isDone }, "a commit whose answer was lost was looked up");
      doubt.result = null;
      if (isDone) return result;
    }
    const group = new Group(current, options, number);
    const result = await group.run(commands);
    doubt.result = result;
    try {
      await group.commit(commands, result);
    } catch (error) {
      // an answer to the commit that says no leaves no doubt
      if (!isConnectionLoss(error)) doubt.result = null;
      throw error;
    }
    return result;
  };
  return {
    async run(commands, sinceMs) {
      const number = ++numbered;
      const doubt: { result: GroupResult | null } = { result: null };
      for (;;)
        try {
          return await attempt(commands, number, doubt);
        } catch (error) {
          lose();
          const isCertain = doubt.result === null;
          // while nobody knows whether it was done, whatever keeps this from looking may pass
          if (isCertain && !isConnectionLoss(error)) throw toStoreError(error);
          if (isClosed || clock.monoMs() >= sinceMs + deadlineMs)
            throw isCertain
              ? toStoreError(error)
              : new StoreError("unknown", "the connection was lost during a commit");
          await pause(options);
        }
    },
    async close() {
      isClosed = true;
      if (session !== null) await session.client.end();
      session = null;
    },
  };
}
