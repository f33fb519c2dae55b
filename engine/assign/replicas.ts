import { flavorOf, rowRank } from "../compile/catalog.ts";
import { partsIn } from "../compile/constraints/parts.ts";
import { quotaSlots } from "../compile/constraints/quota.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import type { DevicePart } from "../compile/devices.ts";
import { slotsOver } from "../compile/horizon.ts";
import { billedByGpu, interruptionFactor } from "../compile/need.ts";
import { exactScore } from "../compile/score-columns.ts";
import { weightOf } from "../score/objective.ts";
import { fill } from "./fill.ts";
import type { Candidate, Ranking } from "./rank.ts";

/** Replicas of one need in the offer of a candidate. */
export interface Share {
  readonly candidate: Candidate;
  readonly replicas: number;
  /** Billed micro-units per hour of these replicas. */
  readonly billedMicro: number;
  /** Price per GPU and hour where an auction set it; `billedMicro` follows it. */
  readonly clearingMicro?: number;
  /** The part of a device that each replica gets, where they ask for parts. */
  readonly parts?: readonly DevicePart[];
  /** Device indices per replica, once the plan is settled and where the offer lists devices. */
  readonly devices?: readonly (readonly number[])[];
}

/** Why replicas could not be spread although single offers pass every filter. */
export interface Shortfall {
  /** Replicas that do find a place. */
  readonly most: number;
  /** Least billed price of all replicas when only the cap is in the way. */
  readonly leastMicro: number | null;
  readonly by: "capacity" | "cap" | "spread" | "distance";
}

/** Replicas the offer of a row can host now, after what the plan already gave away. */
export function slotsNow(scope: Scope, row: number, rounds = 1): number {
  const { catalog, need, usage, asIfFree } = scope;
  const { capacity, divisible } = flavorOf(catalog, row);
  const used = usage.get(catalog.options.flavor[row]!);
  if (used !== undefined && used.gpus > 0 && !divisible) return 0;
  const totals = {
    cpuMilli: capacity.cpuMilli ?? capacity.cpuMilliFree,
    memoryMib: capacity.memoryMib ?? capacity.memoryMibFree,
    pods: capacity.pods ?? capacity.podsFree,
  };
  const free = {
    cpuMilli: capacity.cpuMilliFree ?? capacity.cpuMilli,
    memoryMib: capacity.memoryMibFree ?? capacity.memoryMib,
    pods: capacity.podsFree ?? capacity.pods,
  };
  const room = asIfFree ? totals : free;
  const limit = (free: number | undefined, taken: number, each: number): number =>
    each === 0 || free === undefined ? Number.POSITIVE_INFINITY : Math.floor((free - taken) / each);
  const slots = Math.min(
    need.part === undefined
      ? limit(asIfFree ? capacity.gpus : capacity.gpusFree, used?.gpus ?? 0, need.gpus)
      : partsIn(scope, row, need.replicas).length,
    limit(room.cpuMilli, used?.cpuMilli ?? 0, need.cpuMilli),
    limit(room.memoryMib, used?.memoryMib ?? 0, need.memoryMib),
    limit(room.pods, used?.pods ?? 0, 1),
    slotsOver(scope, row, rounds),
    need.apart ? 1 : need.replicas,
    quotaSlots(scope, row),
  );
  return Math.max(0, slots);
}

/** Billed price of `replicas` in one offer, which can host them. */
export function billedShare({ catalog, need }: Scope, row: number, replicas: number): number {
  const unit = catalog.options.unitMicro[row]!;
  return Number.isNaN(unit) ? catalog.options.wholeMicro[row]! : billedByGpu(catalog, need, row, replicas);
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
  most: number,
): Candidate[] {
  if (candidates.length <= most) return [...candidates];
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
      ranked.sort(
        (a, b) =>
          a.rate - b.rate ||
          rowRank(scope.catalog, a.candidate.row) - rowRank(scope.catalog, b.candidate.row),
      );
      for (const { candidate } of ranked.slice(0, enough)) kept.add(candidate);
    }
  }
  return candidates.filter((candidate) => kept.has(candidate));
}

