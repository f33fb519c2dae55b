import type { Generated, Selectable } from "kysely";
import type { Ending, Phase } from "../control/lifecycle.ts";
import type { TenantId } from "./tenant.ts";

/*
 * Column conventions, the same in SQLite and PostgreSQL: `_ms` is milliseconds since 1970, `_micro` millionths of a
 * currency unit, flags are 0 or 1, JSON is opaque text that is never queried inside.
 */

/** A tenant; `default` always exists. */
interface TenantTable {
  id: TenantId;
  weight: number;
  /** `active` or `suspended`. */
  status: string;
  /** JSON: `Quota[]` of the engine. */
  quotas: string;
  cohort: string | null;
  created_ms: number;
}

interface IntentTable {
  id: string;
  tenant_id: TenantId;
  /** `workload.name`: unique among the tenant's intents that have not ended. */
  name: string;
  /** `service` or `batch`. */
  kind: string;
  phase: Phase;
  /** 1 at first, one more with every change: what `If-Match` compares. */
  version: number;
  /** 1 at first, one more with every change of the wish itself. */
  generation: number;
  priority: number;
  /** JSON: the document as it was sent. */
  document: string;
  /** JSON: the canonical `Intent` of the engine, its `name` being this row's id. */
  spec: string;
  /** Stable code of why it stands where it stands; null when nothing is odd. */
  reason: string | null;
  /** One sentence for people. */
  message: string;
  /** How releasing ends; null in other phases. */
  ending: Ending | null;
  /** Tries of placing so far; part of the keys in the federation. */
  attempt: number;
  /** Tries that failed since it last ran: after too many it fails. */
  failures: number;
  created_ms: number;
  updated_ms: number;
  /** Since when it stands in its phase. */
  phase_ms: number;
  /** When the present wait is over and the next step is due; null: waits for no one. */
  due_ms: number | null;
  /** Known or promised start, for waiting intents. */
  expected_start_ms: number | null;
  /** JSON: what is held for that start, `Reservation[]` of the engine; counts while the intent waits. */
  held: string | null;
  /** Of a batch: what interruptions so far have left of its work, seconds of its estimated runtime. */
  work_done_seconds: number;
  /** First time in `running`. */
  started_ms: number | null;
  terminal_ms: number | null;
}

/** Labels of an intent, for finding it again. */
interface LabelTable {
  intent_id: string;
  tenant_id: TenantId;
  key: string;
  value: string;
}

/** What an intent holds or held in one offer: one key of the federation. */
interface AllocationTable {
  /** The key in the federation. */
  id: string;
  intent_id: string;
  tenant_id: TenantId;
  offer: string;
  provider: string;
  region: string | null;
  gpus: number;
  replicas: number;
  /** Of all replicas together. */
  cpu_milli: number;
  memory_mib: number;
  spot: number;
  cost_micro: number;
  currency: string;
  /** `planned` before the federation was asked, then as the port's `HeldPhase`, at last `released`. */
  state: string;
  contract: string | null;
  service_url: string | null;
  created_ms: number;
  /** When the reservation runs out unless bought. */
  expires_ms: number | null;
  /** Billing starts with the purchase. */
  billed_ms: number | null;
  released_ms: number | null;
}

/** Everything that happened to an intent, hash-chained, append-only. */
interface EventTable {
  seq: number;
  tenant_id: TenantId;
  at_ms: number;
  actor: string;
  kind: string;
  subject_id: string;
  /** JSON */
  payload: string;
  prev_hash: string;
  hash: string;
}

/** Who did what, denials included, hash-chained, append-only. */
interface AuditTable {
  seq: number;
  /** Empty: nobody's, such as a request with an unknown token. */
  tenant_id: TenantId | "";
  at_ms: number;
  actor: string;
  action: string;
  target: string;
  /** `allowed` or `denied`. */
  outcome: string;
  request_id: string;
  prev_hash: string;
  hash: string;
}

/** Events on their way out of the service, at least once. */
interface OutboxTable {
  id: Generated<number>;
  event_seq: number;
  due_ms: number;
  attempts: number;
  claim_id: string | null;
  claimed_until_ms: number;
}

interface IdempotencyTable {
  tenant_id: TenantId;
  /** Route and the caller's key. */
  key: string;
  /** SHA-256 of the raw body, hex. */
  request_hash: string;
  status: number;
  /** JSON body of the first answer. */
  response: string;
  expires_ms: number;
}

interface TokenTable {
  id: string;
  tenant_id: TenantId;
  /** SHA-256 of the secret, hex. */
  hash: string;
  /** JSON: permissions. */
  permissions: string;
  name: string;
  created_by: string;
  created_ms: number;
  expires_ms: number;
  revoked_ms: number | null;
  /** To the minute. */
  last_used_ms: number | null;
}

