import { flavorOf } from "../compile/catalog.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import { freeMilliOf, openedBy, packedMilli } from "../compile/devices.ts";
import type { Flavor } from "../model/flavor.ts";
import { createClasses, modelsOf } from "../pack/classes.ts";
import { createCluster, type Free } from "../pack/cluster.ts";
import { createCompletion } from "../pack/completion.ts";
import { createExpectation } from "../pack/expectation.ts";
import { createFragmentation, typicalPods } from "../pack/fragmentation.ts";
import { DEVICE_MILLI, type PackNode, type PackPod, podMilli } from "../pack/model.ts";
import { createPacker } from "../pack/packer.ts";
import { createFlare } from "../pack/policies/flare.ts";
import { createGroupPrices } from "../pack/prices.ts";
import { createSlots } from "../pack/slots.ts";
import type { Candidate } from "./rank.ts";

/** Stands for a host figure that an offer does not state: more than any machine has. */
const UNSTATED = 1_000_000;

/** Whole-device requests of the mix that is assumed to follow. */
const LATER_GPUS = [1, 2, 4, 8] as const;

/** An offer as a machine, and what is free of it now. */
function machineOf(
  { catalog, usage, need }: Scope,
  row: number,
): { readonly node: PackNode; readonly free: Free } {
  const flavor: Flavor = flavorOf(catalog, row);
  const { capacity, gpu } = flavor;
  const used = usage.get(catalog.options.flavor[row]!);
  const devices = freeMilliOf(flavor, used?.parts ?? [], need.part!);
  // whole GPUs given away have no indices yet: the last free ones stand for them
  let taken = (used?.gpus ?? 0) - openedBy(used?.parts ?? []);
  for (let at = devices.length - 1; at >= 0 && taken > 0; at--) {
    if (devices[at] !== DEVICE_MILLI) continue;
    devices[at] = 0;
    taken -= 1;
  }
  const memory = capacity.memoryMibFree ?? capacity.memoryMib ?? UNSTATED;
  const cpu = capacity.cpuMilliFree ?? capacity.cpuMilli ?? UNSTATED;
  return {
    node: {
      name: flavor.id,
      cpuMilli: capacity.cpuMilli ?? UNSTATED,
      memoryMib: capacity.memoryMib ?? UNSTATED,
      gpus: devices.length,
      model: gpu.model,
    },
    free: {
      // work that makes way may free more than is known to be there
      cpuMilli: Math.min(cpu - (used?.cpuMilli ?? 0), capacity.cpuMilli ?? UNSTATED),
      memoryMib: Math.min(memory - (used?.memoryMib ?? 0), capacity.memoryMib ?? UNSTATED),
      devices,
    },
  };
}

/**
 * The mix assumed to follow, as nothing says what will come: as many requests like this one as for whole devices, with
 * host figures in proportion to their GPUs.
 */
function assumedMix(pod: PackPod, mostGpus: number): PackPod[] {
  const later = LATER_GPUS.filter((gpus) => gpus <= mostGpus).map((gpus): PackPod => {
    const scale = (gpus * DEVICE_MILLI) / pod.gpuMilli;
    return {
      name: `later-${gpus}`,
      cpuMilli: Math.round(pod.cpuMilli * scale),
      memoryMib: Math.round(pod.memoryMib * scale),
      gpus,
      gpuMilli: DEVICE_MILLI,
      spec: "",
    };
  });
  return [...later.map(() => pod), ...later];
}

/** The candidate on which our packing policy puts a part of a GPU: a share, or a MIG slice by the device memory it takes. */
function bestPacked(scope: Scope, candidates: readonly Candidate[]): Candidate {
  const { need } = scope;
  const machines = candidates.map(({ row }) => machineOf(scope, row));
  const nodes = machines.map(({ node }) => node);
  const pod: PackPod = {
    name: need.intent.name,
    cpuMilli: need.cpuMilli,
    memoryMib: need.memoryMib,
    gpus: 1,
    gpuMilli: packedMilli(need.part!, flavorOf(scope.catalog, candidates[0]!.row)),
    spec: "",
  };
  const mostGpus = nodes.reduce((most, { gpus }) => Math.max(most, gpus), 0);
  const mix = assumedMix(pod, mostGpus);
  const { models, of } = modelsOf(nodes);
  const classes = createClasses(models, mix);
  const cluster = createCluster(
    nodes,
    models,
    of,
    machines.map(({ free }) => free),
  );
  // without a trace there are no duals: a pod is worth the GPU time it takes, as when demand is far above capacity
  const profit = Float64Array.from(classes.list, podMilli);
  const perMib = pod.memoryMib === 0 ? Number.POSITIVE_INFINITY : pod.cpuMilli / pod.memoryMib;
  const scorer = createFlare({
    cluster,
    fragmentation: createFragmentation(cluster.states, typicalPods(classes.list, mix.length)),
    completion: createCompletion(cluster.states, classes.list, profit),
    prices: createGroupPrices(cluster, classes.list),
    slots: createSlots(cluster, classes.list),
    profit,
    expectation: createExpectation(classes.list),
    cpuPerMib: perMib,
  });
  const spot = createPacker(cluster, classes, scorer).place(pod);
  return candidates[spot?.node ?? 0]!;
}

/**
 * Candidates for parts of GPUs with the one first that packs best, among those which the objective and its tie-breaks
 * cannot tell apart, by our packing policy.
 *
 * @param ranked best first
 */
export function byPacking(
  scope: Scope,
  ranked: readonly Candidate[],
  compare: (a: Candidate, b: Candidate) => number,
): readonly Candidate[] {
  const first = ranked[0];
  if (first === undefined || scope.need.part === undefined) return ranked;
  const equal = ranked.filter((candidate) => compare(first, candidate) === 0);
  if (equal.length < 2) return ranked;
  const best = bestPacked(scope, equal);
  return [best, ...ranked.filter((candidate) => candidate !== best)];
}
