import { eventKinds, isWanted } from "../../hooks/filter.ts";
import { appendAct, readHead, type Tx } from "../chain.ts";
import type { DeliveryRow, WebhookRow } from "../schema.ts";
import { rowLimit } from "../statement.ts";
import type { TenantStore } from "../store.ts";
import type { TenantId } from "../tenant.ts";
import type { Attempt, WebhookChanged } from "../webhooks.ts";

type Reader = Pick<Tx, "db">;
type Input<K extends keyof TenantStore> = Parameters<TenantStore[K]>[0];

/** See `TenantStore.webhook`. */
export async function webhookOf({ db }: Reader, tenant: TenantId, id: string): Promise<WebhookRow | null> {
  const row = await db
    .selectFrom("webhooks")
    .selectAll()
    .where("id", "=", id)
    .where("tenant_id", "=", tenant)
    .executeTakeFirst();
  return row ?? null;
}

/** A webhook as it is when it was just created, but for where it belongs and begins. */
export const newWebhook = (
  webhook: Input<"createWebhook">["webhook"],
  atMs: number,
): Omit<WebhookRow, "tenant_id" | "position"> => ({
  ...webhook,
  reason: webhook.status === "active" ? null : "by_request",
  previous: null,
  previous_until_ms: null,
  due_ms: null,
  failing_ms: null,
  version: 1,
  created_ms: atMs,
  updated_ms: atMs,
});

/** See `TenantStore.createWebhook`. */
export async function createWebhook(
  tx: Tx,
  tenant: TenantId,
  input: Input<"createWebhook">,
): Promise<WebhookRow | null> {
  const { count } = await tx.db
    .selectFrom("webhooks")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("tenant_id", "=", tenant)
    .executeTakeFirstOrThrow();
  if (Number(count) >= input.most) return null;
  const row: WebhookRow = {
    ...newWebhook(input.webhook, input.atMs),
    tenant_id: tenant,
    position: (tx.heads.get("events") ?? (await readHead(tx.db, "events"))).seq,
  };
  await tx.db.insertInto("webhooks").values(row).execute();
  await appendAct(tx, tenant, input, "webhook.create", row.id);
  return row;
}

const update = (tx: Tx, id: string, set: Partial<WebhookRow>) =>
  tx.db.updateTable("webhooks").set(set).where("id", "=", id).execute();

/** When a queue that may go on is due: now, unless it is empty. */
async function dueOf({ db }: Reader, id: string, atMs: number): Promise<number | null> {
  const first = await db
    .selectFrom("deliveries")
    .select("id")
    .where("webhook_id", "=", id)
    .where("state", "=", "pending")
    .limit(rowLimit(1))
    .executeTakeFirst();
  return first === undefined ? null : atMs;
}

/** See `TenantStore.changeWebhook`. */
export async function changeWebhook(
  tx: Tx,
  tenant: TenantId,
  { id, version, set, ...act }: Input<"changeWebhook">,
): Promise<WebhookChanged> {
  const before = await webhookOf(tx, tenant, id);
  if (before === null) return { kind: "not_found" };
  if (before.version !== version) return { kind: "version_differs", webhook: before };
  const status = set.status ?? before.status;
  const isRevived = status === "active" && before.status !== "active";
  // another address is another receiver, whose failures begin with itself
  const isFresh = isRevived || (set.url !== undefined && set.url !== before.url);
  const change: Partial<WebhookRow> = {
    ...set,
    ...(status === before.status ? {} : { reason: status === "active" ? null : "by_request" }),
    ...(isFresh ? { failing_ms: null, due_ms: await dueOf(tx, id, act.atMs) } : {}),
    version: version + 1,
    updated_ms: act.atMs,
  };
  await update(tx, id, change);
  await appendAct(tx, tenant, act, `webhook.change ${Object.keys(set).sort().join(" ")}`.trim(), id);
  return { kind: "changed", webhook: { ...before, ...change } };
}

/** See `TenantStore.rotateWebhook`. */
export async function rotateWebhook(
  tx: Tx,
  tenant: TenantId,
  { id, secret, previousUntilMs, ...act }: Input<"rotateWebhook">,
): Promise<WebhookRow | null> {
  const before = await webhookOf(tx, tenant, id);
  if (before === null) return null;
  const keeps = previousUntilMs > act.atMs;
  const change = {
    secret,
    previous: keeps ? before.secret : null,
    previous_until_ms: keeps ? previousUntilMs : null,
    version: before.version + 1,
    updated_ms: act.atMs,
  };
  await update(tx, id, change);
  await appendAct(tx, tenant, act, "webhook.rotate", id);
  return { ...before, ...change };
}

