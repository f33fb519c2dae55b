import type { Held } from "../../adapters/port.ts";
import { holdsOf } from "../../engine/explain/waiting.ts";
import type { Decision } from "../../engine/model/decision.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { Plan, PlanOptions, ScarcityPrice } from "../../engine/model/plan.ts";
import {
  type Outage,
  offerIndexOf,
  type Progress,
  type Quota,
  type Reservation,
  type Snapshot,
  type Tenant,
} from "../../engine/model/snapshot.ts";
import { formatTime } from "../../engine/model/time.ts";
import type { Env } from "../env.ts";
import type { AllocationRow, ReservationRow, TenantRow } from "../store/schema.ts";
import type { HeldRow, NewPlan } from "../store/store.ts";
import { type Books, createBooks } from "./books.ts";
import { createFollower, type Follower, type Scene } from "./follow.ts";
import { progressOf, turnaroundSeconds, withoutTaken } from "./holdings.ts";
import { createPlanRunner, type PlanRunner } from "./plan-job.ts";
import { createPlanLog, type PlanRecord } from "./plan-log.ts";

/** What was decided for some intents, and the log entry that has to be written before anything acts on it. */
export interface Decided {
  readonly decisions: ReadonlyMap<string, Decision>;
  /** Running intents that have to make way, each with the intent that takes its place. */
  readonly evicted: ReadonlyMap<string, string>;
  readonly currency: string;
  readonly log: NewPlan;
  /** Number of the last reservation that was known; 0 for none. */
  readonly lastReservation: number;
}

