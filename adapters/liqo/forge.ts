import type { KubernetesObject } from "../kubernetes/object.ts";

/**
 * Offloads a namespace to the clusters that sold something to its intent. Liqo requires the name `offloading`, one per
 * namespace. It selects clusters, never a virtual node: selecting one of several nodes of a provider would remove the
 * namespace mapping the others share. Pods are pinned to their node by the workload itself.
 */
export function forgeNamespaceOffloading(
  namespace: string,
  clusterIds: readonly string[],
  labels: Readonly<Record<string, string>>,
): KubernetesObject {
  return {
    apiVersion: "offloading.liqo.io/v1beta1",
    kind: "NamespaceOffloading",
    metadata: { name: "offloading", namespace, labels },
    spec: {
      namespaceMappingStrategy: "DefaultName",
      podOffloadingStrategy: "Remote",
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
