import fc from "fast-check";
import { expect, test } from "vitest";
import { annotations } from "../../../adapters/json/annotation-table.ts";
import { forgeAnnotations, mergeAnnotations, readAnnotations } from "../../../adapters/json/annotations.ts";
import { createNotes, type Notes } from "../../../adapters/json/notes.ts";
import { gpuModels } from "../../../engine/catalog/gpus.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";

const numRuns = Number(process.env["FLARE_FUZZ"] ?? 150);

type Annotated = Readonly<Record<string, string>>;

const required: Annotated = {
  "provider.fluidos.eu/name": "provider-1",
  "gpu.fluidos.eu/model": "nvidia-h100",
  "gpu.fluidos.eu/count": "4",
  "location.fluidos.eu/region": "eu-west-1",
  "cost.fluidos.eu/hourly-rate": "4.5",
};

function read(stated: Readonly<Record<string, unknown>>): { flavor: Flavor | null; notes: Notes } {
  const notes = createNotes();
  return { flavor: readAnnotations("offer", stated, "annotations", notes), notes };
}

/** The value at a dotted path of an offer. */
const valueAt = (flavor: Flavor | null, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], flavor);

/** Key, text, where it goes in the offer, what is there then. */
const meanings: readonly (readonly [string, string, string, unknown])[] = [
  ["gpu.fluidos.eu/vendor", "nvidia", "gpu.vendor", "nvidia"],
  ["gpu.fluidos.eu/model", "H100", "gpu.model", "nvidia-h100"],
  ["gpu.fluidos.eu/count", "8", "capacity.gpus", 8],
  ["gpu.fluidos.eu/memory", "80Gi", "gpu.memoryMib", 81920],
  ["gpu.fluidos.eu/memory-per-gpu", "94Gi", "gpu.memoryMib", 96256],
  ["gpu.fluidos.eu/tier", "economy", "gpu.tier", "budget"],
  ["gpu.fluidos.eu/tier", "gaming", "gpu.tier", "gaming"],
  ["location.fluidos.eu/region", "us-east-1", "region", "us-east-1"],
  ["location.fluidos.eu/zone", "zone-a", "zone", "zone-a"],
  ["cost.fluidos.eu/hourly_rate", "4.5", "price.onDemand", { micro: 4_500_000, currency: "EUR" }],
  ["cost.fluidos.eu/currency", "USD", "price.onDemand.currency", "USD"],
  ["gpu.fluidos.eu/architecture", "ada_lovelace", "gpu.architecture", "ada-lovelace"],
  ["gpu.fluidos.eu/interconnect", "infinity_fabric", "gpu.interconnect", "infinity-fabric"],
  ["gpu.fluidos.eu/cores", "304", "gpu.cores", 304],
  ["gpu.fluidos.eu/compute_capability", "9.0", "gpu.computeCapability", 900],
  ["gpu.fluidos.eu/compute-capability", "8.9", "gpu.computeCapability", 809],
  ["gpu.fluidos.eu/clock_speed", "1.98G", "gpu.clockMhz", 1980],
  ["gpu.fluidos.eu/fp32_tflops", "67.0", "gpu.fp32Tflops", 67],
  ["gpu.fluidos.eu/interconnect_bandwidth", "900", "gpu.interconnectBandwidth", 900],
  ["gpu.fluidos.eu/interconnect-bandwidth-gbps", "64", "gpu.interconnectBandwidth", 8],
  ["gpu.fluidos.eu/interconnect-gbytes-per-second", "64", "gpu.interconnectBandwidth", 64],
  ["gpu.fluidos.eu/topology", "HGX", "gpu.topology", "nvswitch"],
  ["gpu.fluidos.eu/topology", "custom", "gpu.topology", undefined],
  ["gpu.fluidos.eu/multi_gpu_efficiency", "0.95", "gpu.multiGpuEfficiency", 0.95],
  ["gpu.fluidos.eu/shared", "true", "gpu.sharing", true],
  ["gpu.fluidos.eu/sharing-capable", "false", "gpu.sharing", false],
  ["gpu.fluidos.eu/sharing_strategy", "time-slicing", "gpu.sharingStrategy", "time-slicing"],
  ["gpu.fluidos.eu/sharing-strategy", "mig", "gpu.migCapable", true],
  ["gpu.fluidos.eu/dedicated", "true", "gpu.dedicated", true],
  ["gpu.fluidos.eu/interruptible", "true", "price.spot", { micro: 4_500_000, currency: "EUR" }],
  ["gpu.fluidos.eu/multi_instance", "true", "gpu.migCapable", true],
  ["nvidia.fluidos.eu/mig_capable", "false", "gpu.migCapable", false],
  ["workload.fluidos.eu/training-score", "0.85", "scores.training", 0.85],
  ["gpu.fluidos.eu/inference_score", "0.9", "scores.inference", 0.9],
  ["gpu.fluidos.eu/hpc_score", "0.8", "scores.hpc", 0.8],
  ["workload.fluidos.eu/graphics-score", "0.95", "scores.graphics", 0.95],
  ["network.fluidos.eu/bandwidth-gbps", "100", "network.bandwidthGbps", 100],
  ["network.fluidos.eu/bandwidth", "100", "network.bandwidthGbps", 100],
  ["network.fluidos.eu/latency-ms", "12", "network.latencyMs", 12],
  ["network.fluidos.eu/tier", "premium", "network.tier", "premium"],
  ["provider.fluidos.eu/name", "Provider-2", "provider", "provider-2"],
  ["provider.fluidos.eu/preemptible", "true", "price.onDemand", undefined],
  ["cost.fluidos.eu/basis", "gpu", "divisible", true],
  ["cost.fluidos.eu/spot-rate", "1.8", "price.spot", { micro: 1_800_000, currency: "EUR" }],
  ["cost.fluidos.eu/interruption-rate", "0.05", "price.interruptionRate", 0.05],
  ["gpu.fluidos.eu/divisible", "true", "divisible", true],
  ["energy.fluidos.eu/carbon-intensity-g-kwh", "45", "energy.carbonIntensity", 45],
  ["energy.fluidos.eu/renewable-percent", "100", "energy.renewablePercent", 100],
  ["energy.fluidos.eu/pue", "1.1", "energy.pue", 1.1],
  ["energy.fluidos.eu/efficiency-rating", "a", "energy.efficiencyRating", "A"],
  ["energy.fluidos.eu/green-certified", "true", "energy.greenCertified", true],
  [
    "compliance.fluidos.eu/certifications",
    "SOC 2, iso27001",
    "compliance.certifications",
    ["ISO27001", "SOC2"],
  ],
  ["compliance.fluidos.eu/residency", "EU,DE", "compliance.residency", ["de", "eu", "europe"]],
  ["compliance.fluidos.eu/encryption-at-rest", "true", "compliance.encryptionAtRest", true],
  ["compliance.fluidos.eu/encryption-in-transit", "true", "compliance.encryptionInTransit", true],
  ["compliance.fluidos.eu/audit-logging", "true", "compliance.auditLogging", true],
  ["compliance.fluidos.eu/gdpr", "true", "compliance.gdpr", true],
  ["compliance.fluidos.eu/hipaa", "false", "compliance.hipaa", false],
  ["security.fluidos.eu/network-isolation", "true", "security.networkIsolation", true],
  ["security.fluidos.eu/vpn", "true", "security.vpn", true],
  ["security.fluidos.eu/bastion", "true", "security.bastion", true],
  ["security.fluidos.eu/ids", "true", "security.intrusionDetection", true],
  ["security.fluidos.eu/vulnerability-scanning", "true", "security.vulnerabilityScanning", true],
  ["performance.fluidos.eu/jitter-ms", "2", "performance.jitterMs", 2],
  ["performance.fluidos.eu/uptime-percent", "99.9", "performance.uptimePercent", 99.9],
  ["performance.fluidos.eu/cold-start-s", "20", "performance.coldStartSeconds", 20],
];

