import type { InputProblem } from "../../engine/model/errors.ts";
import type { Warning } from "../../engine/model/intent.ts";
import { mergeAnnotations } from "../json/annotations.ts";
import { migrateAnnotations } from "../json/migrate.ts";
import { readNodes } from "../json/node.ts";
import { collapseWarnings, entryPath, isRecord } from "../json/notes.ts";
import type { OfferBatch } from "../json/snapshot.ts";
import { deriveAnnotations } from "./derive.ts";
import { readResourceSlices, type SliceFacts } from "./dra.ts";

/** Kubernetes objects of a document, sorted out. */
export interface ClusterDocument {
  readonly nodes: readonly unknown[];
  /** DRA ResourceSlices. */
  readonly slices: readonly unknown[];
}

const kindOf = (item: unknown): unknown => (isRecord(item) ? item["kind"] : undefined);

function isSlice(item: unknown): boolean {
  return (
    isRecord(item) &&
    item["kind"] === "ResourceSlice" &&
    String(item["apiVersion"] ?? "").startsWith("resource.k8s.io/")
  );
}

/**
 * Nodes and DRA slices of `kubectl get nodes -o json`, `kubectl get nodes,resourceslices -o json`, a single node or an
 * array; null when the document holds anything else, or neither.
 */
export function splitCluster(document: unknown): ClusterDocument | null {
  const items = Array.isArray(document)
    ? document
    : isRecord(document) && Array.isArray(document["items"])
      ? (document["items"] as readonly unknown[])
      : [document];
  const list = kindOf(document);
  const isNode = (item: unknown): boolean =>
    kindOf(item) === "Node" || (list === "NodeList" && kindOf(item) === undefined);
  if (items.length === 0 && list !== "NodeList" && list !== "List") return null;
  if (!items.every((item) => isNode(item) || isSlice(item))) return null;
  return { nodes: items.filter(isNode), slices: items.filter(isSlice) };
}

const texts = (value: unknown): Record<string, string> =>
  isRecord(value)
    ? Object.fromEntries(
        Object.entries(value)
          .filter(([, text]) => ["string", "number", "boolean"].includes(typeof text))
          .map(([key, text]) => [key, String(text)]),
      )
    : {};

const member = (value: unknown, key: string): unknown => (isRecord(value) ? value[key] : undefined);

/** What `flare annotate` would change on one node; null removes a key, as in a merge patch. */
export interface NodePatch {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string | null>>;
  readonly remarks: readonly string[];
  /** Contradictions that the migration found; nothing is changed then. */
  readonly problems: readonly InputProblem[];
}

export interface AnnotateOptions {
  /** Also move facts from labels and old spellings to the annotations that are written. */
  readonly migrate: boolean;
  /** Also label nodes with GPUs the way FLUIDOS and FLARE select them. */
  readonly label?: boolean;
  /** DRA slices from elsewhere, besides those in the document. */
  readonly slices?: readonly unknown[];
}

/** Labels by which FLUIDOS takes a node for one that offers resources, and FLARE for one with GPUs. */
export const selectorLabels: Readonly<Record<string, string>> = {
  "node-role.fluidos.eu/resources": "true",
  "node-role.fluidos.eu/worker": "true",
  "node.fluidos.eu/gpu": "true",
};

/** The selector labels that a node with these annotations lacks. */
function missingLabels(
  annotations: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): Record<string, string> {
  if (!("gpu.fluidos.eu/count" in annotations)) return {};
  return Object.fromEntries(Object.entries(selectorLabels).filter(([key, value]) => labels[key] !== value));
}

function patchOf(node: unknown, slices: SliceFacts, options: AnnotateOptions): NodePatch {
  const metadata = member(node, "metadata");
  const status = member(node, "status");
  const name = String(member(metadata, "name") ?? "");
  const labels = texts(member(metadata, "labels"));
  const annotations = texts(member(metadata, "annotations"));
  const migration = options.migrate
    ? migrateAnnotations({ annotations, labels })
    : { annotations: {}, labels: {}, problems: [] };
  const current = applied(annotations, migration.annotations);
  const hardware = {
    labels,
    capacity: texts(member(status, "capacity")),
    allocatable: texts(member(status, "allocatable")),
  };
  const derived = deriveAnnotations(hardware, slices.byNode.get(name));
  const merged = mergeAnnotations(derived.annotations, current);
  const added = Object.fromEntries(
    Object.entries(merged)
      .filter(([key, value]) => current[key] !== value)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return {
    name,
    annotations: { ...migration.annotations, ...added },
    labels: {
      ...migration.labels,
      ...(options.label === true ? missingLabels({ ...current, ...added }, labels) : {}),
    },
    remarks: derived.remarks,
    problems: migration.problems,
  };
}

/** A map after a merge patch. */
function applied(
  map: Readonly<Record<string, string>>,
  patch: Readonly<Record<string, string | null>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ ...map, ...patch }).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}

/**
 * What to change on each node so that its annotations say what labels and devices say: one patch per node in the order
 * of the document, empty where nothing changes. What a node states itself is never changed, except by a migration.
 * Annotating what was annotated changes nothing.
 */
export function annotateNodes(
  cluster: ClusterDocument,
  options: AnnotateOptions,
): { readonly patches: readonly NodePatch[]; readonly warnings: readonly Warning[] } {
  const slices = readResourceSlices([...cluster.slices, ...(options.slices ?? [])]);
  return {
    patches: cluster.nodes.map((node) => patchOf(node, slices, options)),
    warnings: slices.warnings,
  };
}

/** Whether a patch changes anything. */
export function changesNode(patch: NodePatch): boolean {
  return Object.keys(patch.annotations).length + Object.keys(patch.labels).length > 0;
}

/** The merge patch of a node, as `kubectl patch --type merge` takes it. */
export function mergePatch(patch: NodePatch): Record<string, unknown> {
  return {
    metadata: {
      ...(Object.keys(patch.annotations).length > 0 ? { annotations: patch.annotations } : {}),
      ...(Object.keys(patch.labels).length > 0 ? { labels: patch.labels } : {}),
    },
  };
}

/** The node with its patch applied; the document's own object is not changed. */
export function annotatedNode(node: unknown, patch: NodePatch): unknown {
  if (!isRecord(node)) return node;
  const metadata = isRecord(node["metadata"]) ? node["metadata"] : {};
  const annotations = applied(texts(metadata["annotations"]), patch.annotations);
  const labels = applied(texts(metadata["labels"]), patch.labels);
  return { ...node, metadata: { ...metadata, annotations, labels } };
}

/**
 * Offers from cluster nodes whose annotations may be incomplete: vendor labels and DRA devices fill what they say.
 *
 * @throws {EngineError} when two nodes have one name
 */
export function readLabeledNodes(cluster: ClusterDocument): OfferBatch {
  const slices = readResourceSlices(cluster.slices);
  const warnings: Warning[] = [...slices.warnings];
  const batch = readNodes(
    { kind: "List", items: cluster.nodes },
    {
      derive: (node) => {
        const derived = deriveAnnotations(node, slices.byNode.get(node.name));
        for (const message of derived.remarks)
          warnings.push({ path: entryPath("items", 0, "name", node.name), code: "assumption", message });
        return derived.annotations;
      },
    },
  );
  return { ...batch, warnings: collapseWarnings([...batch.warnings, ...warnings]) };
}
