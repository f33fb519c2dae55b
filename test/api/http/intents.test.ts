import { expect, test } from "vitest";
import { AdapterError } from "../../../adapters/port.ts";
import { createPlanRunner, PlannerBusy } from "../../../api/control/plan-job.ts";
import { openLocalStore } from "../../../api/store/sqlite-store.ts";
import type { Store } from "../../../api/store/store.ts";
import { createDrivenService, type DrivenService, wish } from "../driven-env.ts";

async function started(options: Parameters<typeof createDrivenService>[0] = {}) {
  const service = await createDrivenService(options);
  const token = await service.token(["intents:read", "intents:write", "intents:delete"]);
  const ask = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    service.request(token, method, path, body, headers);
  return { service, ask };
}

const phaseOf = async (service: DrivenService, id: string): Promise<string> =>
  (await service.env.store.system.intentById(id))!.intent.phase;

test("a submission says what it will cost and when it starts", async () => {
  const { ask } = await started();
  const { status, body, headers } = await ask("POST", "/intents", wish("web", 2));
  expect(status).toBe(202);
  expect(body).toMatchObject({
    status: "pending",
    phase: "queued",
    message: "Intent received and processing",
    estimated_cost: "4.00 EUR/hour",
    estimated_start_time: "2026-03-01T00:00:00Z",
    cost: { amount: 4, currency: "EUR", period: "hour" },
  });
  expect(headers.get("location")).toBe(`/api/v1/intents/${String(body["intent_id"])}`);
});

/** Changes an intent as the control loop would. */
async function touch(store: Store, id: string, change: object = {}): Promise<void> {
  const { intent } = (await store.system.intentById(id))!;
  const { epoch } = await store.system.lease();
  const act = { actor: "control", atMs: 0, requestId: "r" };
  await store.system.changeIntent({ ...act, id, version: intent.version, epoch, ...change });
}

test("a cancellation that allows several versions is done whichever of them it meets", async () => {
  const inner = await openLocalStore();
  let changes = 2;
  // the control loop is faster than the caller, twice
  const store: Store = {
    ...inner,
    forTenant: (tenant) => ({
      ...inner.forTenant(tenant),
      async cancelIntent(input) {
        if (changes-- > 0) await touch(inner, input.id);
        return inner.forTenant(tenant).cancelIntent(input);
      },
    }),
  };
  const { ask } = await started({ store });
  const submit = async (name: string) =>
    `/intents/${String((await ask("POST", "/intents", wish(name, 1))).body["intent_id"])}`;
  const path = await submit("web");
  const cancel = (of: string, tags: string) => ask("DELETE", of, undefined, { "if-match": tags });
  expect((await cancel(path, '"1", "2", "3"')).body).toMatchObject({ phase: "cancelled" });
  const other = await submit("other");
  changes = 1;
  expect((await cancel(other, '"1", "3"')).status).toBe(412);
  expect((await ask("GET", other)).body).toMatchObject({ phase: "queued" });
});

test("the decision of a plan is found however many came after it", async () => {
  const { service, ask } = await started();
  const id = String((await ask("POST", "/intents", wish("web", 1))).body["intent_id"]);
  for (let plan = 0; plan < 120; plan++)
    await touch(service.env.store, id, {
      decision: {
        plan_id: `plan-${plan}`,
        at_ms: plan,
        outcome: "waiting",
        reason: "QUEUED",
        document: "{}",
      },
    });
  const of = (plan: string) => ask("GET", `/intents/${id}/decision?plan=${plan}`);
  expect((await of("plan-3")).body).toMatchObject({ plan_id: "plan-3" });
  expect((await of("plan-120")).status).toBe(404);
});