test.for(meanings)("%s: %s is read into %s", ([key, text, path, expected]) => {
  const { flavor, notes } = read({ ...required, [key]: text });
  expect(notes.problems).toEqual([]);
  expect(valueAt(flavor, path)).toEqual(expected);
});

test("every annotation of the table has a case above", () => {
  const tested = new Set(meanings.map(([key]) => key.replaceAll("_", "-")));
  const untested = annotations
    .filter(({ key, aliases }) => ![key, ...aliases].some((spelling) => tested.has(spelling)))
    .map(({ key }) => key);
  expect(untested).toEqual([
    "location.fluidos.eu/country",
    "location.fluidos.eu/latitude",
    "location.fluidos.eu/longitude",
  ]);
});

test("a region that the catalog does not know takes country, areas and coordinates from annotations", () => {
  const { flavor } = read({
    ...required,
    "location.fluidos.eu/region": "torino-edge-1",
    "location.fluidos.eu/country": "IT",
    "location.fluidos.eu/latitude": "45.07",
    "location.fluidos.eu/longitude": "7.69",
  });
  expect(flavor).toMatchObject({
    region: "torino-edge-1",
    country: "IT",
    coordinates: { latitude: 45.07, longitude: 7.69 },
  });
  expect(flavor?.areas).toContain("eu");
});

