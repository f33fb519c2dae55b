import { appendAudit, type Tx } from "../chain.ts";
import type { ReservationRow, TenantRow, TokenRow } from "../schema.ts";
import type { Act, Reserved } from "../store.ts";
import type { TenantId } from "../tenant.ts";

/** One audit row of an act on something of the tenant. */
function record(tx: Tx, tenant: TenantId, act: Act, action: string, target: string): Promise<void> {
  return appendAudit(tx, {
    tenant_id: tenant,
    at_ms: act.atMs,
    actor: act.actor,
    action,
    target,
    outcome: "allowed",
    request_id: act.requestId,
  });
}

/** See `TenantStore.createToken`. */
export async function createToken(
  tx: Tx,
  tenant: TenantId,
  input: Act & { readonly token: Omit<TokenRow, "tenant_id"> },
): Promise<void> {
  await tx.db
    .insertInto("tokens")
    .values({ ...input.token, tenant_id: tenant })
    .execute();
  await record(tx, tenant, input, "token.create", input.token.id);
}

/** See `SystemStore.hasTokens`. */
export async function hasTokens({ db }: Pick<Tx, "db">): Promise<boolean> {
  return (await db.selectFrom("tokens").select("id").limit(1).executeTakeFirst()) !== undefined;
}

/** See `SystemStore.createFirstToken`. */
export async function createFirstToken(
  tx: Tx,
  { token, ...act }: Act & { readonly token: TokenRow },
): Promise<boolean> {
  if (await hasTokens(tx)) return false;
  const { tenant_id: tenant, ...rest } = token;
  await createToken(tx, tenant, { ...act, token: rest });
  return true;
}

/** See `TenantStore.revokeToken`. */
export async function revokeToken(
  tx: Tx,
  tenant: TenantId,
  input: Act & { readonly id: string },
): Promise<TokenRow | null> {
  const token = await tx.db
    .selectFrom("tokens")
    .selectAll()
    .where("id", "=", input.id)
    .where("tenant_id", "=", tenant)
    .executeTakeFirst();
  if (token === undefined || token.revoked_ms !== null) return token ?? null;
  await tx.db.updateTable("tokens").set({ revoked_ms: input.atMs }).where("id", "=", token.id).execute();
  await record(tx, tenant, input, "token.revoke", token.id);
  return { ...token, revoked_ms: input.atMs };
}

/** Most GPUs of an offer that reservations hold at one moment of a window: it changes only where one starts. */
function peakOf(
  reservations: readonly Pick<ReservationRow, "from_ms" | "to_ms" | "gpus">[],
  fromMs: number,
): number {
  const starts = [fromMs, ...reservations.map(({ from_ms }) => from_ms).filter((at) => at > fromMs)];
  const heldAt = (at: number): number =>
    reservations.reduce((sum, one) => sum + (one.from_ms <= at && at < one.to_ms ? one.gpus : 0), 0);
  return Math.max(...starts.map(heldAt));
}

/** See `TenantStore.createReservation`. */
export async function createReservation(
  tx: Tx,
  tenant: TenantId,
  input: Act & { readonly reservation: Omit<ReservationRow, "tenant_id">; readonly capacity: number },
): Promise<Reserved> {
  const { reservation, capacity } = input;
  const others = await tx.db
    .selectFrom("reservations")
    .select(["from_ms", "to_ms", "gpus"])
    .where("offer", "=", reservation.offer)
    .where("state", "=", "active")
    .where("to_ms", ">", reservation.from_ms)
    .where("from_ms", "<", reservation.to_ms)
    .execute();
  const most = Math.max(0, capacity - peakOf(others, reservation.from_ms));
  if (reservation.gpus > most) return { kind: "full", most };
  await tx.db
    .insertInto("reservations")
    .values({ ...reservation, tenant_id: tenant })
    .execute();
  await record(tx, tenant, input, "reservation.create", reservation.id);
  return { kind: "reserved" };
}

/** See `TenantStore.cancelReservation`. */
export async function cancelReservation(
  tx: Tx,
  tenant: TenantId,
  input: Act & { readonly id: string },
): Promise<ReservationRow | null> {
  const found = await tx.db
    .selectFrom("reservations")
    .selectAll()
    .where("id", "=", input.id)
    .where("tenant_id", "=", tenant)
    .executeTakeFirst();
  if (found === undefined || found.state !== "active") return found ?? null;
  const after = { ...found, state: "cancelled", version: found.version + 1 };
  await tx.db
    .updateTable("reservations")
    .set({ state: after.state, version: after.version })
    .where("id", "=", found.id)
    .execute();
  await record(tx, tenant, input, "reservation.cancel", found.id);
  return after;
}

/** See `SystemStore.ensureTenant`. */
export async function ensureTenant({ db }: Tx, tenant: TenantRow): Promise<void> {
  await db
    .insertInto("tenants")
    .values(tenant)
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
}

/** See `SystemStore.touchTokens`. */
export async function touchTokens(
  { db }: Tx,
  uses: readonly { readonly id: string; readonly atMs: number }[],
): Promise<void> {
  for (const { id, atMs } of uses)
    await db.updateTable("tokens").set({ last_used_ms: atMs }).where("id", "=", id).execute();
}
