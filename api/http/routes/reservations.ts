import { z } from "@hono/zod-openapi";
import { formatTime, parseTime } from "../../../engine/model/time.ts";
import type { ReservationRow } from "../../store/schema.ts";
import { readBody } from "../body.ts";
import { checkMatch, tagOf } from "../condition.ts";
import { ApiError } from "../problem.ts";
import { json, type Route, type TenantScope } from "../route.ts";
import { readShape } from "../shape.ts";
import { pageOf, reservationSchema } from "../shapes.ts";

const DAY_MS = 86_400_000;
/** Furthest end of a reservation. */
const MOST_AHEAD_MS = 366 * DAY_MS;
/** Most open reservations of a tenant. */
const MOST_OPEN = 200;

const wanted = z.strictObject({
  offer: z.string().min(1).max(253),
  gpus: z.int().min(1).max(100_000),
  start: z.string().openapi({ format: "date-time" }),
  end: z.string().openapi({ format: "date-time" }),
});

function show(row: Omit<ReservationRow, "tenant_id">, nowMs: number): Record<string, unknown> {
  return {
    reservation_id: row.id,
    offer: row.offer,
    gpus: row.gpus,
    start: formatTime(row.from_ms),
    end: formatTime(row.to_ms),
    status: row.state === "active" && row.to_ms <= nowMs ? "expired" : row.state,
    version: row.version,
    created_at: formatTime(row.created_ms),
  };
}

/** @throws {ApiError} 400 when it ends before it starts, lies in the past or too far ahead */
function windowOf({ start, end }: { start: string; end: string }, nowMs: number) {
  const fromMs = parseTime(start);
  const toMs = parseTime(end);
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

async function reserve(scope: TenantScope): Promise<Response> {
  const { env, tenant, planner, act, http, control } = scope;
  const body = readShape(wanted, (await readBody(http)).document);
  const now = env.clock.wallMs();
  const { fromMs, toMs } = windowOf(body, now);
  const { offers } = await planner.snapshot();
  const offer = offers.find(({ id }) => id === body.offer);
  if (offer === undefined) throw new ApiError("NOT_FOUND", "there is no such offer");
  const { gpus: capacity } = offer.capacity;
  if (!offer.divisible && body.gpus !== capacity)
    throw new ApiError(
      "GPU_COUNT_INSUFFICIENT",
      `offer ${offer.id} is sold whole: accepted: ${capacity} GPUs`,
    );
  const open = (await tenant.reservations()).filter(({ state, to_ms }) => state === "active" && to_ms > now);
  if (open.length >= MOST_OPEN)
    throw new ApiError("QUOTA_EXCEEDED", `${open.length} of ${MOST_OPEN} reservations are open`, {
      retryAfter: 60,
    });
  const reservation = {
    id: env.ids.next("rsv"),
    offer: offer.id,
    gpus: body.gpus,
    from_ms: fromMs,
    to_ms: toMs,
    state: "active",
    version: 1,
    created_ms: now,
  };
  const answer = await tenant.createReservation({ ...act(), reservation, capacity });
  if (answer.kind === "full")
    throw new ApiError(
      "INSUFFICIENT_RESOURCES",
      `at most ${answer.most} GPUs of ${offer.id} can be reserved in that window`,
    );
  control.wake();
  return json(201, show(reservation, now), {
    etag: tagOf(reservation.version),
    location: `/api/v1/resources/reservations/${reservation.id}`,
  });
}

const notFound = (): ApiError => new ApiError("NOT_FOUND", "there is no such reservation");

async function find({ tenant, param }: TenantScope): Promise<ReservationRow> {
  const id = param("id");
  const row = (await tenant.reservations()).find((one) => one.id === id);
  if (row === undefined) throw notFound();
  return row;
}

/** Capacity held for a window. */
export const reservationRoutes: readonly Route[] = [
  {
    method: "post",
    path: "/resources/reservations",
    permission: "resources:write",
    summary: "Hold capacity of an offer for a window",
    body: wanted,
    answers: {
      201: { description: "Held", schema: reservationSchema },
      409: { description: "Other reservations leave too little" },
    },
    handle: reserve,
  },
  {
    method: "get",
    path: "/resources/reservations",
    permission: "resources:read",
    summary: "The tenant's reservations",
    answers: { 200: { description: "Reservations", schema: pageOf("reservations", reservationSchema) } },
    async handle({ tenant, env }) {
      const now = env.clock.wallMs();
      return json(200, {
        reservations: (await tenant.reservations()).map((row) => show(row, now)),
        next_cursor: null,
      });
    },
  },
  {
    method: "get",
    path: "/resources/reservations/{id}",
    permission: "resources:read",
    summary: "One reservation",
    answers: { 200: { description: "The reservation", schema: reservationSchema } },
    async handle(scope) {
      const row = await find(scope);
      return json(200, show(row, scope.env.clock.wallMs()), { etag: tagOf(row.version) });
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
      return json(200, show(row, scope.env.clock.wallMs()), { etag: tagOf(row.version) });
    },
  },
];
