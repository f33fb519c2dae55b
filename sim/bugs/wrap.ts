import type { Store, SystemStore, TenantStore } from "../../api/store/store.ts";

/** A store some of whose methods are others. */
export function wrapStore(
  store: Store,
  changes: {
    readonly tenant?: (inner: TenantStore) => Partial<TenantStore>;
    readonly system?: (inner: SystemStore) => Partial<SystemStore>;
  },
): Store {
  const system = { ...store.system, ...changes.system?.(store.system) };
  return {
    ...store,
    system,
    forTenant(tenant) {
      const inner = store.forTenant(tenant);
      return { ...inner, ...changes.tenant?.(inner) };
    },
  };
}

/** Puts a condition that always holds in the place of one. */
export const without =
  (start: string, condition: string): ((sql: string) => string) =>
  (sql) =>
    sql.startsWith(start) && sql.includes(condition) ? sql.replace(condition, "? is not null") : sql;

/** True for one in `every` of the statements that start so. */
export function nth(start: string, every: number): (sql: string) => boolean {
  let count = 0;
  return (sql) => sql.startsWith(start) && ++count % every === 0;
}
