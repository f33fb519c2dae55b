import { flavorOf } from "../compile/catalog.ts";
import { heldMilli } from "../compile/devices.ts";
import type { Limit } from "../model/terms.ts";
import type { Served } from "./serve.ts";

/** What served intents use of each limit. */
export interface Meter {
  fits(served: Served): boolean;
  /** Counts a served intent in (1) or out (-1). */
  enter(served: Served, sign: 1 | -1): void;
}

/** Amounts of one served intent, limit by limit. */
function amountsOf(limits: readonly Limit[], { scope, result }: Served): number[] {
  const { need, catalog } = scope;
  return limits.map(({ concerns, amountOf }) => {
    if (!concerns(need.intent)) return 0;
    return result.shares.reduce((sum, { candidate, replicas, billedMicro }) => {
      const flavor = flavorOf(catalog, candidate.row);
      const spot = catalog.options.spot[candidate.row] === 1;
      return (
        sum +
        amountOf({
          intent: need.intent,
          flavor,
          spot,
          gpus: heldMilli(need, replicas, flavor) / 1000,
          billedMicro,
        })
      );
    }, 0);
  });
}

/** Sums of thousandths of GPUs are exact up to this. */
const rounding = 1e-6;

/** A meter at zero. Without limits everything fits. */
export function createMeter(limits: readonly Limit[]): Meter {
  const used = limits.map(() => 0);
  return {
    fits: (served) =>
      amountsOf(limits, served).every(
        (amount, index) => used[index]! + amount <= limits[index]!.left + rounding,
      ),
    enter(served, sign) {
      for (const [index, amount] of amountsOf(limits, served).entries()) used[index]! += sign * amount;
    },
  };
}

/** An intent that has a place but may not take it. */
export const overLimit = (served: Served): Served => ({
  ...served,
  result: { ...served.result, shares: [] },
  verdict: {
    outcome: "waiting",
    reason: "QUOTA_EXCEEDED",
    message: "an offer fits, but a quota or a budget is used up",
    relaxations: [],
  },
});

/** The served intents in their order; whoever would exceed a limit waits. */
export function withinLimits(limits: readonly Limit[], inTurn: readonly Served[]): readonly Served[] {
  if (limits.length === 0) return inTurn;
  const meter = createMeter(limits);
  return inTurn.map((one) => {
    if (one.verdict.outcome !== "placed") return one;
    if (!meter.fits(one)) return overLimit(one);
    meter.enter(one, 1);
    return one;
  });
}
