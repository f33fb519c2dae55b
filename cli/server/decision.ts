import type {
  Counterfactual,
  Criteria,
  CriterionName,
  Decision,
  Placement,
  RunnerUp,
  Tradeoff,
} from "../../engine/model/decision.ts";

/* A decision as the API writes it, field by field the counterpart of `forgeDecision`. */

interface Amount {
  readonly amount: number;
  readonly currency: string;
}

type Shown<T> = Omit<T, "costMicro" | "lostOn" | "criteria"> & { readonly cost_per_hour: Amount };

interface ShownDecision
  extends Pick<
    Decision,
    | "tenant"
    | "outcome"
    | "reason"
    | "message"
    | "objective"
    | "weights"
    | "score"
    | "feasible"
    | "considered"
    | "rejections"
    | "unknown"
    | "relaxations"
    | "warnings"
  > {
  readonly name: string;
  readonly placements: readonly Shown<Placement>[];
  readonly criteria: Criteria | null;
  readonly runners_up: readonly (Shown<RunnerUp> & {
    readonly lost_on: RunnerUp["lostOn"];
    readonly criteria: Criteria;
  })[];
  readonly sole_blockers: Decision["soleBlockers"];
  readonly counterfactuals: readonly (Omit<Counterfactual, "best"> & {
    readonly best: Shown<Counterfactual["best"]>;
  })[];
  readonly tradeoffs: readonly (Shown<Tradeoff> & { readonly criteria: Criteria })[];
  readonly expected_start?: string;
}

const micro = ({ amount }: Amount): number => Math.round(amount * 1_000_000);

/** Cost is written in whole units; null stands for what has no bound. */
function readCriteria(shown: Criteria): Criteria {
  const read = (name: CriterionName): Criteria[CriterionName] => {
    const { value, ratio, ...rest } = shown[name];
    const number = (value as number | null) ?? Number.POSITIVE_INFINITY;
    return {
      ...rest,
      value: name === "cost" ? number * 1_000_000 : number,
      ratio: (ratio as number | null) ?? Number.POSITIVE_INFINITY,
    };
  };
  return { cost: read("cost"), slowness: read("slowness"), latency: read("latency"), energy: read("energy") };
}

const withMicro = <T extends { readonly cost_per_hour: Amount }>({
  cost_per_hour,
  ...rest
}: T): Omit<T, "cost_per_hour"> & { costMicro: number } => ({ ...rest, costMicro: micro(cost_per_hour) });

/** A decision of the API as the engine's own value, for rendering, and the currency of its prices. */
export function readDecision(document: unknown): { readonly decision: Decision; readonly currency: string } {
  const shown = document as ShownDecision;
  const {
    name,
    runners_up,
    sole_blockers,
    expected_start,
    placements,
    counterfactuals,
    tradeoffs,
    criteria,
    ...same
  } = shown;
  const priced = [...placements, ...runners_up, ...counterfactuals.map(({ best }) => best)];
  return {
    currency: priced[0]?.cost_per_hour.currency ?? "EUR",
    decision: {
      ...same,
      intent: name,
      placements: placements.map(withMicro),
      criteria: criteria === null ? null : readCriteria(criteria),
      runnersUp: runners_up.map(({ lost_on, criteria: values, ...rest }) => ({
        ...withMicro(rest),
        lostOn: lost_on,
        criteria: readCriteria(values),
      })),
      soleBlockers: sole_blockers,
      counterfactuals: counterfactuals.map(({ best, ...rest }) => ({ ...rest, best: withMicro(best) })),
      tradeoffs: tradeoffs.map(({ criteria: values, ...rest }) => ({
        ...withMicro(rest),
        criteria: readCriteria(values),
      })),
      ...(expected_start === undefined ? {} : { expectedStart: expected_start }),
    },
  };
}
