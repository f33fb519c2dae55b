import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { createHookDispatcher, retryWaitMs, retryWaitsMs } from "../../../api/hooks/dispatcher.ts";
import { createReceivers } from "./receivers.ts";

const a = "https://a.example.org/hook";
const b = "https://b.example.org/hook";
const HOUR = 3_600_000;

test("events arrive once, in order, signed, and with an id that only they have", async () => {
  const world = await createReceivers();
  const { secret } = await world.hook(a);
  await world.twoEvents();
  await world.twoEvents();
  await world.dispatcher.settle();
  expect(world.at(a)).toEqual([
    "evt-1 intent.queued",
    "evt-2 intent.cancelled",
    "evt-3 intent.queued",
    "evt-4 intent.cancelled",
  ]);
  const [first] = world.received;
  const seconds = Number(first!.headers["webhook-timestamp"]);
  expect(seconds * 1000).toBe(first!.atMs);
  // the library refuses old timestamps by the machine's clock, so it signs anew instead
  expect(new Webhook(secret).sign("evt-1", new Date(seconds * 1000), first!.body)).toBe(
    first!.headers["webhook-signature"],
  );
  expect(JSON.parse(first!.body)).toMatchObject({
    type: "intent.queued",
    timestamp: "2026-03-01T00:00:00Z",
    data: { seq: 1, phase: "queued" },
  });
  await world.pass(HOUR);
  expect(world.received).toHaveLength(4);
  expect((await world.service.request(await world.fresh(), "GET", "/webhooks")).text).not.toContain("whsec_");
});

test("filters let through what was asked for, and other tenants' events never", async () => {
  const world = await createReceivers();
  await world.hook(a, { events: ["intent.cancelled"] });
  const rival = await world.service.token(["intents:write", "intents:delete", "webhooks:manage"], "rival");
  await world.hook(b, {}, rival);
  await world.twoEvents();
  await world.dispatcher.settle();
  expect(world.at(a)).toEqual(["evt-2 intent.cancelled"]);
  expect(world.at(b)).toEqual([]);
  await world.twoEvents(rival);
  await world.dispatcher.settle();
  expect(world.at(a)).toHaveLength(1);
  expect(world.at(b)).toEqual(["evt-3 intent.queued", "evt-4 intent.cancelled"]);
});

test("a message is tried again on schedule under one id and with the same bytes; the rest waits behind it", async () => {
  const world = await createReceivers({ [a]: () => 500 });
  const { id } = await world.hook(a);
  await world.twoEvents();
  await world.dispatcher.settle();
  await world.pass(9 * HOUR);
  const tries = world.received.filter(({ url }) => url === a);
  expect(new Set(world.at(a))).toEqual(new Set(["evt-1 intent.queued"]));
  expect(new Set(tries.map(({ body }) => body)).size).toBe(1);
  const waits = tries.slice(1).map(({ atMs }, index) => atMs - tries[index]!.atMs);
  expect(waits).toHaveLength(5);
  // looked at every minute here, and chance adds a tenth at most
  waits.forEach((wait, index) => {
    expect(wait).toBeGreaterThanOrEqual(retryWaitsMs[index]!);
    expect(wait).toBeLessThanOrEqual(retryWaitsMs[index]! * 1.1 + 60_000);
  });
  expect(await world.webhook(id)).toMatchObject({ status: "active", failing_since: "2026-03-01T00:00:00Z" });
  const metrics = await world.service.request(null, "GET", "/metrics");
  for (const line of ['flare_webhooks{state="failing"} 1', "flare_webhook_messages_waiting 2"])
    expect(metrics.text).toContain(line);
  world.behaviours[a] = () => 200;
  await world.pass(12 * HOUR);
  expect(world.at(a).slice(-2)).toEqual(["evt-1 intent.queued", "evt-2 intent.cancelled"]);
  expect(await world.webhook(id)).toMatchObject({ failing_since: null, next_attempt_at: null });
});

test("a failing webhook with another address begins anew there at once", async () => {
  const world = await createReceivers({ [a]: () => 500 });
  const { id } = await world.hook(a);
  await world.twoEvents();
  await world.dispatcher.settle();
  await world.pass(HOUR);
  const change = async (body: object) =>
    (await world.service.request(await world.fresh(), "PATCH", `/webhooks/${id}`, body)).body;
  // other words are no other receiver
  expect(await change({ description: "x" })).toMatchObject({ failing_since: "2026-03-01T00:00:00Z" });
  expect(await change({ url: b })).toMatchObject({ failing_since: null });
  await world.dispatcher.settle();
  expect(world.at(b)).toEqual(["evt-1 intent.queued", "evt-2 intent.cancelled"]);
});

