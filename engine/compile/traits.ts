import { carbonGrams } from "../score/performance.ts";
import type { Rows } from "./rows.ts";

/** Reads a trait of a row; undefined is not stated. */
type Reader<T> = (rows: Rows, row: number) => T | undefined;

/** A is 1 ... F is 6: smaller is better. */
export function ratingRank(rating: string): number {
  return "ABCDEF".indexOf(rating) + 1;
}

/** Traits that are numbers, per GPU or per offer; `unitMicro` and `wholeMicro` are the prices of `Options`. */
export type NumericName =
  | "gpuMemoryMib"
  | "cores"
  | "clockMhz"
  | "computeCapability"
  | "fp32Tflops"
  | "multiGpuEfficiency"
  | "gpusFree"
  | "gpusTotal"
  | "cpuMilliFree"
  | "memoryMibFree"
  | "podsFree"
  | "carbonGramsPerGpuHour"
  | "pue"
  | "renewablePercent"
  | "efficiencyRating"
  | "latencyMs"
  | "bandwidthGbps"
  | "jitterMs"
  | "uptimePercent"
  | "coldStartSeconds"
  | "unitMicro"
  | "wholeMicro";

/** What changes while an offer stands. */
export const capacityTraits: readonly NumericName[] = [
  "gpusFree",
  "cpuMilliFree",
  "memoryMibFree",
  "podsFree",
];

/** Readers of the traits that are numbers. */
export const numericTraits: Readonly<Record<NumericName, Reader<number>>> = {
  gpuMemoryMib: ({ gpu }, row) => gpu[row]!.memoryMib,
  cores: ({ gpu }, row) => gpu[row]!.cores,
  clockMhz: ({ gpu }, row) => gpu[row]!.clockMhz,
  computeCapability: ({ gpu }, row) => gpu[row]!.computeCapability,
  fp32Tflops: ({ gpu }, row) => gpu[row]!.fp32Tflops,
  multiGpuEfficiency: ({ gpu }, row) => gpu[row]!.multiGpuEfficiency,
  gpusFree: ({ capacity }, row) => capacity[row]!.gpusFree,
  gpusTotal: ({ capacity }, row) => capacity[row]!.gpus,
  // a total that nothing is known to be taken from is free
  cpuMilliFree: ({ capacity }, row) => capacity[row]!.cpuMilliFree ?? capacity[row]!.cpuMilli,
  memoryMibFree: ({ capacity }, row) => capacity[row]!.memoryMibFree ?? capacity[row]!.memoryMib,
  podsFree: ({ capacity }, row) => capacity[row]!.podsFree ?? capacity[row]!.pods,
  carbonGramsPerGpuHour: ({ gpu, energy }, row) =>
    carbonGrams(gpu[row]!.powerWatts, energy[row]!.pue, energy[row]!.carbonIntensity),
  pue: ({ energy }, row) => energy[row]!.pue,
  renewablePercent: ({ energy }, row) => energy[row]!.renewablePercent,
  efficiencyRating: ({ energy }, row) => {
    const { efficiencyRating } = energy[row]!;
    return efficiencyRating === undefined ? undefined : ratingRank(efficiencyRating);
  },
  latencyMs: ({ network }, row) => network[row]!.latencyMs,
  bandwidthGbps: ({ network }, row) => network[row]!.bandwidthGbps,
  jitterMs: ({ flavor }, row) => flavor[row]!.performance.jitterMs,
  uptimePercent: ({ flavor }, row) => flavor[row]!.performance.uptimePercent,
  coldStartSeconds: ({ flavor }, row) => flavor[row]!.performance.coldStartSeconds,
  unitMicro: ({ options }, row) => options.unitMicro[row],
  wholeMicro: ({ options }, row) => options.wholeMicro[row],
};

/** Traits that are yes or no; `priced` says that an option has a price in the snapshot's currency. */
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
  | "hipaa"
  | "spot"
  | "extraSpot"
  | "priced";

/** Readers of the traits that are yes or no. */
export const flagTraits: Readonly<Record<FlagName, Reader<boolean>>> = {
  dedicated: ({ gpu }, row) => gpu[row]!.dedicated,
  sharing: ({ gpu }, row) => gpu[row]!.sharing,
  mig: ({ gpu }, row) => gpu[row]!.migCapable,
  green: ({ energy }, row) => energy[row]!.greenCertified,
  isolation: ({ flavor }, row) => flavor[row]!.security.networkIsolation,
  vpn: ({ flavor }, row) => flavor[row]!.security.vpn,
  bastion: ({ flavor }, row) => flavor[row]!.security.bastion,
  intrusionDetection: ({ flavor }, row) => flavor[row]!.security.intrusionDetection,
  vulnerabilityScanning: ({ flavor }, row) => flavor[row]!.security.vulnerabilityScanning,
  encryptionAtRest: ({ flavor }, row) => flavor[row]!.compliance.encryptionAtRest,
  encryptionInTransit: ({ flavor }, row) => flavor[row]!.compliance.encryptionInTransit,
  auditLogging: ({ flavor }, row) => flavor[row]!.compliance.auditLogging,
  gdpr: ({ flavor }, row) => flavor[row]!.compliance.gdpr,
  hipaa: ({ flavor }, row) => flavor[row]!.compliance.hipaa,
  spot: ({ options }, row) => options.spot[row] === 1,
  extraSpot: ({ options }, row) => options.extraSpot[row] === 1,
  priced: ({ options }, row) => options.unitMicro[row]! >= 0 || options.wholeMicro[row]! >= 0,
};

/** Traits with named values; `place` is region, zone, country and areas together. */
export type DictionaryName =
  | "model"
  | "vendor"
  | "architecture"
  | "tier"
  | "interconnect"
  | "topology"
  | "provider"
  | "certifications"
  | "residency"
  | "zone"
  | "place";

/** What tells the named values of a trait apart. */
export const nameTraits: Readonly<Record<Exclude<DictionaryName, "place">, Reader<string>>> = {
  model: ({ gpu }, row) => gpu[row]!.model,
  vendor: ({ gpu }, row) => gpu[row]!.vendor,
  architecture: ({ gpu }, row) => gpu[row]!.architecture,
  tier: ({ gpu }, row) => gpu[row]!.tier,
  interconnect: ({ gpu }, row) => gpu[row]!.interconnect,
  topology: ({ gpu }, row) => gpu[row]!.topology,
  provider: ({ flavor }, row) => flavor[row]!.provider,
  certifications: ({ flavor }, row) => flavor[row]!.compliance.certifications?.join("\n"),
  residency: ({ flavor }, row) => flavor[row]!.compliance.residency?.join("\n"),
  zone: ({ flavor }, row) => flavor[row]!.zone,
};
