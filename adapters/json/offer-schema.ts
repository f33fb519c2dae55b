import * as z from "zod";
import { EngineError } from "../../engine/model/errors.ts";
import type { Device, Flavor, GpuTraits } from "../../engine/model/flavor.ts";
import { readAnnotations } from "./annotations.ts";
import {
  architectures,
  type Choice,
  canonicalCertification,
  canonicalChoice,
  interconnects,
  ratings,
  sharingStrategies,
  tiers,
  topologies,
  vendors,
} from "./choices.ts";
import { completeOffer, createDraft, type OfferDraft, offerModel, residencyPlaces } from "./draft.ts";
import { stated, whole } from "./field.ts";
import { bytesLeaf, capabilityLeaf, cpuLeaf, frequencyLeaf, leaf, moneyLeaf, wordLeaf } from "./leaf.ts";
import { joinPath, type Notes, problem } from "./notes.ts";

/** A choice in any of its spellings; "any" and "custom" are refused, a trait is stated or left out. */
function spelled<T extends string>(options: Choice): z.ZodType<T, string> {
  const accepts = options.values.join(", ");
  return leaf(z.string({ error: () => accepts }), accepts, (text) => {
    const value = canonicalChoice(options, text);
    if (typeof value !== "string") throw new EngineError("invalid_format", "not accepted");
    return value as T;
  });
}

const positive = z.number().min(0);
const count = whole().min(0);
const share = z.number().min(0).max(1);
const percent = z.number().min(0).max(100);
const flag = z.boolean().optional();

const gpuSchema = z.strictObject({
  model: wordLeaf.describe("Model, as the catalog names it or in any known spelling."),
  vendor: spelled(vendors).optional().describe("Maker."),
  memory: bytesLeaf("down").optional().describe("Memory of one GPU."),
  tier: spelled(tiers).optional().describe("Market tier."),
  architecture: spelled(architectures).optional().describe("Architecture."),
  interconnect: spelled(interconnects).optional().describe("Link between the GPUs."),
  interconnect_bandwidth: positive.optional().describe("GB/s of that link."),
  topology: spelled(topologies).optional().describe("Shape of the links."),
  multi_gpu_efficiency: share.optional().describe("Scaling efficiency, 0 to 1."),
  cores: count.optional().describe("Cores of one GPU."),
  clock_speed: frequencyLeaf("down").optional().describe("Clock in Hz as a quantity."),
  compute_capability: capabilityLeaf.optional().describe("Compute capability, major.minor."),
  fp32_tflops: positive.optional().describe("FP32 TFLOPS of one GPU."),
  fp16_tflops: positive.optional().describe("Dense FP16 TFLOPS of one GPU."),
  memory_bandwidth: positive.optional().describe("GB/s of one GPU's memory."),
  power_watts: positive.optional().describe("Power of one GPU, W."),
  sharing: flag.describe("Several workloads may share one GPU."),
  sharing_strategy: spelled<NonNullable<GpuTraits["sharingStrategy"]>>(sharingStrategies)
    .optional()
    .describe("How they share it."),
  mig_capable: flag.describe("The GPUs can be partitioned."),
  dedicated: flag.describe("The GPUs serve one tenant only."),
});

const costSchema = z.strictObject({
  hourly_rate: moneyLeaf.optional().describe("On-demand price per hour."),
  spot_rate: moneyLeaf.optional().describe("Spot price per hour."),
  basis: z.enum(["node", "gpu"]).optional().describe("What a rate buys; default node."),
  interruption_rate: positive.optional().describe("Expected interruptions of the spot price per hour."),
});

const traitsSchema = z.strictObject({
  gpu: gpuSchema.describe("What one GPU is."),
  cost: costSchema.describe("Prices; at least one rate."),
  divisible: flag.describe("Any number of the GPUs can be bought; default only with basis gpu."),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, { error: () => "an ISO 3166-1 code of two capital letters" })
    .optional()
    .describe("For regions the catalog does not know."),
  coordinates: z
    .strictObject({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) })
    .optional()
    .describe("For regions the catalog does not know, degrees."),
  energy: z
    .strictObject({
      carbon_intensity: positive.optional().describe("gCO2 per kWh."),
      renewable_percent: percent.optional().describe("Renewable share."),
      pue: z.number().min(1).optional().describe("Power usage effectiveness."),
      efficiency_rating: spelled<NonNullable<Flavor["energy"]["efficiencyRating"]>>(ratings)
        .optional()
        .describe("A is best."),
      green_certified: flag.describe("A green certificate is held."),
    })
    .optional()
    .describe("Energy."),
  network: z
    .strictObject({
      bandwidth_gbps: positive.optional().describe("Gbit/s."),
      latency_ms: positive.optional().describe("Round trip measured from the hub."),
      tier: z.enum(["premium", "standard", "basic"]).optional().describe("Network tier."),
    })
    .optional()
    .describe("Network."),
  compliance: z
    .strictObject({
      certifications: z.array(wordLeaf).optional().describe("Certifications held."),
      residency: z.array(wordLeaf).optional().describe("Areas or countries in which data stays."),
      encryption_at_rest: flag.describe("Data at rest is encrypted."),
      encryption_in_transit: flag.describe("Data in transit is encrypted."),
      audit_logging: flag.describe("Access is logged for audits."),
      gdpr: flag.describe("GDPR compliant."),
      hipaa: flag.describe("HIPAA compliant."),
    })
    .optional()
    .describe("Compliance."),
  security: z
    .strictObject({
      network_isolation: flag.describe("Private networks are available."),
      vpn: flag.describe("VPN access is available."),
      bastion: flag.describe("A bastion host is available."),
      ids: flag.describe("Intrusions are detected."),
      vulnerability_scanning: flag.describe("Images are scanned."),
    })
    .optional()
    .describe("Security."),
  performance: z
    .strictObject({
      jitter_ms: positive.optional().describe("Jitter."),
      uptime_percent: percent.optional().describe("Uptime stated."),
      cold_start_s: positive.optional().describe("Cold start, seconds."),
    })
    .optional()
    .describe("Performance."),
  scores: z
    .strictObject({
      training: share.optional().describe("0 to 1."),
      inference: share.optional().describe("0 to 1."),
      hpc: share.optional().describe("0 to 1."),
      graphics: share.optional().describe("0 to 1."),
    })
    .optional()
    .describe("Suitability per kind of work, where the provider states it."),
});

