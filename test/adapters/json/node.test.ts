import { expect, test } from "vitest";
import { isNodeDocument, readNodes } from "../../../adapters/json/node.ts";
import { EngineError } from "../../../engine/model/errors.ts";

const annotations = {
  "provider.fluidos.eu/name": "Provider-1",
  "gpu.fluidos.eu/model": "nvidia-h100",
  "gpu.fluidos.eu/count": "4",
  "gpu.fluidos.eu/memory": "80Gi",
  "location.fluidos.eu/region": "eu-west-1",
  "location.fluidos.eu/zone": "zone-a",
  "cost.fluidos.eu/hourly-rate": "4.5",
};

const node = (name: string, more: object = {}, status: object = {}): object => ({
  kind: "Node",
  metadata: { name, annotations: { ...annotations, ...more } },
  status: { allocatable: { cpu: "63500m", memory: "515928Mi", pods: "110", ...status } },
});

const list = (...items: object[]): object => ({ apiVersion: "v1", kind: "List", items });

test("a node with annotations is an offer of its own name, with CPU and memory from allocatable", () => {
  const { offers, skipped } = readNodes(list(node("worker2"), node("worker1")));
  expect(skipped).toEqual([]);
  expect(offers.map((offer) => offer.id)).toEqual(["worker1", "worker2"]);
  expect(offers[0]).toMatchObject({
    provider: "provider-1",
    region: "eu-west-1",
    zone: "zone-a",
    country: "IE",
    gpu: { model: "nvidia-h100", memoryMib: 81920, tier: "premium" },
    capacity: { gpus: 4, gpusFree: 4, cpuMilli: 63500, memoryMib: 515928, pods: 110 },
    price: { basis: "node", onDemand: { micro: 4_500_000, currency: "EUR" } },
    divisible: false,
    origin: { source: "node" },
  });
});

test("annotations win over the device plugin's count, with a warning (C-41)", () => {
  const { offers, warnings } = readNodes(list(node("w", {}, { "nvidia.com/gpu": "2" })));
  expect(offers[0]?.capacity).toMatchObject({ gpus: 4, gpusFree: 4 });
  expect(warnings.map((warning) => warning.message).join()).toContain("the device plugin counts 2 GPUs");
});

test("GPUs that the device plugin withholds are not free", () => {
  const entry = node("w") as { status: Record<string, object> };
  entry.status["capacity"] = { "nvidia.com/gpu": "4" };
  entry.status["allocatable"] = { "nvidia.com/gpu": "3" };
  expect(readNodes(list(entry)).offers[0]?.capacity).toMatchObject({ gpus: 4, gpusFree: 3 });
});

test.for([
  { name: "cordoned", change: { spec: { unschedulable: true } } },
  { name: "not ready", change: { status: { conditions: [{ type: "Ready", status: "False" }] } } },
])("a node that is $name has nothing free", ({ change }) => {
  const { offers, warnings } = readNodes(list({ ...node("w"), ...change }));
  expect(offers[0]?.capacity.gpusFree).toBe(0);
  expect(warnings.some((warning) => warning.message.includes("nothing of it is free"))).toBe(true);
});

test("a broken annotation skips the node, names it, and the rest is read", () => {
  const { offers, skipped } = readNodes(list(node("good"), node("bad", { "gpu.fluidos.eu/count": "four" })));
  expect(offers.map((offer) => offer.id)).toEqual(["good"]);
  expect(skipped).toEqual([
    {
      id: "bad",
      path: 'items[name=bad].metadata.annotations["gpu.fluidos.eu/count"]',
      message: 'found "four"; accepted: a whole number from 1 to 1000000',
    },
  ]);
});

test("nodes without GPUs are left out, nodes with unannotated GPUs are named", () => {
  const plain = { kind: "Node", metadata: { name: "cpu" }, status: {} };
  const bare = {
    kind: "Node",
    metadata: { name: "gpu" },
    status: { allocatable: { "nvidia.com/gpu": "2" } },
  };
  const { offers, skipped, warnings } = readNodes(list(plain, bare));
  expect([offers, skipped]).toEqual([[], []]);
  expect(warnings).toMatchObject([{ code: "skipped", path: "items[name=gpu]" }]);
});

test("derived annotations fill gaps; the node's own win in any spelling", () => {
  const derive = (): Record<string, string> => ({
    "gpu.fluidos.eu/memory-per-gpu": "40Gi",
    "gpu.fluidos.eu/architecture": "hopper",
    "gpu.fluidos.eu/cores": "16896",
  });
  const { offers } = readNodes(list(node("w")), { derive });
  expect(offers[0]?.gpu).toMatchObject({ memoryMib: 81920, cores: 16896 });
});

test("the provider comes from the provider id when no annotation names it", () => {
  const entry = node("w") as { metadata: { annotations: Record<string, string> }; spec?: object };
  delete entry.metadata.annotations["provider.fluidos.eu/name"];
  entry.spec = { providerID: "aws:///eu-west-1a/i-0abc" };
  expect(readNodes(list(entry)).offers[0]?.provider).toBe("aws");
});

test("two nodes of one name, or no list at all, are refused", () => {
  expect(() => readNodes(list(node("w"), node("w")))).toThrow(/found "w"/);
  expect(() => readNodes({ offers: [] })).toThrow(EngineError);
});

test("node documents are told from snapshots", () => {
  expect(isNodeDocument(list(node("w")))).toBe(true);
  expect(isNodeDocument(node("w"))).toBe(true);
  expect(isNodeDocument({ kind: "List", items: [{ kind: "Pod" }] })).toBe(false);
  expect(isNodeDocument({ offers: [] })).toBe(false);
});
