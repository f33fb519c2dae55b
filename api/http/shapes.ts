import { z } from "@hono/zod-openapi";
import { phases } from "../control/lifecycle.ts";
import { permissions } from "./permissions.ts";

/*
 * Shapes of answers, for the OpenAPI document and for tests that hold answers against them. Objects are loose: a field
 * more is no breach of contract.
 */

const time = z.string().openapi({ format: "date-time" });
const timeOrNull = time.nullable();
const rate = z.looseObject({
  text: z.string(),
  amount: z.number(),
  currency: z.string(),
  period: z.literal("hour"),
});
const warning = z.looseObject({ path: z.string(), code: z.string(), message: z.string() });

/** An error, RFC 9457 with the original's members. */
export const problemSchema: z.ZodType = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    error_code: z.string(),
    message: z.string(),
    request_id: z.string(),
    errors: z.array(warning),
    suggestions: z.array(
      z.looseObject({ alternative: z.string(), cost_difference: z.string(), performance_impact: z.string() }),
    ),
  })
  .openapi("Problem");

const status = z.enum(["pending", "running", "completed", "failed", "cancelled"]);
const phase = z.enum(phases as readonly [(typeof phases)[number], ...(typeof phases)[number][]]);

/** One explained decision. */
export const decisionSchema: z.ZodType = z
  .looseObject({
    outcome: z.enum(["placed", "waiting", "refused"]),
    reason: z.string(),
    message: z.string(),
    placements: z.array(z.looseObject({ offer: z.string(), gpus: z.int() })),
    counterfactuals: z.array(z.looseObject({})),
  })
  .openapi("Decision");

/** What a submission answers. */
export const acceptedSchema: z.ZodType = z
  .looseObject({
    intent_id: z.string().nullable(),
    status: z.literal("pending"),
    phase,
    message: z.string(),
    estimated_cost: z.string().nullable(),
    estimated_start_time: timeOrNull,
    cost: rate.nullable(),
    warnings: z.array(warning),
    decision: decisionSchema.optional(),
  })
  .openapi("Accepted");

const summary = z.looseObject({
  intent_id: z.string(),
  name: z.string(),
  type: z.enum(["service", "batch"]),
  status,
  phase,
  priority: z.int(),
  reason: z.string().nullable(),
  message: z.string(),
  version: z.int(),
  created_at: time,
  updated_at: time,
  estimated_start_time: timeOrNull,
  started_at: timeOrNull,
  finished_at: timeOrNull,
});

/** An intent in lists. */
export const summarySchema: z.ZodType = summary.openapi("IntentSummary");

/** An intent after a change, with what of it was not understood or has no effect. */
export const amendedSchema: z.ZodType = summary.extend({ warnings: z.array(warning) }).openapi("Amended");

/** An intent with what it holds. */
export const intentSchema: z.ZodType = summary
  .extend({
    service_url: z.string().nullable(),
    workload_url: z.string().nullable(),
    runtime: z.string().nullable(),
    current_cost: z.string().nullable(),
    cost: rate.nullable(),
    allocation: z.array(z.looseObject({ offer: z.string(), gpus: z.int(), state: z.string() })),
    deployments: z.array(z.looseObject({ offer: z.string() })),
    conditions: z.array(z.looseObject({ type: z.string(), status: z.boolean() })),
    generation: z.int(),
  })
  .openapi("IntentStatus");

/** One page of a list. */
export const pageOf = (name: string, item: z.ZodType): z.ZodType =>
  z.looseObject({ [name]: z.array(item), next_cursor: z.string().nullable() });

/** One event. */
export const eventSchema: z.ZodType = z
  .looseObject({ seq: z.int(), kind: z.string(), subject: z.string(), at: time, data: z.looseObject({}) })
  .openapi("Event");

/** A token without its secret. */
export const tokenSchema: z.ZodType = z
  .looseObject({
    token_id: z.string(),
    name: z.string(),
    created_at: time,
    expires_at: time,
    last_used: timeOrNull,
    permissions: z.array(z.enum(permissions)),
    status: z.enum(["active", "expired", "revoked"]),
  })
  .openapi("Token");

/** Capacity held for a window. */
export const reservationSchema: z.ZodType = z
  .looseObject({
    reservation_id: z.string(),
    offer: z.string(),
    gpus: z.int(),
    used_gpus: z.int(),
    start: time,
    end: time,
    status: z.string(),
    version: z.int(),
  })
  .openapi("Reservation");

/** One kind of GPU that is on offer. */
export const resourceSchema: z.ZodType = z
  .looseObject({
    offer: z.string(),
    model: z.string(),
    count: z.int(),
    memory: z.string().nullable(),
    location: z.string().nullable(),
    cost_per_hour: z.string().nullable(),
    provider: z.string(),
    free: z.int(),
    utilization: z.number(),
  })
  .openapi("Resource");

/** One entry of the audit log. */
export const auditSchema: z.ZodType = z
  .looseObject({
    seq: z.int(),
    at: time,
    actor: z.string(),
    action: z.string(),
    target: z.string(),
    outcome: z.enum(["allowed", "denied"]),
    request_id: z.string(),
    hash: z.string(),
    previous_hash: z.string(),
  })
  .openapi("AuditEntry");

/** A tenant as administration sees it. */
export const tenantSchema: z.ZodType = z
  .looseObject({
    tenant: z.string(),
    weight: z.number(),
    status: z.enum(["active", "suspended"]),
    cohort: z.string().nullable(),
    quotas: z.array(z.looseObject({ nominal: z.number() })),
    created_at: time,
  })
  .openapi("Tenant");

/** A session of a browser. */
export const sessionSchema: z.ZodType = z
  .looseObject({
    session_id: z.string(),
    issuer: z.string(),
    subject: z.string(),
    name: z.string(),
    created_at: time,
    last_used: time,
    expires_at: time,
    ended_at: timeOrNull,
  })
  .openapi("Session");

/** A webhook without its secret. */
export const webhookSchema: z.ZodType = z
  .looseObject({
    webhook_id: z.string(),
    url: z.string(),
    description: z.string(),
    events: z.array(z.string()),
    status: z.enum(["active", "disabled"]),
    reason: z.enum(["by_request", "gone", "failing"]).nullable(),
    failing_since: timeOrNull,
    next_attempt_at: timeOrNull,
    previous_secret_until: timeOrNull,
    version: z.int(),
    created_at: time,
    updated_at: time,
  })
  .openapi("Webhook");

/** One message to a webhook. */
export const deliverySchema: z.ZodType = z
  .looseObject({
    delivery_id: z.int(),
    message_id: z.string(),
    event: z.int().nullable(),
    kind: z.string(),
    status: z.enum(["pending", "delivered", "failed"]),
    attempts: z.int(),
    http_status: z.int().nullable(),
    error: z.string().nullable(),
    answer: z.string().nullable(),
    duration_ms: z.int().nullable(),
    created_at: time,
    attempted_at: timeOrNull,
  })
  .openapi("Delivery");

/** Any JSON object. */
export const anyObject: z.ZodType = z.looseObject({});
