import {
  type ColumnDefinitionBuilder,
  type CreateTableBuilder,
  type Kysely,
  type RawBuilder,
  sql,
} from "kysely";

/** What differs between the databases in a migration. */
export interface Dialect {
  readonly name: "sqlite" | "postgres";
  /** 64-bit integer. */
  readonly integer: "integer" | "bigint";
  readonly real: "real" | "double precision";
  /** Text in the order of its bytes. */
  readonly text: "text" | RawBuilder<unknown>;
  /** Adds an integer key that is given by the database, rises, and is never used twice. */
  identity(table: CreateTableBuilder<string, never>, column: string): CreateTableBuilder<string, string>;
  /** What stands after the closing bracket of a table. */
  readonly tableEnd: RawBuilder<unknown> | null;
  /** Makes a table append-only. */
  forbidChanges(db: Kysely<unknown>, table: string): Promise<void>;
  /** Runs while no other process migrates. */
  alone(db: Kysely<unknown>, run: (db: Kysely<unknown>) => Promise<void>): Promise<void>;
}

/** SQLite: strict tables, and row ids that are never reused once they have left a transaction. */
export const sqliteDialect: Dialect = {
  name: "sqlite",
  integer: "integer",
  real: "real",
  text: "text",
  identity: (table, column) =>
    table.addColumn(column, "integer", (c: ColumnDefinitionBuilder) => c.primaryKey().autoIncrement()),
  tableEnd: sql`strict`,
  async forbidChanges(db, table) {
    for (const verb of ["update", "delete"])
      await sql`create trigger ${sql.ref(`${table}_no_${verb}`)} before ${sql.raw(verb)} on ${sql.table(table)}
        begin select raise(abort, ${sql.lit(`${table} is append-only`)}); end`.execute(db);
  }, // one process has the folder to itself
  alone: (db, run) => run(db),
};

/** Any number that no other use of the database is likely to take: the lock of migrations. */
const MIGRATION_LOCK = 7_206_553_001;

/** PostgreSQL: the same tables; text is ordered by bytes whatever the database's locale is. */
export const postgresDialect: Dialect = {
  name: "postgres",
  integer: "bigint",
  real: "double precision",
  text: sql`text collate "C"`,
  identity: (table, column) =>
    table.addColumn(column, "bigint", (c: ColumnDefinitionBuilder) =>
      c.primaryKey().generatedByDefaultAsIdentity(),
    ),
  tableEnd: null,
  async forbidChanges(db, table) {
    const refuse = `${table}_no_changes`;
    await sql`create function ${sql.ref(refuse)}() returns trigger language plpgsql as
      ${sql.lit(`begin raise exception '${table} is append-only'; end`)}`.execute(db);
    await sql`create trigger ${sql.ref(refuse)} before update or delete or truncate on ${sql.table(table)}
      for each statement execute function ${sql.ref(refuse)}()`.execute(db);
  },
  alone: (db, run) =>
    db.connection().execute(async (connection) => {
      await sql`select pg_advisory_lock(${sql.lit(MIGRATION_LOCK)})`.execute(connection);
      try {
        await run(connection);
      } finally {
        await sql`select pg_advisory_unlock(${sql.lit(MIGRATION_LOCK)})`.execute(connection);
      }
    }),
};
