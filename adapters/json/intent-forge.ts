import type {
  Availability,
  Constraints,
  GpuNeed,
  Intent,
  Objective,
  Place,
  Workload,
} from "../../engine/model/intent.ts";
import {
  formatDuration,
  formatMebibytes,
  formatMegahertz,
  formatMilli,
  formatMoney,
} from "../kubernetes/quantity.ts";
import type { Json, JsonObject } from "./decision.ts";
import { formatCapability } from "./leaf.ts";

/** The JSON name of each objective. */
const objectiveTexts: Readonly<Record<Objective, string>> = {
  cost: "Cost_Minimization",
  performance: "Performance_Maximization",
  latency: "Latency_Minimization",
  energy: "Energy_Efficiency",
  balanced: "Balanced_Optimization",
};

/** The object without its undefined members; undefined when nothing is left. */
function block(members: Readonly<Record<string, Json | undefined>>): JsonObject | undefined {
  const known = Object.entries(members).filter((entry): entry is [string, Json] => entry[1] !== undefined);
  return known.length === 0 ? undefined : Object.fromEntries(known);
}

const when = <T>(value: T | undefined, write: (value: T) => Json): Json | undefined =>
  value === undefined ? undefined : write(value);
const some = (list: readonly Json[]): Json | undefined => (list.length === 0 ? undefined : list);
const seconds = (value: number | undefined): Json | undefined => when(value, formatDuration);
const places = (list: readonly Place[]): Json | undefined => some(list.map((place) => place.text));

function forgeGpu(gpu: GpuNeed): JsonObject | undefined {
  return block({
    count: gpu.count,
    model: gpu.model,
    preferred_models: some(gpu.preferredModels),
    memory_min: when(gpu.memoryMibMin, formatMebibytes),
    memory_max: when(gpu.memoryMibMax, formatMebibytes),
    cores_min: gpu.coresMin,
    cores_max: gpu.coresMax,
    clock_speed_min: when(gpu.clockMhzMin, formatMegahertz),
    compute_capability: when(gpu.computeCapabilityMin, formatCapability),
    fp32_tflops: gpu.fp32TflopsMin,
    multi_gpu_efficiency: gpu.multiGpuEfficiencyMin,
    architecture: gpu.architecture,
    tier: gpu.tier,
    interconnect: gpu.interconnect,
    topology: gpu.topology,
    vendor: gpu.vendor,
    shared: gpu.shared,
    dedicated: gpu.dedicated,
    multi_instance: gpu.multiInstance,
    interruptible: gpu.interruptible,
    fraction: when(gpu.fractionMilli, (milli) => milli / 1000),
    mig_profile: gpu.migProfile,
  });
}

function forgeWorkload(workload: Workload): JsonObject {
  const { batch, scaling, resources } = workload;
  return {
    type: workload.type,
    name: workload.name,
    image: workload.image,
    kind: workload.kind,
    ...block({
      commands: some(workload.commands),
      env: some(workload.env.map(({ name, value }) => `${name}=${value}`)),
      ports: some(workload.ports.map((port) => ({ ...port }))),
      storage: when(workload.volumes.length === 0 ? undefined : workload.volumes, (volumes) => ({
        volumes: volumes.map(({ source, ...volume }) => ({
          ...volume,
          ...(source === undefined ? {} : { source: { ...source } }),
        })),
      })),
      secrets: some(workload.secrets.map((secret) => ({ ...secret }))),
      deployment_strategy: workload.deploymentStrategy,
      communication_pattern: workload.communicationPattern,
      scaling: when(scaling, (value) => ({
        min_replicas: value.minReplicas,
        max_replicas: value.maxReplicas,
        auto_scale: value.autoScale,
        target_cpu_percent: value.targetCpuPercent,
        target_gpu_percent: value.targetGpuPercent,
      })),
      batch: when(batch, (value) => ({
        parallel_tasks: value.parallelTasks,
        max_retries: value.maxRetries,
        completion_policy: value.completionPolicy,
        ...block({
          timeout: seconds(value.timeoutSeconds),
          estimated_runtime: seconds(value.estimatedRuntimeSeconds),
          estimated_on: value.estimatedOn,
          checkpoint_interval: seconds(value.checkpointIntervalSeconds),
        }),
      })),
    }),
    evictable: workload.evictable,
    min_runtime: formatDuration(workload.minRuntimeSeconds),
    resources:
      block({
        cpu: when(resources.cpuMilli, formatMilli),
        memory: when(resources.memoryMib, formatMebibytes),
        gpu: forgeGpu(resources.gpu),
      }) ?? {},
  };
}

