import type { Flavor } from "../model/flavor.ts";
import { allowsSpot, type Intent, type Place, replicasOf } from "../model/intent.ts";
import { convert } from "../model/money.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { parseTime } from "../model/time.ts";
import { asksPart, billedMilli } from "./check-devices.ts";
import { mayRunAt } from "./window.ts";

/**
 * A second, independent reading of the hard constraints: straight from an intent and a flavor, without columns,
 * predicates or the kernel. The checker uses it to verify every placement before it leaves `plan`, so it must share no
 * code with `compile` or the assigners. Time and location arithmetic that needs tables (latency, speed) is passed in.
 */
export interface Facts {
  readonly latencyMs: number;
  readonly carbonGramsPerGpuHour: number;
}

type Check = readonly [name: string, fails: boolean];

const below = (value: number | undefined, min: number | undefined): boolean =>
  min !== undefined && !(value !== undefined && value >= min);
const above = (value: number | undefined, max: number | undefined): boolean =>
  max !== undefined && !(value !== undefined && value <= max);
const differs = (value: string | undefined, wanted: string | undefined): boolean =>
  wanted !== undefined && value !== wanted;
const missing = (value: boolean | undefined, required: boolean | undefined): boolean =>
  required === true && value !== true;

function inPlace(flavor: Flavor, place: Place): boolean {
  if (place.kind === "area") return flavor.areas.includes(place.text);
  if (place.kind === "country") return (flavor.country ?? "").toLowerCase() === place.text;
  return place.kind === "region" ? flavor.region === place.text : flavor.zone === place.text;
}

function gpuChecks(flavor: Flavor, intent: Intent, spot: boolean, hostedHere: number): Check[] {
  const { gpu } = flavor;
  const need = intent.workload.resources.gpu;
  const link =
    need.interconnect === "nvlink" && gpu.interconnect === "nvswitch" ? "nvlink" : gpu.interconnect;
  return [
    // parts of devices are recounted device by device, over the whole plan
    ["gpu.count", !asksPart(need) && flavor.capacity.gpusFree < need.count * hostedHere],
    ["gpu.model", need.model !== undefined && gpu.model !== need.model && !gpu.families.includes(need.model)],
    ["gpu.memory_min", below(gpu.memoryMib, need.memoryMibMin)],
    ["gpu.memory_max", above(gpu.memoryMib, need.memoryMibMax)],
    ["gpu.cores_min", below(gpu.cores, need.coresMin)],
    ["gpu.cores_max", above(gpu.cores, need.coresMax)],
    ["gpu.clock_speed_min", below(gpu.clockMhz, need.clockMhzMin)],
    ["gpu.compute_capability", below(gpu.computeCapability, need.computeCapabilityMin)],
    ["gpu.fp32_tflops", below(gpu.fp32Tflops, need.fp32TflopsMin)],
    ["gpu.multi_gpu_efficiency", below(gpu.multiGpuEfficiency, need.multiGpuEfficiencyMin)],
    ["gpu.tier", differs(gpu.tier, need.tier)],
    ["gpu.architecture", differs(gpu.architecture, need.architecture)],
    ["gpu.interconnect", differs(link, need.interconnect) && gpu.interconnect !== need.interconnect],
    ["gpu.topology", differs(gpu.topology, need.topology)],
    ["gpu.vendor", differs(gpu.vendor, need.vendor)],
    ["gpu.dedicated", missing(gpu.dedicated, need.dedicated)],
    [
      "gpu.multi_instance",
      missing(gpu.migCapable, need.multiInstance === true || need.migProfile !== undefined),
    ],
    ["gpu.shared", missing(gpu.sharing, need.fractionMilli !== undefined)],
    ["preemptible", spot && !allowsSpot(intent)],
  ];
}

function policyChecks(flavor: Flavor, intent: Intent, facts: Facts, together: number): Check[] {
  const { energy, security, performance, compliance } = intent.constraints;
  const grams = facts.carbonGramsPerGpuHour * intent.workload.resources.gpu.count * together;
  const certified = (flavor.compliance.certifications ?? []).map((name) => name.toLowerCase());
  const rank = (rating: string | undefined): number | undefined =>
    rating === undefined ? undefined : rating.charCodeAt(0);
  const { uptimePercent } = flavor.performance;
  return [
    ["sla.availability", uptimePercent !== undefined && below(uptimePercent, intent.sla.availabilityPercent)],
    ["energy.max_carbon_footprint", above(grams, energy.maxCarbonGramsPerHour)],
    [
      "energy.renewable_energy_only",
      energy.renewableOnly === true && !(flavor.energy.renewablePercent === 100),
    ],
    [
      "energy.energy_efficiency_rating",
      above(rank(flavor.energy.efficiencyRating), rank(energy.efficiencyRating)),
    ],
    ["energy.power_usage_effectiveness", above(flavor.energy.pue, energy.maxPue)],
    ["energy.green_certified_only", missing(flavor.energy.greenCertified, energy.greenCertifiedOnly)],
    [
      "security.network_isolation",
      missing(flavor.security.networkIsolation, security.networkIsolation === "private"),
    ],
    ["security.vpn_access", missing(flavor.security.vpn, security.vpnAccess)],
    ["security.bastion_host", missing(flavor.security.bastion, security.bastionHost)],
    [
      "security.intrusion_detection",
      missing(flavor.security.intrusionDetection, security.intrusionDetection),
    ],
    [
      "security.vulnerability_scanning",
      missing(flavor.security.vulnerabilityScanning, security.vulnerabilityScanning),
    ],
    [
      "performance.min_network_bandwidth",
      below(flavor.network.bandwidthGbps, performance.minNetworkBandwidthGbps),
    ],
    ["performance.max_jitter_ms", above(flavor.performance.jitterMs, performance.maxJitterMs)],
    ["performance.min_uptime_percent", below(flavor.performance.uptimePercent, performance.minUptimePercent)],
    [
      "performance.max_cold_start_time",
      above(flavor.performance.coldStartSeconds, performance.maxColdStartSeconds),
    ],
    [
      "compliance.data_residency",
      compliance.dataResidency.length > 0 &&
        !compliance.dataResidency.some(({ text }) =>
          (flavor.compliance.residency ?? []).some((stated) => stated.toLowerCase() === text),
        ),
    ],
    [
      "compliance.certifications",
      compliance.certifications.some((name) => !certified.includes(name.toLowerCase())),
    ],
    [
      "compliance.encryption_at_rest",
      missing(flavor.compliance.encryptionAtRest, compliance.encryptionAtRest),
    ],
    [
      "compliance.encryption_in_transit",
      missing(flavor.compliance.encryptionInTransit, compliance.encryptionInTransit),
    ],
    ["compliance.audit_logging", missing(flavor.compliance.auditLogging, compliance.auditLogging)],
    ["compliance.gdpr_compliant", missing(flavor.compliance.gdpr, compliance.gdpr)],
    ["compliance.hipaa_compliant", missing(flavor.compliance.hipaa, compliance.hipaa)],
  ];
}

