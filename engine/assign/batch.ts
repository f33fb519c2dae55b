import { flavorOf, rowRank } from "../compile/catalog.ts";
import { replicasWithinCarbon } from "../compile/constraints/policy.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import { endByMs, interruptionFactor, taskSeconds } from "../compile/need.ts";
import type { ScarcityPrice } from "../model/plan.ts";
import { noTerms, type Running, type Terms } from "../model/terms.ts";
import { weightOf } from "../score/objective.ts";
import type { Keys } from "./carry.ts";
import { createInstance, type Instance, type ItemInput, type OptionInput, type Units } from "./instance.ts";
import type { Candidate, Ranking } from "./rank.ts";
import { billedShare, type Share, slotsNow } from "./replicas.ts";
import { createRows, type Rows, type Use } from "./rows.ts";

/** One intent that competes: its scope over empty offers and its candidates, best first. */
export interface Contender {
  readonly scope: Scope;
  readonly ranking: Ranking;
  readonly candidates: readonly Candidate[];
  /** What it would take if it were alone. */
  readonly alone: readonly Share[];
  /** It runs: the option row where it stays, and what leaving costs per hour. */
  readonly stay?: { readonly row: number; readonly costMicro: number };
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
  /** Items 0 .. contenders.length - 1. */
  readonly contenders: readonly Contender[];
  /** The items after them: running work that stays where it is or makes way. */
  readonly running: readonly Running[];
  /** Per option of the contenders. */
  readonly unit: readonly Unit[];
  /** What stays the same from batch to batch. */
  readonly keys: Keys;
  /** Per row: offer and resource, or null where the row is an intent's own. */
  readonly rowOf: readonly (Pick<ScarcityPrice, "offer" | "resource"> | null)[];
  /** Regret per copy at which options beyond the listed ones would begin; Infinity where all are listed. */
  readonly restRegret: readonly number[];
  /** Gain of the running work among the contenders as it is: nothing that the batch brings. */
  readonly baseline: number;
}

/**
 * Serving an intent is worth this many times its list price: others may be sent to dearer offers for it, up to a
 * point, and money still shows in the gap.
 */
const servingFactor = 4;

/** What counts towards a floor is worth this much more: above all other utility, below the next tier's. */
const floorFactor = 4;

/** Separated enough for an order, close enough for a solver; verified afterwards in any case. */
const tierWeights = [512, 64, 8, 1] as const;

/**
 * Regret of a candidate against the best one, whole workload, micro-units: money for cost intents, else the best
 * one's list price times the difference of scores (a ten per cent worse score counts like ten per cent dearer).
 */
export function regretOf(ranking: Ranking, best: Candidate, candidate: Candidate): number {
  const regret =
    weightOf(ranking.weights, "cost") === 1
      ? candidate.values.cost - best.values.cost
      : best.billedMicro * (candidate.score - best.score);
  return Math.max(0, Math.round(regret));
}

/** Numbers of tasks to offer for a batch in waves: as many as fit, and the fewest that still end in time. */
function waveTakes(scope: Scope, row: number): number[] {
  const { need, catalog } = scope;
  let most = Math.min(need.replicas, slotsNow(scope, row), replicasWithinCarbon(scope, row));
  const cap = need.capMicro ?? Number.POSITIVE_INFINITY;
  while (most > 0 && billedShare(scope, row, most) > cap) most--;
  const seconds = taskSeconds(catalog, need, row);
  const ends = (tasks: number): boolean =>
    need.atMs + Math.ceil(seconds * 1000 * Math.ceil(need.replicas / tasks)) <= endByMs(need);
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
    const regret = regretOf(contender.ranking, candidates[0]!, candidate);
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
      : Math.round((regretOf(contender.ranking, candidates[0]!, candidate) * replicas) / need.replicas);
    return [{ candidate, replicas, regret }];
  });
}

/** True when the intent's replicas may be spread over several offers and must all run. */
const isGang = ({ scope: { need } }: Contender): boolean =>
  need.replicas > 1 && need.perOffer === 1 && need.together > 1;

/** One contender laid out. */
interface Layout {
  readonly item: ItemInput;
  /** Per option of the item. */
  readonly units: readonly Unit[];
  readonly restRegret: number;
}

