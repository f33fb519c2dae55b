import { type Kysely, sql } from "kysely";
import type { Dialect } from "../dialect.ts";

/** Reservations have numbers in the order of their storing; allocations are found by offer. */
export async function up(db: Kysely<unknown>, { integer }: Dialect): Promise<void> {
  await db.schema
    .alterTable("reservations")
    .addColumn("seq", integer, (c) => c.notNull().defaultTo(0))
    .execute();
  // those that there are, by age
  await sql`update reservations set seq = (select count(*) from reservations as other
    where (other.created_ms, other.id) <= (reservations.created_ms, reservations.id))`.execute(db);
  await db.schema.createIndex("reservations_by_number").unique().on("reservations").column("seq").execute();
  await sql`create index allocations_by_offer on allocations (offer) where released_ms is null`.execute(db);
}
