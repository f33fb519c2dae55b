import type { AcceptIntent, Store, TenantStore } from "../../../api/store/store.ts";
import { trustTenant } from "../../../api/store/tenant.ts";

/** An accepted intent, as the API would store it. */
export function acceptance(id: string, more: Partial<AcceptIntent> = {}): AcceptIntent {
  return {
    id,
    name: `name-${id}`,
    kind: "service",
    priority: 500,
    document: "{}",
    spec: "{}",
    message: "received",
    answer: { status: 202, response: `{"intent_id":"${id}"}` },
    actor: "token:test",
    atMs: 1000,
    requestId: "req",
    ...more,
  };
}

/** Makes a tenant and returns its part of the store. */
export async function tenantOf(store: Store, name: string): Promise<TenantStore> {
  const id = trustTenant(name);
  await store.system.ensureTenant({
    id,
    weight: 1,
    status: "active",
    quotas: "[]",
    cohort: null,
    created_ms: 0,
  });
  return store.forTenant(id);
}
