import { type Candidate, candidateOf, comparator, type Range, rangeOf } from "../assign/rank.ts";
import type { Share } from "../assign/replicas.ts";
import type { Served } from "../assign/serve.ts";
import type { SingleResult } from "../assign/single.ts";
import { distanceOf, spreadSlowdown } from "../assign/topology.ts";
import { flavorOf } from "../compile/catalog.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import { interruptionFactor, taskSeconds } from "../compile/need.ts";
import type { SpotRate } from "../compile/spot-history.ts";
import type { BidResult } from "../model/bid.ts";
import type { Criteria, CriterionName, Decision, Placement, SpotChoice, Waiting } from "../model/decision.ts";
import type { Warning } from "../model/intent.ts";
import type { PlanOptions } from "../model/plan.ts";
import { criterionNames, weightOf } from "../score/objective.ts";
import { counterfactualsOf } from "./counterfactuals.ts";
import { criteriaOf, runnersUpOf, tradeoffsOf } from "./options.ts";

/** Placements of the shares, by offer id. */
export function placementsOf({ catalog, need }: Scope, shares: readonly Share[]): Placement[] {
  return shares.map(({ candidate, replicas, billedMicro, clearingMicro, devices }) => {
    const flavor = flavorOf(catalog, candidate.row);
    return {
      offer: flavor.id,
      provider: flavor.provider,
      region: flavor.region ?? null,
      zone: flavor.zone ?? null,
      gpus: replicas * need.gpus,
      replicas,
      costMicro: billedMicro,
      spot: catalog.options.spot[candidate.row] === 1,
      ...(clearingMicro === undefined ? {} : { clearingMicro }),
      ...(devices === undefined ? {} : { devices }),
    };
  });
}

/**
 * Criteria of a placement over several offers: cost adds up, the slowest counts, with the slowdown of their distance, so
 * does the farthest, and energy is averaged.
 */
function combined(scope: Scope, shares: readonly Share[]): Pick<Candidate, "values" | "unknown"> {
  const first = shares[0]!.candidate;
  if (shares.length === 1) return first;
  const { catalog, need } = scope;
  const hosted = shares.reduce((sum, { replicas }) => sum + replicas, 0);
  const most = (name: CriterionName): number =>
    Math.max(...shares.map(({ candidate }) => candidate.values[name]));
  const factor = spreadSlowdown(
    scope,
    shares.map(({ candidate }) => flavorOf(catalog, candidate.row)),
  );
  const slowest = Math.max(...shares.map(({ candidate }) => taskSeconds(catalog, need, candidate.row)));
  // per hour for services, to completion for batch
  const hours = need.runtime.source === "none" ? 1 : (slowest * factor) / 3600;
  const cost = shares.reduce(
    (sum, share) => sum + share.billedMicro * interruptionFactor(catalog, need, share.candidate.row) * hours,
    0,
  );
  const energy =
    shares.reduce((sum, { candidate, replicas }) => sum + candidate.values.energy * replicas, 0) / hosted;
  return {
    values: { cost, slowness: most("slowness") * factor, latency: most("latency"), energy },
    unknown: criterionNames.filter((name) =>
      shares.some(({ candidate }) => candidate.unknown.includes(name)),
    ),
  };
}

/** Where an interruption rate comes from, as the beginning of a sentence. */
function rateSource({ source, hours, interruptions }: SpotRate): string {
  switch (source) {
    case "stated":
      return "the offer states";
    case "assumed":
      return "assumed are";
    case "provider":
      return "the provider's other offers show";
    case "history":
      return `${interruptions} interruptions in ${hours} hours, weighed with what was known before, make`;
  }
}

