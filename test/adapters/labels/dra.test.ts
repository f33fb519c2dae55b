import { expect, test } from "vitest";
import { deriveAnnotations } from "../../../adapters/labels/derive.ts";
import { readResourceSlices } from "../../../adapters/labels/dra.ts";
import { factsToAnnotations } from "../../../adapters/labels/facts.ts";

const h100 = (name: string, more: object = {}): object => ({
  name,
  attributes: {
    type: { string: "gpu" },
    productName: { string: "NVIDIA H100 80GB HBM3" },
    architecture: { string: "Hopper" },
    cudaComputeCapability: { version: "9.0.0" },
    driverVersion: { version: "570.86.15" },
    cudaDriverVersion: { version: "12.8.0" },
  },
  capacity: { memory: { value: "81559Mi" } },
  ...more,
});

const slice = (devices: readonly object[], spec: object = {}, pool: object = {}): object => ({
  apiVersion: "resource.k8s.io/v1",
  kind: "ResourceSlice",
  metadata: { name: "w1-gpu.nvidia.com-abc" },
  spec: {
    driver: "gpu.nvidia.com",
    nodeName: "w1",
    pool: { name: "w1", generation: 1, resourceSliceCount: 1, ...pool },
    devices,
    ...spec,
  },
});

const w1 = (...slices: readonly object[]) => readResourceSlices(slices).byNode.get("w1");

test("devices tell model, count, memory and versions of a node", () => {
  const facts = w1(slice([h100("gpu-0"), h100("gpu-1")]));
  expect(facts).toBeDefined();
  expect(facts && factsToAnnotations(facts)).toMatchObject({
    "gpu.fluidos.eu/model": "nvidia-h100-sxm",
    "gpu.fluidos.eu/count": "2",
    "gpu.fluidos.eu/memory-per-gpu": "80Gi",
    "gpu.fluidos.eu/architecture": "hopper",
    "gpu.fluidos.eu/compute-capability": "9.0",
    "nvidia.fluidos.eu/driver-version": "570.86.15",
    "nvidia.fluidos.eu/cuda-version": "12.8.0",
  });
});

test("qualified attribute names and the older nested form say the same", () => {
  const plain = h100("gpu-0") as { attributes: Record<string, unknown>; capacity: object };
  const qualified = Object.fromEntries(
    Object.entries(plain.attributes).map(([key, value]) => [`gpu.nvidia.com/${key}`, value]),
  );
  const expected = w1(slice([h100("gpu-0")]));
  expect(w1(slice([{ ...plain, attributes: qualified }]))).toEqual(expected);
  const nested = {
    name: "gpu-0",
    basic: { attributes: plain.attributes, capacity: { memory: "81559Mi" } },
  };
  expect(w1({ ...slice([nested]), apiVersion: "resource.k8s.io/v1beta1" })).toEqual(expected);
});

test("only the newest generation of a pool counts", () => {
  const old = slice([h100("a"), h100("b"), h100("c")]);
  const current = slice([h100("a"), h100("b")], {}, { generation: 2 });
  expect(w1(old, current)?.count).toBe(2);
  expect(w1(current, old)?.count).toBe(2);
});

test("a pool whose slices are not all there is ignored and named", () => {
  const half = slice([h100("a")], {}, { resourceSliceCount: 2 });
  const { byNode, warnings } = readResourceSlices([half]);
  expect(byNode.size).toBe(0);
  expect(warnings).toMatchObject([{ code: "skipped", message: expect.stringContaining("1 of 2 slices") }]);
  expect(w1(half, slice([h100("b")], {}, { resourceSliceCount: 2 }))?.count).toBe(2);
});

test("MIG partitions are no GPUs, tainted GPUs are not counted", () => {
  const partition = h100("gpu-0-mig-1g", {
    attributes: { type: { string: "mig" }, productName: { string: "NVIDIA H100 80GB HBM3" } },
  });
  const sick = h100("gpu-1", { taints: [{ key: "health", effect: "NoSchedule" }] });
  const warned = h100("gpu-2", { taints: [{ key: "health", effect: "None" }] });
  const gone = h100("gpu-3", { taints: [{ key: "health", effect: "NoExecute" }] });
  const facts = w1(slice([h100("gpu-0"), partition, sick, warned, gone, { ...warned, name: "gpu-4" }]));
  expect(facts?.count).toBe(3);
  expect(facts?.remarks.join()).toContain("2 tainted GPUs");
});

test("of several models the most frequent one is described, ties by name", () => {
  const a100 = (name: string): object =>
    h100(name, { attributes: { productName: { string: "NVIDIA A100-SXM4-80GB" } } });
  expect(w1(slice([h100("a"), a100("b"), a100("c")]))?.product).toBe("NVIDIA A100-SXM4-80GB");
  expect(w1(slice([h100("a"), a100("b")]))?.product).toBe("NVIDIA A100-SXM4-80GB");
});

test("slices of other drivers and objects that are no slices are passed over", () => {
  const nic = slice([{ name: "nic-0" }], { driver: "dra.net" });
  expect(readResourceSlices([nic])).toEqual({ byNode: new Map(), warnings: [] });
  expect(readResourceSlices([{ kind: "Pod" }]).warnings).toMatchObject([{ code: "skipped" }]);
});

test("devices win over labels, key by key", () => {
  const labels = {
    "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB",
    "nvidia.com/gpu.count": "8",
    "nvidia.com/mig.strategy": "none",
  };
  const node = { labels, capacity: {}, allocatable: {} };
  const derived = deriveAnnotations(node, w1(slice([h100("gpu-0")]))).annotations;
  expect(derived["gpu.fluidos.eu/model"]).toBe("nvidia-h100-sxm");
  expect(derived["gpu.fluidos.eu/count"]).toBe("1");
  expect(derived["gpu.fluidos.eu/sharing-strategy"]).toBe("none");
});
