import type { Coordinates, WorkloadKind } from "./flavor.ts";
import type { Money } from "./money.ts";

export type Objective = "cost" | "performance" | "latency" | "energy" | "balanced";

/** Weight per criterion, each >= 0, not all zero; normalised by the scorer. */
export interface Weights {
  readonly cost: number;
  readonly performance: number;
  readonly latency: number;
  readonly energy: number;
}

/** The GPU part of one replica or task. Only stated values filter; absent values never do. */
export interface GpuNeed {
  /** Whole GPUs per replica or task, >= 1. */
  readonly count: number;
  /** Catalogue family, canonical; absent is any. */
  readonly model?: string;
  readonly preferredModels: readonly string[];
  readonly memoryMibMin?: number;
  readonly memoryMibMax?: number;
  readonly coresMin?: number;
  readonly coresMax?: number;
  readonly clockMhzMin?: number;
  /** `major * 100 + minor`, a minimum. */
  readonly computeCapabilityMin?: number;
  readonly fp32TflopsMin?: number;
  readonly multiGpuEfficiencyMin?: number;
  readonly architecture?: string;
  readonly tier?: string;
  readonly interconnect?: string;
  readonly topology?: string;
  readonly vendor?: string;
  /** Accepts an offer whose GPUs are shared (default false: no filter, whole GPUs are taken). */
  readonly shared?: boolean;
  /** Requires a dedicated offer when true. */
  readonly dedicated?: boolean;
  /** Requires MIG-capable GPUs when true. */
  readonly multiInstance?: boolean;
  /** Accepts spot offers; OR-ed with `constraints.preemptible`. */
  readonly interruptible?: boolean;
  /** Thousandths of one GPU, 1..1000; only with `shared: true` and `count: 1`. */
  readonly fractionMilli?: number;
  readonly migProfile?: string;
}

export interface Resources {
  /** Per replica or task. */
  readonly cpuMilli?: number;
  readonly memoryMib?: number;
  readonly gpu: GpuNeed;
}

export interface Port {
  readonly port: number;
  readonly protocol: "TCP" | "UDP";
  readonly expose: boolean;
  readonly domain?: string;
}

export interface Volume {
  readonly name: string;
  /** Kubernetes quantity, canonical text. */
  readonly size: string;
  readonly type: "persistent" | "temporary";
  readonly path: string;
  readonly source?: {
    readonly type: "s3" | "gcs" | "azure";
    readonly uri: string;
    readonly credentials: string;
  };
}

export interface Scaling {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly autoScale: boolean;
  readonly targetCpuPercent: number;
  readonly targetGpuPercent: number;
}

export interface Batch {
  readonly parallelTasks: number;
  readonly maxRetries: number;
  /** Kills the task after this long; only when stated. */
  readonly timeoutSeconds?: number;
  readonly completionPolicy: "All" | "Any";
  readonly estimatedRuntimeSeconds?: number;
  /** GPU model on which the estimate holds. */
  readonly estimatedOn?: string;
  readonly checkpointIntervalSeconds?: number;
}

export interface Workload {
  readonly type: "service" | "batch";
  readonly name: string;
  readonly image: string;
  readonly kind: WorkloadKind;
  readonly commands: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly ports: readonly Port[];
  readonly volumes: readonly Volume[];
  readonly secrets: readonly { readonly name: string; readonly env: string }[];
  readonly deploymentStrategy?: "colocated" | "distributed" | "flexible";
  readonly communicationPattern?: "all-reduce" | "pipeline" | "independent";
  readonly scaling?: Scaling;
  readonly batch?: Batch;
  readonly evictable: boolean;
  readonly minRuntimeSeconds: number;
  readonly resources: Resources;
}

export interface Availability {
  /** Minutes after midnight in `timezone`; an end before the start crosses midnight. */
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly timezone: string;
  /** 0 is Monday. */
  readonly daysOfWeek: readonly number[];
  readonly blackoutDates: readonly string[];
  readonly maintenanceWindows: readonly {
    readonly start: string;
    readonly end: string;
    readonly frequency: "weekly" | "monthly";
  }[];
}

export interface FirewallRule {
  readonly port: number;
  readonly protocol: "TCP" | "UDP";
  readonly source: string;
  readonly action: "allow" | "deny";
}

export type FallbackStrategy = "queue" | "lower_tier" | "shared" | "spot" | "reject";

