import type { Candidate, Range, Ranking } from "../assign/rank.ts";
import { type Catalog, flavorOf, rowRank } from "../compile/catalog.ts";
import { logOf } from "../compile/score-columns.ts";
import type { Criteria, Criterion, CriterionName, RunnerUp, Tradeoff } from "../model/decision.ts";
import { criterionNames, weightOf } from "../score/objective.ts";

/** Criteria of an option as the decision shows them: raw, ratio to the best feasible value, weight. */
export function criteriaOf(
  candidate: Pick<Candidate, "values" | "unknown">,
  ranking: Ranking,
  range: Range,
): Criteria {
  const one = (name: CriterionName): Criterion => {
    const value = candidate.values[name];
    const best = range.best[name];
    const ratio = best > 0 ? value / best : value === best ? 1 : value + 1;
    return {
      value,
      ratio: Number.isFinite(ratio) ? ratio : 1,
      weight: weightOf(ranking.weights, name),
      unknown: candidate.unknown.includes(name),
    };
  };
  return { cost: one("cost"), slowness: one("slowness"), latency: one("latency"), energy: one("energy") };
}

/** The weighted criterion that costs `other` most against `chosen`; ties and equals fall through to "order". */
function lostOn(chosen: Candidate, other: Candidate, ranking: Ranking): RunnerUp["lostOn"] {
  let worst: CriterionName | null = null;
  let most = 0;
  for (const name of criterionNames) {
    const loss =
      weightOf(ranking.weights, name) * (logOf(name, other.values[name]) - logOf(name, chosen.values[name]));
    if (loss > most) {
      most = loss;
      worst = name;
    }
  }
  if (worst !== null) return worst;
  for (const tie of ranking.ties) {
    if (tie !== "startup" && other.values[tie] > chosen.values[tie]) return tie;
  }
  return "order";
}

/** The next best options and the criterion that lost it for each. */
export function runnersUpOf(
  catalog: Catalog,
  ranking: Ranking,
  ranked: readonly Candidate[],
  chosen: readonly Candidate[],
  range: Range,
  count: number,
): RunnerUp[] {
  const first = chosen[0];
  if (first === undefined) return [];
  const taken = new Set(chosen.map(({ row }) => catalog.options.flavor[row]!));
  return ranked
    .filter(({ row }) => !taken.has(catalog.options.flavor[row]!))
    .slice(0, count)
    .map((other) => {
      const flavor = flavorOf(catalog, other.row);
      return {
        offer: flavor.id,
        provider: flavor.provider,
        region: flavor.region ?? null,
        costMicro: other.billedMicro,
        spot: catalog.options.spot[other.row] === 1,
        criteria: criteriaOf(other, ranking, range),
        score: other.score,
        lostOn: lostOn(first, other, ranking),
      };
    });
}

type TradeoffName = Tradeoff["name"];

/** Lexicographic preference that makes each named point Pareto-optimal: its criterion first, then all others. */
const directions: readonly (readonly [TradeoffName, readonly CriterionName[]])[] = [
  ["cheapest", ["cost", "slowness", "latency", "energy"]],
  ["fastest", ["slowness", "cost", "latency", "energy"]],
  ["closest", ["latency", "cost", "slowness", "energy"]],
  ["greenest", ["energy", "cost", "slowness", "latency"]],
];

function best(candidates: readonly Candidate[], compare: (a: Candidate, b: Candidate) => number): Candidate {
  return candidates.reduce((a, b) => (compare(b, a) < 0 ? b : a));
}

/** Equal weights on every criterion: the point with no extreme. */
const balance = (candidate: Candidate): number =>
  criterionNames.reduce((sum, name) => sum + logOf(name, candidate.values[name]), 0);

/** Up to five named Pareto-optimal options among all feasible ones, with deltas to the chosen one. */
export function tradeoffsOf(
  catalog: Catalog,
  ranking: Ranking,
  feasible: readonly Candidate[],
  chosen: Candidate,
  range: Range,
): Tradeoff[] {
  if (feasible.length === 0) return [];
  const points: [TradeoffName, Candidate][] = directions.map(([name, keys]) => [
    name,
    best(feasible, (a, b) => {
      for (const key of keys) if (a.values[key] !== b.values[key]) return a.values[key] - b.values[key];
      return rowRank(catalog, a.row) - rowRank(catalog, b.row);
    }),
  ]);
  points.push([
    "knee",
    best(feasible, (a, b) => balance(a) - balance(b) || rowRank(catalog, a.row) - rowRank(catalog, b.row)),
  ]);
  const seen = new Set<number>();
  return points
    .filter(([, { row }]) => !seen.has(row) && seen.add(row))
    .map(([name, candidate]) => {
      const flavor = flavorOf(catalog, candidate.row);
      const delta = (key: CriterionName): number =>
        chosen.values[key] === 0 ? 0 : candidate.values[key] / chosen.values[key] - 1;
      return {
        name,
        offer: flavor.id,
        provider: flavor.provider,
        costMicro: candidate.billedMicro,
        spot: catalog.options.spot[candidate.row] === 1,
        criteria: criteriaOf(candidate, ranking, range),
        deltas: {
          cost: delta("cost"),
          slowness: delta("slowness"),
          latency: delta("latency"),
          energy: delta("energy"),
        },
      };
    });
}
