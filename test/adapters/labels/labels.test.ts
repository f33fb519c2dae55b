import { expect, test } from "vitest";
import { canonicalAnnotation } from "../../../adapters/json/annotations.ts";
import { amdFacts } from "../../../adapters/labels/amd.ts";
import { deriveAnnotations, labelFacts } from "../../../adapters/labels/derive.ts";
import { factsToAnnotations, nominalMemory } from "../../../adapters/labels/facts.ts";
import { findGpuModel, gpuModels } from "../../../engine/catalog/gpus.ts";

type Texts = Record<string, string>;

const hardware = (labels: Texts, allocatable: Texts = {}) => ({ labels, allocatable, capacity: allocatable });
const derive = (labels: Texts, allocatable: Texts = {}): Readonly<Texts> =>
  deriveAnnotations(hardware(labels, allocatable), undefined).annotations;
const gpu = (name: string): string => `gpu.fluidos.eu/${name}`;

const a6000: Texts = {
  "nvidia.com/gpu.count": "4",
  "nvidia.com/gpu.family": "ampere",
  "nvidia.com/gpu.memory": "49140",
  "nvidia.com/gpu.product": "NVIDIA-RTX-A6000",
  "nvidia.com/gpu.compute.major": "8",
  "nvidia.com/gpu.compute.minor": "6",
  "nvidia.com/gpu.replicas": "1",
  "nvidia.com/mig.capable": "false",
  "nvidia.com/mig.strategy": "none",
  "nvidia.com/mps.capable": "false",
  "nvidia.com/cuda.driver-version.full": "550.54.15",
  "nvidia.com/cuda.runtime-version.full": "12.4",
};

test("F-242: the labels of an RTX A6000 node give every annotation of the worked example", () => {
  expect(derive(a6000)).toEqual({
    "gpu.fluidos.eu/vendor": "nvidia",
    "gpu.fluidos.eu/model": "nvidia-rtx-a6000",
    "gpu.fluidos.eu/count": "4",
    "gpu.fluidos.eu/memory-per-gpu": "48Gi",
    "gpu.fluidos.eu/architecture": "ampere",
    "gpu.fluidos.eu/compute-capability": "8.6",
    "gpu.fluidos.eu/tier": "standard",
    "gpu.fluidos.eu/interconnect": "pcie",
    "gpu.fluidos.eu/cores": "10752",
    "gpu.fluidos.eu/fp32-tflops": "38.7",
    "gpu.fluidos.eu/sharing-capable": "false",
    "gpu.fluidos.eu/sharing-strategy": "none",
    "nvidia.fluidos.eu/mig-capable": "false",
    "nvidia.fluidos.eu/mps-capable": "false",
    "nvidia.fluidos.eu/driver-version": "550.54.15",
    "nvidia.fluidos.eu/cuda-version": "12.4",
    "workload.fluidos.eu/training-score": "0.85",
    "workload.fluidos.eu/inference-score": "0.90",
    "workload.fluidos.eu/hpc-score": "0.80",
    "workload.fluidos.eu/graphics-score": "0.95",
  });
});

const mi300xLegacy: Texts = {
  "amd.com/gpu.count": "8",
  "amd.com/gpu.family": "cdna3",
  "amd.com/gpu.memory": "192000",
  "amd.com/gpu.product": "MI300X",
  "amd.com/gpu.compute.major": "9",
  "amd.com/gpu.compute.minor": "4",
  "amd.com/sriov.capable": "true",
  "amd.com/sriov.strategy": "sriov",
};

/** What both kinds of labels say about an MI300X. */
const mi300x = {
  "gpu.fluidos.eu/vendor": "amd",
  "gpu.fluidos.eu/model": "amd-mi300x",
  "gpu.fluidos.eu/count": "8",
  "gpu.fluidos.eu/memory-per-gpu": "192Gi",
  "gpu.fluidos.eu/architecture": "cdna3",
  "gpu.fluidos.eu/compute-capability": "9.4",
  "gpu.fluidos.eu/tier": "premium",
  "gpu.fluidos.eu/interconnect": "infinity-fabric",
  "gpu.fluidos.eu/cores": "304",
  "gpu.fluidos.eu/fp32-tflops": "163.4",
  "workload.fluidos.eu/training-score": "0.96",
  "workload.fluidos.eu/inference-score": "0.94",
  "workload.fluidos.eu/hpc-score": "0.98",
  "workload.fluidos.eu/graphics-score": "0.40",
};

