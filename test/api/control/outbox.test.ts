import { expect, test } from "vitest";
import { createOutbox, retryDelayMs } from "../../../api/control/outbox.ts";
import { httpSink } from "../../../api/platform/event-sink.ts";
import { wrapStore } from "../../../sim/bugs/wrap.ts";
import { createDrivenService } from "../driven-env.ts";
import { acceptance, tenantOf } from "../store/rows.ts";

async function dispatcher(deliver: (subject: string, kind: string) => Promise<boolean>) {
  const { env, time } = await createDrivenService();
  const arrived: string[] = [];
  const outbox = createOutbox(env, {
    async deliver({ subject_id, kind }) {
      const isThere = await deliver(subject_id, kind);
      if (isThere) arrived.push(`${subject_id} ${kind}`);
      return isThere;
    },
  });
  const tenant = await tenantOf(env.store, "one");
  const cancel = (id: string) => tenant.cancelIntent({ id, actor: "x", atMs: time.wallMs(), requestId: "r" });
  return { arrived, outbox, time, tenant, cancel };
}

test("every event arrives once and in order when all goes well", async () => {
  const { arrived, outbox, tenant, cancel } = await dispatcher(async () => true);
  await tenant.acceptIntent(acceptance("a"));
  await tenant.acceptIntent(acceptance("b"));
  await cancel("a");
  await outbox.round();
  await outbox.round();
  expect(arrived).toEqual(["a intent.queued", "b intent.queued", "a intent.cancelled"]);
  await outbox.stop();
});

test("a failed event is sent again later; its subject's later events wait, others do not", async () => {
  let isDown = true;
  const { arrived, outbox, time, tenant, cancel } = await dispatcher(async (subject) => {
    if (subject === "a" && isDown) throw new Error("refused");
    return true;
  });
  await tenant.acceptIntent(acceptance("a"));
  await outbox.round();
  await cancel("a");
  await tenant.acceptIntent(acceptance("b"));
  await outbox.round();
  expect(arrived).toEqual(["b intent.queued"]);
  isDown = false;
  time.pass(2000);
  await outbox.round();
  await outbox.round();
  expect(arrived).toEqual(["b intent.queued", "a intent.queued", "a intent.cancelled"]);
  await outbox.stop();
});

test("an event that failed is not overtaken by a later one of its subject that was taken with it", async () => {
  let failures = 1;
  const { arrived, outbox, time, tenant, cancel } = await dispatcher(
    async (subject) => subject !== "a" || failures-- <= 0,
  );
  await tenant.acceptIntent(acceptance("a"));
  await cancel("a");
  await tenant.acceptIntent(acceptance("b"));
  await outbox.round();
  expect(arrived).toEqual(["b intent.queued"]);
  time.pass(2000);
  await outbox.round();
  expect(arrived.slice(1)).toEqual(["a intent.queued", "a intent.cancelled"]);
  await outbox.stop();
});

test("an event whose delivery was not noted is sent again after the claim has run out", async () => {
  const { env, time } = await createDrivenService();
  const tenant = await tenantOf(env.store, "one");
  await tenant.acceptIntent(acceptance("a", { atMs: time.wallMs() }));
  // a dispatcher that died after sending
  await env.store.system.claimOutbox({
    claimId: "dead",
    nowMs: time.wallMs(),
    untilMs: time.wallMs() + 60_000,
    limit: 10,
  });
  const arrived: number[] = [];
  const outbox = createOutbox(env, { deliver: async ({ seq }) => arrived.push(seq) > 0 });
  await outbox.round();
  expect(arrived).toEqual([]);
  time.pass(60_000);
  await outbox.round();
  expect(arrived).toEqual([1]);
  await outbox.stop();
});

test("a receiver that is slow gets nothing twice: what a claim leaves no time for is claimed anew", async () => {
  const { env, time } = await createDrivenService();
  const tenant = await tenantOf(env.store, "one");
  for (let index = 0; index < 12; index++) await tenant.acceptIntent(acceptance(`i${index}`));
  const arrived: number[] = [];
  const claims: number[] = [];
  const store = wrapStore(env.store, {
    system: (inner) => ({
      async claimOutbox(input) {
        const claimed = await inner.claimOutbox(input);
        if (claimed.length > 0) claims.push(claimed.length);
        return claimed;
      },
    }),
  });
  const other = createOutbox({ ...env, store }, { deliver: async ({ seq }) => arrived.push(seq) > 0 });
  const outbox = createOutbox(
    { ...env, store },
    {
      async deliver({ seq }) {
        time.pass(9000);
        // another dispatcher looks while it waits
        if (arrived.push(seq) === 8) await other.round();
        return true;
      },
    },
  );
  await outbox.round();
  expect(arrived).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(claims).toEqual([12, 8, 4]);
  await Promise.all([outbox.stop(), other.stop()]);
});

test("the wait between attempts doubles up to five minutes", () => {
  expect([0, 1, 2, 8, 9, 1000].map(retryDelayMs)).toEqual([1000, 2000, 4000, 256_000, 300_000, 300_000]);
});

test("an event is posted with an id to tell repeats by; only 2xx counts as arrived", async () => {
  const sent: { url: string; id: string | undefined; body: unknown }[] = [];
  const sink = (status: number) =>
    httpSink(
      {
        async send({ url, headers, body }) {
          sent.push({ url, id: headers["webhook-id"], body: JSON.parse(body ?? "") });
          return { status, body: "" };
        },
      },
      "http://127.0.0.1:9/events",
    );
  const { env } = await createDrivenService();
  const tenant = await tenantOf(env.store, "one");
  await tenant.acceptIntent(acceptance("a"));
  const [event] = await tenant.events({ after: 0, limit: 1 });
  expect(await sink(204).deliver(event!)).toBe(true);
  expect(await sink(302).deliver(event!)).toBe(false);
  expect(sent[0]).toMatchObject({
    url: "http://127.0.0.1:9/events",
    id: "evt-1",
    body: { seq: 1, tenant: "one", subject: "a", kind: "intent.queued", payload: { phase: "queued" } },
  });
});
