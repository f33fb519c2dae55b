import { z } from "@hono/zod-openapi";
import { readShape } from "../../../adapters/json/read-shape.ts";
import { formatTime } from "../../../engine/model/time.ts";
import { CALLBACK_PATH, type SignIn, type Sso } from "../../sso/issuers.ts";
import type { SessionRow } from "../../store/schema.ts";
import { readBody } from "../body.ts";
import { ApiError } from "../problem.ts";
import { flag, queried, readQuery } from "../query.ts";
import { json, type RequestScope, type Route, type TenantScope } from "../route.ts";
import { anyObject, pageOf, sessionSchema } from "../shapes.ts";
import { cookieName, cookieOf, placeOf, setCookie } from "../sso.ts";
import { hashSecret } from "../token.ts";

/** How long somebody may take to sign in at the issuer. */
const LOGIN_MS = 600_000;
const LOGIN_CONTEXT = "login";
/** Sessions that are listed. */
const MOST_LISTED = 500;

/** Sign-in needs issuers, and a box for what is remembered in the browser meanwhile. */
function toolsOf({ sso, hooks }: RequestScope): {
  readonly sso: Sso;
  readonly box: NonNullable<typeof hooks>["box"];
} {
  if (sso === undefined || hooks === undefined)
    throw new ApiError("NOT_FOUND", "nobody signs in with a browser here; see flare serve --sso");
  return { sso, box: hooks.box };
}

const secretText = (scope: RequestScope): string =>
  Buffer.from(scope.env.random.bytes(32)).toString("base64url");

/** A path of this service and nothing else: no other host, however it is spelled. */
function localPath(text: string | undefined): string {
  if (text === undefined || !/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(text)) return "/";
  return text;
}

function redirect(to: string, cookies: readonly string[]): Response {
  const headers = new Headers({ location: to, "referrer-policy": "no-referrer" });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 302, headers });
}

const loginQuery = z.object({
  issuer: z.string().max(32).optional().describe("Name of an issuer; needed where there are several."),
  return_to: z.string().max(2000).optional().describe("Path on this service to go to afterwards."),
});

/** Sends the browser to the issuer. What has to be remembered goes along with the browser, sealed. */
async function login(scope: RequestScope): Promise<Response> {
  const { env, http } = scope;
  const { sso, box } = toolsOf(scope);
  const { issuer, return_to } = readQuery(http, loginQuery);
  const names = sso.config.issuers.filter(({ client }) => client !== null).map(({ name }) => name);
  const name = issuer ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined || !names.includes(name))
    throw new ApiError("INVALID_FORMAT", `query.issuer: accepted: ${names.join(", ") || "none"}`);
  const signIn: SignIn = {
    issuer: name,
    state: secretText(scope),
    nonce: secretText(scope),
    verifier: secretText(scope),
    returnTo: localPath(return_to),
    expiresMs: env.clock.wallMs() + LOGIN_MS,
  };
  const to = await sso.issuers.begin(signIn);
  if (to === null) throw new ApiError("NOT_READY", `issuer ${name} cannot be asked now`, { retryAfter: 5 });
  const sealed = box.seal(JSON.stringify(signIn), LOGIN_CONTEXT);
  return redirect(to, [setCookie(sso.config, "login", sealed, LOGIN_MS / 1000)]);
}

const failed = (message: string): ApiError => new ApiError("AUTHENTICATION_FAILED", message);

/** What the browser that comes back was given to remember. */
function signInOf(scope: RequestScope): SignIn {
  const { env, http } = scope;
  const { sso, box } = toolsOf(scope);
  const cookie = cookieOf(http.req.header("cookie"), cookieName(sso.config, "login"));
  const text = cookie === undefined ? null : box.open(cookie, LOGIN_CONTEXT);
  if (text === null) throw failed("this browser did not begin to sign in, or took too long");
  const signIn = JSON.parse(text) as SignIn;
  if (signIn.expiresMs <= env.clock.wallMs()) throw failed("signing in took too long");
  return signIn;
}

/** Takes the browser back from the issuer and gives it a session. */
async function callback(scope: RequestScope): Promise<Response> {
  const { env, http, requestId } = scope;
  const { sso } = toolsOf(scope);
  const { config } = sso;
  const signIn = signInOf(scope);
  const query = new URL(http.req.url).search;
  const verdict = await sso.issuers.finish(signIn, `${config.externalUrl}${CALLBACK_PATH}${query}`);
  if (verdict.kind === "unavailable")
    throw new ApiError("NOT_READY", "the issuer cannot be asked now", { retryAfter: 5 });
  if (verdict.kind !== "known") {
    const reason = verdict.kind === "invalid" ? verdict.reason : verdict.kind;
    env.log.warn({ issuer: signIn.issuer, reason }, "a sign-in was refused");
    throw failed("the issuer did not confirm this sign-in");
  }
  const { identity } = verdict;
  const issuer = config.issuers.find(({ name }) => name === identity.issuer);
  if (issuer === undefined) throw failed("the issuer is not trusted");
  // who has no role gets no session
  const { tenant } = await placeOf(env, issuer, identity, undefined);
  const now = env.clock.wallMs();
  const id = env.ids.next("ses");
  const secret = secretText(scope);
  await env.store.system.createSession({
    actor: `oidc:${identity.issuer}:${identity.subject}`,
    atMs: now,
    requestId,
    tenant,
    session: {
      id,
      hash: hashSecret(secret),
      issuer: identity.issuer,
      subject: identity.subject,
      name: identity.name,
      groups: JSON.stringify(identity.groups),
      created_ms: now,
      expires_ms: now + config.session.lifetimeMs,
      used_ms: now,
    },
  });
  return redirect(localPath(signIn.returnTo), [
    setCookie(config, "session", `${id}.${secret}`, config.session.lifetimeMs / 1000),
    setCookie(config, "login", "", 0),
  ]);
}

