import { appendAct, type Tx } from "../chain.ts";
import type { ReservationRow } from "../schema.ts";
import { insertRow, rowLimit, run } from "../statement.ts";
import type { Act, Fenced, ReservationFilter, Reserved, ReserveInput } from "../store.ts";
import type { TenantId } from "../tenant.ts";
import { lease } from "./lease.ts";

type Reader = Pick<Tx, "db">;

type Window = Pick<ReservationRow, "tenant_id" | "from_ms" | "to_ms" | "gpus">;

/** Most GPUs that are spoken for at any moment from `fromMs` on: per tenant the larger of what it reserved and uses. */
function peakOf(windows: readonly Window[], inUse: ReadonlyMap<string, number>, fromMs: number): number {
  const spokenFor = (at: number): number => {
    const byTenant = new Map(inUse);
    for (const [tenant, own] of Map.groupBy(windows, ({ tenant_id }) => tenant_id)) {
      const reserved = own.reduce(
        (sum, { from_ms, to_ms, gpus }) => sum + (from_ms <= at && at < to_ms ? gpus : 0),
        0,
      );
      byTenant.set(tenant, Math.max(reserved, inUse.get(tenant) ?? 0));
    }
    return [...byTenant.values()].reduce((sum, gpus) => sum + gpus, 0);
  };
  const starts = [fromMs, ...windows.map(({ from_ms }) => from_ms).filter((at) => at > fromMs)];
  return Math.max(...starts.map(spokenFor));
}

/** In `meta`: the epoch in which no reservation is stored. */
const PAUSED = "reservations.paused";

/** See `SystemStore.pauseReservations`. */
export async function pauseReservations(
  { db }: Tx,
  { epoch, isPaused }: Fenced & { readonly isPaused: boolean },
): Promise<void> {
  const value = isPaused ? String(epoch) : "";
  await db
    .insertInto("meta")
    .values({ key: PAUSED, value })
    .onConflict((conflict) => conflict.column("key").doUpdateSet({ value }))
    .execute();
}

/** Whoever paused them in an epoch that is over may have died before it went on. */
async function isPaused(tx: Tx): Promise<boolean> {
  const { db } = tx;
  const row = await db.selectFrom("meta").select("value").where("key", "=", PAUSED).executeTakeFirst();
  return row !== undefined && row.value !== "" && row.value === String((await lease(tx)).epoch);
}

/**
 * Reservations after number `seq` that hold anything. Writes happen one after another: a decision that finds none here
 * knew of all that are stored before it.
 */
export function reservedSince(
  { db }: Tx,
  { seq, atMs }: { readonly seq: number; readonly atMs: number },
): Promise<Pick<ReservationRow, "offer" | "tenant_id">[]> {
  return run(
    db,
    "reservations since",
    () =>
      db
        .selectFrom("reservations")
        .select(["offer", "tenant_id"])
        .where("seq", ">", seq)
        .where("state", "=", "active")
        .where("to_ms", ">", atMs),
    [seq, "active", atMs],
  );
}

/** What others use of the offer without the caller's having seen it, by tenant. */
async function placedMeanwhile(
  { db }: Tx,
  tenant: TenantId,
  { reservation: { offer }, known, isWhole, capacity }: ReserveInput,
): Promise<Map<string, number>> {
  const here = await db
    .selectFrom("allocations")
    .select(["id", "tenant_id", "gpus"])
    .where("offer", "=", offer)
    .where("released_ms", "is", null)
    .execute();
  const seen = new Set(known);
  const placed = new Map<string, number>();
  for (const { id, tenant_id, gpus } of here)
    if (!seen.has(id) && tenant_id !== tenant)
      placed.set(tenant_id, isWhole ? capacity : (placed.get(tenant_id) ?? 0) + gpus);
  return placed;
}

