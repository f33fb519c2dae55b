import { spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { noPostgres, postgresPrograms, startPostgres } from "../postgres/server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(join(root, "docs/guides/scale-out.md"), "utf8");
const blocks = [...page.matchAll(/^```sh run\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);

const missing = ["bash", "curl"].filter((tool) => spawnSync(tool, ["--version"]).status !== 0);
/** Three replicas and as many commands start in it: with the rounds of the pipeline only. */
const isSkipped =
  noPostgres !== null || missing.length > 0 || process.env["FLARE_REPLICA_ROUNDS"] === undefined;

/** A port such that the three after it are free as well. */
async function findPorts(): Promise<number> {
  const isFree = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
      const server = createServer().once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
  for (let base = 21_080; base < 60_000; base += 97)
    if ((await Promise.all([1, 2, 3].map((step) => isFree(base + step)))).every(Boolean)) return base;
  throw new Error("no free ports");
}

test.skipIf(isSkipped)("every command of the guide works as written", { timeout: 180_000 }, async () => {
  expect(blocks.length).toBeGreaterThan(6);
  const server = await startPostgres();
  const folder = mkdtempSync(join(tmpdir(), "flare-guide-"));
  const bin = join(folder, "bin");
  mkdirSync(bin);
  cpSync(join(root, "fixtures/intents"), join(folder, "fixtures/intents"), { recursive: true });
  const flare = join(bin, "flare");
  writeFileSync(flare, `#!/bin/sh\nexec "${process.execPath}" "${join(root, "cli/main.ts")}" "$@"\n`);
  chmodSync(flare, 0o755);
  const base = await findPorts();
  const code = blocks
    .join("\n")
    .replaceAll(/\b808(\d)\b/g, (_, digit: string) => String(base + Number(digit)));
  // what runs in the background ends with the shell
  const child = spawn("bash", ["-euo", "pipefail", "-c", `trap 'kill $(jobs -p); wait' EXIT\n${code}`], {
    cwd: folder,
    env: {
      PATH: `${bin}:${postgresPrograms}:${process.env["PATH"]}`,
      PGUSER: "flare",
      PGHOST: server.folder,
    },
  });
  let out = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (part: Buffer) => (out += part.toString()));
  const status = await new Promise((resolve) => child.once("close", resolve));
  await server.stop();
  rmSync(folder, { recursive: true });
  const ids = [...out.matchAll(/"intent_id":"([^"]+)"/g)].map(([, id]) => id);
  expect(ids).toHaveLength(2);
  expect(new Set(ids).size).toBe(1);
  const leads = [...out.matchAll(/^flare_leader (\d)$/gm)].map(([, value]) => value);
  expect(leads.sort()).toEqual(["0", "0", "1"]);
  expect(out).toContain("everything agrees");
  expect(out).toMatch(/flare-monday\.db: \d+ bytes, \d+ events, 1 intents, verified/);
  expect(out.match(/restored to event \d+/g)).toHaveLength(2);
  expect(status).toBe(0);
});
