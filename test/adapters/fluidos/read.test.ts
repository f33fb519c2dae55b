import { expect, test } from "vitest";
import { isFluidosDocument, readFluidos } from "../../../adapters/fluidos/read.ts";

/** GPU traits as the fork writes them: node totals, zone and region swapped. */
const forkGpu = {
  model: "nvidia-h100",
  vendor: "nvidia",
  count: 4,
  memory: "320Gi",
  cores: "67584",
  tier: "premium",
  architecture: "hopper",
  interconnect: "nvlink",
  interconnect_bandwidth: "900",
  compute_capability: "9.0",
  clock_speed: "1980M",
  fp32_tflops: 67,
  topology: "nvswitch",
  multi_gpu_efficiency: "0.95",
  multi_instance: true,
  sharing_strategy: "mig",
  shared: true,
  dedicated: true,
  network_bandwidth: "100",
  network_latency_ms: 10,
  network_tier: "premium",
  training_score: 0.98,
  region: "zone-a",
  zone: "eu-west-1",
  hourly_rate: 4.5,
  provider: "provider-1",
};

interface Changes {
  readonly gpu?: object | null;
  readonly spec?: object;
  readonly properties?: object;
  readonly policies?: object;
}

const flavor = (name: string, changes: Changes = {}): object => ({
  apiVersion: "nodecore.fluidos.eu/v1alpha1",
  kind: "Flavor",
  metadata: { name, namespace: "fluidos", uid: "1" },
  spec: {
    providerID: "n1",
    flavorType: {
      typeIdentifier: "K8Slice",
      typeData: {
        characteristics: {
          architecture: "amd64",
          cpu: "63997921225n",
          memory: "515928Mi",
          pods: "110",
          ...(changes.gpu === null ? {} : { gpu: changes.gpu ?? forkGpu }),
        },
        properties: changes.properties ?? {},
        policies: changes.policies ?? {
          partitionability: { cpuMin: "0", memoryMin: "0", podsMin: "0", gpuMin: "0", gpuStep: "0" },
        },
      },
    },
    owner: {
      domain: "fluidos.eu",
      nodeID: "n1",
      ip: "172.18.0.3:30001",
      additionalInformation: { liqoID: "liqo-1" },
    },
    price: { amount: "", currency: "", period: "" },
    availability: true,
    location: { latitude: "10", longitude: "58", country: "Italy", city: "Turin" },
    ...changes.spec,
  },
});

const candidate = (name: string, embedded: object, available = true): object => ({
  apiVersion: "advertisement.fluidos.eu/v1alpha1",
  kind: "PeeringCandidate",
  metadata: { name, namespace: "fluidos" },
  spec: { flavor: embedded, available, interestedSolverIDs: [] },
});

const list = (...items: object[]): object => ({ apiVersion: "v1", kind: "List", items });
const only = (document: object, options = {}) => {
  const { offers, skipped } = readFluidos(document, options);
  expect(skipped).toEqual([]);
  expect(offers).toHaveLength(1);
  return offers[0]!;
};

test("a flavor of the fork: totals become figures per GPU, region and zone change back (B-11, B-16)", () => {
  expect(only(flavor("fluidos.eu-k8slice-ab12"))).toMatchObject({
    id: "fluidos.eu-k8slice-ab12",
    provider: "provider-1",
    region: "eu-west-1",
    zone: "zone-a",
    country: "IE",
    gpu: {
      vendor: "nvidia",
      model: "nvidia-h100",
      memoryMib: 81920,
      cores: 16896,
      tier: "premium",
      architecture: "hopper",
      interconnect: "nvlink",
      interconnectBandwidth: 900,
      computeCapability: 900,
      clockMhz: 1980,
      fp32Tflops: 67,
      topology: "nvswitch",
      multiGpuEfficiency: 0.95,
      sharing: true,
      sharingStrategy: "mig",
      migCapable: true,
      dedicated: true,
    },
    capacity: { gpus: 4, gpusFree: 4, cpuMilli: 63_997, memoryMib: 515_928, pods: 110 },
    price: { basis: "node", onDemand: { micro: 4_500_000, currency: "EUR" } },
    divisible: false,
    network: { bandwidthGbps: 100, latencyMs: 10, tier: "premium" },
    scores: { training: 0.98 },
    origin: {
      source: "fluidos",
      flavorName: "fluidos.eu-k8slice-ab12",
      owner: { domain: "fluidos.eu", nodeId: "n1", ip: "172.18.0.3:30001" },
      liqoClusterId: "liqo-1",
    },
  });
});

