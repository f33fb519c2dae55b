import type { Kysely } from "kysely";
import { isLegal, isTerminal, type Phase } from "../control/lifecycle.ts";
import { type ChainName, contentHash, genesis, type Head, hashAudit, hashEvent } from "./chain.ts";
import type { AllocationRow, AuditRow, Database, EventRow, IntentRow } from "./schema.ts";

/** A claim about the past: the log had this entry. Written down outside the database. */
export interface Anchor {
  readonly log: ChainName;
  readonly seq: number;
  readonly hash: string;
}

/** What a database was found to be. */
export interface Verdict {
  /** Empty: everything agrees. At most 100. */
  readonly findings: readonly string[];
  readonly events: Head;
  readonly audit: Head;
  readonly intents: number;
  /** Anchors that were compared. */
  readonly anchors: number;
}

const PAGE = 1000;
const MOST_FINDINGS = 100;

/** Findings, up to the most that anybody reads. */
interface Findings {
  readonly list: string[];
  add(finding: string): void;
}

function createFindings(): Findings {
  const list: string[] = [];
  return { list, add: (finding) => void (list.length < MOST_FINDINGS && list.push(finding)) };
}

/** Reads a log in order and recomputes every hash. */
async function walk<Row extends EventRow | AuditRow>(
  page: (after: number) => Promise<readonly Row[]>,
  hash: (row: Row) => string,
  name: ChainName,
  anchors: readonly Anchor[],
  findings: Findings,
  visit: (row: Row) => void,
): Promise<Head> {
  const claims = new Map(
    anchors.filter(({ log }) => log === name).map((anchor) => [anchor.seq, anchor.hash]),
  );
  let head: Head = genesis;
  const start = claims.get(genesis.seq);
  // a log that was empty when it was anchored
  if (start !== undefined && start !== genesis.hash)
    findings.add(`${name} ${genesis.seq}: differs from what was anchored outside`);
  claims.delete(genesis.seq);
  for (;;) {
    const rows = await page(head.seq);
    for (const row of rows) {
      if (row.seq !== head.seq + 1) findings.add(`${name}: number ${head.seq + 1} is missing`);
      if (row.prev_hash !== head.hash)
        findings.add(`${name} ${row.seq}: does not follow the entry before it`);
      if (row.hash !== hash(row)) findings.add(`${name} ${row.seq}: its content was changed`);
      const claim = claims.get(row.seq);
      if (claim !== undefined && claim !== row.hash)
        findings.add(`${name} ${row.seq}: differs from what was anchored outside`);
      claims.delete(row.seq);
      visit(row);
      head = { seq: row.seq, hash: row.hash };
    }
    if (rows.length < PAGE) break;
  }
  for (const seq of claims.keys())
    findings.add(`${name} ${seq}: was anchored outside and is missing; the log ends at ${head.seq}`);
  return head;
}

/** What the events say about one intent. */
interface Derived {
  phase: Phase | null;
  version: number;
  content: string | null;
  readonly allocations: Map<string, string>;
}

/** What an event about an intent carries for this purpose. */
interface Payload {
  readonly phase?: Phase;
  readonly from?: Phase;
  readonly version?: number;
  readonly content?: string;
  readonly allocations?: readonly { readonly id: string; readonly offer: string; readonly gpus: number }[];
}

function derive(intents: Map<string, Derived>, event: EventRow, findings: Findings): void {
  if (!event.kind.startsWith("intent.")) return;
  const payload = JSON.parse(event.payload) as Payload;
  const known = intents.get(event.subject_id);
  const intent: Derived = known ?? { phase: null, version: 0, content: null, allocations: new Map() };
  intents.set(event.subject_id, intent);
  const { phase, version, content } = payload;
  if (phase !== undefined && phase !== intent.phase) {
    const isFirst = intent.phase === null;
    if (isFirst ? phase !== "queued" : !isLegal(intent.phase as Phase, phase))
      findings.add(
        `event ${event.seq}: ${event.subject_id} moves from ${intent.phase ?? "nothing"} to ${phase}`,
      );
    intent.phase = phase;
  } else if (intent.phase !== null && isTerminal(intent.phase))
    findings.add(`event ${event.seq}: ${event.subject_id} had ended`);
  if (version !== undefined) {
    if (version <= intent.version)
      findings.add(`event ${event.seq}: ${event.subject_id} goes back to version ${version}`);
    intent.version = version;
  }
  if (content !== undefined) intent.content = content;
  for (const { id, offer, gpus } of payload.allocations ?? [])
    intent.allocations.set(id, `${gpus} of ${offer}`);
}

