import { flavorOf } from "../compile/catalog.ts";
import { quotaSlots } from "../compile/constraints/quota.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import { interruptionFactor } from "../compile/need.ts";
import { exactScore } from "../compile/score-columns.ts";
import { weightOf } from "../score/objective.ts";
import type { Candidate, Ranking } from "./rank.ts";

/** Replicas of one need in the offer of a candidate. */
export interface Share {
  readonly candidate: Candidate;
  readonly replicas: number;
  /** Billed micro-units per hour of these replicas. */
  readonly billedMicro: number;
}

/** Why replicas could not be spread although single offers pass every filter. */
export interface Shortfall {
  /** Replicas that do find a place. */
  readonly most: number;
  /** Least billed price of all replicas when only the cap is in the way. */
  readonly leastMicro: number | null;
  readonly by: "capacity" | "cap" | "spread";
}

/** Replicas the offer of a row can host now, after what the plan already gave away. */
export function slotsNow(scope: Scope, row: number): number {
  const { catalog, need, usage, asIfFree } = scope;
  const { capacity, divisible } = flavorOf(catalog, row);
  const used = usage.get(catalog.options.flavor[row]!);
  if (used !== undefined && used.gpus > 0 && !divisible) return 0;
  const limit = (free: number | undefined, taken: number, each: number): number =>
    each === 0 || free === undefined ? Number.POSITIVE_INFINITY : Math.floor((free - taken) / each);
  const slots = Math.min(
    limit(asIfFree ? capacity.gpus : capacity.gpusFree, used?.gpus ?? 0, need.gpus),
    limit(capacity.cpuMilliFree ?? capacity.cpuMilli, used?.cpuMilli ?? 0, need.cpuMilli),
    limit(capacity.memoryMibFree ?? capacity.memoryMib, used?.memoryMib ?? 0, need.memoryMib),
    limit(capacity.podsFree ?? capacity.pods, used?.pods ?? 0, 1),
    need.apart ? 1 : need.replicas,
    quotaSlots(scope, row),
  );
  return Math.max(0, slots);
}

/** Billed price of `replicas` in one offer, which can host them. */
export function billedShare({ catalog, need }: Scope, row: number, replicas: number): number {
  const unit = catalog.options.unitMicro[row]!;
  return Number.isNaN(unit) ? catalog.options.wholeMicro[row]! : unit * need.gpus * replicas;
}

/** Partial answer: `hosted` replicas so far, their objective and price, and how we came here. */
interface Label {
  readonly objective: number;
  readonly billed: number;
  readonly last: { readonly candidate: Candidate; readonly replicas: number; readonly before: Label } | null;
}

/** Labels kept per state; beyond it the cheapest and the best survive. Exact below it. */
const LABELS = 48;

/** Keeps labels that no other beats in both objective and price, best objective first. */
function prune(labels: Label[]): Label[] {
  labels.sort((a, b) => a.objective - b.objective || a.billed - b.billed);
  const kept: Label[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (const label of labels) {
    if (label.billed >= least) continue;
    least = label.billed;
    kept.push(label);
  }
  return kept.length <= LABELS ? kept : [...kept.slice(0, LABELS - 1), kept[kept.length - 1]!];
}

/**
 * Candidates that can matter: per number of slots, the best ones by their price or score when hosting one replica and
 * when full, as many as could ever be used. Small sets are kept whole, so small instances are solved exactly.
 */
function shortlist(
  scope: Scope,
  candidates: readonly Candidate[],
  rate: (c: Candidate, n: number) => number,
): Candidate[] {
  if (candidates.length <= 64) return [...candidates];
  const bySlots = new Map<number, Candidate[]>();
  for (const candidate of candidates) {
    const slots = slotsNow(scope, candidate.row);
    const group = bySlots.get(slots);
    if (group === undefined) bySlots.set(slots, [candidate]);
    else group.push(candidate);
  }
  const kept = new Set<Candidate>();
  for (const [slots, group] of bySlots) {
    const enough = Math.ceil(scope.need.replicas / slots) + 1;
    for (const replicas of [1, slots]) {
      const ranked = group.map((candidate) => ({ candidate, rate: rate(candidate, replicas) }));
      ranked.sort((a, b) => a.rate - b.rate || a.candidate.row - b.candidate.row);
      for (const { candidate } of ranked.slice(0, enough)) kept.add(candidate);
    }
  }
  return candidates.filter((candidate) => kept.has(candidate));
}

/** Objective of `replicas` in one offer: money for a pure cost goal, else the sum of their scores. */
function objectiveOf(scope: Scope, ranking: Ranking): (candidate: Candidate, replicas: number) => number {
  const { catalog, need } = scope;
  const pureCost = weightOf(ranking.weights, "cost") === 1;
  return (candidate, replicas) => {
    const effective =
      billedShare(scope, candidate.row, replicas) * interruptionFactor(catalog, need, candidate.row);
    if (pureCost) return effective;
    const offset = candidate.score - exactScore(ranking.weights, candidate.values);
    return (
      replicas * (exactScore(ranking.weights, { ...candidate.values, cost: effective / replicas }) + offset)
    );
  };
}

function sharesOf(scope: Scope, label: Label): Share[] {
  const shares: Share[] = [];
  for (let at = label; at.last !== null; at = at.last.before) {
    const { candidate, replicas } = at.last;
    shares.push({ candidate, replicas, billedMicro: billedShare(scope, candidate.row, replicas) });
  }
  return shares.sort((a, b) => a.candidate.row - b.candidate.row);
}

/** One replica each in the best offers of the domains that come first; null when there are too few domains. */
function domainSeeds(scope: Scope, candidates: readonly Candidate[], count: number): Candidate[] | null {
  const { spread } = scope.need.intent.constraints;
  const seeds = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const flavor = flavorOf(scope.catalog, candidate.row);
    const domain =
      spread?.by === "provider" ? flavor.provider : spread?.by === "zone" ? flavor.zone : flavor.region;
    if (domain !== undefined && !seeds.has(domain)) seeds.set(domain, candidate);
  }
  return seeds.size < count ? null : [...seeds.values()].slice(0, count);
}

