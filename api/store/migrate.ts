import { type Kysely, sql } from "kysely";
import type { Dialect } from "./dialect.ts";
import * as first from "./migrations/0001-first.ts";
import * as reservationNumbers from "./migrations/0002-reservation-numbers.ts";
import type { Database } from "./schema.ts";

/** A step from one schema to the next. Released steps are never edited; each runs in one transaction. */
export interface Migration {
  readonly name: string;
  up(db: Kysely<unknown>, dialect: Dialect): Promise<void>;
}

/** Every step there is, in order. */
export const migrations: readonly Migration[] = [
  { name: "0001-first", up: first.up },
  { name: "0002-reservation-numbers", up: reservationNumbers.up },
];

/** The schema that this version writes. */
export const schemaVersion: number = migrations.length;

/**
 * Brings a database to the present schema, each step in a transaction of its own: a kill in between leaves the old
 * schema or the new one. Opens nothing that a newer version wrote.
 *
 * @throws {Error} when the database has a newer schema
 */
export async function migrate(
  typed: Kysely<Database>,
  dialect: Dialect,
  steps: readonly Migration[] = migrations,
): Promise<void> {
  await dialect.alone(typed as unknown as Kysely<unknown>, (db) => migrateAlone(db, dialect, steps));
}

async function migrateAlone(
  db: Kysely<unknown>,
  dialect: Dialect,
  steps: readonly Migration[],
): Promise<void> {
  await sql`create table if not exists migrations (number integer primary key, name text not null)`.execute(
    db,
  );
  const done = await sql<{
    number: number;
    name: string;
  }>`select number, name from migrations order by number`.execute(db);
  const newer = done.rows[steps.length];
  if (newer !== undefined)
    throw new Error(
      `the database has schema ${newer.number} (${newer.name}), newer than this version, which knows ${steps.length}`,
    );
  for (const [index, step] of steps.entries()) {
    if (index < done.rows.length) continue;
    await db.transaction().execute(async (tx) => {
      await step.up(tx, dialect);
      await sql`insert into migrations (number, name) values (${index + 1}, ${step.name})`.execute(tx);
    });
  }
}
