import { createHash } from "node:crypto";
import { z } from "@hono/zod-openapi";
import { readIntent } from "../../../adapters/json/intent.ts";
import { formatTime } from "../../../engine/model/time.ts";
import { parseJson } from "../body.ts";
import { ApiError } from "../problem.ts";
import { json, type Route, type TenantScope } from "../route.ts";
import { showIntent, showSummary } from "../show.ts";

const DAY_MS = 86_400_000;
const notFound = (): ApiError => new ApiError("NOT_FOUND", "there is no such intent");

function idempotencyOf(scope: TenantScope, raw: string) {
  const key = scope.http.req.header("idempotency-key");
  if (key === undefined) return {};
  if (!/^[\x21-\x7e]{1,255}$/.test(key))
    throw new ApiError(
      "INVALID_FORMAT",
      "Idempotency-Key takes 1 to 255 printable characters without spaces",
    );
  const requestHash = createHash("sha256").update(raw).digest("hex");
  return {
    idempotency: { key: `POST /intents ${key}`, requestHash, expiresMs: scope.env.clock.wallMs() + DAY_MS },
  };
}

async function submit(scope: TenantScope): Promise<Response> {
  const { env, http, principal, tenant, control } = scope;
  const raw = await http.req.text();
  const idempotent = idempotencyOf(scope, raw);
  const act = scope.act();
  const intent = readIntent(parseJson(raw), {
    strict: http.req.query("strict") === "true",
    tenant: principal.tenant,
  });
  const id = env.ids.next("int");
  const body = {
    intent_id: id,
    status: "pending",
    phase: "queued",
    message: "Intent received and processing",
    estimated_cost: null,
    estimated_start_time: null,
    warnings: intent.warnings,
  };
  const accepted = await tenant.acceptIntent({
    ...act,
    ...idempotent,
    id,
    name: intent.name,
    kind: intent.workload.type,
    priority: intent.priority,
    document: raw,
    spec: JSON.stringify({ ...intent, name: id, submittedAt: formatTime(act.atMs) }),
    message: body.message,
    answer: { status: 202, response: JSON.stringify(body) },
  });
  if (accepted.kind === "mismatch")
    throw new ApiError("IDEMPOTENCY_MISMATCH", "this Idempotency-Key was used with another body");
  if (accepted.kind === "name_taken")
    throw new ApiError("CONFLICT", `intent ${accepted.id} of this name has not ended`, {
      extra: { intent_id: accepted.id },
    });
  if (accepted.kind === "replayed")
    return new Response(accepted.response, {
      status: accepted.status,
      headers: { "content-type": "application/json", "idempotency-replayed": "true" },
    });
  control.wake();
  return json(202, body, { location: `/api/v1/intents/${id}` });
}

/** Intents: submit, read, cancel. */
export const intentRoutes: readonly Route[] = [
  {
    method: "post",
    path: "/intents",
    permission: "intents:write",
    summary: "Submit an intent",
    body: z.record(z.string(), z.unknown()),
    answers: { 202: { description: "Stored durably; it will be placed" } },
    handle: submit,
  },
  {
    method: "get",
    path: "/intents",
    permission: "intents:read",
    summary: "List intents, newest first",
    answers: { 200: { description: "One page" } },
    async handle({ tenant }) {
      const rows = await tenant.intents({ limit: 50 });
      return json(200, { intents: rows.map(showSummary) });
    },
  },
  {
    method: "get",
    path: "/intents/{id}",
    aliases: ["/intents/{id}/status"],
    permission: "intents:read",
    summary: "Where an intent stands, what it holds and costs",
    answers: { 200: { description: "The intent" }, 404: { description: "No such intent" } },
    async handle({ tenant, env, param }) {
      const view = await tenant.intent(param("id"));
      if (view === null) throw notFound();
      return json(200, showIntent(view, env.clock.wallMs()), { etag: `"${view.intent.version}"` });
    },
  },
  {
    method: "get",
    path: "/intents/{id}/decision",
    permission: "intents:read",
    summary: "Why it was decided that way",
    answers: {
      200: { description: "The last decision" },
      404: { description: "No such intent, or not decided yet" },
    },
    async handle({ tenant, param }) {
      const [last] = await tenant.decisions(param("id"), 1);
      if (last === undefined) throw notFound();
      return json(200, { intent_id: last.intent_id, plan_id: last.plan_id, ...JSON.parse(last.document) });
    },
  },
  {
    method: "delete",
    path: "/intents/{id}",
    permission: "intents:delete",
    summary: "Cancel an intent and release everything it holds; repeated, it changes nothing",
    answers: { 202: { description: "It ends" }, 404: { description: "No such intent" } },
    async handle({ tenant, act, param, control }) {
      const result = await tenant.cancelIntent({ ...act(), id: param("id") });
      if (result.kind === "not_found") throw notFound();
      control.wake();
      return json(202, showSummary(result.intent));
    },
  },
];
