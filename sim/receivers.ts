import { Webhook } from "standardwebhooks";
import type { EventRow } from "../api/store/schema.ts";
import type { SimDatabase } from "./database.ts";
import type { Received } from "./network.ts";
import type { Trace } from "./trace.ts";
import { check } from "./violation.ts";

/** A webhook as its owner knows it. */
export interface Hook {
  readonly tenant: string;
  readonly id: string;
  readonly url: string;
  /** Secrets that may sign, newest last. */
  readonly secrets: string[];
  /** Events up to this one are not promised: they were before it. */
  readonly after: number;
  /** Events that have arrived, by number. */
  readonly arrived: Set<number>;
  /** The last event that arrived for the first time. */
  last: number;
  /** Its owner asked for old events again, or deleted it: order and completeness end. */
  isReplayed: boolean;
  isDeleted: boolean;
  /** A new secret is on its way to its owner, who cannot check signatures until it has come. */
  isRotating: boolean;
}

interface Message {
  readonly type: string;
  readonly data: { readonly seq?: number; readonly subject?: string };
}

/** Where webhooks are received. */
export interface Receivers {
  readonly hooks: Hook[];
  /** True when the address is a webhook's. */
  isHook(url: string): boolean;
  readonly receive: (request: Received) => void;
}

/** Everything of a message that its receiver can check: signature, id, tenant, order. */
function take(hook: Hook, { headers, body }: Received, database: SimDatabase): void {
  const isSigned = hook.secrets.some((secret) => {
    try {
      // the time is checked apart: the library's clock is the machine's
      const at = new Date(Number(headers["webhook-timestamp"]) * 1000);
      const expected = new Webhook(secret).sign(headers["webhook-id"] ?? "", at, body);
      return (headers["webhook-signature"] ?? "").split(" ").includes(expected);
    } catch {
      return false;
    }
  });
  check(
    isSigned || hook.isRotating,
    "outbox",
    () => `a message to ${hook.id} is signed with no secret of it`,
  );
  const { type, data } = JSON.parse(body) as Message;
  if (type === "webhook.test") return;
  const { seq = 0 } = data;
  check(
    headers["webhook-id"] === `evt-${seq}`,
    "outbox",
    () => `event ${seq} was sent as ${headers["webhook-id"]}`,
  );
  const [row] = database.rows<Pick<EventRow, "tenant_id">>("select tenant_id from events where seq = ?", seq);
  check(row !== undefined, "outbox", () => `event ${seq} was sent to ${hook.id} and never committed`);
  check(
    row.tenant_id === hook.tenant,
    "tenant",
    () => `event ${seq} of ${row.tenant_id} was sent to ${hook.tenant}`,
  );
  if (hook.arrived.has(seq)) return;
  check(hook.isReplayed || seq > hook.last, "outbox", () => `${hook.id} got event ${seq} after ${hook.last}`);
  const [skipped] = database.rows<{ seq: number }>(
    "select seq from events where tenant_id = ? and seq > ? and seq < ? limit 1",
    hook.tenant,
    Math.max(hook.last, hook.after),
    seq,
  );
  check(
    hook.isReplayed || skipped === undefined,
    "outbox",
    () => `${hook.id} got ${seq} before ${skipped?.seq}`,
  );
  hook.arrived.add(seq);
  hook.last = Math.max(hook.last, seq);
}

/** Opens the receivers of a world. */
export function createReceivers(database: SimDatabase, trace: Trace): Receivers {
  const hooks: Hook[] = [];
  /** Messages that came before the answer that tells of their webhook: one that comes again is a repeat. */
  const early = new Set<string>();
  return {
    hooks,
    isHook: (url) => url.startsWith("https://hooks."),
    receive(request) {
      // a webhook whose creation was never answered belongs to nobody: there is no secret to check with
      const hook = hooks.find(({ url }) => url === request.url);
      const message = `${request.url} ${request.headers["webhook-id"]}`;
      if (hook === undefined) early.add(message);
      if (hook === undefined || early.has(message)) return;
      trace.add(`  webhook ${hook.id} ${request.headers["webhook-id"]}`);
      trace.mark("a webhook was told");
      take(hook, request, database);
    },
  };
}
