import { partsIn } from "../compile/constraints/parts.ts";
import { replicasWithinCarbon } from "../compile/constraints/policy.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import { type Encoded, encode, withScore } from "../compile/encode.ts";
import { roundsOf } from "../compile/horizon.ts";
import { endByMs, type Need, taskSeconds } from "../compile/need.ts";
import { hasScoreColumns } from "../compile/score-columns.ts";
import type { Answer } from "../kernel/query.ts";
import type { Weights } from "../model/intent.ts";
import { goalOf } from "../score/objective.ts";
import { byPacking } from "./packing.ts";
import {
  type Candidate,
  candidateOf,
  comparator,
  hasPreferences,
  keysOf,
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

/** Nothing is known of what all feasible rows have. */
const noRange: Pick<Range, "worst"> = { worst: { cost: NaN, slowness: NaN, latency: NaN, energy: NaN } };

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

/** True when the best options are not told by their own scores alone, so that all are ranked. */
const ranksAll = (need: Need): boolean =>
  (need.replicas > 1 && need.perOffer === 1) || hasPreferences(need) || need.part !== undefined;

/** Feasible options, exactly evaluated and ordered; only the k best unless everything is needed. */
function rankAnswer(
  scope: Scope,
  ranking: Ranking,
  { query, isScored }: Encoded,
  answer: Answer,
): readonly Candidate[] {
  const { catalog, need } = scope;
  const all = ranksAll(need);
  let rows = isScored && all ? catalog.table.feasible(query) : answer.rows;
  let { worst } = noRange;
  let isCut = !all;
  if (!isScored) {
    const keys = keysOf(scope, ranking, rows);
    // an unknown criterion counts as the worst of all feasible ones, so its rank is known when all are looked at
    if (keys.some(Number.isNaN)) [worst, isCut] = [rangeOf(catalog, need, rows).worst, false];
    else if (isCut) rows = withLeast(rows, keys, query.k);
  }
  const compare = comparator(scope, ranking);
  const ranked = Array.from(rows, (row) => candidateOf(scope, ranking, row, worst)).sort(compare);
  if (isCut) return ranked.slice(0, query.k);
  return need.part === undefined ? ranked : byPacking(scope, ranked, objectiveOrder(scope, ranking));
}

/** The rows with the k smallest keys, and those that equal the largest of them. */
function withLeast(rows: Uint32Array, keys: Float64Array, k: number): Uint32Array {
  if (rows.length <= k) return rows;
  const kth = keys.slice().sort()[k - 1]!;
  return rows.filter((_, index) => keys[index]! <= kth);
}

/** A query with its answer. */
export interface Asked {
  readonly encoded: Encoded;
  readonly answer: Answer;
}

const weightsOf = ({ need }: Scope): Weights => goalOf(need.intent).weights;

/** Asks the table for many intents over one catalogue in one pass. */
export function askAll(scopes: readonly Scope[], k: number): Asked[] {
  const encoded = scopes.map((scope) => {
    const plain = encode(scope, k);
    return withScore(scope, weightsOf(scope), plain) ?? plain;
  });
  const answers = scopes[0]?.catalog.table.selectAll(encoded.map(({ query }) => query)) ?? [];
  return encoded.map((one, index) => ({ encoded: one, answer: answers[index]! }));
}

/**
 * Asks the table for one intent. Without score columns the feasible rows are scored one by one, which gives the same;
 * the columns are made once that has cost as much.
 */
function ask(scope: Scope, k: number): Asked {
  const { catalog, need } = scope;
  const { table, scoredAlone, options } = catalog;
  const weights = weightsOf(scope);
  const plain = encode(scope, k);
  const ask = (encoded: Encoded): Asked => ({ encoded, answer: table.select(encoded.query) });
  if (ranksAll(need)) return ask(plain);
  if (hasScoreColumns(catalog, need, weights)) return ask(withScore(scope, weights, plain) ?? plain);
  const asked = ask(plain);
  scoredAlone.rows += asked.answer.feasible;
  if (scoredAlone.rows <= options.count) return asked;
  const scored = withScore(scope, weights, plain);
  return scored === null ? asked : ask(scored);
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
