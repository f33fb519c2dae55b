import type { TenantRow } from "../../api/store/schema.ts";
import type { HeldRow } from "../../api/store/store.ts";
import type { Quota } from "../../engine/model/snapshot.ts";
import type { Planting } from "../process.ts";
import type { Bug } from "./bug.ts";
import { wrapStore } from "./wrap.ts";

/** Version of an intent as it is now: what a write without comparison would take. */
const versionNow = (
  database: { rows<Row>(sql: string, ...values: string[]): Row[] },
  id: string,
  version: number,
): number =>
  database.rows<{ version: number }>("select version from intents where id = ?", id)[0]?.version ?? version;

const epochNow = (database: { rows<Row>(sql: string): Row[] }, epoch: number): number =>
  database.rows<{ epoch: number }>("select epoch from leases")[0]?.epoch ?? epoch;

/** Decides on other rows of tenants than those that are stored. */
const withTenants = (change: (row: TenantRow) => TenantRow): Planting => ({
  store: (store) =>
    wrapStore(store, {
      system: (inner) => ({ tenants: async () => (await inner.tenants()).map(change) }),
    }),
});

/** Decides on other quotas than those that are stored; null leaves one out. */
const withQuotas = (change: (quota: Quota) => Quota | null): Planting =>
  withTenants((row) => ({
    ...row,
    quotas: JSON.stringify(
      (JSON.parse(row.quotas) as Quota[]).flatMap((quota) => {
        const changed = change(quota);
        return changed === null ? [] : [changed];
      }),
    ),
  }));

const lessUrgent = (row: HeldRow): HeldRow => ({
  ...row,
  intent_priority: Math.max(0, row.intent_priority - 1),
});

