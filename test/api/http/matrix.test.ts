import { beforeAll, describe, expect, test } from "vitest";
import { routes } from "../../../api/http/app.ts";
import { type Permission, permissions } from "../../../api/http/permissions.ts";
import { createDrivenService, type DrivenService, wish } from "../driven-env.ts";

/** How one route is asked. A route without a row here fails. */
interface Row {
  /** The path, with ids of tenant `acme`'s things. */
  readonly path: (ids: Ids) => string;
  readonly body?: (ids: Ids) => unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** What a caller gets who may. */
  readonly status: number;
  /** What an administrator gets, who comes last, when that is something else: it is gone by then. */
  readonly afterwards?: number;
  /**
   * Whose the answer is: `object` one thing of one tenant, `tenant` a list or an act of the caller's own, `shared` the
   * federation, which all tenants see, `system` the service.
   */
  readonly of: "object" | "tenant" | "shared" | "system";
}

interface Ids {
  readonly intent: string;
  /** An intent that is cancelled on the way. */
  readonly doomed: string;
  readonly reservation: string;
  readonly token: string;
  readonly webhook: string;
}

const asJson = { accept: "application/json" };
let made = 0;

const rows: Readonly<Record<string, Row>> = {
  "post /intents": {
    path: () => "/intents",
    body: () => wish(`new-${++made}`, 1),
    status: 202,
    of: "tenant",
  },
  "get /intents": { path: () => "/intents", status: 200, of: "tenant" },
  "get /intents/{id}": { path: ({ intent }) => `/intents/${intent}`, status: 200, of: "object" },
  "patch /intents/{id}": {
    path: ({ intent }) => `/intents/${intent}`,
    body: () => ({ intent: { priority: "high" } }),
    status: 200,
    of: "object",
  },
  "delete /intents/{id}": { path: ({ doomed }) => `/intents/${doomed}`, status: 202, of: "object" },
  "get /intents/{id}/decision": {
    path: ({ intent }) => `/intents/${intent}/decision`,
    status: 200,
    of: "object",
  },
  "get /intents/{id}/decisions": {
    path: ({ intent }) => `/intents/${intent}/decisions`,
    status: 200,
    of: "object",
  },
  "get /intents/{id}/replay": {
    path: ({ intent }) => `/intents/${intent}/replay`,
    status: 200,
    of: "object",
  },
  "get /intents/{id}/events": {
    path: ({ intent }) => `/intents/${intent}/events`,
    headers: asJson,
    status: 200,
    of: "object",
  },
  "get /events": { path: () => "/events", headers: asJson, status: 200, of: "tenant" },
  "post /simulate": {
    path: () => "/simulate",
    body: () => ({ intents: [wish("what-if", 1)] }),
    status: 200,
    of: "shared",
  },
  "get /resources": { path: () => "/resources", status: 200, of: "shared" },
  "get /resources/utilization": { path: () => "/resources/utilization", status: 200, of: "shared" },
  "get /resources/prices": { path: () => "/resources/prices", status: 200, of: "shared" },
  "post /resources/reservations": {
    path: () => "/resources/reservations",
    body: () => ({
      offer: "one-by-one",
      gpus: 1,
      start: `2026-05-0${(++made % 9) + 1}T00:00:00Z`,
      end: "2026-05-20T00:00:00Z",
    }),
    status: 201,
    of: "shared",
  },
  "get /resources/reservations": { path: () => "/resources/reservations", status: 200, of: "tenant" },
  "get /resources/reservations/{id}": {
    path: ({ reservation }) => `/resources/reservations/${reservation}`,
    status: 200,
    of: "object",
  },
  "delete /resources/reservations/{id}": {
    path: ({ reservation }) => `/resources/reservations/${reservation}`,
    status: 200,
    of: "object",
  },
  "post /auth/tokens": {
    path: () => "/auth/tokens",
    body: () => ({ name: "more", permissions: ["tokens:manage"] }),
    status: 201,
    of: "tenant",
  },
  "get /auth/tokens": { path: () => "/auth/tokens", status: 200, of: "tenant" },
  "delete /auth/tokens/{id}": { path: ({ token }) => `/auth/tokens/${token}`, status: 200, of: "object" },
  "get /auth/verify": { path: () => "/auth/verify", status: 200, of: "tenant" },
  "post /webhooks": {
    path: () => "/webhooks",
    body: () => ({ url: "https://hooks.example.org/new" }),
    status: 201,
    of: "tenant",
  },
  "get /webhooks": { path: () => "/webhooks", status: 200, of: "tenant" },
  "get /webhooks/{id}": { path: ({ webhook }) => `/webhooks/${webhook}`, status: 200, of: "object" },
  "patch /webhooks/{id}": {
    path: ({ webhook }) => `/webhooks/${webhook}`,
    body: () => ({ description: "changed" }),
    status: 200,
    of: "object",
  },
  "post /webhooks/{id}/rotate": {
    path: ({ webhook }) => `/webhooks/${webhook}/rotate`,
    body: () => ({}),
    status: 200,
    of: "object",
  },
  "post /webhooks/{id}/test": {
    path: ({ webhook }) => `/webhooks/${webhook}/test`,
    status: 200,
    of: "object",
  },
  "post /webhooks/{id}/replay": {
    path: ({ webhook }) => `/webhooks/${webhook}/replay`,
    body: () => ({ events: [1] }),
    status: 202,
    of: "object",
  },
  "get /webhooks/{id}/deliveries": {
    path: ({ webhook }) => `/webhooks/${webhook}/deliveries`,
    status: 200,
    of: "object",
  },
  "delete /webhooks/{id}": {
    path: ({ webhook }) => `/webhooks/${webhook}`,
    status: 200,
    afterwards: 404,
    of: "object",
  },
  // nobody signs in with a browser in this service; see sso.test.ts
  "get /auth/login": { path: () => "/auth/login", status: 404, of: "system" },
  "get /auth/callback": { path: () => "/auth/callback", status: 404, of: "system" },
  "post /auth/logout": { path: () => "/auth/logout", status: 200, of: "tenant" },
  "get /admin/sessions": { path: () => "/admin/sessions", status: 200, of: "system" },
  "delete /admin/sessions/{id}": { path: () => "/admin/sessions/ses-none", status: 404, of: "system" },
  "post /admin/identities/revoke": {
    path: () => "/admin/identities/revoke",
    body: () => ({ issuer: "corp", subject: "alice" }),
    status: 400,
    of: "system",
  },
  "get /audit": { path: () => "/audit", status: 200, of: "tenant" },
  "get /admin/tenants": { path: () => "/admin/tenants", status: 200, of: "system" },
  "post /admin/tenants": {
    path: () => "/admin/tenants",
    body: () => ({ tenant: `tenant-${++made}` }),
    status: 201,
    of: "system",
  },
  "get /admin/tenants/{id}": { path: () => "/admin/tenants/acme", status: 200, of: "system" },
  "patch /admin/tenants/{id}": {
    path: () => "/admin/tenants/acme",
    body: () => ({ weight: 2 }),
    status: 200,
    of: "system",
  },
  "get /admin/quotas": { path: () => "/admin/quotas", status: 200, of: "system" },
  "put /admin/quotas/{id}": {
    path: () => "/admin/quotas/acme",
    body: () => ({ quotas: [{ gpu_class: "*", nominal: 100 }] }),
    status: 200,
    of: "system",
  },
  "get /quotas": { path: () => "/quotas", status: 200, of: "tenant" },
  "get /health": { path: () => "/health", status: 200, of: "system" },
  "get /livez": { path: () => "/livez", status: 200, of: "system" },
  "get /readyz": { path: () => "/readyz", status: 200, of: "system" },
  "get /metrics": { path: () => "/metrics", status: 200, of: "system" },
  "get /openapi.json": { path: () => "/openapi.json", status: 200, of: "system" },
  "get /docs": { path: () => "/docs", status: 200, of: "system" },
  "get /docs/{id}": { path: () => "/docs/start.js", status: 200, of: "system" },
};

