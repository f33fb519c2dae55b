import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("the bench of batches prints JSON alone, with its aims by name and its baselines", () => {
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      "bench/run.ts",
      "assign",
      "--json",
      "--seeds",
      "1",
      "--sizes",
      "12",
      "--seconds",
      "1",
      "--only",
      "full,single",
      "--offers",
      "200",
    ],
    { cwd: root, encoding: "utf8" },
  );
  expect(status).toBe(0);
  const { machine, cases, aims } = JSON.parse(stdout);
  expect(machine.node).toBe(process.version);
  expect(aims).toMatchObject([{ name: "single-1e5", aim: "<= 1 ms" }]);
  const full = cases.find(({ name }: { name: string }) => name === "full-12@1s");
  const [seed] = full.figures.seeds;
  // nothing certifies more than the bound, and no baseline is above it
  for (const gap of [seed.gap, seed.greedyGap, seed.firstMatchGap, seed.highsGap])
    expect(gap).toBeGreaterThanOrEqual(0);
  expect(seed.greedyGap).toBeGreaterThanOrEqual(seed.gap - 1e-9);
});
