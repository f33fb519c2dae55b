import type { Kysely } from "kysely";
import { appendAudit, appendEvent, readHead, type Tx } from "../chain.ts";
import { StoreError } from "../errors.ts";
import type { Database, DeliveryRow, WebhookRow } from "../schema.ts";
import { rowLimit, run } from "../statement.ts";
import type { SystemStore } from "../store.ts";
import type { QueuedDelivery, WebhookCounts } from "../webhooks.ts";
import { deliveryRows } from "./webhooks.ts";

type Reader = Pick<Tx, "db">;
type Input<K extends keyof SystemStore> = Parameters<SystemStore[K]>[0];

/** Deliveries that ended stay in the log this long. */
const KEPT_MS = 30 * 86_400_000;

/** See `SystemStore.webhookWork`. */
export async function webhookWork(
  { db }: Reader,
  { after, nowMs }: Input<"webhookWork">,
): Promise<{ last: number; webhooks: WebhookRow[] }> {
  const { seq: last } = await readHead(db, "events");
  const webhooks = await run(
    db,
    "webhooks with work",
    () =>
      db
        .selectFrom("webhooks")
        .innerJoin("tenants", "tenants.id", "webhooks.tenant_id")
        .selectAll("webhooks")
        .where("webhooks.status", "=", "active")
        .where("tenants.status", "=", "active")
        .where(({ and, eb, or, exists, selectFrom }) =>
          or([
            eb("webhooks.due_ms", "<=", nowMs),
            // a queue that has something to wait for takes nothing more until then
            and([
              eb("webhooks.due_ms", "is", null),
              exists(
                selectFrom("events")
                  .select("events.seq")
                  .whereRef("events.tenant_id", "=", "webhooks.tenant_id")
                  .where("events.seq", ">", after),
              ),
            ]),
          ]),
        )
        .orderBy("webhooks.id"),
    ["active", "active", nowMs, after],
  );
  return { last, webhooks };
}

/** See `WebhookQueues.webhookCounts`. */
export async function webhookCounts({ db }: Reader): Promise<WebhookCounts> {
  const rows = await db
    .selectFrom("webhooks")
    .select(({ fn, eb }) => [
      "status",
      eb("failing_ms", "is", null).as("healthy"),
      fn.countAll<number>().as("count"),
    ])
    .groupBy(["status", (builder) => builder.eb("failing_ms", "is", null)])
    .execute();
  const { count } = await db
    .selectFrom("deliveries")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("state", "=", "pending")
    .executeTakeFirstOrThrow();
  const sum = (wanted: (row: (typeof rows)[number]) => boolean): number =>
    rows.reduce((total, row) => total + (wanted(row) ? Number(row.count) : 0), 0);
  return {
    healthy: sum(({ status, healthy }) => status === "active" && Boolean(healthy)),
    failing: sum(({ status, healthy }) => status === "active" && !healthy),
    disabled: sum(({ status }) => status !== "active"),
    waiting: Number(count),
  };
}

async function firstOf({ db }: Reader, webhook: string): Promise<DeliveryRow | undefined> {
  const [first] = await run(
    db,
    "first of a queue",
    () =>
      db
        .selectFrom("deliveries")
        .selectAll()
        .where("webhook_id", "=", webhook)
        .where("state", "=", "pending")
        .orderBy("id")
        .limit(rowLimit(1)),
    [webhook, "pending", 1],
  );
  return first;
}

const webhookById = ({ db }: Reader) => db.selectFrom("webhooks").selectAll().where("id", "=", "");

/** See `SystemStore.webhookQueue`. */
export async function webhookQueue(
  reader: Reader,
  id: string,
): Promise<{ webhook: WebhookRow; first: QueuedDelivery | null } | null> {
  const { db } = reader;
  const [webhook] = await run(
    db,
    "webhook of an active tenant",
    () =>
      db
        .selectFrom("webhooks")
        .innerJoin("tenants", "tenants.id", "webhooks.tenant_id")
        .selectAll("webhooks")
        .where("webhooks.id", "=", id)
        .where("tenants.status", "=", "active"),
    [id, "active"],
  );
  if (webhook === undefined) return null;
  const delivery = await firstOf(reader, id);
  if (delivery === undefined) return { webhook, first: null };
  const { event_seq: seq } = delivery;
  const [event] = await run(
    db,
    "event of a delivery",
    () =>
      db.selectFrom("events").selectAll().where("seq", "=", seq).where("tenant_id", "=", webhook.tenant_id),
    [seq, webhook.tenant_id],
  );
  if (event === undefined)
    throw new StoreError("internal", `delivery ${delivery.id} is of event ${seq}, which is not there`);
  return { webhook, first: { delivery, event } };
}

