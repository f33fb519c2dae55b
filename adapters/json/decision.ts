import type {
  Counterfactual,
  Criteria,
  CriterionName,
  Decision,
  Placement,
  PlanB,
  RunnerUp,
  SpotChoice,
  Tradeoff,
  Waiting,
} from "../../engine/model/decision.ts";
import type { BatchReport, Plan } from "../../engine/model/plan.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";
import { forgeAmount, type Json, type JsonObject } from "./amount.ts";
import { forgePlanPolicies, forgePolicies } from "./policies.ts";

export type { Json, JsonObject };

const criterionNames: readonly CriterionName[] = ["cost", "slowness", "latency", "energy"];

/** Raw values in the units people use: money in whole units, slowness relative, ms, gCO2. */
function forgeCriteria(criteria: Criteria): JsonObject {
  return Object.fromEntries(
    criterionNames.map((name) => {
      const { value, ratio, weight, unknown } = criteria[name];
      return [
        name,
        { value: finite(name === "cost" ? value / 1_000_000 : value), ratio: finite(ratio), weight, unknown },
      ];
    }),
  );
}

/** JSON has no infinity: an unbounded value is null. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Counts by constraint, ordered by name. */
const forgeCounts = (counts: Readonly<Record<string, number>>): JsonObject =>
  Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));

function forgePlacement(placement: Placement, currency: string): JsonObject {
  return {
    offer: placement.offer,
    provider: placement.provider,
    region: placement.region,
    zone: placement.zone,
    gpus: placement.gpus,
    replicas: placement.replicas,
    cost_per_hour: forgeAmount(placement.costMicro, currency),
    spot: placement.spot,
    ...(placement.clearingMicro === undefined
      ? {}
      : { clearing_price: forgeAmount(placement.clearingMicro, currency) }),
    ...(placement.devices === undefined ? {} : { devices: placement.devices }),
  };
}

function forgeRunnerUp(runner: RunnerUp, currency: string): JsonObject {
  return {
    offer: runner.offer,
    provider: runner.provider,
    region: runner.region,
    cost_per_hour: forgeAmount(runner.costMicro, currency),
    spot: runner.spot,
    lost_on: runner.lostOn,
    score: finite(runner.score),
    criteria: forgeCriteria(runner.criteria),
  };
}

function forgeCounterfactual({ changes, offers, best }: Counterfactual, currency: string): JsonObject {
  return {
    changes: changes.map(({ path, from, to }) => ({ path, from, to })),
    offers,
    best: {
      offer: best.offer,
      provider: best.provider,
      cost_per_hour: forgeAmount(best.costMicro, currency),
      spot: best.spot,
    },
  };
}

function forgeTradeoff(tradeoff: Tradeoff, currency: string): JsonObject {
  return {
    name: tradeoff.name,
    offer: tradeoff.offer,
    provider: tradeoff.provider,
    cost_per_hour: forgeAmount(tradeoff.costMicro, currency),
    spot: tradeoff.spot,
    criteria: forgeCriteria(tradeoff.criteria),
    deltas: Object.fromEntries(criterionNames.map((name) => [name, finite(tradeoff.deltas[name])])),
  };
}

/** Where a waiting intent stands, and the start held for it. */
function forgeWait({ position, ahead, held, moved }: Waiting, currency: string): JsonObject {
  return {
    position,
    ahead: { own: ahead.own, others: ahead.others },
    held:
      held === null
        ? null
        : {
            start: held.start,
            end: held.end,
            enforced_end: held.enforcedEnd,
            basis: held.basis,
            placements: held.placements.map((placement) => forgePlacement(placement, currency)),
          },
    ...(moved === undefined ? {} : { moved: { from: moved.from, because: moved.because } }),
  };
}

/** Where an intent would go if a provider of it died. */
function forgePlanB(planB: PlanB, currency: string): JsonObject {
  return {
    provider: planB.provider,
    outcome: planB.outcome,
    reason: planB.reason,
    placements: planB.to.map((placement) => forgePlacement(placement, currency)),
    expected_start: planB.expectedStart,
    extra_cost_per_hour: planB.moreMicro === null ? null : forgeAmount(planB.moreMicro, currency),
  };
}

