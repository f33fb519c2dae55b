import { z } from "@hono/zod-openapi";
import { readShape } from "../../../adapters/json/read-shape.ts";
import { parseDurationMs } from "../../../adapters/kubernetes/quantity.ts";
import { EngineError } from "../../../engine/model/errors.ts";
import { formatTime } from "../../../engine/model/time.ts";
import { eventFilters } from "../../hooks/filter.ts";
import { forgeTest, makeSigningSecret } from "../../hooks/message.ts";
import { type HookTools, sendOnce } from "../../hooks/sender.ts";
import { newWebhook } from "../../store/operations/webhooks.ts";
import type { DeliveryRow, WebhookRow } from "../../store/schema.ts";
import { readBody } from "../body.ts";
import { answeredBefore, checkMatch, onceHeader, onceOf, tagOf } from "../condition.ts";
import { ApiError } from "../problem.ts";
import { paging, queried, readTime } from "../query.ts";
import { json, type Route, type TenantScope } from "../route.ts";
import { deliverySchema, pageOf, webhookSchema } from "../shapes.ts";
import { showTime } from "../show.ts";

const HOUR_MS = 3_600_000;
/** Webhooks of a tenant. */
const MOST = 20;
const DEFAULT_OVERLAP_MS = 24 * HOUR_MS;
const MOST_OVERLAP_MS = 168 * HOUR_MS;
/** Events that one replay puts into a queue. */
const MOST_REPLAYED = 1000;
/** What a test costs of the caller's rate: it makes this service wait for another one. */
const TEST_UNITS = 25;

const filters = z
  .array(z.enum(eventFilters as [string, ...string[]]))
  .min(1)
  .max(50);
const described = z
  .string()
  .max(200)
  .refine((text) => !/[\p{Cc}\p{Cf}]/u.test(text), {
    error: () => "accepted: text without control characters",
  });
const address = z.string().min(1).max(2048).openapi({ format: "uri", example: "https://example.org/flare" });
const status = z.enum(["active", "disabled"]);

const wanted = z.strictObject({
  url: address,
  description: described.optional(),
  events: filters.optional(),
  status: status.optional(),
});
const changed = z.strictObject({
  url: address.optional(),
  description: described.optional(),
  events: filters.optional(),
  status: status.optional(),
});
const rotation = z.strictObject({
  overlap: z
    .string()
    .max(40)
    .transform((text, context) => {
      try {
        const overlap = parseDurationMs(text);
        if (overlap >= 0 && overlap <= MOST_OVERLAP_MS) return overlap;
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
      }
      context.addIssue({ code: "custom", message: 'accepted: "0s" to "168h"' });
      return z.NEVER;
    })
    .openapi({ type: "string", example: "24h" })
    .optional(),
});
const replayed = z
  .strictObject({
    events: z.array(z.int().min(1)).min(1).max(MOST_REPLAYED).optional(),
    since: z.string().max(64).openapi({ format: "date-time" }).optional(),
  })
  .refine(({ events, since }) => (events === undefined) !== (since === undefined), {
    error: () => "accepted: either events, a list of numbers, or since, a time",
  });

function show(row: Omit<WebhookRow, "tenant_id" | "position">, nowMs: number): Record<string, unknown> {
  const isOverlap = row.previous_until_ms !== null && row.previous_until_ms > nowMs;
  return {
    webhook_id: row.id,
    url: row.url,
    description: row.description,
    events: JSON.parse(row.events) as unknown,
    status: row.status,
    reason: row.reason,
    failing_since: showTime(row.failing_ms),
    next_attempt_at: row.status === "active" ? showTime(row.due_ms) : null,
    previous_secret_until: isOverlap ? showTime(row.previous_until_ms) : null,
    version: row.version,
    created_at: formatTime(row.created_ms),
    updated_at: formatTime(row.updated_ms),
  };
}

const showDelivery = (row: DeliveryRow): Record<string, unknown> => ({
  delivery_id: row.id,
  message_id: row.message_id,
  event: row.event_seq,
  kind: row.kind,
  status: row.state,
  attempts: row.attempts,
  http_status: row.status,
  error: row.error,
  answer: row.answer,
  duration_ms: row.duration_ms,
  created_at: formatTime(row.created_ms),
  attempted_at: showTime(row.attempted_ms),
});

function toolsOf({ hooks }: TenantScope): HookTools {
  if (hooks === undefined)
    throw new ApiError("NOT_READY", "this service has no key for the secrets of webhooks", {
      retryAfter: 60,
    });
  return hooks;
}