/** Ends the session of the caller, or all of the caller's. */
async function logout(scope: TenantScope, everywhere: boolean): Promise<Response> {
  const { env, principal, act, sso } = scope;
  const { session } = principal;
  if (session !== undefined) {
    const end = { ...act(), tenant: principal.tenant };
    if (everywhere) await env.store.system.revokeIdentity({ ...end, ...session, ownTokens: false });
    else await env.store.system.endSession({ ...end, id: session.id });
  }
  const next = session === undefined ? null : ((await sso?.issuers.endSession(session.issuer)) ?? null);
  const headers = sso === undefined ? {} : { "set-cookie": setCookie(sso.config, "session", "", 0) };
  return json(200, { message: "Signed out", end_session_url: next }, headers);
}

const show = (row: SessionRow): Record<string, unknown> => ({
  session_id: row.id,
  issuer: row.issuer,
  subject: row.subject,
  name: row.name,
  created_at: formatTime(row.created_ms),
  last_used: formatTime(row.used_ms),
  expires_at: formatTime(row.expires_ms),
  ended_at: row.ended_ms === null ? null : formatTime(row.ended_ms),
});

const revocation = z.strictObject({
  issuer: z.string().min(1).max(32),
  subject: z.string().min(1).max(255),
});

/** Signing in and out with a browser, and what administration sees of it. */
export const sessionRoutes: readonly Route[] = [
  {
    method: "get",
    path: "/auth/login",
    permission: "open",
    summary: "Sign in with a browser at a configured issuer (OpenID Connect, code flow with PKCE)",
    query: loginQuery,
    answers: {
      302: { description: "On to the issuer" },
      404: { description: "Nobody signs in with a browser here" },
      503: { description: "The issuer cannot be asked now" },
    },
    handle: login,
  },
  {
    method: "get",
    path: "/auth/callback",
    permission: "open",
    summary: "Where the issuer sends the browser back to; gives it a session",
    query: z.object({ code: z.string().optional(), state: z.string().optional() }),
    answers: {
      302: { description: "On to where the sign-in began, with a session cookie" },
      401: { description: "The sign-in was not begun here, or not confirmed" },
      403: { description: "No group of this identity has a role here" },
      404: { description: "Nobody signs in with a browser here" },
    },
    handle: callback,
  },
  {
    method: "post",
    path: "/auth/logout",
    permission: "any",
    summary: "End the session; everywhere: all sessions and tokens of this identity",
    description: "With a token instead of a session it changes nothing.",
    answers: { 200: { description: "Where to sign out at the issuer too", schema: anyObject } },
    ...queried(z.object({ everywhere: flag }), (scope, { everywhere = false }) => logout(scope, everywhere)),
  },
  {
    method: "get",
    path: "/admin/sessions",
    permission: "admin:*",
    summary: "Open sessions, newest first",
    answers: { 200: { description: "Sessions", schema: pageOf("sessions", sessionSchema) } },
    async handle({ env }) {
      const rows = await env.store.system.sessions({ atMs: env.clock.wallMs(), limit: MOST_LISTED });
      return json(200, { sessions: rows.map(show), next_cursor: null });
    },
  },
  {
    method: "delete",
    path: "/admin/sessions/{id}",
    permission: "admin:*",
    summary:
      "End a session, from the next request on and with its open streams; repeated, it changes nothing",
    answers: { 200: { description: "Ended", schema: sessionSchema } },
    async handle({ env, act, param, principal }) {
      const row = await env.store.system.endSession({ ...act(), id: param("id"), tenant: principal.tenant });
      if (row === null) throw new ApiError("NOT_FOUND", "there is no such session");
      return json(200, show(row));
    },
  },
  {
    method: "post",
    path: "/admin/identities/revoke",
    permission: "admin:*",
    summary: "End all sessions of somebody, and refuse every token of theirs and every one that they made",
    description: "Whether they may come back is up to the issuer and the table of groups.",
    body: revocation,
    answers: { 200: { description: "How many sessions ended", schema: anyObject } },
    async handle({ env, act, http, sso, principal }) {
      const who = readShape(revocation, (await readBody(http)).document);
      const known = sso?.config.issuers.map(({ name }) => name) ?? [];
      if (!known.includes(who.issuer))
        throw new ApiError("INVALID_FORMAT", `issuer: accepted: ${known.join(", ") || "none"}`, {
          problems: [{ path: "issuer", code: "invalid_format", message: "no such issuer" }],
        });
      const sessions = await env.store.system.revokeIdentity({
        ...act(),
        ...who,
        ownTokens: true,
        tenant: principal.tenant,
      });
      return json(200, { ...who, sessions, message: "Revoked" });
    },
  },
];
