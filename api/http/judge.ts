import type { Decision } from "../../engine/model/decision.ts";
import type { Intent } from "../../engine/model/intent.ts";
import { convert, formatMicro } from "../../engine/model/money.ts";
import type { ReasonCode } from "../../engine/model/reason.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";
import { parseTime } from "../../engine/model/time.ts";
import type { Planner } from "../control/planner.ts";
import type { Clock } from "../env.ts";
import { ApiError, isProblemCode, type ProblemCode, type Suggestion } from "./problem.ts";

/** What an accepted intent may expect, as of some seconds ago. */
export interface Estimate {
  readonly costMicro: number | null;
  readonly currency: string;
  /** Milliseconds since 1970; null when nobody knows. */
  readonly startMs: number | null;
}

/** Says at the door what can never be placed. */
export interface Judge {
  /** The estimate for an intent like this one when it was made lately; null: it has to be judged. */
  known(intent: Intent): Estimate | null;
  /**
   * Decides for the intent on the federation as it is; equal intents at the same time are decided once, and only the
   * first is charged for.
   *
   * @throws {ApiError} 402, 409 or 429 with verified suggestions when nothing known will ever fit
   */
  judge(intent: Intent, charge: () => void): Promise<Estimate>;
}

/** How long a good answer holds: one that turns out wrong is found by the control loop, never by the user. */
const HOLDS_MS = 10_000;
const MOST_KNOWN = 2000;

/** Everything of an intent that a decision depends on. */
function keyOf({
  tenant,
  priority,
  objective,
  weights,
  bidPerGpuHour,
  constraints,
  sla,
  workload,
}: Intent): string {
  const { type, kind, scaling, batch, resources, communicationPattern, deploymentStrategy } = workload;
  const shape = { type, kind, scaling, batch, resources, communicationPattern, deploymentStrategy };
  return JSON.stringify([tenant, priority, objective, weights, bidPerGpuHour, constraints, sla, shape]);
}

/** Cost of all placements per hour. */
export const costOf = ({ placements }: Decision): number =>
  placements.reduce((sum, { costMicro }) => sum + costMicro, 0);

/** What a decision promises. */
export function estimateOf(decision: Decision, currency: string, startMs: number | null): Estimate {
  return { costMicro: decision.outcome === "placed" ? costOf(decision) : null, currency, startMs };
}

/** Longest value of a field in a sentence. */
const LONGEST_VALUE = 60;

const percent = (ratio: number): string => `${ratio >= 0 ? "+" : ""}${Math.round(ratio * 100)}%`;

/** The counterfactuals of a refused decision in the words of the API: each was tried and places the intent. */
export function suggestionsOf(decision: Decision, intent: Intent, snapshot: Snapshot): Suggestion[] {
  const { currency, rates } = snapshot;
  const cap = intent.constraints.maxHourlyCost;
  const capMicro = cap === undefined ? null : convert(cap, currency, rates);
  const show = (value: unknown): string => {
    const text = value === null ? "not stated" : String(value);
    return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}...`.toWellFormed() : text;
  };
  return decision.counterfactuals.map(({ changes, best }) => {
    const gpu = snapshot.offers.find(({ id }) => id === best.offer)?.gpu.model;
    const price = `${formatMicro(best.costMicro)} ${currency}/hour`;
    const isOther = changes.some(({ path }) => /(^|\.)gpu\.(?!interruptible|count)/.test(path));
    const counts = changes.find(({ path }) => /(^|\.)gpu\.count$/.test(path));
    return {
      alternative: `${changes.map(({ path, from, to }) => `${path}: ${show(from)} -> ${show(to)}`).join(" and ")} (${best.offer} of ${best.provider}${best.spot ? ", spot" : ""})`,
      cost_difference:
        capMicro === null || capMicro === 0
          ? price
          : `${percent(best.costMicro / capMicro - 1)} against the cap, ${price}`,
      performance_impact: isOther
        ? `other hardware: ${gpu ?? "unknown"}`
        : counts === undefined
          ? `none: ${gpu ?? "the hardware"} as asked for`
          : `${show(counts.to)} GPUs instead of ${show(counts.from)}`,
    };
  });
}

const isCodeOfReason = (reason: ReasonCode): reason is ReasonCode & ProblemCode => isProblemCode(reason);

/** The answer for an intent that nothing known will ever satisfy. */
export function refusal(
  decision: Decision,
  intent: Intent,
  snapshot: Snapshot,
  extra: Readonly<Record<string, unknown>> = {},
): ApiError {
  const { reason, message } = decision;
  const code = isCodeOfReason(reason) ? reason : "INSUFFICIENT_RESOURCES";
  return new ApiError(code, message, {
    suggestions: suggestionsOf(decision, intent, snapshot),
    extra: { reason, ...extra },
    ...(code === "QUOTA_EXCEEDED" ? { retryAfter: 60 } : {}),
  });
}

/** A judge that remembers good answers for a while, by everything that a decision depends on. */
export function createJudge(planner: Pick<Planner, "consider">, clock: Clock): Judge {
  const known = new Map<string, { readonly estimate: Estimate; readonly untilMs: number }>();
  const pending = new Map<string, Promise<Estimate>>();
  const decide = async (intent: Intent, key: string): Promise<Estimate> => {
    const { decisions, snapshot } = await planner.consider([intent]);
    const [decision] = decisions;
    if (decision === undefined) throw new Error("an intent was not decided");
    if (decision.outcome === "refused") throw refusal(decision, intent, snapshot);
    const { expectedStart } = decision;
    const startMs =
      decision.outcome === "placed"
        ? clock.wallMs()
        : expectedStart === undefined
          ? null
          : parseTime(expectedStart);
    const estimate = estimateOf(decision, snapshot.currency, startMs);
    // one that wants an answer about now must not get one about a moment ago
    if (!intent.constraints.negotiation.fallbacks.includes("reject")) {
      const [oldest] = known.keys();
      if (known.size >= MOST_KNOWN && oldest !== undefined) known.delete(oldest);
      known.set(key, { estimate, untilMs: clock.monoMs() + HOLDS_MS });
    }
    return estimate;
  };
  return {
    known(intent) {
      const entry = known.get(keyOf(intent));
      return entry === undefined || entry.untilMs <= clock.monoMs() ? null : entry.estimate;
    },
    judge(intent, charge) {
      const key = keyOf(intent);
      const asked = pending.get(key);
      if (asked !== undefined) return asked;
      charge();
      const answer = decide(intent, key).finally(() => pending.delete(key));
      pending.set(key, answer);
      return answer;
    },
  };
}
