import type { Tx } from "../chain.ts";
import { StoreError } from "../errors.ts";
import type { AuditRow, DecisionRow, EventRow, OutboxRow, PlanRow } from "../schema.ts";
import { insertRow, rowLimit, run } from "../statement.ts";
import type { Fenced, PlannedChange, Settled, SettlePlan } from "../store.ts";
import type { TenantId } from "../tenant.ts";
import { decideIntent, intentOf } from "./intents.ts";
import { reservedSince } from "./reservations.ts";

type Reader = Pick<Tx, "db">;

/** See `TenantStore.events`. */
export async function eventPage(
  { db }: Reader,
  tenant: TenantId,
  input: { readonly after: number; readonly subject?: string; readonly limit: number },
): Promise<EventRow[]> {
  const { after, subject, limit } = input;
  const page = () =>
    db
      .selectFrom("events")
      .selectAll()
      .where("tenant_id", "=", tenant)
      .where("seq", ">", after)
      .orderBy("seq")
      .limit(rowLimit(limit));
  if (subject === undefined) return run(db, "page of events", page, [tenant, after, limit]);
  return run(db, "page of events of one", () => page().where("subject_id", "=", subject), [
    tenant,
    after,
    subject,
    limit,
  ]);
}

/** See `TenantStore.audit`. */
export async function auditPage(
  { db }: Reader,
  tenant: TenantId,
  input: { readonly before?: number; readonly limit: number },
): Promise<AuditRow[]> {
  let query = db.selectFrom("audit").selectAll().where("tenant_id", "=", tenant);
  if (input.before !== undefined) query = query.where("seq", "<", input.before);
  return query.orderBy("seq", "desc").limit(rowLimit(input.limit)).execute();
}

