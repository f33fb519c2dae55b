import type { Flavor } from "../model/flavor.ts";
import { carbonGramsPerGpuHour } from "../score/performance.ts";
import type { Options } from "./catalog.ts";

type NumericTrait =
  | "gpusFree"
  | "gpusTotal"
  | "cpuMilliFree"
  | "memoryMibFree"
  | "podsFree"
  | "gpuMemoryMib"
  | "cores"
  | "clockMhz"
  | "computeCapability"
  | "fp32Tflops"
  | "multiGpuEfficiency"
  | "carbonGramsPerGpuHour"
  | "pue"
  | "renewablePercent"
  | "efficiencyRating"
  | "bandwidthGbps"
  | "jitterMs"
  | "uptimePercent"
  | "coldStartSeconds";

/** How a numeric trait is read from an option; undefined is unknown. */
const numericTraits: Readonly<Record<NumericTrait, (flavor: Flavor) => number | undefined>> = {
  gpusFree: (flavor: Flavor) => flavor.capacity.gpusFree,
  gpusTotal: (flavor: Flavor) => flavor.capacity.gpus,
  cpuMilliFree: (flavor: Flavor) => flavor.capacity.cpuMilliFree ?? flavor.capacity.cpuMilli,
  memoryMibFree: (flavor: Flavor) => flavor.capacity.memoryMibFree ?? flavor.capacity.memoryMib,
  podsFree: (flavor: Flavor) => flavor.capacity.podsFree ?? flavor.capacity.pods,
  gpuMemoryMib: (flavor: Flavor) => flavor.gpu.memoryMib,
  cores: (flavor: Flavor) => flavor.gpu.cores,
  clockMhz: (flavor: Flavor) => flavor.gpu.clockMhz,
  computeCapability: (flavor: Flavor) => flavor.gpu.computeCapability,
  fp32Tflops: (flavor: Flavor) => flavor.gpu.fp32Tflops,
  multiGpuEfficiency: (flavor: Flavor) => flavor.gpu.multiGpuEfficiency,
  carbonGramsPerGpuHour,
  pue: (flavor: Flavor) => flavor.energy.pue,
  renewablePercent: (flavor: Flavor) => flavor.energy.renewablePercent,
  efficiencyRating: (flavor: Flavor) =>
    flavor.energy.efficiencyRating === undefined ? undefined : ratingRank(flavor.energy.efficiencyRating),
  bandwidthGbps: (flavor: Flavor) => flavor.network.bandwidthGbps,
  jitterMs: (flavor: Flavor) => flavor.performance.jitterMs,
  uptimePercent: (flavor: Flavor) => flavor.performance.uptimePercent,
  coldStartSeconds: (flavor: Flavor) => flavor.performance.coldStartSeconds,
};

export type NumericName = NumericTrait | "unitMicro" | "wholeMicro";

/** A is 1 ... F is 6: smaller is better. */
export function ratingRank(rating: string): number {
  return "ABCDEF".indexOf(rating) + 1;
}

/** The numeric columns of the table in their fixed order. */
export function numericColumns(
  flavors: readonly Flavor[],
  options: Options,
): { readonly name: NumericName; readonly values: Float64Array }[] {
  const traits = Object.entries(numericTraits) as [NumericTrait, (flavor: Flavor) => number | undefined][];
  return [
    ...traits.map(([name, read]) => ({
      name,
      values: Float64Array.from(flavors, (flavor) => read(flavor) ?? Number.NaN),
    })),
    { name: "unitMicro" as const, values: options.unitMicro },
    { name: "wholeMicro" as const, values: options.wholeMicro },
  ];
}

type FlagTrait =
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

