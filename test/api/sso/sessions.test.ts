import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { tokenAuthenticator } from "../../../api/http/identity.ts";
import { ssoAuthenticators } from "../../../api/http/sso.ts";
import { readSsoConfig } from "../../../api/sso/config.ts";
import type { Issuers, SignIn, Verdict } from "../../../api/sso/issuers.ts";
import { createDrivenService, type DrivenService, wish } from "../driven-env.ts";

const ORIGIN = "https://flare.example.org";
const config = readSsoConfig({
  external_url: ORIGIN,
  issuers: [
    {
      name: "corp",
      issuer: "https://login.example.org",
      client: { id: "flare" },
      grants: [
        { group: "ml-team", tenant: "research", role: "operator" },
        { group: "ml-team", tenant: "lab", role: "viewer" },
      ],
    },
  ],
});

let service: DrivenService;
let begun: SignIn[];
let verdict: Verdict;
let calledBack: string[];

const known = (subject: string, groups = ["ml-team"]): Verdict => ({
  kind: "known",
  identity: { issuer: "corp", subject, name: subject, groups, expiresMs: 0, issuedMs: 0 },
});

/** An issuer that says what the test says. */
const issuers = (): Issuers => ({
  verify: async () => ({ kind: "invalid", reason: "none here" }),
  async begin(signIn) {
    begun.push(signIn);
    return "https://login.example.org/authorize";
  },
  async finish(_, url) {
    calledBack.push(url);
    return verdict;
  },
  endSession: async () => "https://login.example.org/logout",
  close: async () => {},
});

beforeEach(async () => {
  begun = [];
  calledBack = [];
  verdict = known("alice");
  const sso = { config, issuers: issuers() };
  service = await createDrivenService({ sso, authenticators: ssoAuthenticators(sso, tokenAuthenticator) });
  for (const tenant of ["research", "lab"]) await service.token([], tenant);
});

const get = (path: string, cookie?: string, headers = {}) =>
  service.request(null, "GET", path, undefined, { ...(cookie === undefined ? {} : { cookie }), ...headers });
const cookieIn = (headers: Headers, name: string): string => {
  const found = headers.getSetCookie().find((one) => one.startsWith(`${name}=`)) ?? "";
  return found.split(";")[0] ?? "";
};

/** Signs somebody in and returns the cookie. */
async function signIn(subject = "alice"): Promise<string> {
  verdict = known(subject);
  const away = await get("/auth/login");
  const back = await get(
    "/api/v1/auth/callback?code=c&state=s",
    cookieIn(away.headers, "__Host-flare-login"),
  );
  expect(back.status).toBe(302);
  return cookieIn(back.headers, "__Host-flare-session");
}

test("a sign-in goes to the issuer and comes back with a session in a cookie that scripts and other sites cannot have", async () => {
  const away = await get("/auth/login?return_to=/console/intents%3Fa=1");
  expect([away.status, away.headers.get("location")]).toEqual([302, "https://login.example.org/authorize"]);
  const [attempt] = begun;
  for (const secret of [attempt!.state, attempt!.nonce, attempt!.verifier]) {
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(away.headers.get("set-cookie")).not.toContain(secret);
  }
  expect(new Set([attempt!.state, attempt!.nonce, attempt!.verifier]).size).toBe(3);
  const back = await get("/auth/callback?code=c&state=s&iss=x", cookieIn(away.headers, "__Host-flare-login"));
  expect([back.status, back.headers.get("location")]).toEqual([302, "/console/intents?a=1"]);
  // to the issuer's eyes it is always the registered address
  expect(calledBack).toEqual([`${ORIGIN}/api/v1/auth/callback?code=c&state=s&iss=x`]);
  const [session, login] = back.headers.getSetCookie();
  expect(session).toMatch(
    /^__Host-flare-session=ses-\w{26}\.[\w-]{43}; Path=\/; Max-Age=28800; HttpOnly; Secure; SameSite=Lax$/,
  );
  expect(login).toContain("__Host-flare-login=; Path=/; Max-Age=0;");
  const { body } = await get("/auth/verify", session!.split(";")[0]);
  expect(body).toMatchObject({ user: "alice", tenant: "research", expires_at: "2026-03-01T08:00:00Z" });
  expect((await get("/auth/verify", session!.split(";")[0], { "flare-tenant": "lab" })).body).toMatchObject({
    tenant: "lab",
    permissions: ["intents:read", "resources:read"],
  });
});

