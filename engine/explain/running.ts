import type { Served } from "../assign/serve.ts";
import { type Catalog, offerIndexOf } from "../compile/catalog.ts";
import type { Decision, Placement, SpotChoice } from "../model/decision.ts";
import type { Intent } from "../model/intent.ts";
import type { Holding } from "../model/snapshot.ts";
import { heldMicro } from "../quota/demand.ts";
import { goalOf } from "../score/objective.ts";

/** Decisions of the running intents that nothing was decided about. */
export function stillRunning(
  catalog: Catalog,
  {
    kept,
    running,
    served,
    spot,
  }: {
    readonly kept: ReadonlyMap<string, Intent>;
    readonly running: ReadonlyMap<string, readonly Holding[]>;
    readonly served: readonly Served[];
    readonly spot: ReadonlyMap<string, SpotChoice>;
  },
): Decision[] {
  const evicted = new Set(served.map(({ stated }) => stated.name));
  return [...kept.values()]
    .filter(({ name }) => !evicted.has(name))
    .map((intent) => {
      const decision = runningDecision(catalog, intent, running.get(intent.name) ?? []);
      const choice = spot.get(intent.name);
      return choice === undefined
        ? decision
        : { ...decision, message: `${decision.message}; ${choice.message}`, spot: choice };
    });
}

/** The decision of an intent that runs and stays where it is. */
function runningDecision({ snapshot }: Catalog, intent: Intent, holdings: readonly Holding[]): Decision {
  const placements = holdings.map((holding): Placement => {
    const flavor = snapshot.offers[offerIndexOf(snapshot, holding.offer)];
    const spot = holding.spot ?? false;
    return {
      offer: holding.offer,
      provider: flavor?.provider ?? "",
      region: flavor?.region ?? null,
      zone: flavor?.zone ?? null,
      gpus: holding.gpus,
      replicas: holding.replicas ?? 1,
      costMicro: heldMicro(snapshot, holding, flavor),
      spot,
    };
  });
  return {
    intent: intent.name,
    tenant: intent.tenant,
    outcome: "placed",
    reason: "RUNNING",
    message: `runs since ${holdings[0]?.since}`,
    objective: intent.objective,
    weights: goalOf(intent).weights,
    placements,
    criteria: null,
    score: null,
    runnersUp: [],
    feasible: 0,
    considered: 0,
    rejections: {},
    unknown: {},
    soleBlockers: {},
    counterfactuals: [],
    tradeoffs: [],
    relaxations: [],
    warnings: intent.warnings,
  };
}