test("the fork's hard-coded location does not move an offer whose region is known (F-258)", () => {
  const offer = only(flavor("f"));
  expect(offer.coordinates).toMatchObject({ latitude: 53.35 });
  expect(offer.areas).toContain("eu");
});

test("region and zone that are in order stay so", () => {
  const offer = only(flavor("f", { gpu: { ...forkGpu, region: "eu-west-1", zone: "eu-west-1a" } }));
  expect(offer).toMatchObject({ region: "eu-west-1", zone: "eu-west-1a" });
});

test.for([
  { name: "preemptible", gpu: { pre_emptible: true } },
  { name: "interruptible", gpu: { interruptible: true } },
])("a $name flavor's rate is its spot price (C-10)", ({ gpu }) => {
  const { price } = only(flavor("f", { gpu: { ...forkGpu, ...gpu } }));
  expect(price).toEqual({ basis: "node", spot: { micro: 4_500_000, currency: "EUR" } });
});

test("a count in text is a count (F-254, C-40)", () => {
  expect(only(flavor("f", { gpu: { ...forkGpu, count: "4" } })).capacity.gpus).toBe(4);
});

test.for([
  { name: "the node", scope: "node", memory: "320Gi", expected: 81920 },
  { name: "one GPU", scope: "gpu", memory: "80Gi", expected: 81920 },
  { name: "whatever is nearer to the catalog, totals", scope: undefined, memory: "320Gi", expected: 81920 },
  { name: "whatever is nearer to the catalog, per GPU", scope: undefined, memory: "80Gi", expected: 81920 },
])("memory counts $name (C-06)", ({ scope, memory, expected }) => {
  const offer = only(
    flavor("f", { gpu: { ...forkGpu, memory } }),
    scope === undefined ? {} : { memoryScope: scope },
  );
  expect(offer.gpu.memoryMib).toBe(expected);
});

/** GPU of an upstream flavor: no count, no traits. */
const upstream = (gpu: object, spec: object = {}, properties: object = {}): object =>
  flavor("f", {
    gpu,
    properties,
    spec: { price: { amount: "12", currency: "USD", period: "hourly" }, ...spec },
  });

test.for([
  { name: "cores", gpu: { model: "nvidia-h100", cores: "33792", memory: "0" }, count: 2 },
  { name: "memory", gpu: { model: "nvidia-h100", cores: "0", memory: "240Gi" }, count: 3 },
  { name: "cores that count GPUs", gpu: { model: "nvidia-h100", cores: "8", memory: "0" }, count: 8 },
  { name: "nothing", gpu: { model: "nvidia-x9000", cores: "0", memory: "0" }, count: 1 },
])("an upstream flavor has as many GPUs as its $name say", ({ gpu, count }) => {
  const offer = only(upstream(gpu));
  expect(offer.capacity.gpus).toBe(count);
  expect(offer.price.onDemand).toEqual({ micro: 12_000_000, currency: "USD" });
  expect(offer).toMatchObject({ provider: "n1", region: "turin", country: "IT" });
});

test("annotations that a provider attached win over everything else and give upstream flavors their traits", () => {
  const offer = only(
    upstream(
      { model: "", cores: "0", memory: "0" },
      {},
      {
        additionalProperties: {
          flare: {
            "gpu.fluidos.eu/model": "nvidia-l4",
            "gpu.fluidos.eu/count": 8,
            "location.fluidos.eu/region": "eu-west-3",
            "provider.fluidos.eu/name": "loire",
            "gpu.fluidos.eu/divisible": true,
          },
        },
      },
    ),
  );
  expect(offer).toMatchObject({
    provider: "loire",
    region: "eu-west-3",
    divisible: true,
    gpu: { model: "nvidia-l4" },
    capacity: { gpus: 8 },
  });
});

test.for([
  { period: "hourly", amount: "10.00", micro: 10_000_000 },
  { period: "hour", amount: "10", micro: 10_000_000 },
  { period: "daily", amount: "24", micro: 1_000_000 },
  { period: "monthly", amount: "730", micro: 1_000_000 },
])("a price of $amount $period is $micro micro-units an hour (F-256)", ({ period, amount, micro }) => {
  const offer = only(
    upstream({ model: "nvidia-l4", cores: "1" }, { price: { amount, currency: "EUR", period } }),
  );
  expect(offer.price.onDemand?.micro).toBe(micro);
});

