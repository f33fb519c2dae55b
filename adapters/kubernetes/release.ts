import type { KubernetesObject } from "./object.ts";

/** An object to delete. */
export interface ReleaseStep {
  readonly apiVersion: string;
  readonly kind: string;
  /** Absent for objects of the whole cluster. */
  readonly namespace?: string;
  readonly name: string;
}

/**
 * Kinds in the order in which they go: first what runs, then the namespace around it, then the capacity, then the papers.
 * Liqo removes remote namespaces when the offloading goes, and drains the virtual node when its slice goes.
 */
const order: readonly string[] = [
  "HorizontalPodAutoscaler",
  "Deployment",
  "Job",
  "Ingress",
  "Service",
  "NetworkPolicy",
  "PersistentVolumeClaim",
  "PersistentVolume",
  "ConfigMap",
  "NamespaceOffloading",
  "Namespace",
  "ResourceSlice",
  "Solver",
  "Allocation",
  "Contract",
  "Reservation",
];

/** Kinds that FLUIDOS makes from what was written, found by the contract's name. */
function contractOf(object: KubernetesObject): ReleaseStep[] {
  if (object.kind !== "Allocation") return [];
  const { contract } = object.spec as {
    readonly contract: { readonly name: string; readonly namespace: string };
  };
  return [{ apiVersion: "reservation.fluidos.eu/v1alpha1", kind: "Contract", ...contract }];
}

/**
 * What to delete, one after the other, to release everything that was written for an intent. Each step waits until the
 * one before is gone; all of them may be gone already. FLUIDOS has no way to release a contract at its provider: that
 * the capacity is offered again there, the provider has to see to.
 */
export function releaseSteps(objects: readonly KubernetesObject[]): ReleaseStep[] {
  const steps = objects.flatMap((object): ReleaseStep[] => {
    const { name, namespace } = object.metadata;
    const own = {
      apiVersion: object.apiVersion,
      kind: object.kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
    };
    return [own, ...contractOf(object)];
  });
  const rank = ({ kind }: ReleaseStep): number => {
    const index = order.indexOf(kind);
    return index < 0 ? order.length : index;
  };
  const key = (step: ReleaseStep): string => `${step.kind}/${step.namespace ?? ""}/${step.name}`;
  const distinct = new Map(steps.map((step) => [key(step), step]));
  return [...distinct.values()].sort((a, b) => rank(a) - rank(b) || (key(a) < key(b) ? -1 : 1));
}
