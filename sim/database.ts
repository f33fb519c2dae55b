import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import {
  type Driver,
  Kysely,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteDialectConfig,
  type SqliteStatement,
} from "kysely";
import { sqliteDialect } from "../api/store/dialect.ts";
import { migrate } from "../api/store/migrate.ts";
import type { Database } from "../api/store/schema.ts";
import { type Connection, openSqlite, readerOf, runnerOf } from "../api/store/sqlite.ts";
import { runWith } from "../api/store/statement.ts";

/** What is done to statements of the service on their way to SQLite: where bugs are planted. */
export interface Tampering {
  /** Another text for a statement. */
  rewrite?(sql: string): string;
  /** True: this run of a statement that returns no rows does nothing. */
  skips?(sql: string, values: readonly unknown[]): boolean;
  /** Changes the database before the service sees it. */
  prepare?(raw: DatabaseSync): void;
}

/** One reader or writer at a time, in the order asked. */
interface Lock {
  take(): Promise<() => void>;
  /** True when nobody has it, or waits for it. */
  isFree(): boolean;
}

function createLock(): Lock {
  let last: Promise<void> = Promise.resolve();
  let asked = 0;
  return {
    isFree: () => asked === 0,
    async take() {
      asked++;
      const before = last;
      const { promise, resolve } = Promise.withResolvers<void>();
      last = promise;
      await before;
      return () => {
        asked--;
        resolve();
      };
    },
  };
}

/** A failure of the next commit: no room; a sync that failed, with the transaction on disk or not. */
export type CommitFault = "full" | "busy" | "sync_lost" | "sync_kept";

/** The one database of a simulated world. It outlives every process: what was committed is still there. */
export interface SimDatabase {
  /** For writers; use it inside `exclusively` only. */
  readonly writer: Connection;
  /** Reads only what is committed. */
  readonly reader: Connection;
  exclusively<T>(run: () => Promise<T>): Promise<T>;
  /** Rows of a statement, seen by checks: past all tampering. */
  rows<Row>(sql: string, ...values: SQLInputValue[]): Row[];
  /** Runs statements past all tampering, as planted bugs do. */
  exec(sql: string, ...values: SQLInputValue[]): void;
  /** Rows changed since it was opened. */
  changes(): number;
  failNextCommit(fault: CommitFault | null): void;
  close(): void;
}

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
const SQLITE_IOERR_FSYNC = 1034;

let template: Uint8Array | null = null;

/** The migrated schema as an image: made once, opened a thousand times. */
async function schemaImage(): Promise<Uint8Array> {
  if (template === null) {
    const connection = openSqlite({ path: ":memory:" });
    await migrate(connection.db, sqliteDialect);
    template = connection.raw.serialize();
    connection.close();
  }
  return template;
}

/** Lets reads wait until no transaction is open, as if they had a connection of their own. */
class WaitingDialect extends SqliteDialect {
  readonly #lock: Lock;

  constructor(config: SqliteDialectConfig, lock: Lock) {
    super(config);
    this.#lock = lock;
  }

  override createDriver(): Driver {
    const driver = super.createDriver();
    const lock = this.#lock;
    let release = (): void => {};
    return {
      init: (...rest) => driver.init(...rest),
      async acquireConnection() {
        const connection = await driver.acquireConnection();
        release = await lock.take();
        return connection;
      },
      beginTransaction: (...rest) => driver.beginTransaction(...rest),
      commitTransaction: (...rest) => driver.commitTransaction(...rest),
      rollbackTransaction: (...rest) => driver.rollbackTransaction(...rest),
      async releaseConnection(connection) {
        release();
        await driver.releaseConnection(connection);
      },
      destroy: async () => {},
    };
  }
}

function adapt(raw: DatabaseSync): SqliteDatabase {
  const known = new Map<string, SqliteStatement>();
  const make = (sql: string): SqliteStatement => {
    const statement = raw.prepare(sql);
    const all = readerOf(statement);
    return {
      reader: true,
      all: (values) => all(...(values as SQLInputValue[])),
      run: (values) => statement.run(...(values as SQLInputValue[])),
      iterate: (values) => all(...(values as SQLInputValue[])).values(),
    };
  };
  return {
    close: () => {},
    prepare(sql) {
      const statement = known.get(sql) ?? make(sql);
      known.set(sql, statement);
      return statement;
    },
  };
}

