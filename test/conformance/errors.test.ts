import { expect, test } from "vitest";
import type { Permission } from "../../api/http/permissions.ts";
import { wish } from "../api/driven-env.ts";
import { start } from "./start.ts";

/** The errors that the original documents, on the whole service without sockets. */

type Loose = ReturnType<typeof JSON.parse>;

const needs = (gpu: object, constraints: object = {}, scaling: object = {}): object => ({
  intent: {
    objective: "Cost_Minimization",
    workload: {
      type: "service",
      name: "web",
      image: "registry.example.org/work:1",
      resources: { cpu: "1", memory: "1Gi", gpu },
      scaling,
    },
    constraints,
  },
});

test.for<[string, string, number, object]>([
  ["F-155", "INVALID_FORMAT", 400, needs({ count: -1 })],
  ["F-156", "MISSING_REQUIRED_FIELD", 400, { intent: { objective: "Cost_Minimization" } }],
  ["F-157", "INSUFFICIENT_RESOURCES", 409, needs({ count: 4 }, {}, { min_replicas: 9 })],
  ["F-158", "GPU_MODEL_UNAVAILABLE", 409, needs({ model: "nvidia-t4" })],
  ["F-159", "GPU_MEMORY_INSUFFICIENT", 409, needs({ memory_min: "200Gi" })],
  ["F-160", "GPU_COUNT_INSUFFICIENT", 409, needs({ count: 16 })],
  ["F-161", "REGION_UNAVAILABLE", 409, needs({}, { location: "Japan" })],
  ["F-162", "COST_LIMIT_EXCEEDED", 402, needs({}, { max_hourly_cost: "0.50 EUR" })],
])("%s, F-154: %s is %i, in the original's form", async ([, code, status, body]) => {
  const { call } = await start();
  const answer = await call("POST", "/intents", body);
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.body).toMatchObject({
    status,
    error_code: code,
    message: expect.stringMatching(/./),
    suggestions: expect.any(Array),
  });
});

test.for<[string, object, RegExp]>([
  ["F-169", needs({ model: "nvidia-t4" }), /gpu\.model: nvidia-t4 -> nvidia-a100/],
  ["F-170", needs({}, { max_hourly_cost: "1 EUR" }), /max_hourly_cost: 1\.00 EUR -> 2\.00 EUR/],
])(
  "%s: what would be placed instead is suggested, with its cost and what it means for speed",
  async ([, body, text]) => {
    const { call } = await start();
    const { suggestions } = (await call("POST", "/intents", body)).body as { suggestions: Loose[] };
    expect(suggestions.length).toBeGreaterThan(0);
    expect(suggestions.some(({ alternative }) => text.test(alternative))).toBe(true);
    for (const one of suggestions) {
      expect(one.cost_difference).toMatch(/EUR/);
      expect(one.performance_impact).toMatch(/./);
    }
  },
);

test("a suggestion of fewer GPUs says so, not that the hardware is another", async () => {
  const { call } = await start();
  const { suggestions } = (await call("POST", "/intents", needs({ count: 16 }))).body as {
    suggestions: Loose[];
  };
  const fewer = suggestions.filter(({ alternative }) => /gpu\.count: 16 -> \d+ \(/.test(alternative));
  expect(fewer.length).toBeGreaterThan(0);
  for (const one of fewer) expect(one.performance_impact).toMatch(/^\d+ GPUs instead of 16$/);
});

test("F-163, F-172: a tenant over its quota is told so, with what is used", async () => {
  const { service } = await start();
  const admin = await service.token(["admin:*"]);
  const quotas = [{ gpu_class: "*", nominal: 1 }];
  await service.request(admin, "POST", "/admin/tenants", { tenant: "small", quotas });
  const token = await service.token(["intents:write"], "small");
  const answer = await service.request(token, "POST", "/intents", wish("web", 2));
  expect(answer.status).toBe(429);
  expect(answer.body).toMatchObject({ error_code: "QUOTA_EXCEEDED", message: expect.stringMatching(/1/) });
  expect(answer.headers.get("retry-after")).not.toBeNull();
});

test("F-165, F-171: an expired token is answered as expired", async () => {
  const { service, token } = await start();
  service.time.pass(86_400_001);
  const { body } = await service.request(token, "GET", "/intents");
  expect(body).toMatchObject({ status: 401, error_code: "TOKEN_EXPIRED", suggestions: [] });
});

test("F-168, F-179, F-180: each permission opens its own routes, and B-19: nobody gives more than they have", async () => {
  const { service } = await start();
  const asked: readonly [Permission, string, string, unknown?][] = [
    ["intents:read", "GET", "/intents"],
    ["intents:write", "POST", "/intents", wish("web", 1)],
    ["intents:delete", "DELETE", "/intents/int_none"],
    ["resources:read", "GET", "/resources"],
    ["tokens:manage", "GET", "/auth/tokens"],
    ["admin:*", "GET", "/admin/tenants"],
  ];
  for (const [permission, method, path, body] of asked) {
    const others = asked.map(([name]) => name).filter((name) => name !== permission && name !== "admin:*");
    const without = await service.request(await service.token(others), method, path, body);
    expect([permission, without.status, without.body["error_code"]]).toEqual([
      permission,
      403,
      "INSUFFICIENT_PERMISSIONS",
    ]);
    const granted = await service.request(await service.token([permission]), method, path, body);
    expect([permission, granted.status === 403]).toEqual([permission, false]);
  }
  const manager = await service.token(["tokens:manage"]);
  const more = await service.request(manager, "POST", "/auth/tokens", {
    name: "x",
    permissions: ["admin:*"],
  });
  expect(more.status).toBe(403);
  const forever = await service.request(manager, "POST", "/auth/tokens", {
    name: "x",
    permissions: ["tokens:manage"],
    expires_in: "9000d",
  });
  expect(forever.status).toBe(400);
});

test("F-173: where nothing fits, queue is accepted and waits, reject and silence are refused", async () => {
  const { call, service } = await start();
  const wanted = (more: object): object => needs({ model: "nvidia-t4" }, { negotiation: more });
  expect((await call("POST", "/intents", wanted({}))).status).toBe(409);
  expect((await call("POST", "/intents", wanted({ fallback_strategy: "reject" }))).status).toBe(409);
  const { status, body } = await call("POST", "/intents", wanted({ fallback_strategy: "queue" }));
  expect([status, body["status"]]).toEqual([202, "pending"]);
  await service.run(1000);
  expect((await call("GET", `/intents/${body["intent_id"]}`)).body).toMatchObject({
    status: "pending",
    phase: "waiting",
  });
});
