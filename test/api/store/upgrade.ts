import { type Kysely, sql } from "kysely";
import { expect } from "vitest";
import type { Dialect } from "../../../api/store/dialect.ts";
import { migrate, migrations } from "../../../api/store/migrate.ts";
import type { Database } from "../../../api/store/schema.ts";

/** Reservations of a database of the first schema are numbered by age, and the next one goes on. */
export async function checkNumbers(db: Kysely<Database>, dialect: Dialect): Promise<void> {
  await migrate(db, dialect, migrations.slice(0, 1));
  await sql`insert into tenants (id, weight, status, quotas, created_ms) values ('one', 1, 'active', '[]', 0)`.execute(
    db,
  );
  for (const [id, createdMs] of [
    ["c", 5],
    ["a", 9],
    ["b", 5],
  ] as const)
    await sql`insert into reservations (id, tenant_id, offer, gpus, from_ms, to_ms, state, version, created_ms)
      values (${id}, 'one', 'o', 1, 0, 100, 'active', 1, ${createdMs})`.execute(db);
  await migrate(db, dialect);
  const rows = await db.selectFrom("reservations").select(["id", "seq"]).orderBy("seq").execute();
  expect(rows).toEqual([
    { id: "b", seq: 1 },
    { id: "c", seq: 2 },
    { id: "a", seq: 3 },
  ]);
  await expect(
    sql`insert into reservations (id, tenant_id, seq, offer, gpus, from_ms, to_ms, state, version, created_ms)
      values ('d', 'one', 3, 'o', 1, 0, 100, 'active', 1, 9)`.execute(db),
  ).rejects.toThrow(/unique/i);
}
