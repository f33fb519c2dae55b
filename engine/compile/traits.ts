import type { Flavor } from "../model/flavor.ts";
import type { BlockName } from "./rows.ts";

/** A trait that is read from one block of an offer; undefined is not stated. */
export interface Trait<T> {
  readonly block: BlockName;
  /** @param block of that name */
  readonly read: (block: never) => T | undefined;
}

const reading =
  <B extends BlockName>(block: B) =>
  <T>(read: (block: Flavor[B]) => T | undefined): Trait<T> => ({ block, read });

const gpu = reading("gpu");
const capacity = reading("capacity");
const energy = reading("energy");
const network = reading("network");
const performance = reading("performance");
const security = reading("security");
const compliance = reading("compliance");

/** A is 1 ... F is 6: smaller is better. */
export function ratingRank(rating: string): number {
  return "ABCDEF".indexOf(rating) + 1;
}

/** Traits that are numbers, per GPU or per offer. */
export type NumericName =
  | "gpuMemoryMib"
  | "cores"
  | "clockMhz"
  | "computeCapability"
  | "fp32Tflops"
  | "multiGpuEfficiency"
  | "gpusTotal"
  | "pue"
  | "renewablePercent"
  | "efficiencyRating"
  | "bandwidthGbps"
  | "jitterMs"
  | "uptimePercent"
  | "coldStartSeconds";

/** Traits that are numbers. */
export const numericTraits: Readonly<Record<NumericName, Trait<number>>> = {
  gpuMemoryMib: gpu(({ memoryMib }) => memoryMib),
  cores: gpu(({ cores }) => cores),
  clockMhz: gpu(({ clockMhz }) => clockMhz),
  computeCapability: gpu(({ computeCapability }) => computeCapability),
  fp32Tflops: gpu(({ fp32Tflops }) => fp32Tflops),
  multiGpuEfficiency: gpu(({ multiGpuEfficiency }) => multiGpuEfficiency),
  gpusTotal: capacity(({ gpus }) => gpus),
  pue: energy(({ pue }) => pue),
  renewablePercent: energy(({ renewablePercent }) => renewablePercent),
  efficiencyRating: energy(({ efficiencyRating }) =>
    efficiencyRating === undefined ? undefined : ratingRank(efficiencyRating),
  ),
  bandwidthGbps: network(({ bandwidthGbps }) => bandwidthGbps),
  jitterMs: performance(({ jitterMs }) => jitterMs),
  uptimePercent: performance(({ uptimePercent }) => uptimePercent),
  coldStartSeconds: performance(({ coldStartSeconds }) => coldStartSeconds),
};

/** Traits that are yes or no. */
export type FlagName =
  | "dedicated"
  | "sharing"
  | "mig"
  | "green"
  | "isolation"
  | "vpn"
  | "bastion"
  | "intrusionDetection"
  | "vulnerabilityScanning"
  | "encryptionAtRest"
  | "encryptionInTransit"
  | "auditLogging"
  | "gdpr"
  | "hipaa";

/** Traits that are yes or no. */
export const flagTraits: Readonly<Record<FlagName, Trait<boolean>>> = {
  dedicated: gpu(({ dedicated }) => dedicated),
  sharing: gpu(({ sharing }) => sharing),
  mig: gpu(({ migCapable }) => migCapable),
  green: energy(({ greenCertified }) => greenCertified),
  isolation: security(({ networkIsolation }) => networkIsolation),
  vpn: security(({ vpn }) => vpn),
  bastion: security(({ bastion }) => bastion),
  intrusionDetection: security(({ intrusionDetection }) => intrusionDetection),
  vulnerabilityScanning: security(({ vulnerabilityScanning }) => vulnerabilityScanning),
  encryptionAtRest: compliance(({ encryptionAtRest }) => encryptionAtRest),
  encryptionInTransit: compliance(({ encryptionInTransit }) => encryptionInTransit),
  auditLogging: compliance(({ auditLogging }) => auditLogging),
  gdpr: compliance(({ gdpr }) => gdpr),
  hipaa: compliance(({ hipaa }) => hipaa),
};

/** Traits with named values. */
export type NameTrait =
  | "model"
  | "vendor"
  | "architecture"
  | "tier"
  | "interconnect"
  | "topology"
  | "certifications"
  | "residency";

/** What tells the named values of a trait apart. */
export const nameTraits: Readonly<Record<NameTrait, Trait<string>>> = {
  model: gpu(({ model }) => model),
  vendor: gpu(({ vendor }) => vendor),
  architecture: gpu(({ architecture }) => architecture),
  tier: gpu(({ tier }) => tier),
  interconnect: gpu(({ interconnect }) => interconnect),
  topology: gpu(({ topology }) => topology),
  certifications: compliance(({ certifications }) => certifications?.join("\n")),
  residency: compliance(({ residency }) => residency?.join("\n")),
};

/** Names of where an offer is and who sells it; `place` is region, zone, country and areas together. */
export type SiteTrait = "provider" | "zone" | "place";