const flagTraits: Readonly<Record<FlagTrait, (flavor: Flavor) => boolean | undefined>> = {
  dedicated: (flavor: Flavor) => flavor.gpu.dedicated,
  sharing: (flavor: Flavor) => flavor.gpu.sharing,
  mig: (flavor: Flavor) => flavor.gpu.migCapable,
  green: (flavor: Flavor) => flavor.energy.greenCertified,
  isolation: (flavor: Flavor) => flavor.security.networkIsolation,
  vpn: (flavor: Flavor) => flavor.security.vpn,
  bastion: (flavor: Flavor) => flavor.security.bastion,
  intrusionDetection: (flavor: Flavor) => flavor.security.intrusionDetection,
  vulnerabilityScanning: (flavor: Flavor) => flavor.security.vulnerabilityScanning,
  encryptionAtRest: (flavor: Flavor) => flavor.compliance.encryptionAtRest,
  encryptionInTransit: (flavor: Flavor) => flavor.compliance.encryptionInTransit,
  auditLogging: (flavor: Flavor) => flavor.compliance.auditLogging,
  gdpr: (flavor: Flavor) => flavor.compliance.gdpr,
  hipaa: (flavor: Flavor) => flavor.compliance.hipaa,
};

export type FlagName = FlagTrait | "spot" | "extraSpot" | "priced";

/** The yes/no columns of the table in their fixed order: 0 no, 1 yes, 2 unknown. */
export function flagColumns(
  flavors: readonly Flavor[],
  options: Options,
): { readonly name: FlagName; readonly values: Uint8Array }[] {
  const traits = Object.entries(flagTraits) as [FlagTrait, (flavor: Flavor) => boolean | undefined][];
  const priced = Uint8Array.from(flavors, (_, row) =>
    Number(!Number.isNaN(options.unitMicro[row]!) || !Number.isNaN(options.wholeMicro[row]!)),
  );
  return [
    ...traits.map(([name, read]) => ({
      name,
      values: Uint8Array.from(flavors, (flavor) => {
        const value = read(flavor);
        return value === undefined ? 2 : Number(value);
      }),
    })),
    { name: "spot" as const, values: options.spot },
    { name: "extraSpot" as const, values: options.extraSpot },
    { name: "priced" as const, values: priced },
  ];
}

/**
 * Distinct values of a trait. A predicate on the trait is decided once per distinct value, by looking at `sample`,
 * a flavor that has it, and becomes a set of allowed codes.
 */
export interface Dictionary {
  readonly name: string;
  readonly codes: Int32Array;
  /** One flavor per code. */
  readonly entries: readonly Flavor[];
  readonly column: number;
}

type Encoded = Omit<Dictionary, "column">;

/** Codes the rows by `key`; an undefined key is unknown (-1). */
function encode(
  name: string,
  flavors: readonly Flavor[],
  key: (flavor: Flavor) => string | undefined,
): Encoded {
  const known = new Map<string, number>();
  const entries: Flavor[] = [];
  const codes = Int32Array.from(flavors, (flavor) => {
    const text = key(flavor);
    if (text === undefined) return -1;
    const found = known.get(text);
    if (found !== undefined) return found;
    known.set(text, entries.length);
    entries.push(flavor);
    return entries.length - 1;
  });
  return { name, codes, entries };
}

/** The dictionary columns whose predicates look at one text trait. */
export function textColumns(flavors: readonly Flavor[]): Encoded[] {
  return [
    encode("provider", flavors, (flavor) => flavor.provider),
    encode("model", flavors, (flavor) => flavor.gpu.model),
    encode("vendor", flavors, (flavor) => flavor.gpu.vendor),
    encode("architecture", flavors, (flavor) => flavor.gpu.architecture),
    encode("tier", flavors, (flavor) => flavor.gpu.tier),
    encode("interconnect", flavors, (flavor) => flavor.gpu.interconnect),
    encode("topology", flavors, (flavor) => flavor.gpu.topology),
    encode("certifications", flavors, (flavor) => flavor.compliance.certifications?.join("\n")),
    encode("residency", flavors, (flavor) => flavor.compliance.residency?.join("\n")),
    encode("zone", flavors, (flavor) => flavor.zone),
  ];
}

/** The distinct places offers are in; unknown only when an offer states neither region nor country nor area. */
export function places(flavors: readonly Flavor[]): Encoded {
  return encode("place", flavors, (flavor) =>
    flavor.region === undefined && flavor.country === undefined && flavor.areas.length === 0
      ? undefined
      : [flavor.region ?? "", flavor.zone ?? "", flavor.country ?? "", ...flavor.areas].join("\n"),
  );
}