/** Somebody who signed in with a browser. What they may do is looked up in the table of groups at every use. */
interface SessionTable {
  id: string;
  /** SHA-256 of the secret in the cookie, hex. */
  hash: string;
  /** Name of the issuer in the configuration. */
  issuer: string;
  subject: string;
  name: string;
  /** JSON: groups as the issuer said at the sign-in. */
  groups: string;
  created_ms: number;
  expires_ms: number;
  /** To the minute. */
  used_ms: number;
  ended_ms: number | null;
}

/** Since when tokens and sessions of somebody count: what is older was revoked. */
interface CutoffTable {
  issuer: string;
  subject: string;
  since_ms: number;
}

/** Capacity that a tenant holds for a window. */
interface ReservationTable {
  id: string;
  /** Rises by one with every reservation, in the order in which they were stored. */
  seq: number;
  tenant_id: TenantId;
  offer: string;
  gpus: number;
  from_ms: number;
  to_ms: number;
  /** `active`, `cancelled` or `expired`. */
  state: string;
  version: number;
  created_ms: number;
}

/** An address of a tenant to which its events are posted. */
interface WebhookTable {
  id: string;
  tenant_id: TenantId;
  url: string;
  description: string;
  /** JSON: filters of kinds. */
  events: string;
  /** `active` or `disabled`. */
  status: string;
  /** Why it is disabled: `by_request`, `gone` or `failing`; null while it is active. */
  reason: string | null;
  /** Sealed: what messages are signed with. */
  secret: string;
  /** Sealed: the secret before, which signs too until `previous_until_ms`. */
  previous: string | null;
  previous_until_ms: number | null;
  /** Events up to this number have passed its filter, into its queue or by it. */
  position: number;
  /** When the first of its queue is to be sent; null: the queue is empty. */
  due_ms: number | null;
  /** Since when nothing arrives; null: the last try arrived. */
  failing_ms: number | null;
  version: number;
  created_ms: number;
  updated_ms: number;
}

/** One message to one webhook: its queue while `pending`, its log afterwards. */
interface DeliveryTable {
  id: Generated<number>;
  webhook_id: string;
  tenant_id: TenantId;
  /** Header `webhook-id`, the same in every try. */
  message_id: string;
  /** Null: a test. */
  event_seq: number | null;
  kind: string;
  /** `pending`, `delivered` or `failed`. */
  state: string;
  attempts: number;
  /** HTTP status of the last answer; null: there was none. */
  status: number | null;
  /** Why the last try did not arrive. */
  error: string | null;
  /** Beginning of the last answer that was no success. */
  answer: string | null;
  duration_ms: number | null;
  created_ms: number;
  attempted_ms: number | null;
}

/** One run of `plan()`: its inputs, so that it can be run again, and what it answered. */
interface PlanTable {
  id: string;
  at_ms: number;
  /** The run whose inputs these go on from; null: from the catalog. */
  parent: string | null;
  catalog_hash: string;
  /** JSON: intents, options, and what had changed since the parent. */
  inputs: string;
  /** JSON: recorded answers of solvers. */
  answers: string;
  engine: string;
}

/** Catalogs that plans were made on, by content. */
interface CatalogTable {
  hash: string;
  document: string;
}

/** What was decided about one intent. */
interface DecisionTable {
  seq: Generated<number>;
  intent_id: string;
  tenant_id: TenantId;
  plan_id: string;
  at_ms: number;
  outcome: string;
  reason: string;
  /** JSON: the explained decision as the API shows it. */
  document: string;
}

/** Who decides: one row, `control`. */
interface LeaseTable {
  name: string;
  holder: string;
  epoch: number;
  renewals: number;
}

/** The last group of writes of each process: tells, after a lost connection, whether its commit was done. */
interface WriterTable {
  id: string;
  last_group: number;
  at_ms: number;
}

interface MetaTable {
  key: string;
  value: string;
}

/** The tables. */
export interface Database {
  tenants: TenantTable;
  intents: IntentTable;
  labels: LabelTable;
  allocations: AllocationTable;
  events: EventTable;
  audit: AuditTable;
  outbox: OutboxTable;
  idempotency: IdempotencyTable;
  tokens: TokenTable;
  reservations: ReservationTable;
  sessions: SessionTable;
  cutoffs: CutoffTable;
  webhooks: WebhookTable;
  deliveries: DeliveryTable;
  plans: PlanTable;
  catalogs: CatalogTable;
  decisions: DecisionTable;
  leases: LeaseTable;
  writers: WriterTable;
  meta: MetaTable;
}

export type TenantRow = Selectable<TenantTable>;
export type IntentRow = Selectable<IntentTable>;
export type AllocationRow = Selectable<AllocationTable>;
export type EventRow = Selectable<EventTable>;
export type AuditRow = Selectable<AuditTable>;
export type OutboxRow = Selectable<OutboxTable>;
export type TokenRow = Selectable<TokenTable>;
export type ReservationRow = Selectable<ReservationTable>;
export type SessionRow = Selectable<SessionTable>;
export type WebhookRow = Selectable<WebhookTable>;
export type DeliveryRow = Selectable<DeliveryTable>;
export type DecisionRow = Selectable<DecisionTable>;
export type PlanRow = Selectable<PlanTable>;