/** Objective of `replicas` in one offer: money for a pure cost goal, else the sum of their scores. */
export function objectiveOf(
  scope: Scope,
  ranking: Ranking,
): (candidate: Candidate, replicas: number) => number {
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
  const rank = ({ candidate }: Share): number => rowRank(scope.catalog, candidate.row);
  return shares.sort((a, b) => rank(a) - rank(b));
}

/** Candidates of one failure domain. */
interface Group {
  readonly candidates: readonly Candidate[];
  /** It counts for the spread: the offers state which domain they are in. */
  readonly counts: boolean;
}

/** The candidates by failure domain, in order of their best; one group of all where no spread is asked for. */
function groupsOf({ catalog, need }: Scope, candidates: readonly Candidate[]): Group[] {
  const { spread } = need.intent.constraints;
  if (spread === undefined) return [{ candidates, counts: false }];
  const groups = new Map<string | undefined, Candidate[]>();
  for (const candidate of candidates) {
    const flavor = flavorOf(catalog, candidate.row);
    const domain =
      spread.by === "provider" ? flavor.provider : spread.by === "zone" ? flavor.zone : flavor.region;
    const group = groups.get(domain);
    if (group === undefined) groups.set(domain, [candidate]);
    else group.push(candidate);
  }
  return [...groups].map(([domain, group]) => ({ candidates: group, counts: domain !== undefined }));
}

/** Labels by the number of replicas hosted so far. */
type Layer = Label[][];

const emptyLayer = (replicas: number): Layer => Array.from({ length: replicas + 1 }, () => []);

