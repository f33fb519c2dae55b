import type { Env } from "../env.ts";
import type { TenantId } from "../store/tenant.ts";
import { isPermission, type Permission } from "./permissions.ts";
import { ApiError } from "./problem.ts";
import { matchesHash, parseToken } from "./token.ts";

/** Who sends a request. */
export interface Principal {
  /** `token:<id>` or `oidc:<issuer>:<subject>`, for events and audit; also whose rate is charged. */
  readonly actor: string;
  /** Of the token or session. */
  readonly tokenId: string;
  readonly tokenName: string;
  readonly tenant: TenantId;
  readonly permissions: readonly Permission[];
  readonly expiresMs: number;
  /** Absent: it came with a token in the header. */
  readonly session?: { readonly id: string; readonly issuer: string; readonly subject: string };
}

/** Headers of a request, by lower-case name. */
export type HeaderReader = (name: string) => string | undefined;

/**
 * One way to know a caller: null when the request carries no credentials of its kind, so that the next may look.
 *
 * @throws {ApiError} 401 when it carries them and they do not hold; 403 when they must not be used this way
 */
export type Authenticator = (env: Env, header: HeaderReader, method: string) => Promise<Principal | null>;

const SCHEME = /^bearer +/i;
/** A use is noted once a minute. */
const USE_MS = 60_000;
/** Uses that are on their way to the store, by store: a token used a thousand times a second is noted once. */
const noting = new WeakMap<object, Set<string>>();

function noteUse({ store, log }: Env, id: string, atMs: number): void {
  const pending = noting.get(store) ?? new Set<string>();
  noting.set(store, pending);
  if (pending.has(id)) return;
  pending.add(id);
  store.system
    .touchTokens([{ id, atMs }])
    .catch((error: unknown) => log.warn({ error: String(error) }, "the use of a token was not noted"))
    .finally(() => pending.delete(id));
}

/** Permissions by the text in which a token's row has them: there are few. */
const granted = new Map<string, readonly Permission[]>();
const MOST_GRANTED = 1000;

function permissionsOf(text: string): readonly Permission[] {
  const known = granted.get(text);
  if (known !== undefined) return known;
  const read = (JSON.parse(text) as string[]).filter(isPermission);
  if (granted.size >= MOST_GRANTED) granted.clear();
  granted.set(text, read);
  return read;
}

const invalidToken = (): ApiError => new ApiError("INVALID_TOKEN", "the token is not valid");

/**
 * Opaque tokens of this service. That a token is expired or revoked is only told to who knows its secret; everything
 * else is one and the same answer.
 */
export const tokenAuthenticator: Authenticator = async (env, header) => {
  const { store, clock } = env;
  const credentials = header("authorization");
  if (credentials === undefined) return null;
  if (!SCHEME.test(credentials)) throw invalidToken();
  const parsed = parseToken(credentials.replace(SCHEME, "").trim());
  const row = parsed === null ? null : await store.system.tokenById(parsed.id);
  if (parsed === null || row === null || !matchesHash(parsed.secret, row.hash)) throw invalidToken();
  const now = clock.wallMs();
  if (row.revoked_ms !== null) throw new ApiError("TOKEN_REVOKED", "the token was revoked");
  if (row.expires_ms <= now) throw new ApiError("TOKEN_EXPIRED", "the token has expired");
  if (row.tenant_status !== "active")
    throw new ApiError("AUTHENTICATION_FAILED", "the tenant of this token is suspended");
  if (row.last_used_ms === null || now - row.last_used_ms >= USE_MS) noteUse(env, row.id, now);
  return {
    actor: `token:${row.id}`,
    tokenId: row.id,
    tokenName: row.name,
    tenant: row.tenant_id,
    permissions: permissionsOf(row.permissions),
    expiresMs: row.expires_ms,
  };
};

/**
 * The principal behind a request.
 *
 * @throws {ApiError} 401
 */
export async function authenticate(
  env: Env,
  authenticators: readonly Authenticator[],
  header: HeaderReader,
  method: string,
): Promise<Principal> {
  for (const authenticator of authenticators) {
    const principal = await authenticator(env, header, method);
    if (principal !== null) return principal;
  }
  throw new ApiError("AUTHENTICATION_FAILED", "an Authorization header is needed: Bearer and a token");
}
