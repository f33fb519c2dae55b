import type { Context } from "hono";
import { ApiError } from "./problem.ts";

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
): { readonly key: string; readonly requestHash: string; readonly expiresMs: number } | null {
  const key = http.req.header("idempotency-key");
  if (key === undefined) return null;
  if (!/^[\x21-\x7e]{1,255}$/.test(key))
    throw new ApiError(
      "INVALID_FORMAT",
      "Idempotency-Key takes 1 to 255 printable characters without spaces",
    );
  return { key: `${route} ${key}`, requestHash: hash(), expiresMs: nowMs + DAY_MS };
}
