import type { Coordinates, Flavor } from "../model/flavor.ts";
import { carbonGrams } from "../score/performance.ts";
import type { Options } from "./catalog.ts";

const numericTraits = [
  "gpusFree",
  "gpusTotal",
  "cpuMilliFree",
  "memoryMibFree",
  "podsFree",
  "gpuMemoryMib",
  "cores",
  "clockMhz",
  "computeCapability",
  "fp32Tflops",
  "multiGpuEfficiency",
  "carbonGramsPerGpuHour",
  "pue",
  "renewablePercent",
  "efficiencyRating",
  "latencyMs",
  "bandwidthGbps",
  "jitterMs",
  "uptimePercent",
  "coldStartSeconds",
] as const;

type NumericTrait = (typeof numericTraits)[number];

export type NumericName = NumericTrait | "unitMicro" | "wholeMicro";

/** A is 1 ... F is 6: smaller is better. */
export function ratingRank(rating: string): number {
  return "ABCDEF".indexOf(rating) + 1;
}

const flagTraits = [
  "dedicated",
  "sharing",
  "mig",
  "green",
  "isolation",
  "vpn",
  "bastion",
  "intrusionDetection",
  "vulnerabilityScanning",
  "encryptionAtRest",
  "encryptionInTransit",
  "auditLogging",
  "gdpr",
  "hipaa",
] as const;

type FlagTrait = (typeof flagTraits)[number];

export type FlagName = FlagTrait | "spot" | "extraSpot" | "priced";

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

/** The traits with named values; `place`, which is several of them together, has an encoder of its own. */
const textTraits: Readonly<Record<string, (flavor: Flavor) => string | undefined>> = {
  provider: (flavor) => flavor.provider,
  model: (flavor) => flavor.gpu.model,
  vendor: (flavor) => flavor.gpu.vendor,
  architecture: (flavor) => flavor.gpu.architecture,
  tier: (flavor) => flavor.gpu.tier,
  interconnect: (flavor) => flavor.gpu.interconnect,
  topology: (flavor) => flavor.gpu.topology,
  certifications: (flavor) => flavor.compliance.certifications?.join("\n"),
  residency: (flavor) => flavor.compliance.residency?.join("\n"),
  zone: (flavor) => flavor.zone,
};

/** Builds a dictionary row by row. */
class Encoder {
  readonly name: string;
  readonly codes: Int32Array;
  readonly entries: Flavor[] = [];
  readonly #known: Map<string, number> = new Map();
  readonly #key: (flavor: Flavor) => string | undefined;

  constructor(name: string, rows: number, key: (flavor: Flavor) => string | undefined) {
    this.name = name;
    this.codes = new Int32Array(rows).fill(-1);
    this.#key = key;
  }

  read(row: number, flavor: Flavor): void {
    const text = this.#key(flavor);
    if (text === undefined) return;
    let code = this.#known.get(text);
    if (code === undefined) {
      code = this.entries.push(flavor) - 1;
      this.#known.set(text, code);
    }
    this.codes[row] = code;
  }
}

/**
 * Dictionary of the distinct places offers are in: region, zone, country and areas together, unknown only where none is
 * stated. Each part is numbered, and the numbers make the key: joining texts per offer would cost more than all else.
 */
class PlaceEncoder {
  readonly name = "place";
  readonly codes: Int32Array;
  readonly entries: Flavor[] = [];
  readonly #known: Map<number, number> = new Map();
  readonly #parts: readonly Map<unknown, number>[] = [new Map(), new Map(), new Map(), new Map(), new Map()];
  readonly #areaTexts: Map<readonly string[], string> = new Map();

  constructor(rows: number) {
    this.codes = new Int32Array(rows).fill(-1);
  }

  read(row: number, flavor: Flavor): void {
    const { region, zone, country, areas } = flavor;
    if (region === undefined && country === undefined && areas.length === 0) return;
    let text = this.#areaTexts.get(areas);
    if (text === undefined) {
      text = areas.join("\n");
      this.#areaTexts.set(areas, text);
    }
    const area = this.#pair(this.#number(2, country), this.#number(3, text));
    const site = this.#pair(this.#number(0, region), this.#number(1, zone));
    const key = this.#pair(site, area);
    let code = this.#known.get(key);
    if (code === undefined) {
      code = this.entries.push(flavor) - 1;
      this.#known.set(key, code);
    }
    this.codes[row] = code;
  }

  /** One number for two below 2^26; pairs of pairs stay exact while there are fewer distinct ones than that. */
  #pair(a: number, b: number): number {
    return this.#number(4, a * 67_108_864 + b);
  }

  #number(index: number, value: unknown): number {
    const part = this.#parts[index]!;
    let number = part.get(value);
    if (number === undefined) {
      number = part.size;
      part.set(value, number);
    }
    return number;
  }
}

/** Every column of the table in its fixed order. */
export interface Columns {
  readonly numeric: readonly { readonly name: NumericName; readonly values: Float64Array }[];
  readonly flags: readonly { readonly name: FlagName; readonly values: Uint8Array }[];
  readonly texts: readonly Encoded[];
  /** Distinct coordinates, and per row which, -1 for none. */
  readonly sites: readonly Coordinates[];
  readonly siteOf: Int32Array;
}

/**
 * Reads all traits of all rows in one pass over the offers: an offer is a handful of small objects, and visiting each
 * once is several times faster than once per column. A flavor's second row copies its first.
 *
 * @param flavors one per row
 */
