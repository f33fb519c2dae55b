import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "flare-cli-"));

const flare = (args: readonly string[], input?: string) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["cli/main.ts", ...args], {
    cwd: root,
    encoding: "utf8",
    ...(input === undefined ? {} : { input }),
  });
  return { status, stdout, stderr };
};

const quickstart = ["fixtures/intents/quickstart.json", "--fixture", "fixtures/clusters/quickstart.json"];
const inference = ["fixtures/intents/inference-eu.json", "--fixture", "fixtures/clusters/europe.json"];

const file = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};
const load = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"));
/** Parsed JSON of any shape. */
type Loose = ReturnType<typeof JSON.parse>;

const intentWith = (change: (intent: Loose) => void): unknown => {
  const document = load("fixtures/intents/quickstart.json");
  change(document.intent);
  return document;
};
const clusterWith = (change: (cluster: Loose) => void): unknown => {
  const document = load("fixtures/clusters/quickstart.json");
  change(document);
  return document;
};

test("the QuickStart intent is refused with exactly its two verified counterfactuals (C-38)", () => {
  const { status, stdout } = flare(["place", ...quickstart, "--json"]);
  const [decision] = JSON.parse(stdout).intents;
  expect(status).toBe(3);
  expect(decision).toMatchObject({ name: "quickstart-llm", outcome: "refused", placements: [], feasible: 0 });
  expect(decision.counterfactuals).toEqual([
    {
      changes: [{ path: "constraints.preemptible", from: false, to: true }],
      offers: 1,
      best: {
        offer: "provider-1-worker2",
        provider: "provider-1",
        cost_per_hour: { amount: 1.8, currency: "EUR" },
        spot: true,
      },
    },
    {
      changes: [{ path: "constraints.max_hourly_cost", from: "2.00 EUR", to: "4.50 EUR" }],
      offers: 1,
      best: {
        offer: "provider-1-worker",
        provider: "provider-1",
        cost_per_hour: { amount: 4.5, currency: "EUR" },
        spot: false,
      },
    },
  ]);
});

test("a placed intent prints the documented JSON on stdout and nothing else, exit 0", () => {
  const { status, stdout, stderr } = flare(["place", ...inference, "--json", "--tradeoffs"]);
  const output = JSON.parse(stdout);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(Object.keys(output)).toEqual(expect.arrayContaining(["intents", "snapshot", "engine"]));
  expect(output.intents[0]).toMatchObject({
    outcome: "placed",
    placements: [
      {
        offer: "rhein-a100-fra-1",
        gpus: 4,
        replicas: 1,
        spot: false,
        cost_per_hour: { amount: 7.6, currency: "EUR" },
      },
    ],
  });
  expect(output.intents[0].tradeoffs.length).toBeGreaterThan(1);
  expect(output.engine.kernel).toBe("wasm");
});

test("a saved plan replays to the same bytes, and a tampered one says where it differs with exit 5", () => {
  const saved = join(folder, "plan.json");
  expect(flare(["place", ...inference, "--plan-b", "--save", saved]).status).toBe(0);
  expect(flare(["replay", saved])).toMatchObject({ status: 0, stderr: "" });
  writeFileSync(saved, readFileSync(saved, "utf8").replace('"amount": 7.6', '"amount": 7.5'));
  const { status, stderr } = flare(["replay", saved]);
  expect(status).toBe(5);
  expect(stderr).toMatch(/differs at line \d+: saved "amount": 7\.5/);
});

test("assert exits 0 when every claim holds and 4 when one fails", () => {
  expect(
    flare(["assert", ...inference, "--provider-area", "EU", "--max-cost", "8", "--gpu-model", "nvidia-a100"])
      .status,
  ).toBe(0);
  const failed = flare(["assert", ...inference, "--max-cost", "5"]);
  expect(failed.status).toBe(4);
  expect(failed.stdout).toContain("FAIL max-cost: expected 5, found 7.6");
});

test("kubectl's node list from standard input is a federation whose offers are the nodes", () => {
  const { offers } = load("fixtures/clusters/quickstart.json");
  const nodes = {
    apiVersion: "v1",
    kind: "List",
    items: offers.map((offer: { id: string; annotations: object }) => ({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: offer.id, annotations: offer.annotations, labels: {} },
      status: {
        capacity: { cpu: "64", memory: "512Gi", pods: "110", "nvidia.com/gpu": "4" },
        allocatable: { cpu: "64", memory: "512Gi", pods: "110", "nvidia.com/gpu": "4" },
        conditions: [{ type: "Ready", status: "True" }],
      },
    })),
  };
  const wish = file(
    "cheap.json",
    intentWith((intent) => Object.assign(intent, { constraints: { preemptible: true } })),
  );
  const { status, stdout } = flare(
    ["place", wish, "--fixture", "-", "--json", "--at", "2026-01-01T00:00:00Z"],
    JSON.stringify(nodes),
  );
  expect(status).toBe(0);
  expect(JSON.parse(stdout).intents[0].placements[0]).toMatchObject({
    offer: "provider-1-worker2",
    spot: true,
  });
});

