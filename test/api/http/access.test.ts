import { expect, test } from "vitest";
import { createLimiter } from "../../../api/http/rate.ts";
import { StoreError } from "../../../api/store/errors.ts";
import { createDrivenService, wish } from "../driven-env.ts";

test("a token is shown once, works, and never allows more than its creator", async () => {
  const service = await createDrivenService();
  const creator = await service.token(["tokens:manage", "intents:read", "intents:write"]);
  const create = (body: object) => service.request(creator, "POST", "/auth/tokens", body);
  const made = await create({ name: "ci" });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({
    permissions: ["intents:read", "intents:write"],
    status: "active",
    last_used: null,
  });
  expect(made.body["token"]).toMatch(/^flr_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
  const text = String(made.body["token"]);
  expect((await service.request(text, "POST", "/intents", wish("web", 1))).status).toBe(202);
  const list = await service.request(creator, "GET", "/auth/tokens");
  expect(list.text).not.toContain(text.split("_")[2]);
  for (const permission of ["intents:delete", "admin:*", "audit:read"])
    expect((await create({ name: "more", permissions: [permission] })).status).toBe(403);
  await service.request(creator, "DELETE", `/auth/tokens/${String(made.body["token_id"])}`);
  expect((await service.request(text, "GET", "/intents")).body).toMatchObject({
    status: 401,
    error_code: "TOKEN_REVOKED",
  });
});

test("a token ends when it was said to, and its use is noted to the minute", async () => {
  const service = await createDrivenService();
  const creator = await service.token(["tokens:manage", "intents:read"]);
  const made = await service.request(creator, "POST", "/auth/tokens", {
    name: "short",
    expires_in: "2h",
    permissions: ["intents:read"],
  });
  expect(made.body["expires_at"]).toBe("2026-03-01T02:00:00Z");
  const text = String(made.body["token"]);
  await service.request(text, "GET", "/intents");
  service.time.pass(30_000);
  await service.request(text, "GET", "/intents");
  const lastUsed = async () =>
    (
      (await service.request(creator, "GET", "/auth/tokens")).body["tokens"] as {
        name: string;
        last_used: string;
      }[]
    ).find(({ name }) => name === "short")!.last_used;
  expect(await lastUsed()).toBe("2026-03-01T00:00:00Z");
  service.time.pass(60_000);
  await service.request(text, "GET", "/intents");
  await service.request(text, "GET", "/intents");
  expect(await lastUsed()).toBe("2026-03-01T00:01:30Z");
  service.time.pass(7_200_000);
  expect((await service.request(text, "GET", "/intents")).body).toMatchObject({
    status: 401,
    error_code: "TOKEN_EXPIRED",
  });
});

test("whoever does not know a secret learns nothing from trying", async () => {
  const service = await createDrivenService();
  const token = await service.token(["intents:read"]);
  const [prefix, id, secret, sum] = token.split("_");
  const swapped = `${prefix}_${id}_${[...secret!].reverse().join("")}_${sum}`;
  const answers = await Promise.all(
    [swapped, `${token}x`, "flr_x", token.replace(id!, "000000000000"), "Basic"].map((text) =>
      service.request(text, "GET", "/intents"),
    ),
  );
  expect(new Set(answers.map(({ text }) => text.replace(/req-\w+/, "")))).toHaveProperty("size", 1);
  expect(answers[0]!.body).toMatchObject({ status: 401, error_code: "INVALID_TOKEN" });
  expect(answers[0]!.headers.get("www-authenticate")).toBe('Bearer realm="flare"');
});

test("asking too much is 429 with when to come back; failed tries of an address never hold back valid tokens", async () => {
  const rates = { token: { perSecond: 2, burst: 40 }, failures: { perSecond: 1, burst: 3 } };
  const service = await createDrivenService({ rates });
  const token = await service.token(["intents:read", "intents:write"]);
  const ok = await service.request(token, "GET", "/intents");
  expect([ok.headers.get("ratelimit-limit"), ok.headers.get("ratelimit-remaining")]).toEqual(["40", "39"]);
  // deciding costs more than looking, and a known answer costs no decision
  expect((await service.request(token, "POST", "/intents", wish("web", 1))).status).toBe(202);
  expect((await service.request(token, "POST", "/intents", wish("web-2", 1))).status).toBe(202);
  const refused = await service.request(token, "POST", "/intents?dry_run=true", wish("web", 1));
  expect(refused.body).toMatchObject({ status: 429, error_code: "RATE_LIMITED" });
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  service.time.pass(Number(refused.headers.get("retry-after")) * 1000);
  expect((await service.request(token, "POST", "/intents?dry_run=true", wish("web", 1))).status).toBe(200);
  const failures = [];
  for (let index = 0; index < 5; index++)
    failures.push((await service.request("nonsense", "GET", "/intents")).status);
  expect(failures).toEqual([401, 401, 401, 429, 429]);
  service.time.pass(5000);
  expect((await service.request(token, "GET", "/intents")).status).toBe(200);
});

test("that nobody can be asked about a token is no failed try of its bearer", async () => {
  const authenticators = [
    () => Promise.reject(new StoreError("unavailable", "the database cannot be reached")),
  ];
  const rates = { failures: { perSecond: 1, burst: 2 } };
  const service = await createDrivenService({ rates, authenticators });
  for (let index = 0; index < 5; index++)
    expect(await service.request("any", "GET", "/intents")).toMatchObject({
      status: 503,
      body: { error_code: "NOT_READY" },
    });
});

test("a limiter gives exactly its burst at once and its rate over time, and refusals cost nothing", () => {
  let now = 0;
  const limiter = createLimiter({ perSecond: 10, burst: 5 }, { monoMs: () => now });
  const granted = () => Array.from({ length: 20 }, () => limiter.take("a").isAllowed).filter(Boolean).length;
  expect(granted()).toBe(5);
  now = 100;
  expect(granted()).toBe(1);
  expect(limiter.take("b").isAllowed).toBe(true);
  now = 10_000;
  expect(granted()).toBe(5);
  // more units than the burst cost the whole burst, not for ever
  now = 20_000;
  expect(limiter.take("a", 1000)).toMatchObject({ isAllowed: true, remaining: 0 });
});

test("a limiter knows so many keys and no more: without end they would fill the memory", () => {
  const limiter = createLimiter({ perSecond: 1, burst: 1 }, { monoMs: () => 0 });
  expect([limiter.take("first").isAllowed, limiter.take("first").isAllowed]).toEqual([true, false]);
  for (let index = 1; index < 20_000; index++) limiter.take(`key-${index}`);
  expect(limiter.take("first").isAllowed).toBe(false);
  limiter.take("one more");
  // all of them owe something: the one that asked first is forgotten
  expect(limiter.take("first").isAllowed).toBe(true);
});

test("metrics are open to this machine alone", async () => {
  const service = await createDrivenService();
  const token = await service.token(["intents:read", "intents:write"], "secretive-tenant");
  await service.request(token, "POST", "/intents", wish("secret-name", 1));
  const here = await service.request(null, "GET", "/metrics");
  expect(here.text).toContain('flare_intents{phase="queued",status="pending"} 1');
  expect(here.text).toContain('route="/intents",method="post",status="202"} 1');
  for (const secret of ["secretive-tenant", "secret-name", token]) expect(here.text).not.toContain(secret);
  const away = await service.app.request(
    "/metrics",
    {},
    { incoming: { socket: { remoteAddress: "10.0.0.9" } } },
  );
  expect(away.status).toBe(401);
  const admin = await service.token(["admin:*"]);
  const headers = { authorization: `Bearer ${admin}` };
  const known = await service.app.request(
    "/metrics",
    { headers },
    { incoming: { socket: { remoteAddress: "10.0.0.9" } } },
  );
  expect(known.status).toBe(200);
});

test("tenants, quotas and suspension belong to administrators, and money is whole units outside", async () => {
  const service = await createDrivenService();
  const admin = await service.token(["admin:*"]);
  const ask = (method: string, path: string, body?: unknown) => service.request(admin, method, path, body);
  const quotas = [
    { gpu_class: "nvidia-a100", nominal: 2 },
    { money: true, nominal: 12.5, borrowing: 1 },
  ];
  const made = await ask("POST", "/admin/tenants", { tenant: "acme", weight: 2, cohort: "labs", quotas });
  expect([made.status, made.body]).toMatchObject([
    201,
    { tenant: "acme", quotas, cohort: "labs", status: "active" },
  ]);
  expect((await ask("POST", "/admin/tenants", { tenant: "acme" })).status).toBe(409);
  expect((await ask("PATCH", "/admin/tenants/default", { status: "suspended" })).status).toBe(409);
  expect((await ask("POST", "/admin/tenants", { tenant: "Acme Corp" })).status).toBe(400);
  expect((await ask("PUT", "/admin/quotas/acme", { quotas: [{ nominal: 1 }] })).status).toBe(400);
  expect(
    (await ask("PUT", "/admin/quotas/acme", { quotas: [{ gpu_class: "*", nominal: 1 }] })).body,
  ).toMatchObject({
    quotas: [{ gpu_class: "*", nominal: 1 }],
  });
  const token = await service.token(["intents:read", "intents:write"], "acme");
  expect((await service.request(token, "GET", "/quotas")).body).toMatchObject({
    tenant: "acme",
    quotas: [{ nominal: 1 }],
  });
  expect((await service.env.store.system.tenant("acme"))!.quotas).toBe('[{"gpuClass":"*","nominal":1}]');
});