/** What the spot policy decided, and on which figures. */
function forgeSpot(spot: SpotChoice): JsonObject {
  return {
    from: spot.from,
    choice: spot.choice,
    offer: spot.offer,
    message: spot.message,
    zones: spot.zones,
    zones_up: spot.zonesUp,
    remaining_seconds: spot.remainingSeconds,
    changeover_seconds: spot.changeoverSeconds,
    slack_seconds: spot.slackSeconds,
    reserve_seconds: spot.reserveSeconds,
    on_demand_by: spot.onDemandBy,
    price_ratio: spot.priceRatio,
  };
}

/** One decision as the command line and the API show it. */
export function forgeDecision(decision: Decision, currency: string): JsonObject {
  return {
    name: decision.intent,
    tenant: decision.tenant,
    outcome: decision.outcome,
    reason: decision.reason,
    message: decision.message,
    objective: decision.objective,
    weights: { ...decision.weights },
    placements: decision.placements.map((placement) => forgePlacement(placement, currency)),
    criteria: decision.criteria === null ? null : forgeCriteria(decision.criteria),
    score: decision.score === null ? null : finite(decision.score),
    runners_up: decision.runnersUp.map((runner) => forgeRunnerUp(runner, currency)),
    feasible: decision.feasible,
    considered: decision.considered,
    rejections: forgeCounts(decision.rejections),
    unknown: forgeCounts(decision.unknown),
    sole_blockers: forgeCounts(decision.soleBlockers),
    counterfactuals: decision.counterfactuals.map((entry) => forgeCounterfactual(entry, currency)),
    tradeoffs: decision.tradeoffs.map((tradeoff) => forgeTradeoff(tradeoff, currency)),
    relaxations: decision.relaxations.map(({ path, from, to }) => ({ path, from, to })),
    warnings: decision.warnings.map(({ path, code, message }) => ({ path, code, message })),
    ...(decision.expectedStart === undefined ? {} : { expected_start: decision.expectedStart }),
    ...forgePolicies(decision, currency),
    ...(decision.wait === undefined ? {} : { wait: forgeWait(decision.wait, currency) }),
    ...(decision.spot === undefined ? {} : { spot: forgeSpot(decision.spot) }),
    ...(decision.planB === undefined
      ? {}
      : { plan_b: decision.planB.map((one) => forgePlanB(one, currency)) }),
  };
}

/** How a batch went. Prices are a signal of scarcity, from the duals of a linear program; nobody is charged them. */
function forgeBatch(batch: BatchReport, currency: string): JsonObject {
  return {
    items: batch.items,
    options: batch.options,
    gain: forgeAmount(batch.gain, currency),
    bound: forgeAmount(batch.bound, currency),
    gap: finite(batch.gap),
    solver: batch.solver,
    evicted: batch.evicted,
    moved: batch.moved,
    scarcity: {
      kind: "signal",
      from: batch.pricesFrom,
      prices: batch.prices.map(({ offer, resource, micro }) => ({
        offer,
        resource,
        per_unit_hour: forgeAmount(micro, currency),
      })),
    },
  };
}

/**
 * A plan as `flare place --json` prints it: snake_case, money as `{amount, currency}` in the snapshot's currency, no
 * durations, so that the same input gives the same bytes.
 */
export function forgePlan(plan: Plan, snapshot: Snapshot): JsonObject {
  return {
    intents: plan.decisions.map((decision) => forgeDecision(decision, plan.currency)),
    snapshot: {
      version: plan.snapshotVersion,
      at: plan.at,
      currency: plan.currency,
      offers: snapshot.offers.length,
      skipped: snapshot.skipped.map(({ id, path, message }) => ({ id, path, message })),
      warnings: snapshot.warnings.map(({ path, code, message }) => ({ path, code, message })),
    },
    engine: {
      version: plan.engine.version,
      kernel: plan.engine.kernel,
      seed: plan.seed,
      stopped_by: plan.stoppedBy,
    },
    ...(plan.batch === undefined ? {} : { batch: forgeBatch(plan.batch, plan.currency) }),
    ...forgePlanPolicies(plan),
    warnings: plan.warnings.map(({ path, code, message }) => ({ path, code, message })),
  };
}
