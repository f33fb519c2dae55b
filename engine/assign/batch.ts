import { flavorOf } from "../compile/catalog.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import { interruptionFactor, taskSeconds } from "../compile/need.ts";
import type { Flavor } from "../model/flavor.ts";
import type { ScarcityPrice } from "../model/plan.ts";
import { weightOf } from "../score/objective.ts";
import {
  createInstance,
  type Instance,
  type ItemInput,
  type OptionInput,
  type RowInput,
  type Units,
} from "./instance.ts";
import type { Candidate, Ranking } from "./rank.ts";
import { billedShare, type Share, slotsNow } from "./replicas.ts";

/** One intent that competes: its scope over empty offers and its candidates, best first. */
export interface Contender {
  readonly scope: Scope;
  readonly ranking: Ranking;
  readonly candidates: readonly Candidate[];
  /** What it would take if it were alone. */
  readonly alone: readonly Share[];
  /** False when there are feasible options beyond `candidates`. */
  readonly isComplete: boolean;
}

/** What one unit of an option means for its intent. */
interface Unit {
  readonly candidate: Candidate;
  /** Replicas or tasks that one unit hosts. */
  readonly replicas: number;
  readonly regret: number;
}

/** A batch as an instance, with the way back to candidates and offers. */
export interface Batch {
  readonly instance: Instance;
  readonly contenders: readonly Contender[];
  readonly unit: readonly Unit[];
  /** Per item: worth before the tier's weight. */
  readonly value: readonly number[];
  /** Per row: offer and resource, or null where the row is an intent's own. */
  readonly rowOf: readonly (Pick<ScarcityPrice, "offer" | "resource"> | null)[];
  /** Regret per copy at which options beyond the listed ones would begin; Infinity where all are listed. */
  readonly restRegret: readonly number[];
}

/**
 * Serving an intent is worth this many times its list price: others may be sent to dearer offers for it, up to a
 * point, and money still shows in the gap.
 */
const servingFactor = 4;

/** Separated enough for an order, close enough for a solver; verified afterwards in any case. */
const tierWeights = [512, 64, 8, 1] as const;

/** Rows of the offers that are used, made on demand. */
function createRows(): {
  readonly rows: RowInput[];
  readonly rowOf: Batch["rowOf"][number][];
  offerRow(flavor: Flavor, resource: ScarcityPrice["resource"], capacity: number): number;
  ownRow(capacity: number): number;
} {
  const rows: RowInput[] = [];
  const rowOf: Batch["rowOf"][number][] = [];
  const known = new Map<string, number>();
  return {
    rows,
    rowOf,
    offerRow(flavor, resource, capacity) {
      const key = `${resource} ${flavor.id}`;
      const found = known.get(key);
      if (found !== undefined) return found;
      known.set(key, rows.length);
      rows.push({ kind: resource === "offer" ? "sale" : "capacity", capacity });
      rowOf.push({ offer: flavor.id, resource });
      return rows.length - 1;
    },
    ownRow(capacity) {
      rows.push({ kind: "cap", capacity });
      rowOf.push(null);
      return rows.length - 1;
    },
  };
}

type Rows = ReturnType<typeof createRows>;

/** What `replicas` of the need take from an offer. An offer sold whole gives itself, once. */
function usesOf({ need }: Scope, flavor: Flavor, replicas: number, rows: Rows): [number, number][] {
  if (!flavor.divisible) return [[rows.offerRow(flavor, "offer", 1), 1]];
  const { capacity } = flavor;
  const uses: [number, number][] = [[rows.offerRow(flavor, "gpu", capacity.gpusFree), need.gpus * replicas]];
  const add = (resource: ScarcityPrice["resource"], free: number | undefined, amount: number): void => {
    if (free !== undefined && amount > 0) uses.push([rows.offerRow(flavor, resource, free), amount]);
  };
  add("cpu", capacity.cpuMilliFree ?? capacity.cpuMilli, need.cpuMilli * replicas);
  add("memory", capacity.memoryMibFree ?? capacity.memoryMib, need.memoryMib * replicas);
  add("pod", capacity.podsFree ?? capacity.pods, replicas);
  return uses;
}

