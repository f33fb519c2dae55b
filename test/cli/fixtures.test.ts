import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { readFixtures } from "../../cli/fixtures.ts";
import { readSnapshots, readSource } from "../../cli/input.ts";
import { progressLine } from "../../cli/render/progress.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "flare-fixtures-"));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const flare = (...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["cli/main.ts", ...args], {
    cwd: root,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};
const offersOf = (...args: readonly string[]) => {
  const { status, stdout, stderr } = flare("offers", "--json", ...args);
  return { status, stderr, ...(status === 0 ? JSON.parse(stdout) : {}) };
};

const intent = file(
  "intent.json",
  JSON.stringify({
    intent: {
      objective: "Cost_Minimization",
      workload: { type: "service", name: "demo", image: "demo", resources: { gpu: { count: 1 } } },
      constraints: { max_hourly_cost: "2.00 EUR" },
    },
  }),
);
const columns = "InstanceType,AcceleratorName,AcceleratorCount,Price,Region";

test("a price list places intents once its currency has a rate, and the saved run replays", () => {
  const list = file("acme.csv", `${columns}\na,L4,1,2.10,eu-west-1\nb,T4,1,bad,eu-west-1\n`);
  const without = flare("place", intent, "--fixture", list, "--json");
  expect(JSON.parse(without.stdout).intents[0]).toMatchObject({ outcome: "refused" });
  const saved = join(folder, "plan.json");
  const placed = flare("place", intent, "--fixture", list, "--rate", "USD=0.88", "--save", saved, "--json");
  expect(JSON.parse(placed.stdout).intents[0]).toMatchObject({
    outcome: "placed",
    placements: [{ offer: "acme/a/eu-west-1", cost_per_hour: { amount: 1.848, currency: "EUR" } }],
  });
  expect(flare("replay", saved).status).toBe(0);
});

test("the first broken rows are shown and the others counted", () => {
  const broken = Array.from({ length: 8 }, (_, index) => `b${index},T4,1,bad,eu-west-1`);
  const list = file("broken.csv", [columns, ...broken, "a,L4,1,1,eu-west-1"].join("\n"));
  const { stderr } = flare("offers", "--fixture", list);
  expect(stderr.match(/^skipped offer row/gm)).toHaveLength(5);
  expect(stderr).toContain("skipped 3 more offers");
});

test("the folder of a vms.csv names its seller", () => {
  const list = join(mkdtempSync(join(folder, "lambda-")), "vms.csv");
  writeFileSync(list, `${columns}\na,L4,1,1,eu-west-1\n`);
  expect(offersOf("--fixture", list).offers[0].provider).toMatch(/^lambda-/);
});

test("a generated federation is the same each time, and adds up with other fixtures", () => {
  const one = offersOf("--fixture", "generate:20?seed=7");
  expect(one.offers).toHaveLength(20);
  expect(offersOf("--fixture", "generate:20?seed=7")).toEqual(one);
  expect(offersOf("--fixture", "generate:20").offers).not.toEqual(one.offers);
  const both = offersOf("--fixture", "generate:20", "--fixture", "fixtures/clusters/quickstart.json");
  expect(both.offers.length).toBeGreaterThan(20);
});

test.for(["generate:0", "generate:x", "generate:99999999", "generate:5?seed=-1"])(
  "%s is refused",
  async (name) => {
    await expect(readFixtures({ fixture: [name] })).rejects.toThrow("accepted: generate:COUNT");
  },
);

test.for(["USD", "USD=0", "USD=x", "DOLLAR=1"])("--rate %s is refused", async (rate) => {
  await expect(readFixtures({ fixture: ["generate:1"], rate: [rate] })).rejects.toThrow(
    "accepted: CURRENCY=AMOUNT",
  );
});

test("a snapshot in YAML says what it says in JSON; YAML that does not parse names line and column", () => {
  const path = "fixtures/clusters/quickstart.json";
  const yaml = file("quickstart.yaml", stringify(JSON.parse(readFileSync(join(root, path), "utf8"))));
  expect(offersOf("--fixture", yaml).offers).toEqual(offersOf("--fixture", path).offers);
  const { status, stderr } = offersOf("--fixture", file("bad.yaml", "offers:\n  - id: [\n"));
  expect(status).toBe(2);
  expect(stderr).toMatch(/bad\.yaml: malformed YAML at line \d+, column \d+/);
  const levels = Array.from({ length: 9 }, (_, level) =>
    level === 0
      ? "a0: &a0 [x, x]"
      : `a${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join(", ")}]`,
  );
  const bomb = file("bomb.yaml", levels.join("\n"));
  expect(() => readSource(bomb)).toThrow(/bomb\.yaml: malformed YAML: Excessive alias count/);
});

test("a missing price list and an empty one are named", async () => {
  const list = join(folder, "none.csv");
  await expect(readFixtures({ fixture: [list] })).rejects.toThrow("none.csv: no such file");
  await expect(readFixtures({ fixture: [file("empty.csv", "")] })).rejects.toThrow("empty.csv: empty");
});

test("the progress bar shows share and rows, within its bounds", () => {
  expect(progressLine("p.csv", 0.5, 50_000)).toBe(
    `p.csv [${"#".repeat(15)}${".".repeat(15)}]  50 % 50,000 rows`,
  );
  expect(progressLine("p.csv", 1.2, 1)).toContain(`[${"#".repeat(30)}] 100 %`);
});

test("FLUIDOS flavors in several YAML documents are one federation", () => {
  const one = (name: string): object => ({
    kind: "Flavor",
    metadata: { name },
    spec: {
      flavorType: {
        typeIdentifier: "K8Slice",
        typeData: {
          characteristics: {
            cpu: "8",
            memory: "64Gi",
            pods: "110",
            gpu: {
              model: "nvidia-l4",
              count: 1,
              memory: "24Gi",
              hourly_rate: 0.8,
              zone: "eu-west-1",
              provider: "p",
            },
          },
        },
      },
      owner: { domain: "d", nodeID: "n", ip: "h:1" },
      price: { amount: "", currency: "", period: "" },
      availability: true,
    },
  });
  const many = file(
    "flavors.yaml",
    `${stringify(one("a"))}---\n${stringify({ kind: "List", items: [one("b")] })}`,
  );
  const { offers } = offersOf("--fixture", many);
  expect(offers.map(({ offer }: { offer: string }) => offer)).toEqual(["a", "b"]);
});

test("--memory-scope settles what memory of flavors counts, and a saved run keeps it (C-06)", async () => {
  const gpu = {
    model: "nvidia-x9",
    count: 2,
    memory: "48Gi",
    hourly_rate: 1,
    zone: "eu-west-1",
    provider: "p",
  };
  const document = {
    kind: "Flavor",
    metadata: { name: "a" },
    spec: {
      flavorType: { typeIdentifier: "K8Slice", typeData: { characteristics: { gpu } } },
      owner: { domain: "d", nodeID: "n", ip: "h:1" },
      price: { amount: "", currency: "", period: "" },
      availability: true,
    },
  };
  const path = file("scoped.json", JSON.stringify(document));
  const memory = async (memoryScope?: "gpu" | "node"): Promise<number | undefined> => {
    const sources = await readFixtures({
      fixture: [path],
      ...(memoryScope === undefined ? {} : { memoryScope }),
    });
    const again = JSON.parse(JSON.stringify(sources));
    return readSnapshots(again, { strict: true }).offers[0]?.gpu.memoryMib;
  };
  expect(await memory()).toBe(24 * 1024);
  expect(await memory("node")).toBe(24 * 1024);
  expect(await memory("gpu")).toBe(48 * 1024);
});
