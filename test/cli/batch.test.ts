import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { native, nativeName, nativeOptimum } from "../engine/milp/native.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "flare-batch-"));

const flare = (args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["cli/main.ts", ...args], {
    cwd: root,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};

const write = (name: string, document: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(document));
  return path;
};

const wish = (name: string, gpus: number, cap: number | null = null): unknown => ({
  intent: {
    objective: "Cost_Minimization",
    workload: {
      type: "service",
      name,
      image: "registry.example/serve:1",
      resources: { cpu: "1", memory: "1Gi", gpu: { count: gpus } },
    },
    constraints: cap === null ? {} : { max_hourly_cost: `${cap} EUR` },
  },
});

const offer = (id: string, gpus: number, rate: number) => ({
  id,
  provider: "alpha",
  region: "eu-central-1",
  traits: {
    gpu: { model: "nvidia-a100", memory: "40Gi" },
    cost: { hourly_rate: `${rate} EUR`, basis: "gpu" },
  },
  gpus,
  capacity: { cpu: "64", memory: "256Gi", pods: 110 },
});

const fleet = write("fleet.json", {
  version: "fleet-1",
  at: "2026-03-01T00:00:00Z",
  currency: "EUR",
  offers: [offer("cheap", 4, 1), offer("dear", 2, 2)],
});
// three ask for the cheap offer, one of them cannot go elsewhere; the last finds no room
const one = write("a.json", wish("a", 2));
const two = write("b.json", wish("b", 2));
const inside = join(folder, "more");
mkdirSync(inside);
writeFileSync(join(inside, "c.json"), JSON.stringify(wish("c", 2, 2)));
writeFileSync(join(inside, "d.json"), JSON.stringify(wish("d", 2, 2)));
writeFileSync(join(inside, "notes.txt"), "no intent");
const batch = [one, two, inside, "--fixture", fleet];

test("files and folders are one batch; a summary goes to standard error, JSON alone to standard output", () => {
  const { status, stdout, stderr } = flare(["place", ...batch, "--json"]);
  const plan = JSON.parse(stdout);
  expect(plan.intents.map(({ name, outcome }: { name: string; outcome: string }) => [name, outcome])).toEqual(
    [
      ["a", "placed"],
      ["b", "placed"],
      ["c", "placed"],
      ["d", "waiting"],
    ],
  );
  expect(status).toBe(3);
  expect(plan.batch).toMatchObject({ items: 4, solver: "highs", scarcity: { kind: "signal" } });
  expect(plan.batch.gap).toBeLessThan(1e-6);
  expect(stderr).toMatch(/3 +1 +0 +8\.00 EUR\/h +0 % \(proven\) +highs/);
});

test.for(["glpk", "jslp", "lagrangian"])("--solver %s serves as many, and is named", (name) => {
  const { stdout } = flare(["place", ...batch, "--json", "--solver", name]);
  const plan = JSON.parse(stdout);
  expect(plan.intents.filter(({ outcome }: { outcome: string }) => outcome === "placed")).toHaveLength(3);
  expect(plan.batch.solver).toBe(name);
  expect(plan.batch.bound.amount).toBeGreaterThanOrEqual(plan.batch.gain.amount);
});

test("a saved batch replays byte for byte without any solver", () => {
  const saved = join(folder, "saved.json");
  flare(["place", ...batch, "--save", saved]);
  expect(JSON.parse(readFileSync(saved, "utf8")).answers.length).toBeGreaterThan(0);
  expect(flare(["replay", saved]).status).toBe(0);
});

test("--dump writes the model, the assignment and the bound", () => {
  const dump = join(folder, "dump");
  flare(["place", ...batch, "--dump", dump]);
  const bound = JSON.parse(readFileSync(join(dump, "bound.json"), "utf8"));
  const assignment = JSON.parse(readFileSync(join(dump, "assignment.json"), "utf8"));
  const mps = readFileSync(join(dump, "instance.mps"), "utf8");
  expect(bound.contended).toBe(true);
  expect(bound.bound).toBeGreaterThanOrEqual(bound.gain);
  expect(
    assignment.map(({ intent, offer: id }: { intent: string; offer: string }) => `${intent} ${id}`),
  ).toHaveLength(3);
  for (const { column } of assignment) expect(mps).toContain(` ${column} `);
  expect(mps.endsWith("ENDATA\n")).toBe(true);
});

test.skipIf(native === undefined)(
  `the gap that --dump writes can be recomputed: ${nativeName} finds no more than the bound, no less than the gain`,
  () => {
    const dump = join(folder, "checked");
    flare(["place", ...batch, "--dump", dump]);
    const { gain, bound, objective_scale } = JSON.parse(readFileSync(join(dump, "bound.json"), "utf8"));
    const best = -nativeOptimum(join(dump, "instance.mps")) * objective_scale;
    const slack = 1e-7 * Math.abs(best);
    expect(best).toBeLessThanOrEqual(bound + slack);
    expect(best).toBeGreaterThanOrEqual(gain - slack);
  },
);

test("--dump of a batch in which nobody competes says so", () => {
  const dump = join(folder, "calm");
  flare(["place", one, write("e.json", wish("e", 1)), "--fixture", fleet, "--dump", dump]);
  expect(JSON.parse(readFileSync(join(dump, "bound.json"), "utf8"))).toEqual({ contended: false });
  expect(existsSync(join(dump, "instance.mps"))).toBe(false);
});

test.for([
  {
    name: "a folder without intents",
    args: () => [mkdtempSync(join(tmpdir(), "flare-empty-"))],
    message: "no intents in this folder; accepted: .json",
  },
  { name: "an unknown solver", args: () => [one, two, "--solver", "abacus"], message: "Allowed choices" },
  {
    name: "a deadline that is no number",
    args: () => [one, two, "--deadline", "soon"],
    message: "--deadline: soon; accepted",
  },
  { name: "two intents of one name", args: () => [one, one], message: "unique names" },
])("$name is bad input", ({ args, message }) => {
  const { status, stderr } = flare(["place", ...args(), "--fixture", fleet]);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
});