/**
 * Regret of a candidate against the best one, whole workload, micro-units: money for cost intents, else the best
 * one's list price times the difference of scores (a ten per cent worse score counts like ten per cent dearer).
 */
function regretOf({ ranking, candidates }: Contender, candidate: Candidate): number {
  const best = candidates[0]!;
  const regret =
    weightOf(ranking.weights, "cost") === 1
      ? candidate.values.cost - best.values.cost
      : best.billedMicro * (candidate.score - best.score);
  return Math.max(0, Math.round(regret));
}

/** Numbers of tasks to offer for a batch in waves: as many as fit, and the fewest that still end in time. */
function waveTakes(scope: Scope, row: number): number[] {
  const { need, catalog } = scope;
  let most = Math.min(need.replicas, slotsNow(scope, row));
  const cap = need.capMicro ?? Number.POSITIVE_INFINITY;
  while (most > 0 && billedShare(scope, row, most) > cap) most--;
  const seconds = taskSeconds(catalog, need, row);
  const ends = (tasks: number): boolean =>
    need.deadlineMs === undefined ||
    need.atMs + Math.ceil(seconds * 1000 * Math.ceil(need.replicas / tasks)) <= need.deadlineMs;
  let least = 1;
  while (least <= most && !ends(least)) least++;
  if (least > most) return [];
  const half = Math.ceil(most / 2);
  return [...new Set([most, half, least])].filter((tasks) => tasks >= least);
}

/** Options of an intent whose replicas sit in one offer (or a batch in waves). */
function singleUnits(contender: Contender): Unit[] {
  const { scope, candidates } = contender;
  const { need } = scope;
  const isWaves = need.together === 1 && need.replicas > 1 && need.perOffer === 1;
  return candidates.flatMap((candidate) => {
    const regret = regretOf(contender, candidate);
    if (!isWaves) return [{ candidate, replicas: need.replicas, regret }];
    const takes = waveTakes(scope, candidate.row);
    // fewer tasks at once take longer: one micro-unit per missing task orders them without outweighing money
    return takes.map((replicas) => ({ candidate, replicas, regret: regret + need.replicas - replicas }));
  });
}

/** Options of a gang that may span offers: one replica per unit, or all that fit where the offer is sold whole. */
function gangUnits(contender: Contender): Unit[] {
  const { scope, candidates, ranking } = contender;
  const { need, catalog } = scope;
  const isCost = weightOf(ranking.weights, "cost") === 1;
  const seen = new Set<number>();
  return candidates.flatMap((candidate) => {
    const offer = catalog.options.flavor[candidate.row]!;
    const slots = slotsNow(scope, candidate.row);
    // a second price kind of the same offer would let a gang count its slots twice
    if (slots < 1 || (need.apart && seen.has(offer))) return [];
    seen.add(offer);
    const replicas = flavorOf(catalog, candidate.row).divisible ? 1 : slots;
    const regret = isCost
      ? Math.round(
          billedShare(scope, candidate.row, replicas) * interruptionFactor(catalog, need, candidate.row),
        )
      : Math.round((regretOf(contender, candidate) * replicas) / need.replicas);
    return [{ candidate, replicas, regret }];
  });
}

/** True when the intent's replicas may be spread over several offers and must all run. */
const isGang = ({ scope: { need } }: Contender): boolean =>
  need.replicas > 1 && need.perOffer === 1 && need.together > 1;

