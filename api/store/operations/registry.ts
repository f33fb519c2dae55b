import { appendAudit, readHead, type Tx } from "../chain.ts";
import type { TenantRow } from "../schema.ts";
import type { Act, Once, SystemStore, TenantStore } from "../store.ts";
import type { TenantId } from "../tenant.ts";
import { amendIntent } from "./amend.ts";
import { keptAnswer, once } from "./idempotency.ts";
import * as identity from "./identity.ts";
import * as intents from "./intents.ts";
import { fenced, lease, releaseLease, renewLease, takeLease } from "./lease.ts";
import * as logs from "./logs.ts";
import * as queues from "./queues.ts";
import * as reservations from "./reservations.ts";
import * as sessions from "./sessions.ts";
import * as tenants from "./tenants.ts";
import { gpusInUse } from "./usage.ts";
import * as webhooks from "./webhooks.ts";

type Call = (...input: never[]) => Promise<unknown>;

/** How one method of a store is done inside a transaction; `write` ones share commits. */
interface Operation<F extends Call, Scope extends readonly unknown[]> {
  readonly mode: "read" | "write";
  run(tx: Tx, ...input: [...Scope, ...Parameters<F>]): ReturnType<F>;
}

/** Methods within one tenant: the tenant comes first, from the store's own scope and never from the input. */
export const tenantOperations: {
  readonly [K in keyof TenantStore]: Operation<TenantStore[K], readonly [TenantId]>;
} = {
  acceptIntent: { mode: "write", run: intents.acceptIntent },
  amendIntent: { mode: "write", run: amendIntent },
  cancelIntent: { mode: "write", run: intents.cancelIntent },
  intent: { mode: "read", run: (tx, tenant, id) => intents.intentView(tx, id, tenant) },
  intents: { mode: "read", run: intents.intentPage },
  decisions: { mode: "read", run: logs.decisionPage },
  keptAnswer: { mode: "read", run: keptAnswer },
  account: { mode: "read", run: tenants.account },
  events: { mode: "read", run: logs.eventPage },
  audit: { mode: "read", run: logs.auditPage },
  createToken: { mode: "write", run: once(identity.createToken, ({ kind }) => kind === "created") },
  tokens: {
    mode: "read",
    run: ({ db }, tenant) =>
      db
        .selectFrom("tokens")
        .selectAll()
        .where("tenant_id", "=", tenant)
        .orderBy("created_ms")
        .orderBy("id")
        .execute(),
  },
  revokeToken: { mode: "write", run: identity.revokeToken },
  createReservation: {
    mode: "write",
    run: once(reservations.createReservation, ({ kind }) => kind === "reserved"),
  },
  reservations: { mode: "read", run: reservations.reservationPage },
  reservation: { mode: "read", run: reservations.reservationOf },
  cancelReservation: { mode: "write", run: reservations.cancelReservation },
  createWebhook: { mode: "write", run: once(webhooks.createWebhook, (row) => row !== null) },
  webhooks: {
    mode: "read",
    run: ({ db }, tenant) =>
      db.selectFrom("webhooks").selectAll().where("tenant_id", "=", tenant).orderBy("id").execute(),
  },
  webhook: { mode: "read", run: webhooks.webhookOf },
  changeWebhook: { mode: "write", run: webhooks.changeWebhook },
  rotateWebhook: { mode: "write", run: webhooks.rotateWebhook },
  deleteWebhook: { mode: "write", run: webhooks.deleteWebhook },
  replayWebhook: { mode: "write", run: webhooks.replayWebhook },
  deliveries: { mode: "read", run: webhooks.deliveryPage },
  logTest: { mode: "write", run: webhooks.logTest },
};

const createTenantOnce = once(
  (tx, _caller, input: Act & Once & { readonly tenant: TenantRow }) => tenants.createTenant(tx, input),
  ({ kind }) => kind === "created",
);

