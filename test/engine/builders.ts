import type { Flavor } from "../../engine/model/flavor.ts";
import type { Constraints, GpuNeed, Intent, Workload } from "../../engine/model/intent.ts";
import type { Money } from "../../engine/model/money.ts";
import type { Holding, Snapshot } from "../../engine/model/snapshot.ts";

/** Whole and tenth EUR as money. */
export const eur = (amount: number): Money => ({ micro: Math.round(amount * 1e6), currency: "EUR" });

type Deep<T> = {
  readonly [K in keyof T]?: T[K] extends readonly unknown[] ? T[K] : T[K] extends object ? Deep<T[K]> : T[K];
};

/** A flavor of a mid-range GPU in Frankfurt with everything stated; `changes` replace single members. */
export function flavor(id: string, changes: Deep<Flavor> = {}): Flavor {
  const base: Flavor = {
    id,
    provider: "alpha",
    region: "eu-central-1",
    zone: "eu-central-1a",
    country: "DE",
    areas: ["eu", "europe"],
    coordinates: { latitude: 50.11, longitude: 8.68 },
    gpu: {
      vendor: "nvidia",
      model: "nvidia-a100",
      families: ["nvidia-a100"],
      memoryMib: 40 * 1024,
      tier: "premium",
      architecture: "ampere",
      interconnect: "nvlink",
      multiGpuEfficiency: 0.9,
      cores: 6912,
      fp32Tflops: 19.5,
      fp16Tflops: 312,
      memoryBandwidth: 1555,
      powerWatts: 400,
    },
    capacity: { gpus: 4, gpusFree: 4, cpuMilli: 64_000, memoryMib: 256 * 1024 },
    price: { basis: "gpu", onDemand: eur(1) },
    divisible: true,
    energy: { carbonIntensity: 300, pue: 1.2 },
    network: { latencyMs: 10 },
    compliance: {},
    security: {},
    performance: {},
    scores: {},
  };
  return {
    ...base,
    ...changes,
    gpu: { ...base.gpu, ...changes.gpu },
    capacity: { ...base.capacity, ...changes.capacity },
    energy: { ...base.energy, ...changes.energy },
    network: { ...base.network, ...changes.network },
    price: (changes.price ?? base.price) as Flavor["price"],
  } as Flavor;
}

export interface IntentChanges {
  readonly name?: string;
  readonly objective?: Intent["objective"];
  readonly priority?: number;
  readonly weights?: Intent["weights"];
  readonly gpu?: Partial<GpuNeed>;
  readonly workload?: Partial<Workload>;
  readonly constraints?: Partial<Constraints>;
}

/** A service of one replica with one GPU, cost first, nothing constrained. */
export function intent(changes: IntentChanges = {}): Intent {
  return {
    name: changes.name ?? "job",
    tenant: "default",
    priority: changes.priority ?? 500,
    objective: changes.objective ?? "cost",
    ...(changes.weights === undefined ? {} : { weights: changes.weights }),
    workload: {
      type: "service",
      name: changes.name ?? "job",
      image: "example/image:1",
      kind: "inference",
      commands: [],
      env: [],
      ports: [],
      volumes: [],
      secrets: [],
      evictable: true,
      minRuntimeSeconds: 0,
      ...changes.workload,
      resources: {
        ...changes.workload?.resources,
        gpu: { count: 1, preferredModels: [], ...changes.workload?.resources?.gpu, ...changes.gpu },
      },
    },
    constraints: {
      locations: [],
      providers: [],
      preferredProviders: [],
      energy: {},
      security: { firewallRules: [] },
      performance: {},
      compliance: { dataResidency: [], certifications: [] },
      negotiation: { maxRounds: 3, timeoutSeconds: 300, fallbacks: [] },
      ...changes.constraints,
    },
    sla: {},
    warnings: [],
  };
}

/** A snapshot at a fixed time in EUR; offers are sorted by id as readers do. */
export function snapshot(offers: readonly Flavor[], changes: Partial<Snapshot> = {}): Snapshot {
  return {
    version: "test",
    at: "2026-01-05T12:00:00Z",
    currency: "EUR",
    rates: { USD: 880_000 },
    hub: { coordinates: { latitude: 45.07, longitude: 7.69 } },
    offers: [...offers].sort((a, b) => (a.id < b.id ? -1 : 1)),
    tenants: [],
    holdings: [],
    reservations: [],
    outages: [],
    maintenance: [],
    skipped: [],
    warnings: [],
    ...changes,
  };
}

/** What an intent holds since two hours before the snapshot's now, and may be evicted from. */
export const holding = (name: string, on: string, gpus: number, changes: Partial<Holding> = {}): Holding => ({
  intent: name,
  offer: on,
  gpus,
  since: "2026-01-05T10:00:00Z",
  priority: 300,
  tenant: "default",
  evictable: true,
  ...changes,
});

/** A batch of one task that is not tried again. */
export const oneTask = (changes: Partial<NonNullable<Workload["batch"]>> = {}): Partial<Workload> => ({
  type: "batch",
  batch: { parallelTasks: 1, maxRetries: 0, completionPolicy: "All", ...changes },
});