function isDown(flavor: Flavor, snapshot: Snapshot): boolean {
  const now = parseTime(snapshot.at);
  return [...snapshot.outages, ...snapshot.maintenance].some(
    (outage) =>
      (outage.offer ?? flavor.id) === flavor.id &&
      (outage.provider ?? flavor.provider) === flavor.provider &&
      (outage.region === undefined || outage.region === flavor.region) &&
      parseTime(outage.start) <= now &&
      (outage.end === undefined || now < parseTime(outage.end)),
  );
}

/**
 * Names of the per-offer constraints that the option fails, in no particular order; empty when it is eligible.
 * Prices in time (`max_total_cost`, `deadline`, the end of an availability window) are not judged here, because they
 * need speeds.
 *
 * @param hostedHere replicas that this one offer must host and that its price alone must leave within the cap
 * @param together replicas that run at the same time, all burning what this option burns
 */
export function failedConstraints(
  snapshot: Snapshot,
  intent: Intent,
  flavor: Flavor,
  spot: boolean,
  facts: Facts,
  { hostedHere, together }: { readonly hostedHere: number; readonly together: number },
): string[] {
  const { constraints, workload } = intent;
  const { count } = workload.resources.gpu;
  const money = spot ? flavor.price.spot : flavor.price.onDemand;
  const price = money === undefined ? null : convert(money, snapshot.currency, snapshot.rates);
  const cap = constraints.maxHourlyCost;
  const capMicro = cap === undefined ? null : convert(cap, snapshot.currency, snapshot.rates);
  const { gpus } = flavor.capacity;
  const billed =
    price === null
      ? null
      : flavor.divisible
        ? Math.ceil(
            ((flavor.price.basis === "gpu" ? price : Math.ceil(price / gpus)) *
              billedMilli(workload.resources.gpu, flavor)) /
              1000,
          ) * hostedHere
        : price *
          (flavor.price.basis === "gpu" ? gpus : 1) *
          Math.ceil(hostedHere / Math.max(1, Math.floor(gpus / count)));
  const { capacity } = flavor;
  const { cpuMilli, memoryMib } = workload.resources;
  const checks: Check[] = [
    ["offer.available", isDown(flavor, snapshot)],
    [
      "availability",
      constraints.availability !== undefined && !mayRunAt(constraints.availability, snapshot.at),
    ],
    ["offer.currency", price === null],
    ["max_hourly_cost", capMicro !== null && billed !== null && billed > capMicro],
    [
      "location",
      constraints.locations.length > 0 && !constraints.locations.some((place) => inPlace(flavor, place)),
    ],
    ["availability_zone", differs(flavor.zone, constraints.availabilityZone)],
    ["providers", constraints.providers.length > 0 && !constraints.providers.includes(flavor.provider)],
    [
      "max_latency_ms",
      above(Number.isNaN(facts.latencyMs) ? undefined : facts.latencyMs, constraints.maxLatencyMs),
    ],
    [
      "cpu",
      cpuMilli !== undefined && below(capacity.cpuMilliFree ?? capacity.cpuMilli, cpuMilli * hostedHere),
    ],
    [
      "memory",
      memoryMib !== undefined && below(capacity.memoryMibFree ?? capacity.memoryMib, memoryMib * hostedHere),
    ],
    ["offer.pods", above(hostedHere, capacity.podsFree ?? capacity.pods)],
    ...gpuChecks(flavor, intent, spot, hostedHere),
    ...policyChecks(flavor, intent, facts, together),
  ];
  return checks.filter(([, fails]) => fails).map(([name]) => name);
}

/** Replicas that one offer hosts and that run together, read off the intent. */
export function hosting(intent: Intent): { readonly hostedHere: number; readonly together: number } {
  const { workload } = intent;
  const replicas = replicasOf(intent);
  const gang = workload.communicationPattern === "all-reduce" || workload.communicationPattern === "pipeline";
  const colocated = workload.deploymentStrategy === "colocated";
  const spread = intent.constraints.spread !== undefined;
  return {
    hostedHere: colocated ? replicas : 1,
    together: workload.type === "batch" && !gang && !colocated && !spread ? 1 : replicas,
  };
}
