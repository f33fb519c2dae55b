import fc from "fast-check";
import { expect, test } from "vitest";
import {
  annotatedNode,
  annotateNodes,
  changesNode,
  mergePatch,
  readLabeledNodes,
  splitCluster,
} from "../../../adapters/labels/annotate.ts";

const labels = {
  "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
  "nvidia.com/gpu.count": "4",
  "nvidia.com/gpu.memory": "81559",
  "topology.kubernetes.io/region": "eu-west-1",
};
const node = (name: string, annotations: object = {}, more: object = {}, status: object = {}): object => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { ...labels, ...more }, annotations },
  status,
});
const slice = {
  apiVersion: "resource.k8s.io/v1",
  kind: "ResourceSlice",
  metadata: { name: "s" },
  spec: {
    driver: "gpu.nvidia.com",
    nodeName: "w",
    pool: { name: "w", generation: 1, resourceSliceCount: 1 },
    devices: [{ name: "gpu-0", attributes: { productName: { string: "NVIDIA A100-SXM4-80GB" } } }],
  },
};
const cluster = (...nodes: object[]) => ({ nodes, slices: [] as object[] });
const patchOf = (one: object, options = { migrate: false }) =>
  annotateNodes(cluster(one), options).patches[0]!;

test("an annotation wins over DRA, and DRA over labels", () => {
  const from = (annotations: object, slices: object[]) =>
    annotateNodes({ nodes: [node("w", annotations)], slices }, { migrate: false }).patches[0]!.annotations[
      "gpu.fluidos.eu/model"
    ];
  expect(from({}, [])).toBe("nvidia-h100-sxm");
  expect(from({}, [slice])).toBe("nvidia-a100-80-sxm");
  expect(from({ "gpu.fluidos.eu/model": "nvidia-l4" }, [slice])).toBeUndefined();
});

test("a stated annotation is kept in whatever spelling it has", () => {
  const patch = patchOf(node("w", { "gpu.fluidos.eu/memory": "94Gi", "gpu.fluidos.eu/fp32_tflops": "60.0" }));
  expect(patch.annotations).not.toHaveProperty(["gpu.fluidos.eu/memory-per-gpu"]);
  expect(patch.annotations).not.toHaveProperty(["gpu.fluidos.eu/fp32-tflops"]);
  expect(patch.annotations).toHaveProperty(["gpu.fluidos.eu/tier"], "premium");
});

test("with --migrate the old spelling gives way to the written one, labels go", () => {
  const patch = patchOf(node("w", { "gpu.fluidos.eu/memory": "94Gi" }, { "gpu.fluidos.eu/tier": "gaming" }), {
    migrate: true,
  });
  expect(patch.annotations).toMatchObject({
    "gpu.fluidos.eu/memory": null,
    "gpu.fluidos.eu/memory-per-gpu": "94Gi",
    "gpu.fluidos.eu/tier": "gaming",
  });
  expect(patch.labels).toEqual({ "gpu.fluidos.eu/tier": null });
});

test("with --label nodes with GPUs get the labels that FLUIDOS selects by, once, and others none", () => {
  const labeled = (one: object) => annotateNodes(cluster(one), { migrate: false, label: true }).patches[0]!;
  const patch = labeled(node("w"));
  expect(patch.labels).toEqual({
    "node-role.fluidos.eu/resources": "true",
    "node-role.fluidos.eu/worker": "true",
    "node.fluidos.eu/gpu": "true",
  });
  const after = annotatedNode(node("w"), patch) as { metadata: { labels: object } };
  expect(after.metadata.labels).toMatchObject({ ...labels, ...patch.labels });
  expect(changesNode(labeled(after))).toBe(false);
  expect(labeled({ kind: "Node", metadata: { name: "cpu" } }).labels).toEqual({});
  expect(patchOf(node("w")).labels).toEqual({});
});

test("a migrated node has lost its labels, and what else it had is kept", () => {
  const before = node("w", {}, { "gpu.fluidos.eu/tier": "gaming" });
  const after = annotatedNode(before, patchOf(before, { migrate: true }));
  expect(after).toMatchObject({ metadata: { annotations: { "gpu.fluidos.eu/tier": "gaming" } } });
  expect((after as { metadata: { labels: object } }).metadata.labels).toEqual(labels);
});

test("contradictions between label and annotation are problems, not changes, when migrating", () => {
  const patch = patchOf(node("w", { "gpu.fluidos.eu/count": "4" }, { "gpu.fluidos.eu/count": "8" }), {
    migrate: true,
  });
  expect(patch.problems).toHaveLength(1);
});

