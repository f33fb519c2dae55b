import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { gaps, silentConstraints } from "../../cli/gaps.ts";
import { decideOn, states } from "../conformance/decide.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "flare-gaps-"));
const flare = (...args: string[]) =>
  spawnSync(process.execPath, ["cli/main.ts", ...args], { cwd: root, encoding: "utf8" });
const file = (name: string, document: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(document));
  return path;
};

const offer = (id: string, annotations: object = {}): object => ({
  id,
  annotations: {
    "provider.fluidos.eu/name": "Fjord",
    "gpu.fluidos.eu/model": "nvidia-l4",
    "gpu.fluidos.eu/count": "1",
    "location.fluidos.eu/region": "eu-north-1",
    "cost.fluidos.eu/hourly-rate": "1",
    ...annotations,
  },
});
const intent = (name: string, constraints: object, resources: object = {}): string =>
  file(`${name}.json`, {
    intent: {
      objective: "Cost_Minimization",
      workload: { type: "service", name, image: "x", resources: { gpu: {}, ...resources } },
      constraints,
    },
  });
const green = intent("green", { energy: { renewable_energy_only: true } });
const audited = intent("audited", {
  compliance: { audit_logging: true },
  energy: { renewable_energy_only: true },
});
const cheap = intent("cheap", { max_hourly_cost: "0.50 EUR", energy: { renewable_energy_only: true } });
// no annotation states CPU: what lacks it as well has more to do than to annotate
const hungry = intent("hungry", { energy: { renewable_energy_only: true } }, { cpu: "1" });
const federation = file("federation.json", {
  at: "2026-11-24T10:00:00Z",
  offers: [
    offer("silent"),
    offer("brown", { "energy.fluidos.eu/renewable-percent": "20" }),
    offer("green", { "energy.fluidos.eu/renewable-percent": "100" }),
  ],
});

test("flare gaps names the annotations whose silence alone costs offers an intent", () => {
  const { status, stdout } = flare(
    "gaps",
    green,
    audited,
    cheap,
    hungry,
    "--fixture",
    federation,
    "--provider",
    "fjord",
    "--json",
  );
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    offers: 3,
    intents: 4,
    gaps: [
      { annotations: ["compliance.fluidos.eu/audit-logging"], offers: ["green"], intents: ["audited"] },
      {
        annotations: ["compliance.fluidos.eu/audit-logging", "energy.fluidos.eu/renewable-percent"],
        offers: ["silent"],
        intents: ["audited"],
      },
      { annotations: ["energy.fluidos.eu/renewable-percent"], offers: ["silent"], intents: ["green"] },
    ],
  });
});

test("the provider's guide shows what its command prints", () => {
  const guide = readFileSync(join(root, "docs/guides/provider.md"), "utf8");
  const command = /```sh\nflare (gaps [^\n]*)\n```/.exec(guide)?.[1] ?? "";
  const shown = /```text\n([\s\S]*?)```/.exec(guide)?.[1];
  expect(flare(...command.split(" ")).stdout).toBe(shown);
});

test("a provider without offers is bad input that names the others", async () => {
  await expect(gaps([green], { fixture: [federation], strict: true, provider: "nobody" })).rejects.toThrow(
    "fjord",
  );
});

test.for([
  { name: "that fits has no gap", need: {}, offers: [{}], gap: null },
  {
    name: "that is silent has one",
    need: { "workload.resources.gpu.tier": "gaming" },
    offers: [{}],
    gap: ["gpu.tier"],
  },
  {
    name: "that is silent and too dear has none",
    need: { "workload.resources.gpu.tier": "gaming", "constraints.max_hourly_cost": "1 EUR" },
    offers: [{}],
    gap: null,
  },
  {
    name: "whose spot price is low enough has one",
    need: {
      "workload.resources.gpu.tier": "gaming",
      "constraints.max_hourly_cost": "1 EUR",
      "constraints.preemptible": true,
    },
    offers: [states("cost.fluidos.eu/spot-rate", "1")],
    gap: ["gpu.tier"],
  },
])("an offer $name", async ({ need, offers, gap }) => {
  expect(silentConstraints(await decideOn({ intent: need, offers }))).toEqual(gap);
});

test.for(["intent", "snapshot"])("flare schema %s prints the schema that the package publishes", (name) => {
  const { status, stdout } = flare("schema", name);
  expect(status).toBe(0);
  expect(stdout).toBe(readFileSync(join(root, `schemas/${name}.schema.json`), "utf8"));
});

test("a schema of anything else is bad input", () => {
  const { status, stderr } = flare("schema", "plan");
  expect(status).toBe(2);
  expect(stderr).toContain("intent, snapshot");
});
