import type { Coordinates } from "../../engine/model/flavor.ts";
import { formatMicro } from "../../engine/model/money.ts";
import {
  type Annotation,
  type AnnotationForm,
  boolean,
  flag,
  fraction,
  gpu,
  into,
  list,
  percent,
  place,
  positive,
  text,
  word,
} from "./annotation.ts";
import { hardware } from "./annotation-gpu.ts";
import { canonicalCertification, ratings } from "./choices.ts";
import { residencyPlaces } from "./draft.ts";

const score = (kind: "training" | "inference" | "hpc" | "graphics"): Annotation => ({
  key: `workload.fluidos.eu/${kind}-score`,
  aliases: [`${gpu}${kind}-score`],
  form: fraction,
  description: `Suitability for ${kind} work, 0 to 1. Corrects the catalog's speed of the model.`,
  store: (draft, value) => {
    draft.scores[kind] = value;
  },
  tell: (flavor) => text(flavor.scores[kind]),
});

const point = (key: "latitude" | "longitude", bound: number): Annotation => ({
  key: `location.fluidos.eu/${key}`,
  aliases: [],
  form: { kind: "number", min: -bound, max: bound },
  ours: true,
  description: `Degrees of ${key}, for regions the catalog does not know; give both.`,
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
      "Region; one that the catalog knows brings country, areas, coordinates, carbon intensity and PUE.",
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
    description: "Country, for regions the catalog does not know.",
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
      draft.compliance.residency = residencyPlaces(value);
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