/** See `SystemStore.queueDeliveries`. */
export async function queueDeliveries({ db }: Tx, input: Input<"queueDeliveries">): Promise<boolean> {
  const { id, from, to, events, atMs } = input;
  const [webhook] = await run(
    db,
    "webhook at a position",
    () => webhookById({ db }).where("position", "=", from),
    [id, from],
  );
  if (webhook === undefined) return false;
  const due = events.length === 0 ? webhook.due_ms : (webhook.due_ms ?? atMs);
  await run(
    db,
    "move a webhook",
    () => db.updateTable("webhooks").set({ position: to, due_ms: due }).where("id", "=", id),
    [to, due, id],
  );
  const rows = deliveryRows(webhook, events, atMs);
  if (rows.length > 0)
    await run(
      db,
      `queue ${rows.length} deliveries`,
      () => db.insertInto("deliveries").values(rows),
      rows.flatMap((row) => Object.values(row)),
    );
  return true;
}

/** Ends the sending to a webhook, and tells its tenant. */
async function disable(
  tx: Tx,
  webhook: WebhookRow,
  reason: string,
  { atMs, requestId }: { readonly atMs: number; readonly requestId: string },
): Promise<void> {
  await appendEvent(tx, {
    tenant_id: webhook.tenant_id,
    at_ms: atMs,
    actor: "webhooks",
    kind: "webhook.disabled",
    subject_id: webhook.id,
    payload: JSON.stringify({ reason, url: webhook.url, failing_ms: webhook.failing_ms }),
  });
  await appendAudit(tx, {
    tenant_id: webhook.tenant_id,
    at_ms: atMs,
    actor: "webhooks",
    action: `webhook.disable ${reason}`,
    target: webhook.id,
    outcome: "allowed",
    request_id: requestId,
  });
}

/** See `SystemStore.recordAttempt`. */
export async function recordAttempt(tx: Tx, input: Input<"recordAttempt">): Promise<boolean> {
  const { db } = tx;
  const { delivery: id, attempts, atMs, status, error, answer, durationMs, retryMs, isGone } = input;
  const [delivery] = await run(
    db,
    "delivery at an attempt",
    () =>
      db
        .selectFrom("deliveries")
        .selectAll()
        .where("id", "=", id)
        .where("state", "=", "pending")
        .where("attempts", "=", attempts),
    [id, "pending", attempts],
  );
  if (delivery === undefined) return false;
  const hasEnded = error === null || retryMs === null;
  const tried = {
    state: error === null ? "delivered" : hasEnded ? "failed" : "pending",
    attempts: attempts + 1,
    status,
    error,
    answer,
    duration_ms: durationMs,
    attempted_ms: atMs,
  };
  await run(db, "note an attempt", () => db.updateTable("deliveries").set(tried).where("id", "=", id), [
    ...Object.values(tried),
    id,
  ]);
  const [webhook] = await run(db, "webhook by id", () => webhookById({ db }), [delivery.webhook_id]);
  if (webhook === undefined)
    throw new StoreError("internal", `delivery ${id} is of ${delivery.webhook_id}, which is not there`);
  const failing = error === null ? null : (webhook.failing_ms ?? atMs);
  const next = hasEnded ? await firstOf(tx, webhook.id) : delivery;
  const reason = isGone
    ? "gone"
    : failing !== null && atMs - failing >= input.disableAfterMs
      ? "failing"
      : null;
  const ends = reason !== null && webhook.status === "active";
  const set = {
    failing_ms: failing,
    due_ms: next === undefined ? null : hasEnded ? atMs : retryMs,
    ...(ends ? { status: "disabled", reason, version: webhook.version + 1, updated_ms: atMs } : {}),
  };
  await run(
    db,
    `after an attempt ${Object.keys(set).join()}`,
    () => db.updateTable("webhooks").set(set).where("id", "=", webhook.id),
    [...Object.values(set), webhook.id],
  );
  if (ends) await disable(tx, { ...webhook, failing_ms: failing }, reason, input);
  return true;
}

/** Deletes deliveries that ended long ago. */
export async function purgeDeliveries(db: Kysely<Database>, nowMs: number): Promise<void> {
  await db
    .deleteFrom("deliveries")
    .where("state", "!=", "pending")
    .where("created_ms", "<", nowMs - KEPT_MS)
    .execute();
}
