import type { EventRow } from "../../api/store/schema.ts";
import type { Accepted, IntentView, SystemStore } from "../../api/store/store.ts";
import type { Bug } from "./bug.ts";
import { nth, without, wrapStore } from "./wrap.ts";

/** Bugs of what is stored, and of who may see it. */
export const storageBugs: readonly Bug[] = [
  {
    name: "acknowledged before the commit",
    breaks: ["lost", "idempotency"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          tenant: (inner) => ({
            async acceptIntent(input): Promise<Accepted> {
              inner.acceptIntent(input).catch(() => undefined);
              return { kind: "accepted" };
            },
          }),
        }),
    }),
  },
  {
    name: "an event is dropped",
    breaks: ["event-log", "state-machine"],
    plant: () => ({ skips: nth('insert into "events"', 20) }),
  },
  {
    name: "an audit row is dropped",
    breaks: ["event-log"],
    plant: () => ({ skips: nth('insert into "audit"', 30) }),
  },
  {
    name: "an outbox row is lost",
    breaks: ["outbox"],
    plant: () => ({ skips: nth('insert into "outbox"', 20) }),
  },
  {
    name: "an intent moves without an event",
    breaks: ["event-log"],
    plant: () => ({
      store: (store, { database }) =>
        wrapStore(store, {
          system: (inner) => ({
            async changeIntent(input) {
              const after = await inner.changeIntent(input);
              if (after?.phase === "running")
                await database.exclusively(async () =>
                  database.exec("update intents set phase = 'deploying' where id = ?", after.id),
                );
              return after;
            },
          }),
        }),
    }),
  },
  {
    name: "no tenant filter where an intent is read",
    breaks: ["tenant"],
    plant: () => ({ rewrite: without('select * from "intents" where "id" = ?', '"tenant_id" = ?') }),
  },
  {
    name: "no tenant filter where intents are listed",
    breaks: ["tenant"],
    plant: () => ({ rewrite: without('select * from "intents" where "tenant_id" = ?', '"tenant_id" = ?') }),
  },
  {
    name: "no tenant filter where events are read",
    breaks: ["tenant", "outbox"],
    plant: () => ({ rewrite: without('select * from "events" where "tenant_id" = ?', '"tenant_id" = ?') }),
  },
  {
    name: "no tenant filter where a reservation is given back",
    breaks: ["tenant"],
    plant: () => ({ rewrite: without('select * from "reservations"', '"tenant_id" = ?') }),
  },
  {
    name: "an idempotency key is another tenant's too",
    breaks: ["idempotency", "tenant", "lost", "answer"],
    plant: () => ({ rewrite: without('select * from "idempotency"', '"tenant_id" = ?') }),
  },
  {
    name: "an idempotency key is forgotten",
    breaks: ["idempotency"],
    plant: () => ({ skips: nth('insert into "idempotency"', 3) }),
  },
  {
    name: "an idempotency key answers any body",
    breaks: ["idempotency", "lost"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          tenant: (inner) => ({
            acceptIntent: ({ idempotency, ...input }) =>
              inner.acceptIntent(
                idempotency === undefined
                  ? input
                  : { ...input, idempotency: { ...idempotency, requestHash: "" } },
              ),
            keptAnswer: async () => null,
          }),
        }),
    }),
  },
  {
    name: "a refused request changes something",
    breaks: ["rejected-changed"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          tenant: (inner) => ({
            async acceptIntent(input) {
              const answer = await inner.acceptIntent(input);
              const { actor, atMs, requestId } = input;
              if (answer.kind === "name_taken")
                await inner.cancelIntent({ actor, atMs, requestId, id: answer.id });
              return answer;
            },
          }),
        }),
    }),
  },
  {
    name: "an old reading is shown again",
    breaks: ["lost"],
    plant: () => {
      const kept = new Map<string, IntentView>();
      return {
        store: (store) =>
          wrapStore(store, {
            tenant: (inner) => ({
              async intent(id) {
                const view = await inner.intent(id);
                if (view === null) return null;
                const first = kept.get(id) ?? view;
                kept.set(id, first);
                return first;
              },
            }),
          }),
      };
    },
  },
  {
    name: "a stream skips an event",
    breaks: ["event-log", "liveness", "outbox"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          tenant: (inner) => ({
            async events(input): Promise<readonly EventRow[]> {
              const rows = await inner.events(input);
              return rows.length > 2 ? rows.filter((_, index) => index !== 1) : rows;
            },
          }),
        }),
    }),
  },
  {
    name: "a revoked token still works",
    breaks: ["tenant"],
    plant: () => {
      const kept = new Map<string, Awaited<ReturnType<SystemStore["tokenById"]>>>();
      return {
        store: (store) =>
          wrapStore(store, {
            system: (inner) => ({
              async tokenById(id) {
                const row = kept.get(id) ?? (await inner.tokenById(id));
                kept.set(id, row);
                return row;
              },
            }),
          }),
      };
    },
  },
  {
    name: "a suspended tenant is let in",
    breaks: ["tenant"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          system: (inner) => ({
            async tokenById(id) {
              const row = await inner.tokenById(id);
              return row === null ? null : { ...row, tenant_status: "active" };
            },
          }),
        }),
    }),
  },
  {
    name: "reservations are not compared with one another",
    breaks: ["oversubscription"],
    plant: () => ({
      rewrite: (sql) =>
        sql.startsWith('select "tenant_id", "from_ms", "to_ms", "gpus" from "reservations" where')
          ? sql.replace("where", "where 1 = 0 and")
          : sql,
    }),
  },
  {
    name: "decisions do not see reservations",
    breaks: ["oversubscription"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          system: (inner) => ({
            // they are known, or decisions would be put off for them, and weigh nothing
            async openReservations(atMs) {
              return (await inner.openReservations(atMs)).map((row) => ({ ...row, gpus: 0 }));
            },
          }),
        }),
    }),
  },
  {
    name: "a decision takes what was reserved while it was made",
    breaks: ["oversubscription"],
    plant: () => ({
      rewrite: (sql) =>
        sql.startsWith('select "offer", "tenant_id" from "reservations" where')
          ? sql.replace("where", "where 1 = 0 and")
          : sql,
    }),
  },
  {
    name: "a reservation takes what was placed while it was judged",
    breaks: ["oversubscription"],
    plant: () => ({
      rewrite: (sql) =>
        sql.startsWith('select "id", "tenant_id", "gpus" from "allocations" where')
          ? sql.replace("where", "where 1 = 0 and")
          : sql,
    }),
  },
  {
    name: "a refused request changes a row that nothing tells of",
    breaks: ["rejected-changed"],
    plant: () => ({
      store: (store, { database }) =>
        wrapStore(store, {
          tenant: (inner) => ({
            async acceptIntent(input) {
              const answer = await inner.acceptIntent(input);
              if (answer.kind === "name_taken")
                await database.exclusively(async () =>
                  database.exec("update tokens set name = name || '!' where revoked_ms is null"),
                );
              return answer;
            },
          }),
        }),
    }),
  },
];