test("F-250: the documented labels of an MI300X node give every annotation of the worked example", () => {
  expect(derive(mi300xLegacy)).toEqual({
    ...mi300x,
    "gpu.fluidos.eu/sharing-capable": "true",
    "gpu.fluidos.eu/sharing-strategy": "sriov",
    "amd.fluidos.eu/sriov-capable": "true",
  });
});

test("the labels that AMD's node labeler really sets give the same", () => {
  const labels = {
    "amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM",
    "amd.com/gpu.device-id": "74a1",
    "amd.com/gpu.vram": "192G",
    "amd.com/gpu.cu-count": "304",
    "amd.com/gpu.family": "AI",
    "beta.amd.com/gpu.vram.192G": "8",
  };
  expect(derive(labels)).toEqual(mi300x);
  const beta = Object.fromEntries(
    Object.entries(labels).map(([key, text]) => [key.replace(/^amd/, "beta.amd"), text]),
  );
  expect(derive(beta)).toEqual(mi300x);
});

test("every derived annotation is one that is read or known to inform", () => {
  for (const key of Object.keys({ ...derive(a6000), ...derive(mi300xLegacy) }))
    expect(
      canonicalAnnotation(key) === key || /\.fluidos\.eu\/(driver|cuda|rocm|mps|sriov|gfx)-/.test(key),
      key,
    ).toBe(true);
});

test.for([
  ["NVIDIA-RTX-A6000", "nvidia-rtx-a6000", "nvidia-rtx-a6000"],
  ["NVIDIA-A100-SXM4-40Gi", "nvidia-a100-40-sxm", "nvidia-a100"],
  ["NVIDIA-A100-SXM4-80GB", "nvidia-a100-80-sxm", "nvidia-a100"],
  ["NVIDIA-H100-PCIe-80Gi", "nvidia-h100-pcie", "nvidia-h100"],
  ["NVIDIA-H100-80GB-HBM3", "nvidia-h100-sxm", "nvidia-h100"],
  ["NVIDIA-RTX-4090", "nvidia-rtx-4090", "nvidia-rtx-4090"],
  ["NVIDIA-T4", "nvidia-t4", "nvidia-t4"],
  ["Tesla-T4", "nvidia-t4", "nvidia-t4"],
  ["NVIDIA-H100-80GB-HBM3-SHARED", "nvidia-h100-sxm", "nvidia-h100"],
] as const)("F-235: product %s is %s of family %s", ([product, name, family]) => {
  const model = derive({ "nvidia.com/gpu.product": product, "nvidia.com/gpu.count": "1" })[gpu("model")];
  expect(model).toBe(name);
  expect(findGpuModel(model ?? "")?.families).toContain(family);
});

test.for([
  ["MI300X", "amd-mi300x"],
  ["MI250X", "amd-mi250x"],
  ["MI250", "amd-mi250"],
  ["Pro-W7900", "amd-w7900"],
  ["RX-7900-XTX", "amd-rx7900xtx"],
] as const)("F-247: AMD product %s is %s", ([product, name]) => {
  expect(derive({ "amd.com/gpu.product": product, "amd.com/gpu.count": "1" })[gpu("model")]).toBe(name);
});

test.for([
  { labels: { "nvidia.com/mig.capable": "true", "nvidia.com/mig.strategy": "single" }, strategy: "mig" },
  { labels: { "nvidia.com/mig.capable": "true", "nvidia.com/mig.strategy": "mixed" }, strategy: "mig" },
  { labels: { "nvidia.com/mig.capable": "true", "nvidia.com/mig.strategy": "none" }, strategy: "none" },
  { labels: { "nvidia.com/mig.strategy": "single", "nvidia.com/mps.capable": "true" }, strategy: "mps" },
  { labels: { "nvidia.com/gpu.replicas": "4" }, strategy: "time-slicing" },
  {
    labels: { "nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.sharing-strategy": "mps" },
    strategy: "mps",
  },
  { labels: { "nvidia.com/gpu.replicas": "0" }, strategy: "none" },
  { labels: { "nvidia.com/gpu.replicas": "1" }, strategy: "none" },
  { labels: {}, strategy: undefined },
])("F-234: $labels means sharing by $strategy", ({ labels, strategy }) => {
  const derived = derive({ "nvidia.com/gpu.count": "2", ...(labels as Texts) });
  expect(derived[gpu("sharing-strategy")]).toBe(strategy);
  expect(derived[gpu("sharing-capable")]).toBe(
    strategy === undefined ? undefined : String(strategy !== "none"),
  );
});

