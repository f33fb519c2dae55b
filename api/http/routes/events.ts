import { z } from "@hono/zod-openapi";
import { formatTime } from "../../../engine/model/time.ts";
import { isTerminal, type Phase, phases } from "../../control/lifecycle.ts";
import type { EventRow } from "../../store/schema.ts";
import { authenticate, tokenAuthenticator } from "../identity.ts";
import { allows } from "../permissions.ts";
import { ApiError } from "../problem.ts";
import { count, queried } from "../query.ts";
import { json, type Route, type TenantScope } from "../route.ts";
import { eventSchema, pageOf } from "../shapes.ts";
import { notFound } from "./intents.ts";

/** Events read at once. A reader that does not read holds no more than this in memory: the rest stays in the store. */
const PAGE = 100;
/** How often a stream looks whether its token still holds: a revocation ends it within a second on every replica. */
const LOOK_MS = 250;
/** It looks for events without any hint this often, and a quiet stream says that it is there, for proxies. */
const LOOKS_PER_READ = 4;
const LOOKS_PER_COMMENT = 60;

const show = (row: EventRow) => ({
  seq: row.seq,
  kind: row.kind,
  subject: row.subject_id,
  at: formatTime(row.at_ms),
  data: JSON.parse(row.payload) as object,
});

const frame = (row: EventRow): string =>
  `id: ${row.seq}\nevent: ${row.kind}\ndata: ${JSON.stringify(show(row))}\n\n`;

const isEnd = ({ kind }: EventRow): boolean => {
  const phase = kind.replace("intent.", "") as Phase;
  return phases.includes(phase) && isTerminal(phase);
};

/** Where a stream starts: after `Last-Event-ID`, else after `after`, else null. */
function startOf({ http }: TenantScope, after: number | undefined): number | null {
  const header = http.req.header("last-event-id");
  if (header === undefined || header === "") return after ?? null;
  if (!/^\d{1,15}$/.test(header))
    throw new ApiError("INVALID_FORMAT", "Last-Event-ID takes the id of an event");
  return Number(header);
}

/**
 * A stream of events as fast as its reader takes them: each pull reads on from the store, so there is nothing to
 * overflow and nothing to lose. It ends when the token no longer holds, when the service stops, or with the end of the
 * intent it is about.
 */
function stream(scope: TenantScope, start: number, subject: string | undefined): ReadableStream<Uint8Array> {
  const { env, tenant, http, stopping } = scope;
  const encoder = new TextEncoder();
  const closed = scope.tools.metrics.streamOpened();
  let position = start;
  let isOver = false;
  let isCancelled = false;
  let looks = 0;
  let commented = 0;
  let checkedMs = env.clock.monoMs();
  let isPulling = false;
  let close: () => void = () => {};
  let wake: () => void = () => {};
  let cancelLook: () => void = () => {};
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    cancelLook();
    unsubscribe();
    stopping.removeEventListener("abort", end);
    closed();
    wake();
  };
  const unsubscribe = env.store.subscribe(() => wake());
  stopping.addEventListener("abort", end);
  /** True while the caller may still read. */
  const holds = async (): Promise<boolean> => {
    const askedMs = env.clock.monoMs();
    try {
      const authenticators = scope.authenticators ?? [tokenAuthenticator];
      const principal = await authenticate(env, authenticators, (name) => http.req.header(name), "GET");
      if (!allows(principal.permissions, "intents:read")) return false;
      checkedMs = askedMs;
      return true;
    } catch {
      return false;
    }
  };
  /** Goes on however slowly the reader reads. */
  const look = async (): Promise<void> => {
    const isHeld = await holds();
    if (isOver) return;
    if (!isHeld) {
      end();
      if (!isPulling) close();
      return;
    }
    if (++looks % LOOKS_PER_READ === 0) wake();
    cancelLook = env.timers.after(LOOK_MS, () => void look());
  };
  const rest = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  /** The next text to send; null: it is over. */
  const next = async (): Promise<string | null> => {
    while (!isOver) {
      // nothing is sent on a look that is late
      if (env.clock.monoMs() - checkedMs >= LOOK_MS && !(await holds())) return null;
      // registered before the store is read: what is written in between wakes it
      const woken = rest();
      const rows = await tenant.events({
        after: position,
        limit: PAGE,
        ...(subject === undefined ? {} : { subject }),
      });
      if (isOver) return null;
      const last = rows.at(-1);
      if (last !== undefined) {
        position = last.seq;
        if (subject !== undefined && rows.some(isEnd)) end();
        return rows.map(frame).join("");
      }
      await woken;
      if (looks - commented < LOOKS_PER_COMMENT || isOver) continue;
      commented = looks;
      return ": still here\n\n";
    }
    return null;
  };
  cancelLook = env.timers.after(LOOK_MS, () => void look());
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        close = () => controller.close();
        controller.enqueue(encoder.encode("retry: 1000\n\n"));
      },
      async pull(controller) {
        isPulling = true;
        // one that breaks is cancelled by nobody
        const text = await next().catch((error: unknown) => {
          end();
          throw error;
        });
        isPulling = false;
        if (isCancelled) return;
        if (text !== null) controller.enqueue(encoder.encode(text));
        if (text === null || isOver) {
          end();
          controller.close();
        }
      },
      cancel() {
        isCancelled = true;
        end();
      },
    },
    { highWaterMark: 1 },
  );
}

/** Events as a stream, or as a page for who asks for JSON alone. */
async function events(
  scope: TenantScope,
  subject: string | undefined,
  after: number | undefined,
  limit: number,
) {
  const { http, tenant, env } = scope;
  const asked = http.req.header("accept") ?? "";
  const start = startOf(scope, after);
  if (asked.includes("application/json") && !asked.includes("text/event-stream")) {
    const rows = await tenant.events({
      after: start ?? 0,
      limit,
      ...(subject === undefined ? {} : { subject }),
    });
    return json(200, { events: rows.map(show), next_cursor: null });
  }
  const from = start ?? (subject === undefined ? (await env.store.system.heads()).events.seq : 0);
  return new Response(stream(scope, from, subject), {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

const query = z.object({
  after: count(0, 999_999_999).describe("Events after this one; `Last-Event-ID` wins."),
  limit: count(1, 500).describe("Most events of a JSON answer."),
});
const answers = {
  200: {
    description:
      "Server-sent events: `id` is the number to resume after, `event` the kind. With `Accept: application/json` a list.",
    schema: pageOf("events", eventSchema),
  },
};
const headers = { "Last-Event-ID": "Resume after this event." };

/** What happens, as it happens. */
export const eventRoutes: readonly Route[] = [
  {
    method: "get",
    path: "/intents/{id}/events",
    permission: "intents:read",
    summary: "Events of one intent from its beginning; the stream ends with the intent",
    headers,
    answers,
    ...queried(query, async (scope, { after, limit = PAGE }) => {
      const id = scope.param("id");
      if ((await scope.tenant.intent(id)) === null) throw notFound();
      return events(scope, id, after, limit);
    }),
  },
  {
    method: "get",
    path: "/events",
    permission: "intents:read",
    summary: "Events of the whole tenant, from now on unless it resumes",
    headers,
    answers,
    ...queried(query, (scope, { after, limit = PAGE }) => events(scope, undefined, after, limit)),
  },
];
