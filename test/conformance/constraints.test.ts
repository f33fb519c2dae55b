import { expect, test } from "vitest";
import { canonicalAnnotation } from "../../adapters/json/annotations.ts";
import { annotationFor } from "../../adapters/json/trait-names.ts";
import { costConstraints } from "../../engine/compile/constraints/cost.ts";
import { gpuConstraints, hostConstraints } from "../../engine/compile/constraints/gpu.ts";
import { placeConstraints } from "../../engine/compile/constraints/place.ts";
import { policyConstraints } from "../../engine/compile/constraints/policy.ts";
import { decide, type Offer, states } from "./decide.ts";

/** A constraint with what an offer states to meet it, to meet it exactly, and to miss it. */
interface Case {
  readonly path: string;
  readonly value: unknown;
  /** As it appears in `rejections`. */
  readonly name: string;
  readonly meets: Offer;
  readonly exact?: Offer;
  readonly misses: Offer;
  /** False: an offer that does not state the trait passes; "stated": every offer states it. */
  readonly unknownFails?: false | "stated";
}

const gpu = (trait: string, text: string): Offer => states(`gpu.fluidos.eu/${trait}`, text);

/** A trait that must be at least the value. */
const atLeast = (
  field: string,
  value: unknown,
  trait: string,
  texts: [more: string, exact: string, less: string],
): Case => ({
  path: `workload.resources.gpu.${field}`,
  value,
  name: `gpu.${field}`,
  meets: gpu(trait, texts[0]),
  exact: gpu(trait, texts[1]),
  misses: gpu(trait, texts[2]),
});

/** A trait that must be the value. */
const equal = (field: string, value: string, trait: string, other: string): Case => ({
  path: `workload.resources.gpu.${field}`,
  value,
  name: `gpu.${field}`,
  meets: gpu(trait, value),
  misses: gpu(trait, other),
});

/** A trait that must be true. */
const holds = (path: string, name: string, key: string): Case => ({
  path,
  value: true,
  name,
  meets: states(key, "true"),
  misses: states(key, "false"),
});

const required = (group: string, field: string, key: string): Case =>
  holds(`constraints.${group}.${field}`, `${group}.${field}`, key);

