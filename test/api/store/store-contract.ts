import { describe, expect, test } from "vitest";
import { hashEvent } from "../../../api/store/chain.ts";
import type { Store } from "../../../api/store/store.ts";
import { trustTenant } from "../../../api/store/tenant.ts";
import { acceptance, tenantOf } from "./rows.ts";
import { checkTokenLimit } from "./token-limit.ts";
import { checkUsage } from "./usage.ts";

const idempotency = (key: string, requestHash: string) => ({ key, requestHash, expiresMs: 5000 });

/** What every store promises; `open` gives an empty one. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    const withStore = async (run: (store: Store) => Promise<void>): Promise<void> => {
      const store = await open();
      try {
        await run(store);
      } finally {
        await store.close();
      }
    };

    test("an accepted intent is there with its event, audit row and outbox row", () =>
      withStore(async (store) => {
        const tenant = await tenantOf(store, "one");
        expect(await tenant.acceptIntent(acceptance("a"))).toEqual({ kind: "accepted" });
        expect((await tenant.intent("a"))?.intent).toMatchObject({ id: "a", phase: "queued", version: 1 });
        const events = await tenant.events({ after: 0, limit: 10 });
        expect(events.map(({ kind, subject_id }) => [kind, subject_id])).toEqual([["intent.queued", "a"]]);
        expect((await tenant.audit({ limit: 10 })).map(({ action }) => action)).toEqual(["intent.create"]);
        const claim = { claimId: "c", nowMs: 1000, untilMs: 2000, limit: 10 };
        expect(await store.system.claimOutbox(claim)).toMatchObject([{ event: { subject_id: "a" } }]);
      }));

    test("another tenant's intents do not exist", () =>
      withStore(async (store) => {
        const one = await tenantOf(store, "one");
        const two = await tenantOf(store, "two");
        await one.acceptIntent(acceptance("a"));
        expect(await two.intent("a")).toBeNull();
        expect(await two.intents({ limit: 10 })).toEqual([]);
        expect(await two.events({ after: 0, limit: 10 })).toEqual([]);
        expect(await two.audit({ limit: 10 })).toEqual([]);
        expect(await two.cancelIntent({ id: "a", actor: "x", atMs: 1, requestId: "r" })).toEqual({
          kind: "not_found",
        });
        expect((await one.intent("a"))?.intent.phase).toBe("queued");
      }));

    test("an idempotency key answers once more what it answered, and refuses another body", () =>
      withStore(async (store) => {
        const tenant = await tenantOf(store, "one");
        const first = acceptance("a", { idempotency: idempotency("k", "h1") });
        const again = acceptance("b", { idempotency: idempotency("k", "h1") });
        const other = acceptance("c", { idempotency: idempotency("k", "h2") });
        const late = acceptance("d", { idempotency: idempotency("k", "h2"), atMs: 6000 });
        expect((await tenant.acceptIntent(first)).kind).toBe("accepted");
        expect(await tenant.acceptIntent(again)).toEqual({
          kind: "replayed",
          status: 202,
          response: '{"intent_id":"a"}',
        });
        expect(await tenant.acceptIntent(other)).toEqual({ kind: "mismatch" });
        expect((await tenant.acceptIntent(late)).kind).toBe("accepted");
        expect((await tenant.intents({ limit: 10 })).map(({ id }) => id)).toEqual(["d", "a"]);
      }));

    test("a name is taken until its intent has ended", () =>
      withStore(async (store) => {
        const tenant = await tenantOf(store, "one");
        await tenant.acceptIntent(acceptance("a", { name: "web" }));
        expect(await tenant.acceptIntent(acceptance("b", { name: "web" }))).toEqual({
          kind: "name_taken",
          id: "a",
        });
        await tenant.cancelIntent({ id: "a", actor: "x", atMs: 1, requestId: "r" });
        expect((await tenant.acceptIntent(acceptance("c", { name: "web" }))).kind).toBe("accepted");
      }));

    test("a change of an older version does nothing", () =>
      withStore(async (store) => {
        const tenant = await tenantOf(store, "one");
        await tenant.acceptIntent(acceptance("a"));
        const act = { actor: "control", atMs: 2000, requestId: "r" };
        const moved = await store.system.changeIntent({
          ...act,
          id: "a",
          version: 1,
          epoch: 0,
          to: "waiting",
        });
        expect(moved).toMatchObject({ phase: "waiting", version: 2, phase_ms: 2000 });
        expect(
          await store.system.changeIntent({ ...act, id: "a", version: 1, epoch: 0, to: "placing" }),
        ).toBeNull();
        expect((await tenant.intent("a"))?.intent.phase).toBe("waiting");
      }));

    test("an illegal move is refused whole, and what shares its commit is not touched", () =>
      withStore(async (store) => {
        const tenant = await tenantOf(store, "one");
        await tenant.acceptIntent(acceptance("a"));
        const act = { actor: "control", atMs: 2000, requestId: "r" };
        const [illegal, fine] = await Promise.allSettled([
          store.system.changeIntent({ ...act, id: "a", version: 1, epoch: 0, to: "running" }),
          tenant.acceptIntent(acceptance("b")),
        ]);
        expect(illegal.status).toBe("rejected");
        expect(fine.status).toBe("fulfilled");
        expect((await tenant.intent("a"))?.intent).toMatchObject({ phase: "queued", version: 1 });
        const events = await tenant.events({ after: 0, limit: 10 });
        expect(events.map(({ seq, subject_id }) => [seq, subject_id])).toEqual([
          [1, "a"],
          [2, "b"],
        ]);
      }));

    test("of several first tokens one is made", () =>
      withStore(async (store) => {
        await tenantOf(store, "one");
        const token = {
          tenant_id: trustTenant("one"),
          hash: "00",
          permissions: "[]",
          name: "n",
          created_by: "x",
          created_ms: 1,
          expires_ms: 9,
          revoked_ms: null,
          last_used_ms: null,
        };
        const act = { actor: "x", atMs: 5, requestId: "r" };
        const made = ["a", "b"].map((id) =>
          store.system.createFirstToken({ ...act, token: { ...token, id } }),
        );
        expect(await Promise.all(made)).toEqual([true, false]);
        expect(await store.system.tokenById("b")).toBeNull();
      }));

    test("of those who saw the same lease one takes it, and each taking is a new epoch", () =>
      withStore(async ({ system }) => {
        const act = { actor: "x", atMs: 1, requestId: "r" };
        const seen = await system.lease();
        expect(seen).toEqual({ holder: "", epoch: 0, renewals: 0 });
        const takings = ["a", "b", "c"].map((holder) => system.takeLease({ ...act, holder, seen }));
        expect(await Promise.all(takings)).toEqual([1, null, null]);
        expect(await system.renewLease({ epoch: 1 })).toBe(true);
        expect(await system.lease()).toEqual({ holder: "a", epoch: 1, renewals: 1 });
        const late = { epoch: 1, renewals: 0 };
        expect(await system.takeLease({ ...act, holder: "b", seen: late })).toBeNull();
        expect(await system.takeLease({ ...act, holder: "b", seen: { epoch: 1, renewals: 1 } })).toBe(2);
        expect(await system.renewLease({ epoch: 1 })).toBe(false);
        await system.releaseLease({ epoch: 1 });
        expect((await system.lease()).holder).toBe("b");
        await system.releaseLease({ epoch: 2 });
        expect(await system.lease()).toEqual({ holder: "", epoch: 2, renewals: 0 });
      }));

    test("decisions of an epoch that is over are refused, and callers are not", () =>
      withStore(async (store) => {
        const tenant = await tenantOf(store, "one");
        await tenant.acceptIntent(acceptance("a"));
        const act = { actor: "control", atMs: 2000, requestId: "r" };
        for (const holder of ["x", "y"])
          await store.system.takeLease({ ...act, holder, seen: await store.system.lease() });
        const move = { ...act, id: "a", version: 1, to: "waiting" } as const;
        const plan = {
          id: "p",
          at_ms: 1,
          parent: null,
          catalog_hash: "h",
          inputs: "{}",
          answers: "[]",
          engine: "1",
          catalogDocument: "{}",
        };
        for (const epoch of [0, 1, 3]) {
          await expect(store.system.changeIntent({ ...move, epoch })).rejects.toMatchObject({
            code: "fenced",
          });
          await expect(
            store.system.settlePlan({ plan, changes: [move], lastReservation: 0, epoch }),
          ).rejects.toMatchObject({
            code: "fenced",
          });
        }
        expect((await tenant.intent("a"))?.intent).toMatchObject({ phase: "queued", version: 1 });
        expect(await store.system.plan("p")).toBeNull();
        const stale = { ...move, version: 7 };
        expect(
          await store.system.settlePlan({ plan, changes: [stale, move], lastReservation: 0, epoch: 2 }),
        ).toMatchObject([null, { version: 2 }]);
        expect(await store.system.plan("p")).toMatchObject({ inputs: "{}" });
        // a plan whose way back is broken is worth nothing, and neither is what it moves
        const lost = { ...plan, id: "q", parent: "nobody" };
        const back = { ...move, version: 2, to: "queued" } as const;
        await expect(
          store.system.settlePlan({ plan: lost, changes: [back], lastReservation: 0, epoch: 2 }),
        ).rejects.toMatchObject({ code: "internal" });
        expect((await tenant.intent("a"))?.intent).toMatchObject({ phase: "waiting", version: 2 });
        const [, moved] = await tenant.events({ after: 0, limit: 10 });
        expect(JSON.parse(moved!.payload)).toMatchObject({ epoch: 2 });
        const cancelled = await tenant.cancelIntent({ ...act, id: "a" });
        expect(cancelled.kind).toBe("cancelled");
      }));

    test("events are numbered without a gap and each carries the hash of the one before", () =>
      withStore(async (store) => {
        const one = await tenantOf(store, "one");
        const two = await tenantOf(store, "two");
        await Promise.all(["a", "b", "c"].map((id) => one.acceptIntent(acceptance(id))));
        await two.acceptIntent(acceptance("d"));
        const events = [
          ...(await one.events({ after: 0, limit: 10 })),
          ...(await two.events({ after: 0, limit: 10 })),
        ];
        let before = "0".repeat(64);
        events.forEach((event, index) => {
          expect(event.seq).toBe(index + 1);
          expect(event.prev_hash).toBe(before);
          expect(event.hash).toBe(hashEvent(event));
          before = event.hash;
        });
        expect((await store.system.heads()).events).toEqual({ seq: 4, hash: before });
      }));

    test("writes that arrive together share commits, and listeners hear of their events", () =>
      withStore(async (store) => {
        const tenant = await tenantOf(store, "one");
        const heard: number[] = [];
        store.subscribe((seq) => heard.push(seq));
        const { commits } = store.stats();
        const ids = Array.from({ length: 100 }, (_, index) => `i${index}`);
        await Promise.all(ids.map((id) => tenant.acceptIntent(acceptance(id))));
        expect(store.stats().commits - commits).toBeLessThan(10);
        expect(heard.at(-1)).toBe(100);
      }));

    test("listeners hear of an event whose commit was shared by a write that failed", () =>
      withStore(async (store) => {
        const tenant = await tenantOf(store, "one");
        const heard: number[] = [];
        store.subscribe((seq) => heard.push(seq));
        const act = { actor: "control", atMs: 2000, requestId: "r" };
        await Promise.allSettled([
          tenant.acceptIntent(acceptance("a")),
          store.system.changeIntent({ ...act, id: "a", version: 1, epoch: 0, to: "running" }),
        ]);
        // a store that follows the log may have seen it there before its own commit was answered
        expect(new Set(heard)).toEqual(new Set([1]));
      }));

    test("GPUs in use at points of a window are what a count of the allocations says", () =>
      withStore(checkUsage));

    test("an outbox row that somebody else claimed meanwhile is not finished", () =>
      withStore(async (store) => {
        const tenant = await tenantOf(store, "one");
        await tenant.acceptIntent(acceptance("a"));
        const claim = (claimId: string, nowMs: number) =>
          store.system.claimOutbox({ claimId, nowMs, untilMs: nowMs + 100, limit: 10 });
        const [first] = await claim("x", 1000);
        expect(await claim("y", 1050)).toEqual([]);
        expect(await claim("y", 1200)).toHaveLength(1);
        await store.system.finishOutbox({ claimId: "x", ids: [first!.row.id] });
        expect(await claim("z", 2000)).toHaveLength(1);
        await store.system.finishOutbox({ claimId: "z", ids: [first!.row.id] });
        expect(await claim("z", 3000)).toEqual([]);
      }));

    test("a webhook's queue: filled once, tried in order, noted once, replayed, deleted with it", () =>
      withStore(async (store) => {
        const tenant = await tenantOf(store, "one");
        const rival = await tenantOf(store, "two");
        const act = { actor: "x", atMs: 1000, requestId: "r" };
        await tenant.acceptIntent(acceptance("before"));
        const webhook = {
          id: "w",
          url: "u",
          description: "",
          events: '["*"]',
          status: "active",
          secret: "s",
        };
        const made = await tenant.createWebhook({ ...act, webhook, most: 1 });
        expect(made).toMatchObject({ position: 1, due_ms: null, version: 1 });
        expect(await tenant.createWebhook({ ...act, webhook: { ...webhook, id: "v" }, most: 1 })).toBeNull();
        expect([await rival.webhooks(), await rival.webhook("w")]).toEqual([[], null]);
        await tenant.acceptIntent(acceptance("a"));
        await rival.acceptIntent(acceptance("b"));

        const { system } = store;
        const work = await system.webhookWork({ after: 1, nowMs: 1000 });
        expect([work.last, work.webhooks.map(({ id }) => id)]).toEqual([3, ["w"]]);
        expect((await system.webhookWork({ after: 2, nowMs: 1000 })).webhooks).toEqual([]);
        const fill = { id: "w", from: 1, to: 2, events: [{ seq: 2, kind: "intent.queued" }], atMs: 1000 };
        expect([await system.queueDeliveries(fill), await system.queueDeliveries(fill)]).toEqual([
          true,
          false,
        ]);
        expect((await system.webhookWork({ after: 3, nowMs: 1000 })).webhooks).toMatchObject([
          { due_ms: 1000 },
        ]);
        const queue = await system.webhookQueue("w");
        expect(queue?.first).toMatchObject({ delivery: { message_id: "evt-2" }, event: { subject_id: "a" } });

        const attempt = {
          delivery: queue!.first!.delivery.id,
          atMs: 1100,
          status: 500,
          error: "answered 500",
          answer: "no",
          durationMs: 7,
          isGone: false,
          disableAfterMs: 5000,
          requestId: "r",
        };
        expect(await system.recordAttempt({ ...attempt, attempts: 0, retryMs: 1500 })).toBe(true);
        expect(await system.recordAttempt({ ...attempt, attempts: 0, retryMs: 9999 })).toBe(false);
        expect(await tenant.webhook("w")).toMatchObject({ due_ms: 1500, failing_ms: 1100, status: "active" });
        const counts = { healthy: 0, failing: 1, disabled: 0, waiting: 1 };
        expect(await system.webhookCounts()).toEqual(counts);
        const over = { ...attempt, attempts: 1, atMs: 6100, retryMs: null };
        expect(await system.recordAttempt(over)).toBe(true);
        expect(await tenant.webhook("w")).toMatchObject({
          status: "disabled",
          reason: "failing",
          due_ms: null,
        });
        expect(await system.webhookCounts()).toEqual({ ...counts, failing: 0, disabled: 1, waiting: 0 });
        expect((await tenant.events({ after: 3, limit: 10 })).map(({ kind }) => kind)).toEqual([
          "webhook.disabled",
        ]);
        const set = { status: "active" };
        expect(await tenant.changeWebhook({ ...act, id: "w", version: 1, set })).toMatchObject({
          kind: "version_differs",
        });
        expect(await tenant.changeWebhook({ ...act, id: "w", version: 2, set })).toMatchObject({
          webhook: { reason: null, failing_ms: null, version: 3 },
        });
        expect(await tenant.replayWebhook({ ...act, id: "w", sinceMs: 0, limit: 10 })).toBe(2);
        expect(await rival.replayWebhook({ ...act, id: "w", sinceMs: 0, limit: 10 })).toBeNull();
        const ended = { ...attempt, error: null, id: "w", messageId: "test-1" };
        expect(await tenant.logTest(ended)).toMatchObject({ state: "delivered", event_seq: null });
        const log = await tenant.deliveries({ webhook: "w", limit: 10 });
        expect(log.map(({ message_id, state }) => `${message_id} ${state}`)).toEqual([
          "test-1 delivered",
          "evt-2 pending",
          "evt-1 pending",
          "evt-2 failed",
        ]);
        expect(await rival.deliveries({ webhook: "w", limit: 10 })).toEqual([]);
        await system.purge(1000 + 31 * 86_400_000);
        expect(await tenant.deliveries({ webhook: "w", limit: 10 })).toHaveLength(2);
        expect([await rival.deleteWebhook({ ...act, id: "w" }), await tenant.webhooks()]).toMatchObject([
          null,
          [{ id: "w" }],
        ]);
        expect(await tenant.deleteWebhook({ ...act, id: "w" })).toMatchObject({ id: "w" });
        expect(await system.webhookQueue("w")).toBeNull();
      }));

    test("a tenant has no more active tokens than it may have", () => withStore(checkTokenLimit));

    test("a session ends alone, or with all that its owner has", () =>
      withStore(async (store) => {
        await tenantOf(store, "one");
        const { system } = store;
        const act = { actor: "x", atMs: 1000, requestId: "r", tenant: trustTenant("one") };
        const who = { issuer: "corp", subject: "alice" };
        for (const id of ["ses-1", "ses-2"])
          await system.createSession({
            ...act,
            session: {
              ...who,
              id,
              hash: "00",
              name: "Alice",
              groups: "[]",
              created_ms: 1000,
              expires_ms: 9000,
              used_ms: 1000,
            },
          });
        await system.touchSession({ id: "ses-1", atMs: 2000 });
        expect(await system.session("ses-1")).toMatchObject({ used_ms: 2000, ended_ms: null, cutoff_ms: 0 });
        expect(await system.session("ses-3")).toBeNull();
        expect(await system.endSession({ ...act, atMs: 3000, id: "ses-1" })).toMatchObject({
          ended_ms: 3000,
        });
        expect(await system.endSession({ ...act, atMs: 4000, id: "ses-1" })).toMatchObject({
          ended_ms: 3000,
        });
        expect((await system.sessions({ atMs: 5000, limit: 10 })).map(({ id }) => id)).toEqual(["ses-2"]);
        expect(await system.sessions({ atMs: 9000, limit: 10 })).toEqual([]);
        for (const atMs of [5000, 6000])
          expect(await system.revokeIdentity({ ...act, ...who, atMs, ownTokens: true })).toBe(
            atMs === 5000 ? 1 : 0,
          );
        expect(await system.session("ses-2")).toMatchObject({ ended_ms: 5000, cutoff_ms: 6000 });
        // by a clock that was set back
        await system.revokeIdentity({ ...act, ...who, atMs: 4000, ownTokens: false });
        expect([await system.cutoff(who), await system.cutoff({ ...who, subject: "bob" })]).toEqual([
          6000, 0,
        ]);
      }));

    test("an event that was put off keeps the later ones of its subject, however these are due", () =>
      withStore(async (store) => {
        const tenant = await tenantOf(store, "one");
        const act = { actor: "x", atMs: 1000, requestId: "r" };
        await tenant.acceptIntent(acceptance("a"));
        await tenant.acceptIntent(acceptance("b"));
        const wish = { document: "{}", spec: "{}", priority: 1, replan: false };
        await tenant.amendIntent({ ...act, ...wish, id: "a", version: 1 });
        const claim = async (claimId: string, nowMs: number) =>
          store.system.claimOutbox({ claimId, nowMs, untilMs: nowMs + 100, limit: 10 });
        const kinds = (claimed: Awaited<ReturnType<typeof claim>>): string[] =>
          claimed.map(({ event }) => `${event.subject_id} ${event.kind}`);
        const [first, , second] = await claim("x", 1000);
        const rows = [
          { id: first!.row.id, dueMs: 2000 },
          { id: second!.row.id, dueMs: 5000 },
        ];
        await store.system.retryOutbox({ claimId: "x", rows });
        await tenant.cancelIntent({ ...act, id: "a" });
        await tenant.acceptIntent(acceptance("c"));
        // what waits for the first keeps no place
        const free = await store.system.claimOutbox({ claimId: "z", nowMs: 1500, untilMs: 1600, limit: 2 });
        expect(kinds(free)).toEqual(["b intent.queued", "c intent.queued"]);
        // the first and the third are due, the second is not
        expect(await store.system.isOutboxDue(3000)).toBe(true);
        expect(kinds(await claim("y", 3000))).toEqual([
          "a intent.queued",
          "b intent.queued",
          "c intent.queued",
        ]);
        expect(await store.system.isOutboxDue(999)).toBe(false);
      }));

    test("a closed store refuses, and writes that waited at the closing are done", async () => {
      const store = await open();
      const tenant = await tenantOf(store, "one");
      const waiting = tenant.acceptIntent(acceptance("a"));
      await store.close();
      expect((await waiting).kind).toBe("accepted");
      await expect(tenant.acceptIntent(acceptance("b"))).rejects.toMatchObject({ code: "unavailable" });
    });
  });
}
