import type { Coordinates, Flavor } from "../../engine/model/flavor.ts";
import { formatMicro } from "../../engine/model/money.ts";
import { formatMebibytes, formatMegahertz } from "../kubernetes/quantity.ts";
import {
  architectures,
  type Choice,
  canonicalCertification,
  interconnects,
  ratings,
  sharingStrategies,
  tiers,
  topologies,
  vendors,
} from "./choices.ts";
import type { OfferDraft } from "./draft.ts";
import { formatCapability } from "./leaf.ts";

/** What the text of an annotation is. */
export type AnnotationForm =
  | { readonly kind: "choice"; readonly choice: Choice }
  | { readonly kind: "boolean" }
  | { readonly kind: "bytes" }
  | { readonly kind: "frequency" }
  | { readonly kind: "capability" }
  | { readonly kind: "money" }
  | { readonly kind: "number"; readonly min: number; readonly max: number; readonly whole?: true }
  | { readonly kind: "list" }
  | { readonly kind: "word"; readonly pattern: RegExp; readonly accepts: string };

/** One node annotation: its spelling, its meaning and where it goes. */
export interface Annotation {
  /** The spelling that is written; read besides `aliases`, and with `_` for `-`. */
  readonly key: string;
  readonly aliases: readonly string[];
  readonly form: AnnotationForm;
  readonly description: string;
  /** True for annotations of this project, not of the original's list. */
  readonly ours?: true;
  readonly required?: true;
  /** Stores the parsed value; its type follows from `form`. */
  readonly store: (draft: OfferDraft, value: never) => void;
  /** The text that says the same about an offer, or undefined when it states nothing. */
  readonly tell: (flavor: Flavor) => string | undefined;
}

const gpu = "gpu.fluidos.eu/";
const text = (value: number | boolean | undefined): string | undefined =>
  value === undefined ? undefined : String(value);
const list = (value: readonly string[] | undefined): string | undefined =>
  value === undefined ? undefined : value.join(",");

const boolean: AnnotationForm = { kind: "boolean" };
const fraction: AnnotationForm = { kind: "number", min: 0, max: 1 };
const positive: AnnotationForm = { kind: "number", min: 0, max: 1e9 };
const wholeNumber: AnnotationForm = { kind: "number", min: 0, max: 1e9, whole: true };
const percent: AnnotationForm = { kind: "number", min: 0, max: 100 };
const place: AnnotationForm = {
  kind: "word",
  pattern: /^[a-z0-9]+(?:-[a-z0-9]+)*$/,
  accepts: 'lower-case letters, digits and hyphens such as "eu-central-1"',
};
const word: AnnotationForm = { kind: "word", pattern: /\S/, accepts: "a text that is not empty" };

type Values<K extends keyof OfferDraft> = NonNullable<OfferDraft[K]>;

/** Stores into one block of the draft. */
const into =
  <
    B extends "gpu" | "energy" | "network" | "compliance" | "security" | "performance",
    K extends keyof Values<B>,
  >(
    block: B,
    trait: K,
  ) =>
  (draft: OfferDraft, value: never): void => {
    (draft[block] as Values<B>)[trait] = value;
  };

const flag = (
  block: "gpu" | "compliance" | "security" | "energy",
  trait: string,
): Pick<Annotation, "form" | "store" | "tell"> => ({
  form: boolean,
  store: (draft, value) => {
    (draft[block] as Record<string, unknown>)[trait] = value;
  },
  tell: (flavor) => text((flavor[block] as Readonly<Record<string, boolean | undefined>>)[trait]),
});

const score = (kind: "training" | "inference" | "hpc" | "graphics"): Annotation => ({
  key: `workload.fluidos.eu/${kind}-score`,
  aliases: [`${gpu}${kind}-score`],
  form: fraction,
  description: `Suitability for ${kind} work, 0 to 1. Corrects the catalogue's speed of the model.`,
  store: (draft, value) => {
    draft.scores[kind] = value;
  },
  tell: (flavor) => text(flavor.scores[kind]),
});

