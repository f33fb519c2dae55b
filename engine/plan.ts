import { copyAccounts, endHolding, openAccounts } from "./assign/accounts.ts";
import { type Admission, admit } from "./assign/admit.ts";
import type { Tick } from "./assign/carry.ts";
import type { Placed } from "./assign/check-placements.ts";
import { checkPlan } from "./assign/check-plan.ts";
import { withDevices } from "./assign/device-indices.ts";
import type { BatchDump } from "./assign/dump.ts";
import { preempt } from "./assign/preempt.ts";
import type { Served } from "./assign/serve.ts";
import { inPrecedence, settle } from "./assign/settle.ts";
import { serveTogether } from "./assign/together.ts";
import { serveInTurn } from "./assign/turn.ts";
import type { Catalog } from "./compile/catalog.ts";
import { assertCurrent } from "./compile/changes.ts";
import { forgetNeeds } from "./compile/need.ts";
import { trimScoreColumns } from "./compile/score-columns.ts";
import { decisionOf, placementsOf } from "./explain/decision.ts";
import { evictionsOf } from "./explain/evictions.ts";
import { quotaReports, tenantWarnings } from "./explain/quotas.ts";
import { stillRunning } from "./explain/running.ts";
import { waitsOf } from "./explain/waiting.ts";
import type { Solver } from "./milp/solver.ts";
import type { Intent } from "./model/intent.ts";
import type { Plan, PlanOptions } from "./model/plan.ts";
import type { Terms } from "./model/terms.ts";
import { afterPlan } from "./resilience/after.ts";
import { planB } from "./resilience/failover.ts";
import { runOnSpot, type SpotRuns } from "./resilience/spot-runs.ts";
import { version } from "./version.ts";

/** What a host lends to a plan besides data. */
export interface PlanTools {
  /** Solver for contended batches; absent: own bound and search only. A replay passes `replaySolver`. */
  readonly solver?: Solver;
  /** Limits, fairness floors and evictable work that bind a batch; default none. */
  readonly terms?: Terms;
  /** What the last of a row of similar batches left, and where to put what this one leaves. */
  readonly previous?: Tick;
  readonly onTick?: (tick: Tick) => void;
  /** Called between steps of own work, so that the host's event loop breathes. */
  readonly pause?: () => Promise<void>;
  /** Receives what makes a batch's gap recomputable by others. */
  readonly observe?: (dump: () => BatchDump) => void;
}

/** Options looked at exactly per intent: those shown, and a few more for offers sold at two prices. */
const exactRows = (options: PlanOptions): number => 2 * (options.runnersUp ?? 3) + 2;

/**
 * Decides where every intent runs: compile, score, assign, check, explain. Pure: the same catalogue, intents and
 * options give the same plan, whatever their order.
 *
 * Intents are served by priority, then fair share, then bid, then age, then name; each takes from what the ones before
 * left. Where that leaves somebody with less than alone, all are assigned together, with a measured gap in `batch`.
 * Whoever still has no place may then take that of running work, where priority or quota give the right.
 *
 * @throws {EngineError} `duplicate_id` when two intents share a name
 */
export async function plan(
  catalog: Catalog,
  intents: readonly Intent[],
  options: PlanOptions & PlanTools = {},
): Promise<Plan> {
  const made = await decide(catalog, intents, options);
  return options.planB === true ? withPlanB(catalog, intents, made) : made;
}

/** A plan with a plan B for each placed intent, each a drill on the federation once the plan is carried out. */
async function withPlanB({ snapshot }: Catalog, intents: readonly Intent[], made: Plan): Promise<Plan> {
  const placed = made.decisions.filter(({ outcome }) => outcome === "placed");
  const only = new Set(placed.map(({ intent }) => intent));
  const plans = await planB(plan, afterPlan(snapshot, made, intents), intents, { only });
  const byIntent = Map.groupBy(plans, ({ intent }) => intent);
  return {
    ...made,
    decisions: made.decisions.map((decision) => {
      const own = byIntent.get(decision.intent);
      if (own === undefined) return decision;
      return { ...decision, planB: own.map(({ intent: _, tenant: __, ...rest }) => rest) };
    }),
  };
}

