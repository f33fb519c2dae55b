import type { CriterionName } from "../model/decision.ts";
import type { Intent, Objective, Weights } from "../model/intent.ts";

export const criterionNames: readonly CriterionName[] = ["cost", "slowness", "latency", "energy"];

/** Below these a criterion no longer distinguishes: 0.001 of the currency, none for slowness (1 is only its unit), 1 ms, 1 g. */
export const floors: Readonly<Record<CriterionName, number>> = {
  cost: 1000,
  slowness: 1,
  latency: 1,
  energy: 1,
};

/** What breaks ties after the score, in order, before the offer's id. */
export type TieBreak = CriterionName | "startup";

interface Goal {
  readonly weights: Weights;
  readonly ties: readonly TieBreak[];
}

const none: Weights = { cost: 0, performance: 0, latency: 0, energy: 0 };

const goals: Readonly<Record<Objective, Goal>> = {
  cost: { weights: { ...none, cost: 1 }, ties: ["slowness", "latency"] },
  performance: { weights: { ...none, performance: 1 }, ties: ["cost"] },
  latency: { weights: { ...none, latency: 1 }, ties: ["startup", "cost"] },
  energy: { weights: { ...none, energy: 1 }, ties: ["cost"] },
  balanced: { weights: { cost: 1 / 3, performance: 1 / 3, latency: 1 / 3, energy: 0 }, ties: ["energy"] },
};

/** What an intent optimizes: normalised weights (sum 1) and tie-breaks. */
export function goalOf(intent: Intent): Goal {
  const { weights } = intent;
  if (weights === undefined) return goals[intent.objective];
  const sum = weights.cost + weights.performance + weights.latency + weights.energy;
  return {
    weights: {
      cost: weights.cost / sum,
      performance: weights.performance / sum,
      latency: weights.latency / sum,
      energy: weights.energy / sum,
    },
    ties: ["cost"],
  };
}

/** Weight of a criterion; `performance` weighs slowness. */
export function weightOf(weights: Weights, criterion: CriterionName): number {
  return criterion === "slowness" ? weights.performance : weights[criterion];
}