test("where too much is being tried out, a new kind of intent is a 503, and a known one is not", async () => {
  let isBusy = false;
  const trials = {
    ...createPlanRunner(),
    admit() {
      if (isBusy) throw new PlannerBusy("busy");
    },
  };
  const { ask } = await started({ trials });
  expect((await ask("POST", "/intents", wish("first", 1))).status).toBe(202);
  isBusy = true;
  expect((await ask("POST", "/intents", wish("second", 1))).status).toBe(202);
  const refused = await ask("POST", "/intents", wish("third", 2));
  expect(refused).toMatchObject({ status: 503, body: { error_code: "OVERLOADED" } });
  expect(refused.headers.get("retry-after")).toBe("2");
  isBusy = false;
  expect((await ask("POST", "/intents", wish("third", 2))).status).toBe(202);
});

test("a federation that does not answer is a 503 that says when to come again", async () => {
  const catalog = () => Promise.reject(new AdapterError("timeout", "no answer"));
  const { ask } = await started({ wrap: (federation) => ({ ...federation, catalog }) });
  const { status, body, headers } = await ask("POST", "/intents?dry_run=true", wish("web", 2));
  expect([status, body["error_code"], headers.get("retry-after")]).toEqual([503, "NOT_READY", "5"]);
});

test("a dry run decides, explains and stores nothing", async () => {
  const { ask } = await started();
  const { status, body } = await ask(
    "POST",
    "/intents?dry_run=true&tradeoffs=true&plan_b=true",
    wish("web", 2),
  );
  expect(status).toBe(200);
  expect(body).toMatchObject({
    intent_id: null,
    decision: {
      outcome: "placed",
      name: "web",
      placements: [{ offer: "one-by-one" }],
      plan_b: [{ provider: "alpha", outcome: "placed", placements: [{ offer: "whole-node" }] }],
    },
  });
  expect((await ask("GET", "/intents")).body["intents"]).toEqual([]);
});

test("what can never be placed is refused with ways out that work", async () => {
  const { ask } = await started();
  const hopeless = (more: object) =>
    wish("web", 1, { constraints: { providers: ["alpha"], max_hourly_cost: "1 EUR", ...more } });
  const refused = await ask("POST", "/intents", hopeless({}));
  expect(refused.status).toBe(402);
  expect(refused.body).toMatchObject({ error_code: "COST_LIMIT_EXCEEDED", status: 402 });
  const [first] = refused.body["suggestions"] as { alternative: string; cost_difference: string }[];
  expect(first).toMatchObject({ cost_difference: expect.stringContaining("+100%") as unknown });
  expect(first!.alternative).toContain("max_hourly_cost: 1");
  expect((await ask("GET", "/intents")).body["intents"]).toEqual([]);
  // the suggestion, taken
  expect((await ask("POST", "/intents", hopeless({ max_hourly_cost: "2 EUR" }))).status).toBe(202);
  const { status, body } = await ask("POST", "/intents", wish("huge", 999));
  expect([status, body["error_code"]]).toEqual([409, "GPU_COUNT_INSUFFICIENT"]);
});

test("what is only busy is accepted and waits, unless it is to be refused then", async () => {
  const { service, ask } = await started();
  const busy = { constraints: { providers: ["alpha"] } };
  await ask("POST", "/intents", wish("first", 4, busy));
  await service.run(3000);
  expect((await ask("POST", "/intents", wish("second", 4, busy))).status).toBe(202);
  const impatient = { constraints: { providers: ["alpha"], negotiation: { fallback_strategy: "reject" } } };
  expect((await ask("POST", "/intents", wish("third", 4, impatient))).status).toBe(409);
});

test("who will not wait is not answered by what was free a moment ago", async () => {
  const { service, ask } = await started();
  const impatient = { constraints: { providers: ["alpha"], negotiation: { fallback_strategy: "reject" } } };
  expect((await ask("POST", "/intents", wish("first", 4, impatient))).status).toBe(202);
  await service.run(3000);
  expect((await ask("POST", "/intents", wish("second", 4, impatient))).status).toBe(409);
});

