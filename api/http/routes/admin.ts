import { z } from "@hono/zod-openapi";
import { readShape } from "../../../adapters/json/read-shape.ts";
import type { Quota } from "../../../engine/model/snapshot.ts";
import { formatTime } from "../../../engine/model/time.ts";
import type { TenantRow } from "../../store/schema.ts";
import type { TenantChange } from "../../store/store.ts";
import { trustTenant } from "../../store/tenant.ts";
import { readBody } from "../body.ts";
import { answeredBefore, onceHeader, onceOf } from "../condition.ts";
import { ApiError } from "../problem.ts";
import { json, type Route } from "../route.ts";
import { anyObject, pageOf, tenantSchema } from "../shapes.ts";

/** Tenants name Kubernetes objects: a DNS label. */
const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, {
  error: () => "accepted: lower case letters, digits and -, at most 63",
});

const amount = z.number().min(0).max(1e9);
const quota = z
  .strictObject({
    gpu_class: z.string().min(1).max(100).optional().openapi({ description: "GPU family, or * for all." }),
    money: z.literal(true).optional().openapi({ description: "Limits money per hour instead of GPUs." }),
    nominal: amount,
    borrowing: amount.optional(),
    lending: amount.optional(),
  })
  .refine((one) => (one.gpu_class === undefined) !== (one.money === undefined), {
    error: () => "accepted: gpu_class or money",
  });
const quotas = z.array(quota).max(100);
const weight = z.number().min(0.001).max(1000);

const wanted = z.strictObject({
  tenant: name,
  weight: weight.optional(),
  cohort: name.nullable().optional(),
  quotas: quotas.optional(),
});
const change = z.strictObject({
  weight: weight.optional(),
  cohort: name.nullable().optional(),
  status: z.enum(["active", "suspended"]).optional(),
});
const quotaChange = z.strictObject({ quotas });

/** Money in quotas is whole units outside and micro-units inside. */
const toModel = (list: z.output<typeof quotas>): Quota[] =>
  list.map(({ gpu_class, money, ...figures }) => {
    const scale = money === true ? 1_000_000 : 1;
    const scaled = Object.fromEntries(
      Object.entries(figures).flatMap(([key, value]) =>
        value === undefined ? [] : [[key, Math.round(value * scale)]],
      ),
    ) as Pick<Quota, "nominal" | "borrowing" | "lending">;
    return { ...(gpu_class === undefined ? { money: true as const } : { gpuClass: gpu_class }), ...scaled };
  });

const showQuotas = (text: string): object[] =>
  (JSON.parse(text) as Quota[]).map(({ gpuClass, money, ...figures }) => {
    const scale = money === true ? 1_000_000 : 1;
    return {
      ...(gpuClass === undefined ? { money: true } : { gpu_class: gpuClass }),
      ...Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, Number(value) / scale])),
    };
  });

const show = (row: TenantRow): Record<string, unknown> => ({
  tenant: row.id,
  weight: row.weight,
  status: row.status,
  cohort: row.cohort,
  quotas: showQuotas(row.quotas),
  created_at: formatTime(row.created_ms),
});

const notFound = (): ApiError => new ApiError("NOT_FOUND", "there is no such tenant");

