import * as z from "zod";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { SkippedOffer } from "../../engine/model/snapshot.ts";
import { parseMebibytes, parseMilli, parseQuantity, quantityAccepts } from "../kubernetes/quantity.ts";
import { mergeAnnotations, readAnnotations } from "./annotations.ts";
import type { OfferDraft } from "./draft.ts";
import { byText } from "./field.ts";
import { readWith } from "./leaf.ts";
import {
  attempt,
  collapseWarnings,
  createNotes,
  entryPath,
  isRecord,
  joinPath,
  type Notes,
  problem,
  throwProblems,
} from "./notes.ts";
import { type OfferBatch, skippedOffer, sortOffers } from "./snapshot.ts";

/** The part of a Kubernetes Node that placement reads. */
export interface NodeResource {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly providerId?: string;
  readonly unschedulable: boolean;
  readonly ready: boolean;
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

/** How nodes are read. */
export interface NodeOptions {
  /**
   * Annotations derived from other sources (vendor labels, DRA), by node. The node's own annotations win.
   */
  readonly derive?: (node: NodeResource) => Readonly<Record<string, string>>;
}

const texts = z.record(z.string(), z.coerce.string()).optional();

const nodeSchema = z.object({
  metadata: z.object({ name: z.string().min(1), annotations: texts, labels: texts }),
  spec: z.object({ providerID: z.string().optional(), unschedulable: z.boolean().optional() }).optional(),
  status: z
    .object({
      capacity: texts,
      allocatable: texts,
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).optional(),
    })
    .optional(),
});

/** Extended resources that count whole GPUs, in the order in which they are looked for. */
export const gpuResources: readonly string[] = [
  "nvidia.com/gpu",
  "nvidia.com/gpu.shared",
  "amd.com/gpu",
  "amd.com/spx_nps1",
  "gpu.intel.com/i915",
  "gpu.intel.com/xe",
  "habana.ai/gaudi",
];

function toNode(parsed: z.output<typeof nodeSchema>): NodeResource {
  const { metadata, spec, status } = parsed;
  const ready = status?.conditions?.find((condition) => condition.type === "Ready");
  return {
    name: metadata.name,
    annotations: metadata.annotations ?? {},
    labels: metadata.labels ?? {},
    unschedulable: spec?.unschedulable ?? false,
    ready: ready === undefined || ready.status === "True",
    capacity: status?.capacity ?? {},
    allocatable: status?.allocatable ?? {},
    ...(spec?.providerID === undefined ? {} : { providerId: spec.providerID }),
  };
}

const hasGpuAnnotation = (annotations: Readonly<Record<string, string>>): boolean =>
  Object.keys(annotations).some((key) => key.startsWith("gpu.fluidos.eu/"));

/** GPUs of the device plugin, in total and allocatable, or null without one. */
function devicePlugin(
  node: NodeResource,
  path: string,
  notes: Notes,
): { total: number; allocatable: number } | null {
  const resource = gpuResources.find((name) => (node.capacity[name] ?? node.allocatable[name]) !== undefined);
  if (resource === undefined) return null;
  const read = (source: "capacity" | "allocatable"): number | undefined => {
    const text = node[source][resource];
    const at = joinPath(`${path}.status.${source}`, resource);
    return text === undefined
      ? undefined
      : attempt(notes, at, quantityAccepts, () => Math.floor(parseQuantity(text)));
  };
  const allocatable = read("allocatable");
  const total = read("capacity") ?? allocatable ?? 0;
  return { total, allocatable: allocatable ?? total };
}

/** How often the device plugin offers each physical GPU: more than once with time-slicing and MPS. */
function replicasOf(node: NodeResource): number {
  const replicas = Number(node.labels["nvidia.com/gpu.replicas"] ?? 1);
  return Number.isSafeInteger(replicas) && replicas > 1 ? replicas : 1;
}

/** What the node's status adds to its annotations. */
function amend(draft: OfferDraft, node: NodeResource, path: string, notes: Notes): void {
  draft.provider ??= providerOf(node, path, notes);
  const plugin = devicePlugin(node, path, notes);
  if (plugin !== null && draft.count !== undefined) {
    const replicas = replicasOf(node);
    if (plugin.total === draft.count * replicas)
      draft.free = Math.min(Math.floor(plugin.allocatable / replicas), draft.count);
    else if (plugin.total !== draft.count)
      notes.warnings.push({
        path: `${path}.status.capacity`,
        code: "suspicious",
        message: `the device plugin counts ${plugin.total} GPUs, the annotations ${draft.count}; the annotations count`,
      });
    else draft.free = Math.min(plugin.allocatable, draft.count);
  }
  if (node.unschedulable || !node.ready) {
    draft.free = 0;
    notes.warnings.push({
      path,
      code: "assumption",
      message: `${node.unschedulable ? "the node is cordoned" : "the node is not ready"}: nothing of it is free now`,
    });
  }
  const { cpu, memory, pods } = node.allocatable;
  const at = (name: string): string => `${path}.status.allocatable.${name}`;
  const set = (key: "cpuMilli" | "memoryMib" | "pods", value: number | undefined): void => {
    if (value !== undefined) draft.capacity[key] = value;
  };
  if (cpu !== undefined)
    set(
      "cpuMilli",
      attempt(notes, at("cpu"), quantityAccepts, () => parseMilli(cpu, "down")),
    );
  if (memory !== undefined)
    set(
      "memoryMib",
      attempt(notes, at("memory"), quantityAccepts, () => parseMebibytes(memory, "down")),
    );
  if (pods !== undefined)
    set(
      "pods",
      attempt(notes, at("pods"), quantityAccepts, () => Math.floor(parseQuantity(pods))),
    );
  draft.origin = { source: "node", ...gpuAddress(node) };
}

