import type { Placement } from "../../engine/model/decision.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import { digest, dnsLabel, type KubernetesObject, ownLabels } from "../kubernetes/object.ts";
import { formatMebibytes, formatMilli } from "../kubernetes/quantity.ts";

/** FLUIDOS keeps all its objects in one namespace. */
const NAMESPACE = "fluidos";

/** Who buys: the consumer's FLUIDOS node identity (ConfigMap `fluidos-node-identity`). */
export interface NodeIdentity {
  readonly domain: string;
  readonly nodeID: string;
  /** `host:port` of its REAR gateway. */
  readonly ip: string;
}

/** Longest flavor name whose contract's name is still valid as a label value, which pins pods to its node. */
const LONGEST_FLAVOR = 63 - "contract--0000".length;

/** Name of the FLUIDOS Flavor an offer came from; offers of other sources get their id as such a name. */
export function flavorName(flavor: Flavor): string {
  const known = flavor.origin?.flavorName;
  if (known !== undefined) return known;
  const name = dnsLabel(flavor.id);
  if (name.length <= LONGEST_FLAVOR) return name;
  return `${name.slice(0, LONGEST_FLAVOR - 9).replace(/-+$/, "")}-${digest(flavor.id, 8)}`;
}

/**
 * Name that FLUIDOS gives the Contract of a flavor, and Liqo then to the ResourceSlice, the VirtualNode and the Node.
 * @see fluidos-project/node pkg/utils/namings: `contract-<flavor>-<4 hex of its SHA-256>`, dots become hyphens
 */
export function contractName(flavor: Flavor): string {
  const name = flavorName(flavor);
  return `contract-${name}-${digest(name, 4)}`.replaceAll(".", "-");
}

/** Stable name of one placement of an intent; `attempt` tells tries apart. */
function placementName(intent: Intent, placement: Placement, attempt: number): string {
  return dnsLabel(
    "flare",
    digest(JSON.stringify([intent.tenant, intent.name, placement.offer, placement.spot]), 16),
    `${attempt}`,
  );
}

const isPartial = (placement: Placement, flavor: Flavor): boolean =>
  flavor.divisible && placement.gpus < flavor.capacity.gpus;

/** Fewest pods that are bought: a workload's own, and room for what Liqo and monitoring add. */
const FEWEST_PODS = 10;

/** CPU, memory and pods that a placement buys: the whole offer's, or what the replicas need of a divisible one. */
export function boughtResources(
  intent: Intent,
  placement: Placement,
  flavor: Flavor,
): { readonly cpu: string; readonly memory: string; readonly pods: string } {
  const { cpuMilli, memoryMib } = intent.workload.resources;
  const { capacity } = flavor;
  const isWhole = !isPartial(placement, flavor);
  const share = placement.gpus / capacity.gpus;
  const bought = (need: number | undefined, total: number | undefined, least: number): number => {
    if (isWhole && total !== undefined) return total;
    return need === undefined ? Math.ceil((total ?? least) * share) : need * placement.replicas;
  };
  const pods =
    isWhole && capacity.pods !== undefined ? capacity.pods : Math.max(placement.replicas, FEWEST_PODS);
  return {
    cpu: formatMilli(bought(cpuMilli, capacity.cpuMilli, 1000)),
    memory: formatMebibytes(bought(memoryMib, capacity.memoryMib, 1024)),
    pods: String(Math.min(pods, capacity.pods ?? pods)),
  };
}

/**
 * What is bought of a divisible offer: CPU, memory and pods are required by FLUIDOS; GPUs are written both as a count
 * (the fork) and as node totals of cores and memory (upstream), so that either provider subtracts the right amount.
 */
function configuration(intent: Intent, placement: Placement, flavor: Flavor): Record<string, unknown> {
  const { gpu } = flavor;
  return {
    type: "K8Slice",
    data: {
      ...boughtResources(intent, placement, flavor),
      gpu: {
        model: gpu.model,
        count: placement.gpus,
        cores: String((gpu.cores ?? 0) * placement.gpus),
        memory: formatMebibytes((gpu.memoryMib ?? 0) * placement.gpus),
      },
    },
  };
}

/**
 * The Reservation that buys exactly the chosen flavor: it names its PeeringCandidate, so that FLUIDOS does not choose.
 * A whole offer is bought without a configuration, which FLUIDOS takes as all of it.
 */
export function forgeReservation(
  intent: Intent,
  placement: Placement,
  flavor: Flavor,
  buyer: NodeIdentity,
  attempt: number,
): KubernetesObject {
  const owner = flavor.origin?.owner;
  return {
    apiVersion: "reservation.fluidos.eu/v1alpha1",
    kind: "Reservation",
    metadata: {
      name: placementName(intent, placement, attempt),
      namespace: NAMESPACE,
      labels: ownLabels(intent.tenant, intent.name),
    },
    spec: {
      solverID: "flare",
      buyer,
      seller:
        owner === undefined
          ? { domain: flavor.provider, nodeID: flavor.provider, ip: "" }
          : { domain: owner.domain, nodeID: owner.nodeId, ip: owner.ip },
      peeringCandidate: flavor.origin?.peeringCandidate ?? {
        name: `peeringcandidate-${flavorName(flavor)}`,
        namespace: NAMESPACE,
      },
      reserve: true,
      purchase: true,
      ...(isPartial(placement, flavor) ? { configuration: configuration(intent, placement, flavor) } : {}),
    },
  };
}

/** The Allocation that puts the bought contract to use: FLUIDOS then peers with the provider. */
export function forgeAllocation(
  intent: Intent,
  placement: Placement,
  flavor: Flavor,
  attempt: number,
): KubernetesObject {
  return {
    apiVersion: "nodecore.fluidos.eu/v1alpha1",
    kind: "Allocation",
    metadata: {
      name: placementName(intent, placement, attempt),
      namespace: NAMESPACE,
      labels: ownLabels(intent.tenant, intent.name),
    },
    spec: { contract: { name: contractName(flavor), namespace: NAMESPACE } },
  };
}
