import type { Tx } from "../chain.ts";
import { StoreError } from "../errors.ts";
import type { AuditRow, DecisionRow, EventRow, IntentRow, OutboxRow, PlanRow } from "../schema.ts";
import type { Fenced, SettlePlan } from "../store.ts";
import type { TenantId } from "../tenant.ts";
import { decideIntent } from "./intents.ts";

type Reader = Pick<Tx, "db">;

/** See `TenantStore.events`. */
export async function eventPage(
  { db }: Reader,
  tenant: TenantId,
  input: { readonly after: number; readonly subject?: string; readonly limit: number },
): Promise<EventRow[]> {
  let query = db
    .selectFrom("events")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("seq", ">", input.after);
  if (input.subject !== undefined) query = query.where("subject_id", "=", input.subject);
  return query.orderBy("seq").limit(input.limit).execute();
}

/** See `TenantStore.audit`. */
export async function auditPage(
  { db }: Reader,
  tenant: TenantId,
  input: { readonly before?: number; readonly limit: number },
): Promise<AuditRow[]> {
  let query = db.selectFrom("audit").selectAll().where("tenant_id", "=", tenant);
  if (input.before !== undefined) query = query.where("seq", "<", input.before);
  return query.orderBy("seq", "desc").limit(input.limit).execute();
}

/** See `TenantStore.decisions`. */
export function decisionPage(
  { db }: Reader,
  tenant: TenantId,
  intentId: string,
  limit: number,
): Promise<DecisionRow[]> {
  return db
    .selectFrom("decisions")
    .selectAll()
    .where("intent_id", "=", intentId)
    .where("tenant_id", "=", tenant)
    .orderBy("seq", "desc")
    .limit(limit)
    .execute();
}

/** See `SystemStore.settlePlan`. */
export async function settlePlan(
  tx: Tx,
  { plan, changes, epoch }: SettlePlan & Fenced,
): Promise<(IntentRow | null)[]> {
  const { db } = tx;
  const { catalogDocument, ...row } = plan;
  if (catalogDocument !== null)
    await db
      .insertInto("catalogs")
      .values({ hash: row.catalog_hash, document: catalogDocument })
      .onConflict((conflict) => conflict.column("hash").doNothing())
      .execute();
  if (row.parent !== null && (await planById(tx, row.parent)) === null)
    throw new StoreError("internal", `plan ${row.id} goes back to ${row.parent}, which was not logged`);
  await db.insertInto("plans").values(row).execute();
  const after: (IntentRow | null)[] = [];
  for (const change of changes) after.push(await decideIntent(tx, { ...change, epoch }));
  return after;
}

/** See `SystemStore.plan`. */
export async function planById({ db }: Reader, id: string): Promise<PlanRow | null> {
  return (await db.selectFrom("plans").selectAll().where("id", "=", id).executeTakeFirst()) ?? null;
}

/** See `SystemStore.catalog`. */
export async function catalogByHash({ db }: Reader, hash: string): Promise<string | null> {
  const found = await db
    .selectFrom("catalogs")
    .select("document")
    .where("hash", "=", hash)
    .executeTakeFirst();
  return found?.document ?? null;
}

/** See `SystemStore.claimOutbox`. */
export async function claimOutbox(
  { db }: Tx,
  input: {
    readonly claimId: string;
    readonly nowMs: number;
    readonly untilMs: number;
    readonly limit: number;
  },
): Promise<{ row: OutboxRow; event: EventRow }[]> {
  const rows = await db
    .selectFrom("outbox")
    .selectAll()
    .where("due_ms", "<=", input.nowMs)
    .where("claimed_until_ms", "<=", input.nowMs)
    .orderBy("id")
    .limit(input.limit)
    .execute();
  if (rows.length === 0) return [];
  const seqs = rows.map(({ event_seq }) => event_seq);
  const events = await db.selectFrom("events").selectAll().where("seq", "in", seqs).execute();
  const bySeq = new Map(events.map((event) => [event.seq, event]));
  const subjects = [...new Set(events.map(({ subject_id }) => subject_id))];
  const behind = await db
    .selectFrom("outbox")
    .innerJoin("events", "events.seq", "outbox.event_seq")
    .select(["events.subject_id", (select) => select.fn.min<number>("outbox.id").as("id")])
    .where("events.subject_id", "in", subjects)
    .where(({ eb, or }) =>
      or([eb("outbox.due_ms", ">", input.nowMs), eb("outbox.claimed_until_ms", ">", input.nowMs)]),
    )
    .groupBy("events.subject_id")
    .execute();
  const firstBehind = new Map(behind.map(({ subject_id, id }) => [subject_id, id]));
  const claimed = rows.flatMap((row) => {
    const event = bySeq.get(row.event_seq);
    if (event === undefined) return [];
    // an older event of the same subject is still on its way or put off: this one waits for it
    return row.id > (firstBehind.get(event.subject_id) ?? Number.POSITIVE_INFINITY) ? [] : [{ row, event }];
  });
  if (claimed.length > 0)
    await db
      .updateTable("outbox")
      .set({ claim_id: input.claimId, claimed_until_ms: input.untilMs })
      .where(
        "id",
        "in",
        claimed.map(({ row }) => row.id),
      )
      .execute();
  return claimed;
}

/** See `SystemStore.finishOutbox`. */
export async function finishOutbox(
  { db }: Tx,
  { claimId, ids }: { readonly claimId: string; readonly ids: readonly number[] },
): Promise<void> {
  if (ids.length > 0)
    await db.deleteFrom("outbox").where("claim_id", "=", claimId).where("id", "in", ids).execute();
}

/** See `SystemStore.retryOutbox`. */
export async function retryOutbox(
  { db }: Tx,
  { claimId, id, dueMs }: { readonly claimId: string; readonly id: number; readonly dueMs: number },
): Promise<void> {
  await db
    .updateTable("outbox")
    .set((update) => ({
      due_ms: dueMs,
      attempts: update("attempts", "+", 1),
      claim_id: null,
      claimed_until_ms: 0,
    }))
    .where("id", "=", id)
    .where("claim_id", "=", claimId)
    .execute();
}