const deviceSchema = z.strictObject({
  index: count.describe("Number of the GPU in its node."),
  free: share.optional().describe("Share of it that is free; default 1."),
  mig_in_use: z.array(wordLeaf).optional().describe('MIG profiles in use, such as "1g.10gb".'),
});

/** One offer of a snapshot. */
const schema = z.strictObject({
  id: wordLeaf.describe("Unique in the snapshot."),
  provider: wordLeaf.optional().describe("Seller; required unless an annotation names it."),
  region: wordLeaf.optional().describe("Region; required unless an annotation names it."),
  zone: wordLeaf.optional().describe("Zone."),
  annotations: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .optional()
    .describe("FLARE node annotations; either these or traits."),
  traits: traitsSchema.optional().describe("The same as structured fields."),
  gpus: whole().min(1).optional().describe("GPUs; required with traits, the count annotation otherwise."),
  free_gpus: count.optional().describe("GPUs free now; default all."),
  capacity: z
    .strictObject({
      cpu: cpuLeaf("down").optional().describe("Cores."),
      cpu_free: cpuLeaf("down").optional().describe("Cores free; default all."),
      memory: bytesLeaf("down").optional().describe("Main memory."),
      memory_free: bytesLeaf("down").optional().describe("Main memory free; default all."),
      pods: count.optional().describe("Pods."),
      pods_free: count.optional().describe("Pods free; default all."),
    })
    .optional()
    .describe("What the offer has besides GPUs."),
  devices: z.array(deviceSchema).optional().describe("The GPUs one by one, where they are shared."),
});

/** The schema of one offer, for the published JSON Schema and for unknown fields. */
export const offerSchema: z.ZodType = schema;

type Parsed = z.output<typeof schema>;
type Traits = z.output<typeof traitsSchema>;

function draftFromTraits(draft: OfferDraft, traits: Traits, path: string, notes: Notes): void {
  const { gpu, cost, energy, network, compliance, security, performance } = traits;
  const name = offerModel(gpu.model, gpu.vendor);
  if (name === null)
    notes.problems.push(
      problem(
        `${path}.gpu.model`,
        "invalid_format",
        gpu.model,
        'a model with its vendor such as "nvidia-h100"',
      ),
    );
  Object.assign(
    draft.gpu,
    stated({
      model: name ?? gpu.model,
      vendor: gpu.vendor,
      memoryMib: gpu.memory,
      tier: gpu.tier,
      architecture: gpu.architecture,
      interconnect: gpu.interconnect,
      interconnectBandwidth: gpu.interconnect_bandwidth,
      topology: gpu.topology,
      multiGpuEfficiency: gpu.multi_gpu_efficiency,
      cores: gpu.cores,
      clockMhz: gpu.clock_speed,
      computeCapability: gpu.compute_capability,
      fp32Tflops: gpu.fp32_tflops,
      fp16Tflops: gpu.fp16_tflops,
      memoryBandwidth: gpu.memory_bandwidth,
      powerWatts: gpu.power_watts,
      sharing: gpu.sharing,
      sharingStrategy: gpu.sharing_strategy,
      migCapable: gpu.sharing_strategy === "mig" ? true : gpu.mig_capable,
      dedicated: gpu.dedicated,
    }),
  );
  Object.assign(
    draft,
    stated({
      rate: cost.hourly_rate,
      spotRate: cost.spot_rate,
      basis: cost.basis,
      interruptionRate: cost.interruption_rate,
      divisible: traits.divisible,
      country: traits.country,
      coordinates: traits.coordinates,
    }),
  );
  Object.assign(draft.energy, stated(renamed(energy, energyNames)));
  Object.assign(draft.network, stated(renamed(network, networkNames)));
  Object.assign(draft.security, stated(renamed(security, securityNames)));
  Object.assign(draft.performance, stated(renamed(performance, performanceNames)));
  Object.assign(draft.scores, stated(traits.scores ?? {}));
  Object.assign(draft.compliance, stated(renamed(compliance, complianceNames)));
  if (compliance?.certifications !== undefined)
    draft.compliance.certifications = [
      ...new Set(compliance.certifications.map(canonicalCertification)),
    ].sort();
  if (compliance?.residency !== undefined) draft.compliance.residency = residencyPlaces(compliance.residency);
}

