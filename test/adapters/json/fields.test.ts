import { expect, test } from "vitest";
import { readIntent } from "../../../adapters/json/intent.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import { intentFields } from "../../golden/reference.ts";

const volume = { name: "data", size: "10Gi", type: "persistent", path: "/data" };
const source = { type: "s3", uri: "s3://bucket", credentials: "bucket-key" };
const port = { port: 8080 };
const rule = { port: 22, protocol: "TCP", source: "10.0.0.0/8", action: "deny" };
const window = { start: "2026-12-01T00:00:00Z", end: "2026-12-01T02:00:00Z" };
const availability = {
  window_start: "22:00",
  window_end: "06:30",
  timezone: "Europe/Berlin",
  days_of_week: ["Sat", "Mon"],
};

/** Path in the document, value there, path in the intent, what is there then; `batch` for jobs. */
type Meaning = readonly [path: string, value: unknown, into: string, expected: unknown, type?: "batch"];

const meanings: readonly Meaning[] = [
  ["objective", "Energy_Efficiency", "objective", "energy"],
  ["tenant", "team-a", "tenant", "team-a"],
  ["priority", "critical", "priority", 900],
  ["priority", 42, "priority", 42],
  ["bid.max_price_per_gpu_hour", "2.50 EUR", "bidPerGpuHour", { micro: 2_500_000, currency: "EUR" }],
  ["weights.cost", 2, "weights", { cost: 2, performance: 0, latency: 0, energy: 0 }],
  ["weights.performance", 1, "weights.performance", 1],
  ["weights.latency", 1, "weights.latency", 1],
  ["weights.energy", 1, "weights.energy", 1],
  ["submitted_at", "2026-11-01T00:00:00Z", "submittedAt", "2026-11-01T00:00:00Z"],
  ["workload.type", "batch", "workload.type", "batch"],
  ["workload.name", "a-1", "name", "a-1"],
  ["workload.image", "registry.local/a:1", "workload.image", "registry.local/a:1"],
  ["workload.kind", "hpc", "workload.kind", "hpc"],
  ["workload.commands", ["python app.py"], "workload.commands", ["python app.py"]],
  [
    "workload.env",
    ["A=b=c d", "lower="],
    "workload.env",
    [
      { name: "A", value: "b=c d" },
      { name: "lower", value: "" },
    ],
  ],
  ["workload.ports", [port], "workload.ports", [{ port: 8080, protocol: "TCP", expose: false }]],
  ["workload.ports", [{ ...port, protocol: "UDP" }], "workload.ports.0.protocol", "UDP"],
  ["workload.ports", [{ ...port, expose: true }], "workload.ports.0.expose", true],
  ["workload.ports", [{ ...port, domain: "a.example" }], "workload.ports.0.domain", "a.example"],
  ["workload.storage.volumes", [volume], "workload.volumes", [volume]],
  ["workload.storage.volumes", [{ ...volume, type: "temporary" }], "workload.volumes.0.type", "temporary"],
  ["workload.storage.volumes", [{ ...volume, source }], "workload.volumes.0.source", source],
  [
    "workload.secrets",
    [{ name: "token", env: "TOKEN" }],
    "workload.secrets",
    [{ name: "token", env: "TOKEN" }],
  ],
  ["workload.deployment_strategy", "colocated", "workload.deploymentStrategy", "colocated"],
  ["workload.communication_pattern", "pipeline", "workload.communicationPattern", "pipeline"],
  [
    "workload.scaling",
    {},
    "workload.scaling",
    { minReplicas: 1, maxReplicas: 10, autoScale: false, targetCpuPercent: 70, targetGpuPercent: 80 },
  ],
  ["workload.scaling.min_replicas", 12, "workload.scaling.maxReplicas", 12],
  ["workload.scaling.max_replicas", 3, "workload.scaling.maxReplicas", 3],
  ["workload.scaling.auto_scale", true, "workload.scaling.autoScale", true],
  ["workload.scaling.target_cpu_percent", 50, "workload.scaling.targetCpuPercent", 50],
  ["workload.scaling.target_gpu_percent", 60, "workload.scaling.targetGpuPercent", 60],
  [
    "workload.batch",
    {},
    "workload.batch",
    { parallelTasks: 1, maxRetries: 3, completionPolicy: "All" },
    "batch",
  ],
  ["workload.batch.parallel_tasks", 100, "workload.batch.parallelTasks", 100, "batch"],
  ["workload.batch.max_retries", 0, "workload.batch.maxRetries", 0, "batch"],
  ["workload.batch.timeout", "2h", "workload.batch.timeoutSeconds", 7200, "batch"],
  ["workload.batch.completion_policy", "Any", "workload.batch.completionPolicy", "Any", "batch"],
  ["workload.batch.estimated_runtime", "30m", "workload.batch.estimatedRuntimeSeconds", 1800, "batch"],
  ["workload.batch.estimated_on", "A100", "workload.batch.estimatedOn", "nvidia-a100", "batch"],
  ["workload.batch.checkpoint_interval", "15m", "workload.batch.checkpointIntervalSeconds", 900, "batch"],
  ["workload.evictable", false, "workload.evictable", false],
  ["workload.min_runtime", "10m", "workload.minRuntimeSeconds", 600],
  ["workload.resources.cpu", "4.5", "workload.resources.cpuMilli", 4500],
  ["workload.resources.memory", "32Gi", "workload.resources.memoryMib", 32768],
  ["workload.resources.gpu.count", 8, "workload.resources.gpu.count", 8],
  ["workload.resources.gpu", {}, "workload.resources.gpu", { count: 1, preferredModels: [] }],
  ["workload.resources.gpu.model", "nvidia-t4", "workload.resources.gpu.model", "nvidia-t4"],
  [
    "workload.resources.gpu.preferred_models",
    ["H100"],
    "workload.resources.gpu.preferredModels",
    ["nvidia-h100"],
  ],
  ["workload.resources.gpu.memory_min", "16Gi", "workload.resources.gpu.memoryMibMin", 16384],
  ["workload.resources.gpu.memory_max", "24Gi", "workload.resources.gpu.memoryMibMax", 24576],
  ["workload.resources.gpu.cores_min", 5000, "workload.resources.gpu.coresMin", 5000],
  ["workload.resources.gpu.cores_max", 6000, "workload.resources.gpu.coresMax", 6000],
  ["workload.resources.gpu.clock_speed_min", "1.5G", "workload.resources.gpu.clockMhzMin", 1500],
  ["workload.resources.gpu.compute_capability", "8.6", "workload.resources.gpu.computeCapabilityMin", 806],
  ["workload.resources.gpu.fp32_tflops", 67, "workload.resources.gpu.fp32TflopsMin", 67],
  ["workload.resources.gpu.multi_gpu_efficiency", 0.9, "workload.resources.gpu.multiGpuEfficiencyMin", 0.9],
  ["workload.resources.gpu.architecture", "cdna3", "workload.resources.gpu.architecture", "cdna3"],
  ["workload.resources.gpu.tier", "gaming", "workload.resources.gpu.tier", "gaming"],
  ["workload.resources.gpu.interconnect", "xe-link", "workload.resources.gpu.interconnect", "xe-link"],
  ["workload.resources.gpu.topology", "all-to-all", "workload.resources.gpu.topology", "all-to-all"],
  ["workload.resources.gpu.vendor", "qualcomm", "workload.resources.gpu.vendor", "qualcomm"],
  ["workload.resources.gpu.shared", true, "workload.resources.gpu.shared", true],
  ["workload.resources.gpu.dedicated", true, "workload.resources.gpu.dedicated", true],
  ["workload.resources.gpu.multi_instance", true, "workload.resources.gpu.multiInstance", true],
  ["workload.resources.gpu.interruptible", true, "workload.resources.gpu.interruptible", true],
  ["workload.resources.gpu", { shared: true, fraction: 0.25 }, "workload.resources.gpu.fractionMilli", 250],
  ["workload.resources.gpu.fraction", 1, "workload.resources.gpu.fractionMilli", 1000], // the whole of one GPU needs no sharing
  ["workload.resources.gpu.mig_profile", "1g.10gb", "workload.resources.gpu.migProfile", "1g.10gb"],
  [
    "constraints.max_hourly_cost",
    "10 EUR",
    "constraints.maxHourlyCost",
    { micro: 10_000_000, currency: "EUR" },
  ],
  [
    "constraints.max_total_cost",
    "100 USD",
    "constraints.maxTotalCost",
    { micro: 100_000_000, currency: "USD" },
  ],
  ["constraints.location", "Asia", "constraints.locations", [{ text: "asia", kind: "area" }]],
  [
    "constraints.locations",
    ["DE", "us-east-1"],
    "constraints.locations",
    [
      { text: "de", kind: "country" },
      { text: "us-east-1", kind: "region" },
    ],
  ],
  [
    "constraints.location",
    "eu-central-1a",
    "constraints.locations",
    [{ text: "eu-central-1a", kind: "zone" }],
  ],
  ["constraints.availability_zone", "eu-west-1A", "constraints.availabilityZone", "eu-west-1a"],
  ["constraints.max_latency_ms", 100, "constraints.maxLatencyMs", 100],
  ["constraints.deadline", "2026-12-24T19:00:00+01:00", "constraints.deadline", "2026-12-24T18:00:00Z"],
  ["constraints.preemptible", true, "constraints.preemptible", true],
  ["constraints.providers", ["GCP", "AWS", "aws"], "constraints.providers", ["aws", "gcp"]],
  ["constraints.preferred_providers", ["Azure"], "constraints.preferredProviders", ["azure"]],
  ["constraints.spread", { by: "zone", min_domains: 2 }, "constraints.spread", { by: "zone", minDomains: 2 }],
  [
    "constraints.origin",
    { latitude: 1, longitude: 2 },
    "constraints.origin",
    { coordinates: { latitude: 1, longitude: 2 } },
  ],
  ["constraints.origin", "EU-central-1", "constraints.origin.region", "eu-central-1"],
  [
    "constraints.availability",
    availability,
    "constraints.availability",
    {
      windowStart: 1320,
      windowEnd: 390,
      timezone: "Europe/Berlin",
      daysOfWeek: [0, 5],
      blackoutDates: [],
      maintenanceWindows: [],
    },
  ],
  [
    "constraints.availability",
    { ...availability, blackout_dates: ["2026-12-25"] },
    "constraints.availability.blackoutDates",
    ["2026-12-25"],
  ],
  [
    "constraints.availability",
    { ...availability, maintenance_windows: [window] },
    "constraints.availability.maintenanceWindows",
    [{ ...window, frequency: "weekly" }],
  ],
  [
    "constraints.availability",
    { ...availability, maintenance_windows: [{ ...window, frequency: "monthly" }] },
    "constraints.availability.maintenanceWindows.0.frequency",
    "monthly",
  ],
  ["constraints.energy.max_carbon_footprint", "50g CO2/h", "constraints.energy.maxCarbonGramsPerHour", 50],
  ["constraints.energy.renewable_energy_only", true, "constraints.energy.renewableOnly", true],
  ["constraints.energy.energy_efficiency_rating", "B", "constraints.energy.efficiencyRating", "B"],
  ["constraints.energy.power_usage_effectiveness", 1.3, "constraints.energy.maxPue", 1.3],
  ["constraints.energy.green_certified_only", true, "constraints.energy.greenCertifiedOnly", true],
  ["constraints.security.network_isolation", "private", "constraints.security.networkIsolation", "private"],
  ["constraints.security.firewall_rules", [rule], "constraints.security.firewallRules", [rule]],
  ["constraints.security.vpn_access", true, "constraints.security.vpnAccess", true],
  ["constraints.security.bastion_host", true, "constraints.security.bastionHost", true],
  ["constraints.security.intrusion_detection", true, "constraints.security.intrusionDetection", true],
  ["constraints.security.vulnerability_scanning", true, "constraints.security.vulnerabilityScanning", true],
  [
    "constraints.performance.min_network_bandwidth",
    "500Mbps",
    "constraints.performance.minNetworkBandwidthGbps",
    0.5,
  ],
  ["constraints.performance.max_jitter_ms", 5, "constraints.performance.maxJitterMs", 5],
  ["constraints.performance.min_uptime_percent", 99.5, "constraints.performance.minUptimePercent", 99.5],
  ["constraints.performance.max_cold_start_time", "30s", "constraints.performance.maxColdStartSeconds", 30],
  [
    "constraints.performance.gpu_utilization_target",
    0.8,
    "constraints.performance.gpuUtilizationTarget",
    0.8,
  ],
  [
    "constraints.performance.memory_utilization_target",
    0.7,
    "constraints.performance.memoryUtilizationTarget",
    0.7,
  ],
  [
    "constraints.compliance.data_residency",
    ["Germany"],
    "constraints.compliance.dataResidency",
    [{ text: "de", kind: "country" }],
  ],
  [
    "constraints.compliance.certifications",
    ["SOC 2", "iso27001"],
    "constraints.compliance.certifications",
    ["ISO27001", "SOC2"],
  ],
  ["constraints.compliance.encryption_at_rest", true, "constraints.compliance.encryptionAtRest", true],
  ["constraints.compliance.encryption_in_transit", true, "constraints.compliance.encryptionInTransit", true],
  ["constraints.compliance.audit_logging", true, "constraints.compliance.auditLogging", true],
  ["constraints.compliance.gdpr_compliant", true, "constraints.compliance.gdpr", true],
  ["constraints.compliance.hipaa_compliant", true, "constraints.compliance.hipaa", true],
  [
    "constraints.negotiation",
    {},
    "constraints.negotiation",
    { maxRounds: 3, timeoutSeconds: 300, fallbacks: [] },
  ],
  ["constraints.negotiation.max_negotiation_rounds", 1, "constraints.negotiation.maxRounds", 1],
  ["constraints.negotiation.price_flexibility", 0.15, "constraints.negotiation.priceFlexibility", 0.15],
  ["constraints.negotiation.resource_flexibility", 0.1, "constraints.negotiation.resourceFlexibility", 0.1],
  ["constraints.negotiation.timeout_seconds", 60, "constraints.negotiation.timeoutSeconds", 60],
  [
    "constraints.negotiation.fallback_strategy",
    ["lower_tier", "spot"],
    "constraints.negotiation.fallbacks",
    ["lower_tier", "spot"],
  ],
  ["constraints.negotiation.auto_accept_threshold", 0.1, "constraints.negotiation.autoAcceptThreshold", 0.1],
  ["sla.availability", "99.9%", "sla.availabilityPercent", 99.9],
  ["sla.max_interruption_time", "5m", "sla.maxInterruptionSeconds", 300],
  ["sla.backup_strategy", "checkpoint", "sla.backupStrategy", "checkpoint"],
];