function checkUrl(hooks: HookTools, url: string): void {
  const reason = hooks.refuse(url);
  if (reason === null) return;
  throw new ApiError("INVALID_FORMAT", `url: ${reason}`, {
    problems: [{ path: "url", code: "invalid_format", message: reason }],
  });
}

const notFound = (): ApiError => new ApiError("NOT_FOUND", "there is no such webhook");

async function find({ tenant, param }: TenantScope): Promise<WebhookRow> {
  const row = await tenant.webhook(param("id"));
  if (row === null) throw notFound();
  return row;
}

const answerWith = (row: WebhookRow, nowMs: number, more: object = {}, code = 200): Response =>
  json(code, { ...show(row, nowMs), ...more }, { etag: tagOf(row.version) });

const KEEP = "Keep the secret: it is shown this once";
const SHOWN = "The secret was shown once, when it was created";

async function create(scope: TenantScope): Promise<Response> {
  const { env, tenant, act, http } = scope;
  const hooks = toolsOf(scope);
  const raw = await readBody(http);
  const body = readShape(wanted, raw.document);
  checkUrl(hooks, body.url);
  const id = env.ids.next("whk");
  const secret = makeSigningSecret(env.random);
  const webhook = {
    id,
    url: body.url,
    description: body.description ?? "",
    events: JSON.stringify([...new Set(body.events ?? ["*"])]),
    status: body.status ?? "active",
    secret: hooks.box.seal(secret, id),
  };
  const done = act();
  const kept = { ...show(newWebhook(webhook, done.atMs), done.atMs), message: SHOWN };
  const once = onceOf(scope, "POST /webhooks", raw, { status: 201, body: kept });
  const row = await tenant.createWebhook({ ...done, ...once, webhook, most: MOST });
  const before = answeredBefore(row);
  if (before !== null) return before;
  if (row === null || "kind" in row)
    throw new ApiError("QUOTA_EXCEEDED", `${MOST} of ${MOST} webhooks exist`, { retryAfter: 60 });
  return answerWith(row, env.clock.wallMs(), { secret, message: KEEP }, 201);
}

async function change(scope: TenantScope): Promise<Response> {
  const { env, tenant, act, http } = scope;
  const before = await find(scope);
  checkMatch(http, before.version);
  const { events, ...body } = readShape(changed, (await readBody(http)).document);
  if (body.url !== undefined) checkUrl(toolsOf(scope), body.url);
  const given = Object.entries({
    ...body,
    ...(events === undefined ? {} : { events: JSON.stringify([...new Set(events)]) }),
  }).filter(([, value]) => value !== undefined);
  const set = Object.fromEntries(given);
  const answer = await tenant.changeWebhook({ ...act(), id: before.id, version: before.version, set });
  if (answer.kind === "not_found") throw notFound();
  if (answer.kind === "version_differs")
    throw new ApiError("CONFLICT", `it changed meanwhile; it is version ${answer.webhook.version} by now`);
  return answerWith(answer.webhook, env.clock.wallMs());
}

async function rotate(scope: TenantScope): Promise<Response> {
  const { env, tenant, act, http, param } = scope;
  const hooks = toolsOf(scope);
  const { overlap = DEFAULT_OVERLAP_MS } = readShape(rotation, (await readBody(http)).document);
  const secret = makeSigningSecret(env.random);
  const row = await tenant.rotateWebhook({
    ...act(),
    id: param("id"),
    secret: hooks.box.seal(secret, param("id")),
    previousUntilMs: env.clock.wallMs() + overlap,
  });
  if (row === null) throw notFound();
  return answerWith(row, env.clock.wallMs(), { secret, message: KEEP });
}

async function tryOut(scope: TenantScope): Promise<Response> {
  const { env, tenant, charge } = scope;
  const hooks = toolsOf(scope);
  const row = await find(scope);
  charge(TEST_UNITS);
  const message = forgeTest(env.ids.next("test"), row.id, env.clock.wallMs());
  const ended = await sendOnce(env, hooks, row, message);
  const logged = await tenant.logTest({ ...ended, id: row.id, messageId: message.id });
  if (logged === null) throw notFound();
  return json(200, showDelivery(logged));
}

async function replay(scope: TenantScope): Promise<Response> {
  const { tenant, act, http, param } = scope;
  const { events, since } = readShape(replayed, (await readBody(http)).document);
  const queued = await tenant.replayWebhook({
    ...act(),
    id: param("id"),
    limit: MOST_REPLAYED,
    ...(events === undefined ? {} : { seqs: [...new Set(events)] }),
    ...(since === undefined ? {} : { sinceMs: readTime("since", since) }),
  });
  if (queued === null) throw notFound();
  const asked = events === undefined ? null : new Set(events).size;
  const others =
    asked === null || asked === queued
      ? ""
      : `; the other ${asked - queued} are not in the log, not of a kind that this webhook wants, or still to be sent`;
  return json(202, { queued, message: `${queued} events are queued again, behind what waits${others}` });
}

