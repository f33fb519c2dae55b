import { type Catalog, prepare } from "../compile/catalog.ts";
import type { Decision, Placement, PlanB } from "../model/decision.ts";
import type { Flavor } from "../model/flavor.ts";
import type { Intent } from "../model/intent.ts";
import type { Micro } from "../model/money.ts";
import type { Plan, PlanOptions } from "../model/plan.ts";
import type { Holding, Outage, Snapshot } from "../model/snapshot.ts";
import { heldMicro } from "../quota/demand.ts";
import { type Running, runningOf } from "./running.ts";

/** What is lost: everything of a provider, in a region, or of a GPU model (family). */
export type Loss = { readonly provider: string } | { readonly region: string } | { readonly model: string };

/** The planner, handed in: this stage comes before it. */
export type Planner = (catalog: Catalog, intents: readonly Intent[], options?: PlanOptions) => Promise<Plan>;

/** What becomes of one displaced intent. */
export interface Displaced {
  readonly intent: string;
  readonly tenant: string;
  readonly from: readonly string[];
  readonly outcome: Decision["outcome"];
  readonly reason: Decision["reason"];
  readonly to: readonly Placement[];
  /** RFC 3339 UTC of a held start, for those who wait. */
  readonly expectedStart: string | null;
  /** Micro-units per hour at list price. */
  readonly beforeMicro: Micro;
  readonly afterMicro: Micro;
  /** What it asks for is read off what it held. */
  readonly isAssumed: boolean;
}

/** The answer to "what if this dies?", everything else left where it is. */
export interface Failover {
  readonly loss: Loss;
  readonly offers: number;
  readonly running: number;
  readonly displaced: readonly Displaced[];
  readonly restored: number;
  readonly waiting: number;
  readonly unplaceable: number;
  /** List price per hour of all running work before, and of all that runs after. */
  readonly beforeMicro: Micro;
  readonly afterMicro: Micro;
}

/** True when an offer is part of what is lost. */
export function isLost(offer: Flavor, loss: Loss): boolean {
  if ("provider" in loss) return offer.provider === loss.provider.toLowerCase();
  if ("region" in loss) return offer.region === loss.region.toLowerCase();
  return offer.gpu.model === loss.model || offer.gpu.families.includes(loss.model);
}

/** The snapshot after a loss without a known end. */
export function withLoss(snapshot: Snapshot, loss: Loss): Snapshot {
  const start = snapshot.at;
  const outages: Outage[] =
    "model" in loss
      ? snapshot.offers.filter((offer) => isLost(offer, loss)).map(({ id }) => ({ offer: id, start }))
      : [
          "provider" in loss
            ? { provider: loss.provider.toLowerCase(), start }
            : { region: loss.region.toLowerCase(), start },
        ];
  return { ...snapshot, outages: [...snapshot.outages, ...outages] };
}

/** Longer than anything runs: nobody evicts it. */
const always = 1e12;

/** What runs, fixed to its place: the displaced may take what is free and nothing else. */
const fixed = (holding: Holding): Holding => ({ ...holding, evictable: false, minRuntimeSeconds: always });

/** List price per hour of a holding; 0 where its offer is gone. */
export function holdingMicro(
  snapshot: Snapshot,
  offers: ReadonlyMap<string, Flavor>,
  holding: Holding,
): Micro {
  return heldMicro(snapshot, holding, offers.get(holding.offer));
}

const sum = (amounts: readonly number[]): number => amounts.reduce((all, amount) => all + amount, 0);

/**
 * Re-places what a loss displaces, in order of precedence, with everything else pinned: nothing that runs on is moved
 * or evicted. A pure drill: nothing happens but the answer.
 *
 * @param intents what running work asked for, where known; the rest is read off the holdings
 */
