import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const annotate = (args: readonly string[], input: unknown) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["cli/main.ts", "annotate", ...args], {
    cwd: root,
    encoding: "utf8",
    input: typeof input === "string" ? input : JSON.stringify(input),
  });
  return { status, stdout, stderr };
};

const nodes = {
  kind: "List",
  items: [
    {
      kind: "Node",
      metadata: {
        name: "w1",
        labels: { "nvidia.com/gpu.product": "NVIDIA-L4", "nvidia.com/gpu.count": "2" },
        annotations: { "gpu.fluidos.eu/memory": "24Gi" },
      },
    },
    { kind: "Node", metadata: { name: "cpu" } },
  ],
};

test("kubectl patch lines for the nodes that change, and for no others", () => {
  const { status, stdout } = annotate([], nodes);
  expect(status).toBe(0);
  const [line, ...rest] = stdout.trimEnd().split("\n");
  expect(rest).toEqual([]);
  const patch = /^kubectl patch node 'w1' --type merge -p '(.*)'$/.exec(line ?? "")?.[1] ?? "";
  const { annotations } = JSON.parse(patch).metadata;
  expect(annotations).toMatchObject({ "gpu.fluidos.eu/model": "nvidia-l4", "gpu.fluidos.eu/count": "2" });
  expect(annotations).not.toHaveProperty(["gpu.fluidos.eu/memory-per-gpu"]);
});

test("printed nodes need no further annotation, with --migrate nor without", () => {
  for (const flags of [[], ["--migrate"]]) {
    const { stdout } = annotate([...flags, "-o", "nodes"], nodes);
    expect(JSON.parse(stdout).items).toHaveLength(2);
    expect(annotate([...flags, "-o", "json"], stdout).stdout).toBe('{\n  "patches": []\n}\n');
  }
});

test("something that is no list of nodes exits 2 and says what is accepted", () => {
  const { status, stdout, stderr } = annotate([], { kind: "List", items: [{ kind: "Pod" }] });
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain("kubectl get nodes -o json");
});

test("a contradiction exits 2, names the node and prints no patch", () => {
  const [node] = structuredClone(nodes.items);
  Object.assign(node?.metadata ?? {}, {
    labels: { "gpu.fluidos.eu/count": "2" },
    annotations: { "gpu.fluidos.eu/count": "4" },
  });
  const { status, stdout, stderr } = annotate(["--migrate"], { kind: "List", items: [node] });
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain("node w1: ");
});

test("flare export writes a Solver per intent, YAML by default, a list with --json", () => {
  const flare = (...args: readonly string[]): string =>
    spawnSync(process.execPath, ["cli/main.ts", "export", ...args], { cwd: root, encoding: "utf8" }).stdout;
  const intents = ["fixtures/intents/hpc.json", "fixtures/intents/quickstart.json"];
  expect(flare(...intents).match(/^kind: Solver$/gm)).toHaveLength(2);
  const { items } = JSON.parse(flare(...intents, "--json", "--dialect", "main"));
  expect(items.map(({ spec }: { spec: { reserveAndBuy: boolean } }) => spec.reserveAndBuy)).toEqual([
    false,
    false,
  ]);
});

test("flare explain --release prints the deletions of what --yaml writes, workload first", () => {
  const { stdout, status } = spawnSync(
    process.execPath,
    [
      "cli/main.ts",
      "explain",
      "fixtures/intents/inference-eu.json",
      "--fixture",
      "fixtures/clusters/europe.json",
      "--release",
    ],
    { cwd: root, encoding: "utf8" },
  );
  expect(status).toBe(0);
  const kinds = [...stdout.matchAll(/^kubectl delete (\w+)/gm)].map(([, kind]) => kind);
  expect(kinds.indexOf("Deployment")).toBeLessThan(kinds.indexOf("Namespace"));
  expect(kinds.at(-1)).toBe("Reservation");
});
