import { isLegal, isTerminal, type Phase } from "../api/control/lifecycle.ts";
import { contentHash, genesis, hashAudit, hashEvent } from "../api/store/chain.ts";
import type { AuditRow, EventRow, IntentRow } from "../api/store/schema.ts";
import type { SimDatabase } from "./database.ts";
import type { Acts } from "./process.ts";
import type { Trace } from "./trace.ts";
import { check } from "./violation.ts";

/** What the events say about one intent. */
export interface Told {
  readonly tenant: string;
  phase: Phase | null;
  version: number;
  content: string | null;
  /** Keys that were decided on. */
  readonly keys: Set<string>;
}

/** An event with what checks want of its payload. */
export interface Entry {
  readonly row: EventRow;
  readonly payload: {
    readonly phase?: Phase;
    readonly from?: Phase;
    readonly version?: number;
    readonly content?: string;
    readonly by?: string;
    readonly reason?: string;
    readonly allocations?: readonly { readonly id: string; readonly offer: string; readonly gpus: number }[];
  };
}

/** The service's own books, read beside it: logs from where the last look ended, rows as they are. */
export interface Books {
  /** All events, by number. */
  readonly events: readonly EventRow[];
  readonly intents: ReadonlyMap<string, Told>;
  /** Requests that changed something, by the audit log. */
  readonly acted: ReadonlySet<string>;
  /**
   * Reads what was committed since the last look and checks it: logs without gaps, chained, explaining every change.
   * Returns the new events.
   */
  look(): readonly Entry[];
  /** Compares every row with what the events say. */
  compareAll(): void;
}

const active: ReadonlySet<string> = new Set([
  "queued",
  "waiting",
  "placing",
  "reserved",
  "contracted",
  "peering",
  "deploying",
  "running",
]);

/** True for a phase in which an intent still wants to run. */
export const isActive = (phase: string): boolean => active.has(phase);

function tell(intents: Map<string, Told>, { row, payload }: Entry): void {
  const { subject_id: id, tenant_id: tenant, seq } = row;
  const told: Told = intents.get(id) ?? {
    tenant,
    phase: null,
    version: 0,
    content: null,
    keys: new Set(),
  };
  intents.set(id, told);
  check(told.tenant === tenant, "tenant", () => `event ${seq}: ${id} of ${told.tenant} is told to ${tenant}`);
  const { phase, version, content } = payload;
  check(
    phase !== undefined && version !== undefined,
    "event-log",
    () => `event ${seq} tells no phase or version`,
  );
  if (phase !== told.phase) {
    const isGood = told.phase === null ? phase === "queued" : isLegal(told.phase, phase);
    check(
      isGood,
      "state-machine",
      () => `event ${seq}: ${id} moves from ${told.phase ?? "nothing"} to ${phase}`,
    );
    told.phase = phase;
  } else check(!isTerminal(phase), "state-machine", () => `event ${seq}: ${id} had ended as ${phase}`);
  check(version > told.version, "state-machine", () => `event ${seq}: ${id} stays at version ${version}`);
  told.version = version;
  if (content !== undefined) told.content = content;
  for (const { id: key } of payload.allocations ?? []) {
    check(!told.keys.has(key), "state-machine", () => `event ${seq}: key ${key} is used twice`);
    told.keys.add(key);
  }
}

/** What moves of an intent. */
type Standing = Pick<IntentRow, "id" | "tenant_id" | "phase" | "version" | "terminal_ms">;
const standing = "id, tenant_id, phase, version, terminal_ms";
/** What an intent says. */
type Saying = Pick<IntentRow, "id" | "document" | "spec" | "name" | "kind" | "priority">;

function compare(row: Standing, told: Told | undefined): void {
  const { id } = row;
  check(told !== undefined, "event-log", () => `${id} is stored and no event tells of it`);
  check(told.phase === row.phase, "event-log", () => `${id} is ${row.phase}, the events say ${told.phase}`);
  check(
    row.version >= told.version,
    "event-log",
    () => `${id} is at version ${row.version}, told ${told.version}`,
  );
  check(
    told.tenant === row.tenant_id,
    "tenant",
    () => `${id} is ${row.tenant_id}'s, the events say ${told.tenant}`,
  );
  check(
    isTerminal(row.phase) === (row.terminal_ms !== null),
    "terminal",
    () => `${id} is ${row.phase}, end or not`,
  );
}

