import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { readSsoConfig } from "../../../api/sso/config.ts";
import { permissionsOf, roleNames, rolePermissions } from "../../../api/sso/roles.ts";
import { EngineError } from "../../../engine/model/errors.ts";

const issuer = {
  name: "corp",
  issuer: "https://login.example.org/realms/corp",
  audience: "flare-api",
  client: { id: "flare", secret_file: "/etc/flare/client" },
  grants: [{ group: "ml-team", tenant: "research", role: "operator" }],
};
const whole = { external_url: "https://flare.example.org", issuers: [issuer] };

test("what is not stated has a safe default", () => {
  const { session, issuers } = readSsoConfig({ ...whole, external_url: "https://flare.example.org/" });
  expect(session).toEqual({ lifetimeMs: 8 * 3_600_000, idleMs: 30 * 60_000 });
  expect(issuers[0]).toMatchObject({
    algorithms: ["ES256", "RS256", "EdDSA"],
    tokenTypes: ["at+jwt", "jwt"],
    groupsClaim: ["groups"],
    clockSkewMs: 60_000,
    tokenAgeMs: 86_400_000,
    network: { allow: [], http: false },
    client: { id: "flare", scopes: ["openid", "profile"] },
  });
});

test("the example of the guide is one that is read", () => {
  const page = readFileSync(new URL("../../../docs/guides/single-sign-on.md", import.meta.url), "utf8");
  const [, example = ""] = /^```yaml sso\n([\s\S]*?)^```$/m.exec(page) ?? [];
  const { issuers } = readSsoConfig(parse(example));
  expect(issuers.map(({ name, tokenTypes, client }) => [name, tokenTypes, client?.id])).toEqual([
    ["corp", ["at+jwt", "jwt"], "flare"],
    ["cluster", [""], undefined],
  ]);
});

const bad: readonly (readonly [string, object])[] = [
  ["external_url", { ...whole, external_url: "http://flare.example.org" }],
  ["external_url", { ...whole, external_url: "https://flare.example.org/console" }],
  ["issuers", { external_url: "https://flare.example.org" }],
  ["issuers", { ...whole, issuers: [] }],
  ["session.lifetime", { ...whole, session: { lifetime: "30d" } }],
  ["session.idle", { ...whole, session: { idle: "0s" } }],
  ["sesion", { ...whole, sesion: {} }],
  ["issuers[1].name", { ...whole, issuers: [issuer, { ...issuer, issuer: "https://other.example.org" }] }],
  ["issuers[1].issuer", { ...whole, issuers: [issuer, { ...issuer, name: "other" }] }],
];
const badIssuer: readonly (readonly [string, object])[] = [
  ["name", { name: "Corp!" }],
  ["issuer", { issuer: "http://login.example.org" }],
  ["issuer", { issuer: "login.example.org" }],
  ["audience", { audience: "flare" }],
  ["audience", { audience: undefined, client: undefined }],
  ["algorithms[0]", { algorithms: ["HS256"] }],
  ["algorithms[1]", { algorithms: ["ES256", "none"] }],
  ["algorithms", { algorithms: [] }],
  ["token_types[0]", { token_types: ["id+jwt"] }],
  ["clock_skew", { clock_skew: "1h" }],
  ["client.scopes", { client: { id: "flare", scopes: ["profile"] } }],
  ["client.secret", { client: { id: "flare", secret: "in the file itself" } }],
  ["network.allow[0]", { network: { allow: ["everything"] } }],
  ["grants", { grants: [] }],
  ["grants[0]", { grants: [{ tenant: "research", role: "viewer" }] }],
  ["grants[0]", { grants: [{ group: "a", subject: "b", tenant: "research", role: "viewer" }] }],
  ["grants[0].role", { grants: [{ group: "a", tenant: "research", role: "admin" }] }],
  ["grants[0].tenant", { grants: [{ group: "a", tenant: "*", role: "viewer" }] }],
];

test.for([
  ...bad,
  ...badIssuer.map(
    ([path, more]) => [`issuers[0].${path}`, { ...whole, issuers: [{ ...issuer, ...more }] }] as const,
  ),
])("an error names %s: %j", ([path, document]) => {
  const read = (): unknown => readSsoConfig(document);
  expect(read).toThrow(EngineError);
  try {
    read();
  } catch (error) {
    expect((error as EngineError).problems.map((problem) => problem.path)).toContain(path);
  }
});

test("each role has what the one before has, and only platform-admin is for all tenants", () => {
  const [viewer, operator, tenantAdmin, platformAdmin] = roleNames.map((role) => rolePermissions[role]);
  expect(operator).toEqual(expect.arrayContaining([...viewer!]));
  expect(tenantAdmin).toEqual(expect.arrayContaining([...operator!]));
  expect(tenantAdmin).not.toContain("admin:*");
  expect(platformAdmin).toEqual(["admin:*"]);
});

test("several roles in a tenant add up, tenants keep the order of the table", () => {
  const grants = [
    { group: "a", tenant: "two", role: "viewer" },
    { subject: "sue", tenant: "one", role: "viewer" },
    { group: "b", tenant: "two", role: "operator" },
    { group: "c", tenant: "three", role: "tenant-admin" },
  ] as const;
  const found = permissionsOf(grants, "sue", ["b", "a"]);
  expect([...found.keys()]).toEqual(["two", "one"]);
  expect(found.get("two")).toEqual(rolePermissions.operator);
  expect(permissionsOf(grants, "bob", ["A"]).size).toBe(0);
});