test("an idempotency key is one intent and one answer, even when the federation has no room by now", async () => {
  const { service, ask } = await started();
  const impatient = { constraints: { providers: ["alpha"], negotiation: { fallback_strategy: "reject" } } };
  const key = { "idempotency-key": "once" };
  const first = await ask("POST", "/intents", wish("web", 4, impatient), key);
  await service.run(3000);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => ask("POST", "/intents", wish("web", 4, impatient), key)),
  );
  for (const answer of answers) {
    expect(answer.text).toBe(first.text);
    expect(answer.headers.get("idempotency-replayed")).toBe("true");
  }
  expect((await ask("POST", "/intents", wish("web", 3), key)).body).toMatchObject({
    error_code: "IDEMPOTENCY_MISMATCH",
  });
  expect((await ask("POST", "/intents", wish("other", 1), { "idempotency-key": "\u0001" })).status).toBe(400);
  expect((await ask("GET", "/intents")).body["intents"]).toHaveLength(1);
});

test("a thousand requests with one key at once are one intent", async () => {
  const { ask } = await started();
  const answers = await Promise.all(
    Array.from({ length: 1000 }, () => ask("POST", "/intents", wish("web", 1), { "idempotency-key": "k" })),
  );
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect((await ask("GET", "/intents")).body["intents"]).toHaveLength(1);
});

test("a name that is taken answers with the intent that has it", async () => {
  const { ask } = await started();
  const { body } = await ask("POST", "/intents", wish("web", 1));
  const again = await ask("POST", "/intents", wish("web", 1));
  expect([again.status, again.body["intent_id"]]).toEqual([409, body["intent_id"]]);
});

test("lists are read page by page, filtered, and their cursors are good for one tenant and one list", async () => {
  const { service, ask } = await started();
  for (let index = 0; index < 5; index++) await ask("POST", "/intents", wish(`web-${index}`, 1));
  const names: string[] = [];
  let cursor = "";
  for (;;) {
    const { body } = await ask("GET", `/intents?limit=2${cursor && `&cursor=${cursor}`}`);
    names.push(...(body["intents"] as { name: string }[]).map(({ name }) => name));
    if (body["next_cursor"] === null) break;
    cursor = String(body["next_cursor"]);
  }
  expect(names).toEqual(["web-4", "web-3", "web-2", "web-1", "web-0"]);
  const other = await service.token(["intents:read", "audit:read"], "other");
  const flipped = `${cursor.startsWith("A") ? "B" : "A"}${cursor.slice(1)}`;
  expect((await service.request(other, "GET", `/intents?cursor=${cursor}`)).status).toBe(400);
  expect((await ask("GET", `/intents?cursor=${flipped}`)).status).toBe(400);
  const auditor = await service.token(["audit:read"]);
  expect((await service.request(auditor, "GET", `/audit?cursor=${cursor}`)).status).toBe(400);
  const count = async (query: string) =>
    ((await ask("GET", `/intents?${query}`)).body["intents"] as unknown[]).length;
  expect(await count("status=pending&phase=queued,waiting")).toBe(5);
  expect(await count("status=running")).toBe(0);
  expect(await count("name=web-3")).toBe(1);
  expect(await count("until=2026-03-01T00:00:00Z")).toBe(0);
  expect(await count("since=2026-03-01T01:00:00%2B01:00")).toBe(5);
  expect((await ask("GET", "/intents?compat=flare")).body["tokens"]).toHaveLength(5);
});

test("a filter that is unknown, unreadable or given twice is an error, never dropped", async () => {
  const { ask } = await started();
  for (const query of [
    "state=running",
    "status=done",
    "limit=0",
    "limit=1e2",
    "since=yesterday",
    "limit=1&limit=2",
  ])
    expect((await ask("GET", `/intents?${query}`)).body, query).toMatchObject({
      status: 400,
      error_code: "INVALID_FORMAT",
    });
  const { body } = await ask("GET", "/intents?state=running");
  expect(body["errors"]).toMatchObject([{ path: "query.state", code: "unknown_field" }]);
});

