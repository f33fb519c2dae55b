import type { Decision, Placement } from "../../engine/model/decision.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";
import {
  boughtResources,
  contractName,
  forgeAllocation,
  forgeReservation,
  type NodeIdentity,
} from "../fluidos/forge.ts";
import { forgeNamespaceOffloading, forgeResourceSlice } from "../liqo/forge.ts";
import {
  forgeAutoscaler,
  forgeConfigMap,
  forgeDeployment,
  forgeIngress,
  forgeJob,
  forgeService,
  type WorkloadFrame,
} from "../workload/forge.ts";
import { forgeNetworkPolicy } from "../workload/network.ts";
import { gpuResource, type Pin } from "../workload/pod.ts";
import { forgeClaims } from "../workload/volumes.ts";
import { digest, dnsLabel, type KubernetesObject, ownedLabel, ownLabels, prefixedLabel } from "./object.ts";

export interface ForgeOptions {
  /** The consumer's identity in FLUIDOS. */
  readonly buyer: NodeIdentity;
  /** Counts tries of the same placement, from 1. */
  readonly attempt: number;
  /** How the intent's namespace is named; default "flare-tenant-workload". */
  readonly namespaceForm?: NamespaceForm;
  /** What Liqo calls it in other clusters; default "DefaultName". */
  readonly namespaceMapping?: "DefaultName" | "EnforceSameName";
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

/** Liqo's id of the cluster that sells an offer; where it is not known, its provider's name stands for it. */
const clusterOf = (flavor: Flavor): string => flavor.origin?.liqoClusterId ?? dnsLabel(flavor.provider);

interface Placed {
  readonly placement: Placement;
  readonly flavor: Flavor;
}

/** Everything bought of one offer, on demand and on spot together: it is one contract. */
function byOffer(placed: readonly Placed[]): Placed[] {
  const offers = new Map<string, Placed>();
  for (const { placement, flavor } of placed) {
    const before = offers.get(flavor.id)?.placement;
    const gpus = placement.gpus + (before?.gpus ?? 0);
    const replicas = placement.replicas + (before?.replicas ?? 0);
    offers.set(flavor.id, { placement: { ...placement, gpus, replicas }, flavor });
  }
  return [...offers.values()];
}

/** The slice of a provider's cluster under the contract for an offer. */
function forgeSlice(
  intent: Intent,
  { placement, flavor }: Placed,
  labels: Readonly<Record<string, string>>,
): KubernetesObject {
  // An offer that is sold whole brings all its GPUs, whatever the replicas take.
  const gpus = flavor.divisible ? placement.gpus : flavor.capacity.gpus;
  const resources = {
    ...boughtResources(intent, placement, flavor),
    [gpuResource(flavor, intent.workload.resources.gpu.migProfile)]: String(gpus),
  };
  return forgeResourceSlice(contractName(flavor), clusterOf(flavor), resources, labels);
}

/** A number (tasks, replicas) shared out over placements in proportion to the replicas each runs at once. */
function shareOut(placements: readonly Placement[], tasks: number): number[] {
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

/**
 * Forms of the namespace of an intent: `flare-<tenant>-<workload>`, `flare-intent-<id>`, or `<tenant>-<workload>` for
 * clusters that force a tenant's prefix.
 */
export type NamespaceForm = "flare-tenant-workload" | "flare-intent" | "tenant-workload";

/** Kubernetes name of the namespace of an intent. */
export function namespaceOf(intent: Intent, form: NamespaceForm = "flare-tenant-workload"): string {
  const { tenant, workload } = intent;
  if (form === "flare-intent")
    return dnsLabel("flare-intent", digest(JSON.stringify([tenant, workload.name]), 16));
  if (form === "tenant-workload") return prefixedLabel(tenant, workload.name);
  return ownedLabel("flare", tenant, workload.name);
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
  const namespace = namespaceOf(intent, options.namespaceForm);
  const labels = ownLabels(intent.tenant, intent.name);
  const frame: WorkloadFrame = { intent, namespace, labels };
  const bought = placed.filter(({ flavor }) => !isOwnNode(flavor));
  const clusters = [...new Set(bought.map(({ flavor }) => clusterOf(flavor)))].sort();
  const { batch, scaling } = intent.workload;
  const tasks = shareOut(decision.placements, batch?.parallelTasks ?? 1);
  const most = shareOut(decision.placements, scaling?.maxReplicas ?? 1);
  const parts = placed.length;
  const offloading = {
    hasOwnNode: bought.length < placed.length,
    ...(options.namespaceMapping === undefined ? {} : { mapping: options.namespaceMapping }),
  };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } },
    ...bought.flatMap(({ placement, flavor }) => [
      forgeReservation(intent, placement, flavor, options.buyer, options.attempt),
      forgeAllocation(intent, placement, flavor, options.attempt),
    ]),
    ...byOffer(bought).map((one) => forgeSlice(intent, one, labels)),
    ...(clusters.length === 0 ? [] : [forgeNamespaceOffloading(namespace, clusters, labels, offloading)]),
    ...forgeConfigMap(frame),
    ...forgeClaims(frame, parts),
    ...forgeNetworkPolicy(frame),
    ...placed.flatMap(({ placement, flavor }, index) => {
      const pin = pinOf(flavor);
      if (intent.workload.type === "batch")
        return [forgeJob(frame, placement, flavor, pin, { part: index, parts, tasks: tasks[index] ?? 1 })];
      return [
        forgeDeployment(frame, placement, flavor, pin, { part: index, parts }),
        ...forgeAutoscaler(frame, placement, flavor, { part: index, parts, most: most[index] ?? 1 }),
      ];
    }),
    ...forgeService(frame),
    ...forgeIngress(frame),
  ];
}