const keyOf = ({ method, path }: (typeof routes)[number]): string => `${method} ${path}`;

interface World {
  readonly service: DrivenService;
  readonly ids: Ids;
  /** Tokens of `acme`, by what they allow. */
  readonly own: ReadonlyMap<string, string>;
  /** An all-permissions token of `rival`, which is no administrator. */
  readonly rival: string;
  /** The same of a tenant that has tried nothing. */
  readonly bystander: string;
}

const grants: readonly (readonly Permission[])[] = [[], ...permissions.map((one) => [one])];
const everything = permissions.filter((one) => one !== "admin:*");

/** A service in which `acme` has one of everything, or, when `isEmpty`, nothing at all. */
async function world(isEmpty: boolean): Promise<World> {
  const service = await createDrivenService({
    page: { script: "", style: "" },
    rates: { token: { perSecond: 1e6, burst: 1e6 } },
  });
  const rival = await service.token(everything, "rival");
  const bystander = await service.token(everything, "bystander");
  const own = new Map<string, string>();
  for (const grant of grants) own.set(grant.join(), await service.token(grant, "acme"));
  const builder = await service.token(everything, "acme");
  const none: Ids = {
    intent: "int-none",
    doomed: "int-none",
    reservation: "rsv-none",
    token: "none",
    webhook: "whk-none",
  };
  if (isEmpty) {
    await service.run(3000);
    return { service, ids: none, own, rival, bystander };
  }
  const intent = await service.request(builder, "POST", "/intents", wish("web", 1));
  const doomed = await service.request(builder, "POST", "/intents", wish("doomed", 1));
  const reservation = await service.request(builder, "POST", "/resources/reservations", {
    offer: "one-by-one",
    gpus: 1,
    start: "2026-04-01T00:00:00Z",
    end: "2026-04-02T00:00:00Z",
  });
  const token = await service.request(builder, "POST", "/auth/tokens", { name: "extra" });
  const webhook = await service.request(builder, "POST", "/webhooks", {
    url: "https://hooks.example.org/a",
  });
  await service.run(3000);
  const ids: Ids = {
    intent: String(intent.body["intent_id"]),
    doomed: String(doomed.body["intent_id"]),
    reservation: String(reservation.body["reservation_id"]),
    token: String(token.body["token_id"]),
    webhook: String(webhook.body["webhook_id"]),
  };
  return { service, ids, own, rival, bystander };
}