test("annotating what was annotated changes nothing, for any mix of labels and annotations", () => {
  const key = fc.constantFrom(
    "gpu.fluidos.eu/model",
    "gpu.fluidos.eu/memory",
    "gpu.fluidos.eu/tier",
    "location.fluidos.eu/region",
    "example.com/other",
  );
  const annotations = fc.dictionary(key, fc.constantFrom("nvidia-l4", "24Gi", "standard"), { maxKeys: 4 });
  fc.assert(
    fc.property(annotations, fc.subarray(Object.entries(labels)), fc.boolean(), (stated, kept, migrate) => {
      const before = {
        kind: "Node",
        metadata: { name: "w", labels: Object.fromEntries(kept), annotations: stated },
      };
      const patch = patchOf(before, { migrate });
      if (patch.problems.length > 0) return;
      const after = annotatedNode(before, patch) as object;
      expect(changesNode(patchOf(after, { migrate }))).toBe(false);
    }),
    { numRuns: 200 },
  );
});

test("the annotated node is the node after its merge patch, and the document is left alone", () => {
  const before = node("w", { keep: "me" });
  const copy = structuredClone(before);
  const after = annotatedNode(before, patchOf(before)) as {
    metadata: { annotations: Record<string, string> };
  };
  expect(before).toEqual(copy);
  expect(after.metadata.annotations).toMatchObject({ keep: "me", "gpu.fluidos.eu/count": "4" });
  expect(mergePatch(patchOf(before))).toEqual({ metadata: { annotations: patchOf(before).annotations } });
});

test("nodes and slices are told from other documents", () => {
  const list = (...items: object[]): object => ({ kind: "List", items });
  expect(splitCluster(list(node("w"), slice))).toEqual({ nodes: [node("w")], slices: [slice] });
  expect(splitCluster(node("w"))).toEqual({ nodes: [node("w")], slices: [] });
  expect(splitCluster({ kind: "NodeList", items: [{ metadata: { name: "w" } }] })?.nodes).toHaveLength(1);
  expect(splitCluster([node("w")])?.nodes).toHaveLength(1);
  expect(splitCluster({ kind: "List", items: [] })).toEqual({ nodes: [], slices: [] });
  for (const other of [list({ kind: "Pod" }), { offers: [] }, { kind: "Pod" }, [], null, "text"])
    expect(splitCluster(other), JSON.stringify(other)).toBeNull();
});

test("a labeled node with a price is an offer; without one it is named as skipped", () => {
  const price = { "cost.fluidos.eu/hourly-rate": "9.80", "provider.fluidos.eu/name": "rhein" };
  const { offers, skipped } = readLabeledNodes(cluster(node("priced", price), node("free")));
  expect(offers).toMatchObject([
    {
      id: "priced",
      provider: "rhein",
      region: "eu-west-1",
      gpu: { model: "nvidia-h100-sxm", memoryMib: 81920, cores: 16896 },
      capacity: { gpus: 4 },
    },
  ]);
  expect(skipped).toMatchObject([{ id: "free", path: expect.stringContaining("hourly-rate") }]);
});

test("AMD's compute units are read as the catalog's cores, without a warning", () => {
  const amd = {
    kind: "Node",
    metadata: {
      name: "amd",
      labels: { "amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM", "beta.amd.com/gpu.vram.192G": "8" },
      annotations: { "cost.fluidos.eu/hourly-rate": "20", "location.fluidos.eu/region": "eu-west-1" },
    },
  };
  const { offers, warnings } = readLabeledNodes(cluster(amd));
  expect(offers[0]?.gpu.cores).toBe(19456);
  expect(warnings.filter(({ code }) => code === "suspicious")).toEqual([]);
});

test.for([
  { name: "time-sliced GPUs", total: "16", allocatable: "12", free: 3 },
  { name: "whole GPUs", total: "16", allocatable: "16", free: 4 },
])("the device plugin's replicas of $name count as physical GPUs", ({ total, allocatable, free }) => {
  const shared = node(
    "w",
    { "cost.fluidos.eu/hourly-rate": "5" },
    { "nvidia.com/gpu.replicas": "4" },
    { capacity: { "nvidia.com/gpu": total }, allocatable: { "nvidia.com/gpu": allocatable } },
  );
  const { offers, warnings } = readLabeledNodes(cluster(shared));
  expect(offers[0]).toMatchObject({ capacity: { gpus: 4, gpusFree: free }, gpu: { sharing: true } });
  expect(warnings.filter(({ code }) => code === "suspicious")).toEqual([]);
});