async function decide(
  catalog: Catalog,
  intents: readonly Intent[],
  options: PlanOptions & PlanTools = {},
): Promise<Plan> {
  assertCurrent(catalog);
  trimScoreColumns(catalog);
  forgetNeeds(catalog);
  const { snapshot } = catalog;
  const k = exactRows(options);
  const start = openAccounts(catalog);
  const admitted = admit(start, intents, k);
  const { refused } = admitted;
  const spot = runOnSpot(start, { ...admitted, k });
  const left = withoutMoved(admitted, spot);
  const { pending } = left;
  const moved = spot.served.filter(isPlaced);
  const isQuick = options.together === false && options.explain === false;
  const inTurn = serveInTurn(copyAccounts(spot.accounts), pending, k, isQuick);
  const { batch, kept, running, pinned, terms, ...together } = await serveTogether(
    start,
    spot.accounts,
    { pending, ...inTurn, kept: left.kept, running: left.running, decided: spot.choices },
    { ...options, k },
  );
  const claims = { k, running, known: kept, pinned };
  const { evicting, preemptions, ...claimed } = preempt(together.accounts, together.served, claims);
  const ended = [...admitted.ended, ...spot.ended, ...together.ended];
  const ends = { evicting, ended, released: batch?.evicted ?? [] };
  for (const holding of [...spot.ended, ...together.ended]) endHolding(start, holding);
  const { lodging = new Map() } = spot.accounts;
  const inCalendar = settle(
    { ...start, lodging },
    inPrecedence([...claimed.served, ...moved], inTurn.served),
    {
      ...ends,
      k,
      pinned: new Set([...pinned, ...moved.map(({ stated }) => stated.name)]),
      limits: terms.limits,
    },
  );
  const settled = { ...inCalendar, served: withDevices(inCalendar.served) };
  const evictions = evictionsOf(evicting, settled.served);
  checkPlan(catalog, { ...ends, placed: settled.served.map(placedOf), evictions });
  const idle = spot.served.filter((one) => !isPlaced(one));
  const served = [...settled.served, ...refused, ...idle];
  const waits = waitsOf(snapshot, settled.served, settled.held);
  const toldOf = ({ stated: { name } }: Served) => ({
    bid: inTurn.bids.get(name),
    wait: waits.get(name),
    spot: spot.choices.get(name),
  });
  return {
    decisions: [
      ...served.map((one) => decisionOf(one, options, toldOf(one))),
      ...stillRunning(catalog, { kept, running, served, spot: spot.choices }),
    ].sort((a, b) => (a.intent < b.intent ? -1 : 1)),
    snapshotVersion: snapshot.version,
    at: snapshot.at,
    currency: snapshot.currency,
    seed: options.seed ?? 1,
    engine: { version, kernel: catalog.table.backend },
    stoppedBy: batch?.report.stoppedBy ?? "completed",
    warnings: [...snapshot.warnings, ...tenantWarnings(start), ...catalog.calendar.base.warnings],
    evictions,
    preemptions,
    quotas: quotaReports(start, served),
    clearings: inTurn.clearings,
    shares: batch?.shares ?? [],
    ...(batch === null ? {} : { batch: batch.reportFor(settled.served) }),
  };
}

const isPlaced = ({ verdict }: Served): boolean => verdict.outcome === "placed";

/** What is left to be decided once the spot policy has moved some and let some wait. */
function withoutMoved({ pending, kept, running }: Admission, { served }: SpotRuns) {
  if (served.length === 0) return { pending, kept, running };
  const gone = new Set(served.map(({ stated }) => stated.name));
  const stays = ([name]: readonly [string, unknown]): boolean => !gone.has(name);
  return {
    pending: pending.filter(({ name }) => !gone.has(name)),
    kept: new Map([...kept].filter(stays)),
    running: new Map([...running].filter(stays)),
  };
}

function placedOf({ scope, result }: Served): Placed {
  return { intent: scope.need.intent, placements: placementsOf(scope, result.shares) };
}
