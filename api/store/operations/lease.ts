import { appendAudit, type Tx } from "../chain.ts";
import { StoreError } from "../errors.ts";
import { run } from "../statement.ts";
import type { Act, Fenced, Lease } from "../store.ts";

const NAME = "control";

/** See `SystemStore.lease`. */
export async function lease({ db }: Pick<Tx, "db">): Promise<Lease> {
  const [row] = await run(
    db,
    "lease",
    () => db.selectFrom("leases").select(["holder", "epoch", "renewals"]).where("name", "=", NAME),
    [NAME],
  );
  return row ?? { holder: "", epoch: 0, renewals: 0 };
}

/**
 * The fence of every decision: the lease is still of `epoch`. Writes happen one after another, takings of the lease
 * among them, so what holds here holds until the commit.
 *
 * @throws {StoreError} `fenced`
 */
async function assertEpoch(tx: Tx, { epoch }: Fenced): Promise<void> {
  const now = await lease(tx);
  if (now.epoch !== epoch)
    throw new StoreError("fenced", `epoch ${epoch} is over: epoch ${now.epoch} decides`);
}

/** A write of the deciding process: done only in the epoch that it names. */
export function fenced<Input extends Fenced, Result>(
  write: (tx: Tx, input: Input) => Promise<Result>,
): (tx: Tx, input: Input) => Promise<Result> {
  return async (tx, input) => {
    await assertEpoch(tx, input);
    return write(tx, input);
  };
}

/** See `SystemStore.takeLease`. */
export async function takeLease(
  tx: Tx,
  {
    holder,
    seen,
    ...act
  }: Act & { readonly holder: string; readonly seen: Pick<Lease, "epoch" | "renewals"> },
): Promise<number | null> {
  const now = await lease(tx);
  if (now.epoch !== seen.epoch || now.renewals !== seen.renewals) return null;
  const epoch = now.epoch + 1;
  const taken = { holder, epoch, renewals: 0 };
  await tx.db
    .insertInto("leases")
    .values({ name: NAME, ...taken })
    .onConflict((conflict) => conflict.column("name").doUpdateSet(taken))
    .execute();
  await appendAudit(tx, {
    tenant_id: "",
    at_ms: act.atMs,
    actor: act.actor,
    action: "control.lead",
    target: `epoch ${epoch}`,
    outcome: "allowed",
    request_id: act.requestId,
  });
  return epoch;
}

/** See `SystemStore.renewLease`. */
export async function renewLease({ db }: Tx, { epoch }: Fenced): Promise<boolean> {
  const renewed = await run(
    db,
    "renew lease",
    () =>
      db
        .updateTable("leases")
        .set((update) => ({ renewals: update("renewals", "+", 1) }))
        .where("name", "=", NAME)
        .where("epoch", "=", epoch)
        .returning("epoch"),
    [1, NAME, epoch],
  );
  return renewed.length > 0;
}

/** See `SystemStore.releaseLease`. */
export async function releaseLease({ db }: Tx, { epoch }: Fenced): Promise<void> {
  await db
    .updateTable("leases")
    .set({ holder: "" })
    .where("name", "=", NAME)
    .where("epoch", "=", epoch)
    .execute();
}
