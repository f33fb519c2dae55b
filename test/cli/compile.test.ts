import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "flare-compile-"));
const file = join(folder, "europe.flare");
const intent = "fixtures/intents/inference-eu.json";
const source = "fixtures/clusters/europe.json";

afterAll(() => rmSync(folder, { recursive: true }));

function flare(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["cli/main.ts", ...args], {
    cwd: root,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test("a compiled federation is a fixture like the one it came from, also in a saved run", () => {
  const made = flare("compile", "--fixture", source, "--out", file);
  expect(made).toMatchObject({ status: 0, stdout: "" });
  expect(made.stderr).toMatch(/offers as of .*, \d+ bytes\n$/);
  const saved = join(folder, "run.json");
  const from = (fixture: string): string => flare("place", intent, "--fixture", fixture, "--json").stdout;
  const expected = from(source);
  expect(expected).toContain('"placed"');
  expect(from(file)).toBe(expected);
  flare("place", intent, "--fixture", file, "--save", saved);
  expect(flare("replay", saved)).toMatchObject({ status: 0, stderr: "" });
});

test("a damaged file and one that cannot be written exit 2 and are named", () => {
  const damaged = join(folder, "damaged.flare");
  writeFileSync(damaged, readFileSync(file).subarray(0, 5000));
  const read = flare("place", intent, "--fixture", damaged);
  expect([read.status, read.stdout]).toEqual([2, ""]);
  expect(read.stderr).toContain(`error: ${damaged}: saved table: `);
  const written = flare("compile", "--fixture", source, "--out", join(folder, "none", "x.flare"));
  expect(written.status).toBe(2);
  expect(written.stderr).toContain("cannot be written: its folder does not exist");
});
