import fc from "fast-check";
import { expect, test } from "vitest";
import { readPrices } from "../../adapters/catalog/prices.ts";
import { isFluidosDocument, readFluidos } from "../../adapters/fluidos/read.ts";
import { annotateNodes, readLabeledNodes, splitCluster } from "../../adapters/labels/annotate.ts";
import { EngineError } from "../../engine/model/errors.ts";

/** Documents of the kinds that are read, each whole and valid. */
const flavor = {
  kind: "Flavor",
  metadata: { name: "f", namespace: "fluidos" },
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
            vendor: "nvidia",
            count: 2,
            cores: "14848",
            memory: "48Gi",
            clock_speed: "2G",
            multi_gpu_efficiency: "0.9",
            hourly_rate: 0.8,
            zone: "eu-west-1",
            region: "a",
            provider: "p",
          },
        },
        properties: { latency: 5, securityStandards: ["ISO27001"], additionalProperties: { flare: {} } },
        policies: { partitionability: { gpuMin: "1" } },
      },
    },
    owner: { domain: "d", nodeID: "n", ip: "h:1", additionalInformation: { liqoID: "l" } },
    price: { amount: "1", currency: "EUR", period: "hourly" },
    availability: true,
    location: { latitude: "1", longitude: "2", country: "Italy", city: "Turin" },
  },
};
const candidate = { kind: "PeeringCandidate", metadata: { name: "pc" }, spec: { flavor, available: true } };
const cluster = {
  kind: "List",
  items: [
    {
      kind: "Node",
      metadata: {
        name: "w",
        labels: {
          "nvidia.com/gpu.product": "NVIDIA-L4",
          "nvidia.com/gpu.count": "2",
          "nvidia.com/gpu.memory": "23034",
          "nvidia.com/gpu.replicas": "2",
          "amd.com/gpu.vram.192G": "8",
        },
        annotations: {
          "gpu.fluidos.eu/memory": "24Gi",
          "cost.fluidos.eu/hourly-rate": "1",
          "location.fluidos.eu/region": "eu-west-1",
        },
      },
      spec: { providerID: "aws:///x/y" },
      status: { capacity: { "nvidia.com/gpu": "4" }, allocatable: { cpu: "8", "nvidia.com/gpu": "4" } },
    },
    {
      kind: "ResourceSlice",
      apiVersion: "resource.k8s.io/v1",
      metadata: { name: "s" },
      spec: {
        driver: "gpu.nvidia.com",
        nodeName: "w",
        pool: { name: "w", generation: 1, resourceSliceCount: 1 },
        devices: [
          {
            name: "g0",
            attributes: { type: { string: "gpu" }, productName: { string: "NVIDIA L4" } },
            capacity: { memory: { value: "24Gi" } },
            taints: [{ effect: "None" }],
          },
        ],
      },
    },
  ],
};

type Json = ReturnType<typeof JSON.parse>;

/** Every place in a document. */
function places(value: Json, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  const inner = Array.isArray(value)
    ? value.flatMap((item, index) => places(item, [...path, index]))
    : value !== null && typeof value === "object"
      ? Object.entries(value).flatMap(([key, item]) => places(item, [...path, key]))
      : [];
  return [path, ...inner];
}

/** The document with one place replaced, or removed where the value is undefined. */
function changed(document: Json, path: readonly (string | number)[], value: Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const copy = structuredClone(document);
  if (rest.length === 0 && value === undefined) delete copy[key];
  else copy[key] = changed(document[key], rest, value);
  return copy;
}

const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    undefined,
    "",
    "-1",
    "1e999",
    "9".repeat(400),
    "NaN",
    -1,
    0.5,
    2 ** 60,
    "\u0000",
    "x",
    {},
    [],
  ),
);
const broken = (document: Json): fc.Arbitrary<Json> =>
  fc.tuple(fc.constantFrom(...places(document)), odd).map(([path, value]) => changed(document, path, value));

/** Runs a reader on broken documents: it may refuse them as input, and do nothing else. */
function survives(documents: fc.Arbitrary<Json>, read: (document: Json) => void): void {
  fc.assert(
    fc.property(documents, (document) => {
      try {
        read(document);
      } catch (error) {
        expect(error).toBeInstanceOf(EngineError);
      }
    }),
    { numRuns: 1500 },
  );
}

test.for([
  { name: "a flavor", document: flavor },
  { name: "a candidate", document: candidate },
])("$name with one broken place is read, skipped or refused, and nothing else happens", ({ document }) => {
  survives(broken(document), (one) => {
    if (!isFluidosDocument(one)) return;
    const { offers, skipped, warnings } = readFluidos(one);
    expect(offers.length + skipped.length + warnings.length).toBeGreaterThan(0);
    for (const { capacity, gpu } of offers) {
      expect(capacity.gpus >= 1 && Number.isSafeInteger(capacity.gpus)).toBe(true);
      expect(gpu.memoryMib === undefined || Number.isSafeInteger(gpu.memoryMib)).toBe(true);
    }
  });
});

test("nodes and slices with one broken place are annotated and read, or refused, and nothing else happens", () => {
  survives(broken(cluster), (one) => {
    const split = splitCluster(one);
    if (split === null) return;
    annotateNodes(split, { migrate: true });
    readLabeledNodes(split);
  });
});

test("any cells make rows that are read, left out or skipped", () => {
  const columns = ["InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region", "vCPUs"];
  const cell = fc.oneof(
    fc.string(),
    fc.constantFrom("", "1", "-1", "1e9", "9".repeat(30), "H100", "eu-west-1"),
  );
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 4, maxLength: 7 }), { maxLength: 6 }), (rows) => {
      const { offers, skipped } = readPrices({ format: "prices", provider: "p", columns, rows });
      expect(offers.length + skipped.length).toBeLessThanOrEqual(rows.length);
      for (const { price } of offers) expect(Number.isSafeInteger(price.onDemand?.micro)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});