/** The option of one unit; two where it can count towards a floor: with its room there, and without at a cost. */
function optionsOf(unit: OptionInput, floor: Use | null, bonus: number): OptionInput[] {
  if (bonus === 0) return [unit];
  const outside = { ...unit, cost: unit.cost + bonus, forgone: bonus };
  return floor === null ? [outside] : [{ ...unit, uses: [...unit.uses, floor] }, outside];
}

function itemOf(contender: Contender, tier: number, weight: number, rows: Rows): Layout {
  const { scope, candidates, stay } = contender;
  const { need, catalog } = scope;
  const gang = isGang(contender);
  const units = gang ? gangUnits(contender) : singleUnits(contender);
  const copies = gang ? need.replicas : 1;
  const capRow = gang && need.capMicro != null ? rows.own(`cap ${need.intent.name}`, need.capMicro) : -1;
  const moving = (row: number): number => (stay === undefined || row === stay.row ? 0 : stay.costMicro);
  const perCopy = units.map(
    ({ candidate, replicas, regret }) => (regret + moving(candidate.row)) / (gang ? replicas : 1),
  );
  const most = perCopy.reduce((largest, cost) => Math.max(largest, cost), 0) * copies;
  const value = Math.max(1, Math.round(servingFactor * candidates[0]!.billedMicro + most)) * weight;
  const laidOut = units.map(({ candidate, replicas, regret }) => {
    const flavor = flavorOf(catalog, candidate.row);
    const billedMicro = billedShare(scope, candidate.row, replicas);
    const take = {
      intent: need.intent,
      flavor,
      spot: catalog.options.spot[candidate.row] === 1,
      gpus: need.gpus * replicas,
      billedMicro,
    };
    const uses = [...rows.offerUses(need, flavor, replicas), ...rows.limitUses(take)];
    if (capRow >= 0) uses.push([capRow, billedMicro]);
    if (gang && need.apart && flavor.divisible)
      uses.push([rows.own(`apart ${need.intent.name} ${flavor.id}`, 1), 1]);
    return {
      unit: { cost: regret + moving(candidate.row), covers: gang ? replicas : 1, uses },
      floor: rows.floorUse(take),
    };
  });
  const hasFloor = laidOut.some(({ floor }) => floor !== null);
  const bonusPerCopy = hasFloor ? Math.ceil((floorFactor * value) / copies) : 0;
  const split = laidOut.map(({ unit, floor }) =>
    optionsOf(unit, floor, bonusPerCopy * Math.min(copies, unit.covers)),
  );
  return {
    item: { copies, worth: value + bonusPerCopy * copies, tier, options: split.flat() },
    units: split.flatMap((options, index) => options.map(() => units[index]!)),
    restRegret: contender.isComplete ? Number.POSITIVE_INFINITY : perCopy.at(-1)! - moving(-1),
  };
}

/** Intent, offer, price kind and replicas of each option; a second one of the same counts towards no floor. */
function optionKeys({ scope }: Contender, units: readonly Unit[]): string[] {
  const { options, snapshot } = scope.catalog;
  const seen = new Map<string, number>();
  return units.map(({ candidate: { row }, replicas }) => {
    const offer = snapshot.offers[options.flavor[row]!]!.id;
    const key = `${scope.need.intent.name} ${offer} ${options.spot[row]} ${replicas}`;
    const count = seen.get(key) ?? 0;
    seen.set(key, count + 1);
    return `${key} ${count}`;
  });
}

/** Running work may stay, which is worth what its eviction would lose. */
const runningItem = (running: Running, tier: number, weight: number, rows: Rows): ItemInput => ({
  worth: Math.max(1, Math.round(running.lossMicro)) * weight,
  tier,
  options: [{ cost: 0, uses: rows.runningUses(running) }],
});

