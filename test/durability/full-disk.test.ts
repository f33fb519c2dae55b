import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { openSqlite } from "../../api/store/sqlite.ts";
import { DATABASE_FILE, verifyFile } from "../../api/store/sqlite-backup.ts";
import { openLocalStore } from "../../api/store/sqlite-store.ts";
import { verifyDatabase } from "../../api/store/verify.ts";
import { createDrivenService, wish } from "../api/driven-env.ts";
import { createLedger, loadUntilGone, startService, tokenOf } from "./rounds.ts";
import { compileShim, hasShims, skipReason } from "./shims.ts";

const folder = mkdtempSync(join(tmpdir(), "flare-disk-"));
afterAll(() => rmSync(folder, { recursive: true }));
const library = hasShims ? compileShim("failing-disk", folder) : "";

/** A running service whose disk fails while a flag is set. */
async function onFailingDisk(name: string) {
  const data = join(folder, name, "data");
  const flags = join(folder, name, "flags");
  mkdirSync(flags, { recursive: true });
  const service = await startService(data, {
    env: { LD_PRELOAD: library, DISK_FOLDER: data, DISK_FLAGS: flags },
  });
  const submit = async (intent: string): Promise<{ status: number; retryAfter: string | null }> => {
    const answer = await fetch(`${service.url}/intents`, {
      method: "POST",
      headers: { authorization: `Bearer ${tokenOf(data)}`, "content-type": "application/json" },
      body: JSON.stringify(wish(intent, 1)),
    });
    await answer.arrayBuffer();
    return { status: answer.status, retryAfter: answer.headers.get("retry-after") };
  };
  const flag = (which: "full" | "broken", isSet: boolean): void =>
    isSet ? writeFileSync(join(flags, which), "") : rmSync(join(flags, which));
  return { ...service, data, submit, flag };
}

test("a full disk turns writes into 507 with Retry-After, reads go on, and space heals it", async () => {
  const connection = openSqlite({ path: ":memory:" });
  const service = await createDrivenService({ store: await openLocalStore(connection) });
  const token = await service.token(["intents:read", "intents:write", "intents:delete"]);
  const submit = (name: string) => service.request(token, "POST", "/intents", wish(name, 1));
  const first = await submit("first");
  expect(first.status).toBe(202);
  await service.run(3000);
  const { page_count: pages } = connection.raw.prepare("pragma page_count").get() as { page_count: number };
  // SQLite's own limit answers as a disk that has no more space does
  connection.raw.exec(`pragma max_page_count = ${pages}`);
  const answers = [];
  for (let index = 0; index < 40; index++) answers.push(await submit(`more-${index}`));
  const refused = answers.filter(({ status }) => status !== 202);
  expect(refused.length).toBeGreaterThan(20);
  for (const { status, body, headers } of refused) {
    expect([status, body["error_code"], headers.get("retry-after")]).toEqual([507, "STORAGE_FULL", "30"]);
  }
  await service.run(5000);
  const path = `/intents/${String(first.body["intent_id"])}`;
  expect((await service.request(token, "GET", path)).body).toMatchObject({ phase: "running" });
  const listed = (await service.request(token, "GET", "/intents")).body["intents"] as unknown[];
  expect(listed).toHaveLength(1 + answers.length - refused.length);

  connection.raw.exec("pragma max_page_count = 1000000");
  expect((await submit("healed")).status).toBe(202);
  await service.run(5000);
  expect((await verifyDatabase(connection.db)).findings).toEqual([]);
});

test.skipIf(!hasShims)(
  `a service on a disk that fills up refuses, reads, and heals${skipReason}`,
  async () => {
    const { child, url, exited, data, submit, flag } = await onFailingDisk("full");
    expect((await submit("before")).status).toBe(202);
    flag("full", true);
    for (let index = 0; index < 5; index++)
      expect(await submit(`during-${index}`)).toEqual({ status: 507, retryAfter: "30" });
    const headers = { authorization: `Bearer ${tokenOf(data)}` };
    const listed = (await (await fetch(`${url}/intents`, { headers })).json()) as {
      intents: { name: string }[];
    };
    expect(listed.intents.map(({ name }) => name)).toEqual(["before"]);
    flag("full", false);
    expect((await submit("after")).status).toBe(202);
    const phases = async (): Promise<string[]> => {
      const { intents } = (await (await fetch(`${url}/intents`, { headers })).json()) as {
        intents: { phase: string }[];
      };
      return intents.map(({ phase }) => phase);
    };
    await expect.poll(phases, { timeout: 15_000 }).toEqual(["running", "running"]);
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    expect((await verifyFile(join(data, DATABASE_FILE))).findings).toEqual([]);
  },
);

test.skipIf(!hasShims)(
  `a sync that fails ends the process; what was acknowledged before is there${skipReason}`,
  async () => {
    const { url, exited, data, flag } = await onFailingDisk("broken");
    const ledger = createLedger();
    const load = loadUntilGone({ url, token: tokenOf(data), ledger, name: "b", chance: () => 0.9 });
    while (ledger.acknowledged.size < 10) await sleep(2);
    flag("broken", true);
    expect(await exited).toBe(1);
    await load;
    const again = await startService(data);
    const headers = { authorization: `Bearer ${tokenOf(data)}` };
    for (const id of ledger.acknowledged.values()) {
      const answer = await fetch(`${again.url}/intents/${id}`, { headers });
      await answer.arrayBuffer();
      expect([id, answer.status]).toEqual([id, 200]);
    }
    again.child.kill("SIGTERM");
    expect(await again.exited).toBe(0);
  },
);