test("a receiver that hangs or fails holds up nobody else", async () => {
  let free = (_: number): void => {};
  const world = await createReceivers({
    [a]: () =>
      new Promise((resolve) => {
        free = resolve;
      }),
    "https://down.example.org/": () => {
      throw Object.assign(new Error("connect ECONNREFUSED 10.0.0.1:443"), { code: "ECONNREFUSED" });
    },
  });
  const { id } = await world.hook("https://down.example.org/");
  await world.hook(a);
  await world.hook(b);
  await world.twoEvents();
  world.dispatcher.wake();
  await expect
    .poll(() => {
      world.service.time.pass(20);
      return world.at(b);
    })
    .toEqual(["evt-1 intent.queued", "evt-2 intent.cancelled"]);
  expect(world.at(a)).toHaveLength(1);
  // the error names no address of the inside
  expect(await world.deliveries(id, "?status=pending&limit=1")).toMatchObject([{ error: null, attempts: 0 }]);
  expect(await world.deliveries(id)).toMatchObject([
    { attempts: 0 },
    { attempts: 1, error: "connection failed" },
  ]);
  free(200);
  world.behaviours[a] = () => 200;
  await world.dispatcher.settle();
  expect(world.at(a)).toEqual(["evt-1 intent.queued", "evt-2 intent.cancelled"]);
});

test("after ten tries a message is given up and the next one is sent", async () => {
  const world = await createReceivers({
    [a]: ({ headers }) => (headers["webhook-id"] === "evt-1" ? 500 : 204),
  });
  const { id } = await world.hook(a);
  await world.twoEvents();
  await world.dispatcher.settle();
  await world.pass(90 * HOUR, HOUR);
  expect(world.at(a).filter((one) => one.startsWith("evt-1 "))).toHaveLength(10);
  expect(await world.deliveries(id)).toMatchObject([
    { message_id: "evt-2", status: "delivered", attempts: 1, http_status: 204, answer: null },
    { message_id: "evt-1", status: "failed", attempts: 10, http_status: 500, answer: "receiver says" },
  ]);
});

test("a webhook at which nothing arrives for five days is disabled, with an event; made active it goes on where it stopped", async () => {
  const world = await createReceivers({ [a]: () => 503 });
  const { id } = await world.hook(a, { events: ["intent.*"] });
  await world.hook(b, { events: ["webhook.*"] });
  await world.twoEvents();
  await world.dispatcher.settle();
  await world.pass(119 * HOUR, HOUR);
  expect(await world.webhook(id)).toMatchObject({ status: "active" });
  await world.pass(40 * HOUR, HOUR);
  expect(await world.webhook(id)).toMatchObject({ status: "disabled", reason: "failing" });
  expect(world.at(b)).toEqual(["evt-3 webhook.disabled"]);
  const tries = world.at(a).length;
  await world.twoEvents();
  await world.pass(48 * HOUR, HOUR);
  expect(world.at(a)).toHaveLength(tries);
  world.behaviours[a] = () => 204;
  await world.service.request(await world.fresh(), "PATCH", `/webhooks/${id}`, { status: "active" });
  await world.pass(60_000);
  expect(world.at(a).slice(tries)).toEqual([
    "evt-2 intent.cancelled",
    "evt-4 intent.queued",
    "evt-5 intent.cancelled",
  ]);
});

test("a suspended tenant is told nothing, and everything once it is back", async () => {
  const world = await createReceivers();
  await world.hook(a);
  const admin = await world.service.token(["admin:*"]);
  const set = (status: string) => world.service.request(admin, "PATCH", "/admin/tenants/acme", { status });
  await world.twoEvents();
  await set("suspended");
  await world.pass(60_000, 10_000);
  expect(world.at(a)).toEqual([]);
  await set("active");
  await world.pass(10_000);
  expect(world.at(a)).toHaveLength(2);
});

test("410 disables at once", async () => {
  const world = await createReceivers({ [a]: () => 410 });
  const { id } = await world.hook(a);
  await world.twoEvents();
  await world.dispatcher.settle();
  expect(await world.webhook(id)).toMatchObject({ status: "disabled", reason: "gone" });
  expect(world.at(a)).toHaveLength(1);
});

