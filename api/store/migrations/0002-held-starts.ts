import { type Kysely, sql } from "kysely";

/** Starts that are held for waiting intents outlive a restart. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table intents add column held text`.execute(db);
}