/** Adds to `into` what comes of the labels of `from` when a candidate hosts `least` to `most` more replicas. */
function hostMore(
  from: Layer,
  into: Layer,
  candidate: Candidate,
  { least, most }: { readonly least: number; readonly most: number },
  price: (replicas: number) => { readonly added: number; readonly billed: number },
): void {
  const prices = Array.from({ length: most + 1 }, (_, replicas) =>
    replicas === 0 ? { added: 0, billed: 0 } : price(replicas),
  );
  from.forEach((labels, hosted) => {
    if (labels.length === 0) return;
    for (let replicas = least; replicas <= Math.min(most, from.length - 1 - hosted); replicas++) {
      const { added, billed } = prices[replicas]!;
      for (const before of labels)
        into[hosted + replicas]!.push(
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
}

/**
 * All ways worth keeping to host the replicas, by dynamic programming over the candidates, group by group: a state is
 * the number of replicas hosted and of domains used, and whether the current group is used yet.
 */
function combine(
  groups: readonly Group[],
  replicas: number,
  domains: number,
  slotsOf: (candidate: Candidate) => number,
  priceOf: (
    candidate: Candidate,
  ) => (replicas: number) => { readonly added: number; readonly billed: number },
): Label[] {
  let states: Layer[] = Array.from({ length: domains + 1 }, () => emptyLayer(replicas));
  states[0]![0] = [{ objective: 0, billed: 0, last: null }];
  for (const { candidates, counts } of groups) {
    let busy: Layer[] = states.map(() => emptyLayer(replicas));
    for (const candidate of candidates) {
      const most = Math.min(slotsOf(candidate), replicas);
      const price = priceOf(candidate);
      busy = busy.map((used, index) => {
        const next = emptyLayer(replicas);
        hostMore(states[index]!, next, candidate, { least: 1, most }, price);
        hostMore(used, next, candidate, { least: 0, most }, price);
        return next.map(prune);
      });
    }
    const after = states.map((layer) => layer.map((labels) => [...labels]));
    busy.forEach((layer, index) => {
      const into = after[counts ? Math.min(index + 1, domains) : index]!;
      for (const [hosted, labels] of layer.entries()) into[hosted]!.push(...labels);
    });
    states = after.map((layer) => layer.map(prune));
  }
  return states[domains]![replicas]!;
}

/** Candidates looked at together; more are cut to a shortlist. */
const EXACT = 64;

/** Steps of the dynamic programme, each over the labels of a state, that one placement may take. */
const MOST_STEPS = 400_000;

/** True when looking at all numbers of replicas in all offers would take too long. */
function isTooMany(
  candidates: readonly Candidate[],
  replicas: number,
  slotsOf: (candidate: Candidate) => number,
): boolean {
  let steps = 0;
  for (const candidate of candidates) {
    steps += (replicas + 1) * (Math.min(slotsOf(candidate), replicas) + 1);
    if (steps > MOST_STEPS) return true;
  }
  return false;
}

/** Replicas hosted offer by offer: by the objective, and where the cap forbids that, by the price alone. */
function filled(
  scope: Scope,
  groups: readonly Group[],
  domains: number,
  objective: (candidate: Candidate, replicas: number) => number,
): Share[] | Shortfall {
  const { need } = scope;
  const price = ({ row }: Candidate, replicas: number): number => billedShare(scope, row, replicas);
  const slotsOf = ({ row }: Candidate): number => slotsNow(scope, row);
  const rank = ({ candidate }: Share): number => rowRank(scope.catalog, candidate.row);
  const cap = need.capMicro ?? Number.POSITIVE_INFINITY;
  let leastMicro = Number.POSITIVE_INFINITY;
  for (const cost of [objective, price]) {
    const portions = fill(groups, need.replicas, domains, slotsOf, cost);
    if (portions === null) return { most: need.replicas, leastMicro: null, by: "spread" };
    const shares = portions.map(
      ({ candidate, replicas }): Share => ({ candidate, replicas, billedMicro: price(candidate, replicas) }),
    );
    const billed = shares.reduce((sum, { billedMicro }) => sum + billedMicro, 0);
    if (billed <= cap) return shares.sort((a, b) => rank(a) - rank(b));
    leastMicro = Math.min(leastMicro, billed);
  }
  return { most: need.replicas, leastMicro, by: "cap" };
}

/**
 * Hosts all replicas of a need in one or several offers: least objective subject to the hourly cap and the spread, by
 * dynamic programming over replicas (each step one more offer, with every number of replicas it can host). Exact for up
 * to 64 offers and 48 trade-offs per state; above that over a shortlist, and for very many replicas offer by offer. One offer appears once, at its better price kind.
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
  const minDomains = need.intent.constraints.spread?.minDomains ?? 1;
  const domains = minDomains > 1 ? minDomains : 0;
  const room = distinct.reduce((sum, { row }) => Math.min(need.replicas, sum + slotsNow(scope, row)), 0);
  if (room < need.replicas) return { most: room, leastMicro: null, by: "capacity" };
  const groups = groupsOf(scope, distinct);
  const isSpreadable = domains <= need.replicas && groups.filter(({ counts }) => counts).length >= domains;
  if (!isSpreadable) return { most: room, leastMicro: null, by: "spread" };

  const objective = objectiveOf(scope, ranking);
  const slotsOf = ({ row }: Candidate): number => slotsNow(scope, row);
  if (isTooMany(distinct, need.replicas, slotsOf)) return filled(scope, groups, domains, objective);
  const rate = (candidate: Candidate, replicas: number): number => objective(candidate, replicas) / replicas;
  const most = distinct.length <= EXACT ? EXACT : Math.max(1, Math.floor(EXACT / groups.length));
  const complete = combine(
    groups.map((group) => ({ ...group, candidates: shortlist(scope, group.candidates, rate, most) })),
    need.replicas,
    domains,
    slotsOf,
    (candidate) => (replicas) => ({
      added: objective(candidate, replicas),
      billed: billedShare(scope, candidate.row, replicas),
    }),
  );
  const cap = need.capMicro ?? Number.POSITIVE_INFINITY;
  const within = complete.find((label) => label.billed <= cap);
  if (within !== undefined) return sharesOf(scope, within);
  if (complete.length === 0) return { most: room, leastMicro: null, by: "spread" };
  return { most: room, leastMicro: Math.min(...complete.map(({ billed }) => billed)), by: "cap" };
}