test("what was sent and not noted is sent again under the same id, and no note counts twice", async () => {
  const world = await createReceivers();
  const { id } = await world.hook(a);
  await world.twoEvents();
  const { env } = world.service;
  const { system } = env.store;
  // a process that dies after the first message arrived
  const dying = createHookDispatcher(
    {
      ...env,
      store: {
        ...env.store,
        system: { ...system, recordAttempt: () => Promise.reject(new Error("killed")) },
      },
    },
    world.hooks,
  );
  await dying.settle();
  await dying.stop();
  expect(world.at(a)).toEqual(["evt-1 intent.queued"]);
  await world.dispatcher.settle();
  expect(world.at(a)).toEqual(["evt-1 intent.queued", "evt-1 intent.queued", "evt-2 intent.cancelled"]);
  expect(world.received[0]!.body).toBe(world.received[1]!.body);
  const [, first] = await world.deliveries(id);
  const late = {
    delivery: Number(first!["delivery_id"]),
    attempts: 0,
    atMs: 1,
    status: 500,
    error: "answered 500",
    answer: "",
    durationMs: 1,
    retryMs: 2,
    isGone: true,
    disableAfterMs: 0,
    requestId: "r",
  };
  expect(await system.recordAttempt(late)).toBe(false);
  expect(await world.webhook(id)).toMatchObject({ status: "active", failing_since: null });
});

test("a try that the end of the process cuts off is no failure, and is made again", async () => {
  let cut = (_: Error): void => {};
  const world = await createReceivers({
    [a]: () =>
      new Promise((_, reject) => {
        cut = reject;
      }),
  });
  const { id } = await world.hook(a);
  await world.dispatcher.stop();
  await world.twoEvents();
  const { env, time } = world.service;
  const dispatcher = createHookDispatcher(env, world.hooks);
  void dispatcher.settle();
  await expect.poll(() => world.at(a)).toHaveLength(1);
  const stopped = dispatcher.stop();
  for (let turn = 0; turn < 10; turn++) await new Promise((next) => setImmediate(next));
  time.pass(1000);
  await stopped;
  cut(new Error("socket closed"));
  await new Promise((next) => setImmediate(next));
  expect(await world.webhook(id)).toMatchObject({ failing_since: null });
  world.behaviours[a] = () => 204;
  await createHookDispatcher(env, world.hooks).settle();
  expect(world.at(a)).toEqual(["evt-1 intent.queued", "evt-1 intent.queued", "evt-2 intent.cancelled"]);
});

test("who does not lead sends nothing, and whoever leads next misses nothing", async () => {
  const world = await createReceivers();
  await world.hook(a);
  let leads = false;
  const { env } = world.service;
  const dispatcher = createHookDispatcher(env, world.hooks, { mayDeliver: () => leads });
  await world.twoEvents();
  await dispatcher.settle();
  expect(world.at(a)).toEqual([]);
  leads = true;
  await dispatcher.settle();
  expect(world.at(a)).toHaveLength(2);
});

test("the schedule is that of Standard Webhooks", () => {
  expect(retryWaitsMs.map((wait) => wait / 1000)).toEqual([
    5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400,
  ]);
  expect(retryWaitMs(1, 0)).toBe(5000);
  expect(retryWaitMs(1, 1)).toBe(5500);
  expect(retryWaitMs(10, 0)).toBeNull();
});

test("events that could not be queued are queued at the next look, by another process or by this one", async () => {
  const world = await createReceivers();
  await world.hook(a);
  await world.dispatcher.stop();
  const { env } = world.service;
  let tries = 0;
  const system: typeof env.store.system = {
    ...env.store.system,
    async queueDeliveries(input) {
      tries++;
      if (tries === 1) throw new Error("the database cannot be written");
      // another process was first, with less than this one has seen
      if (tries === 2)
        await env.store.system.queueDeliveries({ ...input, to: 1, events: [input.events[0]!] });
      return env.store.system.queueDeliveries(input);
    },
  };
  const dispatcher = createHookDispatcher({ ...env, store: { ...env.store, system } }, world.hooks);
  await world.twoEvents();
  for (let look = 0; look < 4; look++) {
    await dispatcher.settle();
    world.service.time.pass(11_000);
  }
  await dispatcher.stop();
  expect(world.at(a)).toEqual(["evt-1 intent.queued", "evt-2 intent.cancelled"]);
});
