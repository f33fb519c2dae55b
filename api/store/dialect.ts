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
  /** Adds an integer key that is given by the database, rises, and is never used twice. */
  identity(table: CreateTableBuilder<string, never>, column: string): CreateTableBuilder<string, string>;
  /** What stands after the closing bracket of a table. */
  readonly tableEnd: RawBuilder<unknown> | null;
  /** Makes a table append-only. */
  forbidChanges(db: Kysely<unknown>, table: string): Promise<void>;
}

/** SQLite: strict tables, and row ids that are never reused once they have left a transaction. */
export const sqliteDialect: Dialect = {
  name: "sqlite",
  integer: "integer",
  real: "real",
  identity: (table, column) =>
    table.addColumn(column, "integer", (c: ColumnDefinitionBuilder) => c.primaryKey().autoIncrement()),
  tableEnd: sql`strict`,
  async forbidChanges(db, table) {
    for (const verb of ["update", "delete"])
      await sql`create trigger ${sql.ref(`${table}_no_${verb}`)} before ${sql.raw(verb)} on ${sql.table(table)}
        begin select raise(abort, ${sql.lit(`${table} is append-only`)}); end`.execute(db);
  },
};