test.for([
  { name: "no price", price: { amount: "", currency: "", period: "" } },
  {
    name: "a price for a period nobody knows",
    price: { amount: "5", currency: "EUR", period: "fortnightly" },
  },
])("a flavor with $name is skipped and named", ({ price }) => {
  const { offers, skipped } = readFluidos(upstream({ model: "nvidia-l4", cores: "1" }, { price }));
  expect(offers).toEqual([]);
  expect(skipped).toMatchObject([{ id: "f", message: expect.stringContaining("accepted") }]);
});

test("the latency property counts where the traits state none (F-257)", () => {
  const { network_latency_ms: _, ...rest } = forkGpu;
  const offer = only(
    flavor("f", { gpu: rest, properties: { latency: 25, securityStandards: ["ISO 27001"] } }),
  );
  expect(offer.network.latencyMs).toBe(25);
  expect(offer.compliance.certifications).toEqual(["ISO27001"]);
});

test("a flavor that can be partitioned by GPU is divisible (F-255)", () => {
  const policies = { partitionability: { gpuMin: "1", gpuStep: "1" } };
  expect(only(flavor("f", { policies })).divisible).toBe(true);
  expect(only(flavor("f")).divisible).toBe(false);
});

test("what is taken is known and not free", () => {
  expect(only(flavor("f", { spec: { availability: false } })).capacity).toMatchObject({
    gpus: 4,
    gpusFree: 0,
  });
  expect(only(candidate("pc", flavor("f"), false)).capacity.gpusFree).toBe(0);
});

test("a candidate is its flavor, and can be addressed; together with its flavor it is still one offer", () => {
  const pc = candidate("peeringcandidate-f", flavor("f"));
  for (const document of [pc, list(flavor("f"), pc), list(pc, flavor("f"))])
    expect(only(document).origin).toMatchObject({
      flavorName: "f",
      peeringCandidate: { name: "peeringcandidate-f", namespace: "fluidos" },
    });
});

test("flavors of one name by two sellers are two offers", () => {
  const other = flavor("f", { spec: { owner: { domain: "fluidos.eu", nodeID: "n2", ip: "h:1" } } });
  expect(readFluidos(list(flavor("f"), other)).offers.map(({ id }) => id)).toEqual(["f@n1", "f@n2"]);
});

test("other types and slices without a GPU are left out and counted", () => {
  const service = flavor("s", { spec: { flavorType: { typeIdentifier: "Service", typeData: {} } } });
  const { offers, skipped, warnings } = readFluidos(
    list(
      service,
      flavor("cpu", { gpu: null }),
      flavor("lrm", { gpu: { model: "", cores: "0", memory: "0" } }),
    ),
  );
  expect([offers, skipped]).toEqual([[], []]);
  expect(warnings.map(({ message }) => message)).toEqual([
    "1 flavors of other types than K8Slice left out",
    "2 flavors without a GPU left out",
  ]);
});

test.for([
  { name: "a count that is no number", item: flavor("f", { gpu: { ...forkGpu, count: "four" } }) },
  { name: "no owner", item: flavor("f", { spec: { owner: undefined } }) },
  { name: "CPU that is no quantity", item: withCpu("many") },
  { name: "an unknown tier", item: flavor("f", { gpu: { ...forkGpu, tier: "golden" } }) },
])("a flavor with $name is skipped and named, the others are read", ({ item }) => {
  const { offers, skipped } = readFluidos(list(item, flavor("good")));
  expect(offers.map(({ id }) => id)).toEqual(["good"]);
  expect(skipped).toMatchObject([{ id: "f", path: expect.stringContaining("items[name=f]") }]);
});

function withCpu(cpu: string): object {
  const item = flavor("f") as { spec: { flavorType: { typeData: { characteristics: object } } } };
  Object.assign(item.spec.flavorType.typeData.characteristics, { cpu });
  return item;
}

test("FLUIDOS documents are told from others; typed lists need no kind per item", () => {
  const { kind: _, ...bare } = flavor("f") as { kind: string };
  expect(isFluidosDocument({ kind: "FlavorList", items: [bare] })).toBe(true);
  expect(only({ kind: "FlavorList", items: [bare] }).id).toBe("f");
  expect(isFluidosDocument([flavor("f")])).toBe(true);
  for (const other of [list(flavor("f"), { kind: "Node" }), { offers: [] }, list(), null, { kind: "Solver" }])
    expect(isFluidosDocument(other)).toBe(false);
});

test("the order of a list never matters", () => {
  const items = [flavor("b"), flavor("a"), candidate("pc-c", flavor("c"))];
  expect(readFluidos(list(...items))).toEqual(readFluidos(list(...items.toReversed())));
});