/** Tenants and quotas, for administrators; and one's own quotas. */
export const adminRoutes: readonly Route[] = [
  {
    method: "get",
    path: "/admin/tenants",
    permission: "admin:*",
    summary: "All tenants",
    answers: { 200: { description: "Tenants", schema: pageOf("tenants", tenantSchema) } },
    async handle({ env }) {
      return json(200, { tenants: (await env.store.system.tenants()).map(show), next_cursor: null });
    },
  },
  {
    method: "post",
    path: "/admin/tenants",
    permission: "admin:*",
    summary: "Create a tenant",
    body: wanted,
    headers: onceHeader,
    answers: {
      201: { description: "Created", schema: tenantSchema },
      409: { description: "A tenant of that name exists" },
      422: { description: "The Idempotency-Key was used with another body" },
    },
    async handle(scope) {
      const { env, act, http, tenantId } = scope;
      const raw = await readBody(http);
      const body = readShape(wanted, raw.document);
      const tenant: TenantRow = {
        id: trustTenant(body.tenant),
        weight: body.weight ?? 1,
        status: "active",
        quotas: JSON.stringify(toModel(body.quotas ?? [])),
        cohort: body.cohort ?? null,
        created_ms: env.clock.wallMs(),
      };
      const once = onceOf(scope, "POST /admin/tenants", raw, { status: 201, body: show(tenant) });
      const result = await env.store.system.createTenant({ ...act(), ...once, tenant, caller: tenantId });
      const before = answeredBefore(result);
      if (before !== null) return before;
      if (result.kind === "exists") throw new ApiError("CONFLICT", `tenant ${body.tenant} exists`);
      return json(201, show(tenant), { location: `/api/v1/admin/tenants/${tenant.id}` });
    },
  },
  {
    method: "get",
    path: "/admin/tenants/{id}",
    permission: "admin:*",
    summary: "One tenant",
    answers: { 200: { description: "The tenant", schema: tenantSchema } },
    async handle({ env, param }) {
      const row = await env.store.system.tenant(param("id"));
      if (row === null) throw notFound();
      return json(200, show(row));
    },
  },
  {
    method: "patch",
    path: "/admin/tenants/{id}",
    permission: "admin:*",
    summary: "Change a tenant's weight, cohort or status; a suspended tenant's tokens no longer work",
    body: change,
    answers: {
      200: { description: "The tenant", schema: tenantSchema },
      409: { description: "It is the caller's own, and would be suspended" },
    },
    async handle({ env, act, param, http, control, principal }) {
      const body = readShape(change, (await readBody(http)).document);
      if (body.status === "suspended" && param("id") === principal.tenant)
        throw new ApiError("CONFLICT", "nobody suspends the tenant that their own token belongs to");
      const set = Object.fromEntries(
        Object.entries(body).filter(([, value]) => value !== undefined),
      ) as TenantChange;
      const row = await env.store.system.changeTenant({ ...act(), id: param("id"), set });
      if (row === null) throw notFound();
      control.wake();
      return json(200, show(row));
    },
  },
  {
    method: "get",
    path: "/admin/quotas",
    permission: "admin:*",
    summary: "Quotas of all tenants",
    answers: { 200: { description: "Quotas by tenant", schema: anyObject } },
    async handle({ env }) {
      const rows = await env.store.system.tenants();
      return json(200, {
        quotas: rows.map(({ id, cohort, weight: share, quotas: text }) => ({
          tenant: id,
          cohort,
          weight: share,
          quotas: showQuotas(text),
        })),
      });
    },
  },
  {
    method: "put",
    path: "/admin/quotas/{id}",
    permission: "admin:*",
    summary: "Replace a tenant's quotas",
    body: quotaChange,
    answers: { 200: { description: "The tenant", schema: tenantSchema } },
    async handle({ env, act, param, http, control }) {
      const body = readShape(quotaChange, (await readBody(http)).document);
      const set = { quotas: JSON.stringify(toModel(body.quotas)) };
      const row = await env.store.system.changeTenant({ ...act(), id: param("id"), set });
      if (row === null) throw notFound();
      control.wake();
      return json(200, show(row));
    },
  },
  {
    method: "get",
    path: "/quotas",
    permission: "intents:read",
    summary: "The tenant's own quotas and what it holds",
    answers: { 200: { description: "Quotas and use", schema: anyObject } },
    async handle({ tenant, tenantId, planner }) {
      const { tenant: row, gpus, costMicro } = await tenant.account();
      const { currency } = await planner.snapshot();
      return json(200, {
        tenant: tenantId,
        cohort: row?.cohort ?? null,
        quotas: row === null ? [] : showQuotas(row.quotas),
        held: { gpus, cost_per_hour: { amount: costMicro / 1_000_000, currency, period: "hour" } },
      });
    },
  },
];