/** Compares a row with what the events say; what was compared is taken out of `derived`. */
function compare(
  derived: Map<string, Derived>,
  row: IntentRow,
  allocations: readonly AllocationRow[],
  findings: Findings,
): void {
  const said = derived.get(row.id);
  derived.delete(row.id);
  if (said === undefined) {
    findings.add(`intent ${row.id}: no event tells of it`);
    return;
  }
  if (said.phase !== row.phase)
    findings.add(`intent ${row.id}: is ${row.phase}, the events say ${said.phase}`);
  if (row.version < said.version)
    findings.add(`intent ${row.id}: is at version ${row.version}, the events at ${said.version}`);
  if (said.content !== contentHash(row)) findings.add(`intent ${row.id}: its content was changed`);
  if (isTerminal(row.phase) !== (row.terminal_ms !== null))
    findings.add(
      `intent ${row.id}: is ${row.phase} and ${row.terminal_ms === null ? "has no" : "has an"} end`,
    );
  for (const { id, offer, gpus, released_ms } of allocations) {
    const wanted = said.allocations.get(id);
    said.allocations.delete(id);
    if (wanted !== `${gpus} of ${offer}`)
      findings.add(`allocation ${id}: is ${gpus} of ${offer}, the events say ${wanted ?? "nothing"}`);
    if (released_ms === null && isTerminal(row.phase))
      findings.add(`allocation ${id}: is held by an intent that has ended`);
  }
  for (const id of said.allocations.keys()) findings.add(`allocation ${id}: is missing`);
}

/**
 * Checks a database against itself and against anchors: SQLite's own check, both hash chains from their beginning,
 * every intent and allocation against the state that its events tell. Memory grows with the number of intents.
 */
export async function verifyDatabase(
  db: Kysely<Database>,
  anchors: readonly Anchor[] = [],
): Promise<Verdict> {
  const findings = createFindings();
  const derived = new Map<string, Derived>();
  const events = await walk<EventRow>(
    (after) =>
      db.selectFrom("events").selectAll().where("seq", ">", after).orderBy("seq").limit(PAGE).execute(),
    hashEvent,
    "events",
    anchors,
    findings,
    (event) => derive(derived, event, findings),
  );
  const audit = await walk<AuditRow>(
    (after) =>
      db.selectFrom("audit").selectAll().where("seq", ">", after).orderBy("seq").limit(PAGE).execute(),
    hashAudit,
    "audit",
    anchors,
    findings,
    () => {},
  );
  let last = "";
  let intents = 0;
  for (;;) {
    const rows = await db
      .selectFrom("intents")
      .selectAll()
      .where("id", ">", last)
      .orderBy("id")
      .limit(PAGE)
      .execute();
    const held = await db
      .selectFrom("allocations")
      .selectAll()
      .where("intent_id", ">", last)
      .where("intent_id", "<=", rows.at(-1)?.id ?? "")
      .execute();
    const byIntent = Map.groupBy(held, ({ intent_id }) => intent_id);
    for (const row of rows) compare(derived, row, byIntent.get(row.id) ?? [], findings);
    intents += rows.length;
    last = rows.at(-1)?.id ?? last;
    if (rows.length < PAGE) break;
  }
  for (const id of derived.keys()) findings.add(`intent ${id}: the events tell of it, and it is missing`);
  return { findings: findings.list, events, audit, intents, anchors: anchors.length };
}