/** See `TenantStore.deleteWebhook`. */
export async function deleteWebhook(
  tx: Tx,
  tenant: TenantId,
  { id, ...act }: Input<"deleteWebhook">,
): Promise<WebhookRow | null> {
  const before = await webhookOf(tx, tenant, id);
  if (before === null) return null;
  await tx.db.deleteFrom("deliveries").where("webhook_id", "=", id).execute();
  await tx.db.deleteFrom("webhooks").where("id", "=", id).execute();
  await appendAct(tx, tenant, act, "webhook.delete", id);
  return before;
}

/** Rows of a queue for events, in their order. */
export const deliveryRows = (
  webhook: Pick<WebhookRow, "id" | "tenant_id">,
  events: readonly { readonly seq: number; readonly kind: string }[],
  atMs: number,
): Omit<DeliveryRow, "id">[] =>
  events.map(({ seq, kind }) => ({
    webhook_id: webhook.id,
    tenant_id: webhook.tenant_id,
    message_id: `evt-${seq}`,
    event_seq: seq,
    kind,
    state: "pending",
    attempts: 0,
    status: null,
    error: null,
    answer: null,
    duration_ms: null,
    created_ms: atMs,
    attempted_ms: null,
  }));

/** See `TenantStore.replayWebhook`. */
export async function replayWebhook(
  tx: Tx,
  tenant: TenantId,
  { id, seqs, sinceMs, limit, ...act }: Input<"replayWebhook">,
): Promise<number | null> {
  const webhook = await webhookOf(tx, tenant, id);
  if (webhook === null) return null;
  // what its position has not passed comes by itself
  let query = tx.db
    .selectFrom("events")
    .select(["seq", "kind"])
    .where("tenant_id", "=", tenant)
    .where("seq", "<=", webhook.position);
  if (seqs !== undefined) query = query.where("seq", "in", seqs);
  if (sinceMs !== undefined) query = query.where("at_ms", ">=", sinceMs);
  const filters = JSON.parse(webhook.events) as string[];
  const kinds = eventKinds.filter((kind) => isWanted(filters, kind));
  const events = await query.where("kind", "in", kinds).orderBy("seq").limit(rowLimit(limit)).execute();
  if (events.length > 0) {
    await tx.db
      .insertInto("deliveries")
      .values(deliveryRows(webhook, events, act.atMs))
      .execute();
    await update(tx, id, { due_ms: webhook.due_ms ?? act.atMs });
  }
  await appendAct(tx, tenant, act, "webhook.replay", id);
  return events.length;
}

/** See `TenantStore.deliveries`. */
export function deliveryPage(
  { db }: Reader,
  tenant: TenantId,
  { webhook, state, before, limit }: Input<"deliveries">,
): Promise<DeliveryRow[]> {
  let query = db
    .selectFrom("deliveries")
    .selectAll()
    .where("webhook_id", "=", webhook)
    .where("tenant_id", "=", tenant);
  if (state !== undefined) query = query.where("state", "=", state);
  if (before !== undefined) query = query.where("id", "<", before);
  return query.orderBy("id", "desc").limit(rowLimit(limit)).execute();
}

/** See `TenantStore.logTest`. */
export async function logTest(
  tx: Tx,
  tenant: TenantId,
  input: Attempt & { readonly id: string; readonly messageId: string },
): Promise<DeliveryRow | null> {
  const webhook = await webhookOf(tx, tenant, input.id);
  if (webhook === null) return null;
  const row = await tx.db
    .insertInto("deliveries")
    .values({
      webhook_id: webhook.id,
      tenant_id: tenant,
      message_id: input.messageId,
      event_seq: null,
      kind: "webhook.test",
      state: input.error === null ? "delivered" : "failed",
      attempts: 1,
      status: input.status,
      error: input.error,
      answer: input.answer,
      duration_ms: input.durationMs,
      created_ms: input.atMs,
      attempted_ms: input.atMs,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  if (input.error === null)
    await update(tx, webhook.id, { failing_ms: null, due_ms: await dueOf(tx, webhook.id, input.atMs) });
  return row;
}
