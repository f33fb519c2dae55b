import { expect, test } from "vitest";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { createApp } from "../../api/http/app.ts";
import { createProgram } from "../../cli/program.ts";
import { wish } from "../api/driven-env.ts";
import { everything, start } from "./start.ts";

/** The routes, answers and errors that the original documents, on the whole service without sockets. */

type Loose = ReturnType<typeof JSON.parse>;

/** A service with one intent that runs: two GPUs at 2 EUR each. */
async function running(more: object = {}) {
  const one = await start();
  const { body } = await one.call("POST", "/intents", wish("web", 2, more));
  await one.service.run(3000);
  return { ...one, id: String(body["intent_id"]) };
}

const batchWish = (name: string): object => ({
  intent: {
    objective: "Cost_Minimization",
    workload: {
      type: "batch",
      name,
      image: "registry.example.org/work:1",
      batch: { parallel_tasks: 2, timeout: "2h" },
      resources: { cpu: "1", memory: "1Gi", gpu: { count: 1 } },
    },
  },
});

test("F-001, F-139, F-140, F-141: a submission is answered with id, pending, estimates as text and as figures", async () => {
  const { call } = await start();
  const { status, body } = await call("POST", "/intents", wish("web", 2));
  expect(status).toBe(202);
  expect(body).toMatchObject({
    intent_id: expect.stringMatching(/^int-/),
    status: "pending",
    message: "Intent received and processing",
    estimated_cost: "4.00 EUR/hour",
    estimated_start_time: "2026-03-01T00:00:00Z",
    cost: { amount: 4, currency: "EUR", period: "hour" },
    warnings: [],
  });
});

test("F-002, F-007: the list holds the caller's own intents, ended ones too, by status, time and page", async () => {
  const { service, call } = await start();
  for (const name of ["a", "b", "c"]) {
    await call("POST", "/intents", wish(name, 1));
    service.time.pass(60_000);
  }
  const names = async (query: string): Promise<string[]> =>
    ((await call("GET", `/intents${query}`)).body["intents"] as Loose[]).map(({ name }) => name);
  expect(await names("")).toEqual(["c", "b", "a"]);
  expect(await names("?since=2026-03-01T00:00:30Z&until=2026-03-01T00:01:30Z")).toEqual(["b"]);
  const first = (await call("GET", "/intents?limit=2")).body;
  expect(first["next_cursor"]).not.toBeNull();
  expect(await names(`?limit=2&cursor=${first["next_cursor"]}`)).toEqual(["a"]);
  const [last] = first["intents"] as Loose[];
  await call("DELETE", `/intents/${last.intent_id}`);
  await service.run(1000);
  expect(await names("?status=cancelled")).toEqual(["c"]);
  const stranger = await service.token(["intents:read"], "stranger");
  expect((await service.request(stranger, "GET", "/intents")).body["intents"]).toEqual([]);
  expect((await call("GET", "/intents?compat=flare")).body["tokens"]).toHaveLength(3);
});

test("F-003, F-004, F-015, F-142: the status is found under both paths, with and without the base path", async () => {
  const { call, id } = await running();
  const paths = [
    `/intents/${id}`,
    `/intents/${id}/status`,
    `/api/v1/intents/${id}`,
    `/api/v1/intents/${id}/status`,
  ];
  for (const path of paths)
    expect((await call("GET", path)).body).toMatchObject({
      intent_id: id,
      status: "running",
      phase: "running",
    });
  const { body } = await call("GET", `/intents/${id}`);
  for (const member of ["workload_url", "current_cost", "runtime", "gpu_utilization", "message"])
    expect(body).toHaveProperty(member);
});

test("F-005, F-153: a cancellation is accepted with 202, ends the intent and releases what it held", async () => {
  const { service, call, id } = await running();
  expect((await call("DELETE", `/intents/${id}`)).status).toBe(202);
  await service.run(1000);
  expect((await call("GET", `/intents/${id}`)).body).toMatchObject({ status: "cancelled", allocation: [] });
  expect(await service.env.federation.observe()).toEqual([]);
});

