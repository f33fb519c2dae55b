import type { TenantRow } from "../../api/store/schema.ts";
import type { Quota } from "../../engine/model/snapshot.ts";
import type { Entry } from "../books.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";

interface Limits {
  readonly cohort: string | null;
  readonly nominal: number;
  readonly borrowing: number;
  readonly lending: number;
}

/** The quota of all GPUs, as the tenant's row says; null where none is stated. */
function limitsOf({ quotas, cohort }: Pick<TenantRow, "quotas" | "cohort">): Limits | null {
  const [quota] = (JSON.parse(quotas) as Quota[]).filter(({ gpuClass }) => gpuClass === "*");
  if (quota === undefined) return null;
  const { nominal, borrowing = Number.POSITIVE_INFINITY, lending = nominal } = quota;
  return { cohort, nominal, borrowing, lending: Math.min(lending, nominal) };
}

/** GPUs of each tenant that are not on their way back. */
function usedBy({ database }: World): Map<string, number> {
  const rows = database.rows<{ tenant_id: string; gpus: number }>(
    `select a.tenant_id, sum(a.gpus) as gpus from allocations a join intents i on i.id = a.intent_id
     where a.released_ms is null and i.phase <> 'releasing' group by a.tenant_id`,
  );
  return new Map(rows.map(({ tenant_id, gpus }) => [tenant_id, gpus]));
}

/**
 * Quotas: with every new placement its tenant stays within nominal and borrowing, and its cohort within what its
 * members own. While quotas are being changed nothing can be said: decisions are made on the ones before.
 */
export function checkQuotas(world: World, fresh: readonly Entry[]): void {
  if (world.swarm.weights.quota > 0) return;
  const placed = new Set(
    fresh.filter(({ row }) => row.kind === "intent.placing").map(({ row }) => row.tenant_id),
  );
  if (placed.size === 0) return;
  const tenants = new Map(
    world.database.rows<TenantRow>("select * from tenants").map((row) => [row.id as string, limitsOf(row)]),
  );
  const used = usedBy(world);
  for (const name of placed) {
    const own = tenants.get(name) ?? null;
    if (own === null) continue;
    const others = [...tenants].filter(
      ([other, limits]) => other !== name && limits !== null && limits.cohort === own.cohort,
    );
    const lent =
      own.cohort === null ? 0 : others.reduce((sum, [, limits]) => sum + (limits?.lending ?? 0), 0);
    const most = own.nominal + Math.min(own.borrowing, lent);
    const has = used.get(name) ?? 0;
    check(has <= most, "quota", () => `${name} holds ${has} GPUs of at most ${most}`);
  }
}
