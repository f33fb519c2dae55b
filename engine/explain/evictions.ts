import type { Evicting } from "../assign/preempt.ts";
import type { Served } from "../assign/serve.ts";
import { flavorOf } from "../compile/catalog.ts";
import type { Eviction } from "../model/eviction.ts";

/** The evictions of a plan for operators, by intent: who, why, what is lost, where it goes on or that it waits. */
export function evictionsOf(evicting: readonly Evicting[], served: readonly Served[]): Eviction[] {
  const after = new Map(served.map((one) => [one.stated.name, one]));
  return evicting
    .map(({ victim, cause, by }): Eviction => {
      const now = after.get(victim.intent);
      const isPlaced = now?.verdict.outcome === "placed";
      return {
        intent: victim.intent,
        tenant: victim.tenant,
        priority: victim.priority,
        cause,
        by: by.stated.name,
        from: victim.holdings.map(({ offer, gpus }) => ({ offer, gpus })),
        lostSeconds: victim.lostSeconds,
        restartSeconds: victim.restartSeconds,
        lostMicro: victim.cost,
        outcome: now?.verdict.outcome ?? "unknown",
        to: isPlaced
          ? now.result.shares.map(({ candidate }) => flavorOf(now.scope.catalog, candidate.row).id)
          : [],
      };
    })
    .sort((a, b) => (a.intent < b.intent ? -1 : 1));
}