/** Hashes of what intents say; those that say what they said are not hashed again. */
function createHashes(): (row: Saying) => string {
  const known = new Map<string, { readonly row: Saying; readonly hash: string }>();
  return (row) => {
    const last = known.get(row.id);
    const isSame =
      last !== undefined &&
      last.row.document === row.document &&
      last.row.spec === row.spec &&
      last.row.name === row.name &&
      last.row.kind === row.kind &&
      last.row.priority === row.priority;
    if (isSame) return last.hash;
    const hash = contentHash(row);
    known.set(row.id, { row, hash });
    return hash;
  };
}

/** Opens the books of a database. */
export function createBooks(database: SimDatabase, trace: Trace, acts: Acts): Books {
  const events: EventRow[] = [];
  const intents = new Map<string, Told>();
  const acted = new Set<string>();
  const hashOf = createHashes();
  let audit: { seq: number; hash: string } = genesis;
  /** The epoch that decides, and the process that has decided in it. */
  let epoch = 0;
  let leader: number | null = null;
  const checkFence = ({ seq, action, target, request_id }: AuditRow): void => {
    if (action === "control.lead") {
      const next = Number(target.replace("epoch ", ""));
      check(next === epoch + 1, "fencing", () => `audit ${seq}: epoch ${next} follows ${epoch}`);
      epoch = next;
      leader = null;
      return;
    }
    const act = acts.get(request_id);
    if (act === undefined) return;
    check(
      act.epoch === epoch,
      "fencing",
      () => `audit ${seq}: decided in epoch ${act.epoch} during ${epoch}`,
    );
    leader ??= act.process;
    check(
      leader === act.process,
      "fencing",
      () => `epoch ${epoch} has the writers ${leader} and ${act.process}`,
    );
  };
  let changes = -1;
  /** Rows of intents that have ended are never looked at again but by `compareAll`. */
  const versions = new Map<string, number>();

  const readEvents = (): Entry[] => {
    const fresh: Entry[] = [];
    for (const row of database.rows<EventRow>(
      "select * from events where seq > ? order by seq",
      events.length,
    )) {
      const before = events.at(-1) ?? genesis;
      check(row.seq === before.seq + 1, "event-log", () => `event ${before.seq + 1} is missing`);
      check(
        row.prev_hash === before.hash,
        "event-log",
        () => `event ${row.seq} does not follow ${before.seq}`,
      );
      check(row.hash === hashEvent(row), "event-log", () => `event ${row.seq} is not what was hashed`);
      const entry: Entry = { row, payload: JSON.parse(row.payload) as Entry["payload"] };
      events.push(row);
      if (row.kind.startsWith("intent.")) tell(intents, entry);
      fresh.push(entry);
      trace.add(`  event ${row.seq} ${row.tenant_id} ${row.kind} ${row.subject_id}`);
      trace.mark(row.kind);
    }
    return fresh;
  };
  const readAudit = (): void => {
    for (const row of database.rows<AuditRow>("select * from audit where seq > ? order by seq", audit.seq)) {
      check(row.seq === audit.seq + 1, "event-log", () => `audit ${audit.seq + 1} is missing`);
      check(
        row.prev_hash === audit.hash,
        "event-log",
        () => `audit ${row.seq} does not follow the one before`,
      );
      check(row.hash === hashAudit(row), "event-log", () => `audit ${row.seq} is not what was hashed`);
      audit = { seq: row.seq, hash: row.hash };
      checkFence(row);
      if (row.outcome === "allowed" && !row.action.startsWith("admin ")) acted.add(row.request_id);
    }
  };
  const compareRows = (rows: readonly Standing[]): void => {
    for (const row of rows) {
      compare(row, intents.get(row.id));
      const before = versions.get(row.id) ?? 0;
      check(row.version >= before, "state-machine", () => `${row.id} goes back to version ${row.version}`);
      versions.set(row.id, row.version);
    }
  };
  return {
    events,
    intents,
    acted,
    look() {
      const now = database.changes();
      if (now === changes) return [];
      changes = now;
      const fresh = readEvents();
      readAudit();
      compareRows(database.rows<Standing>(`select ${standing} from intents where terminal_ms is null`));
      for (const { row } of fresh)
        if (isTerminal(intents.get(row.subject_id)?.phase ?? "queued"))
          compareRows(
            database.rows<Standing>(`select ${standing} from intents where id = ?`, row.subject_id),
          );
      return fresh;
    },
    compareAll() {
      const rows = database.rows<Standing & Saying>(
        `select ${standing}, document, spec, name, kind, priority from intents`,
      );
      compareRows(rows);
      const stored = new Set(rows.map(({ id }) => id));
      for (const id of intents.keys())
        check(stored.has(id), "event-log", () => `the events tell of ${id}, and it is missing`);
      for (const row of rows)
        check(
          intents.get(row.id)?.content === hashOf(row),
          "event-log",
          () => `${row.id} says something else`,
        );
    },
  };
}