test("fake-gpu-operator sets four labels only, and they are enough", () => {
  expect(
    derive({
      "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
      "nvidia.com/gpu.memory": "81920",
      "nvidia.com/gpu.count": "2",
      "nvidia.com/gpu.present": "true",
      "nvidia.com/mig.strategy": "mixed",
      "run.ai/fake.gpu": "true",
    }),
  ).toMatchObject({
    [gpu("model")]: "nvidia-h100-sxm",
    [gpu("count")]: "2",
    [gpu("memory-per-gpu")]: "80Gi",
    [gpu("architecture")]: "hopper",
    [gpu("compute-capability")]: "9.0",
    [gpu("sharing-strategy")]: "none",
  });
});

test("a MIG slice is a device of its own size, with its share of cores and TFLOPS", () => {
  const derived = deriveAnnotations(
    hardware({
      "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb",
      "nvidia.com/gpu.memory": "4864",
      "nvidia.com/gpu.count": "7",
      "nvidia.com/mig.capable": "true",
      "nvidia.com/mig.strategy": "single",
    }),
    undefined,
  );
  expect(derived.annotations).toMatchObject({
    [gpu("model")]: "nvidia-a100-40-sxm",
    [gpu("count")]: "7",
    [gpu("memory-per-gpu")]: "5Gi",
    [gpu("cores")]: String(Math.floor(6912 / 7)),
    [gpu("fp32-tflops")]: "2.79",
    [gpu("sharing-strategy")]: "mig",
  });
  expect(derived.remarks.join()).toContain("1/7");
});

test.for([
  { name: "a driver's MiB of 48 GiB", mib: 49140, model: "nvidia-rtx-a6000", gib: 48 },
  { name: "an H100's 81559 MiB", mib: 81559, model: "nvidia-h100-sxm", gib: 80 },
  { name: "AMD's 192000 MB", mib: 192000, model: "amd-mi300x", gib: 192 },
  { name: "a size far from the catalog's", mib: 65536, model: "nvidia-h100-sxm", gib: 64 },
  { name: "an unknown model's size", mib: 49140, model: "none", gib: 48 },
  { name: "less than half a GiB", mib: 300, model: "none", gib: 1 },
])("F-232, F-244: $name is $gib Gi", ({ mib, model, gib }) => {
  expect(nominalMemory(mib, findGpuModel(model), false)).toBe(gib * 1024);
});

test("a DGX machine has its GPUs on NVSwitch, others do not say", () => {
  const labels = { "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.count": "8" };
  expect(derive({ ...labels, "nvidia.com/gpu.machine": "NVIDIA-DGX-H100" })[gpu("topology")]).toBe(
    "nvswitch",
  );
  expect(
    derive({ ...labels, "nvidia.com/gpu.machine": "PowerEdge-XE9680" })[gpu("topology")],
  ).toBeUndefined();
});

test("without a count label the device plugin counts", () => {
  const labels = { "amd.com/gpu.product-name": "AMD_Instinct_MI210", "amd.com/gpu.vram": "64G" };
  expect(derive(labels, { "amd.com/gpu": "4" })[gpu("count")]).toBe("4");
  expect(derive(labels)[gpu("count")]).toBeUndefined();
});

test("a board of two dies is two devices, each with half of the memory, compute units and TFLOPS", () => {
  const derived = derive(
    { "amd.com/gpu.product-name": "AMD_Instinct_MI250X", "amd.com/gpu.vram": "64G" },
    { "amd.com/gpu": "8" },
  );
  expect(derived).toMatchObject({
    [gpu("count")]: "8",
    [gpu("memory-per-gpu")]: "64Gi",
    [gpu("cores")]: "110",
    [gpu("fp32-tflops")]: "23.95",
  });
});

test("of an AMD node with several kinds of GPUs the most frequent one is described, and said so", () => {
  const facts = amdFacts(
    hardware({
      "amd.com/gpu.product-name.AMD_Instinct_MI210": "2",
      "amd.com/gpu.product-name.AMD_Instinct_MI300X_OAM": "6",
      "amd.com/gpu.vram.64G": "2",
      "amd.com/gpu.vram.192G": "6",
    }),
  );
  expect(facts).toMatchObject({ product: "AMD-Instinct-MI300X-OAM", count: 6, memoryMib: 192 * 1024 });
  expect(facts?.remarks.join()).toContain("2 kinds of GPUs");
});

