import { partsIn } from "../compile/constraints/parts.ts";
import { replicasWithinCarbon } from "../compile/constraints/policy.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import { type Encoded, encode } from "../compile/encode.ts";
import { roundsOf } from "../compile/horizon.ts";
import { endByMs, taskSeconds } from "../compile/need.ts";
import type { Answer } from "../kernel/query.ts";
import { goalOf } from "../score/objective.ts";
import { byPacking } from "./packing.ts";
import {
  type Candidate,
  candidateOf,
  comparator,
  hasPreferences,
  objectiveOrder,
  type Range,
  type Ranking,
  rangeOf,
} from "./rank.ts";
import { billedShare, type Share, type Shortfall, slotsNow } from "./replicas.ts";
import { hostGang } from "./topology.ts";

/** What one intent alone gets from what is free. */
export interface SingleResult {
  readonly encoded: Encoded;
  readonly answer: Answer;
  readonly ranking: Ranking;
  /** Empty when nothing fits. */
  readonly shares: readonly Share[];
  /** The feasible options looked at exactly, best first. */
  readonly ranked: readonly Candidate[];
  /** Set when single offers pass every filter but all replicas together do not fit. */
  readonly shortfall: Shortfall | null;
}

const noRange: Range["worst"] = { cost: NaN, slowness: NaN, latency: NaN, energy: NaN };

/** Tasks that run at once in one offer: all that fit until the last wave ends, fewer where the cap binds. */
function waveSize(scope: Scope, { row }: Candidate): number {
  const { need } = scope;
  let tasks = Math.min(need.replicas, slotsNow(scope, row), replicasWithinCarbon(scope, row));
  const cap = need.capMicro ?? Number.POSITIVE_INFINITY;
  while (tasks > 1 && billedShare(scope, row, tasks) > cap) tasks--;
  // fewer at a time take longer, for which there may be less room still
  for (let fits = 0; tasks > 0 && fits < tasks; ) {
    fits = slotsNow(scope, row, roundsOf(need, tasks));
    tasks = Math.min(tasks, fits);
  }
  return tasks;
}

/** A batch that may run in waves takes the best offer that ends in time, with as many tasks at once as fit. */
function waves(scope: Scope, ranked: readonly Candidate[]): Share[] {
  const { need, catalog } = scope;
  for (const candidate of ranked) {
    const tasks = waveSize(scope, candidate);
    if (tasks < 1) continue;
    const rounds = Math.ceil(need.replicas / tasks);
    const endMs = need.atMs + Math.ceil(taskSeconds(catalog, need, candidate.row) * 1000 * rounds);
    if (endMs > endByMs(need)) continue;
    return [{ candidate, replicas: tasks, billedMicro: billedShare(scope, candidate.row, tasks) }];
  }
  return [];
}

/** Feasible options, exactly evaluated and ordered; only those near the top unless everything is needed. */
function rankAnswer(scope: Scope, ranking: Ranking, encoded: Encoded, answer: Answer): readonly Candidate[] {
  const { catalog, need } = scope;
  const spread = need.replicas > 1 && need.perOffer === 1;
  const all = encoded.rescoreAll || spread || hasPreferences(need) || need.part !== undefined;
  const rows = all ? catalog.table.feasible(encoded.query) : answer.rows;
  const worst = encoded.rescoreAll ? rangeOf(catalog, need, rows).worst : noRange;
  const compare = comparator(scope, ranking);
  const ranked = Array.from(rows, (row) => candidateOf(scope, ranking, row, worst)).sort(compare);
  return need.part === undefined ? ranked : byPacking(scope, ranked, objectiveOrder(scope, ranking));
}

/** A query with its answer. */
export interface Asked {
  readonly encoded: Encoded;
  readonly answer: Answer;
}

/** Asks the table for many intents over one catalogue in one pass. */
export function askAll(scopes: readonly Scope[], k: number): Asked[] {
  const encoded = scopes.map((scope) => encode(scope, goalOf(scope.need.intent).weights, k));
  const answers = scopes[0]?.catalog.table.selectAll(encoded.map(({ query }) => query)) ?? [];
  return encoded.map((one, index) => ({ encoded: one, answer: answers[index]! }));
}

function ask(scope: Scope, k: number): Asked {
  const encoded = encode(scope, goalOf(scope.need.intent).weights, k);
  return { encoded, answer: scope.catalog.table.select(encoded.query) };
}

/**
 * Best placement of one intent: kernel filter and score, exact order of the rows near the top, then replicas.
 *
 * @param k options to look at exactly, at least 1
 * @param asked the answer where it is known, see `askAll`
 */
export function placeSingle(scope: Scope, k: number, asked: Asked = ask(scope, k)): SingleResult {
  const found = findSingle(scope, asked);
  if (scope.need.part === undefined || found.shares.length === 0) return found;
  const shares = found.shares.map((share) => ({
    ...share,
    parts: partsIn(scope, share.candidate.row, share.replicas),
  }));
  return { ...found, shares };
}

function findSingle(scope: Scope, asked: Asked): SingleResult {
  const { need } = scope;
  const goal = goalOf(need.intent);
  const { encoded, answer } = asked;
  const ranked = answer.feasible === 0 ? [] : rankAnswer(scope, goal, encoded, answer);
  const result = { encoded, answer, ranking: goal, ranked };
  return { ...result, ...fitRanked(scope, goal, ranked) };
}

/**
 * Shares of a need in options that each pass every constraint: the best one where it goes into one offer, else several.
 *
 * @param ranked best first
 */
export function fitRanked(
  scope: Scope,
  ranking: Ranking,
  ranked: readonly Candidate[],
): Pick<SingleResult, "shares" | "shortfall"> {
  const { need } = scope;
  const best = ranked[0];
  if (best === undefined) return { shares: [], shortfall: null };
  if (need.replicas === 1 || need.perOffer > 1) {
    // one offer is one domain
    if ((need.intent.constraints.spread?.minDomains ?? 1) > 1)
      return { shares: [], shortfall: { most: need.perOffer, leastMicro: null, by: "spread" } };
    const billedMicro = billedShare(scope, best.row, need.replicas);
    return { shares: [{ candidate: best, replicas: need.replicas, billedMicro }], shortfall: null };
  }
  if (need.together === 1) return { shares: waves(scope, ranked), shortfall: null };
  const hosted = hostGang(scope, ranking, ranked);
  return Array.isArray(hosted)
    ? { shares: hosted, shortfall: null }
    : { shares: [], shortfall: hosted as Shortfall };
}
