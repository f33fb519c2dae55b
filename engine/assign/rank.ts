import { type Catalog, flavorOf, rowRank } from "../compile/catalog.ts";
import { totalMicro } from "../compile/constraints/cost.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import { billedMicro, interruptionFactor, type Need } from "../compile/need.ts";
import { criterionEntries, exactScore, logOf } from "../compile/score-columns.ts";
import type { CriterionName } from "../model/decision.ts";
import type { Weights } from "../model/intent.ts";
import { ln } from "../score/numeric.ts";
import { criterionNames, type TieBreak, weightOf } from "../score/objective.ts";

/** One feasible option with the exact values that decide. Smaller is better everywhere. */
export interface Candidate {
  readonly row: number;
  /** Raw criteria; an unknown one holds the worst known value of the feasible set. */
  readonly values: Readonly<Record<CriterionName, number>>;
  readonly unknown: readonly CriterionName[];
  readonly score: number;
  /** Billed micro-units per hour of all replicas that run together, at this option's price. */
  readonly billedMicro: number;
}

/** How the candidates of one need are compared. */
export interface Ranking {
  readonly weights: Weights;
  readonly ties: readonly TieBreak[];
}

/** An option outside the stated preferences counts as this much worse. */
const UNPREFERRED = 1.1;

/** Expected cost of a row: per hour for services, to completion for batch, with what interruptions add. */
function rawCost(catalog: Catalog, need: Need, row: number): number {
  const billed =
    need.runtime.source === "none"
      ? billedMicro(catalog, need, row, need.replicas)
      : totalMicro({ catalog, need }, row);
  return billed * interruptionFactor(catalog, need, row);
}

/** Reads one criterion of rows; NaN where an offer does not tell it. */
function criterionAt(catalog: Catalog, need: Need, name: CriterionName): (row: number) => number {
  return name === "cost" ? (row) => rawCost(catalog, need, row) : criterionEntries(catalog, need)[name].at;
}

/** Raw criteria of a row; NaN where the offer does not tell. */
export function rawCriteria(catalog: Catalog, need: Need, row: number): Record<CriterionName, number> {
  const { slowness, latency, energy } = criterionEntries(catalog, need);
  return {
    cost: rawCost(catalog, need, row),
    slowness: slowness.at(row),
    latency: latency.at(row),
    energy: energy.at(row),
  };
}

/** Best and worst known value of each criterion over rows; NaN where none is known. */
export interface Range {
  readonly best: Readonly<Record<CriterionName, number>>;
  readonly worst: Readonly<Record<CriterionName, number>>;
}

export function rangeOf(catalog: Catalog, need: Need, rows: ArrayLike<number>): Range {
  const best: Record<CriterionName, number> = { cost: NaN, slowness: NaN, latency: NaN, energy: NaN };
  const worst: Record<CriterionName, number> = { ...best };
  for (const name of criterionNames) {
    const at = criterionAt(catalog, need, name);
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let index = 0; index < rows.length; index++) {
      const value = at(rows[index]!);
      if (value < least) least = value;
      if (value > most) most = value;
    }
    if (least <= most) [best[name], worst[name]] = [least, most];
  }
  return { best, worst };
}

/** Factor of an option that is not among the preferred models or providers. */
function preferenceFactor(catalog: Catalog, need: Need, row: number): number {
  if (!hasPreferences(need)) return 1;
  const { constraints, workload } = need.intent;
  const flavor = flavorOf(catalog, row);
  const { preferredModels } = workload.resources.gpu;
  const model =
    preferredModels.length === 0 ||
    preferredModels.some((name) => flavor.gpu.model === name || flavor.gpu.families.includes(name));
  const { preferredProviders } = constraints;
  const provider = preferredProviders.length === 0 || preferredProviders.includes(flavor.provider);
  return (model ? 1 : UNPREFERRED) * (provider ? 1 : UNPREFERRED);
}

/** True when the need states a soft preference, which the columns do not know. */
export function hasPreferences({ intent }: Need): boolean {
  return (
    intent.constraints.preferredProviders.length > 0 ||
    intent.workload.resources.gpu.preferredModels.length > 0
  );
}

/** What `comparator` orders rows by first; NaN where a weighted criterion is unknown. */
export function keysOf({ catalog, need }: Scope, ranking: Ranking, rows: ArrayLike<number>): Float64Array {
  const { weights } = ranking;
  const sole = soleCriterion(weights, need);
  const names = criterionNames.filter((name) => weightOf(weights, name) > 0);
  const keys = new Float64Array(rows.length);
  for (const name of names) {
    const at = criterionAt(catalog, need, name);
    const weight = weightOf(weights, name);
    for (let index = 0; index < keys.length; index++) {
      const value = at(rows[index]!);
      keys[index]! += sole === null ? weight * logOf(name, value) : value;
    }
  }
  if (hasPreferences(need))
    for (let index = 0; index < keys.length; index++)
      keys[index]! += ln(preferenceFactor(catalog, need, rows[index]!));
  return keys;
}

/** Evaluates a feasible row exactly. `worst` supplies the values of unknown criteria. */
export function candidateOf(scope: Scope, ranking: Ranking, row: number, worst: Range["worst"]): Candidate {
  const { catalog, need } = scope;
  const raw = rawCriteria(catalog, need, row);
  const unknown = criterionNames.filter((name) => Number.isNaN(raw[name]));
  const known = (name: CriterionName): number => {
    if (!Number.isNaN(raw[name])) return raw[name];
    return Number.isNaN(worst[name]) ? 1 : worst[name];
  };
  const values = {
    cost: known("cost"),
    slowness: known("slowness"),
    latency: known("latency"),
    energy: known("energy"),
  };
  return {
    row,
    values,
    unknown,
    score: exactScore(ranking.weights, values) + ln(preferenceFactor(catalog, need, row)),
    billedMicro: billedMicro(catalog, need, row, need.together),
  };
}

/** Seconds until an offer's first start, for ties; unknown is last. */
function startupSeconds(catalog: Catalog, row: number): number {
  return flavorOf(catalog, row).performance.coldStartSeconds ?? Number.POSITIVE_INFINITY;
}

/** The only criterion with weight, when there is just one and no preference bends it: compared raw, exactly. */
function soleCriterion(weights: Weights, need: Need): CriterionName | null {
  if (hasPreferences(need)) return null;
  const weighted = criterionNames.filter((name) => weightOf(weights, name) > 0);
  return weighted.length === 1 ? weighted[0]! : null;
}

const order = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

/** Total order of candidates: the objective, its tie-breaks, then the row (offer id, on demand first). */
export function comparator(scope: Scope, ranking: Ranking): (a: Candidate, b: Candidate) => number {
  const compare = objectiveOrder(scope, ranking);
  const rank = ({ row }: Candidate): number => rowRank(scope.catalog, row);
  return (a, b) => compare(a, b) || order(rank(a), rank(b));
}

/** The same without the row: 0 where the objective and its tie-breaks cannot tell two candidates apart. */
export function objectiveOrder(
  { catalog, need }: Scope,
  ranking: Ranking,
): (a: Candidate, b: Candidate) => number {
  const sole = soleCriterion(ranking.weights, need);
  return (a, b) => {
    const first = sole === null ? order(a.score, b.score) : order(a.values[sole], b.values[sole]);
    if (first !== 0) return first;
    for (const tie of ranking.ties) {
      const next =
        tie === "startup"
          ? order(startupSeconds(catalog, a.row), startupSeconds(catalog, b.row))
          : order(a.values[tie], b.values[tie]);
      if (next !== 0) return next;
    }
    return 0;
  };
}
