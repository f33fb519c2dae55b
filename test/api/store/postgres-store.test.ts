import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createIds, systemClock, systemRandom, systemTimers } from "../../../api/platform/node-env.ts";
import { postgresDialect } from "../../../api/store/dialect.ts";
import { schemaVersion } from "../../../api/store/migrate.ts";
import { connect, describeUrl } from "../../../api/store/postgres.ts";
import {
  openPostgresStore,
  openReader,
  type PostgresStoreOptions,
} from "../../../api/store/postgres-store.ts";
import { runsOf, WRITE_LOCK } from "../../../api/store/postgres-writer.ts";
import type { Store } from "../../../api/store/store.ts";
import { trustTenant } from "../../../api/store/tenant.ts";
import { verifyDatabase } from "../../../api/store/verify.ts";
import type { Command } from "../../../api/store/writer.ts";
import { startCuttingProxy } from "../../postgres/cutting-proxy.ts";
import { noPostgres, type PostgresServer, startPostgres } from "../../postgres/server.ts";
import { checkRace, reservationContract } from "./reservations-contract.ts";
import { acceptance, tenantOf } from "./rows.ts";
import { storeContract } from "./store-contract.ts";
import { checkNumbers } from "./upgrade.ts";

/** However busy the machine is. */
const patient = { timeout: 20_000 };
const silent = { debug() {}, info() {}, warn() {}, error() {} };

const base = { idleMs: 2000, clock: systemClock, timers: systemTimers, log: silent };

/** Opens a store on a database. */
function open(url: string, more: Partial<PostgresStoreOptions> = {}): Promise<Store> {
  return openPostgresStore({
    ...base,
    url,
    ids: createIds(systemClock, systemRandom),
    hasOutbox: true,
    ...more,
  });
}