/** What the service decides with. */
export interface Planner {
  /** What we hold, as the store and the last decisions have it. */
  readonly books: Books;
  /** The federation as it is now, with what the store knows to be held, reserved and owned. */
  snapshot(): Promise<Snapshot>;
  /** The federation as it is now, to make several decisions on. */
  look(): Promise<World>;
  /**
   * What would be decided for intents together, on the federation as it is or on a given snapshot. Nothing is stored,
   * and nothing may act on it.
   */
  consider(intents: readonly Intent[], options?: PlanOptions, snapshot?: Snapshot): Promise<Considered>;
  /** A logged plan once more, with everything that explains it. */
  explain(record: PlanRecord): Promise<Plan>;
  /** Another process has decided meanwhile: nothing that was read before counts. */
  forget(): void;
  /** Leaves an offer out of all decisions for so long, milliseconds, as if it were out of use. */
  avoid(offer: string, forMs: number): void;
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

/** The federation at one moment, and decisions on it: each sees what the ones before it took. */
export interface World {
  /** What is sold, with what is left now. */
  offers(): readonly Flavor[];
  /** What is reserved for whom, holds of waiting intents included. */
  reservations(): readonly Reservation[];
  /** Who owns what, and may lend it. */
  tenants(): Promise<readonly Tenant[]>;
  /** Running intents that the spot policy decides about. */
  spotRuns(): readonly string[];
  /** Decides for intents together. Stores nothing, takes nothing. */
  decide(intents: readonly Intent[], options?: PlanOptions): Promise<Decided>;
  /** Takes what was decided, so that the next decision does without it. */
  take(allocations: readonly AllocationRow[], intent: Intent): void;
  /** Holds the start that a waiting intent was told, instead of any before, against the next decision. */
  hold(decision: Decision, intent: Intent): void;
  /** Tells whether what was taken and the plan are written by now; null: nobody knows. */
  settled(allocations: readonly AllocationRow[], isWritten: boolean | null): void;
}

/** What tells whether there is anything to decide: the federation, and what is reserved of it. */
interface Glance {
  readonly catalog: Snapshot;
  /** Keys of ours that the catalog's figures do not count. */
  readonly uncounted: Set<string>;
  readonly reservations: readonly Reservation[];
  /** Number of the last one of a tenant. */
  readonly lastReservation: number;
  /** What runs where the spot policy decides, and what its providers say of it. */
  readonly spotRuns: readonly HeldRow[];
  readonly observed: readonly Held[];
}

/** What was seen of the federation and read of the store at one moment, besides what we hold. */
interface Seen extends Glance {
  readonly tenants: readonly Tenant[];
  /** How far batches are that the spot policy decides about. */
  readonly progress: readonly Progress[];
}

const toTenant = ({ id, weight, quotas, cohort }: TenantRow): Tenant => ({
  name: id,
  weight,
  quotas: JSON.parse(quotas) as Quota[],
  ...(cohort === null ? {} : { cohort }),
});

const toReservation = ({ id, tenant_id, offer, gpus, from_ms, to_ms }: ReservationRow): Reservation => ({
  id,
  tenant: tenant_id,
  offer,
  gpus,
  start: formatTime(from_ms),
  end: formatTime(to_ms),
});

/**
 * Offers that let an intent down are left alone for a while, by the clock that never goes back: however the wall clock is
 * set meanwhile, it is neither longer nor shorter.
 */
function createAvoidance(clock: Env["clock"]) {
  const avoided = new Map<string, { readonly fromMs: number; readonly untilMs: number }>();
  return {
    add(offer: string, forMs: number): void {
      const now = clock.monoMs();
      avoided.set(offer, { fromMs: now, untilMs: now + forMs });
    },
    outages(): Outage[] {
      const now = clock.monoMs();
      const wallMs = clock.wallMs();
      for (const [offer, { untilMs }] of avoided) if (untilMs <= now) avoided.delete(offer);
      return [...avoided].map(([offer, { fromMs, untilMs }]) => ({
        offer,
        start: formatTime(Math.floor(wallMs - (now - fromMs))),
        // whole seconds: never shorter than meant
        end: formatTime(Math.ceil(wallMs + (untilMs - now)) + 999),
      }));
    },
  };
}

/** Offers less what is promised in our books and was not yet known to the providers. */
function offersLeft({ catalog, uncounted }: Glance, books: Books): readonly Flavor[] {
  const promised = [...uncounted].flatMap((key) => books.rows.get(key) ?? []);
  if (promised.length === 0) return catalog.offers;
  const offers = [...catalog.offers];
  for (const [id, rows] of Map.groupBy(promised, ({ offer }) => offer)) {
    const index = offerIndexOf(catalog, id);
    const offer = catalog.offers[index];
    if (offer !== undefined) offers[index] = withoutTaken(offer, rows);
  }
  return offers;
}

/** Makes the planner of a service: all plans of the service are run by its runners. */
export function createPlanner(
  env: Pick<Env, "store" | "federation" | "clock" | "ids" | "solver" | "plans" | "trials">,
): Planner {
  const { store, federation, clock, ids, solver, plans = createPlanRunner(solver) } = env;
  const { trials = createPlanRunner(solver) } = env;
  const books = createBooks({ store, clock });
  const log = createPlanLog();
  const following = createFollower(books);
  const trying = createFollower(books);
  const avoidance = createAvoidance(clock);
  let lastScarcity: Scarcity | null = null;

  const glance = async (): Promise<Glance> => {
    // our side first: a key that is acknowledged in between is then counted twice rather than not at all
    await books.refresh();
    const uncounted = new Set(books.planned.keys());
    const spotRuns = [...books.spotRuns.values()];
    const observed = await federation.observe([...new Set([...uncounted, ...books.spotRuns.keys()])]);
    for (const { key } of observed) uncounted.delete(key);
    const [catalog, reserved, starts] = await Promise.all([
      federation.catalog(),
      store.system.openReservations(clock.wallMs()),
      store.system.heldStarts(),
    ]);
    return {
      catalog,
      uncounted,
      spotRuns,
      observed,
      lastReservation: Math.max(0, ...reserved.map(({ seq }) => seq)),
      reservations: [
        ...catalog.reservations,
        ...reserved.map(toReservation),
        // what waiting intents were told binds every decision until they start
        ...starts.flatMap(({ held, priority }) =>
          (JSON.parse(held) as Reservation[]).map((hold) => ({ ...hold, priority })),
        ),
      ],
    };
  };
  const seeAll = async (seen: Glance): Promise<Seen> => {
    const [begun, tenants] = await Promise.all([store.system.begun(), store.system.tenants()]);
    const named = new Set(tenants.map(({ id }) => id as string));
    return {
      ...seen,
      progress: progressOf(seen.spotRuns, seen.observed, begun),
      tenants: [...tenants.map(toTenant), ...seen.catalog.tenants.filter(({ name }) => !named.has(name))],
    };
  };
  const see = async (): Promise<Seen> => seeAll(await glance());
  const sceneOf = (seen: Seen, reservations: readonly Reservation[] = seen.reservations): Scene => {
    const { catalog, tenants, progress } = seen;
    const { currency, rates, hub, offers, skipped, warnings, ...rest } = catalog;
    const avoided = avoidance.outages();
    return {
      source: catalog,
      offers: offersLeft(seen, books),
      rest: {
        ...rest,
        tenants,
        reservations,
        outages: avoided.length === 0 ? catalog.outages : [...catalog.outages, ...avoided],
        turnaroundSeconds,
        ...(progress.length === 0 ? {} : { progress }),
      },
    };
  };
  const snapshotOf = ({ source, offers, rest }: Scene): Snapshot => ({
    ...source,
    ...rest,
    offers,
    holdings: [...rest.holdings, ...books.holdings.values()],
  });
  /** Begins a plan of the scene, and tells what the runner was told for it. */
  const begin = (
    [runner, follower]: readonly [PlanRunner, Follower],
    scene: Scene,
    intents: readonly Intent[],
    options: PlanOptions,
  ) => {
    // before anything is told: what is refused changes nothing
    runner.admit?.(intents.length);
    const told = follower.follow(scene, runner.epoch());
    const plan = runner.run({ ...told, intents, options });
    // it may not know the change: all is told again
    plan.catch(() => follower.forget());
    return { told, plan };
  };
  const decideOn = async (
    scene: Scene,
    intents: readonly Intent[],
    options: PlanOptions,
  ): Promise<Omit<Decided, "lastReservation">> => {
    const { told, plan } = begin([plans, following], scene, intents, options);
    const change = told.catalog === undefined ? told.change : null;
    const run = { id: ids.next("plan"), atMs: clock.wallMs(), scene };
    // while the plan is made in its thread
    const entry = log.entry(run, change, following.own, { intents, options });
    try {
      const { decisions, evictions, currency, batch } = await plan;
      if (batch !== undefined) lastScarcity = { atMs: clock.wallMs(), currency, prices: batch.prices };
      return {
        decisions: new Map(decisions.map((decision) => [decision.intent, decision])),
        evicted: new Map(evictions.map(({ intent, by }) => [intent, by])),
        currency,
        log: { ...entry, answers: JSON.stringify(batch?.answers ?? []) },
      };
    } catch (error) {
      log.broken();
      throw error;
    }
  };

  return {
    books,
    snapshot: async () => snapshotOf(sceneOf(await see())),
    scarcity: () => lastScarcity,
    avoid: avoidance.add,
    forget() {
      books.forget();
      log.broken();
    },
    async consider(intents, options = {}, given) {
      // a look at the federation is saved, too
      trials.admit?.(intents.length);
      if (given !== undefined) {
        const job = { catalog: given, isForeign: true, change: {}, intents, options } as const;
        return { ...(await trials.run(job)), snapshot: given };
      }
      const scene = sceneOf(await see());
      const snapshot = snapshotOf(scene);
      return { ...(await begin([trials, trying], scene, intents, options).plan), snapshot };
    },
    async explain(record) {
      trials.admit?.(1);
      return trials.rerun(record, { explain: true });
    },
    async look() {
      const seen = await glance();
      // most looks decide nothing: what only a decision wants is read with the first
      let all: Promise<Seen> | null = null;
      const everything = (): Promise<Seen> => {
        all ??= seeAll(seen);
        return all;
      };
      let { reservations } = seen;
      const without = (name: string): readonly Reservation[] =>
        reservations.filter(({ intent }) => intent !== name);
      return {
        offers: () => offersLeft(seen, books),
        reservations: () => reservations,
        tenants: async () => (await everything()).tenants,
        spotRuns: () => [
          ...new Set(
            [...books.spotRuns.values()]
              .filter(({ intent_phase }) => intent_phase === "running")
              .map(({ intent_id }) => intent_id),
          ),
        ],
        async decide(intents, options = {}) {
          const decided = await decideOn(sceneOf(await everything(), reservations), intents, options);
          return { ...decided, lastReservation: seen.lastReservation };
        },
        take(allocations, intent) {
          books.take(allocations, intent);
          for (const { id } of allocations) seen.uncounted.add(id);
          reservations = without(intent.name);
        },
        hold(decision, { name, priority }) {
          reservations = [...without(name), ...holdsOf(decision, priority)];
        },
        settled(allocations, isWritten) {
          books.settle(allocations, isWritten);
          if (isWritten === null) log.broken();
        },
      };
    },
  };
}