/** Bugs of deciding, driving and sending. */
export const controlBugs: readonly Bug[] = [
  {
    name: "the fence is skipped",
    breaks: ["fencing"],
    plant: () => ({
      store: (store, { database }) =>
        wrapStore(store, {
          system: (inner) => ({
            changeIntent: (input) => inner.changeIntent({ ...input, epoch: epochNow(database, input.epoch) }),
            settlePlan: (input) => inner.settlePlan({ ...input, epoch: epochNow(database, input.epoch) }),
          }),
        }),
    }),
  },
  {
    name: "every process takes itself for the leader",
    breaks: ["fencing"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          system: (inner) => ({
            lease: async () => ({ ...(await inner.lease()), holder: "" }),
            takeLease: async (input) => (await inner.takeLease(input)) ?? (await inner.lease()).epoch,
            renewLease: async () => true,
          }),
        }),
    }),
  },
  {
    name: "a quota is off by one",
    breaks: ["quota"],
    plant: () =>
      withQuotas((quota) => (quota.money === true ? quota : { ...quota, nominal: quota.nominal + 1 })),
  },
  {
    name: "a quota in money is off by one",
    breaks: ["quota"],
    plant: () =>
      withQuotas((quota) =>
        quota.money === true ? { ...quota, nominal: quota.nominal + 1_000_000 } : quota,
      ),
  },
  {
    name: "a quota of one model is forgotten",
    breaks: ["quota"],
    plant: () => withQuotas((quota) => (quota.money === true || quota.gpuClass === "*" ? quota : null)),
  },
  {
    name: "a limit of borrowing is ignored",
    breaks: ["quota"],
    plant: () => withQuotas(({ borrowing, ...quota }) => quota),
  },
  {
    name: "what is never lent is lent",
    breaks: ["quota"],
    plant: () => withQuotas(({ lending, ...quota }) => quota),
  },
  {
    name: "weights count the wrong way",
    breaks: ["fairness"],
    plant: () => withTenants((row) => ({ ...row, weight: 1 / row.weight ** 2 })),
  },
  {
    name: "work of equal priority makes way",
    breaks: ["fairness"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          system: (inner) => ({
            held: async () => (await inner.held()).map(lessUrgent),
            heldBy: async (ids) => (await inner.heldBy(ids)).map(lessUrgent),
          }),
        }),
    }),
  },
  {
    name: "a decision is applied to what was cancelled meanwhile",
    breaks: ["event-log", "state-machine", "terminal"],
    plant: () => ({
      store: (store, { database }) =>
        wrapStore(store, {
          system: (inner) => ({
            async settlePlan(input) {
              const after = await inner.settlePlan(input);
              for (const [index, { id, to }] of input.changes.entries())
                if (after[index] === null && to === "placing")
                  await database.exclusively(async () =>
                    database.exec(
                      "update intents set phase = 'placing', terminal_ms = null where id = ?",
                      id,
                    ),
                  );
              return after;
            },
          }),
        }),
    }),
  },
  {
    name: "a late answer is applied to a changed wish",
    breaks: ["lost", "broken", "liveness", "answer", "state-machine", "terminal"],
    plant: () => ({
      store: (store, { database }) =>
        wrapStore(store, {
          system: (inner) => ({
            settlePlan: ({ changes, ...rest }) =>
              inner.settlePlan({
                ...rest,
                changes: changes.map((one) => ({
                  ...one,
                  version: versionNow(database, one.id, one.version),
                })),
              }),
          }),
        }),
    }),
  },
  {
    name: "a cancelled intent queues again",
    breaks: ["terminal"],
    plant: () => ({
      store: (store, { database }) =>
        wrapStore(store, {
          system: (inner) => ({
            changeIntent: (input) =>
              inner.changeIntent(
                input.to === "queued"
                  ? { ...input, version: versionNow(database, input.id, input.version) }
                  : input,
              ),
          }),
        }),
    }),
  },
  {
    name: "a key is used again",
    breaks: ["state-machine", "liveness", "event-log"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          system: (inner) => ({
            settlePlan: ({ changes, ...rest }) =>
              inner.settlePlan({
                ...rest,
                changes: changes.map(({ newAllocations, ...one }) =>
                  newAllocations === undefined
                    ? one
                    : {
                        ...one,
                        newAllocations: newAllocations.map((row) => ({
                          ...row,
                          id: row.id.replace(/-\d+-(\d+)$/, "-1-$1"),
                        })),
                      },
                ),
              }),
          }),
        }),
    }),
  },
  {
    name: "what an intent held stays in the books",
    breaks: ["event-log", "orphan", "liveness"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          system: (inner) => ({
            changeIntent({ allocations, ...input }) {
              const isEnd = input.to === "cancelled" || input.to === "completed" || input.to === "failed";
              return inner.changeIntent(
                isEnd || allocations === undefined ? input : { ...input, allocations },
              );
            },
          }),
        }),
    }),
  },
  {
    name: "capacity is taken for reserved without asking",
    breaks: ["oversubscription"],
    plant: () => ({
      federation: (federation, { rng }) => ({
        ...federation,
        reserve: (request) =>
          rng().chance(0.1)
            ? Promise.resolve({ kind: "reserved", expiresAtMs: 2e12, costMicro: request.maxCostMicro })
            : federation.reserve(request),
      }),
    }),
  },
  {
    name: "capacity is not given back",
    breaks: ["orphan"],
    plant: () => ({
      federation: (federation) => ({
        ...federation,
        release: (key) => (key.charCodeAt(28) % 3 === 0 ? Promise.resolve() : federation.release(key)),
      }),
    }),
  },
  {
    name: "what waits is never looked at again",
    breaks: ["fairness", "liveness"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          system: () => ({
            waiting: async () => [],
          }),
        }),
    }),
  },
  {
    name: "a plan differs between machines",
    breaks: ["determinism"],
    plant: () => ({
      plans: (plans) => ({
        ...plans,
        async run(job) {
          const made = await plans.run(job);
          const decisions = made.decisions.map((one) => ({ ...one, message: `${one.message} here` }));
          return { ...made, decisions };
        },
      }),
    }),
  },
  {
    name: "two events are sent under one id",
    breaks: ["outbox"],
    plant: () => ({
      http: (http) => ({
        send: ({ headers, ...rest }) => {
          const id = headers["webhook-id"]?.replace(/\d+/, (seq) => String(Math.floor(Number(seq) / 2)));
          return http.send({
            ...rest,
            headers: { ...headers, ...(id === undefined ? {} : { "webhook-id": id }) },
          });
        },
      }),
    }),
  },
  {
    name: "events are sent in another order",
    breaks: ["outbox"],
    plant: () => ({
      store: (store) =>
        wrapStore(store, {
          system: (inner) => ({
            async claimOutbox(input) {
              return [...(await inner.claimOutbox(input))].reverse();
            },
          }),
        }),
    }),
  },
];