test("an AMD board with a generic name is known by its device id", () => {
  const labels = { "amd.com/gpu.product-name": "AMD_Radeon_Graphics", "amd.com/gpu.device-id": "744c" };
  expect(derive(labels)[gpu("model")]).toBe("amd-rx7900xtx");
});

test.for([
  ["Max_1550", "intel-max-1550", "128Gi"],
  ["Max_1100", "intel-max-1100", "48Gi"],
  ["Flex_170", "intel-flex-170", "16Gi"],
] as const)("F-251: Intel product %s is %s with the catalog's memory", ([product, name, memory]) => {
  const labels = {
    "gpu.intel.com/product": product,
    "gpu.intel.com/family": "Max_Series",
    "gpu.intel.com/device.count": "4",
  };
  expect(derive(labels)).toMatchObject({
    [gpu("vendor")]: "intel",
    [gpu("model")]: name,
    [gpu("count")]: "4",
    [gpu("memory-per-gpu")]: memory,
  });
});

test("Intel devices are counted by their ids, or by the device plugin", () => {
  const product = { "gpu.intel.com/product": "Max_1550" };
  const byId = {
    ...product,
    "gpu.intel.com/device-id.0380-0bd5.count": "2",
    "gpu.intel.com/device-id.0380-0bd5.present": "true",
    "gpu.intel.com/device-id.0300-56c0.count": "1",
  };
  expect(derive(byId)[gpu("count")]).toBe("3");
  expect(derive(product, { "gpu.intel.com/xe": "6" })[gpu("count")]).toBe("6");
});

test("Gaudi cards are counted, their generation is not guessed", () => {
  const derived = deriveAnnotations(hardware({}, { "habana.ai/gaudi": "8" }), undefined);
  expect(derived.annotations[gpu("count")]).toBe("8");
  expect(derived.annotations[gpu("model")]).toBeUndefined();
  expect(derived.remarks.join()).toContain("generation");
});

test("a product nobody knows keeps its name with the vendor, and nothing is made up for it", () => {
  expect(derive({ "nvidia.com/gpu.product": "NVIDIA-X9000-Ultra", "nvidia.com/gpu.count": "1" })).toEqual({
    [gpu("vendor")]: "nvidia",
    [gpu("model")]: "nvidia-x9000-ultra",
    [gpu("count")]: "1",
  });
});

test("region and zone come from the well-known labels", () => {
  const derived = derive({
    ...a6000,
    "topology.kubernetes.io/region": "EU-West-1",
    "topology.kubernetes.io/zone": "eu-west-1a",
  });
  expect(derived["location.fluidos.eu/region"]).toBe("eu-west-1");
  expect(derived["location.fluidos.eu/zone"]).toBe("eu-west-1a");
});

test("a node without GPUs derives nothing, whatever else it is labeled", () => {
  expect(labelFacts(hardware({ "kubernetes.io/arch": "amd64" }))).toBeNull();
  expect(derive({ "topology.kubernetes.io/region": "eu-west-1" })).toEqual({});
});

test("broken label values state nothing instead of failing", () => {
  const derived = derive({
    "nvidia.com/gpu.product": "NVIDIA-RTX-A6000",
    "nvidia.com/gpu.count": "many",
    "nvidia.com/gpu.memory": "0",
    "nvidia.com/gpu.family": "undefined",
  });
  expect(derived[gpu("count")]).toBeUndefined();
  expect(derived[gpu("memory-per-gpu")]).toBe("48Gi");
  expect(derived[gpu("architecture")]).toBe("ampere");
});

test("every catalog model's own name, as a product, derives itself", () => {
  for (const model of gpuModels)
    expect(
      factsToAnnotations({ vendor: model.vendor, product: model.name, extensions: {}, remarks: [] })[
        gpu("model")
      ],
    ).toBe(model.name);
});

test("a family of differently linked boards states no link, unless a clique proves one", () => {
  const labels = { "nvidia.com/gpu.product": "NVIDIA-H100", "nvidia.com/gpu.count": "8" };
  expect(derive(labels)[gpu("interconnect")]).toBeUndefined();
  expect(derive({ ...labels, "nvidia.com/gpu.clique": "3f2a.1" })[gpu("interconnect")]).toBe("nvlink");
  expect(derive({ ...labels, "nvidia.com/gpu.product": "NVIDIA-H100-PCIe" })[gpu("interconnect")]).toBe(
    "pcie",
  );
});