let full: World;
let empty: World;
beforeAll(async () => {
  [full, empty] = [await world(false), await world(true)];
});

const ask = (
  { service }: World,
  token: string | null,
  key: string,
  ids: Ids,
  headers: Record<string, string> = {},
) => {
  const row = rows[key]!;
  const method = key.split(" ")[0]!.toUpperCase();
  return service.request(token, method, row.path(ids), row.body?.(ids), { ...row.headers, ...headers });
};

/** An answer but for the id of the request. */
const bare = ({ status, text, headers }: { status: number; text: string; headers: Headers }): string =>
  JSON.stringify([
    status,
    text.replace(/req-[0-9a-z]+/g, "req"),
    [...headers].filter(([name]) => !["x-request-id", "ratelimit-remaining", "location"].includes(name)),
  ]);

test("every route has a row in the matrix, and every row a route", () => {
  expect(Object.keys(rows).sort()).toEqual(routes.map(keyOf).sort());
});

describe.each(routes.map((route) => [keyOf(route), route] as const))("%s", (key, route) => {
  const { permission } = route;
  const isOpen = permission === "open" || permission === "loopback";
  const row = rows[key];

  test("takes no request without a token, unless it is open", async () => {
    const answer = await ask(full, null, key, full.ids);
    expect(answer.status).toBe(isOpen ? row!.status : 401);
    if (!isOpen) expect(answer.body).toMatchObject({ error_code: "AUTHENTICATION_FAILED", status: 401 });
  });

  // last of all what everything is allowed: by then nothing was changed by those who may not
  test.each(grants)("asks for its permission from a token that has [%s]", async (...grant) => {
    const granted = grant.filter((one) => one !== undefined);
    const isAllowed =
      isOpen ||
      permission === "any" ||
      granted.includes(permission as Permission) ||
      granted.includes("admin:*");
    const answer = await ask(full, full.own.get(granted.join())!, key, full.ids);
    const { status, afterwards = status } = row!;
    const expected = granted.includes("admin:*") ? afterwards : status;
    expect([answer.status, answer.text]).toEqual([isAllowed ? expected : 403, answer.text]);
    if (!isAllowed) expect(answer.body).toMatchObject({ error_code: "INSUFFICIENT_PERMISSIONS" });
  });

  if (row?.of === "object")
    test("answers another tenant as if the thing had never existed", async () => {
      // replay is for administrators: with their token, in their own tenant
      const token = (one: World) =>
        permission === "admin:*"
          ? one.service.token(["admin:*"], "rival-admins")
          : Promise.resolve(one.rival);
      const there = await ask(full, await token(full), key, full.ids);
      const never = await ask(empty, await token(empty), key, full.ids);
      expect(there.status).toBe(404);
      expect(bare(there)).toBe(bare(never));
    });

  if (row?.of === "tenant" && route.method === "get")
    test("shows another tenant nothing of it", async () => {
      const there = await ask(full, full.bystander, key, full.ids);
      const never = await ask(empty, empty.bystander, key, full.ids);
      expect(there.status).toBe(200);
      // the audit log is one chain over all tenants: its numbers and hashes say that others do something, not what
      if (key !== "get /audit") expect(bare(there)).toBe(bare(never));
      for (const id of Object.values(full.ids)) expect(there.text).not.toContain(id);
    });

  if (!isOpen)
    test("lets nobody but administrators act for another tenant, and does not say whether it exists", async () => {
      const [known, unknown] = await Promise.all(
        ["acme", "nobody"].map((name) => ask(full, full.rival, key, full.ids, { "flare-tenant": name })),
      );
      expect(known!.status).toBe(403);
      expect(bare(known!)).toBe(bare(unknown!));
    });
});

