import { mergeAnnotations } from "../json/annotations.ts";
import { amdFacts } from "./amd.ts";
import { factsToAnnotations, type GpuFacts } from "./facts.ts";
import { intelFacts } from "./intel.ts";
import type { NodeHardware } from "./node-facts.ts";
import { nvidiaFacts } from "./nvidia.ts";

/** Annotations that other sources give a node, and what to know about them. */
export interface Derived {
  /** In the spelling that is written. Empty for nodes without GPUs. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly remarks: readonly string[];
}

/** Facts from the labels of whichever vendor labeled the node. */
export function labelFacts(node: NodeHardware): GpuFacts | null {
  return nvidiaFacts(node) ?? amdFacts(node) ?? intelFacts(node);
}

/** Where a node stands, from the labels that clouds and kubelets set. */
function placeAnnotations(labels: Readonly<Record<string, string>>): Record<string, string> {
  const region =
    labels["topology.kubernetes.io/region"] ?? labels["failure-domain.beta.kubernetes.io/region"];
  const zone = labels["topology.kubernetes.io/zone"] ?? labels["failure-domain.beta.kubernetes.io/zone"];
  return {
    ...(region === undefined ? {} : { "location.fluidos.eu/region": region.toLowerCase() }),
    ...(zone === undefined ? {} : { "location.fluidos.eu/zone": zone.toLowerCase() }),
  };
}

/**
 * What vendor labels and DRA devices say about a node, as annotations; devices win over labels, and the node's own
 * annotations over both (`mergeAnnotations`). Prices are never derived: nothing but the provider knows them.
 */
export function deriveAnnotations(node: NodeHardware, device: GpuFacts | undefined): Derived {
  const labels = labelFacts(node);
  if (labels === null && device === undefined) return { annotations: {}, remarks: [] };
  const fromLabels = labels === null ? {} : factsToAnnotations(labels);
  const fromDevices = device === undefined ? {} : factsToAnnotations(device);
  return {
    annotations: {
      ...placeAnnotations(node.labels),
      ...mergeAnnotations(fromLabels, fromDevices),
    },
    remarks: [...(labels?.remarks ?? []), ...(device?.remarks ?? [])],
  };
}