const deliveryQuery = z.object({
  ...paging,
  status: z.enum(["pending", "delivered", "failed"]).optional(),
});

const one = { 200: { description: "The webhook", schema: webhookSchema } };
const withSecret = { description: "The webhook and its secret", schema: webhookSchema };
const permission = "webhooks:manage";

/** Webhooks: addresses of a tenant that are told what happens. */
export const webhookRoutes: readonly Route[] = [
  {
    method: "post",
    path: "/webhooks",
    permission,
    summary: "Post events to an address, signed; the secret is shown once",
    description:
      "Standard Webhooks 1.0. Filters are `*`, `intent.*`, `webhook.*` or kinds of events; default everything. Events from now on, at least once and in order.",
    body: wanted,
    headers: onceHeader,
    answers: {
      201: withSecret,
      422: { description: "The Idempotency-Key was used with another body" },
    },
    handle: create,
  },
  {
    method: "get",
    path: "/webhooks",
    permission,
    summary: "The tenant's webhooks, without their secrets",
    answers: { 200: { description: "Webhooks", schema: pageOf("webhooks", webhookSchema) } },
    async handle({ tenant, env }) {
      const now = env.clock.wallMs();
      return json(200, {
        webhooks: (await tenant.webhooks()).map((row) => show(row, now)),
        next_cursor: null,
      });
    },
  },
  {
    method: "get",
    path: "/webhooks/{id}",
    permission,
    summary: "One webhook",
    answers: one,
    async handle(scope) {
      return answerWith(await find(scope), scope.env.clock.wallMs());
    },
  },
  {
    method: "patch",
    path: "/webhooks/{id}",
    permission,
    summary:
      "Change address, filters or description; disable; make active again, which goes on where it stopped",
    headers: { "If-Match": "Change only this version." },
    body: changed,
    answers: {
      ...one,
      409: { description: "It changed meanwhile" },
      412: { description: "Another version" },
    },
    handle: change,
  },
  {
    method: "post",
    path: "/webhooks/{id}/rotate",
    permission,
    summary: "A new secret, shown once; the old one signs beside it for a while",
    description: "`overlap` from `0s` to `168h`, default `24h`.",
    body: rotation,
    answers: { 200: withSecret },
    handle: rotate,
  },
  {
    method: "post",
    path: "/webhooks/{id}/test",
    permission,
    summary: "Send a test message now, and say how it went; one that arrives makes the queue try again",
    answers: { 200: { description: "How it went", schema: deliverySchema } },
    handle: tryOut,
  },
  {
    method: "post",
    path: "/webhooks/{id}/replay",
    permission,
    summary: "Queue events of the past again, by number or from a time on, under their own webhook-id",
    body: replayed,
    answers: {
      202: { description: "How many are queued", schema: z.looseObject({ queued: z.int() }) },
    },
    handle: replay,
  },
  {
    method: "get",
    path: "/webhooks/{id}/deliveries",
    permission,
    summary: "Messages to a webhook, newest first: waiting, delivered and given up, for 30 days",
    answers: { 200: { description: "Deliveries", schema: pageOf("deliveries", deliverySchema) } },
    ...queried(deliveryQuery, async (scope, { limit = 50, cursor, status: state }) => {
      const { tenant, tenantId, tools } = scope;
      const { id } = await find(scope);
      const list = `deliveries ${id}`;
      const before =
        cursor === undefined ? undefined : Number(await tools.cursors.read(tenantId, list, cursor));
      const rows = await tenant.deliveries({
        webhook: id,
        limit: limit + 1,
        ...(state === undefined ? {} : { state }),
        ...(before === undefined ? {} : { before }),
      });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      const next =
        rows.length > limit && last !== undefined
          ? await tools.cursors.make(tenantId, list, String(last.id))
          : null;
      return json(200, { deliveries: page.map(showDelivery), next_cursor: next });
    }),
  },
  {
    method: "delete",
    path: "/webhooks/{id}",
    permission,
    summary: "Delete a webhook with its queue and its log",
    answers: { 200: { description: "As it was", schema: webhookSchema } },
    async handle({ tenant, act, param, env }) {
      const row = await tenant.deleteWebhook({ ...act(), id: param("id") });
      if (row === null) throw notFound();
      return json(200, { ...show(row, env.clock.wallMs()), message: "Webhook deleted" });
    },
  },
];