test("F-006, F-283: constraints and priority of an intent can be changed, and its history tells", async () => {
  const { call, id } = await running();
  const patch = { intent: { priority: "high", constraints: { max_hourly_cost: "8 EUR" } } };
  expect((await call("PATCH", `/intents/${id}`, patch)).status).toBe(200);
  const { body } = await call("GET", `/intents/${id}`);
  expect(body).toMatchObject({
    priority: 700,
    intent: { intent: { constraints: { max_hourly_cost: "8 EUR" } } },
  });
  const events = (await call("GET", `/intents/${id}/events`, undefined, { accept: "application/json" })).body;
  expect((events["events"] as Loose[]).length).toBeGreaterThan(6);
});

test("F-008, F-152: resources are listed by model, count, memory of one GPU, place, provider and price", async () => {
  const { call } = await start();
  const { body } = await call("GET", "/resources");
  expect(body["available_gpus"]).toMatchObject([
    {
      model: "nvidia-a100",
      count: 4,
      memory: "40Gi",
      location: "eu-central-1",
      cost_per_hour: "2.00 EUR",
      provider: "alpha",
    },
    {
      model: "nvidia-h100",
      count: 8,
      memory: "80Gi",
      location: "eu-west-1",
      cost_per_hour: "20.00 EUR",
      provider: "beta",
    },
  ]);
});

test("F-009: capacity can be reserved for later, and use is reported", async () => {
  const { call } = await running();
  const reservation = {
    offer: "one-by-one",
    gpus: 1,
    start: "2026-05-01T00:00:00Z",
    end: "2026-05-02T00:00:00Z",
  };
  expect((await call("POST", "/resources/reservations", reservation)).status).toBe(201);
  expect((await call("GET", "/resources/reservations")).body["reservations"]).toMatchObject([reservation]);
  const { body } = await call("GET", "/resources/utilization");
  expect(body["by_provider"]).toMatchObject([
    { name: "alpha", gpus: 4, free: 2, utilization: 0.5 },
    { name: "beta" },
  ]);
});

test("F-010, F-174, F-175: a token is made with name, life and permissions, its text shown once", async () => {
  const { call, service } = await start();
  const wanted = { name: "ci", expires_in: "30d", permissions: ["intents:read"] };
  const { status, body } = await call("POST", "/auth/tokens", wanted);
  expect(status).toBe(201);
  expect(body).toMatchObject({
    token_id: expect.stringMatching(/./),
    token: expect.stringMatching(/^flr_/),
    name: "ci",
    created_at: "2026-03-01T00:00:00Z",
    expires_at: "2026-03-31T00:00:00Z",
    permissions: ["intents:read"],
  });
  const text = String(body["token"]);
  expect((await service.request(text, "GET", "/intents")).status).toBe(200);
  expect((await service.request(text, "POST", "/intents", wish("web", 1))).status).toBe(403);
  expect((await call("POST", "/auth/tokens", { name: "plain" })).body).toMatchObject({
    expires_at: "2026-05-30T00:00:00Z",
    permissions: ["intents:read", "intents:write"],
  });
});

test("F-011, F-176: tokens are listed with seven members and without their secrets", async () => {
  const { call } = await start();
  await call("POST", "/auth/tokens", { name: "ci" });
  const { body, text } = await call("GET", "/auth/tokens");
  const ci = (body["tokens"] as Loose[]).find(({ name }) => name === "ci");
  for (const member of ["token_id", "name", "created_at", "expires_at", "last_used", "permissions", "status"])
    expect(ci).toHaveProperty(member);
  expect(ci.status).toBe("active");
  expect(text).not.toContain("flr_");
});

test("F-012, F-166, F-177: a revoked token is answered as revoked, with its id and time", async () => {
  const { call, service } = await start();
  const { body } = await call("POST", "/auth/tokens", { name: "ci" });
  expect((await call("DELETE", `/auth/tokens/${body["token_id"]}`)).body).toMatchObject({
    message: "Token revoked successfully",
    token_id: body["token_id"],
    revoked_at: "2026-03-01T00:00:00Z",
  });
  expect((await service.request(String(body["token"]), "GET", "/intents")).body).toMatchObject({
    status: 401,
    error_code: "TOKEN_REVOKED",
  });
});

