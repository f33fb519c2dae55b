import { withoutHoldings } from "../assign/check-policies.ts";
import { partOfNeed } from "../compile/devices.ts";
import { holdsOf } from "../explain/waiting.ts";
import type { Decision, Placement } from "../model/decision.ts";
import type { Capacity, Device, Flavor } from "../model/flavor.ts";
import type { Intent } from "../model/intent.ts";
import type { Plan } from "../model/plan.ts";
import type { Holding, Snapshot } from "../model/snapshot.ts";
import { formatTime, parseTime } from "../model/time.ts";

/** One placement with what it is for. */
interface Started {
  readonly placement: Placement;
  readonly intent: Intent;
}

/** Part of a GPU given away on a device, or the whole of it. */
function withPart(device: Device, { workload }: Intent): Device {
  const part = partOfNeed(workload.resources.gpu);
  if (part?.profile !== undefined) return { ...device, migInUse: [...(device.migInUse ?? []), part.profile] };
  return { ...device, freeMilli: Math.max(0, device.freeMilli - (part?.milli ?? 1000)) };
}

const isWhole = ({ freeMilli, migInUse }: Device): boolean =>
  freeMilli === 1000 && (migInUse === undefined || migInUse.length === 0);

const less = (free: number | undefined, taken: number): number | undefined =>
  free === undefined ? undefined : Math.max(0, free - taken);

/** An offer less one placement. Parts of GPUs whose device is not known count as whole ones. */
function withPlacement(offer: Flavor, { placement, intent }: Started): Flavor {
  const { capacity } = offer;
  const { cpuMilli = 0, memoryMib = 0 } = intent.workload.resources;
  const { replicas, gpus } = placement;
  const named = placement.devices;
  const devices = capacity.devices?.map((device) =>
    (named ?? [])
      .flat()
      .filter((index) => index === device.index)
      .reduce((left) => withPart(left, intent), device),
  );
  const opened =
    devices === undefined || named === undefined
      ? gpus
      : (capacity.devices ?? []).filter(isWhole).length - devices.filter(isWhole).length;
  const free = {
    cpuMilliFree: less(capacity.cpuMilliFree ?? capacity.cpuMilli, cpuMilli * replicas),
    memoryMibFree: less(capacity.memoryMibFree ?? capacity.memoryMib, memoryMib * replicas),
    podsFree: less(capacity.podsFree ?? capacity.pods, replicas),
    devices,
  };
  const stated = Object.fromEntries(Object.entries(free).filter(([, value]) => value !== undefined));
  const gpusFree = offer.divisible ? Math.max(0, capacity.gpusFree - opened) : 0;
  return { ...offer, capacity: { ...capacity, ...stated, gpusFree } as Capacity };
}

/** When work that starts now is expected to end; undefined for services and where nothing is stated. */
function untilOf({ workload }: Intent, at: string): Pick<Holding, "until" | "enforced"> {
  const { timeoutSeconds, estimatedRuntimeSeconds } = workload.batch ?? {};
  const seconds = timeoutSeconds ?? estimatedRuntimeSeconds;
  if (seconds === undefined) return {};
  return {
    until: formatTime(parseTime(at) + seconds * 1000),
    ...(timeoutSeconds === undefined ? {} : { enforced: true }),
  };
}

function holdingOf({ placement, intent }: Started, at: string): Holding {
  const { workload, sla } = intent;
  const { cpuMilli, memoryMib, gpu } = workload.resources;
  const { fractionMilli, migProfile } = gpu;
  return {
    intent: intent.name,
    offer: placement.offer,
    gpus: placement.gpus,
    since: at,
    priority: intent.priority,
    tenant: intent.tenant,
    evictable: workload.evictable,
    minRuntimeSeconds: workload.minRuntimeSeconds,
    spot: placement.spot,
    replicas: placement.replicas,
    ...(fractionMilli === undefined ? {} : { fractionMilli }),
    ...(migProfile === undefined ? {} : { migProfile }),
    ...(cpuMilli === undefined ? {} : { cpuMilli: cpuMilli * placement.replicas }),
    ...(memoryMib === undefined ? {} : { memoryMib: memoryMib * placement.replicas }),
    ...(sla.maxInterruptionSeconds === undefined
      ? {}
      : { maxInterruptionSeconds: sla.maxInterruptionSeconds }),
    ...untilOf(intent, at),
  };
}

/**
 * The snapshot once a plan is carried out: who was evicted or moved has left, who was placed runs, and the starts that
 * waiting intents were told are reserved.
 *
 * @param intents those that were planned
 */
export function afterPlan(snapshot: Snapshot, plan: Plan, intents: readonly Intent[]): Snapshot {
  const byName = new Map(intents.map((intent) => [intent.name, intent]));
  const decided = plan.decisions.filter(({ reason }) => reason !== "RUNNING");
  const gone = new Set([...decided, ...plan.evictions].map(({ intent }) => intent));
  const ended = snapshot.holdings.filter(({ intent }) => gone.has(intent));
  const started = decided.flatMap((decision: Decision): Started[] => {
    const intent = byName.get(decision.intent);
    return intent === undefined ? [] : decision.placements.map((placement) => ({ placement, intent }));
  });
  const onOffer = Map.groupBy(started, ({ placement }) => placement.offer);
  const known = new Set(plan.decisions.map(({ intent }) => intent));
  return {
    ...snapshot,
    offers: snapshot.offers.map((offer) =>
      (onOffer.get(offer.id) ?? []).reduce(withPlacement, withoutHoldings(offer, snapshot, ended)),
    ),
    holdings: [
      ...snapshot.holdings.filter((holding) => !ended.includes(holding)),
      ...started.map((one) => holdingOf(one, snapshot.at)),
    ],
    reservations: [
      ...snapshot.reservations.filter(({ intent }) => intent === undefined || !known.has(intent)),
      ...plan.decisions.flatMap((decision) => holdsOf(decision, byName.get(decision.intent)?.priority ?? 0)),
    ],
  };
}