const cases: readonly Case[] = [
  {
    path: "workload.resources.cpu",
    value: "4.5",
    name: "cpu",
    meets: { capacity: { cpu: "8" } },
    exact: { capacity: { cpu: "4500m" } },
    misses: { capacity: { cpu: "4499m" } },
  },
  {
    path: "workload.resources.memory",
    value: "32Gi",
    name: "memory",
    meets: { capacity: { memory: "64Gi" } },
    exact: { capacity: { memory: "32Gi" } },
    misses: { capacity: { memory: "64Gi", memory_free: "32767Mi" } },
  },
  {
    path: "workload.resources.gpu.count",
    value: 4,
    name: "gpu.count",
    meets: gpu("count", "8"),
    exact: gpu("count", "4"),
    misses: { free_gpus: 3 },
    unknownFails: false,
  },
  { ...equal("model", "nvidia-h100", "model", "nvidia-a100"), unknownFails: "stated" },
  atLeast("memory_min", "70Gi", "memory-per-gpu", ["80Gi", "70Gi", "71679Mi"]),
  {
    path: "workload.resources.gpu.memory_max",
    value: "48Gi",
    name: "gpu.memory_max",
    meets: gpu("memory", "24Gi"),
    exact: gpu("memory", "48Gi"),
    misses: gpu("memory", "49153Mi"),
  },
  atLeast("cores_min", 6912, "cores", ["10000", "6912", "6911"]),
  {
    path: "workload.resources.gpu.cores_max",
    value: 6912,
    name: "gpu.cores_max",
    meets: gpu("cores", "100"),
    exact: gpu("cores", "6912"),
    misses: gpu("cores", "6913"),
  },
  atLeast("clock_speed_min", "1.5G", "clock-speed", ["2G", "1500M", "1499M"]),
  atLeast("compute_capability", "8.0", "compute-capability", ["8.9", "8.0", "7.5"]),
  atLeast("fp32_tflops", 19.5, "fp32-tflops", ["67.0", "19.5", "19.4"]),
  atLeast("multi_gpu_efficiency", 0.85, "multi-gpu-efficiency", ["0.95", "0.85", "0.84"]),
  equal("architecture", "hopper", "architecture", "volta"),
  equal("tier", "premium", "tier", "gaming"),
  equal("topology", "ring", "topology", "mesh"),
  equal("vendor", "amd", "vendor", "nvidia"),
  {
    path: "workload.resources.gpu.interconnect",
    value: "nvlink",
    name: "gpu.interconnect",
    meets: gpu("interconnect", "nvlink"),
    exact: gpu("interconnect", "nvswitch"),
    misses: gpu("interconnect", "pcie"),
  },
  holds("workload.resources.gpu.dedicated", "gpu.dedicated", "gpu.fluidos.eu/dedicated"),
  holds("workload.resources.gpu.multi_instance", "gpu.multi_instance", "nvidia.fluidos.eu/mig-capable"),
  {
    path: "constraints.max_hourly_cost",
    value: "4 EUR",
    name: "max_hourly_cost",
    meets: states("cost.fluidos.eu/hourly-rate", "1"),
    exact: states("cost.fluidos.eu/hourly-rate", "4"),
    misses: states("cost.fluidos.eu/hourly-rate", "4.000001"),
    unknownFails: false,
  },
  {
    path: "constraints.location",
    value: "EU",
    name: "location",
    meets: states("location.fluidos.eu/region", "eu-west-1"),
    misses: states("location.fluidos.eu/region", "us-east-1"),
    unknownFails: "stated",
  },
  {
    path: "constraints.locations",
    value: ["Japan", "us-east-1"],
    name: "location",
    meets: states("location.fluidos.eu/region", "us-east-1"),
    misses: states("location.fluidos.eu/region", "us-west-2"),
    unknownFails: "stated",
  },
  {
    path: "constraints.availability_zone",
    value: "eu-west-1a",
    name: "availability_zone",
    meets: states("location.fluidos.eu/zone", "EU-west-1a"),
    misses: states("location.fluidos.eu/zone", "eu-west-1b"),
  },
  {
    path: "constraints.max_latency_ms",
    value: 20,
    name: "max_latency_ms",
    meets: states("network.fluidos.eu/latency-ms", "8"),
    exact: states("network.fluidos.eu/latency-ms", "20"),
    misses: states("network.fluidos.eu/latency-ms", "21"),
  },
  {
    path: "constraints.providers",
    value: ["AWS", "P2"],
    name: "providers",
    meets: states("provider.fluidos.eu/name", "aws"),
    misses: states("provider.fluidos.eu/name", "p"),
    unknownFails: "stated",
  },
  {
    path: "constraints.preemptible",
    value: false,
    name: "preemptible",
    meets: states("provider.fluidos.eu/preemptible", "false"),
    misses: states("provider.fluidos.eu/preemptible", "true"),
    unknownFails: false,
  },
  {
    path: "constraints.energy.max_carbon_footprint",
    value: "140g CO2/h",
    name: "energy.max_carbon_footprint",
    meets: {
      annotations: {
        "gpu.fluidos.eu/model": "nvidia-h100",
        "energy.fluidos.eu/carbon-intensity-g-kwh": "100",
        "energy.fluidos.eu/pue": "1",
      },
    },
    exact: {
      annotations: {
        "gpu.fluidos.eu/model": "nvidia-h100",
        "energy.fluidos.eu/carbon-intensity-g-kwh": "200",
        "energy.fluidos.eu/pue": "1",
      },
    },
    misses: {
      annotations: {
        "gpu.fluidos.eu/model": "nvidia-h100",
        "energy.fluidos.eu/carbon-intensity-g-kwh": "201",
        "energy.fluidos.eu/pue": "1",
      },
    },
  },
  {
    path: "constraints.energy.renewable_energy_only",
    value: true,
    name: "energy.renewable_energy_only",
    meets: states("energy.fluidos.eu/renewable-percent", "100"),
    misses: states("energy.fluidos.eu/renewable-percent", "99.9"),
  },
  {
    path: "constraints.energy.energy_efficiency_rating",
    value: "B",
    name: "energy.energy_efficiency_rating",
    meets: states("energy.fluidos.eu/efficiency-rating", "A"),
    exact: states("energy.fluidos.eu/efficiency-rating", "B"),
    misses: states("energy.fluidos.eu/efficiency-rating", "C"),
  },
  {
    path: "constraints.energy.power_usage_effectiveness",
    value: 1.2,
    name: "energy.power_usage_effectiveness",
    meets: states("energy.fluidos.eu/pue", "1.1"),
    exact: states("energy.fluidos.eu/pue", "1.2"),
    misses: states("energy.fluidos.eu/pue", "1.21"),
  },
  required("energy", "green_certified_only", "energy.fluidos.eu/green-certified"),
  {
    path: "constraints.security.network_isolation",
    value: "private",
    name: "security.network_isolation",
    meets: states("security.fluidos.eu/network-isolation", "true"),
    misses: states("security.fluidos.eu/network-isolation", "false"),
  },
  required("security", "vpn_access", "security.fluidos.eu/vpn"),
  required("security", "bastion_host", "security.fluidos.eu/bastion"),
  required("security", "intrusion_detection", "security.fluidos.eu/ids"),
  required("security", "vulnerability_scanning", "security.fluidos.eu/vulnerability-scanning"),
  {
    path: "constraints.performance.min_network_bandwidth",
    value: "10Gbps",
    name: "performance.min_network_bandwidth",
    meets: states("network.fluidos.eu/bandwidth-gbps", "100"),
    exact: states("network.fluidos.eu/bandwidth-gbps", "10"),
    misses: states("network.fluidos.eu/bandwidth-gbps", "9"),
  },
  {
    path: "constraints.performance.max_jitter_ms",
    value: 5,
    name: "performance.max_jitter_ms",
    meets: states("performance.fluidos.eu/jitter-ms", "1"),
    exact: states("performance.fluidos.eu/jitter-ms", "5"),
    misses: states("performance.fluidos.eu/jitter-ms", "6"),
  },
  {
    path: "constraints.performance.min_uptime_percent",
    value: 99.9,
    name: "performance.min_uptime_percent",
    meets: states("performance.fluidos.eu/uptime-percent", "99.99"),
    exact: states("performance.fluidos.eu/uptime-percent", "99.9"),
    misses: states("performance.fluidos.eu/uptime-percent", "99.8"),
  },
  {
    path: "constraints.performance.max_cold_start_time",
    value: "30s",
    name: "performance.max_cold_start_time",
    meets: states("performance.fluidos.eu/cold-start-s", "5"),
    exact: states("performance.fluidos.eu/cold-start-s", "30"),
    misses: states("performance.fluidos.eu/cold-start-s", "31"),
  },
  {
    path: "constraints.compliance.data_residency",
    value: ["EU"],
    name: "compliance.data_residency",
    meets: states("compliance.fluidos.eu/residency", "Germany"),
    exact: states("compliance.fluidos.eu/residency", "EU"),
    misses: states("compliance.fluidos.eu/residency", "US"),
  },
  {
    path: "constraints.compliance.certifications",
    value: ["ISO 27001", "SOC2"],
    name: "compliance.certifications",
    meets: states("compliance.fluidos.eu/certifications", "SOC2,ISO27001,C5"),
    exact: states("compliance.fluidos.eu/certifications", "iso27001,soc2"),
    misses: states("compliance.fluidos.eu/certifications", "ISO27001"),
  },
  required("compliance", "encryption_at_rest", "compliance.fluidos.eu/encryption-at-rest"),
  required("compliance", "encryption_in_transit", "compliance.fluidos.eu/encryption-in-transit"),
  required("compliance", "audit_logging", "compliance.fluidos.eu/audit-logging"),
  required("compliance", "gdpr_compliant", "compliance.fluidos.eu/gdpr"),
  required("compliance", "hipaa_compliant", "compliance.fluidos.eu/hipaa"),
  {
    path: "sla.availability",
    value: "99.9%",
    name: "sla.availability",
    meets: states("performance.fluidos.eu/uptime-percent", "99.95"),
    exact: states("performance.fluidos.eu/uptime-percent", "99.9"),
    misses: states("performance.fluidos.eu/uptime-percent", "99"),
    unknownFails: false,
  },
];

