import type { WorkloadKind } from "../model/flavor.ts";
import { modelRows } from "./gpu-rows.ts";

/** What the catalogue knows of a GPU model; figures per GPU. */
export interface GpuModel {
  /** Canonical name, vendor-prefixed, lower case: `nvidia-h100-sxm`. */
  readonly name: string;
  readonly vendor: string;
  /** The model itself first, then the families it belongs to: a wanted family matches all its members. */
  readonly families: readonly string[];
  readonly aliases: readonly string[];
  readonly memoryMib: number;
  /** GB/s */
  readonly memoryBandwidth: number;
  readonly cores: number;
  readonly clockMhz?: number;
  readonly fp32Tflops: number;
  /** Dense, without sparsity. */
  readonly fp16Tflops: number;
  readonly powerWatts: number;
  readonly interconnect: string;
  /** GB/s */
  readonly interconnectBandwidth: number;
  /** `major * 100 + minor` */
  readonly computeCapability?: number;
  readonly architecture: string;
  readonly tier: string;
  readonly migCapable: boolean;
  /** Usual suitability 0..1 per kind of work. */
  readonly scores: Readonly<Record<WorkloadKind, number>>;
  /** Figures that sources disagree on. */
  readonly uncertain: readonly string[];
  readonly source: string;
}

/** Published suitability: training, inference, hpc, graphics. Other models get the usual values of their tier. */
const publishedScores: Readonly<Record<string, readonly [number, number, number, number]>> = {
  "nvidia-rtx-a6000": [0.85, 0.9, 0.8, 0.95],
  "amd-mi300x": [0.96, 0.94, 0.98, 0.4],
};
const tierScores: Readonly<Record<string, readonly [number, number, number, number]>> = {
  premium: [0.95, 0.95, 0.95, 0.4],
  standard: [0.8, 0.88, 0.75, 0.9],
  gaming: [0.7, 0.8, 0.55, 0.95],
  inference: [0.45, 0.85, 0.4, 0.6],
  budget: [0.5, 0.6, 0.6, 0.3],
};

function scoresOf(name: string, tier: string): GpuModel["scores"] {
  const [training, inference, hpc, graphics] = publishedScores[name] ??
    tierScores[tier] ?? [0.5, 0.5, 0.5, 0.5];
  return { training, inference, hpc, graphics };
}

/** Every model known, by name. */
export const gpuModels: readonly GpuModel[] = modelRows.map((row) => {
  const [
    name,
    families,
    aliases,
    architecture,
    tier,
    gib,
    memoryBandwidth,
    cores,
    clockMhz,
    fp32Tflops,
    ...more
  ] = row;
  const [
    fp16Tflops,
    powerWatts,
    interconnect,
    interconnectBandwidth,
    computeCapability,
    migCapable,
    uncertain,
  ] = more;
  return {
    name,
    vendor: name.split("-")[0]!,
    families: [name, ...families],
    aliases,
    memoryMib: gib * 1024,
    memoryBandwidth,
    cores,
    ...(clockMhz === null ? {} : { clockMhz }),
    fp32Tflops,
    fp16Tflops,
    powerWatts,
    interconnect,
    interconnectBandwidth,
    ...(computeCapability === null ? {} : { computeCapability }),
    architecture,
    tier,
    migCapable,
    scores: scoresOf(name, tier),
    uncertain,
    source: "vendor datasheet",
  };
});

/** Spelling without case, separators and the words that vendors sprinkle in. */
function squeeze(text: string): string {
  return text
    .toLowerCase()
    .replace(/geforce|tesla|instinct|radeon|data center gpu/g, "")
    .replace(/[^a-z0-9]+/g, "");
}

const vendors = ["nvidia", "amd", "intel"];
const byName = new Map<string, GpuModel>(gpuModels.map((model) => [model.name, model]));
const spellings = gpuModels.flatMap((model) =>
  [model.name, ...model.aliases].map((text) => ({ model, key: squeeze(text) })),
);
for (const { model, key } of spellings) byName.set(key, model);
// Spellings without the vendor, or with it, second: an exact name always wins.
for (const { model, key } of spellings) {
  const bare = vendors.reduce(
    (text, vendor) => (text.startsWith(vendor) ? text.slice(vendor.length) : text),
    key,
  );
  for (const loose of [bare, model.vendor + bare]) if (!byName.has(loose)) byName.set(loose, model);
}

/**
 * The model behind any known spelling: canonical name, unprefixed name, vendor label, price-list name; case and
 * separators do not matter, and a trailing `-SHARED` or `-MIG-1g.5gb` of a device-plugin label is ignored. Null when unknown.
 */
export function findGpuModel(text: string): GpuModel | null {
  return byName.get(text) ?? findSpelling(text);
}

function findSpelling(text: string): GpuModel | null {
  const plain = text.replace(/-SHARED$/i, "").replace(/-MIG-[0-9a-z.+]+$/i, "");
  return byName.get(squeeze(plain)) ?? null;
}

/** Families whose members are linked in different ways: their link is not known from the name. */
const mixedLinks: ReadonlySet<string> = new Set(
  gpuModels
    .filter((family) =>
      gpuModels.some(
        (member) => member.families.includes(family.name) && member.interconnect !== family.interconnect,
      ),
    )
    .map((family) => family.name),
);

/** Whether a model's name alone tells how its GPUs are linked: a family of boards and modules does not. */
export function hasOneLink(model: GpuModel): boolean {
  return !mixedLinks.has(model.name);
}
