import { flavorOf } from "../compile/catalog.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import { taskSeconds } from "../compile/need.ts";
import type { Flavor } from "../model/flavor.ts";
import { ln } from "../score/numeric.ts";
import { weightOf } from "../score/objective.ts";
import type { Candidate, Ranking } from "./rank.ts";
import { hostReplicas, objectiveOf, type Share, type Shortfall, slotsNow } from "./replicas.ts";

/** How far the replicas of a gang are apart, nearest first. */
const distances = ["offer", "zone", "region", "provider", "providers"] as const;

type Distance = (typeof distances)[number];

/**
 * Time of a step relative to replicas in one offer. Assumed, and told with every decision that rests on it: an
 * all-reduce moves every gradient over the slowest link at each step, a pipeline only activations between neighbors.
 */
const slowdown: Readonly<Record<"all-reduce" | "pipeline", Readonly<Record<Distance, number>>>> = {
  "all-reduce": { offer: 1, zone: 1.15, region: 1.4, provider: 3, providers: 4 },
  pipeline: { offer: 1, zone: 1.05, region: 1.1, provider: 1.4, providers: 1.6 },
};

/** What offers have in common at a distance; null where the offer does not say. */
function placeAt(flavor: Flavor, distance: Distance): string | null {
  const { id, provider, region, zone } = flavor;
  if (distance === "offer") return id;
  if (distance === "zone")
    return region === undefined || zone === undefined ? null : JSON.stringify([provider, region, zone]);
  if (distance === "region") return region === undefined ? null : JSON.stringify([provider, region]);
  return distance === "provider" ? provider : "";
}

/** How far apart these offers are. */
export function distanceOf(flavors: readonly Flavor[]): Distance {
  return distances.find((distance) => {
    const places = flavors.map((flavor) => placeAt(flavor, distance));
    return places.every((place) => place !== null && place === places[0]);
  })!;
}

/** How much slower a workload runs because its replicas are spread over these offers; 1 for independent replicas. */
export function spreadSlowdown({ need }: Pick<Scope, "need">, flavors: readonly Flavor[]): number {
  const pattern = need.intent.workload.communicationPattern;
  if (pattern === undefined || pattern === "independent") return 1;
  return slowdown[pattern][distanceOf(flavors)];
}

const flavorsOf = ({ catalog }: Scope, shares: readonly Share[]): Flavor[] =>
  shares.map(({ candidate }) => flavorOf(catalog, candidate.row));

/** The objective of a whole placement with its slowdown, smaller is better; Infinity past the deadline. */
function spreadObjective(scope: Scope, ranking: Ranking, shares: readonly Share[]): number {
  const { catalog, need } = scope;
  const factor = spreadSlowdown(scope, flavorsOf(scope, shares));
  const { deadlineMs, atMs, runtime } = need;
  if (deadlineMs !== undefined && runtime.source !== "none") {
    const slowest = Math.max(...shares.map(({ candidate }) => taskSeconds(catalog, need, candidate.row)));
    if (atMs + Math.ceil(slowest * factor * 1000) > deadlineMs) return Number.POSITIVE_INFINITY;
  }
  const objective = objectiveOf(scope, ranking);
  const total = shares.reduce((sum, { candidate, replicas }) => sum + objective(candidate, replicas), 0);
  // a batch pays for as long as it runs, a service by the hour
  const paysForTime = runtime.source !== "none";
  if (weightOf(ranking.weights, "cost") === 1) return paysForTime ? total * factor : total;
  const weight =
    weightOf(ranking.weights, "slowness") + (paysForTime ? weightOf(ranking.weights, "cost") : 0);
  return total + need.replicas * weight * ln(factor);
}

/** Groups of candidates that lie together at a distance and have room for all replicas, best candidate first. */
function groupsAt(scope: Scope, candidates: readonly Candidate[], distance: Distance): Candidate[][] {
  const groups = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const place = placeAt(flavorOf(scope.catalog, candidate.row), distance);
    if (place === null) continue;
    const group = groups.get(place);
    if (group === undefined) groups.set(place, [candidate]);
    else group.push(candidate);
  }
  const hasRoom = (group: readonly Candidate[]): boolean => {
    let room = 0;
    for (const { row } of group) {
      room += slotsNow(scope, row);
      if (room >= scope.need.replicas) return true;
    }
    return false;
  };
  return [...groups.values()].filter(hasRoom);
}

/** Groups tried per distance. */
const mostGroups = 12;

/**
 * Hosts a gang whose replicas talk to each other: the best placement of each distance is found, and the one whose
 * objective is best with the slowdown that its distance brings. Equal ones go to the nearer.
 *
 * @param candidates feasible options, best first
 */
export function hostGang(
  scope: Scope,
  ranking: Ranking,
  candidates: readonly Candidate[],
): readonly Share[] | Shortfall {
  const anywhere = hostReplicas(scope, ranking, candidates);
  const { constraints, workload } = scope.need.intent;
  const talks =
    workload.communicationPattern === "all-reduce" || workload.communicationPattern === "pipeline";
  if (!talks || (constraints.spread?.minDomains ?? 1) > 1 || !Array.isArray(anywhere)) return anywhere;
  let best: readonly Share[] = anywhere;
  let least = spreadObjective(scope, ranking, best);
  let nearest = distances.indexOf(distanceOf(flavorsOf(scope, best)));
  for (const [rank, distance] of distances.entries()) {
    for (const group of groupsAt(scope, candidates, distance).slice(0, mostGroups)) {
      const hosted = hostReplicas(scope, ranking, group);
      if (!Array.isArray(hosted)) continue;
      const objective = spreadObjective(scope, ranking, hosted);
      if (objective > least || (objective === least && rank >= nearest)) continue;
      best = hosted;
      least = objective;
      nearest = rank;
    }
  }
  return least < Number.POSITIVE_INFINITY ? best : { most: 0, leastMicro: null, by: "distance" };
}
