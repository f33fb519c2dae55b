import type { Tenant } from "../../engine/model/snapshot.ts";
import type { HeldRow, WaitingRow } from "../store/store.ts";

/** The cohort at the top of a tenant's, or the tenant itself: within it quota is lent. */
function rootOf(tenant: string, cohorts: ReadonlyMap<string, string | undefined>): string {
  const seen = new Set<string>();
  let name = tenant;
  for (let above = cohorts.get(name); above !== undefined && !seen.has(name); above = cohorts.get(name)) {
    seen.add(name);
    name = above;
  }
  return name;
}

/**
 * Waiting intents whose place something may have taken that can make way from now on: it is less urgent and may be evicted,
 * or of another tenant of the same cohort, which may have borrowed.
 *
 * @param ripe what runs and could not make way before, with whether it may be evicted
 */
export function mayTakeOver(
  waiting: readonly WaitingRow[],
  ripe: readonly { readonly row: HeldRow; readonly isEvictable: boolean }[],
  tenants: readonly Tenant[],
): string[] {
  if (ripe.length === 0 || waiting.length === 0) return [];
  const cohorts = new Map(tenants.map(({ name, cohort }) => [name, cohort]));
  const least = Math.min(
    ...ripe.map(({ row, isEvictable }) => (isEvictable ? row.intent_priority : Number.POSITIVE_INFINITY)),
  );
  /** Tenants with something ripe, by the root of their cohorts. */
  const kin = Map.groupBy(new Set(ripe.map(({ row }) => row.tenant_id as string)), (name) =>
    rootOf(name, cohorts),
  );
  const mayReclaim = (tenant: string): boolean =>
    kin.get(rootOf(tenant, cohorts))?.some((name) => name !== tenant) ?? false;
  return waiting
    .filter(({ priority, tenant_id }) => priority > least || mayReclaim(tenant_id))
    .map(({ id }) => id);
}
