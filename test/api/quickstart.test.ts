import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { serve } from "../../api/serve.ts";
import { readSnapshots, readSource } from "../../cli/input.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(join(root, "docs/guides/quickstart.md"), "utf8");
const blocks = [...page.matchAll(/^```sh run\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);

const missing = ["bash", "curl"].filter((tool) => spawnSync(tool, ["--version"]).status !== 0);

/** Runs all marked commands of the page as one shell, which stops at the first that fails. */
function run(
  folder: string,
  environment: Record<string, string>,
): Promise<{ code: number | null; out: string }> {
  // pipes fail with their first part, as a reader would notice
  const child = spawn("bash", ["-euo", "pipefail", "-c", blocks.join("\n")], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", ...environment },
  });
  let out = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (part: Buffer) => (out += part.toString()));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out })));
}

test.skipIf(missing.length > 0)("every command of the quickstart works as written", async () => {
  expect(blocks.length).toBeGreaterThan(8);
  const folder = mkdtempSync(join(tmpdir(), "flare-quickstart-"));
  cpSync(join(root, "fixtures/intents"), join(folder, "fixtures/intents"), { recursive: true });
  const service = await serve({
    host: "127.0.0.1",
    port: 0,
    data: join(folder, "data"),
    snapshot: readSnapshots([readSource(join(root, "fixtures/clusters/europe.json"))], { strict: true }),
    delays: { peeringMs: 20, deployingMs: 20, reservationMs: 60_000 },
    logLevel: "silent",
    onFatal(message) {
      throw new Error(message);
    },
  });
  const { code, out } = await run(folder, {
    FLARE_SERVER: service.url,
    FLARE_TOKEN: service.adminToken ?? "",
  });
  expect(out).toContain('"outcome":"placed"');
  expect(out).toContain('"estimated_cost":"7.60 EUR/hour"');
  for (const phase of ["queued", "placing", "reserved", "contracted", "peering", "deploying", "running"])
    expect(out).toContain(`event: intent.${phase}`);
  expect(out).toContain('"priority":700');
  expect(out).toContain("COST_LIMIT_EXCEEDED");
  expect(code).toBe(0);
  await service.close();
  rmSync(folder, { recursive: true });
});

test("the page says everything that it shows", () => {
  if (missing.length > 0)
    console.warn(`the quickstart was not run: no ${missing.join(", ")} on this machine`);
  // commands that start the service or are typed with the command line are shown and not run; all others are
  const shown = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, code]) => code!).join("");
  expect(shown).not.toContain("curl");
});