test("a change goes through only for the version that was read", async () => {
  const { service, ask } = await started();
  const { body } = await ask("POST", "/intents", wish("web", 1));
  const path = `/intents/${String(body["intent_id"])}`;
  const { headers } = await ask("GET", path);
  const tag = headers.get("etag")!;
  await service.run(3000);
  const late = await ask("PATCH", path, { intent: { priority: 900 } }, { "if-match": tag });
  expect(late.body).toMatchObject({ status: 412, error_code: "PRECONDITION_FAILED" });
  expect((await ask("DELETE", path, undefined, { "if-match": tag })).status).toBe(412);
  expect((await ask("DELETE", path, undefined, { "if-match": "7" })).status).toBe(400);
  const now = (await ask("GET", path)).headers.get("etag")!;
  expect((await ask("DELETE", path, undefined, { "if-match": now })).status).toBe(202);
});

test("a higher rank takes effect in place, a tighter constraint places anew", async () => {
  const { service, ask } = await started();
  const { body } = await ask("POST", "/intents", wish("web", 1));
  const id = String(body["intent_id"]);
  await service.run(3000);
  const ranked = await ask("PATCH", `/intents/${id}`, { priority: "high" });
  expect(ranked.body).toMatchObject({ phase: "running", priority: 700 });
  // the document says max_hourly_cost, the patch one of its other names
  const moved = await ask("PATCH", `/intents/${id}`, {
    intent: { constraints: { providers: ["beta"], max_hourly_rate: "30 EUR" } },
  });
  expect([moved.status, await phaseOf(service, id)]).toEqual([200, "releasing"]);
  await service.run(5000);
  const after = await ask("GET", `/intents/${id}`);
  expect(after.body).toMatchObject({
    phase: "running",
    generation: 3,
    priority: 700,
    allocation: [{ provider: "beta" }],
  });
  expect(after.body["intent"]).toMatchObject({ intent: { constraints: { max_hourly_cost: "30 EUR" } } });
  // null takes a constraint away
  await ask("PATCH", `/intents/${id}`, { intent: { constraints: { providers: null } } });
  await service.run(5000);
  expect((await ask("GET", `/intents/${id}`)).body).toMatchObject({
    phase: "running",
    allocation: [{ provider: "alpha" }],
  });
});

test("a patch that changes nothing raises no version and tells nobody", async () => {
  const { service, ask } = await started();
  const { body } = await ask("POST", "/intents", wish("web", 1));
  const path = `/intents/${String(body["intent_id"])}`;
  await service.run(3000);
  const before = await ask("GET", path);
  const seq = async () => (await service.env.store.system.heads()).events?.seq;
  const told = await seq();
  for (const patch of [{}, { intent: {} }]) {
    const answer = await ask("PATCH", path, patch);
    expect([answer.status, answer.headers.get("etag")]).toEqual([200, before.headers.get("etag")]);
  }
  expect([await seq(), (await ask("GET", path)).body]).toEqual([told, before.body]);
});

test("a patch changes only what may change, and never into what can never be", async () => {
  const { service, ask } = await started();
  const { body } = await ask("POST", "/intents", wish("web", 1));
  const path = `/intents/${String(body["intent_id"])}`;
  const renamed = await ask("PATCH", path, { intent: { workload: { name: "other" }, tenant: "them" } });
  expect(renamed.status).toBe(400);
  expect((renamed.body["errors"] as { path: string }[]).map((one) => one.path)).toEqual([
    "intent.workload.name",
    "intent.tenant",
  ]);
  expect((await ask("PATCH", path, { constraints: { max_hourly_cost: "0.01 EUR" } })).status).toBe(402);
  expect((await ask("PATCH", path, { constraints: { max_hourly_cost: "cheap" } })).body).toMatchObject({
    errors: [{ path: "intent.constraints.max_hourly_cost" }],
  });
  await ask("DELETE", path);
  await service.run(100);
  expect((await ask("PATCH", path, { priority: 1 })).status).toBe(409);
});

