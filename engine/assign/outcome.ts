import type { Scope } from "../compile/constraints/spec.ts";
import type { ReasonCode } from "../model/reason.ts";
import type { SingleResult } from "./single.ts";

/** Which code tells best why nothing fits: the constraint family that blocks most options alone, else most at all. */
const codes: readonly (readonly [RegExp, ReasonCode])[] = [
  [/^gpu\.model$/, "GPU_MODEL_UNAVAILABLE"],
  [/^gpu\.memory_/, "GPU_MEMORY_INSUFFICIENT"],
  [/^gpu\.count$/, "GPU_COUNT_INSUFFICIENT"],
  [/^(location|availability_zone|compliance\.data_residency)$/, "REGION_UNAVAILABLE"],
  [/^max_(hourly|total)_cost$/, "COST_LIMIT_EXCEEDED"],
  [/^quota$/, "QUOTA_EXCEEDED"],
  [/^deadline$/, "DEADLINE_UNREACHABLE"],
  [/^availability$/, "OUTSIDE_AVAILABILITY_WINDOW"],
];

const codeOf = (name: string): ReasonCode =>
  codes.find(([pattern]) => pattern.test(name))?.[1] ?? "CONSTRAINTS_UNSATISFIABLE";

/** The constraint that stands most in the way: most sole-blocked options, then most rejected, then by order. */
export function mainBlocker(result: SingleResult): string | null {
  const { answer, encoded } = result;
  let best: number | null = null;
  encoded.specs.forEach((_, index) => {
    if (answer.failed[index] === 0) return;
    if (best === null) {
      best = index;
      return;
    }
    const sole = answer.sole[index]! - answer.sole[best]!;
    if (sole > 0 || (sole === 0 && answer.failed[index]! > answer.failed[best]!)) best = index;
  });
  return best === null ? null : encoded.specs[best]!.name;
}

/** Reason and sentence for an intent that nothing fits. */
export function refusalOf(
  scope: Scope,
  result: SingleResult,
): { readonly reason: ReasonCode; readonly message: string } {
  const { answer, shortfall } = result;
  if (answer.considered === 0)
    return { reason: "INSUFFICIENT_RESOURCES", message: "the federation has no offers" };
  if (shortfall !== null) {
    const wanted = scope.need.replicas;
    if (shortfall.by === "cap")
      return {
        reason: "COST_LIMIT_EXCEEDED",
        message: `${wanted} replicas together cost more than max_hourly_cost in every combination of offers`,
      };
    if (shortfall.by === "distance")
      return {
        reason: "DEADLINE_UNREACHABLE",
        message: `spread over the offers that are left, the ${wanted} replicas do not end before the deadline`,
      };
    return {
      reason: "INSUFFICIENT_RESOURCES",
      message:
        shortfall.by === "spread"
          ? `too few failure domains have a feasible offer for constraints.spread`
          : `${scope.asIfFree ? "even if nothing else ran, " : ""}only ${shortfall.most} of ${wanted} replicas find a place`,
    };
  }
  if (answer.feasible > 0)
    return {
      reason: "DEADLINE_UNREACHABLE",
      message: "the tasks do not end before the deadline or the end of their window in any one offer",
    };
  const blocker = mainBlocker(result);
  const every = result.encoded.specs.findIndex((_, index) => answer.failed[index] === answer.considered);
  const name = every >= 0 ? result.encoded.specs[every]!.name : blocker;
  return {
    reason: name === null ? "INSUFFICIENT_RESOURCES" : codeOf(name),
    message:
      every >= 0
        ? `all ${answer.considered} options fail ${name}`
        : `no option passes every constraint; ${blocker} stands most in the way`,
  };
}
