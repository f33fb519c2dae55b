import { findGpuModel, type GpuModel, gpuModels, hasOneLink } from "../../engine/catalog/gpus.ts";
import { areasOf, findRegion, resolvePlace } from "../../engine/catalog/regions.ts";
import type {
  Capacity,
  ComplianceTraits,
  Coordinates,
  Device,
  EnergyTraits,
  Flavor,
  FlavorOrigin,
  GpuTraits,
  NetworkTraits,
  PerformanceTraits,
  SecurityTraits,
  WorkloadKind,
} from "../../engine/model/flavor.ts";
import type { Money } from "../../engine/model/money.ts";
import { stated } from "./field.ts";
import type { Notes } from "./notes.ts";

type Mutable<T> = { -readonly [K in keyof T]?: T[K] };

/** What a provider states about an offer, before the catalogs fill the rest. Absent is not stated. */
export interface OfferDraft {
  id: string;
  provider?: string;
  region?: string;
  zone?: string;
  country?: string;
  coordinates?: Coordinates;
  gpu: Mutable<GpuTraits>;
  /** GPUs in total, and free now. */
  count?: number;
  free?: number;
  capacity: Mutable<Omit<Capacity, "gpus" | "gpusFree">>;
  devices?: readonly Device[];
  /** The price in the documents' terms: one rate, spot when the offer is preemptible. */
  rate?: Money;
  spotRate?: Money;
  preemptible?: boolean;
  basis?: "node" | "gpu";
  divisible?: boolean;
  interruptionRate?: number;
  energy: Mutable<EnergyTraits>;
  network: Mutable<NetworkTraits>;
  compliance: Mutable<ComplianceTraits>;
  security: Mutable<SecurityTraits>;
  performance: Mutable<PerformanceTraits>;
  scores: Partial<Record<WorkloadKind, number>>;
  origin?: FlavorOrigin;
}

/** A draft that states nothing but its id. */
export function createDraft(id: string): OfferDraft {
  return {
    id,
    gpu: {},
    capacity: {},
    energy: {},
    network: {},
    compliance: {},
    security: {},
    performance: {},
    scores: {},
  };
}

/** Traits whose stated value is compared with the catalog's (C-31). */
const compared = ["memoryMib", "cores", "clockMhz", "fp32Tflops"] as const;

function warnDeviation(gpu: Mutable<GpuTraits>, model: GpuModel, path: string, notes: Notes): void {
  for (const trait of compared) {
    const known = model[trait];
    const value = gpu[trait];
    if (known === undefined || known === null || value === undefined) continue;
    if (Math.abs(value - known) > 0.15 * known)
      notes.warnings.push({
        path,
        code: "suspicious",
        message: `${trait} ${value} differs by more than 15 % from the catalog's ${known} for ${model.name}; the offer's own value counts`,
      });
  }
}

/** Drops undefined and null, so that only what is known is present. */
function known<T extends object>(value: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined && member !== null),
  ) as { [K in keyof T]?: NonNullable<T[K]> };
}

const modelNames = new Map<string, string | null>();

/** The catalog's name for a text; remembered, since a large snapshot repeats few texts. */
function catalogName(text: string): string | null {
  let name = modelNames.get(text);
  if (name === undefined) {
    name = findGpuModel(text)?.name ?? null;
    if (modelNames.size < 10_000) modelNames.set(text, name);
  }
  return name;
}

const modelByName: ReadonlyMap<string, GpuModel> = new Map(gpuModels.map((model) => [model.name, model]));

/** Stream processors of one AMD compute unit. */
const PER_COMPUTE_UNIT = 64;

/** AMD's labels count compute units; intents and the catalog count cores. */
function countCores(gpu: Mutable<GpuTraits>, model: GpuModel): void {
  if (model.vendor === "amd" && gpu.cores !== undefined && gpu.cores * PER_COMPUTE_UNIT === model.cores)
    gpu.cores = model.cores;
}