test("lenient by default, strict on request", async () => {
  const { ask } = await started();
  const odd = wish("web", 1, { colour: "blue" });
  expect((await ask("POST", "/intents", odd)).body["warnings"]).toMatchObject([{ code: "unknown_field" }]);
  const strict = await ask("POST", "/intents?strict=true", odd);
  expect(strict.body).toMatchObject({ status: 400, errors: [{ path: "intent.colour" }] });
});

test("the decision is there with its history, and administrators get what it was made of", async () => {
  const { service, ask } = await started();
  const { body } = await ask("POST", "/intents", wish("web", 1));
  const id = String(body["intent_id"]);
  expect((await ask("GET", `/intents/${id}/decision`)).status).toBe(404);
  await service.run(3000);
  expect((await ask("GET", `/intents/${id}/decision`)).body).toMatchObject({
    outcome: "placed",
    name: "web",
    intent_id: id,
  });
  expect((await ask("GET", `/intents/${id}/decisions`)).body["decisions"]).toHaveLength(1);
  const admin = await service.token(["admin:*"]);
  const replay = await service.request(admin, "GET", `/intents/${id}/replay`);
  expect(replay.body).toMatchObject({
    intents: [{ name: id }],
    snapshot: { offers: [{ id: "one-by-one" }, {}] },
  });
});

test("a simulation of many intents sees them compete and stores nothing", async () => {
  const { ask } = await started();
  const only = { constraints: { providers: ["alpha"] } };
  const { status, body } = await ask("POST", "/simulate", {
    intents: [wish("a", 3, only), wish("b", 3, only)],
  });
  expect(status).toBe(200);
  expect(body).toMatchObject({ placed: 1 });
  expect((body["decisions"] as { outcome: string }[]).map(({ outcome }) => outcome).sort()).toEqual([
    "placed",
    "waiting",
  ]);
  const posted = {
    version: "mine",
    at: "2026-03-01T00:00:00Z",
    offers: [
      {
        id: "mine",
        provider: "me",
        region: "eu-west-1",
        gpus: 8,
        capacity: { cpu: "64", memory: "512Gi", pods: 110 },
        traits: { gpu: { model: "nvidia-a100" }, cost: { hourly_rate: "1 EUR", basis: "gpu" } },
      },
    ],
  };
  const elsewhere = await ask("POST", "/simulate", {
    intents: [wish("a", 3), wish("b", 3)],
    snapshot: posted,
  });
  expect(elsewhere.body).toMatchObject({ placed: 2, snapshot: { version: "mine", offers: 1 } });
  expect((await ask("GET", "/intents")).body["intents"]).toEqual([]);
});

test("labels find intents again, survive a change, and are words and nothing else", async () => {
  const { ask } = await started();
  const labelled = (name: string, labels: object) => ({ ...wish(name, 1), labels });
  const first = await ask("POST", "/intents?strict=true", labelled("a", { team: "ml", stage: "" }));
  expect([first.status, first.body["warnings"]]).toEqual([202, []]);
  await ask("POST", "/intents", labelled("b", { team: "web" }));
  const named = async (query: string): Promise<unknown> =>
    ((await ask("GET", `/intents?label=${query}`)).body["intents"] as { name: string }[]).map(
      ({ name }) => name,
    );
  expect(await named("team=ml")).toEqual(["a"]);
  expect(await named("team%3Dweb")).toEqual(["b"]);
  expect(await named("stage=")).toEqual(["a"]);
  expect(await named("team=ops")).toEqual([]);
  expect((await ask("GET", "/intents?label=team")).status).toBe(400);
  const path = `/intents/${String(first.body["intent_id"])}`;
  expect((await ask("PATCH", path, { priority: "high" })).status).toBe(200);
  expect((await ask("GET", path)).body).toMatchObject({ labels: { team: "ml", stage: "" }, priority: 700 });
  for (const labels of [{ "a b": "c" }, { a: 5 }, { a: "x y" }, [], { a: null }])
    expect((await ask("POST", "/intents", labelled("c", labels))).status, JSON.stringify(labels)).toBe(400);
});
