import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { DATABASE_FILE, verifyFile } from "../../api/store/sqlite-backup.ts";
import { openSqliteStore } from "../../api/store/sqlite-store.ts";
import { createChance, createLedger, ensureFile, loadUntilGone, startService, tokenOf } from "./rounds.ts";
import { compileShim, hasShims, skipReason } from "./shims.ts";

/** Rounds of this run: few in every test run, 20 in the pipeline, 200 at night. */
const rounds = Number(process.env["FLARE_POWER_ROUNDS"] ?? 2);
const seed = Number(process.env["FLARE_SEED"] ?? 1);

const folder = mkdtempSync(join(tmpdir(), "flare-power-"));
afterAll(() => rmSync(folder, { recursive: true }));
const library = hasShims ? compileShim("last-sync", folder) : "";

/**
 * Runs a service under load, takes its power away, and looks at what a disk that lost every unsynced write holds.
 * Returns how many acknowledged intents there were, and how many of them are gone.
 */
async function powerLoss(
  name: string,
  synchronous: "full" | "off",
  chance: () => number,
): Promise<{ acknowledged: number; lost: number; findings: readonly string[] }> {
  const data = join(folder, name, "data");
  const image = join(folder, name, "image");
  mkdirSync(image, { recursive: true });
  const ledger = createLedger();
  const { child, url, exited } = await startService(data, {
    synchronous,
    env: { LD_PRELOAD: library, IMAGE_FROM: data, IMAGE_TO: image },
  });
  const load = loadUntilGone({ url, token: tokenOf(data), ledger, name: "p", chance });
  while (ledger.acknowledged.size === 0) await sleep(2);
  await sleep(100 + chance() * 500);
  child.kill("SIGKILL");
  await exited;
  await load;
  const path = join(image, DATABASE_FILE);
  if (!existsSync(path) && !existsSync(`${path}-wal`))
    return { acknowledged: ledger.acknowledged.size, lost: ledger.acknowledged.size, findings: [] };
  ensureFile(path);
  const store = await openSqliteStore({ path, onFatal() {} });
  const ids = [...ledger.acknowledged.values()];
  const there = new Set((await store.system.intentsById(ids)).map(({ id }) => id));
  await store.close();
  const { findings } = await verifyFile(path);
  rmSync(join(folder, name), { recursive: true });
  return { acknowledged: ids.length, lost: ids.filter((id) => !there.has(id)).length, findings };
}

test.skipIf(!hasShims)(
  `${rounds} rounds of power loss: nothing acknowledged is lost${skipReason}`,
  { timeout: 30_000 + rounds * 15_000 },
  async () => {
    const chance = createChance(seed);
    for (let round = 0; round < rounds; round++) {
      const { acknowledged, lost, findings } = await powerLoss(`full-${round}`, "full", chance);
      expect(acknowledged).toBeGreaterThan(0);
      expect({ round, lost, findings }).toEqual({ round, lost: 0, findings: [] });
    }
  },
);

test.skipIf(!hasShims)(
  `without syncing, the same harness sees acknowledged intents vanish${skipReason}`,
  { timeout: 60_000 },
  async () => {
    const { acknowledged, lost } = await powerLoss("off", "off", createChance(seed));
    expect(acknowledged).toBeGreaterThan(0);
    expect(lost).toBeGreaterThan(0);
  },
);
