import { findGpuModel } from "../../engine/catalog/gpus.ts";
import { architectures, canonicalChoice } from "../json/choices.ts";
import type { GpuFacts } from "./facts.ts";
import { counterLabels, type NodeHardware, onlyStated, pluginCount, wholeLabel } from "./node-facts.ts";

const prefixes = ["amd.com/gpu.", "beta.amd.com/gpu."] as const;

/** PCI device ids of GPUs whose product label may be generic. */
const productById: Readonly<Record<string, string>> = {
  "7408": "amd-mi250x",
  "740c": "amd-mi250x",
  "740f": "amd-mi210",
  "74a1": "amd-mi300x",
  "74a5": "amd-mi325x",
  "75a3": "amd-mi355x",
  "744c": "amd-rx7900xtx",
  "7448": "amd-w7900",
};

/** A property in either prefix: the plain label of a node of equal GPUs, else the most frequent counter label. */
function property(
  labels: Readonly<Record<string, string>>,
  name: string,
): { readonly value: string; readonly count?: number; readonly kinds: number } | undefined {
  const counters = prefixes.map((prefix) => counterLabels(labels, `${prefix}${name}.`));
  const counted = counters.find((list) => list.length > 0) ?? [];
  const plain = prefixes.map((prefix) => labels[`${prefix}${name}`]).find((text) => text !== undefined);
  const first = counted[0];
  const value = plain ?? first?.value;
  if (value === undefined) return undefined;
  return {
    value,
    kinds: Math.max(counted.length, 1),
    ...(first === undefined ? {} : { count: first.count }),
  };
}

/** `192G` is GiB, rounded, although it says G. */
function videoMemory(text: string | undefined): number | undefined {
  const gib = /^(\d{1,6})G(?:i?B?)?$/i.exec(text ?? "")?.[1];
  return gib === undefined ? undefined : Number(gib) * 1024;
}

/** Boards of two dies, and partitioned GPUs, are devices of their own: what part of the product one device is. */
function deviceShare(product: string | undefined, memoryMib: number | undefined): number | undefined {
  const model = product === undefined ? null : findGpuModel(product);
  if (model === null || memoryMib === undefined) return undefined;
  const share = memoryMib / model.memoryMib;
  return share < 0.8 ? share : undefined;
}

/** Facts from the labels that AMD's node labeler sets; it sets no count, so counters or the device plugin tell it. */
function labelerFacts(node: NodeHardware): GpuFacts | null {
  const { labels } = node;
  const product = property(labels, "product-name");
  const id = property(labels, "device-id");
  const memory = property(labels, "vram");
  const known = id === undefined ? undefined : productById[id.value.toLowerCase()];
  if (product === undefined && known === undefined && memory === undefined) return null;
  const cores = property(labels, "cu-count")?.value;
  const kinds = Math.max(product?.kinds ?? 1, id?.kinds ?? 1, memory?.kinds ?? 1);
  const driver = property(labels, "driver-version")?.value;
  // The id is exact; names of some boards are generic.
  const name = known ?? product?.value.replaceAll("_", "-");
  const share = deviceShare(name, videoMemory(memory?.value));
  return {
    vendor: "amd",
    ...onlyStated({
      product: name,
      share,
      count:
        product?.count ??
        id?.count ??
        memory?.count ??
        pluginCount(node, ["amd.com/gpu", "amd.com/spx_nps1"]),
      memoryMib: videoMemory(memory?.value),
      cores: cores !== undefined && /^\d{1,6}$/.test(cores) ? Number(cores) : undefined,
    }),
    extensions: onlyStated({ "amd.fluidos.eu/driver-version": driver }) as Record<string, string>,
    remarks: [
      ...(kinds > 1 ? [`the node has ${kinds} kinds of GPUs; the most frequent one is described`] : []),
      ...(share === undefined ? [] : [`one device is ${share.toFixed(2)} of a GPU of that model`]),
      ...(product === undefined && known === undefined ? ["no product label: the model is not known"] : []),
    ],
  };
}

/** How the older labels say that GPUs are shared. */
function legacySharing(labels: Readonly<Record<string, string>>): GpuFacts["sharing"] {
  if (labels["amd.com/sriov.capable"] === "true" || labels["amd.com/sriov.strategy"] === "sriov")
    return "sriov";
  if (labels["amd.com/mps.capable"] === "true") return "mps";
  return labels["amd.com/sriov.capable"] === undefined && labels["amd.com/mps.capable"] === undefined
    ? undefined
    : "none";
}

/**
 * Facts from the AMD labels that FLARE once documented and that no AMD software sets (`gpu.count`, `gpu.memory` in
 * MB, `gpu.product`): read, since providers may have set them by hand. For known models the catalog's memory counts.
 */
function legacyFacts(node: NodeHardware): GpuFacts | null {
  const { labels } = node;
  const product = labels["amd.com/gpu.product"];
  const count = wholeLabel(labels, "amd.com/gpu.count", 1);
  if (product === undefined && count === undefined) return null;
  const major = labels["amd.com/gpu.compute.major"];
  const family = canonicalChoice(architectures, labels["amd.com/gpu.family"] ?? "");
  const sharing = legacySharing(labels);
  return {
    vendor: "amd",
    ...onlyStated({
      product: product?.replaceAll("_", "-"),
      count: count ?? pluginCount(node, ["amd.com/gpu"]),
      memoryMib: wholeLabel(labels, "amd.com/gpu.memory", 1),
      architecture: family ?? undefined,
      computeCapability:
        major === undefined ? undefined : `${major}.${labels["amd.com/gpu.compute.minor"] ?? "0"}`,
      cores: wholeLabel(labels, "amd.com/gpu.cores", 1) ?? wholeLabel(labels, "amd.com/gpu.cu-count", 1),
      sharing,
    }),
    extensions: onlyStated({
      "amd.fluidos.eu/rocm-version":
        labels["amd.com/rocm.version"] ?? joined(labels, "amd.com/rocm.runtime.") ?? labels["rocm.version"],
      "amd.fluidos.eu/driver-version":
        labels["amd.com/gpu.driver-version"] ?? joined(labels, "amd.com/rocm.driver."),
      "amd.fluidos.eu/sriov-capable": labels["amd.com/sriov.capable"],
      "amd.fluidos.eu/gfx-architecture": labels["amd.com/gpu.gfx-architecture"],
    }) as Record<string, string>,
    remarks: product === undefined ? ["no amd.com/gpu.product label: the model is not known"] : [],
  };
}

/** `major`, `minor` and `rev` labels under one prefix as a version. */
function joined(labels: Readonly<Record<string, string>>, prefix: string): string | undefined {
  const parts = ["major", "minor", "rev"]
    .map((name) => labels[prefix + name])
    .filter((text) => text !== undefined);
  return parts.length === 0 ? undefined : parts.join(".");
}

/**
 * Facts of a node labeled by AMD's node labeler, else by the older labels, or null for other nodes.
 *
 * @see https://github.com/ROCm/k8s-device-plugin, cmd/k8s-node-labeller
 */
export function amdFacts(node: NodeHardware): GpuFacts | null {
  return labelerFacts(node) ?? legacyFacts(node);
}
