import type { Placement } from "../model/decision.ts";
import { assert } from "../model/errors.ts";
import type { Flavor } from "../model/flavor.ts";
import { type GpuNeed, type Intent, replicasOf } from "../model/intent.ts";
import { convert } from "../model/money.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Running } from "../model/terms.ts";
import { asksPart, billedMilli, checkDevices, type DeviceCheck } from "./check-devices.ts";
import { type Facts, failedConstraints, hosting } from "./eligible.ts";

/** One placed intent as the checker sees it. */
export interface Placed {
  readonly intent: Intent;
  readonly placements: readonly Placement[];
}

/** Billed micro-units per hour of a placement, recomputed from the flavor. */
function recount(snapshot: Snapshot, flavor: Flavor, gpu: GpuNeed, placement: Placement): number {
  const money = placement.spot ? flavor.price.spot : flavor.price.onDemand;
  assert(money !== undefined, `offer ${flavor.id} is not sold ${placement.spot ? "on spot" : "on demand"}`);
  const price = convert(money, snapshot.currency, snapshot.rates);
  assert(price !== null, `offer ${flavor.id} has no price in ${snapshot.currency}`);
  const { gpus } = flavor.capacity;
  if (placement.clearingMicro !== undefined) return placement.clearingMicro * placement.gpus;
  if (!flavor.divisible) return flavor.price.basis === "gpu" ? price * gpus : price;
  const perGpu = flavor.price.basis === "gpu" ? price : Math.ceil(price / gpus);
  return Math.ceil((perGpu * billedMilli(gpu, flavor)) / 1000) * placement.replicas;
}

/** The flavor with what evicted work gives back. */
export function withReleased(flavor: Flavor, evicted: readonly Running[]): Flavor {
  const here = evicted.filter(({ offer }) => offer === flavor.id);
  if (here.length === 0) return flavor;
  const capacity = { ...flavor.capacity };
  for (const { gpus, cpuMilli, memoryMib, pods } of here) {
    capacity.gpusFree += gpus;
    if (capacity.cpuMilliFree !== undefined) capacity.cpuMilliFree += cpuMilli;
    if (capacity.memoryMibFree !== undefined) capacity.memoryMibFree += memoryMib;
    if (capacity.podsFree !== undefined) capacity.podsFree += pods;
  }
  return { ...flavor, capacity };
}

/** A price that an auction set lies between the list price and the intent's own bid. */
function checkClearing(snapshot: Snapshot, intent: Intent, flavor: Flavor, placement: Placement): void {
  const price = placement.clearingMicro;
  if (price === undefined) return;
  const { clearingMicro: _set, ...atList } = placement;
  const least = recount(snapshot, flavor, intent.workload.resources.gpu, atList);
  const bid = intent.bidPerGpuHour;
  const most = bid === undefined ? null : convert(bid, snapshot.currency, snapshot.rates);
  assert(flavor.divisible, `${intent.name}: ${flavor.id} is sold whole, but cleared by the GPU`);
  assert(
    price * placement.gpus >= least && most !== null && price <= most,
    `${intent.name} pays ${price} per GPU at ${flavor.id}, list ${least}, bid ${most}`,
  );
}

/**
 * Recounts a whole plan from its inputs: every placed intent is eligible where it was put, gets all it asked for, is
 * billed what it says, and no offer gives more than it has. Shares no code with compile or the assigners.
 *
 * @param find the snapshot's offer with an id
 * @param facts latency and carbon of an offer for an intent, which need tables
 * @throws {Error} a broken invariant: a bug in this package
 */
