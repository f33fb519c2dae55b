import { createHmac } from "node:crypto";
import { exportJWK, exportSPKI } from "jose";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { tokenAuthenticator } from "../../../api/http/identity.ts";
import { ssoAuthenticators } from "../../../api/http/sso.ts";
import { createIssuers } from "../../../api/platform/oidc.ts";
import { readSsoConfig } from "../../../api/sso/config.ts";
import type { Issuers } from "../../../api/sso/issuers.ts";
import { createDrivenService, createDrivenTime, type DrivenService } from "../driven-env.ts";
import { makeKey, NOW_SECONDS, startIssuer, type TestIssuer } from "./issuer.ts";

let issuer: TestIssuer;
let issuers: Issuers;
let service: DrivenService;
const lines: string[] = [];
const note = (fields: object, message: string): void =>
  void lines.push(JSON.stringify({ ...fields, message }));

const configOf = (more: object = {}) =>
  readSsoConfig({
    external_url: "https://flare.example.org",
    issuers: [
      {
        name: "corp",
        issuer: issuer.url,
        audience: "flare-api",
        algorithms: ["ES256"],
        network: { allow: ["127.0.0.0/8"], http: true },
        grants: [
          { group: "ml-team", tenant: "research", role: "operator" },
          { group: "ml-team", tenant: "lab", role: "viewer" },
          { group: "auditors", tenant: "lab", role: "tenant-admin" },
          { subject: "system:serviceaccount:ml:runner", tenant: "lab", role: "operator" },
          { group: "root", tenant: "default", role: "platform-admin" },
          { group: "lost", tenant: "nowhere", role: "viewer" },
        ],
        ...more,
      },
    ],
  });

beforeAll(async () => {
  issuer = await startIssuer();
  const time = createDrivenTime();
  const log = { debug: note, info: note, warn: note, error: note };
  const config = configOf();
  issuers = createIssuers(config, { clock: time, log });
  const sso = { config, issuers };
  service = await createDrivenService({
    time,
    log,
    sso,
    authenticators: ssoAuthenticators(sso, tokenAuthenticator),
    rates: { failures: { perSecond: 1e6, burst: 1e6 } },
  });
  for (const tenant of ["research", "lab", "default"]) await service.token([], tenant);
});
afterAll(async () => {
  await issuers.close();
  issuer.close();
});

const verify = (token: string, headers = {}) =>
  service.request(token, "GET", "/auth/verify", undefined, headers);

test("a token of a trusted issuer is somebody, with the roles that the table gives to the groups", async () => {
  const { status, body } = await verify(await issuer.sign({ name: "Alice" }));
  expect(status).toBe(200);
  expect(body).toMatchObject({
    user: "Alice",
    tenant: "research",
    permissions: ["intents:read", "resources:read", "intents:write", "intents:delete", "resources:write"],
    expires_at: "2026-03-01T00:05:00Z",
  });
  const token = await issuer.sign({ groups: ["ml-team", "auditors"] });
  const elsewhere = await verify(token, { "flare-tenant": "lab" });
  expect(elsewhere.body).toMatchObject({ tenant: "lab" });
  expect(elsewhere.body["permissions"]).toContain("audit:read");
  // what the table does not give is not there, and whether it exists is not told
  for (const tenant of ["default", "nobody"])
    expect((await verify(token, { "flare-tenant": tenant })).status).toBe(403);
  expect((await verify(await issuer.sign({ groups: ["root"] }))).body["permissions"]).toEqual(["admin:*"]);
  const runner = await issuer.sign({ sub: "system:serviceaccount:ml:runner", groups: undefined });
  expect((await verify(runner)).body).toMatchObject({ tenant: "lab" });
});

test.for([
  ["no group", { groups: [] }],
  ["no claim of groups", { groups: undefined }],
  ["groups that differ in case", { groups: ["ML-TEAM", "ml-team "] }],
  ["groups of another form", { groups: { "ml-team": true } }],
  ["a group named like a subject", { groups: ["system:serviceaccount:ml:runner"] }],
] as const)("%s is no role: 403", async ([, claims]) => {
  expect((await verify(await issuer.sign(claims))).body).toMatchObject({
    status: 403,
    error_code: "INSUFFICIENT_PERMISSIONS",
  });
});

test("a role in a tenant that does not exist opens nothing, and does not make it", async () => {
  expect((await verify(await issuer.sign({ groups: ["lost"] }))).status).toBe(401);
  expect(await service.env.store.system.tenant("nowhere")).toBeNull();
});

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
const claims = () => ({
  iss: issuer.url,
  aud: "flare-api",
  sub: "alice",
  iat: NOW_SECONDS,
  exp: NOW_SECONDS + 300,
  groups: ["root"],
});
/** A token that is signed with a secret which everybody knows: the issuer's public key. */
const confused = (alg: string, key: string | Buffer): string => {
  const text = `${encode({ alg, typ: "at+jwt", kid: "first" })}.${encode(claims())}`;
  return `${text}.${createHmac(alg === "HS256" ? "sha256" : "sha512", key)
    .update(text)
    .digest("base64url")}`;
};

