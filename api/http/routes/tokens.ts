import { z } from "@hono/zod-openapi";
import { readShape } from "../../../adapters/json/read-shape.ts";
import { parseDurationMs } from "../../../adapters/kubernetes/quantity.ts";
import { EngineError } from "../../../engine/model/errors.ts";
import { formatTime } from "../../../engine/model/time.ts";
import type { TokenRow } from "../../store/schema.ts";
import { readBody } from "../body.ts";
import { answeredBefore, answeredEarlier, idempotencyOf, onceHeader, onceOf } from "../condition.ts";
import { allows, permissions } from "../permissions.ts";
import { ApiError } from "../problem.ts";
import { json, type Route, type TenantScope } from "../route.ts";
import { anyObject, pageOf, tokenSchema } from "../shapes.ts";
import { showTime } from "../show.ts";
import { hashSecret, makeToken } from "../token.ts";

const DAY_MS = 86_400_000;
const DEFAULT_LIFE_MS = 90 * DAY_MS;
const MOST_LIFE_MS = 366 * DAY_MS;
/** Tokens of a tenant that are neither expired nor revoked. */
const MOST_ACTIVE = 500;

/** Milliseconds of `30d`, `1y`, or a Go duration. */
function lifeOf(text: string): number {
  const match = /^(\d{1,4})([dwy])$/.exec(text.trim());
  if (match === null) return parseDurationMs(text);
  const days = { d: 1, w: 7, y: 365 }[match[2] as "d" | "w" | "y"];
  return Number(match[1]) * days * DAY_MS;
}

const expiresIn = z
  .string()
  .max(40)
  .transform((text, context) => {
    try {
      const life = lifeOf(text);
      if (life >= 60_000 && life <= MOST_LIFE_MS) return life;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    }
    context.addIssue({
      code: "custom",
      message: 'accepted: one minute to one year, such as "30d", "1y" or "12h"',
    });
    return z.NEVER;
  })
  .openapi({ type: "string", example: "90d" });

const wanted = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(100)
    .refine((text) => !/[\p{Cc}\p{Cf}]/u.test(text) && text.isWellFormed(), {
      error: () => "accepted: text without control characters",
    }),
  expires_in: expiresIn.optional(),
  permissions: z.array(z.enum(permissions)).min(1).max(permissions.length).optional(),
});

function show(row: Omit<TokenRow, "hash" | "tenant_id">, nowMs: number): Record<string, unknown> {
  return {
    token_id: row.id,
    name: row.name,
    created_at: formatTime(row.created_ms),
    created_by: row.created_by,
    expires_at: formatTime(row.expires_ms),
    revoked_at: showTime(row.revoked_ms),
    last_used: showTime(row.last_used_ms),
    permissions: JSON.parse(row.permissions) as unknown,
    status: row.revoked_ms !== null ? "revoked" : row.expires_ms <= nowMs ? "expired" : "active",
  };
}

/** Names the keys of callers. */
const ROUTE = "POST /auth/tokens";

async function create(scope: TenantScope): Promise<Response> {
  const { env, principal, tenant, act, http } = scope;
  const raw = await readBody(http);
  const body = readShape(wanted, raw.document);
  const granted = [...new Set(body.permissions ?? (["intents:read", "intents:write"] as const))];
  const beyond = granted.filter((permission) => !allows(principal.permissions, permission));
  if (beyond.length > 0)
    throw new ApiError(
      "INSUFFICIENT_PERMISSIONS",
      `a token never allows more than its creator may do: ${beyond.join(", ")}`,
    );
  const now = env.clock.wallMs();
  const earlier = await answeredEarlier(scope, idempotencyOf(http, ROUTE, raw.hash, now), now);
  if (earlier !== null) return earlier;
  const { id, secret, text } = makeToken(env.random);
  const token = {
    id,
    hash: hashSecret(secret),
    permissions: JSON.stringify(granted),
    name: body.name,
    created_by: principal.actor,
    created_ms: now,
    expires_ms: now + (body.expires_in ?? DEFAULT_LIFE_MS),
    revoked_ms: null,
    last_used_ms: null,
  };
  const again = { ...show(token, now), message: "The token was shown once, when it was created" };
  const once = onceOf(scope, ROUTE, raw, { status: 201, body: again });
  const answer = await tenant.createToken({ ...act(), ...once, token, most: MOST_ACTIVE });
  const before = answeredBefore(answer);
  if (before !== null) return before;
  if (answer.kind === "full")
    throw new ApiError("QUOTA_EXCEEDED", `${answer.active} of ${MOST_ACTIVE} tokens are active`, {
      retryAfter: 60,
    });
  return json(201, { ...show(token, now), token: text, message: "Keep the token: it is shown this once" });
}

/** Tokens: create, list, revoke, look at one's own. */
export const tokenRoutes: readonly Route[] = [
  {
    method: "post",
    path: "/auth/tokens",
    permission: "tokens:manage",
    summary: "Create a token; its text is shown once",
    description:
      "Never more permissions than the creator has; default intents:read and intents:write, 90 days. Administrators create tokens of other tenants with the header Flare-Tenant.",
    body: wanted,
    headers: onceHeader,
    answers: {
      201: { description: "The token", schema: tokenSchema },
      422: { description: "The Idempotency-Key was used with another body" },
    },
    handle: create,
  },
  {
    method: "get",
    path: "/auth/tokens",
    permission: "tokens:manage",
    summary: "The tenant's tokens, without their secrets",
    answers: { 200: { description: "Tokens", schema: pageOf("tokens", tokenSchema) } },
    async handle({ tenant, env }) {
      const now = env.clock.wallMs();
      return json(200, { tokens: (await tenant.tokens()).map((row) => show(row, now)), next_cursor: null });
    },
  },
  {
    method: "delete",
    path: "/auth/tokens/{id}",
    permission: "tokens:manage",
    summary: "Revoke a token, from the next request on; repeated, it changes nothing",
    answers: { 200: { description: "Revoked", schema: tokenSchema } },
    async handle({ tenant, act, param, env }) {
      const row = await tenant.revokeToken({ ...act(), id: param("id") });
      if (row === null) throw new ApiError("NOT_FOUND", "there is no such token");
      return json(200, { message: "Token revoked successfully", ...show(row, env.clock.wallMs()) });
    },
  },
  {
    method: "get",
    path: "/auth/verify",
    permission: "any",
    summary: "Who the caller is and what the caller may do",
    answers: { 200: { description: "The caller", schema: anyObject } },
    handle({ principal }) {
      return json(200, {
        status: "authenticated",
        user: principal.tokenName,
        token_id: principal.tokenId,
        tenant: principal.tenant,
        permissions: principal.permissions,
        expires_at: formatTime(principal.expiresMs),
      });
    },
  },
];