/** Lays competing intents out as an instance; tiers are the distinct priorities, highest first. */
export function compileBatch(contenders: readonly Contender[], terms: Terms = noTerms): Batch {
  // work that may move is never left out for others: it comes first
  const priorityOf = ({ scope, stay }: Contender): number =>
    stay === undefined ? scope.need.intent.priority : Number.POSITIVE_INFINITY;
  const priorities = [
    ...new Set([...contenders.map(priorityOf), ...terms.running.map(({ priority }) => priority)]),
  ].sort((a, b) => b - a);
  const weights = tierWeights.slice(Math.max(0, tierWeights.length - priorities.length));
  const ranked = (priority: number): [tier: number, weight: number] => {
    const tier = priorities.indexOf(priority);
    return [tier, weights[Math.min(tier, weights.length - 1)]!];
  };
  const flavors = new Map(
    terms.running.length === 0
      ? []
      : contenders[0]?.scope.catalog.snapshot.offers.map((flavor) => [flavor.id, flavor]),
  );
  const rows = createRows(terms, (offer) => flavors.get(offer)!);
  const built = contenders.map((contender) => itemOf(contender, ...ranked(priorityOf(contender)), rows));
  const running = contenders.length === 0 ? [] : terms.running.filter(({ offer }) => flavors.has(offer));
  const stays = running.map((one) => runningItem(one, ...ranked(one.priority), rows));
  const baseline = contenders.reduce((sum, { stay }, index) => {
    const { item, units } = built[index]!;
    const here = units.findIndex(({ candidate }) => candidate.row === stay?.row);
    return here < 0 ? sum : sum + item.worth - item.options[here]!.cost;
  }, 0);
  return {
    baseline,
    instance: createInstance(rows.rows, [...built.map(({ item }) => item), ...stays]),
    keys: {
      items: [
        ...contenders.map(({ scope }) => `intent ${scope.need.intent.name}`),
        ...running.map(({ intent }) => `running ${intent}`),
      ],
      options: [
        ...built.flatMap(({ units }, index) => optionKeys(contenders[index]!, units)),
        ...running.map(({ intent }) => `stay ${intent}`),
      ],
      rows: rows.keys,
    },
    contenders,
    running,
    unit: built.flatMap(({ units }) => units),
    rowOf: rows.priced,
    restRegret: [...built.map(({ restRegret }) => restRegret), ...stays.map(() => Number.POSITIVE_INFINITY)],
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
    .sort((a, b) => rowRank(scope.catalog, a.candidate.row) - rowRank(scope.catalog, b.candidate.row))
    .map(({ candidate, replicas }) => ({
      candidate,
      replicas,
      billedMicro: billedShare(scope, candidate.row, replicas),
    }));
}

/**
 * Shares decided elsewhere as units of the item's options; false where no option matches them. Takes their room out
 * of the floor rows of `free`: a share counts towards its floor only as long as there is some.
 */
export function unitsOf(
  batch: Batch,
  item: number,
  shares: readonly Share[],
  { units, free }: { readonly units: Units; readonly free: Float64Array },
): boolean {
  const { instance, unit } = batch;
  const first = instance.optionStart[item]!;
  const last = instance.optionStart[item + 1]!;
  const isGangItem = instance.copies[item]! > 1;
  const found: [option: number, count: number][] = [];
  for (const { candidate, replicas } of shares) {
    let best = -1;
    for (let option = first; option < last; option++) {
      const here = unit[option]!;
      if (here.candidate.row !== candidate.row || !hasFloorRoom(instance, option, free)) continue;
      if (isGangItem || here.replicas <= replicas)
        if (best < 0 || here.replicas > unit[best]!.replicas) best = option;
    }
    if (best < 0) return false;
    found.push([best, isGangItem ? Math.ceil(replicas / unit[best]!.replicas) : 1]);
  }
  for (const [option, count] of found) {
    units[option]! += count;
    for (let use = instance.useStart[option]!; use < instance.useStart[option + 1]!; use++)
      free[instance.useRow[use]!]! -= count * instance.useAmount[use]!;
  }
  return true;
}

/** True when the floor rows of an option have room for one unit of it. */
function hasFloorRoom(instance: Instance, option: number, free: Float64Array): boolean {
  for (let use = instance.useStart[option]!; use < instance.useStart[option + 1]!; use++) {
    const row = instance.useRow[use]!;
    if (instance.rowKind[row] === "floor" && free[row]! < instance.useAmount[use]!) return false;
  }
  return true;
}