test.for([
  "https://evil.example.org/",
  "//evil.example.org",
  "/\\evil.example.org",
  "/a\\b",
  "javascript:alert(1)",
  "",
  "/%0d%0aset-cookie:a=b\r\nx",
])("return_to %j leads nowhere else", async (target) => {
  const away = await get(`/auth/login?return_to=${encodeURIComponent(target)}`);
  const back = await get("/auth/callback?code=c", cookieIn(away.headers, "__Host-flare-login"));
  expect(back.headers.get("location")).toBe("/");
});

test("whatever return_to says, the browser stays on this service", async () => {
  const part = fc.constantFrom(
    "/",
    "\\",
    "//",
    "evil.example.org",
    "%2f",
    "@",
    ":",
    "?",
    "#",
    "..",
    "a",
    "\t",
    "\n",
    "ü",
    "https:",
  );
  const targets = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 8 }).map((parts) => parts.join("")),
  );
  await fc.assert(
    fc.asyncProperty(targets, async (target) => {
      const away = await get(`/auth/login?${new URLSearchParams({ return_to: target })}`);
      const back = await get("/auth/callback?code=c", cookieIn(away.headers, "__Host-flare-login"));
      const to = back.headers.get("location")!;
      expect(new URL(to, `${ORIGIN}/api/v1/auth/callback`).origin, to).toBe(ORIGIN);
    }),
    { numRuns: 100 },
  );
});

test("only the browser that began, within ten minutes, gets a session, and nobody without a role", async () => {
  const isRefused = async (cookie: string | undefined) => {
    const answer = await get("/auth/callback?code=c&state=s", cookie);
    expect(answer.headers.getSetCookie()).toEqual([]);
    return answer.status;
  };
  const login = cookieIn((await get("/auth/login")).headers, "__Host-flare-login");
  expect(await isRefused(undefined)).toBe(401);
  expect(await isRefused(`${login.slice(0, -3)}AAA`)).toBe(401);
  expect(await isRefused(`${login}; ${login}`)).toBe(401);
  expect(calledBack).toEqual([]);
  verdict = { kind: "invalid", reason: "OAUTH_INVALID_RESPONSE" };
  expect(await isRefused(login)).toBe(401);
  verdict = { kind: "unavailable", reason: "down" };
  expect(await isRefused(login)).toBe(503);
  verdict = known("mallory", ["others"]);
  expect(await isRefused(login)).toBe(403);
  verdict = known("alice");
  service.time.pass(600_001);
  expect(await isRefused(login)).toBe(401);
  const { body } = await service.request(await service.token(["admin:*"]), "GET", "/admin/sessions");
  expect(body["sessions"]).toEqual([]);
});

test("what changes something with a session comes from our own origin and carries our header", async () => {
  const cookie = await signIn();
  const write = async (headers: Record<string, string>) =>
    (await service.request(null, "POST", "/intents", wish("web", 1), { cookie, ...headers })).status;
  expect(await write({})).toBe(403);
  expect(await write({ "flare-csrf": "1" })).toBe(403);
  expect(await write({ origin: ORIGIN })).toBe(403);
  for (const origin of ["https://evil.example.org", "null", "http://flare.example.org", `${ORIGIN}.evil.org`])
    expect(await write({ origin, "flare-csrf": "1" })).toBe(403);
  expect(await write({ origin: ORIGIN, "flare-csrf": "1" })).toBe(202);
  // a token is no cookie: nothing sends it along by itself
  const token = await service.token(["intents:write"], "research");
  expect((await service.request(token, "POST", "/intents", wish("web-2", 1), { cookie })).status).toBe(202);
});

test("a session that is used all the time does not end by idling, however short that is", async () => {
  const short = { ...config, session: { ...config.session, idleMs: 60_000 } };
  const sso = { config: short, issuers: issuers() };
  service = await createDrivenService({ sso, authenticators: ssoAuthenticators(sso, tokenAuthenticator) });
  await service.token([], "research");
  const cookie = await signIn();
  for (let passed = 0; passed < 10; passed++) {
    service.time.pass(25_000);
    expect((await get("/intents", cookie)).status).toBe(200);
  }
  service.time.pass(60_000);
  expect((await get("/intents", cookie)).status).toBe(401);
});

