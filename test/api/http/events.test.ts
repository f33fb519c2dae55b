import { expect, onTestFinished, test } from "vitest";
import { StoreError } from "../../../api/store/errors.ts";
import { openLocalStore } from "../../../api/store/sqlite-store.ts";
import type { Store } from "../../../api/store/store.ts";
import { createDrivenService, type DrivenService, wish } from "../driven-env.ts";

interface Reader {
  /** The next event, waiting for it; null: the stream has ended. */
  next(): Promise<{ id: string; kind: string; data: Record<string, unknown> } | null>;
  close(): Promise<void>;
}

async function open(
  service: DrivenService,
  token: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Reader> {
  const answer = await service.app.request(path, {
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  onTestFinished(() => reader.cancel().catch(() => undefined));
  let text = "";
  return {
    async next() {
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end >= 0) {
          const frame = text.slice(0, end);
          text = text.slice(end + 2);
          const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(frame)?.[1];
          const id = field("id");
          if (id === undefined) continue;
          return { id, kind: field("event")!, data: JSON.parse(field("data")!) as Record<string, unknown> };
        }
        const { done, value } = await reader.read();
        if (done) return null;
        text += value;
      }
    },
    close: () => reader.cancel(),
  };
}

async function started() {
  const service = await createDrivenService();
  const token = await service.token(["intents:read", "intents:write", "intents:delete"]);
  const submit = async (name: string): Promise<string> =>
    String((await service.request(token, "POST", "/intents", wish(name, 1))).body["intent_id"]);
  return { service, token, submit };
}

test("the stream of an intent tells its whole life and ends with it", async () => {
  const { service, token, submit } = await started();
  const id = await submit("web");
  const reader = await open(service, token, `/intents/${id}/events`);
  await service.run(3000);
  const other = await submit("other");
  await service.request(token, "DELETE", `/intents/${id}`);
  await service.run(100);
  const kinds: string[] = [];
  for (let event = await reader.next(); event !== null; event = await reader.next()) {
    expect(event.data).toMatchObject({ subject: id, kind: event.kind, seq: Number(event.id) });
    kinds.push(event.kind.replace("intent.", ""));
  }
  expect(kinds).toEqual(
    "queued placing reserved contracted peering deploying running releasing cancelled".split(" "),
  );
  expect(other).not.toBe(id);
});

test("a reader that comes back with the last id misses nothing and sees nothing twice", async () => {
  const { service, token, submit } = await started();
  const id = await submit("web");
  await service.run(3000);
  const first = await open(service, token, `/intents/${id}/events`);
  const seen = [await first.next(), await first.next(), await first.next()].map((event) => event!.id);
  await first.close();
  await service.request(token, "DELETE", `/intents/${id}`);
  await service.run(100);
  const second = await open(service, token, `/intents/${id}/events`, { "last-event-id": seen.at(-1)! });
  for (let event = await second.next(); event !== null; event = await second.next()) seen.push(event.id);
  const page = await service.request(token, "GET", `/intents/${id}/events`, undefined, {
    accept: "application/json",
  });
  expect(seen).toEqual((page.body["events"] as { seq: number }[]).map(({ seq }) => String(seq)));
});

test("the stream of a tenant starts now and carries that tenant's events alone", async () => {
  const { service, token, submit } = await started();
  await submit("before");
  const reader = await open(service, token, "/api/v1/events");
  const rival = await service.token(["intents:write"], "rival");
  await service.request(rival, "POST", "/intents", wish("theirs", 1));
  const id = await submit("after");
  expect(await reader.next()).toMatchObject({ kind: "intent.queued", data: { subject: id } });
});

test("a revoked token ends its streams within a second", async () => {
  const { service, token, submit } = await started();
  await submit("web");
  const reader = await open(service, token, "/events");
  const manager = await service.token(["tokens:manage"]);
  await service.request(manager, "DELETE", `/auth/tokens/${token.split("_")[1]}`);
  // the reader waits before the clock moves
  const next = reader.next();
  await new Promise((resolve) => setImmediate(resolve));
  service.time.pass(1000);
  expect(await next).toBeNull();
});

test("a revoked token ends a stream that always has something to tell, and one whose reader stalls", async () => {
  const { service, token, submit } = await started();
  const busy = await open(service, token, "/events");
  const stalled = await open(service, token, "/events");
  await submit("before");
  expect((await busy.next())!.kind).toBe("intent.queued");
  const manager = await service.token(["tokens:manage"]);
  await service.request(manager, "DELETE", `/auth/tokens/${token.split("_")[1]}`);
  service.time.pass(500);
  await new Promise((resolve) => setImmediate(resolve));
  const writer = await service.token(["intents:write"]);
  for (let index = 0; index < 5; index++)
    await service.request(writer, "POST", "/intents", wish(`after-${index}`, 1));
  const told: string[] = [];
  for (let event = await busy.next(); event !== null; event = await busy.next()) told.push(event.kind);
  expect(told).toEqual([]);
  // what was read ahead before the revocation, and no more
  let late = 0;
  while ((await stalled.next()) !== null) late++;
  expect(late).toBeLessThanOrEqual(1);
});

test("a reader that does not read keeps nothing in memory, and still gets everything", async () => {
  const { service, token, submit } = await started();
  let pages = 0;
  const tenant = service.env.store.forTenant("default" as never);
  const { events } = tenant;
  const counted: typeof events = (input) => {
    pages++;
    return events(input);
  };
  Object.assign(tenant, { events: counted });
  onTestFinished(() => void Object.assign(tenant, { events }));
  const reader = await open(service, token, "/events?after=0");
  for (let index = 0; index < 300; index++) await submit(`web-${index}`);
  // one page is read ahead, the others wait in the store
  expect(pages).toBeLessThanOrEqual(3);
  for (let index = 0; index < 300; index++) expect((await reader.next())!.kind).toBe("intent.queued");
});

test("a last id that is none is refused", async () => {
  const { service, token } = await started();
  const answer = await service.request(token, "GET", "/events", undefined, { "last-event-id": "latest" });
  expect(answer.status).toBe(400);
});

test("a stream that the store breaks leaves nothing behind", async () => {
  const inner = await openLocalStore();
  let isBroken = false;
  const store: Store = {
    ...inner,
    forTenant: (tenant) => ({
      ...inner.forTenant(tenant),
      events: (input) =>
        isBroken
          ? Promise.reject(new StoreError("unavailable", "the database cannot be reached"))
          : inner.forTenant(tenant).events(input),
    }),
  };
  const service = await createDrivenService({ store });
  const token = await service.token(["intents:read", "intents:write"]);
  const reader = await open(service, token, "/events");
  const streams = async (): Promise<string | undefined> =>
    /^flare_http_streams (\d+)$/m.exec((await service.request(null, "GET", "/metrics")).text)?.[1];
  expect(await streams()).toBe("1");
  isBroken = true;
  const next = reader.next();
  await service.request(token, "POST", "/intents", wish("web", 1));
  await expect(next).rejects.toThrow("cannot be reached");
  expect(await streams()).toBe("0");
});