export function checkPlacements(
  snapshot: Snapshot,
  placed: readonly Placed[],
  find: (offer: string) => Flavor | undefined,
  facts: (intent: Intent, flavor: Flavor) => Facts,
): void {
  const taken = new Map<
    string,
    {
      gpus: number;
      cpuMilli: number;
      memoryMib: number;
      pods: number;
      intents: Set<string>;
      devices: DeviceCheck;
    }
  >();
  for (const { intent, placements } of placed.filter((one) => one.placements.length > 0)) {
    const { count } = intent.workload.resources.gpu;
    const wanted = replicasOf(intent);
    const { together, hostedHere } = hosting(intent);
    const hosted = placements.reduce((sum, { replicas }) => sum + replicas, 0);
    assert(hosted >= together && hosted <= wanted, `${intent.name}: ${hosted} of ${wanted} replicas placed`);
    let billed = 0;
    let grams = 0;
    for (const placement of placements) {
      const flavor = find(placement.offer);
      assert(flavor !== undefined, `${intent.name}: offer ${placement.offer} does not exist`);
      assert(
        placement.gpus === placement.replicas * count,
        `${intent.name}: ${placement.gpus} GPUs at ${flavor.id}`,
      );
      const scope = { hostedHere, together: placements.length > 1 ? 1 : together };
      const failed = failedConstraints(
        snapshot,
        intent,
        flavor,
        placement.spot,
        facts(intent, flavor),
        scope,
      );
      assert(failed.length === 0, `${intent.name} at ${flavor.id} fails ${failed.join(", ")}`);
      const cost = recount(snapshot, flavor, intent.workload.resources.gpu, placement);
      assert(
        cost === placement.costMicro,
        `${intent.name} at ${flavor.id} costs ${cost}, not ${placement.costMicro}`,
      );
      checkClearing(snapshot, intent, flavor, placement);
      billed += cost;
      grams += facts(intent, flavor).carbonGramsPerGpuHour * placement.gpus;
      const use = taken.get(flavor.id) ?? {
        gpus: 0,
        cpuMilli: 0,
        memoryMib: 0,
        pods: 0,
        intents: new Set(),
        devices: checkDevices(flavor),
      };
      if (!asksPart(intent.workload.resources.gpu)) use.gpus += placement.gpus;
      use.devices.add(intent, placement);
      use.cpuMilli += (intent.workload.resources.cpuMilli ?? 0) * placement.replicas;
      use.memoryMib += (intent.workload.resources.memoryMib ?? 0) * placement.replicas;
      use.pods += placement.replicas;
      use.intents.add(intent.name);
      taken.set(flavor.id, use);
    }
    const { maxCarbonGramsPerHour } = intent.constraints.energy;
    assert(
      maxCarbonGramsPerHour === undefined || grams <= maxCarbonGramsPerHour * (1 + 1e-12),
      `${intent.name} burns ${grams} g/h, above ${maxCarbonGramsPerHour}`,
    );
    const { spread } = intent.constraints;
    if (spread !== undefined) {
      const domains = new Set(
        placements
          .map((one) => (spread.by === "provider" ? one.provider : one[spread.by]))
          .filter((name) => name !== null),
      );
      assert(
        domains.size >= spread.minDomains,
        `${intent.name} is in ${domains.size} of ${spread.minDomains} ${spread.by} domains`,
      );
    }
    const cap = intent.constraints.maxHourlyCost;
    const capMicro = cap === undefined ? null : convert(cap, snapshot.currency, snapshot.rates);
    assert(
      capMicro === null || billed <= capMicro,
      `${intent.name} is billed ${billed}, above its cap ${capMicro}`,
    );
  }
  for (const [id, use] of taken) {
    const { capacity, divisible } = find(id)!;
    const gpus = use.gpus + use.devices.finish();
    assert(gpus <= capacity.gpusFree, `${id} gives ${gpus} of ${capacity.gpusFree} free GPUs`);
    assert(
      divisible || use.intents.size === 1,
      `${id} is sold whole but given to ${[...use.intents].join(", ")}`,
    );
    const cpu = capacity.cpuMilliFree ?? capacity.cpuMilli;
    assert(cpu === undefined || use.cpuMilli <= cpu, `${id} gives ${use.cpuMilli} of ${cpu} CPU milli`);
    const pods = capacity.podsFree ?? capacity.pods;
    assert(pods === undefined || use.pods <= pods, `${id} hosts ${use.pods} of ${pods} pods`);
    const memory = capacity.memoryMibFree ?? capacity.memoryMib;
    assert(memory === undefined || use.memoryMib <= memory, `${id} gives ${use.memoryMib} of ${memory} MiB`);
  }
}