const dayNames = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const timeOfDay = (minutes: number): string =>
  `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

const forgeAvailability = (value: Availability): JsonObject => ({
  window_start: timeOfDay(value.windowStart),
  window_end: timeOfDay(value.windowEnd),
  timezone: value.timezone,
  days_of_week: value.daysOfWeek.map((day) => dayNames[day] ?? "Mon"),
  ...block({
    blackout_dates: some(value.blackoutDates),
    maintenance_windows: some(value.maintenanceWindows.map((window) => ({ ...window }))),
  }),
});

function forgeConstraints(constraints: Constraints): JsonObject {
  const { energy, security, performance, compliance, negotiation, locations, origin, spread } = constraints;
  return {
    ...block({
      max_hourly_cost: when(constraints.maxHourlyCost, formatMoney),
      max_total_cost: when(constraints.maxTotalCost, formatMoney),
      location: locations.length === 1 ? locations[0]?.text : undefined,
      locations: locations.length > 1 ? places(locations) : undefined,
      availability_zone: constraints.availabilityZone,
      max_latency_ms: constraints.maxLatencyMs,
      deadline: constraints.deadline,
      preemptible: constraints.preemptible,
      providers: some(constraints.providers),
      preferred_providers: some(constraints.preferredProviders),
      spread: when(spread, (value) => ({ by: value.by, min_domains: value.minDomains })),
      origin: when(origin, (value) => value.region ?? { ...value.coordinates }),
      availability: when(constraints.availability, forgeAvailability),
      energy: block({
        max_carbon_footprint: when(energy.maxCarbonGramsPerHour, (grams) => `${grams}g CO2/h`),
        renewable_energy_only: energy.renewableOnly,
        energy_efficiency_rating: energy.efficiencyRating,
        power_usage_effectiveness: energy.maxPue,
        green_certified_only: energy.greenCertifiedOnly,
      }),
      security: block({
        network_isolation: security.networkIsolation,
        firewall_rules: some(security.firewallRules.map((rule) => ({ ...rule }))),
        vpn_access: security.vpnAccess,
        bastion_host: security.bastionHost,
        intrusion_detection: security.intrusionDetection,
        vulnerability_scanning: security.vulnerabilityScanning,
      }),
      performance: block({
        min_network_bandwidth: when(performance.minNetworkBandwidthGbps, (gbps) => `${gbps}Gbps`),
        max_jitter_ms: performance.maxJitterMs,
        min_uptime_percent: performance.minUptimePercent,
        max_cold_start_time: seconds(performance.maxColdStartSeconds),
        gpu_utilization_target: performance.gpuUtilizationTarget,
        memory_utilization_target: performance.memoryUtilizationTarget,
      }),
      compliance: block({
        data_residency: places(compliance.dataResidency),
        certifications: some(compliance.certifications),
        encryption_at_rest: compliance.encryptionAtRest,
        encryption_in_transit: compliance.encryptionInTransit,
        audit_logging: compliance.auditLogging,
        gdpr_compliant: compliance.gdpr,
        hipaa_compliant: compliance.hipaa,
      }),
    }),
    negotiation: {
      max_negotiation_rounds: negotiation.maxRounds,
      timeout_seconds: negotiation.timeoutSeconds,
      ...block({
        price_flexibility: negotiation.priceFlexibility,
        resource_flexibility: negotiation.resourceFlexibility,
        fallback_strategy: some(negotiation.fallbacks),
        auto_accept_threshold: negotiation.autoAcceptThreshold,
      }),
    },
  };
}

/**
 * The canonical JSON document of an intent, defaults written out. Reading it gives the same intent, but for the
 * warnings about spellings and defaults.
 */
export function forgeIntent(intent: Intent): JsonObject {
  return {
    intent: {
      objective: objectiveTexts[intent.objective],
      tenant: intent.tenant,
      priority: intent.priority,
      ...block({
        bid: when(intent.bidPerGpuHour, (bid) => ({ max_price_per_gpu_hour: formatMoney(bid) })),
        weights: when(intent.weights, (weights) => ({ ...weights })),
      }),
      workload: forgeWorkload(intent.workload),
      constraints: forgeConstraints(intent.constraints),
      ...block({
        sla: block({
          availability: when(intent.sla.availabilityPercent, (percent) => `${percent}%`),
          max_interruption_time: seconds(intent.sla.maxInterruptionSeconds),
          backup_strategy: intent.sla.backupStrategy,
        }),
        submitted_at: intent.submittedAt,
      }),
    },
  };
}