test("F-013, F-178: a caller is told who they are and until when", async () => {
  const { call } = await start();
  expect((await call("GET", "/auth/verify")).body).toMatchObject({
    status: "authenticated",
    user: "test",
    permissions: everything,
    expires_at: "2026-03-02T00:00:00Z",
  });
});

test("F-014, F-021: health is open; what is not ready, not JSON, without a token or nowhere is answered as such", async () => {
  const { service, call } = await start();
  expect((await service.request(null, "GET", "/health")).status).toBe(200);
  expect((await call("POST", "/intents", wish("web", 1))).status).toBe(202);
  expect((await call("POST", "/intents", "{not json")).status).toBe(400);
  expect((await service.request(null, "GET", "/intents")).status).toBe(401);
  expect((await call("GET", "/nowhere")).status).toBe(404);
  const starting = createApp({ ...service, notReady: () => "the store opens" });
  const answer = await starting.request("/readyz");
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
});

test("F-016, F-018: a body is JSON and declared so, and what it lacks is named", async () => {
  const { call } = await start();
  const undeclared = await call("POST", "/intents", JSON.stringify(wish("web", 1)), {
    "content-type": "text/plain",
  });
  expect(undeclared.status).toBe(415);
  const empty = await call("POST", "/intents", {});
  expect(empty.status).toBe(400);
  expect((await call("GET", "/intents")).status).toBe(200);
});

test("F-017, F-164, F-167: every route wants a bearer token; B-14: odd credentials are refused, whatever they look like", async () => {
  const { service } = await start();
  const refused = async (authorization: string): Promise<unknown> =>
    (await service.request(null, "GET", "/intents", undefined, { authorization })).body["error_code"];
  for (const odd of [
    "Bearer x",
    "Bearer flr_a_b_c",
    "Basic system:x",
    "system",
    "Bearer system:serviceaccount",
    "Bearer :",
  ])
    expect([odd, await refused(odd)]).toEqual([odd, "INVALID_TOKEN"]);
  const none = await service.request(null, "GET", "/intents");
  expect(none.body).toMatchObject({ status: 401, error_code: "AUTHENTICATION_FAILED" });
  expect(none.headers.get("www-authenticate")).toContain("Bearer");
});

test("F-020: the service listens on port 8080 unless told otherwise", () => {
  const serve = createProgram(() => undefined).commands.find((command) => command.name() === "serve");
  expect(serve?.opts()).toMatchObject({ port: "8080", host: "127.0.0.1" });
});

test("F-143: the cost so far is the price that is really paid times the time it was paid", async () => {
  const { service, call, id } = await running();
  const costAt = async (): Promise<number> =>
    Number.parseFloat(String((await call("GET", `/intents/${id}`)).body["current_cost"]));
  const before = await costAt();
  service.time.pass(2 * 3_600_000);
  expect((await costAt()) - before).toBeCloseTo(8, 6);
});