/** Methods over all tenants. */
export const systemOperations: {
  readonly [K in keyof SystemStore]: Operation<SystemStore[K], readonly []>;
} = {
  inPhases: { mode: "read", run: intents.inPhases },
  idsIn: { mode: "read", run: intents.idsIn },
  intentsById: { mode: "read", run: intents.intentsById },
  intentById: { mode: "read", run: (tx, id) => intents.intentView(tx, id, null) },
  viewsOf: { mode: "read", run: intents.viewsOf },
  waiting: { mode: "read", run: intents.waiting },
  begun: { mode: "read", run: intents.begun },
  heldStarts: { mode: "read", run: intents.heldStarts },
  held: { mode: "read", run: intents.held },
  heldBy: { mode: "read", run: intents.held },
  changedSince: { mode: "read", run: logs.changedSince },
  changeIntent: { mode: "write", run: fenced(intents.decideIntent) },
  settlePlan: { mode: "write", run: fenced(logs.settlePlan) },
  pauseReservations: { mode: "write", run: fenced(reservations.pauseReservations) },
  lease: { mode: "read", run: lease },
  takeLease: { mode: "write", run: takeLease },
  renewLease: { mode: "write", run: renewLease },
  releaseLease: { mode: "write", run: releaseLease },
  plan: { mode: "read", run: logs.planById },
  catalog: { mode: "read", run: logs.catalogByHash },
  tenants: { mode: "read", run: tenants.allTenants },
  ensureTenant: { mode: "write", run: identity.ensureTenant },
  tenant: { mode: "read", run: tenants.tenantById },
  createTenant: {
    mode: "write",
    run: (tx, { caller, ...input }) => createTenantOnce(tx, caller, input),
  },
  changeTenant: { mode: "write", run: tenants.changeTenant },
  secret: { mode: "write", run: tenants.secret },
  phaseCounts: { mode: "read", run: tenants.phaseCounts },
  gpusInUse: { mode: "read", run: gpusInUse },
  tokenById: { mode: "read", run: identity.tokenById },
  hasTokens: {
    mode: "read",
    run: identity.hasTokens,
  },
  createFirstToken: { mode: "write", run: identity.createFirstToken },
  touchTokens: { mode: "write", run: identity.touchTokens },
  recordAudit: { mode: "write", run: appendAudit },
  createSession: { mode: "write", run: sessions.createSession },
  session: { mode: "read", run: sessions.sessionById },
  cutoff: { mode: "read", run: sessions.cutoffOf },
  sessions: { mode: "read", run: sessions.openSessions },
  touchSession: { mode: "write", run: sessions.touchSession },
  endSession: { mode: "write", run: sessions.endSession },
  revokeIdentity: { mode: "write", run: sessions.revokeIdentity },
  openReservations: { mode: "read", run: reservations.openReservations },
  isOutboxDue: { mode: "read", run: logs.isOutboxDue },
  claimOutbox: { mode: "write", run: logs.claimOutbox },
  finishOutbox: { mode: "write", run: logs.finishOutbox },
  releaseOutbox: { mode: "write", run: logs.releaseOutbox },
  retryOutbox: { mode: "write", run: logs.retryOutbox },
  webhookWork: { mode: "read", run: queues.webhookWork },
  webhookCounts: { mode: "read", run: queues.webhookCounts },
  webhookQueue: { mode: "read", run: queues.webhookQueue },
  queueDeliveries: { mode: "write", run: queues.queueDeliveries },
  recordAttempt: { mode: "write", run: queues.recordAttempt },
  purge: {
    mode: "write",
    run: async ({ db }, nowMs) => {
      await db.deleteFrom("idempotency").where("expires_ms", "<=", nowMs).execute();
      await queues.purgeDeliveries(db, nowMs);
      await sessions.purgeSessions(db, nowMs);
    },
  },
  heads: {
    mode: "read",
    run: async ({ db }) => ({ events: await readHead(db, "events"), audit: await readHead(db, "audit") }),
  },
};
