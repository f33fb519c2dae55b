import { appendAct, type Tx } from "../chain.ts";
import type { TenantRow, TokenRow } from "../schema.ts";
import { run } from "../statement.ts";
import type { Act } from "../store.ts";
import type { TenantId } from "../tenant.ts";

/** See `TenantStore.createToken`. */
export async function createToken(
  tx: Tx,
  tenant: TenantId,
  input: Act & { readonly token: Omit<TokenRow, "tenant_id">; readonly most?: number },
): Promise<{ readonly kind: "created" } | { readonly kind: "full"; readonly active: number }> {
  if (input.most !== undefined) {
    const { count } = await tx.db
      .selectFrom("tokens")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("tenant_id", "=", tenant)
      .where("revoked_ms", "is", null)
      .where("expires_ms", ">", input.atMs)
      .executeTakeFirstOrThrow();
    if (Number(count) >= input.most) return { kind: "full", active: Number(count) };
  }
  await tx.db
    .insertInto("tokens")
    .values({ ...input.token, tenant_id: tenant })
    .execute();
  await appendAct(tx, tenant, input, "token.create", input.token.id);
  return { kind: "created" };
}

/** See `SystemStore.tokenById`. */
export async function tokenById(
  { db }: Pick<Tx, "db">,
  id: string,
): Promise<(TokenRow & { readonly tenant_status: TenantRow["status"] }) | null> {
  const [row] = await run(
    db,
    "token by id",
    () =>
      db
        .selectFrom("tokens")
        .innerJoin("tenants", "tenants.id", "tokens.tenant_id")
        .selectAll("tokens")
        .select("tenants.status as tenant_status")
        .where("tokens.id", "=", id),
    [id],
  );
  return row ?? null;
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
  await appendAct(tx, tenant, input, "token.revoke", token.id);
  return { ...token, revoked_ms: input.atMs };
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
    await run(
      db,
      "use of a token",
      () => db.updateTable("tokens").set({ last_used_ms: atMs }).where("id", "=", id),
      [atMs, id],
    );
}
