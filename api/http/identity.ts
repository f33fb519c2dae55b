import type { Env } from "../env.ts";
import type { TenantId } from "../store/tenant.ts";
import { isPermission, type Permission } from "./permissions.ts";
import { ApiError } from "./problem.ts";
import { matchesHash, parseToken } from "./token.ts";

/** Who sends a request. */
export interface Principal {
  /** `token:<id>`, for events and audit. */
  readonly actor: string;
  readonly tokenId: string;
  readonly tokenName: string;
  readonly tenant: TenantId;
  readonly permissions: readonly Permission[];
  readonly expiresMs: number;
}

const SCHEME = /^bearer +/i;

/**
 * The principal behind an `Authorization` header. That a token is expired or revoked is only told to who knows its
 * secret; everything else is one and the same answer.
 *
 * @throws {ApiError} 401
 */
export async function authenticate(
  { store, clock }: Pick<Env, "store" | "clock">,
  header: string | undefined,
): Promise<Principal> {
  if (header === undefined)
    throw new ApiError("AUTHENTICATION_FAILED", "an Authorization header is needed: Bearer and a token");
  const invalid = new ApiError("INVALID_TOKEN", "the token is not valid");
  if (!SCHEME.test(header)) throw invalid;
  const parsed = parseToken(header.replace(SCHEME, "").trim());
  const row = parsed === null ? null : await store.system.tokenById(parsed.id);
  if (parsed === null || row === null || !matchesHash(parsed.secret, row.hash)) throw invalid;
  if (row.revoked_ms !== null) throw new ApiError("TOKEN_REVOKED", "the token was revoked");
  if (row.expires_ms <= clock.wallMs()) throw new ApiError("TOKEN_EXPIRED", "the token has expired");
  return {
    actor: `token:${row.id}`,
    tokenId: row.id,
    tokenName: row.name,
    tenant: row.tenant_id,
    permissions: (JSON.parse(row.permissions) as string[]).filter(isPermission),
    expiresMs: row.expires_ms,
  };
}
