import { type Kysely, sql } from "kysely";
import { postgresDialect, sqliteDialect } from "./dialect.ts";
import { migrate, schemaVersion } from "./migrate.ts";
import type { PostgresOptions } from "./postgres.ts";
import { openReader } from "./postgres-store.ts";
import { openSqlite } from "./sqlite.ts";
import {
  anchorsOf,
  type Manifest,
  nameBackup,
  partialOf,
  readManifest,
  verifyFile,
} from "./sqlite-backup.ts";
import { type Anchor, type Verdict, verifyDatabase } from "./verify.ts";

type Rows = readonly Record<string, unknown>[];
type AnyDatabase = Kysely<Record<string, Record<string, unknown>>>;

/** Rows moved at once, and most values of one statement: SQLite takes 32,766. */
const CHUNK = 500;
const MOST_VALUES = 30_000;

/** What belongs to the running processes or to the schema, and not to what is kept. */
const left: ReadonlySet<string> = new Set(["migrations", "writers"]);

/** @throws {Error} when the database is of another version */
async function assertSchema(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ number: number }>`select max(number) as number from migrations`.execute(db);
  const [found] = rows;
  if (found?.number !== schemaVersion)
    throw new Error(
      `the database has schema ${found?.number ?? 0}, this version writes ${schemaVersion}; accepted: the same version as the service`,
    );
}

/** One session, whose transaction sees everything as it was at its beginning. */
async function atOneMoment<T>(
  options: PostgresOptions,
  run: (db: Kysely<unknown>) => Promise<T>,
): Promise<T> {
  const { db, close } = openReader(options, 1);
  try {
    return await db
      .transaction()
      .setIsolationLevel("repeatable read")
      .execute(async (tx) => {
        const moment = tx as unknown as Kysely<unknown>;
        await assertSchema(moment);
        return run(moment);
      });
  } finally {
    await close();
  }
}

/** Checks a PostgreSQL database in full, also while services run on it. */
export function verifyPostgres(options: PostgresOptions, anchors: readonly Anchor[]): Promise<Verdict> {
  return atOneMoment(options, (db) => verifyDatabase(db as Parameters<typeof verifyDatabase>[0], anchors));
}

/** Tables of a backup file. */
const tablesOf = (path: string): string[] => {
  const { raw, close } = openSqlite({ path, readOnly: true });
  const rows = raw
    .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
    .all();
  close();
  return rows.map(({ name }) => String(name)).filter((name) => !left.has(name));
};

async function insert(db: Kysely<unknown>, table: string, rows: Rows): Promise<void> {
  const most = Math.floor(MOST_VALUES / Math.max(1, Object.keys(rows[0] ?? {}).length));
  for (let at = 0; at < rows.length; at += most)
    await (db as AnyDatabase)
      .insertInto(table)
      .values(rows.slice(at, at + most))
      .execute();
}

/**
 * Copies a PostgreSQL database to `target`, also while services run on it: a backup file as of a folder, of one moment,
 * checked in full. It may be restored to PostgreSQL or to a folder.
 *
 * @throws {Error} when the copy does not verify, or `target` exists
 */
export async function backupPostgres(
  options: PostgresOptions,
  target: string,
  anchors: readonly Anchor[],
): Promise<Manifest> {
  const partial = partialOf(target);
  const copy = openSqlite({ path: partial, journal: "delete" });
  try {
    await migrate(copy.db, sqliteDialect);
    // tables come in any order
    copy.raw.exec("pragma foreign_keys = off");
    copy.raw.exec("begin");
    await atOneMoment(options, async (db) => {
      for (const table of tablesOf(partial)) {
        await sql`declare everything no scroll cursor for select * from ${sql.table(table)}`.execute(db);
        for (;;) {
          const { rows } = await sql`fetch ${sql.lit(CHUNK)} from everything`.execute(db);
          await insert(copy.db as unknown as Kysely<unknown>, table, rows as Rows);
          if (rows.length < CHUNK) break;
        }
        await sql`close everything`.execute(db);
      }
    });
    copy.raw.exec("commit");
  } finally {
    copy.close();
  }
  return nameBackup(partial, target, anchors);
}

/** Tables, those that others refer to first. */
async function inOrder(db: Kysely<unknown>, tables: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ child: string; parent: string }>`
    select conrelid::regclass::text as child, confrelid::regclass::text as parent
    from pg_constraint where contype = 'f' and connamespace = current_schema()::regnamespace`.execute(db);
  const ordered: string[] = [];
  const visit = (table: string): void => {
    for (const { child, parent } of rows) if (child === table && parent !== table) visit(parent);
    if (!ordered.includes(table)) ordered.push(table);
  };
  for (const table of tables) visit(table);
  return ordered;
}

/** Keys that the database gives go on after those that were brought in. */
async function continueKeys(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ table: string; column: string }>`
    select table_name as table, column_name as column from information_schema.columns
    where is_identity = 'YES' and table_schema = current_schema()`.execute(db);
  for (const { table, column } of rows)
    await sql`select setval(pg_get_serial_sequence(${table}, ${column}), greatest(1, max(${sql.ref(column)})), max(${sql.ref(column)}) is not null)
      from ${sql.table(table)}`.execute(db);
}

/**
 * Brings a backup into an empty PostgreSQL database, all of it or nothing, after checking it against its manifest.
 *
 * @throws {Error} when the backup is not what its manifest says, or the database holds anything
 */
export async function restorePostgres(source: string, options: PostgresOptions): Promise<Manifest> {
  const manifest = await readManifest(source);
  const { findings } = await verifyFile(source, anchorsOf(manifest));
  if (findings.length > 0) throw new Error(`${source} does not verify: ${findings.slice(0, 3).join("; ")}`);
  const { db, close } = openReader(options, 1);
  const file = openSqlite({ path: source, readOnly: true });
  try {
    await migrate(db, postgresDialect);
    await db.transaction().execute(async (tx) => {
      const target = tx as unknown as Kysely<unknown>;
      for (const table of await inOrder(target, tablesOf(source))) {
        const { rows: some } = await sql`select 1 from ${sql.table(table)} limit 1`.execute(target);
        if (some.length > 0) throw new Error(`the database holds ${table}; accepted: an empty one`);
        let chunk: Record<string, unknown>[] = [];
        for (const row of file.raw.prepare(`select * from "${table}"`).iterate()) {
          chunk.push({ ...row });
          if (chunk.length < CHUNK) continue;
          await insert(target, table, chunk);
          chunk = [];
        }
        await insert(target, table, chunk);
      }
      await continueKeys(target);
      const verdict = await verifyDatabase(tx, anchorsOf(manifest));
      if (verdict.findings.length > 0)
        throw new Error(`what was restored does not verify: ${verdict.findings.slice(0, 3).join("; ")}`);
    });
  } finally {
    file.close();
    await close();
  }
  return manifest;
}
