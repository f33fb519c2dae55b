import { hash } from "node:crypto";
import type { Kysely } from "kysely";
import type { Act } from "./act.ts";
import type { AuditRow, Database, EventRow, IntentRow } from "./schema.ts";
import { insertRow, rowLimit, run } from "./statement.ts";
import type { TenantId } from "./tenant.ts";

/** The two append-only logs. */
export type ChainName = "events" | "audit";

/** The last entry of a log; `seq` 0 with 64 zeros before the first. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** Heads as the current batch sees them; forgotten whenever something is rolled back. */
export type Heads = Map<ChainName, Head>;

/** The head of an empty log. */
export const genesis: Head = { seq: 0, hash: "0".repeat(64) };

const digest = (fields: readonly unknown[]): string => hash("sha256", JSON.stringify(fields), "hex");

/** Hash of an event over all its other columns, the hash before it included. */
export function hashEvent(row: Omit<EventRow, "hash">): string {
  const { prev_hash, seq, tenant_id, at_ms, actor, kind, subject_id, payload } = row;
  return digest([prev_hash, seq, tenant_id, at_ms, actor, kind, subject_id, payload]);
}

/** Hash of an audit row over all its other columns, the hash before it included. */
export function hashAudit(row: Omit<AuditRow, "hash">): string {
  const { prev_hash, seq, tenant_id, at_ms, actor, action, target, outcome, request_id } = row;
  return digest([prev_hash, seq, tenant_id, at_ms, actor, action, target, outcome, request_id]);
}

/** Hash of what an intent says, as its events carry it: whoever changes the row has to change the log as well. */
export function contentHash(
  row: Pick<IntentRow, "name" | "kind" | "priority" | "document" | "spec">,
): string {
  const { name, kind, priority, document, spec } = row;
  return digest([name, kind, priority, document, spec]);
}

/** The last entry of a log, read from the table. */
export async function readHead(db: Kysely<Database>, name: ChainName): Promise<Head> {
  const [row] = await run<Head>(
    db,
    `head ${name}`,
    () => db.selectFrom(name).select(["seq", "hash"]).orderBy("seq", "desc").limit(rowLimit(1)),
    [1],
  );
  return row ?? genesis;
}

/** Where a write operation happens: inside a transaction that others share. */
export interface Tx {
  readonly db: Kysely<Database>;
  readonly heads: Heads;
  /** Events are to leave the service: each gets a row in the outbox. */
  readonly hasOutbox: boolean;
}

async function loadHead(tx: Tx, name: ChainName): Promise<void> {
  if (!tx.heads.has(name)) tx.heads.set(name, await readHead(tx.db, name));
}

/** Reads both heads, so that several operations of one transaction may append at the same time. */
export async function loadHeads(tx: Tx): Promise<void> {
  await loadHead(tx, "events");
  await loadHead(tx, "audit");
}

/** The head as it is now; set anew before anything else may wait. */
const headOf = (tx: Tx, name: ChainName): Head => tx.heads.get(name) ?? genesis;

/** An event without its place in the chain; `payload` is JSON text. */
export type NewEvent = Omit<EventRow, "seq" | "prev_hash" | "hash">;

/** Appends an event, and its row in the outbox where there is one. Returns its number. */
export async function appendEvent(tx: Tx, event: NewEvent): Promise<number> {
  await loadHead(tx, "events");
  const head = headOf(tx, "events");
  const row = { ...event, seq: head.seq + 1, prev_hash: head.hash };
  const hash = hashEvent(row);
  tx.heads.set("events", { seq: row.seq, hash });
  await insertRow(tx.db, "events", { ...row, hash });
  if (tx.hasOutbox)
    await insertRow(tx.db, "outbox", {
      event_seq: row.seq,
      due_ms: event.at_ms,
      attempts: 0,
      claim_id: null,
      claimed_until_ms: 0,
    });
  return row.seq;
}

/** An audit row without its place in the chain. */
export type NewAudit = Omit<AuditRow, "seq" | "prev_hash" | "hash">;

/** Appends to the audit log. */
export async function appendAudit(tx: Tx, entry: NewAudit): Promise<void> {
  await loadHead(tx, "audit");
  const head = headOf(tx, "audit");
  const row = { ...entry, seq: head.seq + 1, prev_hash: head.hash };
  const hash = hashAudit(row);
  tx.heads.set("audit", { seq: row.seq, hash });
  await insertRow(tx.db, "audit", { ...row, hash });
}

/** Appends what somebody was allowed to do to something of a tenant; `target` is its id. */
export const appendAct = (
  tx: Tx,
  tenant: TenantId,
  act: Act,
  action: string,
  target: string,
): Promise<void> =>
  appendAudit(tx, {
    tenant_id: tenant,
    at_ms: act.atMs,
    actor: act.actor,
    action,
    target,
    outcome: "allowed",
    request_id: act.requestId,
  });
