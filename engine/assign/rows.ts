import type { Need } from "../compile/need.ts";
import type { Flavor } from "../model/flavor.ts";
import type { Intent } from "../model/intent.ts";
import type { ScarcityPrice } from "../model/plan.ts";
import type { Running, Take, Terms } from "../model/terms.ts";
import type { RowInput } from "./instance.ts";

export type Resource = ScarcityPrice["resource"];

/** Row and amount per unit of an option. */
export type Use = readonly [row: number, amount: number];

/** Rows of a batch, made when somebody first uses them. */
export interface Rows {
  readonly rows: RowInput[];
  /** Per row: offer and resource that it prices, or null. */
  readonly priced: (Pick<ScarcityPrice, "offer" | "resource"> | null)[];
  /** Per row: a name that stays the same from batch to batch. */
  readonly keys: string[];
  /** A row of one intent's own; its key is unique. */
  own(key: string, capacity: number): number;
  /** What `replicas` of a need take from an offer. */
  offerUses(need: Need, flavor: Flavor, replicas: number): Use[];
  /** What running work holds. */
  runningUses(running: Running): Use[];
  limitUses(take: Take): Use[];
  /** The first floor that the take counts for, and what it counts. */
  floorUse(take: Take): Use | null;
}

/** Free amount of a resource; undefined where the offer does not tell. */
function freeOf({ capacity, divisible }: Flavor, resource: Resource): number | undefined {
  if (!divisible) return resource === "offer" ? 1 : undefined;
  if (resource === "gpu") return capacity.gpusFree;
  if (resource === "cpu") return capacity.cpuMilliFree ?? capacity.cpuMilli;
  if (resource === "memory") return capacity.memoryMibFree ?? capacity.memoryMib;
  return resource === "pod" ? (capacity.podsFree ?? capacity.pods) : undefined;
}

type Amounts = readonly (readonly [Resource, number])[];

const amountsOf = (
  { divisible }: Flavor,
  of: {
    readonly gpus: number;
    readonly cpuMilli: number;
    readonly memoryMib: number;
    readonly pods: number;
  },
): Amounts =>
  divisible
    ? [
        ["gpu", of.gpus],
        ["cpu", of.cpuMilli],
        ["memory", of.memoryMib],
        ["pod", of.pods],
      ]
    : [["offer", 1]];

/**
 * Rows of offers hold what is free and what evictable work holds. That such work makes way for higher priority only
 * is a row of its own, per offer and priority q of running work: intents of priority q or less together with what
 * stays of the running work below q find place in what is free and what that work holds.
 */
export function createRows(terms: Terms, find: (offer: string) => Flavor): Rows {
  const rows: RowInput[] = [];
  const priced: Rows["priced"] = [];
  const keys: string[] = [];
  const known = new Map<string, number>();
  const runningOn = Map.groupBy(terms.running, ({ offer }) => offer);
  const row = (key: string, kind: RowInput["kind"], capacity: number, of: Rows["priced"][number]): number => {
    const found = known.get(key);
    if (found !== undefined) return found;
    known.set(key, rows.length);
    rows.push({ kind, capacity });
    priced.push(of);
    keys.push(key);
    return rows.length - 1;
  };
  const held = (flavor: Flavor, resource: Resource, below: number): number => {
    let sum = 0;
    for (const running of runningOn.get(flavor.id) ?? []) {
      if (running.priority >= below) continue;
      sum += amountsOf(flavor, running).find(([name]) => name === resource)?.[1] ?? 0;
    }
    // an offer sold whole is there once, free or held
    return resource === "offer" ? Math.min(1, sum) : sum;
  };
  const isHeldWhole = (flavor: Flavor): boolean => !flavor.divisible && runningOn.has(flavor.id);
  /** Uses of an offer's rows by something of this priority, running or new. */
  const usesOf = (flavor: Flavor, amounts: Amounts, binds: (guard: number) => boolean): Use[] => {
    const guards = new Set((runningOn.get(flavor.id) ?? []).map(({ priority }) => priority));
    return amounts.flatMap(([resource, amount]): Use[] => {
      const free = freeOf(flavor, resource);
      if (free === undefined || amount <= 0) return [];
      const kind = resource === "offer" ? "sale" : "capacity";
      const now = isHeldWhole(flavor) ? 0 : free;
      const uses: Use[] = [
        [
          row(`${resource} ${flavor.id}`, kind, now + held(flavor, resource, Infinity), {
            offer: flavor.id,
            resource,
          }),
          amount,
        ],
      ];
      for (const guard of guards)
        if (binds(guard)) {
          const capacity = now + held(flavor, resource, guard);
          uses.push([row(`${resource} ${flavor.id} ${guard}`, "guard", capacity, null), amount]);
        }
      return uses;
    });
  };
  const limitsOf = new Map<Intent, readonly number[]>();
  const floorsOf = new Map<Intent, readonly number[]>();
  const limit = (index: number): number =>
    row(`limit ${index}`, terms.limits[index]!.kind, leftOf(terms, index), null);

  return {
    rows,
    priced,
    keys,
    own: (key, capacity) => row(key, "cap", capacity, null),
    offerUses({ gpus, cpuMilli, memoryMib, intent }, flavor, replicas) {
      const all = {
        gpus: gpus * replicas,
        cpuMilli: cpuMilli * replicas,
        memoryMib: memoryMib * replicas,
        pods: replicas,
      };
      return usesOf(flavor, amountsOf(flavor, all), (guard) => intent.priority <= guard);
    },
    runningUses(running) {
      const flavor = find(running.offer);
      return [
        ...usesOf(flavor, amountsOf(flavor, running), (guard) => running.priority < guard),
        ...running.returns.map(([index, amount]): Use => [limit(index), amount]),
      ];
    },
    limitUses: (take) =>
      concerned(terms.limits, take.intent, limitsOf).flatMap((index): Use[] => {
        const amount = terms.limits[index]!.amountOf(take);
        return amount > 0 ? [[limit(index), amount]] : [];
      }),
    floorUse(take) {
      for (const index of concerned(terms.floors, take.intent, floorsOf)) {
        const { amountOf, least } = terms.floors[index]!;
        const amount = amountOf(take);
        if (amount > 0) return [row(`floor ${index}`, "floor", least, null), amount];
      }
      return null;
    },
  };
}

/** Indices of the limits or floors that an intent falls under, asked once per intent. */
function concerned(
  all: readonly { readonly concerns: (intent: Intent) => boolean }[],
  intent: Intent,
  cache: Map<Intent, readonly number[]>,
): readonly number[] {
  const known = cache.get(intent);
  if (known !== undefined) return known;
  const found = all.flatMap(({ concerns }, index) => (concerns(intent) ? [index] : []));
  cache.set(intent, found);
  return found;
}

/** What a limit leaves once everything that may be evicted is counted as evicted. */
function leftOf({ limits, running }: Terms, index: number): number {
  let left = limits[index]!.left;
  for (const { returns } of running)
    for (const [limit, amount] of returns) if (limit === index) left += amount;
  // only whole GPUs compete in a batch
  return Math.floor(left);
}
