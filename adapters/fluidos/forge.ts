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

/** Name of the FLUIDOS Flavor an offer came from; offers of other sources get their id as such a name. */
export function flavorName(flavor: Flavor): string {
  return flavor.origin?.flavorName ?? dnsLabel(flavor.id);
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
    digest(`${intent.tenant}/${intent.name}/${placement.offer}/${placement.spot}`, 10),
    `${attempt}`,
  );
}

/**
 * What is bought of a divisible offer: CPU, memory and pods are required by FLUIDOS; GPUs are written both as a count
 * (the fork) and as node totals of cores and memory (upstream), so that either provider subtracts the right amount.
 */
function configuration(intent: Intent, placement: Placement, flavor: Flavor): Record<string, unknown> {
  const { cpuMilli, memoryMib } = intent.workload.resources;
  const share = placement.gpus / flavor.capacity.gpus;
  const cpu =
    cpuMilli === undefined
      ? Math.ceil((flavor.capacity.cpuMilli ?? 1000) * share)
      : cpuMilli * placement.replicas;
  const memory =
    memoryMib === undefined
      ? Math.ceil((flavor.capacity.memoryMib ?? 1024) * share)
      : memoryMib * placement.replicas;
  const { gpu } = flavor;
  return {
    type: "K8Slice",
    data: {
      cpu: formatMilli(cpu),
      memory: formatMebibytes(memory),
      pods: String(Math.max(placement.replicas, 10)),
      gpu: {
        model: gpu.model,
        count: placement.gpus,
        ...(gpu.cores === undefined ? {} : { cores: String(gpu.cores * placement.gpus) }),
        ...(gpu.memoryMib === undefined ? {} : { memory: formatMebibytes(gpu.memoryMib * placement.gpus) }),
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
  const partial = flavor.divisible && placement.gpus < flavor.capacity.gpus;
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
      ...(partial ? { configuration: configuration(intent, placement, flavor) } : {}),
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
