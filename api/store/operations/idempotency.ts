import type { Act } from "../act.ts";
import type { Tx } from "../chain.ts";
import { run } from "../statement.ts";
import type { Answered, IdempotencyKey, KeptAnswer, Once } from "../store.ts";
import type { TenantId } from "../tenant.ts";

type Reader = Pick<Tx, "db">;

/** See `TenantStore.keptAnswer`. */
export async function keptAnswer(
  { db }: Reader,
  tenant: TenantId,
  { key, atMs }: { readonly key: string; readonly atMs: number },
): Promise<(KeptAnswer & { requestHash: string }) | null> {
  const [row] = await run(
    db,
    "idempotency by key",
    () => db.selectFrom("idempotency").selectAll().where("tenant_id", "=", tenant).where("key", "=", key),
    [tenant, key],
  );
  return row === undefined || row.expires_ms <= atMs
    ? null
    : { status: row.status, response: row.response, requestHash: row.request_hash };
}

/** What was answered under the caller's key, if it gave one and it was used; null: the request is new. */
export async function answeredBefore(
  reader: Reader,
  tenant: TenantId,
  idempotency: IdempotencyKey | undefined,
  atMs: number,
): Promise<Answered | null> {
  if (idempotency === undefined) return null;
  const kept = await keptAnswer(reader, tenant, { key: idempotency.key, atMs });
  if (kept === null) return null;
  const { requestHash, ...answer } = kept;
  return requestHash === idempotency.requestHash ? { kind: "replayed", ...answer } : { kind: "mismatch" };
}

/** Keeps an answer under the caller's key, if it gave one, in the transaction of what it tells. */
export async function keepAnswer(
  { db }: Reader,
  tenant: TenantId,
  idempotency: IdempotencyKey | undefined,
  { status, response }: KeptAnswer,
): Promise<void> {
  if (idempotency === undefined) return;
  const { key, requestHash, expiresMs } = idempotency;
  const row = {
    tenant_id: tenant,
    key,
    request_hash: requestHash,
    status,
    response,
    expires_ms: expiresMs,
  };
  await run(
    db,
    "keep answer",
    () =>
      db
        .insertInto("idempotency")
        .values(row)
        .onConflict((conflict) =>
          // an answer that has expired makes room
          conflict.columns(["tenant_id", "key"]).doUpdateSet((update) => ({
            request_hash: update.ref("excluded.request_hash"),
            status: update.ref("excluded.status"),
            response: update.ref("excluded.response"),
            expires_ms: update.ref("excluded.expires_ms"),
          })),
        ),
    [tenant, key, requestHash, status, response, expiresMs],
  );
}

/**
 * A write that is done once per key of its caller: repeated with the same body it says what was answered, and changes
 * nothing.
 *
 * @param isDone whether a result is one to keep; what was refused may be tried again
 */
export function once<Input extends Act & Once, Result>(
  write: (tx: Tx, tenant: TenantId, input: Input) => Promise<Result>,
  isDone: (result: Result) => boolean,
): (tx: Tx, tenant: TenantId, input: Input) => Promise<Result | Answered> {
  return async (tx, tenant, input) => {
    const { once: key } = input;
    const before = await answeredBefore(tx, tenant, key, input.atMs);
    if (before !== null) return before;
    const result = await write(tx, tenant, input);
    if (key !== undefined && isDone(result)) await keepAnswer(tx, tenant, key, key.answer);
    return result;
  };
}
