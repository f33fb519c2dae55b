import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { openJournal } from "../../adapters/federation/journal.ts";
import { openSqlite } from "../../api/store/sqlite.ts";
import { ANCHOR_FILE, DATABASE_FILE, readAnchors, verifyFile } from "../../api/store/sqlite-backup.ts";
import { createChance, createLedger, type Ledger, loadUntilGone, startService, tokenOf } from "./rounds.ts";

/** Rounds of this run: few in every test run, 50 in the pipeline, 1,000 at night. */
const rounds = Number(process.env["FLARE_KILL_ROUNDS"] ?? 2);
const seed = Number(process.env["FLARE_SEED"] ?? 1);

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "flare-kill-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "data");
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly phase: string;
}

function intentsOf(data: string): Row[] {
  const { raw, close } = openSqlite({ path: join(data, DATABASE_FILE), readOnly: true });
  const rows = raw.prepare("select id, name, phase from intents order by id").all();
  close();
  return rows as unknown as Row[];
}

/** Everything that must hold of a folder whose process was killed. */
async function check(data: string, ledger: Ledger): Promise<void> {
  const { findings } = await verifyFile(join(data, DATABASE_FILE), readAnchors(join(data, ANCHOR_FILE)));
  expect(findings).toEqual([]);
  const rows = intentsOf(data);
  const byId = new Map(rows.map((row) => [row.id, row]));
  expect([...ledger.acknowledged].filter(([key, id]) => byId.get(id)?.name !== key)).toEqual([]);
  const names = rows.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  const ends = ["releasing", "cancelled", "failed", "completed"];
  expect([...ledger.cancelled].filter((id) => !ends.includes(byId.get(id)?.phase ?? ""))).toEqual([]);
  expect(ledger.unexpected).toEqual([]);
}

/** What is held downstream equals what the store holds, once per intent and within each offer's capacity. */
function checkHoldings(data: string): number {
  const { raw, close } = openSqlite({ path: join(data, DATABASE_FILE), readOnly: true });
  const held = raw
    .prepare("select id, intent_id, offer, gpus from allocations where released_ms is null order by id")
    .all() as unknown as { id: string; intent_id: string; offer: string; gpus: number }[];
  close();
  const journal = openJournal(join(data, "federation.db"));
  const downstream = [...journal.load()]
    .filter(({ released }) => !released)
    .map(({ request }) => request.key);
  journal.close();
  expect(downstream).toEqual(held.map(({ id }) => id));
  // all intents of these rounds fit into one offer each
  const owners = held.map(({ intent_id }) => intent_id);
  expect(new Set(owners).size).toBe(owners.length);
  const used = new Map<string, number>();
  for (const { offer, gpus } of held) used.set(offer, (used.get(offer) ?? 0) + gpus);
  expect([...used.values()].filter((gpus) => gpus > 8)).toEqual([]);
  return held.length;
}

/** A receiver of webhooks that outlives the service: what it got, by id, in the order of the first arrival. */
async function startReceiver(): Promise<{
  readonly port: number;
  readonly bodies: ReadonlyMap<string, string>;
  readonly broken: readonly string[];
  repeats(): number;
}> {
  const bodies = new Map<string, string>();
  const broken: string[] = [];
  let repeats = 0;
  const server = createServer((request, answer) => {
    let body = "";
    request.on("data", (part) => (body += String(part)));
    request.on("end", () => {
      const id = String(request.headers["webhook-id"]);
      const before = bodies.get(id);
      if (before === undefined) bodies.set(id, body);
      else repeats++;
      if (before !== undefined && before !== body) broken.push(`${id} has two bodies`);
      answer.writeHead(204).end();
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, bodies, broken, repeats: () => repeats };
}

/** Events of a kind, in the form of their `webhook-id`. */
function eventIds(data: string, kind: string): string[] {
  const { raw, close } = openSqlite({ path: join(data, DATABASE_FILE), readOnly: true });
  const rows = raw.prepare("select seq from events where kind = ? order by seq").all(kind);
  close();
  return rows.map(({ seq }) => `evt-${String(seq)}`);
}

test(`${rounds} rounds of kill -9: nothing acknowledged is lost, nothing is placed twice, all comes to rest, webhooks hear of everything`, {
  timeout: 30_000 + rounds * 15_000,
}, async () => {
  const data = newFolder();
  const ledger = createLedger();
  const chance = createChance(seed);
  const receiver = await startReceiver();
  const env = { FLARE_HOOK_PORT: String(receiver.port) };
  for (let round = 0; round < rounds; round++) {
    const { child, url, exited } = await startService(data, { env });
    if (round === 0) {
      const body = JSON.stringify({ url: `http://127.0.0.1:${receiver.port}/`, events: ["intent.running"] });
      const headers = { authorization: `Bearer ${tokenOf(data)}`, "content-type": "application/json" };
      expect((await fetch(`${url}/webhooks`, { method: "POST", headers, body })).status).toBe(201);
    }
    const load = loadUntilGone({ url, token: tokenOf(data), ledger, name: `r${round}`, chance });
    const before = ledger.acknowledged.size;
    while (ledger.acknowledged.size === before) await sleep(2);
    await sleep(chance() * 600);
    child.kill("SIGKILL");
    await exited;
    await load;
    await check(data, ledger);
  }
  expect(ledger.acknowledged.size).toBeGreaterThan(rounds);
  expect(ledger.cancelled.size).toBeGreaterThan(0);

  // faults are over: everything waiting is called off, the rest must come to rest by itself
  const last = await startService(data, { env });
  const headers = { authorization: `Bearer ${tokenOf(data)}` };
  const atRest = async (): Promise<string[]> => {
    for (const { id, phase } of intentsOf(data))
      if (phase === "waiting") await fetch(`${last.url}/intents/${id}`, { method: "DELETE", headers });
    const rest = ["running", "cancelled", "failed", "completed"];
    return intentsOf(data)
      .filter(({ phase }) => !rest.includes(phase))
      .map(({ id, phase }) => `${id} ${phase}`);
  };
  await expect.poll(atRest, { timeout: 25_000, interval: 200 }).toEqual([]);
  const told = eventIds(data, "intent.running");
  expect(told.length).toBeGreaterThan(0);
  await expect.poll(() => [...receiver.bodies.keys()], { timeout: 10_000 }).toEqual(told);
  expect(receiver.broken).toEqual([]);
  // one message is on its way at a time, so a kill repeats one at most
  expect(receiver.repeats()).toBeLessThanOrEqual(rounds);
  last.child.kill("SIGTERM");
  expect(await last.exited).toBe(0);
  await check(data, ledger);
  expect(checkHoldings(data)).toBe(intentsOf(data).filter(({ phase }) => phase === "running").length);
});

test("SIGTERM under load: every request that was stored is answered, and the process ends by itself", async () => {
  const data = newFolder();
  const ledger = createLedger();
  const { child, url, exited } = await startService(data);
  const load = loadUntilGone({
    url,
    token: tokenOf(data),
    ledger,
    name: "t",
    chance: createChance(seed),
    clients: 16,
  });
  while (ledger.acknowledged.size < 50) await sleep(2);
  const asked = performance.now();
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
  expect(performance.now() - asked).toBeLessThan(10_000);
  await load;
  await check(data, ledger);
  const names = new Set(intentsOf(data).map(({ name }) => name));
  expect([...ledger.inDoubt].filter((key) => names.has(key))).toEqual([]);
});
