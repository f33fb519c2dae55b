import { checkPlacements, type Placed } from "./assign/check-placements.ts";
import { type Served, serve } from "./assign/serve.ts";
import type { Catalog } from "./compile/catalog.ts";
import type { Usage } from "./compile/constraints/spec.ts";
import { needOf } from "./compile/need.ts";
import { decisionOf, placementsOf } from "./explain/decision.ts";
import { EngineError } from "./model/errors.ts";
import type { Intent } from "./model/intent.ts";
import type { Plan, PlanOptions } from "./model/plan.ts";
import { latencyMs } from "./score/latency.ts";
import { carbonGramsPerGpuHour } from "./score/performance.ts";
import { version } from "./version.ts";

/** Options looked at exactly per intent: those shown, and a few more for offers sold at two prices. */
const exactRows = (options: PlanOptions): number => 2 * (options.runnersUp ?? 3) + 2;

/**
 * Decides where every intent runs: compile, score, assign, check, explain. Pure: the same catalogue, intents and
 * options give the same plan, whatever their order.
 *
 * Intents are served by priority, then age, then name; each takes from what the ones before left.
 *
 * @throws {EngineError} `duplicate_id` when two intents share a name
 */
export async function plan(
  catalog: Catalog,
  intents: readonly Intent[],
  options: PlanOptions = {},
): Promise<Plan> {
  const { snapshot } = catalog;
  const usage = new Map<number, Usage>();
  const served = inOrder(intents).map((intent) => {
    const one = serve(
      { catalog, need: needOf(catalog, intent), usage: new Map(usage), asIfFree: false },
      exactRows(options),
    );
    occupy(usage, one);
    return one;
  });
  checkPlacements(snapshot, served.map(placedOf), (intent, flavor) => ({
    latencyMs: latencyMs(flavor, needOf(catalog, intent).origin),
    carbonGramsPerGpuHour: carbonGramsPerGpuHour(flavor),
  }));
  const decisions = served.map((one) => decisionOf(one, options));
  return {
    decisions: decisions.sort((a, b) => (a.intent < b.intent ? -1 : 1)),
    snapshotVersion: snapshot.version,
    at: snapshot.at,
    currency: snapshot.currency,
    seed: options.seed ?? 1,
    engine: { version, kernel: catalog.table.backend },
    stoppedBy: "completed",
    warnings: snapshot.warnings,
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

/** Books what a served intent takes. */
function occupy(usage: Map<number, Usage>, { scope, result }: Served): void {
  const { need, catalog } = scope;
  for (const { candidate, replicas } of result.shares) {
    const offer = catalog.options.flavor[candidate.row]!;
    const before = usage.get(offer) ?? { gpus: 0, cpuMilli: 0, memoryMib: 0 };
    usage.set(offer, {
      gpus: before.gpus + need.gpus * replicas,
      cpuMilli: before.cpuMilli + need.cpuMilli * replicas,
      memoryMib: before.memoryMib + need.memoryMib * replicas,
    });
  }
}

function placedOf({ scope, result }: Served): Placed {
  return { intent: scope.need.intent, placements: placementsOf(scope, result.shares) };
}