function withValue(path: string, value: unknown, type: string): object {
  const intent: Record<string, unknown> = {
    objective: "Cost_Minimization",
    workload: { type, name: "a", image: "a", resources: { gpu: {} } },
  };
  const keys = path.split(".");
  let target = intent;
  for (const key of keys.slice(0, -1)) {
    target[key] ??= {};
    target = target[key] as Record<string, unknown>;
  }
  target[keys.at(-1)!] = value;
  return { intent };
}

const valueAt = (intent: Intent, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], intent);

test.for(meanings)("%s %j is read into %s", ([path, value, into, expected, type]) => {
  expect(valueAt(readIntent(withValue(path, value, type ?? "service")), into)).toEqual(expected);
});

test("absent fields are absent: nothing is required of an offer but a GPU", () => {
  const { constraints, sla, workload } = readIntent(withValue("objective", "Cost_Minimization", "service"));
  expect(workload.resources).toEqual({ gpu: { count: 1, preferredModels: [] } });
  expect(sla).toEqual({});
  expect(constraints).toEqual({
    locations: [],
    providers: [],
    preferredProviders: [],
    energy: {},
    security: { firewallRules: [] },
    performance: {},
    compliance: { dataResidency: [], certifications: [] },
    negotiation: { maxRounds: 3, timeoutSeconds: 300, fallbacks: [] },
  });
});

test("kind follows the type of the workload unless it is stated", () => {
  const kindOf = (type: string): string => readIntent(withValue("objective", "cost", type)).workload.kind;
  expect([kindOf("service"), kindOf("batch")]).toEqual(["inference", "training"]);
});

test("every field of the schema has a case above", () => {
  const text = JSON.stringify(meanings.map(([path, value]) => [path, value]));
  const untested = intentFields()
    .map(({ path }) => path.replace(/^intent\./, ""))
    .filter((path) => !text.includes(`"${path}"`) && !text.includes(`"${path.split(".").at(-1)}":`))
    .filter((path) => !meanings.some(([tested]) => tested.startsWith(`${path}.`)));
  expect(untested).toEqual([]);
});
