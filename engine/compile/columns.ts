import type { Capacity, Coordinates, Flavor, GpuTraits } from "../model/flavor.ts";
import { carbonGrams } from "../score/performance.ts";
import type { Options } from "./catalog.ts";

/** Read once per distinct GPU description. */
const gpuNumericTraits = [
  "gpuMemoryMib",
  "cores",
  "clockMhz",
  "computeCapability",
  "fp32Tflops",
  "multiGpuEfficiency",
] as const;

/** What changes while an offer stands: the columns that `amend` writes. */
export const capacityTraits = ["gpusFree", "cpuMilliFree", "memoryMibFree", "podsFree"] as const;

const offerNumericTraits = [
  "gpusFree",
  "gpusTotal",
  "cpuMilliFree",
  "memoryMibFree",
  "podsFree",
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

type GpuNumeric = (typeof gpuNumericTraits)[number];
type OfferNumeric = (typeof offerNumericTraits)[number];

export type NumericName = GpuNumeric | OfferNumeric | "unitMicro" | "wholeMicro";

/** A is 1 ... F is 6: smaller is better. */
export function ratingRank(rating: string): number {
  return "ABCDEF".indexOf(rating) + 1;
}

const gpuFlagTraits = ["dedicated", "sharing", "mig"] as const;

const offerFlagTraits = [
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

type GpuFlag = (typeof gpuFlagTraits)[number];
type OfferFlag = (typeof offerFlagTraits)[number];

export type FlagName = GpuFlag | OfferFlag | "spot" | "extraSpot" | "priced";

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
  /** Code of a flavor, -1 for unknown; a value not seen before gets a new code, and the flavor becomes its entry. */
  readonly codeOf: (flavor: Flavor) => number;
}

type Encoded = Omit<Dictionary, "column">;

type TextTraits = Readonly<Record<string, (flavor: Flavor) => string | undefined>>;

const gpuTextTraits: TextTraits = {
  model: (flavor) => flavor.gpu.model,
  vendor: (flavor) => flavor.gpu.vendor,
  architecture: (flavor) => flavor.gpu.architecture,
  tier: (flavor) => flavor.gpu.tier,
  interconnect: (flavor) => flavor.gpu.interconnect,
  topology: (flavor) => flavor.gpu.topology,
};

/** The traits with named values; `place`, which is several of them together, has an encoder of its own. */
const textTraits: TextTraits = {
  provider: (flavor) => flavor.provider,
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

  constructor(name: string, size: number, key: (flavor: Flavor) => string | undefined) {
    this.name = name;
    this.codes = new Int32Array(size).fill(-1);
    this.#key = key;
  }

  codeOf = (flavor: Flavor): number => {
    const text = this.#key(flavor);
    if (text === undefined) return -1;
    let code = this.#known.get(text);
    if (code === undefined) {
      code = this.entries.push(flavor) - 1;
      this.#known.set(text, code);
    }
    return code;
  };

  read(index: number, flavor: Flavor): void {
    this.codes[index] = this.codeOf(flavor);
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

  codeOf = (flavor: Flavor): number => {
    const { region, zone, country, areas } = flavor;
    if (region === undefined && country === undefined && areas.length === 0) return -1;
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
    return code;
  };

  read(row: number, flavor: Flavor): void {
    this.codes[row] = this.codeOf(flavor);
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
  readonly hardware: Hardware;
}

/** Distinct GPU descriptions (by identity: readers share equal ones) and what depends on nothing else. */
export interface Hardware {
  /** Per row, index into `kinds`. */
  readonly kindOf: Int32Array;
  readonly kinds: readonly GpuTraits[];
  /** Offers, by index, whose provider states suitability scores. */
  readonly scored: readonly number[];
}

/** One array per name, one value per thing: an offer, or a distinct GPU description. */
const numbersOf = <N extends string>(names: readonly N[], size: number): Record<N, Float64Array> =>
  Object.fromEntries(names.map((name) => [name, new Float64Array(size)])) as Record<N, Float64Array>;

const flagsOf = <N extends string>(names: readonly N[], size: number): Record<N, Uint8Array> =>
  Object.fromEntries(names.map((name) => [name, new Uint8Array(size)])) as Record<N, Uint8Array>;

/** Values per row from values per thing; `of` says which thing a row is. */
function expand<T extends Float64Array | Uint8Array | Int32Array>(rows: T, values: T, of: Int32Array): T {
  for (let row = 0; row < rows.length; row++) rows[row] = values[of[row]!]!;
  return rows;
}

/** Distinct things in order of appearance, and which each one seen is. */
class Numbering<T> {
  readonly all: T[] = [];
  readonly #index: Map<T, number> = new Map();

  /** Index of a thing, and whether it is new. */
  of(thing: T): { readonly index: number; readonly isNew: boolean } {
    const index = this.#index.get(thing);
    if (index !== undefined) return { index, isNew: false };
    this.#index.set(thing, this.all.length);
    return { index: this.all.push(thing) - 1, isNew: true };
  }
}

/**
 * Reads all traits in one pass over the offers: an offer is a handful of small objects scattered in memory, and visiting
 * each once is several times faster than once per column. What depends on the GPU alone is read once per distinct
 * description. Rows are then filled column by column.
 */
export function readColumns(offers: readonly Flavor[], options: Options): Columns {
  const size = offers.length;
  const numbers = numbersOf(offerNumericTraits, size);
  const flags = flagsOf(offerFlagTraits, size);
  const texts = [
    ...Object.entries(textTraits).map(([name, key]) => new Encoder(name, size, key)),
    new PlaceEncoder(size),
  ];
  const kinds = new Numbering<GpuTraits>();
  const samples: Flavor[] = [];
  const sites = new Numbering<Coordinates>();
  const kindOf = new Int32Array(size);
  const siteOf = new Int32Array(size).fill(-1);
  const scored: number[] = [];
  offers.forEach((flavor, index) => {
    const kind = kinds.of(flavor.gpu);
    if (kind.isNew) samples.push(flavor);
    kindOf[index] = kind.index;
    readNumbers(numbers, index, flavor);
    readFlags(flags, index, flavor);
    for (const text of texts) text.read(index, flavor);
    if (flavor.coordinates !== undefined) siteOf[index] = sites.of(flavor.coordinates).index;
    if (hasMembers(flavor.scores)) scored.push(index);
  });
  const { flavor: offerOf, count: rows } = options;
  const rowKinds = expand(new Int32Array(rows), kindOf, offerOf);
  const gpu = readKinds(samples, rowKinds);
  return {
    numeric: [
      ...gpu.numeric,
      ...offerNumericTraits.map((name) => ({
        name,
        values: expand(new Float64Array(rows), numbers[name], offerOf),
      })),
      { name: "unitMicro", values: options.unitMicro },
      { name: "wholeMicro", values: options.wholeMicro },
    ],
    flags: [
      ...gpu.flags,
      ...offerFlagTraits.map((name) => ({
        name,
        values: expand(new Uint8Array(rows), flags[name], offerOf),
      })),
      { name: "spot", values: options.spot },
      { name: "extraSpot", values: options.extraSpot },
      { name: "priced", values: pricedRows(options) },
    ],
    texts: [
      ...gpu.texts,
      ...texts.map(({ name, codes, entries, codeOf }) => ({
        name,
        codes: expand(new Int32Array(rows), codes, offerOf),
        entries,
        codeOf,
      })),
    ],
    sites: sites.all,
    siteOf: expand(new Int32Array(rows), siteOf, offerOf),
    hardware: { kindOf: rowKinds, kinds: kinds.all, scored },
  };
}

/** False for an empty object, without listing its keys. */
export const hasMembers = (block: object): boolean => {
  for (const _ in block) return true;
  return false;
};

/** Columns that depend on the GPU alone, from one flavor per distinct description. */
function readKinds(samples: readonly Flavor[], of: Int32Array): Pick<Columns, "numeric" | "flags" | "texts"> {
  const numbers = numbersOf(gpuNumericTraits, samples.length);
  const flags = flagsOf(gpuFlagTraits, samples.length);
  const texts = Object.entries(gpuTextTraits).map(([name, key]) => new Encoder(name, samples.length, key));
  samples.forEach((flavor, index) => {
    readGpuNumbers(numbers, index, flavor.gpu);
    readGpuFlags(flags, index, flavor.gpu);
    for (const text of texts) text.read(index, flavor);
  });
  return {
    numeric: gpuNumericTraits.map((name) => ({
      name,
      values: expand(new Float64Array(of.length), numbers[name], of),
    })),
    flags: gpuFlagTraits.map((name) => ({
      name,
      values: expand(new Uint8Array(of.length), flags[name], of),
    })),
    texts: texts.map(({ name, codes, entries, codeOf }) => ({
      name,
      codes: expand(new Int32Array(of.length), codes, of),
      entries,
      codeOf,
    })),
  };
}

/** 1 where an option has a price in the snapshot's currency. */
const pricedRows = ({ unitMicro, wholeMicro }: Options): Uint8Array =>
  Uint8Array.from(unitMicro, (price, row) => Number(price >= 0 || wholeMicro[row]! >= 0));

type GpuNumbers = Readonly<Record<GpuNumeric, Float64Array>>;
type Numbers = Readonly<Record<OfferNumeric, Float64Array>>;
type GpuFlags = Readonly<Record<GpuFlag, Uint8Array>>;
type Flags = Readonly<Record<OfferFlag, Uint8Array>>;

/** Straight-line on purpose: a table of readers costs a call and a second look-up per trait, three times the time. */
function readGpuNumbers(to: GpuNumbers, row: number, gpu: GpuTraits): void {
  to.gpuMemoryMib[row] = gpu.memoryMib ?? Number.NaN;
  to.cores[row] = gpu.cores ?? Number.NaN;
  to.clockMhz[row] = gpu.clockMhz ?? Number.NaN;
  to.computeCapability[row] = gpu.computeCapability ?? Number.NaN;
  to.fp32Tflops[row] = gpu.fp32Tflops ?? Number.NaN;
  to.multiGpuEfficiency[row] = gpu.multiGpuEfficiency ?? Number.NaN;
}

/** What is free of an offer; a total that nothing is known to be taken from is free, NaN is not stated. */
export function readCapacity(capacity: Capacity): Record<(typeof capacityTraits)[number], number> {
  return {
    gpusFree: capacity.gpusFree,
    cpuMilliFree: capacity.cpuMilliFree ?? capacity.cpuMilli ?? Number.NaN,
    memoryMibFree: capacity.memoryMibFree ?? capacity.memoryMib ?? Number.NaN,
    podsFree: capacity.podsFree ?? capacity.pods ?? Number.NaN,
  };
}

function readNumbers(
  to: Numbers,
  row: number,
  { capacity, gpu, energy, network, performance }: Flavor,
): void {
  const free = readCapacity(capacity);
  for (const name of capacityTraits) to[name][row] = free[name];
  to.gpusTotal[row] = capacity.gpus;
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

function readGpuFlags(to: GpuFlags, row: number, gpu: GpuTraits): void {
  to.dedicated[row] = flagOf(gpu.dedicated);
  to.sharing[row] = flagOf(gpu.sharing);
  to.mig[row] = flagOf(gpu.migCapable);
}

function readFlags(to: Flags, row: number, { energy, security, compliance }: Flavor): void {
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
