import { expect } from "vitest";
import type { Store } from "../../../api/store/store.ts";
import { tenantOf } from "./rows.ts";

/** Of many that are asked for at once no more are made than there may be; revoked and expired ones do not count. */
export async function checkTokenLimit(store: Store): Promise<void> {
  const tenant = await tenantOf(store, "one");
  const act = { actor: "x", atMs: 1000, requestId: "r" };
  const make = (id: string, expires_ms = 9000, atMs = act.atMs) =>
    tenant.createToken({
      ...act,
      atMs,
      most: 3,
      token: {
        id,
        hash: "00",
        permissions: "[]",
        name: id,
        created_by: "x",
        created_ms: 1000,
        expires_ms,
        revoked_ms: null,
        last_used_ms: null,
      },
    });
  const made = await Promise.all(["a", "b", "c", "d", "e"].map((id) => make(id, id === "a" ? 2000 : 9000)));
  const full = { kind: "full", active: 3 };
  expect(made).toEqual([{ kind: "created" }, { kind: "created" }, { kind: "created" }, full, full]);
  expect((await tenant.tokens()).map(({ id }) => id)).toEqual(["a", "b", "c"]);
  await tenant.revokeToken({ ...act, id: "b" });
  expect(await make("f")).toEqual({ kind: "created" });
  expect(await make("g")).toEqual(full);
  expect(await make("g", 9000, 2000)).toEqual({ kind: "created" });
}
