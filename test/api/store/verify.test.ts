import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { keepAnchors } from "../../../api/control/anchors.ts";
import { anchorFile } from "../../../api/platform/anchor-file.ts";
import { type Connection, openSqlite } from "../../../api/store/sqlite.ts";
import {
  ANCHOR_FILE,
  backupFolder,
  DATABASE_FILE,
  readAnchors,
  restoreFolder,
  verifyFile,
} from "../../../api/store/sqlite-backup.ts";
import { openLocalStore, openSqliteStore } from "../../../api/store/sqlite-store.ts";
import { type Anchor, verifyDatabase } from "../../../api/store/verify.ts";
import { createDrivenService, createDrivenTime, wish } from "../driven-env.ts";
import { acceptance, tenantOf } from "./rows.ts";

const folder = mkdtempSync(join(tmpdir(), "flare-verify-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A service that has run one intent to its end, one to running, and holds one that waits. */
async function lived(): Promise<Connection> {
  const connection = openSqlite({ path: ":memory:" });
  const service = await createDrivenService({ store: await openLocalStore(connection) });
  const token = await service.token(["intents:write", "intents:delete"]);
  const ids: string[] = [];
  for (const [name, gpus] of [
    ["ends", 4],
    ["runs", 8],
    ["waits", 8],
  ] as const) {
    ids.push(String((await service.request(token, "POST", "/intents", wish(name, gpus))).body["intent_id"]));
    await service.run(3000);
  }
  await service.request(token, "DELETE", `/intents/${ids[0]}`);
  await service.run(100);
  return connection;
}

test("a database that nobody touched agrees with itself", async () => {
  const { db } = await lived();
  const verdict = await verifyDatabase(db);
  expect(verdict.findings).toEqual([]);
  expect(verdict.intents).toBe(3);
  expect(verdict.events.seq).toBeGreaterThan(15);
});

const withoutTriggers =
  "drop trigger events_no_update; drop trigger events_no_delete; drop trigger audit_no_update; drop trigger audit_no_delete;";

test.for([
  {
    name: "an event's payload",
    sql: "update events set payload = '{}' where seq = 3",
    finds: /events 3: its content/,
  },
  {
    name: "an event's time",
    sql: "update events set at_ms = at_ms + 1 where seq = 5",
    finds: /events 5: its content/,
  },
  { name: "a deleted event", sql: "delete from events where seq = 4", finds: /events: number 4 is missing/ },
  {
    name: "an audit entry",
    sql: "update audit set actor = 'nobody' where seq = 2",
    finds: /audit 2: its content/,
  },
  {
    name: "a phase",
    sql: "update intents set phase = 'running' where name = 'waits'",
    finds: /is running, the events say/,
  },
  {
    name: "a spec",
    sql: "update intents set spec = '{}' where name = 'runs'",
    finds: /its content was changed/,
  },
  {
    name: "a priority",
    sql: "update intents set priority = 1000 where name = 'runs'",
    finds: /its content was changed/,
  },
  {
    name: "a version",
    sql: "update intents set version = 1 where name = 'runs'",
    finds: /at version 1, the events at/,
  },
  {
    name: "an allocation's GPUs",
    sql: "update allocations set gpus = 1 where released_ms is null",
    finds: /is 1 of/,
  },
  {
    name: "a held allocation of the dead",
    sql: "update allocations set released_ms = null",
    finds: /has ended/,
  },
  {
    name: "a lost allocation",
    sql: "delete from allocations where released_ms is null",
    finds: /allocation .* is missing/,
  },
])("finds $name that was changed behind its back", async ({ sql, finds }) => {
  const { raw, db } = await lived();
  raw.exec(`pragma foreign_keys = off; ${withoutTriggers} ${sql}`);
  expect((await verifyDatabase(db)).findings.join("\n")).toMatch(finds);
});

test("a lost tail is found by an anchor, and by nothing else", async () => {
  const { raw, db } = await lived();
  const { events } = await verifyDatabase(db);
  raw.exec(`${withoutTriggers} pragma foreign_keys = off`);
  raw.exec(`delete from events where seq = ${events.seq}`);
  // the same loss in the table: what a lost commit looks like
  raw.exec(
    "update intents set phase = 'releasing', terminal_ms = null, version = version - 1 where name = 'ends'",
  );
  raw.exec(
    "update allocations set released_ms = null where intent_id in (select id from intents where name = 'ends')",
  );
  expect((await verifyDatabase(db)).findings).toEqual([]);
  const anchors: Anchor[] = [{ log: "events", ...events }];
  expect((await verifyDatabase(db, anchors)).findings).toEqual([
    expect.stringMatching(/was anchored outside and is missing/),
  ]);
});

test("an anchor of a log that was empty holds for it then and later", async () => {
  const connection = openSqlite({ path: ":memory:" });
  const { db } = connection;
  const store = await openLocalStore(connection);
  const { events: empty } = await store.system.heads();
  const anchors: Anchor[] = [{ log: "events", ...empty }];
  expect((await verifyDatabase(db, anchors)).findings).toEqual([]);
  await (await tenantOf(store, "one")).acceptIntent(acceptance("a"));
  expect((await verifyDatabase(db, anchors)).findings).toEqual([]);
  const other: Anchor[] = [{ log: "events", ...empty, hash: "f".repeat(64) }];
  expect((await verifyDatabase(db, other)).findings).toEqual([
    expect.stringMatching(/^events 0: differs from what was anchored/),
  ]);
  await store.close();
});

test("anchors are written every 1,000 events, every minute, and at the end", async () => {
  const time = createDrivenTime();
  const store = await openLocalStore();
  const tenant = await tenantOf(store, "one");
  const written: Anchor[] = [];
  const end = keepAnchors(
    { store, timers: time, log: { debug() {}, info() {}, warn() {}, error() {} } },
    (anchors) => written.push(...anchors),
  );
  const seqs = (): number[] => written.filter(({ log }) => log === "events").map(({ seq }) => seq);
  await tenant.acceptIntent(acceptance("a"));
  expect(seqs()).toEqual([]);
  time.pass(60_000);
  await expect.poll(seqs).toEqual([1]);
  await Promise.all(Array.from({ length: 1001 }, (_, index) => tenant.acceptIntent(acceptance(`i${index}`))));
  await expect.poll(() => seqs().length).toBe(2);
  await tenant.acceptIntent(acceptance("b"));
  await end();
  expect(seqs().at(-1)).toBe(1003);
  expect((await store.system.heads()).events).toMatchObject({ seq: 1003, hash: written.at(-2)?.hash });
});

test("an anchor that could not be written is written a minute later, and what is audited alone at the end", async () => {
  const time = createDrivenTime();
  const store = await openLocalStore();
  const tenant = await tenantOf(store, "one");
  const written: Anchor[] = [];
  let isFull = true;
  let failures = 0;
  const log = { debug() {}, info() {}, warn: () => void failures++, error() {} };
  const end = keepAnchors({ store, timers: time, log }, (anchors) => {
    if (isFull) throw new Error("no space left on device");
    written.push(...anchors);
  });
  await tenant.acceptIntent(acceptance("a"));
  time.pass(60_000);
  await expect.poll(() => failures).toBe(1);
  isFull = false;
  // nothing happens any more
  time.pass(60_000);
  await expect.poll(() => written.length).toBe(2);
  await store.system.recordAudit({
    tenant_id: "",
    at_ms: 0,
    actor: "somebody",
    action: "get /intents",
    target: "",
    outcome: "denied",
    request_id: "r",
  });
  await end();
  const { events, audit } = await store.system.heads();
  expect(written.slice(2)).toEqual([
    { log: "events", ...events },
    { log: "audit", ...audit },
  ]);
});

test("a line of anchors that a dying process cut off does not spoil the ones after it", () => {
  const file = join(folder, "torn.ndjson");
  const anchor: Anchor = { log: "events", seq: 1, hash: "a" };
  anchorFile(file)([anchor]);
  appendFileSync(file, '{"log":"audit","se');
  expect(readAnchors(file)).toEqual([anchor]);
  anchorFile(file)([{ ...anchor, seq: 2 }]);
  expect(readAnchors(file)).toEqual([anchor, { ...anchor, seq: 2 }]);
});

test("a backup of a service under load verifies, and restores to that moment", async () => {
  const data = mkdtempSync(join(folder, "data-"));
  const store = await openSqliteStore({ path: join(data, DATABASE_FILE), onFatal: () => {} });
  const tenant = await tenantOf(store, "one");
  let isOver = false;
  const load = (async () => {
    for (let index = 0; !isOver; index++) await tenant.acceptIntent(acceptance(`i${index}`));
  })();
  await expect.poll(() => store.stats().writes).toBeGreaterThan(20);
  const target = join(folder, "backup.db");
  const manifest = await backupFolder(data, target);
  isOver = true;
  await load;
  await store.close();
  expect(manifest.intents).toBeGreaterThan(10);
  expect(existsSync(`${target}-wal`)).toBe(false);
  await expect(backupFolder(data, target)).rejects.toThrow(/exists/);

  const restored = join(folder, "restored");
  await restoreFolder(target, restored, false);
  const verdict = await verifyFile(join(restored, DATABASE_FILE));
  expect(verdict).toMatchObject({ findings: [], events: manifest.events, intents: manifest.intents });
  await expect(restoreFolder(target, restored, false)).rejects.toThrow(/--force/);
  await restoreFolder(target, restored, true);

  // what a killed service left: a journal of changes that are in no database yet, and anchors of a later past
  const killed = join(folder, "killed");
  mkdirSync(killed);
  const later = await openSqliteStore({ path: join(data, DATABASE_FILE), onFatal: () => {} });
  for (let index = 0; index < 20; index++)
    await (await tenantOf(later, "one")).acceptIntent(acceptance(`later-${index}`));
  const { events } = await later.system.heads();
  for (const suffix of ["", "-wal", "-shm"])
    copyFileSync(join(data, `${DATABASE_FILE}${suffix}`), join(killed, `${DATABASE_FILE}${suffix}`));
  await later.close();
  anchorFile(join(killed, ANCHOR_FILE))([{ log: "events", ...events }]);
  await restoreFolder(target, killed, true);
  const anchors = readAnchors(join(killed, ANCHOR_FILE));
  expect(await verifyFile(join(killed, DATABASE_FILE), anchors)).toMatchObject({
    findings: [],
    events: manifest.events,
    intents: manifest.intents,
  });
});

test("a damaged backup is not restored", async () => {
  const data = mkdtempSync(join(folder, "data-"));
  const store = await openSqliteStore({ path: join(data, DATABASE_FILE), onFatal: () => {} });
  await (await tenantOf(store, "one")).acceptIntent(acceptance("a"));
  await store.close();
  const target = join(folder, "good.db");
  await backupFolder(data, target);
  const bytes = readFileSync(target);
  bytes[bytes.length - 100]! ^= 1;
  const damaged = join(folder, "damaged.db");
  writeFileSync(damaged, bytes);
  copyFileSync(`${target}.json`, `${damaged}.json`);
  await expect(restoreFolder(damaged, join(folder, "never"), false)).rejects.toThrow(/not the file/);
});

test("a line of an anchor file that was cut off is left out", () => {
  const path = join(folder, ANCHOR_FILE);
  writeFileSync(path, '{"log":"events","seq":1,"hash":"a"}\n{"log":"aud');
  expect(readAnchors(path)).toEqual([{ log: "events", seq: 1, hash: "a" }]);
});
