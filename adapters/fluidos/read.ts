import { findGpuModel } from "../../engine/catalog/gpus.ts";
import { findRegion, resolvePlace } from "../../engine/catalog/regions.ts";
import type { Flavor, FlavorOrigin } from "../../engine/model/flavor.ts";
import type { SkippedOffer } from "../../engine/model/snapshot.ts";
import { mergeAnnotations, readAnnotations } from "../json/annotations.ts";
import type { OfferDraft } from "../json/draft.ts";
import { byText } from "../json/field.ts";
import { readWith } from "../json/leaf.ts";
import {
  attempt,
  collapseWarnings,
  createNotes,
  entryPath,
  isRecord,
  type Notes,
  throwProblems,
} from "../json/notes.ts";
import { type OfferBatch, skippedOffer } from "../json/snapshot.ts";
import {
  formatMebibytes,
  parseMebibytes,
  parseMilli,
  parseQuantity,
  quantityAccepts,
} from "../kubernetes/quantity.ts";
import {
  type CandidateResource,
  candidateSchema,
  type FlavorResource,
  flavorSchema,
  type K8Slice,
  k8SliceSchema,
  type SliceGpu,
} from "./flavor-schema.ts";

/** How flavors are read. */
export interface FluidosOptions {
  /**
   * What `gpu.memory` and `gpu.cores` count: the whole node (what FLUIDOS writes) or one GPU. Without it, whichever is
   * nearer to the catalog's figures for a known model, else the node.
   */
  readonly memoryScope?: "gpu" | "node";
}

const kinds: ReadonlySet<unknown> = new Set(["Flavor", "PeeringCandidate"]);

function itemsOf(document: unknown): readonly unknown[] | null {
  if (Array.isArray(document)) return document;
  if (!isRecord(document)) return null;
  if (kinds.has(document["kind"])) return [document];
  const { items, kind } = document as { items?: unknown; kind?: unknown };
  if (!Array.isArray(items)) return null;
  const item =
    kind === "FlavorList" ? "Flavor" : kind === "PeeringCandidateList" ? "PeeringCandidate" : undefined;
  // Items of a typed list need not repeat their kind.
  return items.map((entry: unknown) =>
    isRecord(entry) && entry["kind"] === undefined && item !== undefined ? { ...entry, kind: item } : entry,
  );
}

/** Whether a document holds FLUIDOS Flavors or PeeringCandidates only: one, a list or an array of them. */
export function isFluidosDocument(document: unknown): boolean {
  const items = itemsOf(document);
  return (
    items !== null && items.length > 0 && items.every((item) => isRecord(item) && kinds.has(item["kind"]))
  );
}

/** The number in a quantity, or 0 when it is none. */
function amountOf(text: string | undefined): number {
  const notes = createNotes();
  return text === undefined || text === "" ? 0 : (attempt(notes, "", "", () => parseQuantity(text)) ?? 0);
}

/** GPUs of a flavor that counts cores and memory only: the catalog's figures tell how many that makes. */
function countOf(gpu: SliceGpu): { readonly count: number; readonly assumed: boolean } {
  if (gpu.count !== undefined && gpu.count > 0) return { count: gpu.count, assumed: false };
  const model = findGpuModel(gpu.model);
  const cores = amountOf(gpu.cores);
  const memoryMib = amountOf(gpu.memory) / 2 ** 20;
  const whole = (ratio: number): boolean => ratio >= 0.95 && Math.abs(ratio - Math.round(ratio)) < 0.05;
  if (model !== null && whole(cores / model.cores))
    return { count: Math.round(cores / model.cores), assumed: false };
  if (model !== null && whole(memoryMib / model.memoryMib))
    return { count: Math.round(memoryMib / model.memoryMib), assumed: true };
  // Upstream calls cores a number of GPU cores, but some providers write the number of GPUs.
  return { count: Number.isInteger(cores) && cores >= 1 && cores <= 16 ? cores : 1, assumed: true };
}

/** A node total or a figure per GPU, as the figure per GPU. */
function perGpu(total: number, count: number, known: number | undefined, scope?: "gpu" | "node"): number {
  if (scope === "gpu" || total === 0) return total;
  if (scope === undefined && known !== undefined && count > 1) {
    const distance = (value: number): number => Math.abs(value - known);
    if (distance(total) < distance(total / count)) return total;
  }
  return total / count;
}

