import { type Kysely, sql } from "kysely";
import { appendAct, type Tx } from "../chain.ts";
import type { Database, SessionRow } from "../schema.ts";
import { rowLimit } from "../statement.ts";
import type { SystemStore } from "../store.ts";

type Reader = Pick<Tx, "db">;
type Input<K extends keyof SystemStore> = Parameters<SystemStore[K]>[0];

/** Sessions that ended, and cut-offs, stay this long: longer than any token that is accepted lives. */
const KEPT_MS = 366 * 86_400_000;

/** See `SystemStore.createSession`. */
export async function createSession(tx: Tx, input: Input<"createSession">): Promise<void> {
  await tx.db
    .insertInto("sessions")
    .values({ ...input.session, ended_ms: null })
    .execute();
  await appendAct(tx, input.tenant, input, "session.create", input.session.id);
}

/** See `SystemStore.cutoff`. */
export async function cutoffOf({ db }: Reader, { issuer, subject }: Input<"cutoff">): Promise<number> {
  const row = await db
    .selectFrom("cutoffs")
    .select("since_ms")
    .where("issuer", "=", issuer)
    .where("subject", "=", subject)
    .executeTakeFirst();
  return row?.since_ms ?? 0;
}

const find = ({ db }: Reader, id: string): Promise<SessionRow | undefined> =>
  db.selectFrom("sessions").selectAll().where("id", "=", id).executeTakeFirst();

/** See `SystemStore.session`. */
export async function sessionById(
  reader: Reader,
  id: string,
): Promise<(SessionRow & { cutoff_ms: number }) | null> {
  const row = await find(reader, id);
  return row === undefined ? null : { ...row, cutoff_ms: await cutoffOf(reader, row) };
}

/** See `SystemStore.sessions`. */
export function openSessions({ db }: Reader, { atMs, limit }: Input<"sessions">): Promise<SessionRow[]> {
  return db
    .selectFrom("sessions")
    .selectAll()
    .where("ended_ms", "is", null)
    .where("expires_ms", ">", atMs)
    .orderBy("created_ms", "desc")
    .orderBy("id", "desc")
    .limit(rowLimit(limit))
    .execute();
}

/** See `SystemStore.touchSession`. */
export async function touchSession({ db }: Tx, { id, atMs }: Input<"touchSession">): Promise<void> {
  await db.updateTable("sessions").set({ used_ms: atMs }).where("id", "=", id).execute();
}

/** See `SystemStore.endSession`. */
export async function endSession(tx: Tx, input: Input<"endSession">): Promise<SessionRow | null> {
  const row = await find(tx, input.id);
  if (row === undefined || row.ended_ms !== null) return row ?? null;
  await tx.db.updateTable("sessions").set({ ended_ms: input.atMs }).where("id", "=", row.id).execute();
  await appendAct(tx, input.tenant, input, "session.end", row.id);
  return { ...row, ended_ms: input.atMs };
}

/** See `SystemStore.revokeIdentity`. */
export async function revokeIdentity(tx: Tx, input: Input<"revokeIdentity">): Promise<number> {
  const { issuer, subject, atMs } = input;
  await tx.db
    .insertInto("cutoffs")
    .values({ issuer, subject, since_ms: atMs })
    .onConflict((conflict) =>
      conflict.columns(["issuer", "subject"]).doUpdateSet({
        // a clock that was set back lets nobody in again
        since_ms: sql<number>`case when cutoffs.since_ms > excluded.since_ms then cutoffs.since_ms else excluded.since_ms end`,
      }),
    )
    .execute();
  const open = await tx.db
    .selectFrom("sessions")
    .select("id")
    .where("issuer", "=", issuer)
    .where("subject", "=", subject)
    .where("ended_ms", "is", null)
    .execute();
  await tx.db
    .updateTable("sessions")
    .set({ ended_ms: atMs })
    .where("issuer", "=", issuer)
    .where("subject", "=", subject)
    .where("ended_ms", "is", null)
    .execute();
  const actor = `oidc:${issuer}:${subject}`;
  if (input.ownTokens)
    await tx.db
      .updateTable("tokens")
      .set({ revoked_ms: atMs })
      .where("created_by", "=", actor)
      .where("revoked_ms", "is", null)
      .execute();
  await appendAct(tx, input.tenant, input, "identity.revoke", actor);
  return open.length;
}

/** Deletes what is about nobody any more. */
export async function purgeSessions(db: Kysely<Database>, nowMs: number): Promise<void> {
  await db
    .deleteFrom("sessions")
    .where("expires_ms", "<", nowMs - KEPT_MS)
    .execute();
  await db
    .deleteFrom("cutoffs")
    .where("since_ms", "<", nowMs - KEPT_MS)
    .execute();
}