/** The stated traits over those of the catalog. */
function completeGpu(draft: OfferDraft, name: string, path: string, notes: Notes): GpuTraits {
  const model = modelByName.get(name);
  if (model === undefined) return { ...draft.gpu, model: name, families: [name] };
  countCores(draft.gpu, model);
  warnDeviation(draft.gpu, model, path, notes);
  return {
    ...known({
      vendor: model.vendor,
      memoryMib: model.memoryMib,
      tier: model.tier,
      architecture: model.architecture,
      ...(draft.gpu.interconnect === undefined && hasOneLink(model)
        ? { interconnect: model.interconnect, interconnectBandwidth: model.interconnectBandwidth }
        : {}),
      cores: model.cores,
      clockMhz: model.clockMhz,
      computeCapability: model.computeCapability,
      fp32Tflops: model.fp32Tflops,
      fp16Tflops: model.fp16Tflops,
      memoryBandwidth: model.memoryBandwidth,
      powerWatts: model.powerWatts,
      migCapable: model.migCapable,
    }),
    ...draft.gpu,
    model: model.name,
    families: model.families,
  };
}

function completePrice(draft: OfferDraft, path: string, notes: Notes): Flavor["price"] | null {
  const { rate, spotRate, preemptible, interruptionRate } = draft;
  if (rate === undefined && spotRate === undefined) {
    notes.problems.push({ path, code: "missing_field", message: "no price; accepted: an hourly rate" });
    return null;
  }
  if (rate !== undefined && spotRate !== undefined && rate.currency !== spotRate.currency) {
    notes.problems.push({
      path,
      code: "conflicting_fields",
      message: `rates in ${rate.currency} and ${spotRate.currency}; accepted: one currency per offer`,
    });
    return null;
  }
  const spot = preemptible === true ? (rate ?? spotRate) : spotRate;
  if (preemptible === true && spotRate !== undefined && rate !== undefined && spotRate.micro !== rate.micro) {
    notes.problems.push({
      path,
      code: "conflicting_fields",
      message: "a preemptible offer's hourly rate is its spot price; accepted: no other spot rate",
    });
    return null;
  }
  return {
    basis: draft.basis ?? "node",
    ...stated({ onDemand: preemptible === true ? undefined : rate, spot, interruptionRate }),
  };
}

/** Free altogether: neither shared nor cut into MIG instances. */
const isWholeDevice = ({ freeMilli, migInUse }: Device): boolean =>
  freeMilli === 1000 && (migInUse ?? []).length === 0;

function completeCapacity(draft: OfferDraft, path: string, notes: Notes): Capacity | null {
  const { count, devices } = draft;
  if (count === undefined) {
    notes.problems.push({
      path,
      code: "missing_field",
      message: "no GPU count; accepted: a whole number from 1",
    });
    return null;
  }
  const whole = devices === undefined ? count : devices.filter(isWholeDevice).length;
  const free = draft.free ?? Math.min(count, whole);
  const over = (name: string, part: number | undefined, total: number | undefined): void => {
    if (part !== undefined && total !== undefined && part > total)
      notes.problems.push({
        path,
        code: "out_of_range",
        message: `${name} ${part} free; accepted: at most ${total}`,
      });
  };
  const { cpuMilli, memoryMib, pods } = draft.capacity;
  over("GPUs:", free, count);
  over("CPU thousandths:", draft.capacity.cpuMilliFree, cpuMilli);
  over("MiB of memory:", draft.capacity.memoryMibFree, memoryMib);
  over("pods:", draft.capacity.podsFree, pods);
  if (devices !== undefined && devices.length !== count)
    notes.problems.push({
      path,
      code: "conflicting_fields",
      message: `${devices.length} devices listed; accepted: as many as GPUs, ${count}`,
    });
  return {
    gpus: count,
    gpusFree: free,
    ...stated({ cpuMilliFree: cpuMilli, memoryMibFree: memoryMib, podsFree: pods }),
    ...draft.capacity,
    ...stated({ devices }),
  };
}

/**
 * An offer from what its provider states, the rest filled from the GPU and region catalogs; stated values win.
 * Null when something required is missing or contradictory; `notes` says what.
 *
 * @param path of the offer in its document
 */