/** Regions and zones arrive swapped from the fork: what the catalog knows as a region is the region. */
function placeOf({ region, zone }: SliceGpu): { region?: string; zone?: string } {
  const isSwapped =
    zone !== undefined && zone !== "" && (region === undefined || findRegion(region) === null);
  const [place, part] = isSwapped ? [zone, region] : [region, zone];
  return {
    ...(place === undefined || place === "" ? {} : { region: place.toLowerCase() }),
    ...(part === undefined || part === "" ? {} : { zone: part.toLowerCase() }),
  };
}

const decimal = (value: number): string => String(Math.round(value * 1_000_000) / 1_000_000);

/** Gbit/s of a quantity that is either a plain number of them or bits per second. */
function gigabits(text: string | undefined): string | undefined {
  const amount = amountOf(text);
  return amount <= 0 ? undefined : decimal(amount >= 1e6 ? amount / 1e9 : amount);
}

/** Hours in the billing periods that FLUIDOS prices name. */
const periodHours: Readonly<Record<string, number>> = { hour: 1, day: 24, week: 168, month: 730 };

function hourlyPrice(spec: FlavorResource["spec"]): Record<string, string> {
  const { amount, currency, period } = spec.price;
  const unit = period.toLowerCase().replace(/ly$/, "").replace(/^dai$/, "day");
  const hours = periodHours[unit] ?? (period === "" || unit === "h" ? 1 : undefined);
  const value = Number(amount);
  if (amount === "" || hours === undefined || !(value > 0)) return {};
  return {
    "cost.fluidos.eu/hourly-rate": decimal(Math.ceil((value / hours) * 1e6) / 1e6),
    ...(currency === "" ? {} : { "cost.fluidos.eu/currency": currency.toUpperCase() }),
  };
}

/** What a flavor says, as annotations: one meaning for nodes, fixtures and flavors. */
function annotationsOf(
  { spec }: FlavorResource,
  slice: K8Slice,
  gpu: SliceGpu,
  count: number,
  options: FluidosOptions,
): Record<string, string> {
  const model = findGpuModel(gpu.model);
  const scope = options.memoryScope;
  const memory = Math.floor(perGpu(amountOf(gpu.memory) / 2 ** 20, count, model?.memoryMib, scope));
  const cores = Math.floor(perGpu(amountOf(gpu.cores), count, model?.cores, scope));
  const place = placeOf(gpu);
  const { partitionability } = slice.policies ?? {};
  const divisible = amountOf(partitionability?.gpuMin) > 0 || amountOf(partitionability?.gpuStep) > 0;
  const rate = gpu.hourly_rate ?? 0;
  const positive = (value: number | undefined): string | undefined =>
    value === undefined || value <= 0 ? undefined : decimal(value);
  const yes = (value: boolean | undefined): string | undefined => (value === true ? "true" : undefined);
  const stated: Record<string, string | undefined> = {
    "gpu.fluidos.eu/vendor": gpu.vendor,
    "gpu.fluidos.eu/model": gpu.model,
    "gpu.fluidos.eu/count": String(count),
    "gpu.fluidos.eu/memory-per-gpu": memory >= 64 ? formatMebibytes(memory) : undefined,
    "gpu.fluidos.eu/cores": cores > 16 ? String(cores) : undefined,
    "gpu.fluidos.eu/tier": gpu.tier,
    "gpu.fluidos.eu/architecture": gpu.architecture,
    "gpu.fluidos.eu/interconnect": gpu.interconnect,
    "gpu.fluidos.eu/interconnect-bandwidth-gbps": gigabits(gpu.interconnect_bandwidth),
    "gpu.fluidos.eu/compute-capability": gpu.compute_capability,
    "gpu.fluidos.eu/clock-speed": amountOf(gpu.clock_speed) > 0 ? gpu.clock_speed : undefined,
    "gpu.fluidos.eu/fp32-tflops": positive(gpu.fp32_tflops),
    "gpu.fluidos.eu/topology": gpu.topology,
    "gpu.fluidos.eu/multi-gpu-efficiency": gpu.multi_gpu_efficiency,
    "gpu.fluidos.eu/sharing-capable": yes(gpu.shared),
    "gpu.fluidos.eu/sharing-strategy": gpu.sharing_strategy,
    "gpu.fluidos.eu/dedicated": yes(gpu.dedicated),
    "gpu.fluidos.eu/divisible": divisible ? "true" : undefined,
    "nvidia.fluidos.eu/mig-capable": yes(gpu.multi_instance),
    "provider.fluidos.eu/preemptible": yes(gpu.pre_emptible === true || gpu.interruptible === true),
    "provider.fluidos.eu/name": gpu.provider,
    "location.fluidos.eu/region": place.region,
    "location.fluidos.eu/zone": place.zone,
    "network.fluidos.eu/bandwidth-gbps": gigabits(gpu.network_bandwidth),
    "network.fluidos.eu/latency-ms": positive(gpu.network_latency_ms) ?? positive(slice.properties?.latency),
    "network.fluidos.eu/tier": gpu.network_tier,
    "workload.fluidos.eu/training-score": positive(gpu.training_score),
    "workload.fluidos.eu/inference-score": positive(gpu.inference_score),
    "workload.fluidos.eu/hpc-score": positive(gpu.hpc_score),
    "workload.fluidos.eu/graphics-score": positive(gpu.graphics_score),
    "compliance.fluidos.eu/certifications": slice.properties?.securityStandards?.join(","),
    ...(rate > 0 ? { "cost.fluidos.eu/hourly-rate": decimal(rate) } : hourlyPrice(spec)),
  };
  return Object.fromEntries(
    Object.entries(stated).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== "",
    ),
  );
}

