import { annotations } from "./annotation-table.ts";

/** The annotation that states what a constraint asks for, where a provider can state it. */
const byConstraint: Readonly<Record<string, string>> = {
  "gpu.memory_min": "gpu.fluidos.eu/memory-per-gpu",
  "gpu.memory_max": "gpu.fluidos.eu/memory-per-gpu",
  "gpu.cores_min": "gpu.fluidos.eu/cores",
  "gpu.cores_max": "gpu.fluidos.eu/cores",
  "gpu.clock_speed_min": "gpu.fluidos.eu/clock-speed",
  "gpu.compute_capability": "gpu.fluidos.eu/compute-capability",
  "gpu.fp32_tflops": "gpu.fluidos.eu/fp32-tflops",
  "gpu.multi_gpu_efficiency": "gpu.fluidos.eu/multi-gpu-efficiency",
  "gpu.tier": "gpu.fluidos.eu/tier",
  "gpu.architecture": "gpu.fluidos.eu/architecture",
  "gpu.interconnect": "gpu.fluidos.eu/interconnect",
  "gpu.topology": "gpu.fluidos.eu/topology",
  "gpu.vendor": "gpu.fluidos.eu/vendor",
  "gpu.dedicated": "gpu.fluidos.eu/dedicated",
  "gpu.multi_instance": "nvidia.fluidos.eu/mig-capable",
  "gpu.shared": "gpu.fluidos.eu/sharing-capable",
  location: "location.fluidos.eu/country",
  availability_zone: "location.fluidos.eu/zone",
  max_latency_ms: "network.fluidos.eu/latency-ms",
  "energy.max_carbon_footprint": "energy.fluidos.eu/carbon-intensity-g-kwh",
  "energy.renewable_energy_only": "energy.fluidos.eu/renewable-percent",
  "energy.energy_efficiency_rating": "energy.fluidos.eu/efficiency-rating",
  "energy.power_usage_effectiveness": "energy.fluidos.eu/pue",
  "energy.green_certified_only": "energy.fluidos.eu/green-certified",
  "security.network_isolation": "security.fluidos.eu/network-isolation",
  "security.vpn_access": "security.fluidos.eu/vpn",
  "security.bastion_host": "security.fluidos.eu/bastion",
  "security.intrusion_detection": "security.fluidos.eu/ids",
  "security.vulnerability_scanning": "security.fluidos.eu/vulnerability-scanning",
  "performance.min_network_bandwidth": "network.fluidos.eu/bandwidth-gbps",
  "performance.max_jitter_ms": "performance.fluidos.eu/jitter-ms",
  "performance.min_uptime_percent": "performance.fluidos.eu/uptime-percent",
  "performance.max_cold_start_time": "performance.fluidos.eu/cold-start-s",
  "compliance.data_residency": "compliance.fluidos.eu/residency",
  "compliance.certifications": "compliance.fluidos.eu/certifications",
  "compliance.encryption_at_rest": "compliance.fluidos.eu/encryption-at-rest",
  "compliance.encryption_in_transit": "compliance.fluidos.eu/encryption-in-transit",
  "compliance.audit_logging": "compliance.fluidos.eu/audit-logging",
  "compliance.gdpr_compliant": "compliance.fluidos.eu/gdpr",
  "compliance.hipaa_compliant": "compliance.fluidos.eu/hipaa",
};

const keys: ReadonlySet<string> = new Set(annotations.map(({ key }) => key));

/** The annotation by which a provider states what a constraint asks for, or null when no annotation does. */
export function annotationFor(constraint: string): string | null {
  const key = Object.hasOwn(byConstraint, constraint) ? byConstraint[constraint] : undefined;
  return key !== undefined && keys.has(key) ? key : null;
}