/** Validation rules: key, bad text, part of the message. */
const refused: readonly (readonly [string, string, string])[] = [
  ["gpu.fluidos.eu/vendor", "voodoo", "nvidia, amd, intel"],
  ["gpu.fluidos.eu/model", "x9000", "vendor"],
  ["gpu.fluidos.eu/memory", "80", "80Gi"],
  ["gpu.fluidos.eu/memory", "80GB", "80Gi"],
  ["gpu.fluidos.eu/count", "0", "whole number from 1"],
  ["gpu.fluidos.eu/count", "-4", "whole number from 1"],
  ["gpu.fluidos.eu/count", "four", "whole number from 1"],
  ["gpu.fluidos.eu/count", "1.5", "whole number from 1"],
  ["workload.fluidos.eu/training-score", "1.2", "from 0 to 1"],
  ["workload.fluidos.eu/training-score", "-0.1", "from 0 to 1"],
  ["gpu.fluidos.eu/dedicated", "True", "lower case"],
  ["gpu.fluidos.eu/shared", "yes", "lower case"],
  ["cost.fluidos.eu/currency", "EURO", "ISO 4217"],
  ["cost.fluidos.eu/currency", "XQZ", "ISO 4217"],
  ["cost.fluidos.eu/hourly-rate", "cheap", "5.50 EUR"],
  ["location.fluidos.eu/region", "EU_West", "lower-case"],
  ["gpu.fluidos.eu/tier", "luxury", "premium"],
  ["gpu.fluidos.eu/interconnect", "carrier-pigeon", "nvlink"],
  ["gpu.fluidos.eu/compute_capability", "nine", "9.0"],
  ["energy.fluidos.eu/pue", "0.9", "from 1"],
];

test.for(refused)("%s: %s is refused with what is accepted", ([key, text, accepts]) => {
  const { flavor, notes } = read({ ...required, [key]: text });
  expect(flavor).toBeNull();
  expect(notes.problems.length).toBeGreaterThan(0);
  expect(notes.problems[0]).toMatchObject({
    path: `annotations[${JSON.stringify(key)}]`,
    message: expect.stringContaining(accepts),
  });
});

test.for(Object.keys(required).filter((key) => !key.startsWith("provider")))("%s is required", (key) => {
  const { [key]: _, ...rest } = required;
  const { flavor, notes } = read(rest);
  expect(flavor).toBeNull();
  expect(notes.problems).toMatchObject([
    { path: `annotations[${JSON.stringify(key)}]`, code: "missing_field" },
  ]);
});

test("two spellings that differ are refused, that agree are one, and either says preemptible", () => {
  const memory = (other: string): Annotated => ({
    ...required,
    "gpu.fluidos.eu/memory": other,
    "gpu.fluidos.eu/memory-per-gpu": "80Gi",
  });
  expect(read(memory("81920Mi")).flavor?.gpu.memoryMib).toBe(81920);
  expect(read(memory("40Gi")).notes.problems).toMatchObject([{ code: "conflicting_fields" }]);
  const spot = {
    ...required,
    "gpu.fluidos.eu/interruptible": "true",
    "provider.fluidos.eu/preemptible": "false",
  };
  expect(read(spot).flavor?.price.onDemand).toBeUndefined();
});

test("a preemptible offer takes no second spot price, and one offer has one currency", () => {
  const spot = { ...required, "provider.fluidos.eu/preemptible": "true", "cost.fluidos.eu/spot-rate": "1" };
  expect(read(spot).notes.problems).toMatchObject([{ code: "conflicting_fields" }]);
  const mixed = { ...required, "cost.fluidos.eu/spot-rate": "1 USD" };
  expect(read(mixed).notes.problems).toMatchObject([{ code: "conflicting_fields" }]);
});

test("an indivisible offer cannot be priced per GPU", () => {
  const stated = { ...required, "cost.fluidos.eu/basis": "gpu", "gpu.fluidos.eu/divisible": "false" };
  expect(read(stated).notes.problems).toMatchObject([{ code: "conflicting_fields" }]);
});

test("the catalog fills what is not stated, and stated values win with a warning past 15 % (C-31)", () => {
  const { flavor, notes } = read({
    ...required,
    "gpu.fluidos.eu/fp32_tflops": "83.0",
    "gpu.fluidos.eu/tier": "standard",
  });
  expect(flavor?.gpu).toMatchObject({
    memoryMib: 81920,
    architecture: "hopper",
    fp32Tflops: 83,
    tier: "standard",
  });
  expect(flavor).toMatchObject({ country: "IE", areas: expect.arrayContaining(["eu"]) });
  expect(flavor?.energy.carbonIntensity).toBeGreaterThan(0);
  expect(notes.warnings).toMatchObject([{ code: "suspicious", message: expect.stringContaining("67") }]);
});

