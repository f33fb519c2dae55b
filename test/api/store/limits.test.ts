import { expect, test } from "vitest";
import { openSqlite } from "../../../api/store/sqlite.ts";
import { openLocalStore } from "../../../api/store/sqlite-store.ts";
import { acceptance, tenantOf } from "./rows.ts";

test("no page and no look makes SQLite plan its statement anew for the value of a limit", async () => {
  const connection = openSqlite({ path: ":memory:" });
  const prepare = connection.raw.prepare.bind(connection.raw);
  const texts: string[] = [];
  connection.raw.prepare = (text) => {
    texts.push(text);
    return prepare(text);
  };
  const store = await openLocalStore(connection);
  const { system } = store;
  const tenant = await tenantOf(store, "one");
  await tenant.acceptIntent(acceptance("a"));
  const limit = 10;
  await tenant.intents({ limit });
  await tenant.events({ after: 0, limit });
  await tenant.events({ after: 0, subject: "a", limit });
  await tenant.audit({ limit });
  await tenant.decisions("a", limit);
  await tenant.reservations({ limit, atMs: 0 });
  await tenant.deliveries({ webhook: "w", limit });
  await system.inPhases({ phases: ["queued"], limit });
  await system.idsIn({ phases: ["queued"], limit });
  await system.changedSince({ after: 0, limit });
  await system.claimOutbox({ claimId: "x", nowMs: 0, untilMs: 1, limit });
  await system.sessions({ atMs: 0, limit });
  await system.heads();
  await store.close();
  const limited = texts.filter((text) => / limit /.test(text));
  expect(new Set(limited).size).toBeGreaterThanOrEqual(12);
  expect(limited.filter((text) => !text.includes("limit cast(? as integer)"))).toEqual([]);
});
