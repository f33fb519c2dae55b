import { expect } from "vitest";
import type { Store } from "../../../api/store/store.ts";
import { trustTenant } from "../../../api/store/tenant.ts";
import { acceptance, tenantOf } from "./rows.ts";

/** An allocation but for whose it is. */
const held = {
  offer: "o",
  provider: "p",
  region: null,
  replicas: 1,
  cpu_milli: 0,
  memory_mib: 0,
  spot: 0,
  cost_micro: 1,
  currency: "EUR",
  state: "planned",
  contract: null,
  service_url: null,
  expires_ms: null,
  billed_ms: null,
  released_ms: null,
};

/** Compares with a count over rows that begin and end within, at and outside the points. */
export async function checkUsage(store: Store): Promise<void> {
  const tenant = await tenantOf(store, "one");
  const rows: { created_ms: number; released_ms: number | null; gpus: number }[] = [];
  for (let index = 0; index < 12; index++) {
    const id = `a${index}`;
    const created_ms = 1000 + index * 7;
    const released_ms = index % 3 === 0 ? null : created_ms + ((index * 5) % 31);
    const gpus = 1 + (index % 4);
    rows.push({ created_ms, released_ms, gpus });
    await tenant.acceptIntent(acceptance(id));
    const act = { actor: "control", atMs: created_ms, requestId: "r", id, epoch: 0 };
    const row = { ...held, id, intent_id: id, tenant_id: trustTenant("one"), gpus, created_ms };
    await store.system.changeIntent({ ...act, version: 1, newAllocations: [row] });
    if (released_ms !== null)
      await store.system.changeIntent({
        ...act,
        version: 2,
        allocations: [{ id, set: { released_ms } }],
      });
  }
  for (const [fromMs, untilMs, points] of [
    [990, 1100, 2],
    [1000, 1077, 12],
    [1020, 1041, 50],
    [1005, 1006, 3],
    [2000, 3000, 4],
  ] as const) {
    const counted = Array.from({ length: points }, (_, index) => {
      const atMs = fromMs + Math.floor(((untilMs - fromMs) * index) / (points - 1));
      return rows.reduce(
        (sum, one) =>
          one.created_ms <= atMs && (one.released_ms === null || one.released_ms > atMs)
            ? sum + one.gpus
            : sum,
        0,
      );
    });
    expect(await store.system.gpusInUse({ fromMs, untilMs, points })).toEqual(counted);
  }
}
