import type { KubernetesObject } from "../kubernetes/object.ts";

/** How a namespace is offloaded. */
export interface OffloadingOptions {
  /** Some of the intent's pods run on nodes of this cluster. */
  readonly hasOwnNode: boolean;
  /** Name of the namespace in the other cluster: Liqo's default, or the same as here. */
  readonly mapping?: "DefaultName" | "EnforceSameName";
}

/**
 * Offloads a namespace to the clusters that sold something to its intent. Liqo requires the name `offloading`, one per
 * namespace. It selects clusters, never a virtual node: selecting one of several nodes of a provider would remove the
 * namespace mapping the others share. Pods are pinned to their node by the workload itself.
 */
export function forgeNamespaceOffloading(
  namespace: string,
  clusterIds: readonly string[],
  labels: Readonly<Record<string, string>>,
  { hasOwnNode, mapping = "DefaultName" }: OffloadingOptions,
): KubernetesObject {
  return {
    apiVersion: "offloading.liqo.io/v1beta1",
    kind: "NamespaceOffloading",
    metadata: { name: "offloading", namespace, labels },
    spec: {
      namespaceMappingStrategy: mapping,
      // "Remote" would keep the pods that stay at home from being scheduled.
      podOffloadingStrategy: hasOwnNode ? "LocalAndRemote" : "Remote",
      clusterSelector: {
        nodeSelectorTerms: [
          {
            matchExpressions: [{ key: "liqo.io/remote-cluster-id", operator: "In", values: [...clusterIds] }],
          },
        ],
      },
    },
  };
}

/**
 * The resources asked of a provider cluster under one contract, from which Liqo makes the virtual node of that name.
 * FLUIDOS creates it without GPUs, so it is written in full: applied before, it is adopted, applied after, it adds them.
 *
 * @see liqo docs, "Resource reservation": extended resources are stated by editing the slice
 */
export function forgeResourceSlice(
  contract: string,
  clusterId: string,
  resources: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): KubernetesObject {
  return {
    apiVersion: "authentication.liqo.io/v1beta1",
    kind: "ResourceSlice",
    metadata: {
      name: contract,
      namespace: `liqo-tenant-${clusterId}`,
      labels: {
        ...labels,
        "liqo.io/remote-cluster-id": clusterId,
        "liqo.io/remoteID": clusterId,
        "liqo.io/replication": "true",
      },
      annotations: { "liqo.io/create-virtual-node": "true" },
    },
    spec: { class: "default", providerClusterID: clusterId, resources },
  };
}