test.for(cases)(
  "$path: an offer that meets it, just so or amply, is taken",
  async ({ path, value, meets, exact }) => {
    for (const offer of exact === undefined ? [meets] : [meets, exact])
      expect(await decide(path, value, offer)).toMatchObject({ outcome: "placed", rejections: {} });
  },
);

test.for(cases)(
  "$path: an offer that misses it is rejected by it alone",
  async ({ path, value, name, misses }) => {
    const decision = await decide(path, value, misses);
    expect(decision.outcome).not.toBe("placed");
    expect(decision).toMatchObject({ rejections: { [name]: 1 }, unknown: {}, soleBlockers: { [name]: 1 } });
    expect(Object.keys(decision.rejections)).toEqual([name]);
  },
);

test.for(cases.filter(({ unknownFails }) => unknownFails === undefined))(
  "$path: an offer that does not state it fails as unknown, counted apart",
  async ({ path, value, name }) => {
    const decision = await decide(path, value, {});
    expect(decision.outcome).not.toBe("placed");
    expect(decision).toMatchObject({ rejections: { [name]: 1 }, unknown: { [name]: 1 } });
  },
);

test.for(cases.filter(({ unknownFails, meets }) => unknownFails === undefined && meets.annotations))(
  "$path: a provider is told to state the annotation that meets it",
  ({ name, meets }) => {
    const keys = Object.keys(meets.annotations ?? {}).map(canonicalAnnotation);
    expect(keys).toContain(annotationFor(name));
  },
);