const hardware: readonly Annotation[] = [
  {
    key: `${gpu}vendor`,
    aliases: [],
    form: { kind: "choice", choice: vendors },
    description: "Maker of the GPUs. Without it, the model's own.",
    store: into("gpu", "vendor"),
    tell: (flavor) => flavor.gpu.vendor,
  },
  {
    key: `${gpu}model`,
    aliases: [],
    form: word,
    required: true,
    description:
      "Model with its vendor, lower case, hyphenated; unprefixed names of known models are accepted.",
    store: into("gpu", "model"),
    tell: (flavor) => flavor.gpu.model,
  },
  {
    key: `${gpu}count`,
    aliases: [],
    form: { kind: "number", min: 1, max: 1e6, whole: true },
    required: true,
    description: "GPUs of the node.",
    store: (draft, value) => {
      draft.count = value;
    },
    tell: (flavor) => text(flavor.capacity.gpus),
  },
  {
    key: `${gpu}memory-per-gpu`,
    aliases: [`${gpu}memory`],
    form: { kind: "bytes" },
    description: "Memory of one GPU, a quantity in Gi.",
    store: into("gpu", "memoryMib"),
    tell: (flavor) =>
      flavor.gpu.memoryMib === undefined ? undefined : formatMebibytes(flavor.gpu.memoryMib),
  },
  {
    key: `${gpu}tier`,
    aliases: [],
    form: { kind: "choice", choice: tiers },
    description: "Market tier; wins over the catalogue's.",
    store: into("gpu", "tier"),
    tell: (flavor) => flavor.gpu.tier,
  },
  {
    key: `${gpu}architecture`,
    aliases: [],
    form: { kind: "choice", choice: architectures },
    description: "GPU architecture.",
    store: into("gpu", "architecture"),
    tell: (flavor) => flavor.gpu.architecture,
  },
  {
    key: `${gpu}interconnect`,
    aliases: [],
    form: { kind: "choice", choice: interconnects },
    description: "Link between the GPUs of the node.",
    store: into("gpu", "interconnect"),
    tell: (flavor) => flavor.gpu.interconnect,
  },
  {
    key: `${gpu}interconnect-bandwidth-gbps`,
    aliases: [`${gpu}interconnect-bandwidth`],
    form: positive,
    description:
      "Bandwidth of that link in Gbit/s. From 300 on it is taken for GB/s, since links are sold that way.",
    store: (draft, value: number) => {
      draft.gpu.interconnectBandwidth ??= value >= 300 ? value : value / 8;
    },
    tell: (flavor) => {
      const { interconnectBandwidth: bandwidth } = flavor.gpu;
      if (bandwidth === undefined) return undefined;
      if (bandwidth >= 300) return text(bandwidth);
      return bandwidth * 8 < 300 ? text(bandwidth * 8) : undefined;
    },
  },
  {
    key: `${gpu}interconnect-gbytes-per-second`,
    aliases: [],
    form: positive,
    ours: true,
    description: "Bandwidth of that link in GB/s, without guessing; wins over the one above.",
    store: into("gpu", "interconnectBandwidth"),
    tell: (flavor) => text(flavor.gpu.interconnectBandwidth),
  },
  {
    key: `${gpu}topology`,
    aliases: [],
    form: { kind: "choice", choice: topologies },
    description: "Shape of the links; DGX and HGX are nvswitch, custom states nothing.",
    store: into("gpu", "topology"),
    tell: (flavor) => flavor.gpu.topology,
  },
  {
    key: `${gpu}multi-gpu-efficiency`,
    aliases: [],
    form: fraction,
    description: "Scaling efficiency over several GPUs, 0 to 1.",
    store: into("gpu", "multiGpuEfficiency"),
    tell: (flavor) => text(flavor.gpu.multiGpuEfficiency),
  },
  {
    key: `${gpu}cores`,
    aliases: [],
    form: wholeNumber,
    description: "Cores of one GPU (CUDA cores, or compute units where the vendor counts those).",
    store: into("gpu", "cores"),
    tell: (flavor) => text(flavor.gpu.cores),
  },
  {
    key: `${gpu}compute-capability`,
    aliases: ["nvidia.fluidos.eu/compute-capability", "amd.fluidos.eu/compute-capability"],
    form: { kind: "capability" },
    description: "Compute capability, major.minor.",
    store: into("gpu", "computeCapability"),
    tell: (flavor) =>
      flavor.gpu.computeCapability === undefined ? undefined : formatCapability(flavor.gpu.computeCapability),
  },
  {
    key: `${gpu}clock-speed`,
    aliases: [],
    form: { kind: "frequency" },
    description: "Clock in Hz, a quantity such as 1.98G.",
    store: into("gpu", "clockMhz"),
    tell: (flavor) => (flavor.gpu.clockMhz === undefined ? undefined : formatMegahertz(flavor.gpu.clockMhz)),
  },
  {
    key: `${gpu}fp32-tflops`,
    aliases: [],
    form: positive,
    description: "FP32 TFLOPS of one GPU.",
    store: into("gpu", "fp32Tflops"),
    tell: (flavor) => text(flavor.gpu.fp32Tflops),
  },
  {
    key: `${gpu}sharing-capable`,
    aliases: [`${gpu}shared`],
    description: "Several workloads may share one GPU.",
    ...flag("gpu", "sharing"),
  },
  {
    key: `${gpu}sharing-strategy`,
    aliases: [],
    form: { kind: "choice", choice: sharingStrategies },
    description: "How they share it; mig also says that the GPUs are MIG-capable.",
    store: (draft, value: "none" | "mig") => {
      draft.gpu.sharingStrategy = value;
      if (value === "mig") draft.gpu.migCapable = true;
    },
    tell: (flavor) => flavor.gpu.sharingStrategy,
  },
  {
    key: "nvidia.fluidos.eu/mig-capable",
    aliases: [`${gpu}multi-instance`],
    form: boolean,
    description: "The GPUs can be partitioned; one source that says so is enough.",
    store: (draft, value: boolean) => {
      draft.gpu.migCapable = value || draft.gpu.migCapable === true;
    },
    tell: (flavor) => text(flavor.gpu.migCapable),
  },
  {
    key: `${gpu}dedicated`,
    aliases: [],
    description: "The GPUs serve one tenant only.",
    ...flag("gpu", "dedicated"),
  },
  {
    key: `${gpu}divisible`,
    aliases: [],
    form: boolean,
    ours: true,
    description: "Any number of the GPUs can be bought; otherwise the node is sold and charged whole.",
    store: (draft, value) => {
      draft.divisible = value;
    },
    tell: (flavor) => text(flavor.divisible),
  },
];