/** An error as SQLite throws it. */
const failure = (errcode: number): Error => Object.assign(new Error("simulated"), { errcode });

/** Puts what was planted between the service and SQLite. */
function tamper(raw: DatabaseSync, { rewrite, skips }: Tampering): void {
  const prepare = raw.prepare.bind(raw);
  raw.prepare = ((sql: string): StatementSync => {
    const statement = prepare(rewrite?.(sql) ?? sql);
    if (skips !== undefined) {
      const run = statement.run.bind(statement) as (
        ...values: SQLInputValue[]
      ) => ReturnType<StatementSync["run"]>;
      statement.run = ((...values: SQLInputValue[]) =>
        skips(sql, values) ? { changes: 0, lastInsertRowid: 0 } : run(...values)) as StatementSync["run"];
    }
    return statement;
  }) as DatabaseSync["prepare"];
}

/** Commits as disks that are full, busy or failing let them. */
const failingCommit = (exec: () => void, kind: CommitFault | null): void => {
  if (kind === "full") throw failure(SQLITE_FULL);
  if (kind === "busy") throw failure(SQLITE_BUSY);
  if (kind === "sync_lost") throw failure(SQLITE_IOERR_FSYNC);
  exec();
  if (kind === "sync_kept") throw failure(SQLITE_IOERR_FSYNC);
};

/** Opens a fresh database. */
export async function openSimDatabase(tampering: Tampering = {}): Promise<SimDatabase> {
  const image = await schemaImage();
  const opened = openSqlite({ path: ":memory:" });
  const { raw } = opened;
  raw.deserialize(image);
  raw.exec("pragma foreign_keys = on");
  tampering.prepare?.(raw);
  const lock = createLock();
  const prepare = raw.prepare.bind(raw);
  const prepared = new Map<string, StatementSync>();
  const readers = new Map<string, ReturnType<typeof readerOf>>();
  const reads = (sql: string): ReturnType<typeof readerOf> => {
    const reader = readers.get(sql) ?? readerOf(prepare(sql));
    readers.set(sql, reader);
    return reader;
  };
  const statementOf = (sql: string): StatementSync => {
    const statement = prepared.get(sql) ?? prepare(sql);
    prepared.set(sql, statement);
    return statement;
  };
  let next: CommitFault | null = null;
  /** Rows changed, as last counted; null: something may have been written since. */
  let changed: number | null = null;
  const writer: Connection = {
    ...opened,
    exec(text) {
      changed = null;
      const fault = text === "commit" ? next : null;
      if (text === "commit") next = null;
      failingCommit(() => opened.exec(text), fault);
    },
  };
  tamper(raw, tampering);
  const database = adapt(raw);
  const db = new Kysely<Database>({ dialect: new WaitingDialect({ database }, lock) });
  const runNow = runnerOf(database);
  const runInTurn = async (text: string, parameters: readonly unknown[]): Promise<unknown[]> => {
    const release = await lock.take();
    try {
      return await runNow(text, parameters);
    } finally {
      release();
    }
  };
  // one statement is over before anybody else begins
  runWith(db, (text, parameters) => (lock.isFree() ? runNow(text, parameters) : runInTurn(text, parameters)));
  return {
    writer,
    reader: { ...writer, db, close: () => {} },
    async exclusively(run) {
      const release = await lock.take();
      try {
        return await run();
      } finally {
        release();
      }
    },
    rows: <Row>(sql: string, ...values: SQLInputValue[]) => reads(sql)(...values) as Row[],
    exec(sql, ...values) {
      changed = null;
      statementOf(sql).run(...values);
    },
    changes() {
      changed ??= Number(statementOf("select total_changes() as n").get()?.["n"]);
      return changed;
    },
    failNextCommit(fault) {
      next = fault;
    },
    close: () => writer.close(),
  };
}
