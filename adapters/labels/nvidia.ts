import { architectures, canonicalChoice } from "../json/choices.ts";
import type { GpuFacts } from "./facts.ts";
import { type NodeHardware, onlyStated, pluginCount, wholeLabel } from "./node-facts.ts";

const label = "nvidia.com/";

/** Sevenths of a GPU in a MIG profile of a product label: `...-MIG-2g.20gb` is 2. */
function migSevenths(product: string | undefined): number | undefined {
  const text = /-MIG-(\d)g\./i.exec(product ?? "")?.[1];
  return text === undefined ? undefined : Number(text);
}

/**
 * How GPUs are shared: MIG where the plugin partitions, else MPS, else what the plugin says it does.
 * One replica per GPU, and none (sharing off), both mean that nothing is shared.
 */
function sharingOf(labels: Readonly<Record<string, string>>): GpuFacts["sharing"] {
  const strategy = labels[`${label}mig.strategy`];
  if (labels[`${label}mig.capable`] === "true" && (strategy === "single" || strategy === "mixed"))
    return "mig";
  if (labels[`${label}mps.capable`] === "true") return "mps";
  const replicas = wholeLabel(labels, `${label}gpu.replicas`);
  const stated = labels[`${label}gpu.sharing-strategy`];
  if (stated === "mps" || stated === "time-slicing") return stated;
  if (replicas !== undefined && replicas > 1) return "time-slicing";
  return stated === "none" || replicas !== undefined || strategy !== undefined ? "none" : undefined;
}

function version(labels: Readonly<Record<string, string>>, kind: "driver" | "runtime"): string | undefined {
  const full = labels[`${label}cuda.${kind}-version.full`];
  if (full !== undefined) return full;
  const part = (name: string): string | undefined =>
    labels[`${label}cuda.${kind}-version.${name}`] ??
    labels[`${label}cuda.${kind}.${name === "revision" ? "rev" : name}`]; // the spelling of old releases
  const parts = [part("major"), part("minor"), part("revision")].filter((text) => text !== undefined);
  return parts.length === 0 ? undefined : parts.join(".");
}

/** The architecture a `gpu.family` label names, where placement knows it. */
function familyOf(labels: Readonly<Record<string, string>>): string | undefined {
  const family = labels[`${label}gpu.family`];
  return family === undefined ? undefined : (canonicalChoice(architectures, family) ?? undefined);
}

/**
 * Facts of a node labeled by NVIDIA's GPU feature discovery or by fake-gpu-operator, or null for other nodes.
 *
 * `gpu.memory` is MiB per GPU. With the MIG strategy "single" every slice is a device: product, count and memory
 * describe slices. On a node with different GPUs the labels describe the first model only.
 *
 * @see https://github.com/NVIDIA/k8s-device-plugin, docs/gpu-feature-discovery
 */
export function nvidiaFacts(node: NodeHardware): GpuFacts | null {
  const { labels } = node;
  const product = labels[`${label}gpu.product`];
  const count =
    wholeLabel(labels, `${label}gpu.count`, 1) ??
    pluginCount(node, ["nvidia.com/gpu", "nvidia.com/gpu.shared"]);
  if (product === undefined && labels[`${label}gpu.count`] === undefined) return null;
  const major = labels[`${label}gpu.compute.major`];
  const sharing = sharingOf(labels);
  const replicas = wholeLabel(labels, `${label}gpu.replicas`);
  const mig = labels[`${label}mig.capable`];
  const sevenths = migSevenths(product);
  return {
    vendor: "nvidia",
    ...onlyStated({
      product,
      count,
      memoryMib: wholeLabel(labels, `${label}gpu.memory`, 1),
      architecture: familyOf(labels),
      computeCapability:
        major === undefined ? undefined : `${major}.${labels[`${label}gpu.compute.minor`] ?? "0"}`,
      sharing,
      migCapable: mig === undefined ? undefined : mig === "true",
      // DGX and HGX systems connect all their GPUs over NVSwitch.
      topology: /DGX|HGX/i.test(labels[`${label}gpu.machine`] ?? "") ? "nvswitch" : undefined,
      // only GPUs of an NVLink domain have a clique
      interconnect: labels[`${label}gpu.clique`] ? "nvlink" : undefined,
      share: sevenths === undefined ? undefined : sevenths / 7,
    }),
    extensions: onlyStated({
      "nvidia.fluidos.eu/driver-version": version(labels, "driver"),
      "nvidia.fluidos.eu/cuda-version": version(labels, "runtime"),
      "nvidia.fluidos.eu/mps-capable": labels[`${label}mps.capable`],
    }) as Record<string, string>,
    remarks: [
      ...(replicas !== undefined && replicas > 1
        ? [`each GPU is offered ${replicas} times; the count is of physical GPUs`]
        : []),
      ...(sevenths === undefined ? [] : [`the devices are MIG slices of ${sevenths}/7 of a GPU each`]),
      ...(product === undefined ? ["no nvidia.com/gpu.product label: the model is not known"] : []),
    ],
  };
}
