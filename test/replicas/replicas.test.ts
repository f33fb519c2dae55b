import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { systemClock, systemTimers } from "../../api/platform/node-env.ts";
import { openReader } from "../../api/store/postgres-store.ts";
import { verifyDatabase } from "../../api/store/verify.ts";
import { createChance, createLedger, type Ledger } from "../durability/rounds.ts";
import { noPostgres } from "../postgres/server.ts";
import { type Cluster, type Replica, startCluster } from "./cluster.ts";
import { startLoad } from "./load.ts";

/** Leaders that are paused or killed in this run: few in every test run, 10 in the pipeline, 100 at night. */
const rounds = Number(process.env["FLARE_REPLICA_ROUNDS"] ?? 2);
const seed = Number(process.env["FLARE_SEED"] ?? 1);
const LEASE_MS = 2000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

describe.skipIf(noPostgres !== null)("three replicas on one PostgreSQL", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster(LEASE_MS);
  }, 120_000);
  afterAll(() => cluster.stop(), 120_000);
  /** What the replicas logged before a failure is the only trace of it. */
  const showLogs = (): void => {
    for (const { last, child } of cluster.replicas)
      process.stderr.write(`${[`replica ${child.pid}`, ...last].join("\n  ")}\n`);
  };

  const ask = (replica: Replica, token: string, method: string, path: string, body?: object) =>
    fetch(`${replica.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const leader = async (): Promise<Replica> => {
    let found: Replica | undefined;
    await expect
      .poll(
        async () => {
          const epoch = await cluster.epoch();
          found = cluster.replicas.find((one) => epoch > 0 && one.epoch === epoch);
          return found !== undefined;
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    return found as Replica;
  };

  test("a token revoked at one replica is refused by all within a second, and its streams end", async () => {
    const [one, two, three] = cluster.replicas as [Replica, Replica, Replica];
    const made = await ask(one, cluster.token, "POST", "/auth/tokens", {
      name: "reader",
      permissions: ["intents:read"],
    });
    const { token, token_id: id } = (await made.json()) as { token: string; token_id: string };
    const streams = await Promise.all(
      cluster.replicas.map((replica) => ask(replica, token, "GET", "/events")),
    );
    expect(streams.map(({ status }) => status)).toEqual([200, 200, 200]);
    const ended = Promise.all(streams.map((stream) => stream.text()));
    expect((await ask(two, cluster.token, "DELETE", `/auth/tokens/${id}`)).status).toBeLessThan(300);
    const revoked = performance.now();
    await ended;
    for (const replica of [one, two, three])
      expect((await ask(replica, token, "GET", "/intents")).status).toBe(401);
    expect(performance.now() - revoked).toBeLessThan(1000);
  });

  /** Pauses or kills the leader and waits for the next one. Returns how long there was none, milliseconds. */
  const depose = async (how: "pause" | "kill"): Promise<number> => {
    const old = await leader();
    const epoch = await cluster.epoch();
    old.child.kill(how === "pause" ? "SIGSTOP" : "SIGKILL");
    const since = performance.now();
    while ((await cluster.epoch()) === epoch) {
      await sleep(20);
      if (performance.now() - since > 20 * LEASE_MS) throw new Error(`nobody leads after ${epoch}`);
    }
    const gap = performance.now() - since;
    const decided = async () =>
      (await cluster.query(`select seq from events where payload like '%"epoch":${epoch + 1}}' limit 1`))
        .length;
    await expect.poll(decided, { timeout: 20_000 }).toBe(1);
    if (how === "pause") old.child.kill("SIGCONT");
    else await cluster.replace(old);
    return gap;
  };
  const killDatabase = async (ledger: Ledger): Promise<void> => {
    await cluster.server.kill();
    await cluster.server.start();
    const before = ledger.acknowledged.size;
    await expect.poll(() => ledger.acknowledged.size > before + 10, { timeout: 30_000 }).toBe(true);
  };

  /** Everything that must hold of the database in the end. */
  const check = async (ledger: Ledger): Promise<void> => {
    expect(ledger.unexpected).toEqual([]);
    const reader = openReader({
      url: cluster.url,
      idleMs: 10_000,
      clock: systemClock,
      timers: systemTimers,
      log: silent,
    });
    const { findings } = await verifyDatabase(reader.db);
    await reader.close();
    // legal moves only, one event for each, and tables as the events tell
    expect(findings).toEqual([]);
    const rows = await cluster.query<{ id: string; name: string; phase: string }>(
      "select id, name, phase from intents",
    );
    const byId = new Map(rows.map((row) => [row.id, row]));
    expect([...ledger.acknowledged].filter(([key, id]) => byId.get(id)?.name !== key)).toEqual([]);
    // every key was answered in the end: an intent beyond those would be one that was made twice
    expect(rows).toHaveLength(ledger.acknowledged.size);
    const ends = ["cancelled", "failed", "completed"];
    expect([...ledger.cancelled].filter((id) => !ends.includes(byId.get(id)?.phase ?? ""))).toEqual([]);
  };
  /** No epoch goes back, and none has two writers. */
  const checkEpochs = async (): Promise<number> => {
    const events = await cluster.query<{ actor: string; epoch: number }>(
      "select actor, (payload::json ->> 'epoch')::int as epoch from events where actor like 'control%' order by seq",
    );
    const writers = new Map<number, string>();
    let last = 0;
    for (const { actor, epoch } of events) {
      expect(epoch).toBeGreaterThanOrEqual(last);
      expect(writers.get(epoch) ?? actor).toBe(actor);
      writers.set(epoch, actor);
      last = epoch;
    }
    const taken = await cluster.query<{ actor: string; target: string }>(
      "select actor, target from audit where action = 'control.lead' order by seq",
    );
    expect(taken.map(({ target }) => target)).toEqual(taken.map((_, index) => `epoch ${index + 1}`));
    for (const [epoch, writer] of writers)
      expect(writer).toBe(taken[epoch - 1]?.actor.replace("replica:", "control:"));
    return taken.length;
  };
  /** What is held downstream is what the store holds: nothing placed twice, nothing oversold, nothing left behind. */
  const checkHoldings = async (): Promise<void> => {
    const held = await cluster.query<{ id: string; intent_id: string; offer: string; gpus: string }>(
      "select id, intent_id, offer, gpus from allocations where released_ms is null order by id",
    );
    const downstream = await cluster.query<{ key: string }>(
      "select key from federation_journal where not (entry::json ->> 'released')::boolean order by key collate \"C\"",
    );
    expect(downstream.map(({ key }) => key)).toEqual(held.map(({ id }) => id));
    expect(new Set(held.map(({ intent_id }) => intent_id)).size).toBe(held.length);
    const used = new Map<string, number>();
    for (const { offer, gpus } of held) used.set(offer, (used.get(offer) ?? 0) + Number(gpus));
    expect([...used.values()].filter((gpus) => gpus > 8)).toEqual([]);
  };

  test(`${rounds} leaders paused or killed, the database killed: one decides, nothing is lost or done twice`, {
    timeout: 120_000 + rounds * 30_000,
  }, async () => {
    onTestFailed(showLogs);
    const ledger = createLedger();
    const load = startLoad(cluster, ledger, createChance(seed));
    const gaps: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const before = ledger.acknowledged.size;
      await expect.poll(() => ledger.acknowledged.size > before + 10, { timeout: 30_000 }).toBe(true);
      gaps.push(await depose(round % 2 === 0 ? "pause" : "kill"));
      if (round % 4 === 1) await killDatabase(ledger);
    }
    await load.stop();
    expect(ledger.cancelled.size).toBeGreaterThan(0);
    const waiting = await cluster.query<{ id: string }>(
      "select id from intents where phase in ('waiting', 'queued')",
    );
    for (const { id } of waiting) await ask(await leader(), cluster.token, "DELETE", `/intents/${id}`);
    const unsettled = () =>
      cluster.query(
        "select id, phase from intents where phase not in ('running', 'cancelled', 'failed', 'completed')",
      );
    await expect.poll(unsettled, { timeout: 30_000, interval: 200 }).toEqual([]);
    await check(ledger);
    expect(await checkEpochs()).toBeGreaterThan(rounds);
    await checkHoldings();
    expect(gaps.filter((gap) => gap > 2 * LEASE_MS)).toEqual([]);
    for (const { child } of cluster.replicas) child.kill("SIGTERM");
    expect(await Promise.all(cluster.replicas.map(({ exited }) => exited))).toEqual([0, 0, 0]);
  });
});