export interface Negotiation {
  readonly maxRounds: number;
  /** Fraction by which a price cap may be exceeded; only when stated, for a default never relaxes a cap. */
  readonly priceFlexibility?: number;
  /** Fraction by which stated minimums of memory, cores, CPU and TFLOPS may be missed; only when stated. */
  readonly resourceFlexibility?: number;
  readonly timeoutSeconds: number;
  /** Share of the cheapest agreement within which an earlier round is accepted; absent: the first that places. */
  readonly autoAcceptThreshold?: number;
  /** In the order in which they are tried; empty when the user stated none. */
  readonly fallbacks: readonly FallbackStrategy[];
}

/** A place in an intent, resolved against the region catalogue by the reader. */
export interface Place {
  /** As the user wrote it, lower case. */
  readonly text: string;
  readonly kind: "area" | "country" | "region" | "zone";
}

export interface Constraints {
  /** For the whole workload at its minimum replicas, billed price. */
  readonly maxHourlyCost?: Money;
  readonly maxTotalCost?: Money;
  /** Any of these; empty is anywhere. */
  readonly locations: readonly Place[];
  readonly availabilityZone?: string;
  readonly maxLatencyMs?: number;
  /** RFC 3339 UTC; finish-by for batch, start-by for services. */
  readonly deadline?: string;
  /** Accepts spot offers. */
  readonly preemptible?: boolean;
  /** Allow-list, lower case; empty is any. */
  readonly providers: readonly string[];
  readonly preferredProviders: readonly string[];
  readonly spread?: { readonly by: "region" | "zone" | "provider"; readonly minDomains: number };
  /** Where latency is felt; absent is the snapshot's hub. */
  readonly origin?: { readonly region?: string; readonly coordinates: Coordinates };
  readonly availability?: Availability;
  readonly energy: {
    /** g CO2 per hour, whole workload. */
    readonly maxCarbonGramsPerHour?: number;
    readonly renewableOnly?: boolean;
    readonly efficiencyRating?: "A" | "B" | "C" | "D" | "E" | "F";
    readonly maxPue?: number;
    readonly greenCertifiedOnly?: boolean;
  };
  readonly security: {
    readonly networkIsolation?: "public" | "private";
    readonly firewallRules: readonly FirewallRule[];
    readonly vpnAccess?: boolean;
    readonly bastionHost?: boolean;
    readonly intrusionDetection?: boolean;
    readonly vulnerabilityScanning?: boolean;
  };
  readonly performance: {
    readonly minNetworkBandwidthGbps?: number;
    readonly maxJitterMs?: number;
    readonly minUptimePercent?: number;
    readonly maxColdStartSeconds?: number;
    readonly gpuUtilizationTarget?: number;
    readonly memoryUtilizationTarget?: number;
  };
  readonly compliance: {
    readonly dataResidency: readonly Place[];
    readonly certifications: readonly string[];
    readonly encryptionAtRest?: boolean;
    readonly encryptionInTransit?: boolean;
    readonly auditLogging?: boolean;
    readonly gdpr?: boolean;
    readonly hipaa?: boolean;
  };
  readonly negotiation: Negotiation;
}

export interface Sla {
  readonly availabilityPercent?: number;
  readonly maxInterruptionSeconds?: number;
  readonly backupStrategy?: "none" | "checkpoint" | "snapshot" | "replica";
}

/** A note on an input that was accepted: an alias used, a field kept but not yet effective, an assumption. */
export interface Warning {
  readonly path: string;
  readonly code: "alias" | "not_effective" | "unknown_field" | "assumption" | "suspicious" | "skipped";
  readonly message: string;
}

/**
 * What a user wants, canonical: every spelling resolved, every unit converted, only stated values present.
 * Made by `readIntent`; never changed afterwards.
 */
export interface Intent {
  /** Unique in a batch; from `workload.name`. */
  readonly name: string;
  readonly tenant: string;
  /** 0..1000, higher first. */
  readonly priority: number;
  readonly objective: Objective;
  /** Replace the objective's weights when present. */
  readonly weights?: Weights;
  readonly bidPerGpuHour?: Money;
  readonly workload: Workload;
  readonly constraints: Constraints;
  readonly sla: Sla;
  readonly warnings: readonly Warning[];
  /** RFC 3339 UTC of acceptance, where a service recorded it: age breaks ties of equal rank. */
  readonly submittedAt?: string;
}

/** Replicas of a service or concurrent tasks of a batch that must run at once. */
export function replicasOf(intent: Intent): number {
  const { workload } = intent;
  return workload.type === "batch"
    ? (workload.batch?.parallelTasks ?? 1)
    : (workload.scaling?.minReplicas ?? 1);
}

/** Spot offers are eligible when either spelling allows them (C-10). */
export function allowsSpot(intent: Intent): boolean {
  return intent.constraints.preemptible === true || intent.workload.resources.gpu.interruptible === true;
}
