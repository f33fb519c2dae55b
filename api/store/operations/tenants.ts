import type { Phase } from "../../control/lifecycle.ts";
import { appendAct, type Tx } from "../chain.ts";
import type { TenantRow } from "../schema.ts";
import { run } from "../statement.ts";
import type { Account, Act, TenantChange } from "../store.ts";
import type { TenantId } from "../tenant.ts";

type Reader = Pick<Tx, "db">;

async function tenantOf({ db }: Reader, id: string): Promise<TenantRow | undefined> {
  const byId = () =>
    db
      .selectFrom("tenants")
      .selectAll()
      .where("id", "=", id as TenantId);
  const [row] = await run(db, "tenant by id", byId, [id]);
  return row;
}

/** See `SystemStore.tenants`. */
export function allTenants({ db }: Reader): Promise<TenantRow[]> {
  return run(db, "all tenants", () => db.selectFrom("tenants").selectAll().orderBy("id"), []);
}

/** See `SystemStore.tenant`. */
export async function tenantById(reader: Reader, id: string): Promise<TenantRow | null> {
  return (await tenantOf(reader, id)) ?? null;
}

/** See `SystemStore.createTenant`. */
export async function createTenant(
  tx: Tx,
  { tenant, ...act }: Act & { readonly tenant: TenantRow },
): Promise<{ readonly kind: "created" | "exists" }> {
  if ((await tenantOf(tx, tenant.id)) !== undefined) return { kind: "exists" };
  await tx.db.insertInto("tenants").values(tenant).execute();
  await appendAct(tx, tenant.id, act, "tenant.create", tenant.id);
  return { kind: "created" };
}

/** See `SystemStore.changeTenant`. */
export async function changeTenant(
  tx: Tx,
  { id, set, ...act }: Act & { readonly id: string; readonly set: TenantChange },
): Promise<TenantRow | null> {
  const before = await tenantOf(tx, id);
  if (before === undefined) return null;
  if (Object.keys(set).length > 0)
    await tx.db.updateTable("tenants").set(set).where("id", "=", before.id).execute();
  await appendAct(tx, before.id, act, `tenant.change ${Object.keys(set).sort().join(" ")}`.trim(), before.id);
  return { ...before, ...set };
}

/** See `TenantStore.account`. */
export async function account(reader: Reader, tenant: TenantId): Promise<Account> {
  const row = await tenantOf(reader, tenant);
  const { db } = reader;
  const [held] = await run(
    db,
    "what a tenant holds",
    () =>
      db
        .selectFrom("allocations")
        .select(({ fn }) => [fn.sum<number>("gpus").as("gpus"), fn.sum<number>("cost_micro").as("costMicro")])
        .where("released_ms", "is", null)
        .where("tenant_id", "=", tenant),
    [tenant],
  );
  return { tenant: row ?? null, gpus: Number(held?.gpus ?? 0), costMicro: Number(held?.costMicro ?? 0) };
}

/** See `SystemStore.phaseCounts`. */
export async function phaseCounts({ db }: Reader): Promise<{ phase: Phase; count: number }[]> {
  const rows = await db
    .selectFrom("intents")
    .select(({ fn }) => ["phase", fn.countAll<number>().as("count")])
    .where("terminal_ms", "is", null)
    .groupBy("phase")
    .execute();
  return rows.map(({ phase, count }) => ({ phase, count: Number(count) }));
}

/** See `SystemStore.secret`. */
export async function secret(
  { db }: Tx,
  { name, fresh }: { readonly name: string; readonly fresh: string },
): Promise<string> {
  const key = `secret.${name}`;
  await db
    .insertInto("meta")
    .values({ key, value: fresh })
    .onConflict((conflict) => conflict.column("key").doNothing())
    .execute();
  const { value } = await db
    .selectFrom("meta")
    .select("value")
    .where("key", "=", key)
    .executeTakeFirstOrThrow();
  return value;
}
