import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "flare-running-"));
const flare = (...args: string[]) =>
  spawnSync(process.execPath, ["cli/main.ts", ...args], { cwd: root, encoding: "utf8" });
const file = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
};

const offer = (id: string, provider: string, gpus: number, free: number, rate: string) => ({
  id,
  provider,
  region: "eu-central-1",
  gpus,
  free_gpus: free,
  traits: { gpu: { model: "nvidia-a100" }, cost: { hourly_rate: rate, basis: "gpu" } },
});
const fleet = file("fleet.json", {
  at: "2026-01-05T12:00:00Z",
  currency: "EUR",
  offers: [offer("a", "alpha", 4, 0, "2 EUR"), offer("b", "beta", 4, 2, "1 EUR")],
  holdings: [
    {
      intent: "train",
      offer: "a",
      gpus: 2,
      since: "2026-01-05T10:00:00Z",
      until: "2026-01-05T14:00:00Z",
      enforced: true,
      priority: 900,
    },
    { intent: "web", offer: "a", gpus: 2, since: "2026-01-05T10:00:00Z", priority: 900 },
    { intent: "chat", offer: "b", gpus: 2, since: "2026-01-05T10:00:00Z", priority: 900 },
  ],
});
const job = (name: string, gpus: number, tenant = "default") =>
  file(`${name}.json`, {
    intent: {
      tenant,
      objective: "Cost_Minimization",
      workload: {
        type: "batch",
        name,
        image: "registry.example/train:1",
        batch: { timeout: "1h" },
        resources: { gpu: { count: gpus } },
      },
      constraints: { providers: ["alpha"] },
    },
  });
const [first, second] = [job("first", 2), job("second", 2, "rivals")] as const;

test("flare queue tells position, start, basis and reason", () => {
  const { status, stdout } = flare("queue", first, second, "--fixture", fleet);
  expect(status).toBe(3);
  expect(stdout).toMatch(/2 waiting, 0 placed or running, 0 refused, as of 2026-01-05T12:00:00Z/);
  // the tenant that uses less comes first
  expect(stdout).toMatch(/1\s+second\s+rivals\s+2026-01-05T14:00:00Z\s+promise\s+a \(2\)\s+CAPACITY_BUSY/);
  expect(stdout).toMatch(/2\s+first\s+default\s+2026-01-05T15:00:00Z\s+promise/);
});

test("flare explain tells a waiting intent its turn and what would start it now", () => {
  const { status, stdout } = flare("explain", first, "--fixture", fleet);
  expect(status).toBe(3);
  expect(stdout).toContain("position 1");
  expect(stdout).toContain("promised: every end it relies on is enforced or reserved");
  expect(stdout).toContain("What would start it now");
});

test("flare drill says what a loss displaces, where it goes and what that costs", () => {
  const one = flare("drill", "--fixture", fleet, "--model", "a100", "--json");
  expect(one.status).toBe(3);
  expect(JSON.parse(one.stdout).drills).toMatchObject([
    { running: 3, restored: 0, displaced: { length: 3 } },
  ]);
  const all = flare("drill", "--fixture", fleet);
  expect(all.stdout).toMatch(/If provider alpha dies.*2 of 3 displaced/);
  expect(all.stdout).toMatch(/If provider beta dies.*1 of 3 displaced/);
});

test("flare place and flare explain tell a plan B on request", () => {
  const spare = file("spare.json", {
    intent: {
      objective: "Cost_Minimization",
      workload: { type: "service", name: "spare", image: "a/b:1", resources: { gpu: { count: 1 } } },
    },
  });
  const json = flare("place", spare, "--fixture", fleet, "--plan-b", "--json");
  expect(JSON.parse(json.stdout).intents).toMatchObject([
    { placements: [{ offer: "b" }], plan_b: [{ provider: "beta", outcome: "waiting", placements: [] }] },
  ]);
  const { stdout } = flare("explain", spare, "--fixture", fleet, "--plan-b");
  expect(stdout).toMatch(/Plan B\s+if this dies\s+it goes to\s+costs more\s+beta\s+waits, no start known/);
});

test("flare advise proposes a move with its payback and moves nothing", () => {
  const { status, stdout } = flare("advise", "--fixture", fleet);
  expect(status).toBe(0);
  expect(stdout).toMatch(/cheaper\s+web \*\s+a\s+b\s+4.00 EUR\/h\s+2.00 EUR\/h\s+0.1 h/);
  expect(flare("advise", "--fixture", fleet, "--least", "60").stdout).toContain("nothing to propose");
});