/** Annotations that a provider attached to a flavor (`additionalProperties.flare`): they survive REAR everywhere. */
function attached(slice: K8Slice): Record<string, string> {
  const flare = slice.properties?.additionalProperties?.["flare"];
  if (!isRecord(flare)) return {};
  return Object.fromEntries(
    Object.entries(flare)
      .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
      .map(([key, value]) => [key, String(value)]),
  );
}

/** What is known besides the traits: capacity, place by coordinates, whether it is free, where it came from. */
function amend(
  draft: OfferDraft,
  resource: FlavorResource,
  slice: K8Slice,
  candidate: CandidateResource | null,
  path: string,
  notes: Notes,
): void {
  const { spec, metadata } = resource;
  const { cpu, memory, pods } = slice.characteristics;
  const at = (name: string): string => `${path}.spec.flavorType.typeData.characteristics.${name}`;
  const set = (key: "cpuMilli" | "memoryMib" | "pods", name: string, read: () => number): void => {
    const value = attempt(notes, at(name), quantityAccepts, read);
    if (value !== undefined) draft.capacity[key] = value;
  };
  if (cpu !== undefined) set("cpuMilli", "cpu", () => parseMilli(cpu, "down"));
  if (memory !== undefined) set("memoryMib", "memory", () => parseMebibytes(memory, "down"));
  if (pods !== undefined) set("pods", "pods", () => Math.floor(parseQuantity(pods)));
  if (!spec.availability || candidate?.spec.available === false) draft.free = 0;
  const assume = (message: string): void => {
    notes.warnings.push({ path, code: "assumption", message });
  };
  if (draft.provider === undefined) {
    draft.provider = spec.owner.nodeID.toLowerCase();
    assume(`no provider name: the owner's node id ${draft.provider} is used`);
  }
  if (draft.region === undefined) locate(draft, spec.location, assume);
  draft.origin = originOf(metadata.name, spec.owner, candidate);
}

/** A region from the location of a flavor that names none: its city, with country and coordinates. */
function locate(
  draft: OfferDraft,
  location: FlavorResource["spec"]["location"],
  assume: (message: string) => void,
): void {
  const city =
    location?.city
      ?.trim()
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-") ?? "";
  draft.region = city === "" ? "unnamed" : city;
  assume(`no region: it is called ${draft.region}`);
  const country = location?.country === undefined ? null : resolvePlace(location.country);
  if (country?.kind === "country") draft.country = country.text.toUpperCase();
  const latitude = Number(location?.latitude || Number.NaN);
  const longitude = Number(location?.longitude || Number.NaN);
  if (Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180) draft.coordinates ??= { latitude, longitude };
}

function originOf(
  flavorName: string,
  owner: FlavorResource["spec"]["owner"],
  candidate: CandidateResource | null,
): FlavorOrigin {
  const liqoClusterId = owner.additionalInformation?.liqoID;
  return {
    source: "fluidos",
    flavorName,
    owner: { domain: owner.domain, nodeId: owner.nodeID, ip: owner.ip },
    ...(candidate === null
      ? {}
      : {
          peeringCandidate: {
            name: candidate.metadata.name,
            namespace: candidate.metadata.namespace ?? "fluidos",
          },
        }),
    ...(liqoClusterId === undefined ? {} : { liqoClusterId }),
  };
}

