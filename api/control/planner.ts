import { createHash } from "node:crypto";
import { forgeDecision, type JsonObject } from "../../adapters/json/decision.ts";
import type { Held } from "../../adapters/port.ts";
import type { Decision } from "../../engine/model/decision.ts";
import type { Capacity, Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { Plan, PlanOptions, ScarcityPrice } from "../../engine/model/plan.ts";
import type { Holding, Quota, Reservation, Snapshot, Tenant } from "../../engine/model/snapshot.ts";
import { formatTime } from "../../engine/model/time.ts";
import { version } from "../../engine/version.ts";
import type { Env } from "../env.ts";
import type { AllocationRow, IntentRow, TenantRow } from "../store/schema.ts";
import type { NewPlan } from "../store/store.ts";
import { createPlanRunner, type Moment, type PlanJob } from "./plan-job.ts";

/** The canonical intent of a row, under the row's id: names are unique per tenant only. */
export function intentOf(row: Pick<IntentRow, "spec">): Intent {
  return JSON.parse(row.spec) as Intent;
}

/** What was decided for some intents, and the log entry that has to be written before anything acts on it. */
export interface Decided {
  readonly decisions: ReadonlyMap<string, Decision>;
  readonly currency: string;
  readonly log: NewPlan;
}

/** What the service decides with. */
export interface Planner {
  /** The federation as it is now, with what the store knows to be held, reserved and owned. */
  snapshot(): Promise<Snapshot>;
  /** Decides for intents together. Stores nothing. */
  decide(intents: readonly Intent[], options?: PlanOptions): Promise<Decided>;
  /**
   * What would be decided for intents together, on the federation as it is or on a given snapshot. Nothing is stored,
   * and nothing may act on it.
   */
  consider(intents: readonly Intent[], options?: PlanOptions, snapshot?: Snapshot): Promise<Considered>;
  /** Scarcity prices of the last batch that competed; null before the first. */
  scarcity(): Scarcity | null;
}

/** A plan that nobody acts on, and the federation that it was made on. */
export type Considered = Plan & { readonly snapshot: Snapshot };

/** What one more unit of a resource would have been worth to a batch: a signal, never a bill. */
export interface Scarcity {
  readonly atMs: number;
  readonly currency: string;
  readonly prices: readonly ScarcityPrice[];
}

/** One decision as the API shows it: under the name that the user gave. */
export function showDecision(decision: Decision, name: string, currency: string): JsonObject {
  return { ...forgeDecision(decision, currency), name };
}

/** A catalog by its content: plans are run and logged on it, with only what has changed since. */
interface Base {
  readonly hash: string;
  readonly document: string;
  readonly snapshot: Snapshot;
  readonly offers: ReadonlyMap<string, Flavor>;
}

function createBase(snapshot: Snapshot): Base {
  const { currency, rates, hub, offers } = snapshot;
  const document = JSON.stringify({ currency, rates, hub, offers });
  return {
    hash: createHash("sha256").update(document).digest("hex"),
    document,
    snapshot,
    offers: new Map(offers.map((offer) => [offer.id, offer])),
  };
}

/** Capacities that differ from the base, or null when more than capacity differs. */
function changesSince(base: Base, { offers }: Snapshot): Record<string, Capacity> | null {
  if (offers.length !== base.offers.size) return null;
  const changes: Record<string, Capacity> = {};
  for (const offer of offers) {
    const before = base.offers.get(offer.id);
    if (before === offer) continue;
    if (before === undefined) return null;
    const { capacity, ...fixed } = offer;
    const { capacity: _capacity, ...fixedBefore } = before;
    if (JSON.stringify(fixed) !== JSON.stringify(fixedBefore)) return null;
    changes[offer.id] = capacity;
  }
  return changes;
}

const toTenant = ({ id, weight, quotas, cohort }: TenantRow): Tenant => ({
  name: id,
  weight,
  quotas: JSON.parse(quotas) as Quota[],
  ...(cohort === null ? {} : { cohort }),
});

function toHolding(allocation: AllocationRow, intent: IntentRow): Holding {
  const { workload } = intentOf(intent);
  return {
    intent: allocation.intent_id,
    offer: allocation.offer,
    gpus: allocation.gpus,
    since: formatTime(allocation.billed_ms ?? allocation.created_ms),
    priority: intent.priority,
    tenant: allocation.tenant_id,
    evictable: workload.evictable,
    spot: allocation.spot === 1,
    replicas: allocation.replicas,
    ...(workload.minRuntimeSeconds > 0 ? { minRuntimeSeconds: workload.minRuntimeSeconds } : {}),
  };
}

/** Offers less what is promised in our books and not yet known to the providers. */
function withoutPlanned(
  offers: readonly Flavor[],
  held: readonly AllocationRow[],
  observed: readonly Held[],
): readonly Flavor[] {
  const known = new Set(observed.map(({ key }) => key));
  const promised = new Map<string, number>();
  for (const { id, offer, gpus, state } of held)
    if (state === "planned" && !known.has(id)) promised.set(offer, (promised.get(offer) ?? 0) + gpus);
  if (promised.size === 0) return offers;
  return offers.map((offer) => {
    const gpus = promised.get(offer.id);
    if (gpus === undefined) return offer;
    const gpusFree = offer.divisible ? Math.max(0, offer.capacity.gpusFree - gpus) : 0;
    return { ...offer, capacity: { ...offer.capacity, gpusFree } };
  });
}

/** Makes the planner of a service: all plans of the service are run by its runner. */
export function createPlanner(
  env: Pick<Env, "store" | "federation" | "clock" | "ids" | "solver" | "plans">,
): Planner {
  const { store, federation, clock, ids, solver, plans = createPlanRunner(solver) } = env;
  let base: Base | null = null;
  /** Hash of the catalog that the runner was last handed. */
  let handed = "";
  let lastScarcity: Scarcity | null = null;

  const snapshot = async (): Promise<Snapshot> => {
    // the store first: a key that is acknowledged in between is then counted twice rather than not at all
    const held = await store.system.held();
    const [catalog, observed, owners, reserved, tenants] = await Promise.all([
      federation.catalog(),
      federation.observe(),
      store.system.intentsById([...new Set(held.map(({ intent_id }) => intent_id))]),
      store.system.openReservations(clock.wallMs()),
      store.system.tenants(),
    ]);
    const owner = new Map(owners.map((row) => [row.id, row]));
    const named = new Set(tenants.map(({ id }) => id as string));
    return {
      ...catalog,
      offers: withoutPlanned(catalog.offers, held, observed),
      tenants: [...tenants.map(toTenant), ...catalog.tenants.filter(({ name }) => !named.has(name))],
      holdings: [
        ...catalog.holdings,
        ...held.flatMap((row) => {
          const intent = owner.get(row.intent_id);
          return intent === undefined ? [] : [toHolding(row, intent)];
        }),
      ],
      reservations: [
        ...catalog.reservations,
        ...reserved.map(
          ({ id, tenant_id, offer, gpus, from_ms, to_ms }): Reservation => ({
            id,
            tenant: tenant_id,
            offer,
            gpus,
            start: formatTime(from_ms),
            end: formatTime(to_ms),
          }),
        ),
      ],
    };
  };
  const jobOf = (
    now: Snapshot,
    intents: readonly Intent[],
    options: PlanOptions,
  ): PlanJob & { base: Base } => {
    let capacity = base === null ? null : changesSince(base, now);
    if (base === null || capacity === null) {
      base = createBase(now);
      capacity = {};
    }
    const { offers: _offers, skipped: _skipped, warnings: _warnings, ...rest } = now;
    const moment: Moment = { ...rest, capacity };
    const isNew = handed !== base.hash;
    handed = base.hash;
    return {
      base,
      catalogHash: base.hash,
      ...(isNew ? { catalog: base.snapshot } : {}),
      moment,
      intents,
      options,
    };
  };
  const run = async (now: Snapshot, intents: readonly Intent[], options: PlanOptions) => {
    const { base: on, ...job } = jobOf(now, intents, options);
    return { job, on, made: await plans.run(job) };
  };

  return {
    snapshot,
    scarcity: () => lastScarcity,
    async consider(intents, options = {}, given) {
      if (given === undefined) {
        const now = await snapshot();
        return { ...(await run(now, intents, options)).made, snapshot: now };
      }
      const moment: Moment = { ...given, capacity: {} };
      const job: PlanJob = {
        catalogHash: "given",
        catalog: given,
        isForeign: true,
        moment,
        intents,
        options,
      };
      return { ...(await plans.run(job)), snapshot: given };
    },
    async decide(intents, options = {}) {
      const { job, on, made } = await run(await snapshot(), intents, options);
      if (made.batch !== undefined)
        lastScarcity = { atMs: clock.wallMs(), currency: made.currency, prices: made.batch.prices };
      return {
        decisions: new Map(made.decisions.map((decision) => [decision.intent, decision])),
        currency: made.currency,
        log: {
          id: ids.next("plan"),
          at_ms: clock.wallMs(),
          catalog_hash: on.hash,
          inputs: JSON.stringify({ moment: job.moment, intents, options }),
          answers: JSON.stringify(made.batch?.answers ?? []),
          engine: version,
          catalogDocument: on.document,
        },
      };
    },
  };
}