const refused: readonly (readonly [string, () => Promise<string> | string])[] = [
  ["alg none", () => `${encode({ alg: "none", typ: "at+jwt" })}.${encode(claims())}.`],
  ["alg None in another case", () => `${encode({ alg: "NoNe", typ: "at+jwt" })}.${encode(claims())}.`],
  [
    "alg none with the signature of another token",
    async () => {
      const [, , signature] = (await issuer.sign()).split(".");
      return `${encode({ alg: "none" })}.${encode(claims())}.${signature}`;
    },
  ],
  [
    "HS256 with the public key in PEM",
    async () => confused("HS256", await exportSPKI(issuer.keys[0]!.publicKey)),
  ],
  [
    "HS512 with the public key as JWK",
    async () => confused("HS512", JSON.stringify(await exportJWK(issuer.keys[0]!.publicKey))),
  ],
  ["HS256 with an empty key", () => confused("HS256", "")],
  ["a forger's key under the issuer's kid", async () => issuer.sign({}, {}, await makeKey("first"))],
  ["a forger's key under a kid of its own", async () => issuer.sign({}, {}, await makeKey("mine"))],
  [
    "a key that comes with the token",
    async () => {
      const key = await makeKey("mine");
      return issuer.sign({}, { jwk: await exportJWK(key.publicKey), kid: undefined }, key);
    },
  ],
  [
    "a key set at an address of the token",
    async () => issuer.sign({}, { jku: "https://evil.example.org/jwks" }, await makeKey("mine")),
  ],
  ["an algorithm that this issuer may not use", () => issuer.sign({}, {}, issuer.keys[1])],
  [
    "changed claims",
    async () => {
      const [head, , signature] = (await issuer.sign()).split(".");
      return `${head}.${encode(claims())}.${signature}`;
    },
  ],
  ["another audience", () => issuer.sign({ aud: "another-api" })],
  ["no audience", () => issuer.sign({ aud: undefined })],
  ["an audience that begins alike", () => issuer.sign({ aud: "flare-api-2" })],
  ["another issuer", () => issuer.sign({ iss: "https://login.example.org" })],
  ["the issuer with a slash", () => issuer.sign({ iss: `${issuer.url}/` })],
  ["not valid yet", () => issuer.sign({ nbf: NOW_SECONDS + 120 })],
  ["issued in the future", () => issuer.sign({ iat: NOW_SECONDS + 120 })],
  ["no expiry", () => issuer.sign({ exp: undefined })],
  ["no time of issue", () => issuer.sign({ iat: undefined })],
  ["no subject", () => issuer.sign({ sub: undefined })],
  ["an expiry that is no number", () => issuer.sign({ exp: "tomorrow" })],
  ["a subject with a line break", () => issuer.sign({ sub: "alice\nbob" })],
  ["a subject that is too long", () => issuer.sign({ sub: "a".repeat(256) })],
  ["the type of a logout token", () => issuer.sign({}, { typ: "logout+jwt" })],
  ["no type", () => issuer.sign({}, { typ: undefined })],
  ["an extension that must be understood", () => issuer.sign({}, { crit: ["x-ours"], "x-ours": 1 })],
  ["three parts of nothing", () => "eyJ.e30.x"],
];

test.for(refused)("%s is refused", async ([, make]) => {
  const { status, body, text } = await verify(await make());
  expect(body).toMatchObject({ status: 401, error_code: "INVALID_TOKEN" });
  expect(status).toBe(401);
  // one answer for all: nothing tells a forger what to do better
  expect(text).toContain("the token is not valid");
});

test("times count with a minute of skew", async () => {
  const at = (exp: number, more = {}) => issuer.sign({ exp: NOW_SECONDS + exp, ...more });
  expect((await verify(await at(-59))).status).toBe(200);
  expect((await verify(await at(-61))).body).toMatchObject({ status: 401, error_code: "TOKEN_EXPIRED" });
  expect((await verify(await at(300, { nbf: NOW_SECONDS + 59 }))).status).toBe(200);
  const old = { iat: NOW_SECONDS - 25 * 3600 };
  expect((await verify(await at(300, old))).body).toMatchObject({ error_code: "TOKEN_EXPIRED" });
});