/** One item: an offer, null when it is broken, or why it is none. */
function readItem(
  item: unknown,
  path: string,
  options: FluidosOptions,
  notes: Notes,
): Flavor | null | "no gpu" | "no slice" {
  const isCandidate = isRecord(item) && item["kind"] === "PeeringCandidate";
  const candidate = isCandidate ? readWith(candidateSchema, item, path, notes) : undefined;
  const resource = isCandidate ? candidate?.spec.flavor : readWith(flavorSchema, item, path, notes);
  if (resource === undefined) return null;
  const base = isCandidate ? `${path}.spec.flavor` : path;
  if (resource.spec.flavorType.typeIdentifier !== "K8Slice") return "no slice";
  const slice = readWith(
    k8SliceSchema,
    resource.spec.flavorType.typeData,
    `${base}.spec.flavorType.typeData`,
    notes,
  );
  if (slice === undefined) return null;
  const own = attached(slice);
  const { gpu } = slice.characteristics;
  if ((gpu === undefined || gpu.model === "") && Object.keys(own).length === 0) return "no gpu";
  const traits = gpu ?? { model: "", cores: "0", memory: "0" };
  const { count, assumed } = countOf(traits);
  const stated = mergeAnnotations(annotationsOf(resource, slice, traits, count, options), own);
  if (assumed && own["gpu.fluidos.eu/count"] === undefined)
    notes.warnings.push({
      path: base,
      code: "assumption",
      message: `no GPU count: ${count} by cores ${traits.cores} and memory ${traits.memory}`,
    });
  return readAnnotations(resource.metadata.name, stated, `${base}.spec.flavorType.typeData`, notes, (draft) =>
    amend(draft, resource, slice, candidate ?? null, base, notes),
  );
}

/** Flavor names are short hashes: two sellers may use one. The seller's node id then tells them apart. */
function distinct(offers: readonly Flavor[]): Flavor[] {
  const bySeller = new Map<string, Flavor>();
  for (const offer of offers) {
    const key = `${offer.id}@${offer.origin?.owner?.nodeId ?? ""}`;
    const other = bySeller.get(key);
    // A flavor and its candidate are one offer; the candidate can be addressed.
    if (other === undefined || offer.origin?.peeringCandidate !== undefined) bySeller.set(key, offer);
  }
  const all = [...bySeller.values()];
  const times = new Map<string, number>();
  for (const { id } of all) times.set(id, (times.get(id) ?? 0) + 1);
  return all.map((offer) =>
    (times.get(offer.id) ?? 0) > 1 ? { ...offer, id: `${offer.id}@${offer.origin?.owner?.nodeId}` } : offer,
  );
}

/**
 * Offers from FLUIDOS Flavors and PeeringCandidates, of the upstream project or of the fork that carries GPU traits.
 * Taken ones are read with nothing free. Flavors of other types and slices without a GPU are left out and counted; a
 * broken one is skipped and named.
 *
 * @throws {EngineError} never for a document that `isFluidosDocument` accepts
 * @see https://github.com/fluidos-project/node, apis/nodecore/v1alpha1
 */
export function readFluidos(document: unknown, options: FluidosOptions = {}): OfferBatch {
  const notes = createNotes();
  const offers: Flavor[] = [];
  const skipped: SkippedOffer[] = [];
  const leftOut = { "no gpu": 0, "no slice": 0 };
  (itemsOf(document) ?? []).forEach((item, index) => {
    const metadata = isRecord(item) ? item["metadata"] : undefined;
    const name = isRecord(metadata) ? metadata["name"] : undefined;
    const path = entryPath("items", index, "name", name);
    const own = createNotes();
    const result = readItem(item, path, options, own);
    notes.warnings.push(...own.warnings);
    if (result === "no gpu" || result === "no slice") leftOut[result] += 1;
    else if (result !== null && own.problems.length === 0) offers.push(result);
    else skipped.push(skippedOffer(typeof name === "string" ? name : path, own));
  });
  const count = (number: number, what: string): void => {
    if (number > 0)
      notes.warnings.push({ path: "items", code: "skipped", message: `${number} flavors ${what} left out` });
  };
  count(leftOut["no gpu"], "without a GPU");
  count(leftOut["no slice"], "of other types than K8Slice");
  throwProblems(notes, "flavors");
  return {
    offers: distinct(offers).sort((a, b) => byText(a.id, b.id)),
    skipped: skipped.sort((a, b) => byText(a.id, b.id)),
    warnings: collapseWarnings(notes.warnings),
  };
}