/** See `SystemStore.changedSince`. */
export function changedSince(
  { db }: Reader,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<{ readonly seq: number; readonly subject: string }[]> {
  return run(
    db,
    "subjects of later events",
    () =>
      db
        .selectFrom("events")
        .select(["seq", "subject_id as subject"])
        .where("seq", ">", after)
        .orderBy("seq")
        .limit(rowLimit(limit)),
    [after, limit],
  );
}

/** See `TenantStore.decisions`. */
export function decisionPage(
  { db }: Reader,
  tenant: TenantId,
  intentId: string,
  limit: number,
  plan?: string,
): Promise<DecisionRow[]> {
  const build = () => {
    const all = db
      .selectFrom("decisions")
      .selectAll()
      .where("intent_id", "=", intentId)
      .where("tenant_id", "=", tenant);
    const wanted = plan === undefined ? all : all.where("plan_id", "=", plan);
    return wanted.orderBy("seq", "desc").limit(rowLimit(limit));
  };
  return plan === undefined
    ? run(db, "page of decisions", build, [intentId, tenant, limit])
    : run(db, "decisions of a plan", build, [intentId, tenant, plan, limit]);
}

/** See `SystemStore.settlePlan`. */
export async function settlePlan(
  tx: Tx,
  { plan, changes, lastReservation, epoch }: SettlePlan & Fenced,
): Promise<Settled[]> {
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
  await insertRow(db, "plans", row);
  const outdated = await outdatedOf(tx, changes, lastReservation);
  const after: Settled[] = [];
  for (const { onlyWith, ...change } of changes)
    if (outdated.has(change.id)) after.push("outdated");
    else if (onlyWith !== undefined && !(await happens(tx, changes, outdated, onlyWith))) after.push(null);
    else after.push(await decideIntent(tx, { ...change, epoch }));
  return after;
}

/** Intents whose placement takes an offer of which others reserved something that the plan did not know of. */
async function outdatedOf(
  tx: Tx,
  changes: readonly PlannedChange[],
  lastReservation: number,
): Promise<ReadonlySet<string>> {
  const placed = changes.filter(({ newAllocations = [] }) => newAllocations.length > 0);
  const [first] = placed;
  if (first === undefined) return new Set();
  const later = await reservedSince(tx, { seq: lastReservation, atMs: first.atMs });
  const meets = ({ newAllocations = [] }: PlannedChange): boolean =>
    later.some(({ offer, tenant_id }) =>
      newAllocations.some((row) => row.offer === offer && row.tenant_id !== tenant_id),
    );
  return new Set(placed.filter(meets).map(({ id }) => id));
}

/** Whether the change of an intent, which comes later in the same plan, will be made. */
async function happens(
  tx: Tx,
  changes: readonly PlannedChange[],
  outdated: ReadonlySet<string>,
  id: string,
): Promise<boolean> {
  const change = changes.find((one) => one.id === id);
  if (change === undefined || outdated.has(id)) return false;
  return (await intentOf(tx, id, null))?.version === change.version;
}

/** See `SystemStore.plan`. */
export async function planById({ db }: Reader, id: string): Promise<PlanRow | null> {
  const plan = () => db.selectFrom("plans").selectAll().where("id", "=", "");
  const [found] = await run(db, "plan by id", plan, [id]);
  return found ?? null;
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

/**
 * Rows that are due. Where an older event of the same subject is still on its way or put off, later ones wait for it, and
 * keep no place from others.
 */
const claimable = (db: Tx["db"]) =>
  db
    .with("late", (query) =>
      query
        .selectFrom("outbox")
        .innerJoin("events", "events.seq", "outbox.event_seq")
        .select(["events.subject_id", (select) => select.fn.min<number>("outbox.id").as("id")])
        .where(({ eb, or }) => or([eb("outbox.due_ms", ">", 0), eb("outbox.claimed_until_ms", ">", 0)]))
        .groupBy("events.subject_id"),
    )
    .selectFrom("outbox")
    .innerJoin("events", "events.seq", "outbox.event_seq")
    .leftJoin("late", "late.subject_id", "events.subject_id")
    .selectAll("outbox")
    .where("outbox.due_ms", "<=", 0)
    .where("outbox.claimed_until_ms", "<=", 0)
    .where(({ eb, or }) => or([eb("late.id", "is", null), eb("late.id", ">", eb.ref("outbox.id"))]))
    .orderBy("outbox.id")
    .limit(rowLimit(1));

/** See `SystemStore.isOutboxDue`. */
export async function isOutboxDue({ db }: Reader, nowMs: number): Promise<boolean> {
  const due = () =>
    db
      .selectFrom("outbox")
      .select("id")
      .where("due_ms", "<=", nowMs)
      .where("claimed_until_ms", "<=", nowMs)
      .limit(rowLimit(1));
  return (await run(db, "whether the outbox is due", due, [nowMs, nowMs, 1])).length > 0;
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
  const { nowMs, untilMs, claimId, limit } = input;
  const rows = await run(db, "what may leave the outbox", () => claimable(db), [
    nowMs,
    nowMs,
    nowMs,
    nowMs,
    limit,
  ]);
  if (rows.length === 0) return [];
  const seqs = rows.map(({ event_seq }) => event_seq);
  const events = await run(
    db,
    `${seqs.length} events by number`,
    () => db.selectFrom("events").selectAll().where("seq", "in", seqs),
    seqs,
  );
  const bySeq = new Map(events.map((event) => [event.seq, event]));
  const claimed = rows.flatMap((row) => {
    const event = bySeq.get(row.event_seq);
    return event === undefined ? [] : [{ row, event }];
  });
  const ids = claimed.map(({ row }) => row.id);
  if (ids.length > 0)
    await run(
      db,
      `claim ${ids.length} in the outbox`,
      () =>
        db.updateTable("outbox").set({ claim_id: claimId, claimed_until_ms: untilMs }).where("id", "in", ids),
      [claimId, untilMs, ...ids],
    );
  return claimed;
}

/** See `SystemStore.finishOutbox`. */
export async function finishOutbox(
  { db }: Tx,
  { claimId, ids }: { readonly claimId: string; readonly ids: readonly number[] },
): Promise<void> {
  if (ids.length > 0)
    await run(
      db,
      `finish ${ids.length} in the outbox`,
      () => db.deleteFrom("outbox").where("claim_id", "=", claimId).where("id", "in", ids),
      [claimId, ...ids],
    );
}

/** See `SystemStore.releaseOutbox`. */
export async function releaseOutbox({ db }: Tx, { claimId }: { readonly claimId: string }): Promise<void> {
  await db
    .updateTable("outbox")
    .set({ claim_id: null, claimed_until_ms: 0 })
    .where("claim_id", "=", claimId)
    .execute();
}

/** See `SystemStore.retryOutbox`. */
export async function retryOutbox(
  { db }: Tx,
  {
    claimId,
    rows,
  }: { readonly claimId: string; readonly rows: readonly { readonly id: number; readonly dueMs: number }[] },
): Promise<void> {
  for (const { id, dueMs } of rows)
    await run(
      db,
      "put off in the outbox",
      () =>
        db
          .updateTable("outbox")
          .set((update) => ({
            due_ms: dueMs,
            attempts: update("attempts", "+", 1),
            claim_id: null,
            claimed_until_ms: 0,
          }))
          .where("id", "=", id)
          .where("claim_id", "=", claimId),
      [dueMs, 1, null, 0, id, claimId],
    );
}