/** JSON names of blocks to the names of the model. */
const energyNames = {
  carbon_intensity: "carbonIntensity",
  renewable_percent: "renewablePercent",
  pue: "pue",
  efficiency_rating: "efficiencyRating",
  green_certified: "greenCertified",
} as const;
const networkNames = { bandwidth_gbps: "bandwidthGbps", latency_ms: "latencyMs", tier: "tier" } as const;
const securityNames = {
  network_isolation: "networkIsolation",
  vpn: "vpn",
  bastion: "bastion",
  ids: "intrusionDetection",
  vulnerability_scanning: "vulnerabilityScanning",
} as const;
const performanceNames = {
  jitter_ms: "jitterMs",
  uptime_percent: "uptimePercent",
  cold_start_s: "coldStartSeconds",
} as const;
const complianceNames = {
  encryption_at_rest: "encryptionAtRest",
  encryption_in_transit: "encryptionInTransit",
  audit_logging: "auditLogging",
  gdpr: "gdpr",
  hipaa: "hipaa",
} as const;

function renamed(
  block: object | undefined,
  names: Readonly<Record<string, string>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(names).map(([from, to]) => [to, (block as Record<string, unknown> | undefined)?.[from]]),
  );
}

function amend(draft: OfferDraft, offer: Parsed): void {
  const { capacity } = offer;
  Object.assign(
    draft,
    stated({
      provider: draft.provider ?? offer.provider,
      region: draft.region ?? offer.region,
      zone: draft.zone ?? offer.zone?.toLowerCase(),
      count: draft.count ?? offer.gpus,
      free: offer.free_gpus,
      devices:
        offer.devices === undefined
          ? undefined
          : offer.devices.map(toDevice).sort((a, b) => a.index - b.index),
    }),
  );
  Object.assign(
    draft.capacity,
    stated({
      cpuMilli: capacity?.cpu,
      cpuMilliFree: capacity?.cpu_free,
      memoryMib: capacity?.memory,
      memoryMibFree: capacity?.memory_free,
      pods: capacity?.pods,
      podsFree: capacity?.pods_free,
    }),
  );
  draft.origin = { source: "fixture" };
}

const toDevice = (device: z.output<typeof deviceSchema>): Device => ({
  index: device.index,
  freeMilli: Math.round((device.free ?? 1) * 1000),
  ...(device.mig_in_use === undefined ? {} : { migInUse: [...device.mig_in_use].sort() }),
});

/** Contradictions between the offer's own fields and its annotations. */
function checkPlaces(draft: OfferDraft, offer: Parsed, path: string, notes: Notes): void {
  const differs = (name: "provider" | "region" | "zone", value: string | undefined): void => {
    const own = offer[name];
    if (own !== undefined && value !== undefined && own.toLowerCase() !== value)
      notes.problems.push({
        path: `${path}.${name}`,
        code: "conflicting_fields",
        message: `found ${JSON.stringify(own)}, but the annotations say ${JSON.stringify(value)}; accepted: one of them`,
      });
  };
  differs("provider", draft.provider);
  differs("region", draft.region);
  differs("zone", draft.zone);
  if (offer.gpus !== undefined && draft.count !== undefined && offer.gpus !== draft.count)
    notes.problems.push(
      problem(`${path}.gpus`, "conflicting_fields", offer.gpus, `${draft.count}, as annotated`),
    );
}

/** The offer that a parsed entry states, or null with problems recorded. */
export function toFlavor(parsed: unknown, path: string, notes: Notes): Flavor | null {
  const offer = parsed as Parsed;
  const before = notes.problems.length;
  if ((offer.annotations === undefined) === (offer.traits === undefined)) {
    notes.problems.push({
      path,
      code: offer.traits === undefined ? "missing_field" : "conflicting_fields",
      message: `${offer.traits === undefined ? "neither annotations nor" : "both annotations and"} traits; accepted: one of them`,
    });
    return null;
  }
  if (offer.annotations !== undefined)
    return readAnnotations(offer.id, offer.annotations, joinPath(path, "annotations"), notes, (draft) => {
      checkPlaces(draft, offer, path, notes);
      amend(draft, offer);
    });
  const draft = createDraft(offer.id);
  if (offer.traits !== undefined) draftFromTraits(draft, offer.traits, `${path}.traits`, notes);
  amend(draft, offer);
  for (const name of ["provider", "region", "gpus"] as const)
    if (offer[name] === undefined)
      notes.problems.push(problem(`${path}.${name}`, "missing_field", undefined, "required with traits"));
  return notes.problems.length > before ? null : completeOffer(draft, path, notes);
}
