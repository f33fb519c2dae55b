import { expect, test } from "vitest";
import { createDrivenService, wish } from "../driven-env.ts";

const window = { start: "2026-03-01T00:00:00Z", end: "2026-03-01T01:00:00Z" };

/** What creates, a body for it, another body, the member that names what was made, and where such things are listed. */
const creating = [
  {
    path: "/intents",
    body: wish("web", 1),
    other: wish("net", 1),
    id: "intent_id",
    list: "/intents",
    key: "intents",
  },
  {
    path: "/resources/reservations",
    body: { offer: "one-by-one", gpus: 1, ...window },
    other: { offer: "one-by-one", gpus: 2, ...window },
    id: "reservation_id",
    list: "/resources/reservations",
    key: "reservations",
  },
  {
    path: "/auth/tokens",
    body: { name: "robot" },
    other: { name: "other" },
    id: "token_id",
    list: "/auth/tokens",
    key: "tokens",
  },
  {
    path: "/admin/tenants",
    body: { tenant: "acme" },
    other: { tenant: "other" },
    id: "tenant",
    list: "/admin/tenants",
    key: "tenants",
  },
] as const;

test.for(creating)("$path with one key, sent many times at once, creates one thing", async (route) => {
  const service = await createDrivenService();
  const admin = await service.token(["admin:*"]);
  const count = async (): Promise<number> =>
    ((await service.request(admin, "GET", route.list)).body[route.key] as unknown[]).length;
  const before = await count();
  const send = (body: object, key = "k-1") =>
    service.request(admin, "POST", route.path, body, { "idempotency-key": key });
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(route.body)));
  expect(new Set(answers.map(({ body }) => body[route.id])).size).toBe(1);
  expect(new Set(answers.map(({ status }) => status)).size).toBe(1);
  expect(answers.filter(({ headers }) => headers.get("idempotency-replayed") === "true")).toHaveLength(19);
  expect((await count()) - before).toBe(1);
  expect(await send(route.other)).toMatchObject({
    status: 422,
    body: { error_code: "IDEMPOTENCY_MISMATCH" },
  });
  expect(await send(route.body, "with spaces")).toMatchObject({ status: 400 });
  expect((await count()) - before).toBe(1);
  expect((await send(route.other, "k-2")).status).toBe(answers[0]!.status);
  expect((await count()) - before).toBe(2);
});

test("what was answered under a key stays answered when it would be refused by now", async () => {
  const service = await createDrivenService();
  const admin = await service.token(["admin:*"]);
  const key = { "idempotency-key": "late" };
  const body = { offer: "one-by-one", gpus: 4, ...window };
  const reserve = () => service.request(admin, "POST", "/resources/reservations", body, key);
  const first = await reserve();
  expect(first.status).toBe(201);
  // the window is over
  service.time.pass(2 * 3_600_000);
  expect(await reserve()).toMatchObject({ status: 201, body: first.body });
  const other = { ...body, gpus: 3 };
  expect((await service.request(admin, "POST", "/resources/reservations", other, key)).status).toBe(422);

  const make = (headers = {}) => service.request(admin, "POST", "/auth/tokens", { name: "robot" }, headers);
  const robot = await make(key);
  // as many as a tenant may have
  await Promise.all(Array.from({ length: 500 }, () => service.token(["intents:read"])));
  expect((await make()).status).toBe(429);
  const again = await make(key);
  expect([again.status, again.body["token_id"]]).toEqual([201, robot.body["token_id"]]);
});

test("a key is one of its tenant and its route", async () => {
  const service = await createDrivenService();
  const [one, two] = [await service.token(["admin:*"], "one"), await service.token(["admin:*"], "two")];
  const key = { "idempotency-key": "same" };
  const ids = new Set<unknown>();
  for (const token of [one, two])
    ids.add((await service.request(token, "POST", "/auth/tokens", { name: "robot" }, key)).body["token_id"]);
  expect(ids.size).toBe(2);
  expect((await service.request(one, "POST", "/admin/tenants", { tenant: "acme" }, key)).status).toBe(201);
});

test("a token that is asked for again is not shown again, and its text is nowhere in the store", async () => {
  const service = await createDrivenService();
  const admin = await service.token(["admin:*"]);
  const key = { "idempotency-key": "token" };
  const send = () => service.request(admin, "POST", "/auth/tokens", { name: "robot" }, key);
  const first = await send();
  const again = await send();
  const text = String(first.body["token"]);
  expect(text).toMatch(/^flr_/);
  expect(again.body["token"]).toBeUndefined();
  expect(again.body["token_id"]).toBe(first.body["token_id"]);
  const kept = await service.env.store
    .forTenant((await service.env.store.system.tenants())[0]!.id)
    .keptAnswer({ key: "POST /auth/tokens token", atMs: service.time.wallMs() });
  expect(kept?.response).toContain(String(first.body["token_id"]));
  expect(kept?.response).not.toContain(text.split("_")[2]);
});

test("what was refused under a key may be tried again under it", async () => {
  const service = await createDrivenService();
  const admin = await service.token(["admin:*"]);
  const key = { "idempotency-key": "again" };
  const body = { offer: "one-by-one", gpus: 4, ...window };
  const first = await service.request(admin, "POST", "/resources/reservations", body);
  const refused = await service.request(admin, "POST", "/resources/reservations", body, key);
  expect(refused.status).toBe(409);
  await service.request(admin, "DELETE", `/resources/reservations/${String(first.body["reservation_id"])}`);
  const second = await service.request(admin, "POST", "/resources/reservations", body, key);
  expect([second.status, second.headers.get("idempotency-replayed")]).toEqual([201, null]);
  const path = `/resources/reservations/${String(second.body["reservation_id"])}`;
  expect((await service.request(admin, "GET", path)).body).toMatchObject({ status: "active" });
});
