import { z } from "@hono/zod-openapi";
import { readShape } from "../../../adapters/json/read-shape.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import { offerIndexOf, type Snapshot } from "../../../engine/model/snapshot.ts";
import { formatTime, parseTime } from "../../../engine/model/time.ts";
import type { ReservationRow } from "../../store/schema.ts";
import type { ReserveInput } from "../../store/store.ts";
import { readBody } from "../body.ts";
import {
  answeredBefore,
  answeredEarlier,
  checkMatch,
  idempotencyOf,
  onceHeader,
  onceOf,
  tagOf,
} from "../condition.ts";
import { ApiError } from "../problem.ts";
import { paging, queried, readTime } from "../query.ts";
import { json, type Route, type TenantScope } from "../route.ts";
import { pageOf, reservationSchema } from "../shapes.ts";

const DAY_MS = 86_400_000;
/** Furthest end of a reservation. */
const MOST_AHEAD_MS = 366 * DAY_MS;
/** Times that a reservation is judged anew because something was placed on its offer meanwhile. */
const MOST_TRIES = 4;
/** Most open reservations of a tenant. */
const MOST_OPEN = 200;

const wanted = z.strictObject({
  offer: z.string().min(1).max(253),
  gpus: z.int().min(1).max(100_000),
  start: z.string().openapi({ format: "date-time" }),
  end: z.string().openapi({ format: "date-time" }),
});

/** @param inUse GPUs that the tenant uses of the offer now */
function show(
  row: Omit<ReservationRow, "tenant_id" | "seq">,
  nowMs: number,
  inUse: number,
): Record<string, unknown> {
  const isOpen = row.state === "active" && row.to_ms > nowMs;
  return {
    reservation_id: row.id,
    offer: row.offer,
    gpus: row.gpus,
    // what the tenant runs there during the window runs on its reservation
    used_gpus: isOpen && row.from_ms <= nowMs ? Math.min(row.gpus, inUse) : 0,
    start: formatTime(row.from_ms),
    end: formatTime(row.to_ms),
    status: row.state === "active" && !isOpen ? "expired" : row.state,
    version: row.version,
    created_at: formatTime(row.created_ms),
  };
}

/** GPUs that the tenant uses of an offer now. */
const usedBy = ({ planner, tenantId }: TenantScope, offer: string): number =>
  [...planner.books.rows.values()].reduce(
    (sum, row) => sum + (row.tenant_id === tenantId && row.offer === offer ? row.gpus : 0),
    0,
  );

const showIn = (
  scope: TenantScope,
  row: Omit<ReservationRow, "tenant_id" | "seq">,
): Record<string, unknown> => show(row, scope.env.clock.wallMs(), usedBy(scope, row.offer));

/** What others use of an offer and nothing ends before a moment, by tenant. */
function inUseBy(
  { holdings }: Snapshot,
  { id, capacity, divisible }: Flavor,
  fromMs: number,
): { tenant: string; gpus: number }[] {
  const here = holdings.filter(({ offer }) => offer === id);
  const stays = here.filter(
    ({ until, enforced }) => until === undefined || enforced !== true || parseTime(until) > fromMs,
  );
  const gpusOf = (entries: readonly { readonly gpus: number }[]): number =>
    entries.length > 0 && !divisible ? capacity.gpus : entries.reduce((sum, { gpus }) => sum + gpus, 0);
  const byTenant = [...Map.groupBy(stays, ({ tenant = "" }) => tenant)].map(([tenant, own]) => ({
    tenant,
    gpus: gpusOf(own),
  }));
  // what is taken beside all that is known belongs to strangers, and nobody knows until when
  const strangers = capacity.gpus - capacity.gpusFree - gpusOf(here);
  return strangers > 0 ? [...byTenant, { tenant: "(others)", gpus: strangers }] : byTenant;
}

/** @throws {ApiError} 400 when it ends before it starts, lies in the past or too far ahead */
function windowOf({ start, end }: { start: string; end: string }, nowMs: number) {
  const fromMs = readTime("start", start);
  const toMs = readTime("end", end);
  const refuse = (path: string, message: string): never => {
    throw new ApiError("INVALID_FORMAT", `${path}: ${message}`, {
      problems: [{ path, code: "out_of_range", message }],
    });
  };
  if (toMs <= fromMs) refuse("end", "accepted: a time after start");
  if (toMs <= nowMs) refuse("end", "accepted: a time in the future");
  if (toMs > nowMs + MOST_AHEAD_MS) refuse("end", "accepted: a time within a year");
  return { fromMs, toMs };
}

/** Names the keys of callers. */
const ROUTE = "POST /resources/reservations";

