import type { Money } from "./money.ts";

/** Hardware kinds of work with their own speed figures. */
export type WorkloadKind = "training" | "inference" | "hpc" | "graphics";

/** A point on the Earth, degrees. */
export interface Coordinates {
  readonly latitude: number;
  readonly longitude: number;
}

/**
 * What one GPU of the offer is. Absent means the offer does not state it: a stated hard constraint on it then
 * fails as "unknown". All figures are per GPU.
 */
export interface GpuTraits {
  readonly vendor?: string;
  /** Canonical catalogue name, vendor-prefixed, lower case: `nvidia-h100`. */
  readonly model: string;
  /** Catalogue families the model belongs to, itself included: `["nvidia-h100-sxm", "nvidia-h100"]`. */
  readonly families: readonly string[];
  readonly memoryMib?: number;
  readonly tier?: string;
  readonly architecture?: string;
  readonly interconnect?: string;
  /** GB/s */
  readonly interconnectBandwidth?: number;
  readonly topology?: string;
  /** 0..1 */
  readonly multiGpuEfficiency?: number;
  readonly cores?: number;
  readonly clockMhz?: number;
  /** `major * 100 + minor`, comparable within one vendor: 8.9 is 809. */
  readonly computeCapability?: number;
  readonly fp32Tflops?: number;
  /** Dense half precision, from the catalogue; feeds speed, never a filter. */
  readonly fp16Tflops?: number;
  /** GB/s, from the catalogue; feeds speed, never a filter. */
  readonly memoryBandwidth?: number;
  /** W, from the catalogue or the offer; feeds energy. */
  readonly powerWatts?: number;
  /** The offer lets several workloads share one GPU. */
  readonly sharing?: boolean;
  readonly sharingStrategy?: "none" | "mig" | "mps" | "time-slicing" | "sriov";
  readonly migCapable?: boolean;
  readonly dedicated?: boolean;
}

/** One physical GPU of an offer; present only where the source lists devices. */
export interface Device {
  readonly index: number;
  /** Free thousandths of the device, 0..1000. */
  readonly freeMilli: number;
  /** MIG profiles in use, e.g. `["1g.10gb"]`; geometry is checked by the packing stage. */
  readonly migInUse?: readonly string[];
}

/** Totals and what is free of them now. Free never exceeds the total. */
export interface Capacity {
  readonly gpus: number;
  readonly gpusFree: number;
  readonly cpuMilli?: number;
  readonly cpuMilliFree?: number;
  readonly memoryMib?: number;
  readonly memoryMibFree?: number;
  readonly pods?: number;
  readonly podsFree?: number;
  readonly devices?: readonly Device[];
}

/**
 * Prices per hour. `basis: "node"` means that the amount buys the whole offer, `"gpu"` that it buys one GPU.
 * At least one of `onDemand` and `spot` is present.
 */
export interface Price {
  readonly basis: "node" | "gpu";
  readonly onDemand?: Money;
  readonly spot?: Money;
  /** Expected interruptions per hour of the spot price; absent: the provider's prior. */
  readonly interruptionRate?: number;
}

/** Energy facts of an offer; `gpu.powerWatts` is the power. */
export interface EnergyTraits {
  /** gCO2 per kWh */
  readonly carbonIntensity?: number;
  readonly renewablePercent?: number;
  readonly pue?: number;
  readonly efficiencyRating?: "A" | "B" | "C" | "D" | "E" | "F";
  readonly greenCertified?: boolean;
}

export interface NetworkTraits {
  readonly bandwidthGbps?: number;
  /** Measured from the hub, milliseconds. */
  readonly latencyMs?: number;
  readonly tier?: string;
}

export interface ComplianceTraits {
  readonly certifications?: readonly string[];
  /** Areas or countries in which data stays. */
  readonly residency?: readonly string[];
  readonly encryptionAtRest?: boolean;
  readonly encryptionInTransit?: boolean;
  readonly auditLogging?: boolean;
  readonly gdpr?: boolean;
  readonly hipaa?: boolean;
}

export interface SecurityTraits {
  readonly networkIsolation?: boolean;
  readonly vpn?: boolean;
  readonly bastion?: boolean;
  readonly intrusionDetection?: boolean;
  readonly vulnerabilityScanning?: boolean;
}

export interface PerformanceTraits {
  readonly jitterMs?: number;
  readonly uptimePercent?: number;
  readonly coldStartSeconds?: number;
}

/**
 * What one provider sells in one place at one price (FLUIDOS `Flavor`; for a cluster node, that node).
 * Made by adapters, never changed afterwards.
 */
export interface Flavor {
  /** Unique in a snapshot; for Kubernetes nodes the node's name. */
  readonly id: string;
  /** Lower case. */
  readonly provider: string;
  readonly region?: string;
  readonly zone?: string;
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country?: string;
  /** Areas the place belongs to, lower case: `["eu", "europe"]`. */
  readonly areas: readonly string[];
  readonly coordinates?: Coordinates;
  readonly gpu: GpuTraits;
  readonly capacity: Capacity;
  readonly price: Price;
  /** True: any number of its GPUs can be bought; false: it is sold, occupied and charged whole. */
  readonly divisible: boolean;
  readonly energy: EnergyTraits;
  readonly network: NetworkTraits;
  readonly compliance: ComplianceTraits;
  readonly security: SecurityTraits;
  readonly performance: PerformanceTraits;
  /** Suitability 0..1 per kind of work, where the provider states it. */
  readonly scores: Readonly<Partial<Record<WorkloadKind, number>>>;
  /** What only the way back needs (FLUIDOS names, cluster ids, label selectors); never decides. */
  readonly origin?: FlavorOrigin;
}

/** Where an offer was read from, kept so that the forge can address it. */
export interface FlavorOrigin {
  readonly source: "fixture" | "node" | "fluidos" | "catalog";
  /** FLUIDOS domain, node id and `host:port` of the seller. */
  readonly owner?: { readonly domain: string; readonly nodeId: string; readonly ip: string };
  readonly flavorName?: string;
  readonly peeringCandidate?: { readonly name: string; readonly namespace: string };
  readonly liqoClusterId?: string;
  readonly gpuResource?: string;
  readonly gpuProductLabel?: { readonly key: string; readonly value: string };
}

/** True when the offer's GPUs count towards a class: its model, a catalogue family of it, or `*` for any. */
export function isOfClass({ gpu }: Flavor, gpuClass: string): boolean {
  return gpuClass === "*" || gpu.model === gpuClass || gpu.families.includes(gpuClass);
}
