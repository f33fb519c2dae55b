import type { Decision, Placement } from "../../engine/model/decision.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";
import { contractName, forgeAllocation, forgeReservation, type NodeIdentity } from "../fluidos/forge.ts";
import { forgeNamespaceOffloading } from "../liqo/forge.ts";
import {
  forgeAutoscaler,
  forgeClaims,
  forgeDeployment,
  forgeIngress,
  forgeJob,
  forgeNetworkPolicy,
  forgeService,
  type WorkloadFrame,
} from "../workload/forge.ts";
import type { Pin } from "../workload/pod.ts";
import { dnsLabel, type KubernetesObject, ownLabels } from "./object.ts";

export interface ForgeOptions {
  /** The consumer's identity in FLUIDOS. */
  readonly buyer: NodeIdentity;
  /** Counts tries of the same placement, from 1. */
  readonly attempt: number;
}

/** Identity used where nobody said who buys: what is printed then shows the shape, not a real node. */
export const unnamedBuyer: NodeIdentity = { domain: "fluidos.eu", nodeID: "consumer", ip: "127.0.0.1:3004" };

/** A node of this cluster needs no contract; everything else is bought over FLUIDOS and reached over Liqo. */
function isOwnNode(flavor: Flavor): boolean {
  return flavor.origin?.source === "node";
}

function pinOf(flavor: Flavor): Pin {
  return isOwnNode(flavor)
    ? { node: flavor.id, virtual: false }
    : { node: contractName(flavor), virtual: true };
}

/** Tasks of a batch shared out over its placements in proportion to the tasks each runs at once. */
function shareTasks(placements: readonly Placement[], tasks: number): number[] {
  const atOnce = placements.reduce((sum, { replicas }) => sum + replicas, 0);
  let before = 0;
  let given = 0;
  return placements.map(({ replicas }) => {
    before += replicas;
    const upTo = Math.floor((tasks * before) / atOnce);
    const share = upTo - given;
    given = upTo;
    return share;
  });
}

/** Kubernetes name of the namespace of an intent: `flare-<tenant>-<workload>`. */
export function namespaceOf(intent: Intent): string {
  return dnsLabel("flare", intent.tenant, intent.workload.name);
}

/**
 * Every object that puts a placed decision into effect, in the order in which to apply them: namespace, purchase,
 * offloading, then the workload. Nothing for decisions that are not placed. Pure; names are deterministic, so applying
 * twice changes nothing.
 */
export function forgeObjects(
  decision: Decision,
  intent: Intent,
  snapshot: Snapshot,
  options: ForgeOptions = { buyer: unnamedBuyer, attempt: 1 },
): KubernetesObject[] {
  if (decision.outcome !== "placed") return [];
  const flavors = new Map(snapshot.offers.map((flavor) => [flavor.id, flavor]));
  const placed = decision.placements.map((placement) => ({
    placement,
    flavor: flavors.get(placement.offer)!,
  }));
  const namespace = namespaceOf(intent);
  const labels = ownLabels(intent.tenant, intent.name);
  const frame: WorkloadFrame = { intent, namespace, labels };
  const bought = placed.filter(({ flavor }) => !isOwnNode(flavor));
  const clusters = [
    ...new Set(bought.map(({ flavor }) => flavor.origin?.liqoClusterId ?? flavor.provider)),
  ].sort();
  const tasks = shareTasks(decision.placements, intent.workload.batch?.parallelTasks ?? 1);
  const parts = placed.length;
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } },
    ...bought.flatMap(({ placement, flavor }) => [
      forgeReservation(intent, placement, flavor, options.buyer, options.attempt),
      forgeAllocation(intent, placement, flavor, options.attempt),
    ]),
    ...(clusters.length === 0 ? [] : [forgeNamespaceOffloading(namespace, clusters, labels)]),
    ...forgeClaims(frame),
    ...forgeNetworkPolicy(frame),
    ...placed.map(({ placement, flavor }, index) =>
      intent.workload.type === "batch"
        ? forgeJob(frame, placement, flavor, pinOf(flavor), { part: index, parts, tasks: tasks[index]! })
        : forgeDeployment(frame, placement, flavor, pinOf(flavor), { part: index, parts }),
    ),
    ...forgeService(frame),
    ...forgeIngress(frame),
    ...(parts === 1 ? forgeAutoscaler(frame) : []),
  ];
}