test.for(cases.filter(({ unknownFails }) => unknownFails === false))(
  "$path: an offer that does not state it is not judged by it",
  async ({ path, value }) => {
    expect((await decide(path, value, {})).outcome).toBe("placed");
  },
);

/** Constraints that need more than one field or a snapshot of their own, and the file of this folder that tests them. */
const elsewhere: Readonly<Record<string, string>> = {
  "gpu.shared": "workload.test.ts",
  "gpu.mig_profile": "../engine/plan/parts.test.ts",
  "offer.available": "time.test.ts",
  "offer.currency": "caps.test.ts",
  "offer.pods": "../engine/plan/pods.test.ts",
  max_total_cost: "caps.test.ts",
  deadline: "caps.test.ts",
  availability: "time.test.ts",
};

test("every constraint of the engine is tested alone, unknown and at its boundary, here or where it is said", () => {
  const all = [
    ...placeConstraints,
    ...gpuConstraints,
    ...hostConstraints,
    ...costConstraints,
    ...policyConstraints,
  ].map((spec) => spec.name);
  const tested = new Set(cases.map(({ name }) => name));
  expect(all.filter((name) => !tested.has(name) && elsewhere[name] === undefined)).toEqual([]);
});

test("a default is never a constraint: the bare offer takes the bare intent", async () => {
  expect(await decide("objective", "Balanced_Optimization", {})).toMatchObject({
    outcome: "placed",
    rejections: {},
  });
});

test.for([
  "workload.resources.gpu.model",
  "workload.resources.gpu.tier",
  "workload.resources.gpu.architecture",
  "constraints.location",
])("%s: any accepts every offer", async (path) => {
  expect(await decide(path, "any", {})).toMatchObject({ outcome: "placed", rejections: {} });
});

test.for(["workload.resources.gpu.interruptible", "constraints.preemptible"])(
  "%s: true accepts a spot offer, at its spot price (C-10)",
  async (path) => {
    const decision = await decide(path, true, states("provider.fluidos.eu/preemptible", "true"));
    expect(decision.placements).toMatchObject([{ spot: true, costMicro: 4_000_000 }]);
  },
);

test("model families: a family takes every variant, a variant only itself", async () => {
  const variant = gpu("model", "nvidia-h100-pcie");
  expect((await decide("workload.resources.gpu.model", "nvidia-h100", variant)).outcome).toBe("placed");
  expect((await decide("workload.resources.gpu.model", "nvidia-h100-sxm", variant)).outcome).not.toBe(
    "placed",
  );
});

test("memory is per GPU, never the sum of the node (C-06)", async () => {
  const decision = await decide("workload.resources.gpu.memory_min", "200Gi", gpu("memory", "80Gi"));
  expect(decision.rejections).toEqual({ "gpu.memory_min": 1 });
});