export function readColumns(flavors: readonly Flavor[], options: Options): Columns {
  const rows = flavors.length;
  const numbers = Object.fromEntries(numericTraits.map((name) => [name, new Float64Array(rows)])) as Numbers;
  const flags = Object.fromEntries(flagTraits.map((name) => [name, new Uint8Array(rows)])) as Flags;
  const texts = [
    ...Object.entries(textTraits).map(([name, key]) => new Encoder(name, rows, key)),
    new PlaceEncoder(rows),
  ];
  const priced = new Uint8Array(rows);
  const sites = new Map<Coordinates, number>();
  const siteOf = new Int32Array(rows).fill(-1);
  for (let row = 0; row < rows; row++) {
    const flavor = flavors[row]!;
    priced[row] = Number(!Number.isNaN(options.unitMicro[row]!) || !Number.isNaN(options.wholeMicro[row]!));
    if (row > 0 && flavor === flavors[row - 1]) {
      for (const name of numericTraits) numbers[name][row] = numbers[name][row - 1]!;
      for (const name of flagTraits) flags[name][row] = flags[name][row - 1]!;
      for (const { codes } of texts) codes[row] = codes[row - 1]!;
      siteOf[row] = siteOf[row - 1]!;
      continue;
    }
    readNumbers(numbers, row, flavor);
    readFlags(flags, row, flavor);
    for (const text of texts) text.read(row, flavor);
    if (flavor.coordinates !== undefined) {
      const site = sites.get(flavor.coordinates) ?? sites.size;
      if (site === sites.size) sites.set(flavor.coordinates, site);
      siteOf[row] = site;
    }
  }
  return {
    numeric: [
      ...numericTraits.map((name) => ({ name, values: numbers[name] })),
      { name: "unitMicro", values: options.unitMicro },
      { name: "wholeMicro", values: options.wholeMicro },
    ],
    flags: [
      ...flagTraits.map((name) => ({ name, values: flags[name] })),
      { name: "spot", values: options.spot },
      { name: "extraSpot", values: options.extraSpot },
      { name: "priced", values: priced },
    ],
    texts: texts.map(({ name, codes, entries }) => ({ name, codes, entries })),
    sites: [...sites.keys()],
    siteOf,
  };
}

type Numbers = Readonly<Record<NumericTrait, Float64Array>>;
type Flags = Readonly<Record<FlagTrait, Uint8Array>>;

/** Straight-line on purpose: a table of readers costs a call and a second look-up per trait, three times the time. */
function readNumbers(
  to: Numbers,
  row: number,
  { capacity, gpu, energy, network, performance }: Flavor,
): void {
  to.gpusFree[row] = capacity.gpusFree;
  to.gpusTotal[row] = capacity.gpus;
  to.cpuMilliFree[row] = capacity.cpuMilliFree ?? capacity.cpuMilli ?? Number.NaN;
  to.memoryMibFree[row] = capacity.memoryMibFree ?? capacity.memoryMib ?? Number.NaN;
  to.podsFree[row] = capacity.podsFree ?? capacity.pods ?? Number.NaN;
  to.gpuMemoryMib[row] = gpu.memoryMib ?? Number.NaN;
  to.cores[row] = gpu.cores ?? Number.NaN;
  to.clockMhz[row] = gpu.clockMhz ?? Number.NaN;
  to.computeCapability[row] = gpu.computeCapability ?? Number.NaN;
  to.fp32Tflops[row] = gpu.fp32Tflops ?? Number.NaN;
  to.multiGpuEfficiency[row] = gpu.multiGpuEfficiency ?? Number.NaN;
  to.carbonGramsPerGpuHour[row] = carbonGrams(gpu.powerWatts, energy.pue, energy.carbonIntensity);
  to.pue[row] = energy.pue ?? Number.NaN;
  to.renewablePercent[row] = energy.renewablePercent ?? Number.NaN;
  to.efficiencyRating[row] =
    energy.efficiencyRating === undefined ? Number.NaN : ratingRank(energy.efficiencyRating);
  to.latencyMs[row] = network.latencyMs ?? Number.NaN;
  to.bandwidthGbps[row] = network.bandwidthGbps ?? Number.NaN;
  to.jitterMs[row] = performance.jitterMs ?? Number.NaN;
  to.uptimePercent[row] = performance.uptimePercent ?? Number.NaN;
  to.coldStartSeconds[row] = performance.coldStartSeconds ?? Number.NaN;
}

/** 0 no, 1 yes, 2 unknown. */
const flagOf = (value: boolean | undefined): number => (value === undefined ? 2 : value ? 1 : 0);

function readFlags(to: Flags, row: number, { gpu, energy, security, compliance }: Flavor): void {
  to.dedicated[row] = flagOf(gpu.dedicated);
  to.sharing[row] = flagOf(gpu.sharing);
  to.mig[row] = flagOf(gpu.migCapable);
  to.green[row] = flagOf(energy.greenCertified);
  to.isolation[row] = flagOf(security.networkIsolation);
  to.vpn[row] = flagOf(security.vpn);
  to.bastion[row] = flagOf(security.bastion);
  to.intrusionDetection[row] = flagOf(security.intrusionDetection);
  to.vulnerabilityScanning[row] = flagOf(security.vulnerabilityScanning);
  to.encryptionAtRest[row] = flagOf(compliance.encryptionAtRest);
  to.encryptionInTransit[row] = flagOf(compliance.encryptionInTransit);
  to.auditLogging[row] = flagOf(compliance.auditLogging);
  to.gdpr[row] = flagOf(compliance.gdpr);
  to.hipaa[row] = flagOf(compliance.hipaa);
}
