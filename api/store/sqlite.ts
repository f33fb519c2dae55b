import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement } from "kysely";
import type { Database } from "./schema.ts";
import { type Runner, runWith } from "./statement.ts";

type Row = Record<string, SQLOutputValue>;

/** An open SQLite database and Kysely on top of it. */
export interface Connection {
  readonly raw: DatabaseSync;
  readonly db: Kysely<Database>;
  /** Runs a statement of transactions, such as `commit`; it stays prepared. */
  exec(text: string): void;
  close(): void;
}

export interface OpenOptions {
  /** File, or `:memory:`. */
  readonly path: string;
  /** `wal` (default) for service; `delete` leaves one file when closed. */
  readonly journal?: "wal" | "delete";
  /** Reads only; the file exists. */
  readonly readOnly?: boolean;
  /**
   * `full` syncs on every commit. `off` exists to prove that the power-loss test can see a loss; no service runs
   * with it.
   */
  readonly synchronous?: "full" | "normal" | "off";
}

/** Prepared statements by text: all texts come from code, so their number is bounded; the cap is a safety net. */
const MOST_STATEMENTS = 500;

/** A row before its columns are named. */
type Values = readonly SQLOutputValue[];

/**
 * Reads all rows of a statement as objects of one shape. What `node:sqlite` makes itself are dictionaries, which take
 * longer to make, and longer at every use.
 */
export function readerOf(statement: StatementSync): (...values: SQLInputValue[]) => Row[] {
  const members = statement.columns().map(({ name }, index) => `${JSON.stringify(name)}: values[${index}]`);
  // a literal of its own for each statement: one function for all of them would treat every object as unknown
  const named = new Function("values", `return { ${members.join(", ")} };`) as (values: Values) => Row;
  statement.setReturnArrays(true);
  return (...values) => (statement.all(...values) as unknown as Values[]).map(named);
}

function adapt(raw: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  const prepare = (text: string): SqliteStatement => {
    const statement = raw.prepare(text);
    const all = readerOf(statement);
    return {
      reader: statement.columns().length > 0,
      all: (values) => all(...(values as SQLInputValue[])),
      run: (values) => statement.run(...(values as SQLInputValue[])),
      iterate: (values) => all(...(values as SQLInputValue[])).values(),
    };
  };
  return {
    close: () => raw.close(),
    prepare(text) {
      const known = statements.get(text);
      if (known !== undefined) return known;
      const made = prepare(text);
      if (statements.size >= MOST_STATEMENTS) statements.clear();
      statements.set(text, made);
      return made;
    },
  };
}

/** Runs statements at once, as SQLite does. */
export const runnerOf =
  (database: SqliteDatabase): Runner =>
  (text, parameters) => {
    const statement = database.prepare(text);
    if (statement.reader) return statement.all(parameters);
    statement.run(parameters);
    return [];
  };

/** Opens a database with the settings that make an answered commit durable. */
export function openSqlite(options: OpenOptions): Connection {
  const { path, readOnly = false, synchronous = "full", journal = "wal" } = options;
  const raw = new DatabaseSync(path, { readOnly, timeout: 5000, enableForeignKeyConstraints: true });
  raw.exec("pragma trusted_schema = off");
  if (!readOnly) {
    raw.exec(`pragma journal_mode = ${journal}`);
    raw.exec(`pragma synchronous = ${synchronous}`);
    raw.exec("pragma wal_autocheckpoint = 1000");
    raw.exec("pragma journal_size_limit = 67108864");
  }
  const database = adapt(raw);
  const db = new Kysely<Database>({ dialect: new SqliteDialect({ database }) });
  runWith(db, runnerOf(database));
  const prepared = new Map<string, StatementSync>();
  return {
    raw,
    db,
    exec(text) {
      const statement = prepared.get(text) ?? raw.prepare(text);
      prepared.set(text, statement);
      statement.run();
    },
    close: () => raw.close(),
  };
}
