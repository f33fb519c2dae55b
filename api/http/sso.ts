import type { Env } from "../env.ts";
import type { IssuerConfig, SsoConfig } from "../sso/config.ts";
import type { Sso } from "../sso/issuers.ts";
import { permissionsOf } from "../sso/roles.ts";
import type { TenantId } from "../store/tenant.ts";
import type { Authenticator, HeaderReader, Principal } from "./identity.ts";
import type { Permission } from "./permissions.ts";
import { ApiError } from "./problem.ts";
import { matchesHash } from "./token.ts";

/** Header that writes of a browser carry: no form and no link of another site can set it. */
export const CSRF_HEADER = "flare-csrf";
/** A use of a session is noted once a minute, sooner where sessions end after a few minutes without one. */
const USE_MS = 60_000;
const NOTES_PER_IDLE = 4;

/**
 * Name of a cookie of ours. With TLS `__Host-` makes browsers insist that it came from this very host, by TLS, for all
 * of its paths.
 */
export const cookieName = ({ externalUrl }: SsoConfig, name: "session" | "login"): string =>
  `${externalUrl.startsWith("https:") ? "__Host-" : ""}flare-${name}`;

/** A `Set-Cookie`; `seconds` 0 takes the cookie back. */
export function setCookie(
  config: SsoConfig,
  name: "session" | "login",
  value: string,
  seconds: number,
): string {
  const secure = config.externalUrl.startsWith("https:") ? " Secure;" : "";
  return `${cookieName(config, name)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly;${secure} SameSite=Lax`;
}

/** The value of a cookie; undefined when it is absent, or there twice: nobody can say which one is ours. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  const found = (header ?? "")
    .split(";")
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${name}=`));
  return found.length === 1 ? found[0]?.slice(name.length + 1) : undefined;
}

/**
 * The tenant that somebody acts for, and what they may do there: the one that the header names when the table gives it,
 * else the first of the table.
 *
 * @throws {ApiError} 403 when the table gives nothing, 401 when the tenant does not exist or is suspended
 */
export async function placeOf(
  env: Env,
  issuer: IssuerConfig,
  { subject, groups }: { readonly subject: string; readonly groups: readonly string[] },
  wished: string | undefined,
): Promise<{ readonly tenant: TenantId; readonly permissions: readonly Permission[] }> {
  const granted = permissionsOf(issuer.grants, subject, groups);
  const [first] = granted.keys();
  const name = wished !== undefined && granted.has(wished) ? wished : first;
  if (name === undefined)
    throw new ApiError("INSUFFICIENT_PERMISSIONS", "no group of this identity has a role here");
  const tenant = await env.store.system.tenant(name);
  if (tenant === null)
    env.log.warn({ issuer: issuer.name, tenant: name }, "a role is in a tenant that is not there");
  if (tenant?.status !== "active")
    throw new ApiError(
      "AUTHENTICATION_FAILED",
      "the tenant of this identity is suspended, or does not exist",
    );
  return { tenant: tenant.id, permissions: granted.get(name) ?? [] };
}

const SCHEME = /^bearer +/i;
const looksSigned = (token: string): boolean => /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(token);

/** Bearer tokens of configured issuers. Opaque tokens are left to others. */
function bearerAuthenticator({ config, issuers }: Sso): Authenticator {
  const byName = new Map(config.issuers.map((issuer) => [issuer.name, issuer]));
  return async (env, header) => {
    const credentials = header("authorization");
    if (credentials === undefined || !SCHEME.test(credentials)) return null;
    const token = credentials.replace(SCHEME, "").trim();
    if (!looksSigned(token)) return null;
    const verdict = await issuers.verify(token);
    if (verdict.kind === "unavailable") {
      env.log.warn({ reason: verdict.reason }, "a token could not be checked");
      throw new ApiError("NOT_READY", "the issuer of this token cannot be asked now", { retryAfter: 5 });
    }
    if (verdict.kind === "expired") throw new ApiError("TOKEN_EXPIRED", "the token has expired");
    if (verdict.kind === "invalid") {
      env.log.info({ reason: verdict.reason }, "a token was refused");
      throw new ApiError("INVALID_TOKEN", "the token is not valid");
    }
    const { identity } = verdict;
    const { issuer, subject, name, issuedMs, expiresMs } = identity;
    const { clockSkewMs = 0 } = byName.get(issuer) ?? {};
    // an issuer's clock that runs ahead must not carry a token past a revocation
    if (issuedMs < (await env.store.system.cutoff({ issuer, subject })) + clockSkewMs)
      throw new ApiError("TOKEN_REVOKED", "the token was revoked");
    return {
      actor: `oidc:${issuer}:${subject}`,
      tokenId: `oidc:${issuer}`,
      tokenName: name,
      expiresMs,
      ...(await placeOf(env, byName.get(issuer) as IssuerConfig, identity, header("flare-tenant"))),
    };
  };
}

const sessionOver = (): ApiError =>
  new ApiError("AUTHENTICATION_FAILED", "the session has ended: sign in again");

/**
 * A cookie comes along with whatever another site makes the browser ask for. What changes something must come from our
 * own origin, and carry a header that only a script of ours can set.
 */
function checkOrigin(config: SsoConfig, header: HeaderReader, method: string): void {
  if (method === "GET" || method === "HEAD") return;
  if (header("origin") === config.externalUrl && header(CSRF_HEADER) !== undefined) return;
  throw new ApiError(
    "INSUFFICIENT_PERMISSIONS",
    `with a session, changes need the header ${CSRF_HEADER} and come from ${config.externalUrl}`,
  );
}

/** Sessions by cookie, for requests without an `Authorization` header. */
function sessionAuthenticator({ config }: Sso): Authenticator {
  const name = cookieName(config, "session");
  const byName = new Map(config.issuers.map((issuer) => [issuer.name, issuer]));
  return async (env, header, method) => {
    if (header("authorization") !== undefined) return null;
    const cookie = cookieOf(header("cookie"), name);
    if (cookie === undefined || cookie === "") return null;
    const [id = "", secret = ""] = cookie.split(".");
    const row = /^ses-[0-9a-z]{26}$/.test(id) ? await env.store.system.session(id) : null;
    if (row === null || !matchesHash(secret, row.hash)) throw sessionOver();
    const now = env.clock.wallMs();
    const issuer = byName.get(row.issuer);
    const isOver = row.ended_ms !== null || row.expires_ms <= now || row.cutoff_ms > row.created_ms;
    // an issuer that was taken out of the configuration takes its sessions with it
    if (isOver || now - row.used_ms >= config.session.idleMs || issuer === undefined) throw sessionOver();
    checkOrigin(config, header, method);
    if (now - row.used_ms >= Math.min(USE_MS, config.session.idleMs / NOTES_PER_IDLE))
      env.store.system
        .touchSession({ id, atMs: now })
        .catch((error: unknown) =>
          env.log.warn({ error: String(error) }, "the use of a session was not noted"),
        );
    const groups = JSON.parse(row.groups) as string[];
    return {
      actor: `oidc:${row.issuer}:${row.subject}`,
      tokenId: row.id,
      tokenName: row.name,
      expiresMs: row.expires_ms,
      session: { id: row.id, issuer: row.issuer, subject: row.subject },
      ...(await placeOf(env, issuer, { subject: row.subject, groups }, header("flare-tenant"))),
    } satisfies Principal;
  };
}

/** Ways to know callers by single sign-on, around the service's own tokens. */
export function ssoAuthenticators(sso: Sso, own: Authenticator): readonly Authenticator[] {
  return [bearerAuthenticator(sso), own, sessionAuthenticator(sso)];
}