test("a family whose variants are linked differently states no link", () => {
  expect(read(required).flavor?.gpu.interconnect).toBeUndefined();
  expect(read({ ...required, "gpu.fluidos.eu/model": "nvidia-h100-sxm" }).flavor?.gpu.interconnect).toBe(
    "nvlink",
  );
});

test("an unknown annotation of a FLARE namespace is named, foreign ones are not ours", () => {
  const { notes } = read({
    ...required,
    "gpu.fluidos.eu/color": "red",
    "example.com/x": "1",
    "nvidia.fluidos.eu/cuda_version": "12",
  });
  expect(notes.warnings).toMatchObject([
    { code: "unknown_field", path: 'annotations["gpu.fluidos.eu/color"]' },
  ]);
});

test("derived annotations give way to the same annotation in any spelling", () => {
  const merged = mergeAnnotations(
    { "gpu.fluidos.eu/memory-per-gpu": "40Gi", "gpu.fluidos.eu/cores": "1" },
    { "gpu.fluidos.eu/memory": "80Gi" },
  );
  expect(merged).toEqual({ "gpu.fluidos.eu/memory": "80Gi", "gpu.fluidos.eu/cores": "1" });
});

const texts: Readonly<Record<string, fc.Arbitrary<string>>> = {
  boolean: fc.constantFrom("true", "false"),
  bytes: fc.constantFrom("80Gi", "49140Mi", "1.5Gi"),
  frequency: fc.constantFrom("1.98G", "900M"),
  capability: fc.constantFrom("9.0", "8.9", "9"),
  money: fc.constantFrom("4.5", "0.000001", "10"),
  list: fc.constantFrom("a", "B,a", ""),
};

/** Annotations that are each valid, with a count, a region and a price. */
const annotated: fc.Arbitrary<Annotated> = fc
  .record(
    Object.fromEntries(
      annotations
        .filter(
          ({ key }) =>
            !/(currency|latitude|longitude|spot-rate|model|basis|divisible|preemptible)$/.test(key),
        )
        .map(({ key, form }): [string, fc.Arbitrary<string>] => [
          key,
          form.kind === "choice"
            ? fc.constantFrom(...form.choice.values)
            : form.kind === "number"
              ? fc.integer({ min: Math.max(form.min, 0), max: Math.min(form.max, 3) }).map(String)
              : form.kind === "word"
                ? fc.constantFrom(...(key.endsWith("country") ? ["IT"] : ["eu-west-1", "torino-1"]))
                : texts[form.kind]!,
        ]),
    ),
    { requiredKeys: [] },
  )
  .chain((some) =>
    fc
      .record({
        "gpu.fluidos.eu/model": fc.constantFrom(...gpuModels.map((model) => model.name), "custom-x1"),
        "gpu.fluidos.eu/interconnect-bandwidth-gbps": fc.constantFrom("64", "299", "300", "900"),
        sale: fc.constantFrom(
          {},
          { "provider.fluidos.eu/preemptible": "true" },
          { "cost.fluidos.eu/spot-rate": "1.8" },
          { "cost.fluidos.eu/basis": "gpu" },
          {
            "gpu.fluidos.eu/divisible": "true",
            "location.fluidos.eu/latitude": "1",
            "location.fluidos.eu/longitude": "-2.5",
          },
        ),
      })
      .map(({ sale, ...more }) => ({ ...required, ...some, ...more, ...sale }) as Annotated),
  );

test("annotations, read, written and read again, are the same offer", () => {
  fc.assert(
    fc.property(annotated, (stated) => {
      const { flavor, notes } = read(stated);
      expect(notes.problems).toEqual([]);
      const written = forgeAnnotations(flavor!);
      const again = read(written);
      expect(again.notes.problems).toEqual([]);
      expect(again.flavor).toEqual(flavor);
      expect(forgeAnnotations(again.flavor!)).toEqual(written);
    }),
    { numRuns },
  );
});

test("underscores and dashes in keys are one, in any order of keys", () => {
  fc.assert(
    fc.property(annotated, (stated) => {
      const respelled = Object.fromEntries(
        Object.entries(stated)
          .reverse()
          .map(([key, text]) => [key.replace(/\/.*/, (name) => name.replaceAll("-", "_")), text]),
      );
      expect(read(respelled).flavor).toEqual(read(stated).flavor);
    }),
    { numRuns },
  );
});
