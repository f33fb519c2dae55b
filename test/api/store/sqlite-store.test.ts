import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { sqliteDialect } from "../../../api/store/dialect.ts";
import { migrate, schemaVersion } from "../../../api/store/migrate.ts";
import { openSqlite } from "../../../api/store/sqlite.ts";
import { openLocalStore, openSqliteStore } from "../../../api/store/sqlite-store.ts";
import { reservationContract } from "./reservations-contract.ts";
import { acceptance, tenantOf } from "./rows.ts";
import { storeContract } from "./store-contract.ts";
import { checkNumbers } from "./upgrade.ts";

const folder = mkdtempSync(join(tmpdir(), "flare-store-"));
afterAll(() => rmSync(folder, { recursive: true }));
let made = 0;
const newPath = (): string => join(folder, `${made++}.db`);
const onFatal = (message: string): never => {
  throw new Error(message);
};

storeContract("local store", openLocalStore);
reservationContract("reservations in a local store", openLocalStore);
storeContract("store in a thread", () => openSqliteStore({ path: newPath(), hasOutbox: true, onFatal }));

test("what was answered is there after opening again", async () => {
  const path = newPath();
  const before = await openSqliteStore({ path, onFatal });
  await (await tenantOf(before, "one")).acceptIntent(acceptance("a"));
  await before.close();
  const after = await openSqliteStore({ path, onFatal });
  const tenant = await tenantOf(after, "one");
  expect((await tenant.intent("a"))?.intent.phase).toBe("queued");
  await tenant.acceptIntent(acceptance("b"));
  expect((await tenant.events({ after: 0, limit: 10 })).map(({ seq }) => seq)).toEqual([1, 2]);
  await after.close();
});

test("commits are synced in full", () => {
  const connection = openSqlite({ path: newPath() });
  expect(connection.raw.prepare("pragma synchronous").get()).toEqual({ synchronous: 2 });
  expect(connection.raw.prepare("pragma journal_mode").get()).toEqual({ journal_mode: "wal" });
  connection.close();
});

test("the logs take no changes and no deletions", async () => {
  const connection = openSqlite({ path: ":memory:" });
  const store = await openLocalStore(connection);
  await (await tenantOf(store, "one")).acceptIntent(acceptance("a"));
  for (const table of ["events", "audit"]) {
    expect(() => connection.raw.exec(`update ${table} set actor = 'x'`)).toThrow(/append-only/);
    expect(() => connection.raw.exec(`delete from ${table}`)).toThrow(/append-only/);
  }
  await store.close();
});

test("a database of a newer version is refused", async () => {
  const { db, raw } = openSqlite({ path: ":memory:" });
  await migrate(db, sqliteDialect);
  raw.exec(`insert into migrations values (${schemaVersion + 1}, 'future')`);
  await expect(migrate(db, sqliteDialect)).rejects.toThrow(/newer than this version/);
});

test("a database of the first schema is brought to the present one", async () => {
  const { db, close } = openSqlite({ path: ":memory:" });
  await checkNumbers(db, sqliteDialect);
  close();
});

test("a token that was read before is read again after it was revoked", async () => {
  const store = await openSqliteStore({ path: newPath(), onFatal });
  const tenant = await tenantOf(store, "one");
  const act = { actor: "x", atMs: 5, requestId: "r" };
  await tenant.createToken({
    ...act,
    token: {
      id: "t",
      hash: "00",
      permissions: "[]",
      name: "n",
      created_by: "x",
      created_ms: 1,
      expires_ms: 9,
      revoked_ms: null,
      last_used_ms: null,
    },
  });
  for (let time = 0; time < 2; time++)
    expect(await store.system.tokenById("t")).toMatchObject({ revoked_ms: null });
  await tenant.revokeToken({ ...act, id: "t" });
  expect(await store.system.tokenById("t")).toMatchObject({ revoked_ms: 5 });
  await store.close();
});