const point = (key: "latitude" | "longitude", bound: number): Annotation => ({
  key: `location.fluidos.eu/${key}`,
  aliases: [],
  form: { kind: "number", min: -bound, max: bound },
  ours: true,
  description: `Degrees of ${key}, for regions the catalogue does not know; give both.`,
  store: (draft, value) => {
    draft.coordinates = { ...(draft.coordinates as Coordinates), [key]: value };
  },
  tell: (flavor) => text(flavor.coordinates?.[key]),
});

const market: readonly Annotation[] = [
  {
    key: "location.fluidos.eu/region",
    aliases: [],
    form: place,
    required: true,
    description:
      "Region; one that the catalogue knows brings country, areas, coordinates, carbon intensity and PUE.",
    store: (draft, value) => {
      draft.region = value;
    },
    tell: (flavor) => flavor.region,
  },
  {
    key: "location.fluidos.eu/zone",
    aliases: [],
    form: word,
    description: "Zone in the region.",
    store: (draft, value: string) => {
      draft.zone = value.toLowerCase();
    },
    tell: (flavor) => flavor.zone,
  },
  {
    key: "location.fluidos.eu/country",
    aliases: [],
    form: { kind: "word", pattern: /^[A-Z]{2}$/, accepts: "an ISO 3166-1 code of two capital letters" },
    ours: true,
    description: "Country, for regions the catalogue does not know.",
    store: (draft, value) => {
      draft.country = value;
    },
    tell: (flavor) => flavor.country,
  },
  point("latitude", 90),
  point("longitude", 180),
  {
    key: "cost.fluidos.eu/hourly-rate",
    aliases: [],
    form: { kind: "money" },
    required: true,
    description:
      "Price per hour of the node (or GPU, see basis). For a preemptible offer it is the spot price.",
    store: (draft, value) => {
      draft.rate = value;
    },
    tell: ({ price }) => {
      const money = price.onDemand ?? price.spot;
      return money === undefined ? undefined : formatMicro(money.micro);
    },
  },
  {
    key: "cost.fluidos.eu/currency",
    aliases: [],
    form: { kind: "word", pattern: /^[A-Z]{3}$/, accepts: "an ISO 4217 code such as EUR" },
    description: "Currency of the rates; EUR when absent.",
    store: () => undefined,
    tell: ({ price }) => (price.onDemand ?? price.spot)?.currency,
  },
  {
    key: "cost.fluidos.eu/basis",
    aliases: [],
    form: { kind: "choice", choice: { values: ["node", "gpu"] } },
    ours: true,
    description: "What the rate buys: the node (default), or one GPU, which makes the offer divisible.",
    store: (draft, value) => {
      draft.basis = value;
    },
    tell: ({ price }) => price.basis,
  },
  {
    key: "cost.fluidos.eu/spot-rate",
    aliases: [],
    form: { kind: "money" },
    ours: true,
    description: "A second, spot price of the same hardware on an on-demand offer.",
    store: (draft, value) => {
      draft.spotRate = value;
    },
    tell: ({ price }) =>
      price.onDemand === undefined || price.spot === undefined ? undefined : formatMicro(price.spot.micro),
  },
  {
    key: "cost.fluidos.eu/interruption-rate",
    aliases: [],
    form: positive,
    ours: true,
    description: "Expected interruptions of the spot price per hour.",
    store: (draft, value) => {
      draft.interruptionRate = value;
    },
    tell: ({ price }) => text(price.interruptionRate),
  },
  {
    key: "provider.fluidos.eu/name",
    aliases: [],
    form: word,
    description: "Provider.",
    store: (draft, value: string) => {
      draft.provider = value.toLowerCase();
    },
    tell: (flavor) => flavor.provider,
  },
  {
    key: "provider.fluidos.eu/preemptible",
    aliases: [`${gpu}interruptible`, "provider.fluidos.eu/pre-emptible"],
    form: boolean,
    description: "The offer is spot; either spelling that says so is enough.",
    store: (draft, value: boolean) => {
      draft.preemptible = value || draft.preemptible === true;
    },
    tell: ({ price }) => text(price.onDemand === undefined),
  },
];