test("an opaque token and one of an issuer do not get in each other's way", async () => {
  const own = await service.token(["intents:read"], "research");
  expect((await verify(own)).body).toMatchObject({ tenant: "research", permissions: ["intents:read"] });
  expect((await verify("nonsense")).body).toMatchObject({ error_code: "INVALID_TOKEN" });
});

test("an identity that is revoked loses the tokens that it had; a new one counts", async () => {
  const token = await issuer.sign({ sub: "bob" });
  expect((await verify(token)).status).toBe(200);
  const trusted = await issuer.sign({ sub: "bob", groups: ["auditors"] });
  const made = await service.request(trusted, "POST", "/auth/tokens", {
    name: "x",
    permissions: ["intents:read"],
  });
  const own = String(made.body["token"]);
  expect((await verify(own)).status).toBe(200);
  const admin = await service.token(["admin:*"]);
  const body = { issuer: "corp", subject: "bob" };
  expect((await service.request(admin, "POST", "/admin/identities/revoke", body)).status).toBe(200);
  expect((await verify(token)).body).toMatchObject({ error_code: "TOKEN_REVOKED" });
  expect((await verify(own)).body).toMatchObject({ error_code: "TOKEN_REVOKED" });
  expect((await verify(await issuer.sign())).status).toBe(200);
  // the issuer's clock may be ahead by a minute: what it dates within that may be older than the revocation
  const again = await issuer.sign({ sub: "bob", iat: NOW_SECONDS + 59 });
  expect((await verify(again)).body).toMatchObject({ error_code: "TOKEN_REVOKED" });
  expect((await verify(await issuer.sign({ sub: "bob", iat: NOW_SECONDS + 60 }))).status).toBe(200);
});

test("keys are fetched once, anew for a key that is not known, and not again for every forger", async () => {
  const fetches = () => issuer.asked.filter((path) => path === "/jwks").length;
  const before = fetches();
  for (let time = 0; time < 5; time++) expect((await verify(await issuer.sign())).status).toBe(200);
  for (let time = 0; time < 5; time++)
    expect((await verify(await issuer.sign({}, {}, await makeKey(`forged-${time}`)))).status).toBe(401);
  expect(fetches() - before).toBeLessThanOrEqual(1);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 31_000 });
  try {
    const next = await makeKey("next");
    issuer.keys = [...issuer.keys, next];
    expect((await verify(await issuer.sign({}, {}, next))).status).toBe(200);
    // a key that was withdrawn is no longer good once the set is old
    vi.setSystemTime(Date.now() + 301_000);
    const [withdrawn] = issuer.keys;
    issuer.keys = [next];
    expect((await verify(await issuer.sign({}, {}, withdrawn))).status).toBe(401);
  } finally {
    vi.useRealTimers();
  }
});

test("while the issuer cannot be asked, what cannot be checked is refused for now, not for good", async () => {
  const other = await startIssuer();
  const config = { ...configOf(), issuers: [{ ...configOf().issuers[0]!, issuer: other.url }] };
  const time = createDrivenTime();
  const port = createIssuers(config, { clock: time, log: service.env.log });
  other.isDown = true;
  const token = await other.sign();
  expect(await port.verify(token)).toMatchObject({ kind: "unavailable" });
  other.isDown = false;
  // it is not asked again at once
  expect(await port.verify(token)).toMatchObject({ kind: "unavailable" });
  time.pass(6000);
  expect(await port.verify(token)).toMatchObject({ kind: "known" });
  // known keys outlive an outage
  other.isDown = true;
  expect(await port.verify(token)).toMatchObject({ kind: "known" });
  await port.close();
  other.close();
});

test("an issuer that leads inside is not followed there", async () => {
  const guarded = createIssuers(configOf({ network: { allow: [], http: true } }), {
    clock: createDrivenTime(),
    log: service.env.log,
  });
  const before = issuer.asked.length;
  expect(await guarded.verify(await issuer.sign())).toMatchObject({ kind: "unavailable" });
  expect(issuer.asked.length).toBe(before);
  await guarded.close();
});

test("an authorized party is one of the list", async () => {
  const config = configOf({ authorized_parties: ["ci"] });
  const port = createIssuers(config, { clock: service.time, log: service.env.log });
  const kindOf = async (more: object) => (await port.verify(await issuer.sign(more))).kind;
  expect(await kindOf({ azp: "ci" })).toBe("known");
  expect(await kindOf({ client_id: "ci" })).toBe("known");
  expect(await kindOf({ azp: "other", client_id: "ci" })).toBe("invalid");
  expect(await kindOf({})).toBe("invalid");
  await port.close();
});

test("tokens are in no log", async () => {
  const token = await issuer.sign({ sub: "carol" });
  await verify(token);
  await verify(`${token}x`);
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(line).not.toContain(token.split(".")[1]);
});