test("an administrator acts for another tenant, which is audited there", async () => {
  const admin = await full.service.token(["admin:*"]);
  const answer = await full.service.request(admin, "GET", "/intents", undefined, { "flare-tenant": "acme" });
  expect(answer.text).toContain(full.ids.intent);
  const audit = await full.service.request(full.own.get("audit:read")!, "GET", "/audit?limit=1");
  expect(audit.body["entries"]).toMatchObject([{ action: "admin get /intents", target: "/intents" }]);
  expect(
    (await full.service.request(admin, "GET", "/intents", undefined, { "flare-tenant": "nobody" })).status,
  ).toBe(404);
});

test("a denial is in the audit log", async () => {
  const token = full.own.get("intents:read")!;
  await full.service.request(token, "DELETE", `/intents/${full.ids.intent}`);
  const audit = await full.service.request(full.own.get("audit:read")!, "GET", "/audit?limit=1");
  expect(audit.body["entries"]).toMatchObject([
    { action: "delete /intents/{id}", target: full.ids.intent, outcome: "denied" },
  ]);
});

test("the tokens of a suspended tenant no longer work", async () => {
  const admin = await full.service.token(["admin:*"]);
  const token = await full.service.token(["intents:read"], "leaver");
  expect((await full.service.request(token, "GET", "/intents")).status).toBe(200);
  await full.service.request(admin, "PATCH", "/admin/tenants/leaver", { status: "suspended" });
  expect((await full.service.request(token, "GET", "/intents")).body).toMatchObject({
    status: 401,
    error_code: "AUTHENTICATION_FAILED",
  });
});
