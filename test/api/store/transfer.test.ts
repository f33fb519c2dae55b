import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createIds, systemClock, systemRandom, systemTimers } from "../../../api/platform/node-env.ts";
import { openPostgresStore } from "../../../api/store/postgres-store.ts";
import { DATABASE_FILE, restoreFolder, verifyFile } from "../../../api/store/sqlite-backup.ts";
import { openSqliteStore } from "../../../api/store/sqlite-store.ts";
import { backupPostgres, restorePostgres, verifyPostgres } from "../../../api/store/sqlite-transfer.ts";
import type { Store } from "../../../api/store/store.ts";
import { noPostgres, type PostgresServer, startPostgres } from "../../postgres/server.ts";
import { acceptance, tenantOf } from "./rows.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };
const base = { idleMs: 10_000, clock: systemClock, timers: systemTimers, log };

describe.skipIf(noPostgres !== null)("backups of PostgreSQL", () => {
  let server: PostgresServer;
  const folder = mkdtempSync(join(tmpdir(), "flare-transfer-"));
  let made = 0;
  const newPath = (): string => join(folder, `backup${made++}.db`);
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });
  const open = (url: string): Promise<Store> =>
    openPostgresStore({ ...base, url, ids: createIds(systemClock, systemRandom), hasOutbox: true });
  const act = { actor: "control", atMs: 2000, requestId: "r" };

  /** A store with a little of everything, the last event being number 6. */
  const filled = async (url: string): Promise<Store> => {
    const store = await open(url);
    const one = await tenantOf(store, "one");
    for (const id of ["a", "b", "c"]) await one.acceptIntent(acceptance(id, { labels: { team: "x" } }));
    await store.system.takeLease({ ...act, holder: "h", seen: { epoch: 0, renewals: 0 } });
    const plan = { id: "p", at_ms: 1, catalog_hash: "h", inputs: "{}", answers: "[]", engine: "1" };
    const decision = { plan_id: "p", at_ms: 1, outcome: "waiting", reason: "CAPACITY", document: "{}" };
    const moved = { ...act, id: "a", version: 1, to: "waiting", decision } as const;
    await store.system.settlePlan({
      plan: { ...plan, parent: null, catalogDocument: "{}" },
      changes: [moved],
      lastReservation: 0,
      epoch: 1,
    });
    await one.cancelIntent({ ...act, id: "b" });
    await one.amendIntent({
      ...act,
      id: "c",
      version: 1,
      document: "{}",
      spec: "{}",
      priority: 7,
      replan: false,
    });
    return store;
  };
  const textOf = async (store: Store): Promise<string> => {
    const one = await tenantOf(store, "one");
    return JSON.stringify([
      await one.intents({ limit: 10, label: { key: "team", value: "x" } }),
      await one.events({ after: 0, limit: 100 }),
      await one.audit({ limit: 100 }),
      await one.decisions("a", 10),
      await store.system.plan("p"),
      await store.system.tenants(),
      await store.system.lease(),
    ]);
  };

  test("a backup of a database in use verifies, and restores to a database and to a folder", async () => {
    const url = await server.create();
    const store = await filled(url);
    const before = await textOf(store);
    expect(await verifyPostgres({ ...base, url }, [])).toMatchObject({ findings: [], intents: 3 });
    const path = newPath();
    const manifest = await backupPostgres({ ...base, url }, path, []);
    expect(manifest).toMatchObject({ events: { seq: 6 }, intents: 3 });
    await store.close();

    const second = await server.create();
    expect(await restorePostgres(path, { ...base, url: second })).toEqual(manifest);
    const restored = await open(second);
    expect(await textOf(restored)).toBe(before);
    // keys and chains go on where they were
    const one = await tenantOf(restored, "one");
    await one.acceptIntent(acceptance("d"));
    const claim = { claimId: "c", nowMs: 9000, untilMs: 9999, limit: 20 };
    const claimed = await restored.system.claimOutbox(claim);
    expect(claimed.map(({ row }) => row.event_seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(new Set(claimed.map(({ row }) => row.id)).size).toBe(7);
    await restored.close();
    expect((await verifyPostgres({ ...base, url: second }, [])).findings).toEqual([]);

    const data = join(folder, "data");
    await restoreFolder(path, data, false);
    const local = await openSqliteStore({
      path: join(data, DATABASE_FILE),
      onFatal(message) {
        throw new Error(message);
      },
    });
    expect(await textOf(local)).toBe(before);
    await local.close();
  });

  test("a database that was changed behind the service is found", async () => {
    const url = await server.create();
    const store = await filled(url);
    const { events } = await store.system.heads();
    await store.close();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query("update intents set priority = 999 where id = 'a'");
    expect((await verifyPostgres({ ...base, url }, [])).findings).toEqual([
      "intent a: its content was changed",
    ]);
    await expect(backupPostgres({ ...base, url }, newPath(), [])).rejects.toThrow(/does not verify/);
    await client.end();
    const anchor = { log: "events", seq: events.seq + 1, hash: "0".repeat(64) } as const;
    const { findings } = await verifyPostgres({ ...base, url }, [anchor]);
    expect(findings.some((finding) => finding.includes("was anchored outside and is missing"))).toBe(true);
  });

  test("nothing is restored into a database that holds something, or from a file that was changed", async () => {
    const url = await server.create();
    await (await filled(url)).close();
    const path = newPath();
    await backupPostgres({ ...base, url }, path, []);
    await expect(restorePostgres(path, { ...base, url })).rejects.toThrow(/accepted: an empty one/);
    expect((await verifyFile(path)).findings).toEqual([]);
    appendFileSync(path, "x");
    const empty = await server.create();
    await expect(restorePostgres(path, { ...base, url: empty })).rejects.toThrow(
      /not the file of its manifest/,
    );
  });
});