test("a session ends by idling, by age, and by signing out; its cookie is worth nothing then", async () => {
  const status = async (cookie: string) => (await get("/intents", cookie)).status;
  const idle = await signIn();
  service.time.pass(29 * 60_000);
  expect(await status(idle)).toBe(200);
  service.time.pass(29 * 60_000);
  expect(await status(idle)).toBe(200);
  service.time.pass(30 * 60_000);
  expect(await status(idle)).toBe(401);

  const old = await signIn();
  for (let passed = 0; passed < 8 * 60; passed += 20) {
    expect(await status(old)).toBe(200);
    service.time.pass(20 * 60_000);
  }
  expect(await status(old)).toBe(401);

  const [mine, other] = [await signIn(), await signIn()];
  const out = (cookie: string, path = "/auth/logout") =>
    service.request(null, "POST", path, undefined, { cookie, origin: ORIGIN, "flare-csrf": "1" });
  expect((await service.request(null, "POST", "/auth/logout", undefined, { cookie: mine })).status).toBe(403);
  const answer = await out(mine);
  expect(answer.body).toMatchObject({ end_session_url: "https://login.example.org/logout" });
  expect(answer.headers.get("set-cookie")).toContain("__Host-flare-session=; Path=/; Max-Age=0;");
  expect([await status(mine), await status(other)]).toEqual([401, 200]);
  const third = await signIn();
  service.time.pass(1);
  expect((await out(third, "/auth/logout?everywhere=true")).status).toBe(200);
  expect([await status(other), await status(third)]).toEqual([401, 401]);
});

test.for(["ses-x.y", "garbage", ".", "", "ses-01kjkb3q00w6nva9et5tcym4q5.wrong"])(
  "the cookie %j is nobody's",
  async (value) => {
    await signIn();
    expect((await get("/intents", `__Host-flare-session=${value}`)).status).toBe(401);
  },
);

test("a session with another one's secret, or there twice, is nobody's", async () => {
  const [one, two] = [await signIn(), await signIn("bob")];
  const [name, first] = one.split("=");
  const mixed = `${name}=${first!.split(".")[0]}.${two.split(".")[1]}`;
  expect((await get("/intents", mixed)).status).toBe(401);
  expect((await get("/intents", `${one}; ${two}`)).status).toBe(401);
  // without the prefix that browsers guard it is not looked at
  expect((await get("/intents", one.replace("__Host-", ""))).status).toBe(401);
});

/** Reads a stream until it ends. */
async function readAll(response: Response): Promise<string> {
  let text = "";
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) text += part;
  return text;
}

test("administration sees sessions and ends them; what they stream ends within a second, busy or not", async () => {
  const [cookie, busy] = [await signIn(), await signIn("bob")];
  const admin = await service.token(["admin:*"]);
  const { body } = await service.request(admin, "GET", "/admin/sessions");
  const sessions = body["sessions"] as { session_id: string; subject: string }[];
  expect(sessions.map(({ subject }) => subject)).toEqual(["bob", "alice"]);
  expect(JSON.stringify(body)).not.toContain(cookie.split(".")[1]);

  const quiet = await service.app.request("/events", { headers: { cookie } });
  const events = await service.app.request("/events?after=0", { headers: { cookie: busy } });
  const ended = Promise.all([readAll(quiet), readAll(events)]);
  await service.request(admin, "DELETE", `/admin/sessions/${sessions[1]!.session_id}`);
  await service.request(admin, "POST", "/admin/identities/revoke", { issuer: "corp", subject: "bob" });
  expect((await get("/intents", cookie)).status).toBe(401);
  // events keep coming meanwhile: they must not keep the stream alive
  const writer = await service.token(["intents:write", "intents:delete"], "research");
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  for (let step = 0; step < 12 && !isOver; step++) {
    await service.request(writer, "POST", "/intents", wish(`more-${step}`, 1));
    service.time.pass(100);
    for (let turn = 0; turn < 20; turn++) await new Promise((next) => setImmediate(next));
  }
  expect(isOver).toBe(true);
  await ended;
  const audit = await service.request(
    await service.token(["audit:read"], "research"),
    "GET",
    "/audit?limit=500",
  );
  expect(audit.text).toContain('"action":"session.create"');
});

test("a stream with much to catch up on ends within a second too", async () => {
  const cookie = await signIn();
  const writer = await service.token(["intents:write"], "research");
  for (let made = 0; made < 250; made++)
    await service.request(writer, "POST", "/intents", wish(`w-${made}`, 1));
  const stream = await service.app.request("/events?after=0", { headers: { cookie } });
  const reader = stream.body!.getReader();
  await reader.read();
  const admin = await service.token(["admin:*"]);
  await service.request(admin, "POST", "/admin/identities/revoke", { issuer: "corp", subject: "alice" });
  service.time.pass(1000);
  for (let turn = 0; turn < 20; turn++) await new Promise((next) => setImmediate(next));
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read())
    text += Buffer.from(part.value);
  // what was read ahead before the revocation, and not the rest
  expect(text.match(/^id: /gm)!.length).toBeLessThanOrEqual(100);
});