/** See `TenantStore.createReservation`. */
export async function createReservation(tx: Tx, tenant: TenantId, input: ReserveInput): Promise<Reserved> {
  if (await isPaused(tx)) return { kind: "paused" };
  const { reservation, capacity, inUse } = input;
  const { offer, from_ms: fromMs, to_ms: toMs } = reservation;
  const windows = await run(
    tx.db,
    "windows of an offer",
    () =>
      tx.db
        .selectFrom("reservations")
        .select(["tenant_id", "from_ms", "to_ms", "gpus"])
        .where("offer", "=", offer)
        .where("state", "=", "active")
        .where("to_ms", ">", fromMs)
        .where("from_ms", "<", toMs),
    [offer, "active", fromMs, toMs],
  );
  const others = new Map(inUse.map(({ tenant: name, gpus }) => [name, gpus]));
  // what the tenant itself uses will count as use of its reservation
  others.delete(tenant);
  const most = Math.max(0, capacity - peakOf(windows, others, fromMs));
  if (reservation.gpus > most) return { kind: "full", most };
  const meanwhile = await placedMeanwhile(tx, tenant, input);
  if (meanwhile.size > 0) {
    for (const [name, gpus] of meanwhile) others.set(name, gpus + (others.get(name) ?? 0));
    if (reservation.gpus > capacity - peakOf(windows, others, fromMs)) return { kind: "outdated" };
  }
  await insertRow(tx.db, "reservations", { ...reservation, tenant_id: tenant, seq: (await lastSeq(tx)) + 1 });
  await appendAct(tx, tenant, input, "reservation.create", reservation.id);
  return { kind: "reserved" };
}

/** Number of the last reservation; 0 before the first. */
async function lastSeq({ db }: Tx): Promise<number> {
  const { seq } = await db
    .selectFrom("reservations")
    .select(({ fn }) => fn.max<number | null>("seq").as("seq"))
    .executeTakeFirstOrThrow();
  return seq ?? 0;
}

/** See `TenantStore.reservations`. */
export function reservationPage(
  { db }: Reader,
  tenant: TenantId,
  { status, atMs, before, limit }: ReservationFilter,
): Promise<ReservationRow[]> {
  let query = db.selectFrom("reservations").selectAll().where("tenant_id", "=", tenant);
  if (status === "cancelled") query = query.where("state", "=", "cancelled");
  if (status === "expired") query = query.where("state", "=", "active").where("to_ms", "<=", atMs);
  if (status === "active") query = query.where("state", "=", "active").where("to_ms", ">", atMs);
  if (before !== undefined) query = query.where("id", "<", before);
  return query.orderBy("id", "desc").limit(rowLimit(limit)).execute();
}

/** See `SystemStore.openReservations`. */
export async function openReservations({ db }: Reader, atMs: number): Promise<ReservationRow[]> {
  const rows = await run(
    db,
    "open reservations",
    () => db.selectFrom("reservations").selectAll().where("state", "=", "active").where("to_ms", ">", atMs),
    ["active", atMs],
  );
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** See `TenantStore.reservation`. */
export async function reservationOf(
  { db }: Reader,
  tenant: TenantId,
  id: string,
): Promise<ReservationRow | null> {
  const found = await db
    .selectFrom("reservations")
    .selectAll()
    .where("id", "=", id)
    .where("tenant_id", "=", tenant)
    .executeTakeFirst();
  return found ?? null;
}

/** See `TenantStore.cancelReservation`. */
export async function cancelReservation(
  tx: Tx,
  tenant: TenantId,
  input: Act & { readonly id: string },
): Promise<ReservationRow | null> {
  const found = await reservationOf(tx, tenant, input.id);
  // one that has run out is history: it was never given back
  if (found === null || found.state !== "active" || found.to_ms <= input.atMs) return found;
  const after = { ...found, state: "cancelled", version: found.version + 1 };
  await tx.db
    .updateTable("reservations")
    .set({ state: after.state, version: after.version })
    .where("id", "=", found.id)
    .execute();
  await appendAct(tx, tenant, input, "reservation.cancel", found.id);
  return after;
}