function gpuAddress(node: NodeResource): {
  gpuResource?: string;
  gpuProductLabel?: { key: string; value: string };
} {
  const resource = gpuResources.find((name) => node.allocatable[name] !== undefined);
  const key = ["nvidia.com/gpu.product", "amd.com/gpu.product-name"].find(
    (name) => node.labels[name] !== undefined,
  );
  const value = key === undefined ? undefined : node.labels[key];
  return {
    ...(resource === undefined ? {} : { gpuResource: resource }),
    ...(key === undefined || value === undefined ? {} : { gpuProductLabel: { key, value } }),
  };
}

/** `aws:///eu-west-1a/i-0` is sold by aws. */
function providerOf(node: NodeResource, path: string, notes: Notes): string {
  const provider = /^([a-z0-9-]+):\/\//i.exec(node.providerId ?? "")?.[1]?.toLowerCase() ?? "unnamed";
  notes.warnings.push({
    path,
    code: "assumption",
    message: `no annotation provider.fluidos.eu/name: the provider is called ${provider}`,
  });
  return provider;
}

/** The nodes of a list, a single node, or an array of them, with their paths. */
function entriesOf(document: unknown): readonly { readonly entry: unknown; readonly path: string }[] | null {
  if (isRecord(document) && document["kind"] === "Node") return [{ entry: document, path: "" }];
  const items = Array.isArray(document) ? document : isRecord(document) ? document["items"] : null;
  if (!Array.isArray(items)) return null;
  const base = Array.isArray(document) ? "" : "items";
  return items.map((entry: unknown, index) => ({
    entry,
    path: entryPath(base, index, "name", nameOf(entry)),
  }));
}

/** Whether a document is a Kubernetes node or a list of nodes, as `kubectl get nodes -o json` prints it. */
export function isNodeDocument(document: unknown): boolean {
  if (!isRecord(document)) return false;
  if (document["kind"] === "Node" || document["kind"] === "NodeList") return true;
  const items = document["items"];
  return (
    document["kind"] === "List" &&
    Array.isArray(items) &&
    items.every((item) => isRecord(item) && (item["kind"] === undefined || item["kind"] === "Node"))
  );
}

function readNode(
  entry: unknown,
  path: string,
  options: NodeOptions,
  notes: Notes,
): Flavor | "no gpu" | null {
  const parsed = readWith(nodeSchema, entry, path, notes);
  if (parsed === undefined) return null;
  const node = toNode(parsed);
  const annotations = mergeAnnotations(options.derive?.(node) ?? {}, node.annotations);
  if (!hasGpuAnnotation(annotations)) {
    if (gpuResources.some((name) => Number(node.allocatable[name] ?? 0) > 0))
      notes.warnings.push({
        path,
        code: "skipped",
        message: `node ${node.name} has GPUs but no gpu.fluidos.eu annotation: it is not offered`,
      });
    return "no gpu";
  }
  return readAnnotations(
    node.name,
    annotations,
    `${path}${path === "" ? "" : "."}metadata.annotations`,
    notes,
    (draft) => amend(draft, node, path, notes),
  );
}

/**
 * Offers from `kubectl get nodes -o json`: one per node with FLARE annotations, its id the node's name. A broken node
 * is skipped and named; nodes without GPUs are left out.
 *
 * @throws {EngineError} when the document is no list of nodes, or two nodes have one name
 */
export function readNodes(document: unknown, options: NodeOptions = {}): OfferBatch {
  const notes = createNotes();
  const entries = entriesOf(document);
  if (entries === null)
    notes.problems.push(
      problem("items", "invalid_format", undefined, "the output of kubectl get nodes -o json"),
    );
  const offers: Flavor[] = [];
  const skipped: SkippedOffer[] = [];
  for (const { entry, path } of entries ?? []) {
    const own = createNotes();
    const flavor = readNode(entry, path, options, own);
    notes.warnings.push(...own.warnings);
    if (flavor === "no gpu") continue;
    if (flavor !== null && own.problems.length === 0) offers.push(flavor);
    else skipped.push(skippedOffer(nameOf(entry) ?? path, own));
  }
  const sorted = sortOffers(offers, "items", notes);
  throwProblems(notes, "nodes");
  return {
    offers: sorted,
    skipped: skipped.sort((a, b) => byText(a.id, b.id)),
    warnings: collapseWarnings(notes.warnings),
  };
}

function nameOf(entry: unknown): string | null {
  const metadata = isRecord(entry) ? entry["metadata"] : null;
  return isRecord(metadata) && typeof metadata["name"] === "string" ? metadata["name"] : null;
}
