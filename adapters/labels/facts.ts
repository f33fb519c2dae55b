import { findGpuModel, type GpuModel, hasOneLink } from "../../engine/catalog/gpus.ts";
import { formatCapability } from "../json/leaf.ts";
import { formatMebibytes } from "../kubernetes/quantity.ts";

/** What labels or devices say about the GPUs of one node; figures per GPU. Absent is not stated. */
export interface GpuFacts {
  readonly vendor: string;
  /** As the vendor spells it: `NVIDIA-H100-80GB-HBM3`. */
  readonly product?: string;
  /** Devices that can be asked for. */
  readonly count?: number;
  readonly memoryMib?: number;
  readonly architecture?: string;
  /** `major.minor` */
  readonly computeCapability?: string;
  readonly cores?: number;
  /** How several workloads share one GPU; "none" says that they do not. */
  readonly sharing?: "none" | "mig" | "mps" | "time-slicing" | "sriov";
  readonly migCapable?: boolean;
  readonly topology?: string;
  /** Link that the labels themselves prove; it wins over the catalog's. */
  readonly interconnect?: string;
  /** Part of a GPU that one device is, below 1 for MIG slices and halves of a board. */
  readonly share?: number;
  /** Annotations that only inform: driver versions and the like. */
  readonly extensions: Readonly<Record<string, string>>;
  /** What the reader should know: a heterogeneous node, a product nobody knows. */
  readonly remarks: readonly string[];
}

/** Largest relative distance at which a measured memory size is taken for the catalog's nominal one. */
const NOMINAL_TOLERANCE = 0.1;

/**
 * Memory as it is sold: drivers report a little less than the nominal size (49140 MiB of 48 GiB), and not all in the
 * same unit. Near the catalog's figure it is that figure, else the nearest whole GiB.
 *
 * @param exact true for sizes that are no whole GPU (MIG slices), which are rounded only
 */
export function nominalMemory(mib: number, model: GpuModel | null, exact: boolean): number {
  if (!exact && model !== null && Math.abs(mib - model.memoryMib) <= NOMINAL_TOLERANCE * model.memoryMib)
    return model.memoryMib;
  return Math.max(1024, Math.round(mib / 1024) * 1024);
}

/** Figures as the text of an annotation: at most two decimal places, at least one. */
function figure(value: number): string {
  const rounded = Math.round(value * 100) / 100;
  return Number.isInteger(rounded) ? rounded.toFixed(1) : String(rounded);
}

/** Stream processors of one AMD compute unit: AMD's labels and its published example count units. */
const PER_COMPUTE_UNIT = 64;

/** What the catalog adds for a known model, so that a provider need not look it up. */
function catalogAnnotations(model: GpuModel, facts: GpuFacts): Record<string, string | undefined> {
  const share = facts.share ?? 1;
  const units = model.vendor === "amd" ? model.cores / PER_COMPUTE_UNIT : model.cores;
  return {
    "gpu.fluidos.eu/tier": model.tier,
    ...(hasOneLink(model) ? { "gpu.fluidos.eu/interconnect": model.interconnect } : {}),
    "gpu.fluidos.eu/cores": String(facts.cores ?? Math.floor(units * share)),
    "gpu.fluidos.eu/fp32-tflops": figure(model.fp32Tflops * share),
    "workload.fluidos.eu/training-score": model.scores.training.toFixed(2),
    "workload.fluidos.eu/inference-score": model.scores.inference.toFixed(2),
    "workload.fluidos.eu/hpc-score": model.scores.hpc.toFixed(2),
    "workload.fluidos.eu/graphics-score": model.scores.graphics.toFixed(2),
  };
}

/** Name under which an offer lists a model: the catalog's, else the product with its vendor, lower case. */
function modelName(facts: GpuFacts, model: GpuModel | null): string | undefined {
  if (model !== null) return model.name;
  if (facts.product === undefined) return undefined;
  const plain = facts.product
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return plain.startsWith(`${facts.vendor}-`) ? plain : `${facts.vendor}-${plain}`;
}

/**
 * The annotations that facts amount to, in the spelling that is written, ordered by key. Model, tier, interconnect,
 * TFLOPS and scores come from the GPU catalog, never from the labels' text.
 */
export function factsToAnnotations(facts: GpuFacts): Record<string, string> {
  const model = facts.product === undefined ? null : findGpuModel(facts.product);
  const memory =
    facts.memoryMib === undefined
      ? model?.memoryMib
      : nominalMemory(facts.memoryMib, model, facts.share !== undefined);
  const capability =
    facts.computeCapability ??
    (model?.computeCapability === undefined ? undefined : formatCapability(model.computeCapability));
  const migCapable = facts.migCapable ?? (facts.sharing === "mig" ? true : undefined);
  const stated: Record<string, string | undefined> = {
    "gpu.fluidos.eu/vendor": facts.vendor,
    "gpu.fluidos.eu/model": modelName(facts, model),
    "gpu.fluidos.eu/count": facts.count === undefined ? undefined : String(facts.count),
    "gpu.fluidos.eu/memory-per-gpu": memory === undefined ? undefined : formatMebibytes(memory),
    "gpu.fluidos.eu/architecture": facts.architecture ?? model?.architecture,
    "gpu.fluidos.eu/compute-capability": capability,
    "gpu.fluidos.eu/topology": facts.topology,
    "gpu.fluidos.eu/sharing-capable":
      facts.sharing === undefined ? undefined : String(facts.sharing !== "none"),
    "gpu.fluidos.eu/sharing-strategy": facts.sharing,
    "nvidia.fluidos.eu/mig-capable": migCapable === undefined ? undefined : String(migCapable),
    ...(model === null
      ? { "gpu.fluidos.eu/cores": facts.cores === undefined ? undefined : String(facts.cores) }
      : catalogAnnotations(model, facts)),
    ...(facts.interconnect === undefined ? {} : { "gpu.fluidos.eu/interconnect": facts.interconnect }),
    ...facts.extensions,
  };
  const entries = Object.entries(stated).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
