import type { EventRow } from "../api/store/schema.ts";
import type { SimDatabase } from "./database.ts";
import type { Received } from "./network.ts";
import type { Trace } from "./trace.ts";
import { check } from "./violation.ts";

/** The receiver of the service's events. */
export interface Mailbox {
  readonly receive: (request: Received) => void;
  /** Events that have arrived at least once, by number. */
  readonly arrived: ReadonlySet<number>;
}

interface Message {
  readonly seq: number;
  readonly tenant: string;
  readonly subject: string;
  readonly kind: string;
  readonly hash: string;
}

/** What a message tells of an event. */
type Sent = Pick<EventRow, "tenant_id" | "subject_id" | "kind" | "hash">;

/** Opens the mailbox: whatever arrives was committed before, once by number and in order for each subject. */
export function createMailbox(database: SimDatabase, trace: Trace): Mailbox {
  const arrived = new Set<number>();
  const ids = new Map<string, number>();
  const last = new Map<string, number>();
  return {
    arrived,
    receive({ headers, body }) {
      const { seq, tenant, subject, kind, hash } = JSON.parse(body) as Message;
      trace.add(`  received ${seq}`);
      const [row] = database.rows<Sent>(
        "select tenant_id, subject_id, kind, hash from events where seq = ?",
        seq,
      );
      check(row !== undefined, "outbox", () => `event ${seq} was sent and never committed`);
      const isSame = row.hash === hash && row.subject_id === subject && row.kind === kind;
      check(isSame, "outbox", () => `event ${seq} was sent with other content`);
      check(
        row.tenant_id === tenant,
        "tenant",
        () => `event ${seq} of ${row.tenant_id} was sent as ${tenant}'s`,
      );
      const id = headers["webhook-id"] ?? "";
      const known = ids.get(id);
      check(known === undefined || known === seq, "outbox", () => `${id} names events ${known} and ${seq}`);
      ids.set(id, seq);
      if (arrived.has(seq)) {
        trace.mark("an event arrived twice");
        return;
      }
      const before = last.get(subject) ?? 0;
      check(seq > before, "outbox", () => `event ${seq} of ${subject} arrived after ${before}`);
      const skipped = database.rows<{ seq: number }>(
        "select seq from events where subject_id = ? and seq > ? and seq < ? limit 1",
        subject,
        before,
        seq,
      )[0];
      check(
        skipped === undefined,
        "outbox",
        () => `event ${seq} of ${subject} arrived before ${skipped?.seq}`,
      );
      last.set(subject, seq);
      arrived.add(seq);
    },
  };
}
