import { checkPlacements, type Placed, withReleased } from "./assign/check-placements.ts";
import { contend } from "./assign/contend.ts";
import { book, type Ledger, type Served, serve } from "./assign/serve.ts";
import { type Catalog, offerIndexOf } from "./compile/catalog.ts";
import { needOf } from "./compile/need.ts";
import { decisionOf, placementsOf } from "./explain/decision.ts";
import type { Solver } from "./milp/solver.ts";
import { EngineError } from "./model/errors.ts";
import type { Intent } from "./model/intent.ts";
import type { Plan, PlanOptions } from "./model/plan.ts";
import type { Terms } from "./model/terms.ts";
import { latencyMs } from "./score/latency.ts";
import { carbonGramsPerGpuHour } from "./score/performance.ts";
import { version } from "./version.ts";

/** What a host lends to a plan besides data. */
export interface PlanTools {
  /** Solver for contended batches; absent: own bound and search only. A replay passes `replaySolver`. */
  readonly solver?: Solver;
  /** Limits, fairness floors and evictable work that bind a batch; default none. */
  readonly terms?: Terms;
}

/** Options looked at exactly per intent: those shown, and a few more for offers sold at two prices. */
const exactRows = (options: PlanOptions): number => 2 * (options.runnersUp ?? 3) + 2;

/**
 * Decides where every intent runs: compile, score, assign, check, explain. Pure: the same catalogue, intents and
 * options give the same plan, whatever their order.
 *
 * Intents are served by priority, then age, then name; each takes from what the ones before left. Where that leaves
 * somebody with less than alone, all are assigned together, with a measured gap in `batch`.
 *
 * @throws {EngineError} `duplicate_id` when two intents share a name
 */
export async function plan(
  catalog: Catalog,
  intents: readonly Intent[],
  options: PlanOptions & PlanTools = {},
): Promise<Plan> {
  const { snapshot } = catalog;
  const ledger: Ledger = new Map();
  const inTurn = inOrder(intents).map((intent) => {
    const one = serve(
      { catalog, need: needOf(catalog, intent), usage: new Map(ledger), asIfFree: false },
      exactRows(options),
    );
    book(ledger, one);
    return one;
  });
  const batch =
    intents.length > 1 ? await contend(catalog, inTurn, { ...options, k: exactRows(options) }) : null;
  const served = batch?.served ?? inTurn;
  const evicted = batch?.evicted ?? [];
  checkPlacements(
    snapshot,
    served.map(placedOf),
    (id) => {
      const flavor = snapshot.offers[offerIndexOf(snapshot, id)];
      return flavor && withReleased(flavor, evicted);
    },
    (intent, flavor) => ({
      latencyMs: latencyMs(flavor, needOf(catalog, intent).origin),
      carbonGramsPerGpuHour: carbonGramsPerGpuHour(flavor),
    }),
  );
  const decisions = served.map((one) => decisionOf(one, options));
  return {
    decisions: decisions.sort((a, b) => (a.intent < b.intent ? -1 : 1)),
    snapshotVersion: snapshot.version,
    at: snapshot.at,
    currency: snapshot.currency,
    seed: options.seed ?? 1,
    engine: { version, kernel: catalog.table.backend },
    stoppedBy: batch?.report.stoppedBy ?? "completed",
    warnings: snapshot.warnings,
    ...(batch === null ? {} : { batch: batch.report }),
  };
}

/** Priority first, then the longest waiting, then the name: a total order. */
function inOrder(intents: readonly Intent[]): Intent[] {
  const names = new Set<string>();
  for (const { name } of intents) {
    if (names.has(name))
      throw new EngineError("duplicate_id", `two intents are named ${name}; names must be unique`);
    names.add(name);
  }
  const age = (intent: Intent): string => intent.submittedAt ?? "";
  return [...intents].sort(
    (a, b) =>
      b.priority - a.priority || (age(a) < age(b) ? -1 : age(a) > age(b) ? 1 : a.name < b.name ? -1 : 1),
  );
}

function placedOf({ scope, result }: Served): Placed {
  return { intent: scope.need.intent, placements: placementsOf(scope, result.shares) };
}