export function completeOffer(draft: OfferDraft, path: string, notes: Notes): Flavor | null {
  const before = notes.problems.length;
  const name = draft.gpu.model;
  if (name === undefined)
    notes.problems.push({ path, code: "missing_field", message: "no GPU model; accepted: a model name" });
  const price = completePrice(draft, path, notes);
  const capacity = completeCapacity(draft, path, notes);
  if (draft.basis === "gpu" && draft.divisible === false)
    notes.problems.push({
      path,
      code: "conflicting_fields",
      message: "priced per GPU but not divisible; accepted: basis node, or divisible",
    });
  if (draft.provider === undefined)
    notes.problems.push({ path, code: "missing_field", message: "no provider; accepted: a provider's name" });
  if (notes.problems.length > before || name === undefined || price === null || capacity === null)
    return null;
  const region = draft.region === undefined ? null : findRegion(draft.region);
  return {
    id: draft.id,
    provider: sharedName((draft.provider ?? "").toLowerCase()),
    areas: region?.areas ?? (draft.country === undefined ? [] : areasOf(draft.country)),
    gpu: shared(completeGpu(draft, name, path, notes)),
    capacity: shared(capacity, capacities),
    price,
    divisible: draft.divisible ?? draft.basis === "gpu",
    energy: shared({
      ...known({ carbonIntensity: region?.carbonIntensity, pue: region?.pue }),
      ...draft.energy,
    }),
    network: shared(draft.network),
    compliance: shared(draft.compliance),
    security: shared(draft.security),
    performance: shared(draft.performance),
    scores: shared(draft.scores),
    ...stated({
      region: region?.name ?? draft.region,
      zone: draft.zone === undefined ? undefined : sharedName(draft.zone),
      country: draft.country ?? region?.country,
      coordinates: draft.coordinates ?? region?.coordinates,
      origin: draft.origin,
    }),
  };
}

/** Blocks and names seen so far by their text; beyond this many, new ones are no longer remembered. */
const blocks = new Map<string, object>();
/** What is free differs more from offer to offer, and must not crowd out the rest. */
const capacities = new Map<string, object>();
const names = new Map<string, string>();
const MOST_BLOCKS = 65_536;

/**
 * The one object that stands for all equal blocks of traits. Offers repeat each other: a large federation has a hundred
 * thousand offers and a few thousand kinds of hardware, and whoever reads them all later finds few objects, in cache.
 */
function shared<T extends object>(block: T, seen: Map<string, object> = blocks): T {
  const text = JSON.stringify(block);
  const known = seen.get(text);
  if (known !== undefined) return known as T;
  if (seen.size < MOST_BLOCKS) seen.set(text, Object.freeze(block));
  return block;
}

/** The same for names: equal ones are found by their address from then on. */
function sharedName(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  if (names.size < MOST_BLOCKS) names.set(text, text);
  return text;
}

/** What an offer's GPU model is called: the catalog's name, or the text itself, lower case, with its vendor. */
export function offerModel(text: string, vendor: string | undefined): string | null {
  const known = catalogName(text);
  if (known !== null) return known;
  const name = text
    .trim()
    .toLowerCase()
    .replace(/[\s_]+/g, "-");
  if (/^(nvidia|amd|intel|qualcomm|apple|custom)-/.test(name)) return name;
  return vendor === undefined ? null : `${vendor}-${name}`;
}

/**
 * Places in which data stays, canonical, each with what it lies in: "Germany" is `de`, `eu` and `europe`. Texts that
 * the catalog does not know are kept, lower case.
 */
export function residencyPlaces(texts: readonly string[]): string[] {
  const names = texts.flatMap((text) => {
    const place = resolvePlace(text);
    if (place === null) return [text.trim().toLowerCase()];
    const country = place.kind === "region" ? findRegion(place.text)?.country : place.text;
    const inside =
      place.kind === "area" || country === undefined ? [] : [country.toLowerCase(), ...areasOf(country)];
    return [place.text, ...inside];
  });
  return [...new Set(names)].sort();
}