function itemOf(
  contender: Contender,
  tier: number,
  weight: number,
  rows: Rows,
): {
  readonly item: ItemInput;
  readonly units: Unit[];
  readonly value: number;
  readonly restRegret: number;
} {
  const { scope, candidates } = contender;
  const { need, catalog } = scope;
  const gang = isGang(contender);
  const units = gang ? gangUnits(contender) : singleUnits(contender);
  const copies = gang ? need.replicas : 1;
  const capRow = gang && need.capMicro != null ? rows.ownRow(need.capMicro) : -1;
  const options = units.map(({ candidate, replicas, regret }): OptionInput => {
    const flavor = flavorOf(catalog, candidate.row);
    const uses = usesOf(scope, flavor, replicas, rows);
    if (capRow >= 0) uses.push([capRow, billedShare(scope, candidate.row, replicas)]);
    if (gang && need.apart && flavor.divisible) uses.push([rows.ownRow(1), 1]);
    return { cost: regret, covers: gang ? replicas : 1, uses };
  });
  const perCopy = units.map(({ replicas, regret }) => regret / (gang ? replicas : 1));
  const most = perCopy.reduce((largest, cost) => Math.max(largest, cost), 0) * copies;
  const value = Math.max(1, Math.round(servingFactor * candidates[0]!.billedMicro + most));
  return {
    item: { copies, worth: value * weight, tier, options },
    units,
    value,
    restRegret: contender.isComplete ? Number.POSITIVE_INFINITY : perCopy.at(-1)!,
  };
}

/** Lays competing intents out as an instance; tiers are the distinct priorities, highest first. */
export function compileBatch(contenders: readonly Contender[]): Batch {
  const priorities = [...new Set(contenders.map(({ scope }) => scope.need.intent.priority))].sort(
    (a, b) => b - a,
  );
  const weights = tierWeights.slice(Math.max(0, tierWeights.length - priorities.length));
  const rows = createRows();
  const built = contenders.map((contender) => {
    const tier = priorities.indexOf(contender.scope.need.intent.priority);
    return itemOf(contender, tier, weights[Math.min(tier, weights.length - 1)]!, rows);
  });
  return {
    instance: createInstance(
      rows.rows,
      built.map(({ item }) => item),
    ),
    contenders,
    unit: built.flatMap(({ units }) => units),
    value: built.map(({ value }) => value),
    rowOf: rows.rowOf,
    restRegret: built.map(({ restRegret }) => restRegret),
  };
}

/** The shares that an assignment gives the intent of an item; empty when it is not placed. */
export function sharesOf({ instance, unit, contenders }: Batch, units: Units, item: number): Share[] {
  const { scope } = contenders[item]!;
  const byRow = new Map<number, { candidate: Candidate; replicas: number }>();
  let left = scope.need.replicas;
  for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++) {
    if (units[option] === 0) continue;
    const { candidate, replicas } = unit[option]!;
    // the last offer sold whole may have room for more than is left
    const hosted = Math.min(left, replicas * units[option]!);
    left -= hosted;
    if (hosted === 0) continue;
    const before = byRow.get(candidate.row)?.replicas ?? 0;
    byRow.set(candidate.row, { candidate, replicas: before + hosted });
  }
  return [...byRow.values()]
    .sort((a, b) => a.candidate.row - b.candidate.row)
    .map(({ candidate, replicas }) => ({
      candidate,
      replicas,
      billedMicro: billedShare(scope, candidate.row, replicas),
    }));
}

/** Shares decided elsewhere as units of the item's options, or null where no option matches them. */
export function unitsOf(batch: Batch, item: number, shares: readonly Share[], units: Units): boolean {
  const { instance, unit } = batch;
  const first = instance.optionStart[item]!;
  const last = instance.optionStart[item + 1]!;
  const found: [option: number, count: number][] = [];
  for (const { candidate, replicas } of shares) {
    let best = -1;
    for (let option = first; option < last; option++) {
      const here = unit[option]!;
      if (here.candidate.row !== candidate.row) continue;
      if (instance.copies[item]! > 1 || here.replicas <= replicas)
        if (best < 0 || here.replicas > unit[best]!.replicas) best = option;
    }
    if (best < 0) return false;
    const count = instance.copies[item]! > 1 ? Math.ceil(replicas / unit[best]!.replicas) : 1;
    found.push([best, count]);
  }
  for (const [option, count] of found) units[option]! += count;
  return true;
}
