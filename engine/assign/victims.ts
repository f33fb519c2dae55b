import { type Catalog, offerIndexOf } from "../compile/catalog.ts";
import type { Usage } from "../compile/constraints/spec.ts";
import { partOfNeed } from "../compile/devices.ts";
import type { Intent } from "../model/intent.ts";
import type { Resource } from "../model/quota.ts";
import type { Holding } from "../model/snapshot.ts";
import { parseTime } from "../model/time.ts";
import type { Books } from "../quota/books.ts";
import { amountsOf, heldMicro, partOf } from "../quota/demand.ts";
import type { Piece } from "./cover.ts";

/** Assumed where an offer does not state its start-up time. */
const assumedRestartSeconds = 120;

/** Running work as it could be evicted: all replicas of an intent at once, wherever they are. */
export interface Victim extends Piece {
  readonly intent: string;
  readonly tenant: string;
  readonly priority: number;
  readonly holdings: readonly Holding[];
  /** What its end frees, by offer index. */
  readonly frees: readonly (readonly [offer: number, amount: Usage])[];
  /** What it counts in its tenant's quotas. */
  readonly amounts: ReadonlyMap<Resource, number>;
  /** Has run for its `min_runtime`: before that nobody may evict it. */
  readonly isRipe: boolean;
  /** May make way for higher priority, and restarts within its `max_interruption_time`. */
  readonly isEvictable: boolean;
  /** It states a `max_interruption_time`: it has to restart at once, elsewhere. */
  readonly mustRestart: boolean;
  /** Seconds of work since the last checkpoint; 0 for a service. */
  readonly lostSeconds: number;
  readonly restartSeconds: number;
}

/**
 * What the end of a holding frees of its offer. CPU and memory only where offer and holding tell. An offer sold whole
 * comes free as a whole, unless the snapshot says that several intents sit on it: then nobody knows when.
 */
export function freedBy(catalog: Catalog, holding: Holding, offer: number): Usage {
  const { snapshot } = catalog;
  const { capacity, divisible } = snapshot.offers[offer]!;
  const held = capacity.gpus - capacity.gpusFree;
  const isPart = partOfNeed(holding) !== undefined;
  const isShared = (): boolean =>
    snapshot.holdings.some((other) => other.offer === holding.offer && other.intent !== holding.intent);
  const known = (free: number | undefined, held: number | undefined): number =>
    free === undefined ? 0 : (held ?? 0);
  return {
    // which device a part is on is not known, so no whole GPU is known to come free
    gpus: divisible ? (isPart ? 0 : Math.min(holding.gpus, held)) : isShared() ? 0 : held,
    cpuMilli: known(capacity.cpuMilliFree, holding.cpuMilli),
    memoryMib: known(capacity.memoryMibFree, holding.memoryMib),
    pods: known(capacity.podsFree, holding.replicas ?? 1),
  };
}

function victimOf(
  catalog: Catalog,
  books: Books,
  holdings: readonly Holding[],
  intent: Intent | undefined,
): Victim {
  const { snapshot } = catalog;
  const atMs = parseTime(snapshot.at);
  const first = holdings[0]!;
  const most = (of: (holding: Holding) => number): number => Math.max(...holdings.map(of));
  const since = most(({ since }) => parseTime(since));
  const checkpoint = most(({ lastCheckpoint, since }) => parseTime(lastCheckpoint ?? since));
  const minimum = most(
    ({ minRuntimeSeconds }) => minRuntimeSeconds ?? intent?.workload.minRuntimeSeconds ?? 0,
  );
  const places = holdings.map((holding) => ({
    holding,
    offer: offerIndexOf(snapshot, holding.offer),
  }));
  const restartSeconds = places.reduce((longest, { offer }) => {
    const stated = snapshot.offers[offer]?.performance.coldStartSeconds;
    return Math.max(longest, stated ?? assumedRestartSeconds);
  }, 0);
  const interruption = first.maxInterruptionSeconds ?? intent?.sla.maxInterruptionSeconds;
  const isService = intent?.workload.type === "service";
  const lostSeconds = isService ? 0 : Math.max(0, Math.floor((atMs - Math.max(since, checkpoint)) / 1000));
  const price = places.reduce(
    (total, { holding, offer }) => total + heldMicro(snapshot, holding, snapshot.offers[offer]),
    0,
  );
  const parts = places.map(({ holding, offer }) => partOf(snapshot, holding, snapshot.offers[offer]));
  return {
    intent: first.intent,
    tenant: first.tenant,
    priority: most(({ priority }) => priority),
    holdings,
    frees: places
      .filter(({ offer }) => offer >= 0)
      .map(({ holding, offer }) => [offer, freedBy(catalog, holding, offer)] as const),
    amounts: amountsOf(books.resourcesOf(first.tenant), parts),
    isRipe: atMs - since >= minimum * 1000,
    isEvictable:
      holdings.every(({ evictable }) => evictable) &&
      (interruption === undefined || restartSeconds <= interruption),
    mustRestart: interruption !== undefined,
    lostSeconds,
    restartSeconds,
    cost: Math.max(1, Math.ceil((price * (lostSeconds + restartSeconds)) / 3600)),
  };
}

/**
 * Everything that runs and could make way, cheapest to lose in the order of ties: lower priority, then later start,
 * then name.
 *
 * @param running what runs, by intent
 * @param known running intents by name, where the plan was given them
 */
export function victimsOf(
  catalog: Catalog,
  books: Books,
  running: ReadonlyMap<string, readonly Holding[]>,
  known: ReadonlyMap<string, Intent>,
): Victim[] {
  const start = ({ holdings }: Victim): string => holdings[0]!.since;
  return [...running]
    .map(([name, holdings]) => victimOf(catalog, books, holdings, known.get(name)))
    .sort(
      (a, b) =>
        a.priority - b.priority ||
        (start(a) > start(b) ? -1 : start(a) < start(b) ? 1 : a.intent < b.intent ? -1 : 1),
    );
}
