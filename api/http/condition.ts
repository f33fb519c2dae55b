import type { Context } from "hono";
import type { Answered, IdempotencyKey, KeptAnswer, Once } from "../store/store.ts";
import type { Body } from "./body.ts";
import { ApiError } from "./problem.ts";
import type { TenantScope } from "./route.ts";

/** The version of something as an entity tag. */
export const tagOf = (version: number): string => `"${version}"`;

/**
 * Whether the caller's `If-Match` allows a change of this version; absent or `*` allows every one. Weak tags never
 * match.
 *
 * @throws {ApiError} 412 when it names other versions, 400 when it is no list of tags
 */
export function checkMatch(http: Context, version: number): void {
  const header = http.req.header("if-match");
  if (header === undefined || header.trim() === "*") return;
  const tags = header.split(",").map((tag) => tag.trim());
  if (!tags.every((tag) => /^(?:W\/)?"[\x21\x23-\x7e]*"$/.test(tag)))
    throw new ApiError("INVALID_FORMAT", 'If-Match takes versions in quotes such as "3"');
  if (!tags.includes(tagOf(version)))
    throw new ApiError("PRECONDITION_FAILED", `this is version ${version} by now`, { extra: { version } });
}

const DAY_MS = 86_400_000;

/**
 * The caller's idempotency key within one route, or null.
 *
 * @throws {ApiError} 400 when it is not printable
 */
export function idempotencyOf(
  http: Context,
  route: string,
  hash: () => string,
  nowMs: number,
): IdempotencyKey | null {
  const key = http.req.header("idempotency-key");
  if (key === undefined) return null;
  if (!/^[\x21-\x7e]{1,255}$/.test(key))
    throw new ApiError(
      "INVALID_FORMAT",
      "Idempotency-Key takes 1 to 255 printable characters without spaces",
    );
  return { key: `${route} ${key}`, requestHash: hash(), expiresMs: nowMs + DAY_MS };
}

/**
 * The caller's key with the answer to keep for it, as part of a write's input; empty without a key.
 *
 * @param answer what is told again, never a secret: those are shown once
 * @throws {ApiError} 400 when the key is not printable
 */
export function onceOf(
  { http, env }: Pick<TenantScope, "http" | "env">,
  route: string,
  body: Body,
  answer: { readonly status: number; readonly body: unknown },
): Once {
  const key = idempotencyOf(http, route, body.hash, env.clock.wallMs());
  if (key === null) return {};
  return { once: { ...key, answer: { status: answer.status, response: JSON.stringify(answer.body) } } };
}

/** What was answered the first time. */
export function replay({ status, response }: KeptAnswer): Response {
  return new Response(response, {
    status,
    headers: { "content-type": "application/json", "idempotency-replayed": "true" },
  });
}

export const mismatch = (): ApiError =>
  new ApiError("IDEMPOTENCY_MISMATCH", "this Idempotency-Key was used with another body");

/**
 * The answer of a write that was done before under the same key; null: it is done now.
 *
 * @throws {ApiError} 422 when it was used with another body
 */
export function answeredBefore(result: object | null): Response | null {
  const known = result as Partial<Answered> | null;
  if (known?.kind === "mismatch") throw mismatch();
  return known?.kind === "replayed" ? replay(known as KeptAnswer) : null;
}

/**
 * What was answered under the caller's key, before anything is judged again that may have changed since: an answer that was
 * given stays given. Null: nothing was, or there is no key.
 *
 * @throws {ApiError} 422 when it was used with another body
 */
export async function answeredEarlier(
  { tenant }: Pick<TenantScope, "tenant">,
  idempotency: IdempotencyKey | null | undefined,
  atMs: number,
): Promise<Response | null> {
  if (idempotency == null) return null;
  const kept = await tenant.keptAnswer({ key: idempotency.key, atMs });
  if (kept === null) return null;
  if (kept.requestHash !== idempotency.requestHash) throw mismatch();
  return replay(kept);
}

/** How a route that creates documents its key. */
export const onceHeader: Readonly<Record<string, string>> = {
  "Idempotency-Key":
    "The same key with the same body creates one thing and gets one answer, for 24 hours; secrets are in the first one only.",
};