describe.skipIf(noPostgres !== null)("PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  storeContract("store on PostgreSQL", async () => open(await server.create()));
  reservationContract("reservations on PostgreSQL", async () => open(await server.create()));

  /** Several stores on one database, ended with the test. */
  const shared = async (more: readonly Partial<PostgresStoreOptions>[]): Promise<[string, ...Store[]]> => {
    const url = await server.create();
    const stores: Store[] = [];
    for (const one of more) stores.push(await open(url, one));
    onTestFinished(async () => {
      for (const store of stores) await store.close();
    });
    return [url, ...stores];
  };
  const query = async <Row extends object>(url: string, text: string): Promise<Row[]> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  };
  const endSessions =
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'flare' and datname = current_database()";
  const idsOf = (count: number, prefix: string): string[] =>
    Array.from({ length: count }, (_, index) => `${prefix}${index}`);
  const act = { actor: "x", atMs: 5, requestId: "r" };

  test("processes that start together on an empty database make one schema", async () => {
    const url = await server.create();
    const stores = await Promise.all([open(url), open(url), open(url)]);
    for (const store of stores) await store.close();
    expect(await query(url, "select number from migrations")).toHaveLength(schemaVersion);
  });

  test("a database of a newer version is refused", async () => {
    const [url] = await shared([{}]);
    await query(url, `insert into migrations values (${schemaVersion + 1}, 'future')`);
    await expect(open(url)).rejects.toThrow(/newer than this version/);
  });

  test("a database of the first schema is brought to the present one", async () => {
    const reader = openReader({ ...base, url: await server.create() });
    await checkNumbers(reader.db, postgresDialect);
    await reader.close();
  });

  test("the logs take no changes, no deletions and no truncation", async () => {
    const [url, store] = await shared([{}]);
    await (await tenantOf(store!, "one")).acceptIntent(acceptance("a"));
    for (const table of ["events", "audit"])
      for (const change of [`update ${table} set actor = 'x'`, `delete from ${table}`, `truncate ${table}`])
        await expect(query(url, change)).rejects.toThrow(/append-only/);
  });

  test("text is ordered by its bytes, as in SQLite", async () => {
    const [, store] = await shared([{}]);
    const tenant = await tenantOf(store!, "one");
    for (const id of ["b", "B", "a-1", "a", "_"]) await tenant.acceptIntent(acceptance(id));
    const listed = await tenant.intents({ limit: 10 });
    expect(listed.map(({ id }) => id)).toEqual(["b", "a-1", "a", "_", "B"]);
  });

  test("writes of several processes make one chain without gaps, and one intent per key", async () => {
    const [url, ...stores] = await shared([{}, {}, {}]);
    const tenants = await Promise.all(stores.map((store) => tenantOf(store, "one")));
    const key = { key: "k", requestHash: "h", expiresMs: 5000 };
    const answers = await Promise.all(
      tenants.flatMap((tenant, index) => [
        ...idsOf(40, `r${index}-`).map((id) => tenant.acceptIntent(acceptance(id))),
        tenant.acceptIntent(acceptance(`same-${index}`, { name: "same", idempotency: key })),
      ]),
    );
    expect(answers.filter(({ kind }) => kind === "accepted")).toHaveLength(121);
    expect(answers.filter(({ kind }) => kind === "replayed")).toHaveLength(2);
    const reader = openReader({ ...base, url });
    expect(await verifyDatabase(reader.db)).toMatchObject({ findings: [], intents: 121 });
    await reader.close();
  });

  test("commands that may meet go one after another, and the others together", () => {
    const command = (id: string, more: object = {}, tenant = "one"): Command => ({
      tenant: trustTenant(tenant),
      name: "acceptIntent",
      input: [acceptance(id, more)],
    });
    const key = { key: "k", requestHash: "h", expiresMs: 5000 };
    const other: Command = { tenant: trustTenant("one"), name: "cancelIntent", input: [] };
    const commands = [
      command("a", { idempotency: key }),
      command("b"),
      command("c", { name: "name-a" }, "two"),
      // the key of the first, the name of another, a command of another kind
      command("d", { idempotency: key }),
      command("e", { name: "name-d" }),
      command("e"),
      other,
      other,
      command("f"),
    ];
    const runs = [...runsOf(commands)];
    expect(runs.map((run) => run.length)).toEqual([3, 1, 1, 1, 1, 1, 1]);
    expect(runs.flat()).toEqual(commands);
  });

  test("of many that arrive together each gets its answer, also where some cannot be done", async () => {
    const [, store] = await shared([{}]);
    const tenant = await tenantOf(store!, "one");
    const key = { key: "k", requestHash: "h", expiresMs: 5000 };
    await tenant.acceptIntent(acceptance("taken", { name: "web" }));
    const heard: number[] = [];
    store!.subscribe((seq) => heard.push(seq));
    const answers = await Promise.allSettled([
      ...idsOf(20, "i").map((id) => tenant.acceptIntent(acceptance(id))),
      tenant.acceptIntent(acceptance("x", { name: "web" })),
      tenant.acceptIntent(acceptance("y", { name: "y", idempotency: key })),
      tenant.acceptIntent(acceptance("z", { name: "y", idempotency: key })),
      // an id that is in use breaks the whole run, and only itself in the end
      tenant.acceptIntent(acceptance("i3", { name: "again" })),
    ]);
    const kinds = answers.map((one) => (one.status === "fulfilled" ? one.value.kind : one.reason.code));
    expect(kinds).toEqual([...Array(20).fill("accepted"), "name_taken", "accepted", "replayed", "conflict"]);
    const events = await tenant.events({ after: 0, limit: 100 });
    expect(events.map(({ seq }) => seq)).toEqual(idsOf(22, "").map((_, index) => index + 1));
    expect(heard.at(-1)).toBe(22);
  });

  test.for([true, false])("others hear of an event (with hints: %s)", async (hasHints) => {
    const [, here, there] = await shared([{}, { hasHints }]);
    const heard: [number, boolean][] = [];
    there!.subscribe((seq, isForeign) => heard.push([seq, isForeign]));
    await (await tenantOf(here!, "one")).acceptIntent(acceptance("a"));
    await expect.poll(() => heard, patient).toEqual([[1, true]]);
    // what it is told of can be read
    expect(await there!.forTenant(trustTenant("one")).events({ after: 0, limit: 10 })).toHaveLength(1);
  });

  test.for([true, false])("a token revoked elsewhere is read anew (with hints: %s)", async (hasHints) => {
    let passed = 0;
    const clock = { wallMs: systemClock.wallMs, monoMs: () => passed };
    const [, here, there] = await shared([{}, { hasHints, clock }]);
    const tenant = await tenantOf(here!, "one");
    const token = {
      id: "t",
      hash: "00",
      permissions: "[]",
      name: "n",
      created_by: "x",
      created_ms: 1,
      expires_ms: 9,
      revoked_ms: null,
      last_used_ms: null,
    };
    await tenant.createToken({ ...act, token });
    // it listens by the time at which it hears of anything
    let heard = 0;
    there!.subscribe((seq) => (heard = seq));
    await tenant.acceptIntent(acceptance("a"));
    await expect.poll(() => heard, patient).toBe(1);
    const revokedMs = async () => (await there!.system.tokenById("t"))?.revoked_ms;
    await expect.poll(revokedMs, patient).toBeNull();
    await tenant.revokeToken({ ...act, id: "t" });
    if (!hasHints) {
      expect(await revokedMs()).toBeNull();
      passed = 500;
      expect(await revokedMs()).toBe(5);
    } else await expect.poll(revokedMs, patient).toBe(5);
  });

  test("a process that stands still inside a transaction does not keep the others", async () => {
    const [url, store] = await shared([{}]);
    const tenant = await tenantOf(store!, "one");
    const stuck = await connect({ ...base, url, idleMs: 200 });
    await stuck.query(`begin; select pg_advisory_xact_lock(${WRITE_LOCK})`);
    expect(await tenant.acceptIntent(acceptance("a"))).toEqual({ kind: "accepted" });
    await expect(stuck.query("commit")).rejects.toThrow();
  });

  test(
    "a reservation through one process and a decision of another know of each other",
    patient,
    async () => {
      const [, deciding, answering] = await shared([{}, {}]);
      await checkRace(deciding!, answering!);
    },
  );

  test("decisions of a process that another one replaced are refused", async () => {
    const [, first, second] = await shared([{}, {}]);
    const tenant = await tenantOf(first!, "one");
    await tenant.acceptIntent(acceptance("a"));
    const take = async (store: Store, holder: string) =>
      store.system.takeLease({ ...act, holder, seen: await store.system.lease() });
    expect(await take(first!, "first")).toBe(1);
    expect(await take(second!, "second")).toBe(2);
    const move = { ...act, id: "a", version: 1, to: "waiting" } as const;
    // both at once, in whatever order they reach the database
    const [late, due] = await Promise.allSettled([
      first!.system.changeIntent({ ...move, epoch: 1 }),
      second!.system.changeIntent({ ...move, epoch: 2 }),
    ]);
    expect(late).toMatchObject({ status: "rejected", reason: { code: "fenced" } });
    expect(due).toMatchObject({ status: "fulfilled", value: { phase: "waiting" } });
  });

  const throughProxy = async (more: Partial<PostgresStoreOptions> = {}) => {
    const url = await server.create();
    const folder = mkdtempSync(join(tmpdir(), "flare-cut-"));
    const proxy = await startCuttingProxy(folder, server.folder, url);
    const store = await open(proxy.url, more);
    onTestFinished(async () => {
      await store.close();
      await proxy.close();
      rmSync(folder, { recursive: true });
    });
    return { proxy, url, store, tenant: await tenantOf(store, "one") };
  };

  test.for(["before", "after"] as const)(
    "a connection lost %s the commit reached the server: the write is there, once",
    async (cut) => {
      const { proxy, tenant } = await throughProxy();
      proxy.cut = cut;
      const together = idsOf(5, "i").map((id) => tenant.acceptIntent(acceptance(id)));
      expect((await Promise.all(together)).map(({ kind }) => kind)).toEqual(Array(5).fill("accepted"));
      expect(proxy.cuts).toBe(1);
      expect(await tenant.intents({ limit: 10 })).toHaveLength(5);
      expect((await tenant.events({ after: 0, limit: 10 })).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    },
  );

  test.for([
    ["does not answer", "isDown", "unavailable"],
    ["lets nobody in", "isLocked", "internal"],
  ] as const)(
    "a commit that cannot be looked up because the database %s is unknown, and its idempotency key tells later",
    async ([, trouble, code]) => {
      const { proxy, tenant } = await throughProxy({ writeDeadlineMs: 300 });
      const idempotency = { key: "k", requestHash: "h", expiresMs: 5000 };
      proxy.cut = "after";
      const [first] = await Promise.allSettled([
        tenant.acceptIntent(acceptance("a", { idempotency })),
        expect
          .poll(() => proxy.cuts, patient)
          .toBe(1)
          .then(() => (proxy[trouble] = true)),
      ]);
      expect(first).toMatchObject({ status: "rejected", reason: { code: "unknown" } });
      await expect(tenant.acceptIntent(acceptance("b"))).rejects.toMatchObject({ code });
      proxy[trouble] = false;
      const again = await tenant.acceptIntent(acceptance("c", { idempotency }));
      expect(again).toMatchObject({ kind: "replayed", response: '{"intent_id":"a"}' });
    },
  );

  test("a store whose database is gone says so until it is back", async () => {
    const { proxy, url, store } = await throughProxy();
    expect(store.trouble?.()).toBeNull();
    proxy.isDown = true;
    await query(url, endSessions);
    await expect.poll(() => store.trouble?.(), patient).toBe("the database does not answer");
    proxy.isDown = false;
    await expect.poll(() => store.trouble?.(), patient).toBeNull();
  });

  test("sessions that the server ends are opened again, and nothing answered is lost", async () => {
    const [url, store] = await shared([{}]);
    const tenant = await tenantOf(store!, "one");
    const ids = idsOf(200, "i");
    let ended = 0;
    for (const [index, id] of ids.entries()) {
      if (index % 50 === 25) ended += (await query(url, endSessions)).length;
      await tenant.acceptIntent(acceptance(id));
      expect(await tenant.intent(id)).not.toBeNull();
    }
    expect(ended).toBeGreaterThan(4);
    expect((await tenant.events({ after: 0, limit: 500 })).map(({ subject_id }) => subject_id)).toEqual(ids);
  });

  test("a database that cannot be reached is told of without its password", async () => {
    const logged: string[] = [];
    const note = (fields: object, message: string): void =>
      void logged.push(JSON.stringify([fields, message]));
    const log = { debug: note, info: note, warn: note, error: note };
    for (const url of [
      "postgres://me:hunter2@127.0.0.1:1/flare",
      server.url("postgres").replace("flare@", "me:hunter2@"),
    ])
      await open(url, { writeDeadlineMs: 100, log }).then(
        () => expect.unreachable(),
        (error: Error) => logged.push(String(error), String(error.stack), JSON.stringify(error)),
      );
    expect(logged.length).toBeGreaterThan(5);
    expect(logged.join("\n")).not.toContain("hunter2");
  });

  test.for([
    ["postgres://me:hidden@db.example:5433/flare?sslpassword=hidden", "postgres://db.example:5433/flare"],
    ["postgresql://me:hid@den/x@db/flare", "postgresql://db/flare"],
    ["postgres://me@/flare?host=/run/postgresql", "postgres:///flare"],
    ["postgres://db", "postgres://db"],
  ])("of an address no credentials are shown: %s", ([url = "", shown]) => {
    expect(describeUrl(url)).toBe(shown);
  });

  test.for(["mysql://me:hidden@db/flare", "postgres://me:hid?den@db/flare", "hidden", ""])(
    "what is no address is not shown: %s",
    (url) => {
      expect(() => describeUrl(url)).toThrow(/^the store is not a postgres:\/\/ URL$/);
    },
  );
});