/**
 * Hosts all replicas of a need in one or several offers: least objective subject to the hourly cap, by dynamic
 * programming over replicas (each step one more offer, with every number of replicas it can host). Exact for up to
 * 64 offers and 48 trade-offs per state; above that over a shortlist. One offer appears once, at its better price kind.
 *
 * @param candidates feasible options, best first
 */
export function hostReplicas(
  scope: Scope,
  ranking: Ranking,
  candidates: readonly Candidate[],
): Share[] | Shortfall {
  const { need, catalog } = scope;
  const seen = new Set<number>();
  const distinct = candidates.filter(({ row }) => {
    const offer = catalog.options.flavor[row]!;
    return !seen.has(offer) && seen.add(offer);
  });
  const domains = need.intent.constraints.spread?.minDomains ?? 1;
  const seeds = domains > 1 ? domainSeeds(scope, distinct, domains) : [];
  const room = distinct.reduce((sum, { row }) => Math.min(need.replicas, sum + slotsNow(scope, row)), 0);
  if (room < need.replicas) return { most: room, leastMicro: null, by: "capacity" };
  if (seeds === null || domains > need.replicas) return { most: room, leastMicro: null, by: "spread" };

  const objective = objectiveOf(scope, ranking);
  const pool = shortlist(scope, distinct, (candidate, replicas) => objective(candidate, replicas) / replicas);
  for (const seed of seeds) if (!pool.includes(seed)) pool.push(seed);
  let states: Label[][] = Array.from({ length: need.replicas + 1 }, () => []);
  states[0] = [{ objective: 0, billed: 0, last: null }];
  for (const candidate of pool) {
    const slots = slotsNow(scope, candidate.row);
    const least = seeds.includes(candidate) ? 1 : 0;
    const next: Label[][] = Array.from({ length: need.replicas + 1 }, () => []);
    states.forEach((labels, hosted) => {
      for (let replicas = least; replicas <= Math.min(slots, need.replicas - hosted); replicas++) {
        const added = replicas === 0 ? 0 : objective(candidate, replicas);
        const billed = replicas === 0 ? 0 : billedShare(scope, candidate.row, replicas);
        for (const before of labels)
          next[hosted + replicas]!.push(
            replicas === 0
              ? before
              : {
                  objective: before.objective + added,
                  billed: before.billed + billed,
                  last: { candidate, replicas, before },
                },
          );
      }
    });
    states = next.map(prune);
  }
  const complete = states[need.replicas]!;
  const cap = need.capMicro ?? Number.POSITIVE_INFINITY;
  const within = complete.find((label) => label.billed <= cap);
  if (within !== undefined) return sharesOf(scope, within);
  const leastMicro = complete.reduce(
    (least, label) => Math.min(least, label.billed),
    Number.POSITIVE_INFINITY,
  );
  return { most: room, leastMicro: Number.isFinite(leastMicro) ? leastMicro : null, by: "cap" };
}
