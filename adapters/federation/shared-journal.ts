import { AdapterError } from "../port.ts";
import type { HeldEntry } from "./journal.ts";

/** What one connection to a SQL database does. */
export interface SqlSession {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly object[] }>;
  end(): Promise<void>;
}

/** Entries that were written since the last time, by anybody. */
export interface Changes {
  /** True: these are all entries there are, and what was known before counts no more. */
  readonly isAll: boolean;
  readonly entries: readonly HeldEntry[];
}

/** What is done on the newest entries, in one go; what it saves is written before its answer is given. */
export type JournalCall<T> = (changes: Changes, save: (entry: HeldEntry) => void) => T;

/** A memory that several processes share, as they would share the providers. */
export interface SharedJournal {
  /**
   * Runs something that saves nothing.
   *
   * @throws {AdapterError} `unavailable`
   */
  look<T>(run: JournalCall<T>): Promise<T>;
  /**
   * Runs while no other process does.
   *
   * @throws {AdapterError} `unavailable`: it is not known whether what was saved is written, and everything is read anew
   */
  alone<T>(run: JournalCall<T>): Promise<T>;
  close(): Promise<void>;
}

/** The lock that a process holds while it changes the memory. */
const LOCK = 7_206_553_003;

interface Row {
  readonly entry: string;
  readonly rev: number;
}

interface Pending {
  readonly run: JournalCall<unknown>;
  readonly isWriting: boolean;
  readonly settle: PromiseWithResolvers<unknown>;
}

const none: Changes = { isAll: false, entries: [] };

/**
 * The memory in a PostgreSQL table of its own. It stands for systems that are not ours: nothing else of the service is
 * in its transactions. Calls that arrive together share one.
 */
export function createSharedJournal(open: () => Promise<SqlSession>): SharedJournal {
  let session: SqlSession | null = null;
  /** Everything up to this revision is known to this process. */
  let known = 0;
  let isFresh = true;
  let running: Promise<void> | null = null;
  let isClosed = false;
  const queue: Pending[] = [];

  const connect = async (): Promise<SqlSession> => {
    if (session !== null) return session;
    const made = await open();
    await made.query("begin");
    await made.query(`select pg_advisory_xact_lock(${LOCK})`);
    await made.query(
      "create table if not exists federation_journal (key text primary key, entry text not null, rev bigint not null)",
    );
    await made.query("create index if not exists federation_journal_by_rev on federation_journal (rev)");
    await made.query("commit");
    session = made;
    return made;
  };
  const read = async (on: SqlSession): Promise<Changes> => {
    const isAll = isFresh;
    const { rows } = await on.query(
      "select entry, rev from federation_journal where rev > $1 order by rev, key",
      [isAll ? 0 : known],
    );
    const found = rows as readonly Row[];
    if (found.length === 0 && !isAll) return none;
    known = Number(found.at(-1)?.rev ?? known);
    isFresh = false;
    return { isAll, entries: found.map(({ entry }) => JSON.parse(entry) as HeldEntry) };
  };
  const write = async (on: SqlSession, saved: ReadonlyMap<string, HeldEntry>): Promise<void> => {
    if (saved.size === 0) return;
    const { rows } = await on.query("select coalesce(max(rev), 0) + 1 as rev from federation_journal");
    const rev = Number((rows[0] as Row).rev);
    const keys = [...saved.keys()];
    const entries = [...saved.values()].map((entry) => JSON.stringify(entry));
    await on.query(
      `insert into federation_journal select key, entry, $3 from unnest($1::text[], $2::text[]) as given (key, entry)
       on conflict (key) do update set entry = excluded.entry, rev = excluded.rev`,
      [keys, entries, rev],
    );
    known = rev;
  };
  /** All that wait, in one transaction; answers are given after its commit. */
  const batch = async (group: readonly Pending[]): Promise<void> => {
    const answers: (() => void)[] = [];
    try {
      const on = await connect();
      const writes = group.some(({ isWriting }) => isWriting);
      if (writes) await on.query(`begin; select pg_advisory_xact_lock(${LOCK})`);
      let changes = await read(on);
      const saved = new Map<string, HeldEntry>();
      for (const { run, settle } of group) {
        try {
          const answer = run(changes, (entry) => void saved.set(entry.request.key, entry));
          answers.push(() => settle.resolve(answer));
        } catch (error) {
          answers.push(() => settle.reject(error));
        }
        // the first has taken it in for all
        changes = none;
      }
      await write(on, saved);
      if (writes) await on.query("commit");
    } catch (error) {
      isFresh = true;
      session?.end().catch(() => undefined);
      session = null;
      const failure = new AdapterError("unavailable", "the providers' memory cannot be reached", {
        cause: error,
      });
      for (const { settle } of group) settle.reject(failure);
      return;
    }
    for (const answer of answers) answer();
  };
  const drain = async (): Promise<void> => {
    // what this turn of the event loop asks for goes together
    await Promise.resolve();
    while (queue.length > 0) await batch(queue.splice(0));
    running = null;
  };
  const submit = (run: JournalCall<unknown>, isWriting: boolean): Promise<unknown> => {
    if (isClosed) return Promise.reject(new AdapterError("unavailable", "the federation is closed"));
    const settle = Promise.withResolvers<unknown>();
    queue.push({ run, isWriting, settle });
    running ??= drain();
    return settle.promise;
  };
  return {
    look: <T>(run: JournalCall<T>) => submit(run, false) as Promise<T>,
    alone: <T>(run: JournalCall<T>) => submit(run, true) as Promise<T>,
    async close() {
      isClosed = true;
      await running;
      await session?.end();
    },
  };
}
