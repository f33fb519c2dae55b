import { channel } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createHookDispatcher } from "../../../api/hooks/dispatcher.ts";
import { makeSigningSecret } from "../../../api/hooks/message.ts";
import { sendOnce } from "../../../api/hooks/sender.ts";
import { createHookHttp } from "../../../api/platform/hook-http.ts";
import type { WebhookRow } from "../../../api/store/schema.ts";
import { seededBytes } from "../driven-env.ts";
import { createReceivers } from "../hooks/receivers.ts";
import { corpus } from "../platform/ssrf-corpus.ts";

const a = "https://a.example.org/hook";
const seeded = { bytes: seededBytes(5) };

test("a webhook is made, found, changed and deleted; its secret is told once", async () => {
  const world = await createReceivers();
  const token = await world.fresh();
  const { id, secret, answer } = await world.hook(a, { description: "ci", events: ["intent.running", "*"] });
  expect(answer.status).toBe(201);
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  const { secret: _, message: __, ...shown } = answer.body;
  const path = `/webhooks/${id}`;
  const found = await world.service.request(token, "GET", path);
  expect(found.body).toEqual(shown);
  expect(found.headers.get("etag")).toBe('"1"');
  const change = (body: object, headers = {}) => world.service.request(token, "PATCH", path, body, headers);
  expect((await change({ events: ["intent.failed"] }, { "if-match": '"1"' })).body).toMatchObject({
    events: ["intent.failed"],
    version: 2,
  });
  expect((await change({ description: "x" }, { "if-match": '"1"' })).status).toBe(412);
  expect((await change({ status: "disabled" })).body).toMatchObject({
    status: "disabled",
    reason: "by_request",
    description: "ci",
  });
  expect((await world.service.request(token, "DELETE", path)).status).toBe(200);
  expect((await world.service.request(token, "GET", path)).status).toBe(404);
  const audit = await world.service.request(
    await world.service.token(["audit:read"], "acme"),
    "GET",
    "/audit",
  );
  const actions = (audit.body["entries"] as { action: string }[]).map(({ action }) => action);
  expect(actions.filter((action) => action.startsWith("webhook."))).toEqual([
    "webhook.delete",
    "webhook.change status",
    "webhook.change events",
    "webhook.create",
  ]);
  expect(audit.text).not.toContain(secret);
});

test.for([
  [{}, "url"],
  [{ url: "http://a.example.org/" }, "url"],
  [{ url: a, events: [] }, "events"],
  [{ url: a, events: ["intent.ran"] }, "events[0]"],
  [{ url: a, description: "a\u0007b" }, "description"],
  [{ url: a, status: "paused" }, "status"],
  [{ url: a, secret: "whsec_mine" }, "secret"],
] as const)("%j is refused, naming %s", async ([body, path]) => {
  const world = await createReceivers();
  const answer = await world.service.request(await world.fresh(), "POST", "/webhooks", body);
  expect(answer.status).toBe(400);
  expect(answer.body["errors"]).toMatchObject([{ path }]);
});