test("F-144, F-146: the workload's address is there once it runs, under both names", async () => {
  const { call, service } = await start();
  const { body } = await call("POST", "/intents", wish("web", 1));
  const shown = async () => (await call("GET", `/intents/${body["intent_id"]}`)).body;
  expect(await shown()).toMatchObject({ workload_url: null, service_url: null });
  await service.run(3000);
  const { workload_url: url, service_url: other } = await shown();
  expect(url).toMatch(/^https?:\/\//);
  expect(other).toBe(url);
});

test("F-145, F-147, F-148, F-149: the status tells provider, GPUs, place and price of every part, and the tenant's cost", async () => {
  const { call, id } = await running();
  expect((await call("GET", `/intents/${id}`)).body).toMatchObject({
    allocation: [
      { offer: "one-by-one", provider: "alpha", region: "eu-central-1", gpus: 2, cost: { amount: 4 } },
    ],
    deployments: [{ region: "eu-central-1", provider: "alpha", workload_url: expect.stringMatching(/./) }],
    tenant_metrics: { tenant_id: "default", cost_per_hour: "4.00 EUR/hour" },
    cost: { text: "4.00 EUR/hour", amount: 4, currency: "EUR", period: "hour" },
  });
});

test("F-150: the status of a batch counts its tasks and what they cost", async () => {
  const { call, service } = await start();
  const { body } = await call("POST", "/intents", batchWish("render"));
  await service.run(3000);
  expect((await call("GET", `/intents/${body["intent_id"]}`)).body["batch_metrics"]).toMatchObject({
    tasks_completed: 0,
    tasks_remaining: 2,
    cost_per_hour: "4.00 EUR/hour",
  });
});

test("F-151: a service that runs is running, however long", async () => {
  const { service, call, id } = await running();
  await service.run(80_000_000, 3);
  expect((await call("GET", `/intents/${id}`)).body["status"]).toBe("running");
});

test("F-271: an intent goes from submission through reservation, contract, peering and deployment to its address", async () => {
  const { call, id } = await running();
  const { body } = await call("GET", `/intents/${id}/events`, undefined, { accept: "application/json" });
  const phases = (body["events"] as Loose[]).map(({ kind }) => String(kind).replace("intent.", ""));
  expect(phases.filter((phase) => phase !== "decided")).toEqual(
    expect.arrayContaining([
      "queued",
      "placing",
      "reserved",
      "contracted",
      "peering",
      "deploying",
      "running",
    ]),
  );
  expect((await call("GET", `/intents/${id}`)).body["service_url"]).toMatch(/./);
});

test("F-277: what waits for room starts when there is some, and an event tells", async () => {
  const { service, call, id } = await running();
  const second = await call("POST", "/intents", wish("second", 4, { constraints: { providers: ["alpha"] } }));
  await service.run(2000);
  const path = `/intents/${second.body["intent_id"]}`;
  expect((await call("GET", path)).body["phase"]).toBe("waiting");
  await call("DELETE", `/intents/${id}`);
  await service.run(5000);
  expect((await call("GET", path)).body["phase"]).toBe("running");
  const { body } = await call("GET", `${path}/events`, undefined, { accept: "application/json" });
  const kinds = (body["events"] as Loose[]).map(({ kind }) => String(kind));
  expect(kinds.at(-1)).toContain("running");
  expect(kinds.some((kind) => kind.includes("waiting"))).toBe(true);
});

test("F-282, F-284: when a provider fails, its work runs on elsewhere, and nobody else's is touched", async () => {
  const offer = (id: string, provider: string, rate: string): object => ({
    id,
    provider,
    region: "eu-west-1",
    gpus: 2,
    traits: { gpu: { model: "nvidia-l4" }, cost: { hourly_rate: rate, basis: "gpu" } },
    capacity: { cpu: "64", memory: "512Gi", pods: 110 },
  });
  const snapshot = readSnapshot({
    at: "2026-03-01T00:00:00Z",
    offers: [offer("a", "alpha", "1"), offer("b", "beta", "2"), offer("c", "gamma", "3")],
  });
  const { service, call } = await start({
    snapshot,
    scenario: { events: [{ kind: "outage", at_ms: 10_000, provider: "alpha", until_ms: 1_000_000 }] },
  });
  const submit = async (name: string): Promise<string> =>
    `/intents/${(await call("POST", "/intents", wish(name, 2))).body["intent_id"]}`;
  const first = await submit("first");
  const second = await submit("second");
  await service.run(9000);
  const at = async (path: string) => {
    const { phase, allocation } = (await call("GET", path)).body as Loose;
    return `${phase} ${allocation.map((one: Loose) => one.provider)}`;
  };
  expect([await at(first), await at(second)]).toEqual(["running alpha", "running beta"]);
  const seen = async (path: string): Promise<number> =>
    (
      (await call("GET", `${path}/events`, undefined, { accept: "application/json" })).body[
        "events"
      ] as Loose[]
    ).length;
  const before = await seen(second);
  await service.run(9000);
  expect([await at(first), await at(second)]).toEqual(["running gamma", "running beta"]);
  expect(await seen(second)).toBe(before);
});