const bad: readonly (readonly [string, () => readonly string[], RegExp])[] = [
  [
    "malformed JSON",
    () => [file("a.json", '{"intent": {]'), ...quickstart.slice(1)],
    /a\.json: malformed JSON at line 1, column \d+/,
  ],
  ["a missing file", () => ["no-such.json", ...quickstart.slice(1)], /no-such\.json: no such file/],
  [
    "a missing field",
    () => [
      file(
        "b.json",
        intentWith((i) => delete i["workload"]["image"]),
      ),
      ...quickstart.slice(1),
    ],
    /b\.json: intent\.workload\.image/,
  ],
  [
    "an unknown enum value",
    () => [
      file(
        "c.json",
        intentWith((i) => Object.assign(i, { objective: "Fastest" })),
      ),
      ...quickstart.slice(1),
    ],
    /c\.json: intent\.objective: .*Fastest.*accepted/,
  ],
  [
    "an unparsable quantity",
    () => [
      file(
        "d.json",
        intentWith((i) => Object.assign(i["workload"]["resources"], { memory: "lots" })),
      ),
      ...quickstart.slice(1),
    ],
    /d\.json: intent\.workload\.resources\.memory: .*lots.*accepted/,
  ],
  [
    "unparsable money",
    () => [
      file(
        "e.json",
        intentWith((i) => Object.assign(i["constraints"], { max_hourly_cost: "cheap" })),
      ),
      ...quickstart.slice(1),
    ],
    /e\.json: intent\.constraints\.max_hourly_cost: .*cheap.*accepted/,
  ],
  [
    "a negative count",
    () => [
      file(
        "f.json",
        intentWith((i) => Object.assign(i["workload"]["resources"]["gpu"], { count: -1 })),
      ),
      ...quickstart.slice(1),
    ],
    /f\.json: intent\.workload\.resources\.gpu\.count: .*-1/,
  ],
  [
    "an unknown currency",
    () => [
      file(
        "g.json",
        intentWith((i) => Object.assign(i["constraints"], { max_hourly_cost: "5 QQQ" })),
      ),
      ...quickstart.slice(1),
    ],
    /g\.json: intent\.constraints\.max_hourly_cost: .*QQQ/,
  ],
  [
    "two spellings with different values",
    () => [
      file(
        "h.json",
        intentWith((i) => Object.assign(i["workload"]["resources"]["gpu"], { memory: "80Gi" })),
      ),
      ...quickstart.slice(1),
    ],
    /h\.json: intent\.workload\.resources\.gpu\.memory/,
  ],
  [
    "a duplicate offer id",
    () => [
      quickstart[0]!,
      "--fixture",
      file(
        "i.json",
        clusterWith((c) => Object.assign(c["offers"][1], { id: "provider-1-worker" })),
      ),
    ],
    /i\.json: .*provider-1-worker/,
  ],
  [
    "the same federation twice",
    () => [...quickstart, "--fixture", "fixtures/clusters/quickstart.json"],
    /offer provider-1-worker is also in/,
  ],
  ["no federation", () => [quickstart[0]!], /--fixture/],
  ["an unparsable time", () => [...quickstart, "--at", "tomorrow"], /tomorrow/],
];

test.for(bad)("%s is exit 2 with the place, and never a stack trace", ([, args, message]) => {
  const { status, stdout, stderr } = flare(["place", ...args()]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\n\s+at /);
});

test("a broken offer is skipped, named and counted, and the rest placed", () => {
  const broken = file(
    "broken.json",
    clusterWith((cluster) => {
      Object.assign(cluster["offers"][0]["annotations"], { "gpu.fluidos.eu/count": "many" });
    }),
  );
  const wish = file(
    "spot.json",
    intentWith((intent) => Object.assign(intent["constraints"], { preemptible: true })),
  );
  const { status, stdout } = flare(["place", wish, "--fixture", broken, "--json"]);
  expect(status).toBe(0);
  const { snapshot, intents } = JSON.parse(stdout);
  expect(snapshot.skipped).toHaveLength(1);
  expect(snapshot.skipped[0]).toMatchObject({ id: "provider-1-worker" });
  expect(snapshot.skipped[0].message).toContain("many");
  expect(intents[0].placements[0].offer).toBe("provider-1-worker2");
});

test("the demo ends well and names the commands to try next", () => {
  const { status, stdout } = spawnSync(process.execPath, ["cli/demo.ts"], { cwd: root, encoding: "utf8" });
  expect(status).toBe(0);
  for (const text of [
    "placed (PLACED)",
    "refused",
    "kind: Reservation",
    "kind: Allocation",
    "kind: NamespaceOffloading",
    "kind: Deployment",
    "Try next",
  ])
    expect(stdout).toContain(text);
});