async function reserve(scope: TenantScope): Promise<Response> {
  const { env, tenant, act, http, control } = scope;
  const raw = await readBody(http);
  const body = readShape(wanted, raw.document);
  const now = env.clock.wallMs();
  const earlier = await answeredEarlier(scope, idempotencyOf(http, ROUTE, raw.hash, now), now);
  if (earlier !== null) return earlier;
  const { fromMs, toMs } = windowOf(body, now);
  const open = await tenant.reservations({ status: "active", atMs: now, limit: MOST_OPEN });
  if (open.length >= MOST_OPEN)
    throw new ApiError("QUOTA_EXCEEDED", `${open.length} of ${MOST_OPEN} reservations are open`, {
      retryAfter: 60,
    });
  const reservation = {
    id: env.ids.next("rsv"),
    offer: body.offer,
    gpus: body.gpus,
    from_ms: fromMs,
    to_ms: toMs,
    state: "active",
    version: 1,
    created_ms: now,
  };
  const shown = showIn(scope, reservation);
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const answer = await tenant.createReservation({
      ...act(),
      ...onceOf(scope, ROUTE, raw, { status: 201, body: shown }),
      reservation,
      ...(await judgedBy(scope, reservation)),
    });
    const before = answeredBefore(answer);
    if (before !== null) return before;
    if (answer.kind === "full")
      throw new ApiError(
        "INSUFFICIENT_RESOURCES",
        `at most ${answer.most} GPUs of ${body.offer} can be reserved in that window`,
      );
    if (answer.kind === "paused") break;
    if (answer.kind === "outdated") continue;
    control.wake();
    return json(201, shown, {
      etag: tagOf(reservation.version),
      location: `/api/v1/resources/reservations/${reservation.id}`,
    });
  }
  throw new ApiError("CONFLICT", `${body.offer} is being placed on; try again`, { retryAfter: 1 });
}

/**
 * What a reservation is judged by: the offer, what others use of it, and which allocations were known by then.
 *
 * @throws {ApiError} when there is no such offer, or it is not sold in such parts
 */
async function judgedBy(
  { planner }: TenantScope,
  { offer: id, gpus, from_ms }: Pick<ReservationRow, "offer" | "gpus" | "from_ms">,
): Promise<Pick<ReserveInput, "capacity" | "isWhole" | "inUse" | "known">> {
  // known before the snapshot is taken: it holds all of these, or they were given back since
  await planner.books.refresh();
  const known = [...planner.books.rows.values()].filter(({ offer }) => offer === id).map((row) => row.id);
  const snapshot = await planner.snapshot();
  const offer = snapshot.offers[offerIndexOf(snapshot, id)];
  if (offer === undefined) throw new ApiError("NOT_FOUND", "there is no such offer");
  const { capacity, divisible } = offer;
  if (!divisible && gpus !== capacity.gpus)
    throw new ApiError(
      "GPU_COUNT_INSUFFICIENT",
      `offer ${offer.id} is sold whole: accepted: ${capacity.gpus} GPUs`,
    );
  return { capacity: capacity.gpus, isWhole: !divisible, inUse: inUseBy(snapshot, offer, from_ms), known };
}

const notFound = (): ApiError => new ApiError("NOT_FOUND", "there is no such reservation");

async function find({ tenant, param }: TenantScope): Promise<ReservationRow> {
  const row = await tenant.reservation(param("id"));
  if (row === null) throw notFound();
  return row;
}

const PAGE = 50;

const listQuery = z.object({
  ...paging,
  status: z.enum(["active", "cancelled", "expired"]).optional(),
});

/** Capacity held for a window. */
export const reservationRoutes: readonly Route[] = [
  {
    method: "post",
    path: "/resources/reservations",
    permission: "resources:write",
    summary: "Hold capacity of an offer for a window",
    description:
      "Decisions for other tenants leave it free in the window; what the tenant itself runs there then runs on it. It ends with its window. Refused where reservations, or work that nothing ends before, leave too little.",
    body: wanted,
    headers: onceHeader,
    answers: {
      201: { description: "Held", schema: reservationSchema },
      409: {
        description:
          "Reservations or running work leave too little; with CONFLICT and Retry-After, what is placed there changes too fast to tell",
      },
      422: { description: "The Idempotency-Key was used with another body" },
    },
    handle: reserve,
  },
  {
    method: "get",
    path: "/resources/reservations",
    permission: "resources:read",
    summary: "The tenant's reservations, newest first",
    answers: { 200: { description: "One page", schema: pageOf("reservations", reservationSchema) } },
    ...queried(listQuery, async (scope, { limit = PAGE, cursor, status }) => {
      const { tenant, tenantId, tools, env } = scope;
      const before =
        cursor === undefined ? undefined : await tools.cursors.read(tenantId, "reservations", cursor);
      const rows = await tenant.reservations({
        atMs: env.clock.wallMs(),
        limit: limit + 1,
        ...(status === undefined ? {} : { status }),
        ...(before === undefined ? {} : { before }),
      });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return json(200, {
        reservations: page.map((row) => showIn(scope, row)),
        next_cursor:
          rows.length > limit && last !== undefined
            ? await tools.cursors.make(tenantId, "reservations", last.id)
            : null,
      });
    }),
  },
  {
    method: "get",
    path: "/resources/reservations/{id}",
    permission: "resources:read",
    summary: "One reservation",
    answers: { 200: { description: "The reservation", schema: reservationSchema } },
    async handle(scope) {
      const row = await find(scope);
      return json(200, showIn(scope, row), { etag: tagOf(row.version) });
    },
  },
  {
    method: "delete",
    path: "/resources/reservations/{id}",
    permission: "resources:write",
    summary: "Give a reservation back; repeated, it changes nothing",
    headers: { "If-Match": "Cancel only this version." },
    answers: {
      200: { description: "Given back", schema: reservationSchema },
      412: { description: "It has another version by now" },
    },
    async handle(scope) {
      checkMatch(scope.http, (await find(scope)).version);
      const row = await scope.tenant.cancelReservation({ ...scope.act(), id: scope.param("id") });
      if (row === null) throw notFound();
      scope.control.wake();
      return json(200, showIn(scope, row), { etag: tagOf(row.version) });
    },
  },
];