const number = (
  key: string,
  block: "network" | "energy" | "performance",
  trait: string,
  form: AnnotationForm,
  description: string,
  extra: { readonly aliases?: readonly string[]; readonly ours?: true } = {},
): Annotation => ({
  key,
  aliases: extra.aliases ?? [],
  form,
  description,
  store: (draft, value) => {
    (draft[block] as Record<string, unknown>)[trait] = value;
  },
  tell: (flavor) => text((flavor[block] as Readonly<Record<string, number | undefined>>)[trait]),
  ...(extra.ours === undefined ? {} : { ours: extra.ours }),
});

const ourFlag = (
  key: string,
  block: "compliance" | "security" | "energy",
  trait: string,
  description: string,
): Annotation => ({
  key,
  aliases: [],
  ours: true,
  description,
  ...flag(block, trait),
});

const ours = { ours: true } as const;

const quality: readonly Annotation[] = [
  number(
    "network.fluidos.eu/bandwidth-gbps",
    "network",
    "bandwidthGbps",
    positive,
    "Network bandwidth, Gbit/s.",
    {
      aliases: ["network.fluidos.eu/bandwidth"],
    },
  ),
  number(
    "network.fluidos.eu/latency-ms",
    "network",
    "latencyMs",
    positive,
    "Round trip measured from the hub, ms.",
  ),
  {
    key: "network.fluidos.eu/tier",
    aliases: [],
    form: { kind: "choice", choice: { values: ["premium", "standard", "basic"] } },
    description: "Network tier.",
    store: into("network", "tier"),
    tell: (flavor) => flavor.network.tier,
  },
  number(
    "energy.fluidos.eu/carbon-intensity-g-kwh",
    "energy",
    "carbonIntensity",
    positive,
    "gCO2 per kWh.",
    ours,
  ),
  number(
    "energy.fluidos.eu/renewable-percent",
    "energy",
    "renewablePercent",
    percent,
    "Renewable share, per cent.",
    ours,
  ),
  number(
    "energy.fluidos.eu/pue",
    "energy",
    "pue",
    { kind: "number", min: 1, max: 10 },
    "Power usage effectiveness.",
    ours,
  ),
  {
    key: "energy.fluidos.eu/efficiency-rating",
    aliases: [],
    form: { kind: "choice", choice: ratings },
    ours: true,
    description: "Efficiency rating, A is best.",
    store: into("energy", "efficiencyRating"),
    tell: (flavor) => flavor.energy.efficiencyRating,
  },
  ourFlag("energy.fluidos.eu/green-certified", "energy", "greenCertified", "A green certificate is held."),
  {
    key: "compliance.fluidos.eu/certifications",
    aliases: [],
    form: { kind: "list" },
    ours: true,
    description: "Certifications held, comma-separated.",
    store: (draft, value: readonly string[]) => {
      draft.compliance.certifications = [...new Set(value.map(canonicalCertification))].sort();
    },
    tell: (flavor) => list(flavor.compliance.certifications),
  },
  {
    key: "compliance.fluidos.eu/residency",
    aliases: [],
    form: { kind: "list" },
    ours: true,
    description: "Areas or countries in which data stays, comma-separated.",
    store: (draft, value: readonly string[]) => {
      draft.compliance.residency = [...new Set(value.map((entry) => entry.toLowerCase()))].sort();
    },
    tell: (flavor) => list(flavor.compliance.residency),
  },
  ourFlag(
    "compliance.fluidos.eu/encryption-at-rest",
    "compliance",
    "encryptionAtRest",
    "Data at rest is encrypted.",
  ),
  ourFlag(
    "compliance.fluidos.eu/encryption-in-transit",
    "compliance",
    "encryptionInTransit",
    "Data in transit is encrypted.",
  ),
  ourFlag(
    "compliance.fluidos.eu/audit-logging",
    "compliance",
    "auditLogging",
    "Access is logged for audits.",
  ),
  ourFlag("compliance.fluidos.eu/gdpr", "compliance", "gdpr", "GDPR compliant."),
  ourFlag("compliance.fluidos.eu/hipaa", "compliance", "hipaa", "HIPAA compliant."),
  ourFlag(
    "security.fluidos.eu/network-isolation",
    "security",
    "networkIsolation",
    "Private networks are available.",
  ),
  ourFlag("security.fluidos.eu/vpn", "security", "vpn", "VPN access is available."),
  ourFlag("security.fluidos.eu/bastion", "security", "bastion", "A bastion host is available."),
  ourFlag("security.fluidos.eu/ids", "security", "intrusionDetection", "Intrusions are detected."),
  ourFlag(
    "security.fluidos.eu/vulnerability-scanning",
    "security",
    "vulnerabilityScanning",
    "Images are scanned.",
  ),
  number("performance.fluidos.eu/jitter-ms", "performance", "jitterMs", positive, "Jitter, ms.", ours),
  number(
    "performance.fluidos.eu/uptime-percent",
    "performance",
    "uptimePercent",
    percent,
    "Uptime stated, per cent.",
    ours,
  ),
  number(
    "performance.fluidos.eu/cold-start-s",
    "performance",
    "coldStartSeconds",
    positive,
    "Cold start, seconds.",
    ours,
  ),
];

/** Every annotation that is read and written, in the order in which it is documented. */
export const annotations: readonly Annotation[] = [
  ...hardware,
  ...market,
  ...quality,
  score("training"),
  score("inference"),
  score("hpc"),
  score("graphics"),
];
