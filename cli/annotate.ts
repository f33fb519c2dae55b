import {
  type AnnotateOptions,
  annotatedNode,
  annotateNodes,
  type ClusterDocument,
  changesNode,
  mergePatch,
  type NodePatch,
  splitCluster,
} from "../adapters/labels/annotate.ts";
import { exitCodes, InputError } from "./exit.ts";
import { readSource } from "./input.ts";
import { toText } from "./place.ts";

/** Flags of `flare annotate`. */
export interface AnnotateFlags {
  readonly migrate?: boolean;
  readonly label?: boolean;
  readonly slices?: string;
  readonly output: "kubectl" | "json" | "nodes";
}

const accepts = "nodes as kubectl get nodes -o json prints them, with or without resourceslices";

function clusterOf(name: string): ClusterDocument {
  const cluster = splitCluster(readSource(name).document);
  if (cluster === null) throw new InputError([`${name}: no list of nodes; accepted: ${accepts}`]);
  return cluster;
}

/** One line per node that changes, to be run by a shell. */
function kubectlLines(patches: readonly NodePatch[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  return patches
    .filter(changesNode)
    .map(
      (patch) =>
        `kubectl patch node ${quoted(patch.name)} --type merge -p ${quoted(JSON.stringify(mergePatch(patch)))}\n`,
    )
    .join("");
}

/** `flare annotate`: annotations from vendor labels and DRA devices, as patches or as the annotated nodes. */
export function annotate(file: string, flags: AnnotateFlags): number {
  const cluster = clusterOf(file);
  const options: AnnotateOptions = {
    migrate: flags.migrate ?? false,
    label: flags.label ?? false,
    ...(flags.slices === undefined ? {} : { slices: clusterOf(flags.slices).slices }),
  };
  const { patches, warnings } = annotateNodes(cluster, options);
  const problems = patches.flatMap(({ name, problems: own }) =>
    own.map(({ path, message }) => `node ${name}: ${path}: ${message}`),
  );
  if (problems.length > 0) throw new InputError(problems);
  for (const { path, message } of warnings) process.stderr.write(`note: ${path}: ${message}\n`);
  for (const { name, remarks } of patches)
    for (const remark of remarks) process.stderr.write(`note: node ${name}: ${remark}\n`);
  if (flags.output === "nodes") {
    const items = cluster.nodes.map((node, index) => {
      const patch = patches[index];
      return patch === undefined ? node : annotatedNode(node, patch);
    });
    process.stdout.write(toText({ apiVersion: "v1", kind: "List", items }));
  } else if (flags.output === "json")
    process.stdout.write(
      toText({
        patches: patches.filter(changesNode).map((patch) => ({ node: patch.name, patch: mergePatch(patch) })),
      }),
    );
  else process.stdout.write(kubectlLines(patches));
  return exitCodes.ok;
}