test("sent again with its key, a webhook is shown as it was made, without its secret", async () => {
  const world = await createReceivers();
  const token = await world.fresh();
  const send = () =>
    world.service.request(token, "POST", "/webhooks", { url: a }, { "idempotency-key": "k-1" });
  const first = await send();
  const second = await send();
  const { secret, message: _, ...made } = first.body;
  expect(secret).toMatch(/^whsec_/);
  expect([second.status, second.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
  expect(second.body).toEqual({ ...made, message: "The secret was shown once, when it was created" });
});

test("a tenant has twenty webhooks at most", async () => {
  const world = await createReceivers();
  for (let made = 0; made < 20; made++) expect((await world.hook(a)).answer.status).toBe(201);
  expect((await world.hook(a)).answer.body).toMatchObject({ status: 429, error_code: "QUOTA_EXCEEDED" });
});

test("after a rotation both secrets sign until the overlap ends, then the new one alone", async () => {
  const world = await createReceivers();
  const { id, secret: old } = await world.hook(a);
  const rotated = await world.service.request(await world.fresh(), "POST", `/webhooks/${id}/rotate`, {
    overlap: "1h",
  });
  const secret = String(rotated.body["secret"]);
  expect(secret).not.toBe(old);
  const signatures = async (): Promise<string[]> => {
    const before = world.received.length;
    await world.twoEvents();
    await world.dispatcher.settle();
    return world.received[before]!.headers["webhook-signature"]!.split(" ");
  };
  const by = (key: string, at: number): string => {
    const { headers, body } = world.received[at]!;
    const seconds = Number(headers["webhook-timestamp"]);
    return new Webhook(key).sign(headers["webhook-id"]!, new Date(seconds * 1000), body);
  };
  expect(await signatures()).toEqual([by(secret, 0), by(old, 0)]);
  await world.pass(3_600_000, 3_600_000);
  expect(await signatures()).toEqual([by(secret, 2)]);
  const wrong = await world.service.request(await world.fresh(), "POST", `/webhooks/${id}/rotate`, {
    overlap: "9999h",
  });
  expect(wrong.body["errors"]).toMatchObject([{ path: "overlap" }]);
});

test("a test is sent at once, also to a disabled webhook, and is in the log", async () => {
  const world = await createReceivers();
  const { id, secret } = await world.hook(a, { status: "disabled" });
  const tryOut = async () =>
    (await world.service.request(await world.fresh(), "POST", `/webhooks/${id}/test`)).body;
  expect(await tryOut()).toMatchObject({ status: "delivered", http_status: 204, event: null });
  const { headers, body } = world.received[0]!;
  expect(JSON.parse(body)).toMatchObject({ type: "webhook.test" });
  expect(headers["webhook-signature"]).toBe(
    new Webhook(secret).sign(
      headers["webhook-id"]!,
      new Date(Number(headers["webhook-timestamp"]) * 1000),
      body,
    ),
  );
  world.behaviours[a] = () => 302;
  expect(await tryOut()).toMatchObject({
    status: "failed",
    http_status: 302,
    error: "redirects are not followed",
  });
  const listed = await world.deliveries(id);
  expect(listed.map(({ status }) => status)).toEqual(["failed", "delivered"]);
});

test("a test that arrives makes the queue of a failing webhook try at once", async () => {
  const world = await createReceivers({ [a]: () => 500 });
  const { id } = await world.hook(a);
  await world.twoEvents();
  await world.dispatcher.settle();
  world.behaviours[a] = () => 204;
  await world.service.request(await world.fresh(), "POST", `/webhooks/${id}/test`);
  await world.dispatcher.settle();
  expect(world.at(a).slice(-2)).toEqual(["evt-1 intent.queued", "evt-2 intent.cancelled"]);
});

test("events are replayed by number or from a time on, under their own id", async () => {
  const world = await createReceivers();
  const { id } = await world.hook(a, { events: ["intent.queued"] });
  await world.twoEvents();
  await world.pass(60_000);
  await world.twoEvents();
  await world.dispatcher.settle();
  const replay = async (body: object) =>
    (await world.service.request(await world.fresh(), "POST", `/webhooks/${id}/replay`, body)).body;
  // 2 does not pass the filter, 99 has not happened
  expect(await replay({ events: [1, 2, 99] })).toMatchObject({
    queued: 1,
    message: expect.stringMatching(/^1 events .*; the other 2 are not in the log/),
  });
  expect(await replay({ since: "2026-03-01T00:00:30Z" })).toMatchObject({
    queued: 1,
    message: expect.stringMatching(/what waits$/),
  });
  expect(await replay({ since: "2026-03-01T00:00:30Z", events: [1] })).toMatchObject({ status: 400 });
  await world.dispatcher.settle();
  expect(world.at(a)).toEqual(["evt-1", "evt-3", "evt-1", "evt-3"].map((one) => `${one} intent.queued`));
  expect(world.received[2]!.body).toBe(world.received[0]!.body);
});

test("deliveries come in pages, newest first", async () => {
  const world = await createReceivers();
  const { id } = await world.hook(a);
  for (let round = 0; round < 3; round++) await world.twoEvents();
  await world.dispatcher.settle();
  const token = await world.fresh();
  const seen: unknown[] = [];
  let cursor = "";
  do {
    const { body } = await world.service.request(token, "GET", `/webhooks/${id}/deliveries?limit=4${cursor}`);
    seen.push(...(body["deliveries"] as { event: number }[]).map(({ event }) => event));
    cursor = body["next_cursor"] === null ? "" : `&cursor=${String(body["next_cursor"])}`;
  } while (cursor !== "");
  expect(seen).toEqual([6, 5, 4, 3, 2, 1]);
});

/** Every socket that this process opens to somewhere. */
const sockets: Socket[] = [];
const spy = (message: unknown): void => {
  sockets.push((message as { socket: Socket }).socket);
};
beforeAll(() => channel("net.client.socket").subscribe(spy));
afterAll(() => channel("net.client.socket").unsubscribe(spy));

test("no address of the corpus can be made a webhook, and one that is stored all the same is not connected to", async () => {
  const world = await createReceivers();
  const guarded = { ...world.hooks, ...createHookHttp({ allowNetworks: ["10.20.0.0/16"] }) };
  const before = sockets.length;
  for (const url of corpus) {
    expect(guarded.refuse(url), url).not.toBeNull();
    const row = {
      id: "whk",
      url,
      secret: guarded.box.seal(makeSigningSecret(seeded), "whk"),
      previous: null,
    };
    const ended = await sendOnce(world.service.env, guarded, row as WebhookRow, { id: "evt-1", body: "{}" });
    expect(ended, url).toMatchObject({ status: null, error: "address not allowed", answer: null });
  }
  expect(sockets.length).toBe(before);
  // a receiver on the premises, as the operator allows; what is denied besides stays so
  expect(guarded.refuse("https://10.20.3.4/hook")).toBeNull();
  const narrower = createHookHttp({ allowNetworks: ["10.20.0.0/16"], denyNetworks: ["10.20.9.0/24"] });
  expect(narrower.refuse("https://10.20.9.4/hook")).toContain("not allowed");
  const { answer } = await world.hook("http://a.example.org/");
  expect(answer.body).toMatchObject({ status: 400, errors: [{ path: "url" }] });
});

test("a name that leads inside at the time of delivery is not connected to, whatever it led to before", async () => {
  const world = await createReceivers();
  const resolved = [["169.254.169.254"], ["93.184.215.14", "10.0.0.1"], ["64:ff9b::7f00:1"], ["::1"]];
  let asked = 0;
  const http = createHookHttp({ resolve: async () => resolved[asked++] ?? ["127.0.0.1"] });
  await world.dispatcher.stop();
  const dispatcher = createHookDispatcher(world.service.env, { ...world.hooks, ...http });
  const { id } = await world.hook(a);
  await world.twoEvents();
  const before = sockets.length;
  for (let tries = 0; tries < resolved.length; tries++) {
    await dispatcher.settle();
    world.service.time.pass(2 * 3_600_000 * 1.2);
  }
  expect(asked).toBe(resolved.length);
  expect(sockets.length).toBe(before);
  expect(await world.deliveries(id, "?status=pending")).toMatchObject([
    { attempts: 0 },
    { attempts: 4, http_status: null, error: "address not allowed", answer: null },
  ]);
});