/** What was assumed on the way to the decision, in words. */
function assumptions(scope: Scope, result: SingleResult): Warning[] {
  const { need, catalog } = scope;
  const warnings: Warning[] = [];
  const note = (path: string, message: string): void => {
    warnings.push({ path, code: "assumption", message });
  };
  const { runtime } = need;
  if (runtime.source === "assumed")
    note("workload.batch", "no estimated_runtime and no timeout: one hour per task is assumed");
  if (runtime.source === "timeout")
    note("workload.batch.timeout", "the timeout is taken as the runtime of a task");
  const chosen = result.shares[0]?.candidate;
  if (chosen === undefined) return warnings;
  for (const name of chosen.unknown)
    if (weightOf(result.ranking.weights, name) > 0)
      note("objective", `the offer does not state ${name}: it scores as the worst feasible value`);
  if (catalog.options.spot[chosen.row] === 1) {
    const rate = catalog.options.interruptionRate[chosen.row]!;
    const factor = interruptionFactor(catalog, need, chosen.row);
    note(
      "constraints.preemptible",
      `${rateSource(catalog.spotRates.of(flavorOf(catalog, chosen.row)))} ${rate} interruptions per hour; the spot price ranks as if ${factor.toFixed(3)} times as high`,
    );
    const segment = need.exposure.segmentHours;
    if (segment !== undefined && rate * segment > 1)
      note(
        "workload.batch.checkpoint_interval",
        `an uninterrupted stretch of ${segment.toFixed(1)} h is unlikely at ${rate} interruptions per hour: checkpoint more often`,
      );
  }
  const offers = result.shares.map(({ candidate }) => flavorOf(catalog, candidate.row));
  const slowdown = spreadSlowdown(scope, offers);
  if (slowdown > 1)
    note(
      "workload.communication_pattern",
      `${need.intent.workload.communicationPattern} over ${offers.length} offers (${distanceOf(offers)} apart) is taken as ${slowdown} times as slow as within one`,
    );
  const hosted = result.shares.reduce((sum, { replicas }) => sum + replicas, 0);
  if (hosted < need.replicas)
    note(
      "workload.batch.parallel_tasks",
      `${hosted} of ${need.replicas} tasks run at a time, the others follow`,
    );
  return warnings;
}

function countsOf(result: SingleResult): Pick<Decision, "rejections" | "unknown" | "soleBlockers"> {
  const pick = (counts: Uint32Array): Record<string, number> => {
    const entries = result.encoded.specs.map((spec, index) => [spec.name, counts[index]!] as const);
    return Object.fromEntries(entries.filter(([, count]) => count > 0).sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  const { failed, unknown, sole } = result.answer;
  return { rejections: pick(failed), unknown: pick(unknown), soleBlockers: pick(sole) };
}

/** Every feasible option, exactly evaluated; linear in them. */
function feasibleOf(
  scope: Scope,
  { answer, encoded }: SingleResult,
): { readonly rows: Uint32Array; readonly range: Range } {
  const isAll = answer.feasible === answer.rows.length;
  const rows = isAll ? answer.rows : scope.catalog.table.feasible(encoded.query);
  return { rows, range: rangeOf(scope.catalog, scope.need, rows) };
}

/** Builds the explained decision of one intent. */
export function decisionOf(
  { scope, result, verdict }: Served,
  options: PlanOptions,
  {
    bid,
    wait,
    spot,
  }: {
    readonly bid?: BidResult | undefined;
    readonly wait?: Waiting | undefined;
    readonly spot?: SpotChoice | undefined;
  } = {},
): Decision {
  const { catalog, need } = scope;
  const { intent } = need;
  const { ranking, shares, ranked } = result;
  const isReadable = verdict.reason !== "INVALID_INTENT" && verdict.reason !== "INVALID_TENANT";
  const explain = (options.explain ?? true) && isReadable;
  const placed = verdict.outcome === "placed";
  const base = {
    intent: intent.name,
    tenant: intent.tenant,
    ...verdict,
    ...(bid === undefined ? {} : { bid }),
    objective: intent.objective,
    weights: ranking.weights,
    placements: placed ? placementsOf(scope, shares) : [],
    feasible: result.answer.feasible,
    considered: result.answer.considered,
    ...countsOf(result),
    warnings: [...intent.warnings, ...assumptions(scope, result)],
    ...(wait === undefined ? {} : { wait }),
    ...(spot === undefined ? {} : { spot }),
  };
  const first = shares[0]?.candidate;
  if (!explain || first === undefined || !placed)
    return {
      ...base,
      criteria: null,
      score: first?.score ?? null,
      runnersUp: [],
      counterfactuals: explain ? counterfactualsOf(scope, result) : [],
      tradeoffs: [],
    };
  const { rows, range } = feasibleOf(scope, result);
  const criteria: Criteria = criteriaOf(combined(scope, shares), ranking, range);
  const candidates = (): Candidate[] =>
    Array.from(rows, (row) => candidateOf(scope, ranking, row, range.worst)).sort(comparator(scope, ranking));
  const count = options.runnersUp ?? 3;
  return {
    ...base,
    criteria,
    score: first.score,
    runnersUp: runnersUpOf(
      catalog,
      ranking,
      ranked.map(({ row }) => candidateOf(scope, ranking, row, range.worst)),
      shares.map(({ candidate }) => candidate),
      range,
      count,
    ),
    counterfactuals: counterfactualsOf(scope, result),
    tradeoffs: options.tradeoffs === true ? tradeoffsOf(catalog, ranking, candidates(), first, range) : [],
  };
}