export async function failover(
  plan: Planner,
  snapshot: Snapshot,
  loss: Loss,
  intents: readonly Intent[],
  options: PlanOptions = {},
): Promise<Failover> {
  const offers = new Map(snapshot.offers.map((offer) => [offer.id, offer]));
  const running = runningOf(snapshot, intents);
  const isHit = (holding: Holding): boolean => {
    const offer = offers.get(holding.offer);
    return offer !== undefined && isLost(offer, loss);
  };
  const displaced = running.filter(({ holdings }) => holdings.some(isHit));
  const names = new Set(displaced.map(({ name }) => name));
  const after = withLoss(
    {
      ...snapshot,
      holdings: snapshot.holdings.map((one) => (names.has(one.intent) ? one : fixed(one))),
    },
    loss,
  );
  const catalog = prepare(after);
  const made = await plan(
    catalog,
    displaced.map(({ intent }) => intent),
    { explain: false, together: false, ...options },
  );
  catalog.table.dispose();
  const decided = new Map(made.decisions.map((one) => [one.intent, one]));
  const results = displaced.map((one) => displacedOf(one, decided.get(one.name)!, snapshot, offers));
  const beforeMicro = sum(snapshot.holdings.map((one) => holdingMicro(snapshot, offers, one)));
  const change = sum(results.map((one) => one.afterMicro - one.beforeMicro));
  const count = (outcome: Decision["outcome"]): number =>
    results.filter((one) => one.outcome === outcome).length;
  return {
    loss,
    offers: snapshot.offers.filter((offer) => isLost(offer, loss)).length,
    running: running.length,
    displaced: results,
    restored: count("placed"),
    waiting: count("waiting"),
    unplaceable: count("refused"),
    beforeMicro,
    afterMicro: beforeMicro + change,
  };
}

function displacedOf(
  { name, holdings, intent, isAssumed }: Running,
  decision: Decision,
  snapshot: Snapshot,
  offers: ReadonlyMap<string, Flavor>,
): Displaced {
  return {
    intent: name,
    tenant: intent.tenant,
    from: [...new Set(holdings.map(({ offer }) => offer))],
    outcome: decision.outcome,
    reason: decision.reason,
    to: decision.placements,
    expectedStart: decision.expectedStart ?? null,
    beforeMicro: sum(holdings.map((one) => holdingMicro(snapshot, offers, one))),
    afterMicro: sum(decision.placements.map(({ costMicro }) => costMicro)),
    isAssumed,
  };
}

/**
 * A plan B per running intent and provider it runs at: one drill per provider, so that everybody whom its loss would
 * displace is placed anew, and nobody counts on a place that somebody else would need too.
 *
 * @param only intents to tell a plan B for; default all that run
 */
export async function planB(
  plan: Planner,
  snapshot: Snapshot,
  intents: readonly Intent[],
  { only, ...options }: PlanOptions & { readonly only?: ReadonlySet<string> } = {},
): Promise<(PlanB & { readonly intent: string; readonly tenant: string })[]> {
  const providerOf = new Map(snapshot.offers.map(({ id, provider }) => [id, provider]));
  const concerned = snapshot.holdings.filter(({ intent }) => only?.has(intent) ?? true);
  const providers = new Set(concerned.map(({ offer }) => providerOf.get(offer) ?? ""));
  const plans: (PlanB & { readonly intent: string; readonly tenant: string })[] = [];
  for (const provider of [...providers].filter((name) => name !== "").sort()) {
    const { displaced } = await failover(plan, snapshot, { provider }, intents, options);
    for (const { intent, tenant, outcome, reason, to, expectedStart, beforeMicro, afterMicro } of displaced)
      if (only?.has(intent) ?? true)
        plans.push({
          intent,
          tenant,
          provider,
          outcome,
          reason,
          to,
          expectedStart,
          moreMicro: outcome === "placed" ? afterMicro - beforeMicro : null,
        });
  }
  return plans.sort((a, b) =>
    a.intent === b.intent ? (a.provider < b.provider ? -1 : 1) : a.intent < b.intent ? -1 : 1,
  );
}
