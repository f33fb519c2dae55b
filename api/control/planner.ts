import { createHash } from "node:crypto";
import { forgeDecision, type JsonObject } from "../../adapters/json/decision.ts";
import type { Held } from "../../adapters/port.ts";
import { holdsOf } from "../../engine/explain/waiting.ts";
import type { Decision } from "../../engine/model/decision.ts";
import type { Capacity, Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { Plan, PlanOptions, ScarcityPrice } from "../../engine/model/plan.ts";
import type {
  Holding,
  Outage,
  Progress,
  Quota,
  Reservation,
  Snapshot,
  Tenant,
} from "../../engine/model/snapshot.ts";
import { formatTime } from "../../engine/model/time.ts";
import { isSpotRun } from "../../engine/resilience/spot-runs.ts";
import { version } from "../../engine/version.ts";
import type { Env } from "../env.ts";
import type { AllocationRow, IntentRow, TenantRow } from "../store/schema.ts";
import type { BegunRow, HeldRow, NewPlan } from "../store/store.ts";
import { createPlanRunner, type Moment, type PlanJob } from "./plan-job.ts";

/** The canonical intent of a row, under the row's id: names are unique per tenant only. */
export function intentOf(row: Pick<IntentRow, "spec">): Intent {
  return JSON.parse(row.spec) as Intent;
}

/** What was decided for some intents, and the log entry that has to be written before anything acts on it. */
export interface Decided {
  readonly decisions: ReadonlyMap<string, Decision>;
  /** Running intents that have to make way, each with the intent that takes its place. */
  readonly evicted: ReadonlyMap<string, string>;
  readonly currency: string;
  readonly log: NewPlan;
}

/** What the service decides with. */
export interface Planner {
  /** The federation as it is now, with what the store knows to be held, reserved and owned. */
  snapshot(): Promise<Snapshot>;
  /** The federation as it is now, to make several decisions on. */
  look(): Promise<World>;
  /** Decides for intents together. Stores nothing. */
  decide(intents: readonly Intent[], options?: PlanOptions): Promise<Decided>;
  /**
   * What would be decided for intents together, on the federation as it is or on a given snapshot. Nothing is stored,
   * and nothing may act on it.
   */
  consider(intents: readonly Intent[], options?: PlanOptions, snapshot?: Snapshot): Promise<Considered>;
  /** Leaves an offer out of all decisions until then, as if it were out of use. */
  avoid(offer: string, untilMs: number): void;
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

/** True when two offers differ in nothing but their capacity. */
function isSameBut(a: Flavor, b: Flavor): boolean {
  const keys = Object.keys(a) as (keyof Flavor)[];
  // most sources keep the parts of an offer; the others are compared by content
  if (keys.every((key) => key === "capacity" || a[key] === b[key])) return true;
  return JSON.stringify({ ...a, capacity: null }) === JSON.stringify({ ...b, capacity: null });
}

/** Capacities that differ from the base, or null when more than capacity differs. */
function changesSince(base: Base, { offers }: Snapshot): Record<string, Capacity> | null {
  if (offers.length !== base.offers.size) return null;
  const changes: Record<string, Capacity> = {};
  for (const offer of offers) {
    const before = base.offers.get(offer.id);
    if (before === offer) continue;
    if (before === undefined || before.capacity.gpus !== offer.capacity.gpus || !isSameBut(offer, before))
      return null;
    changes[offer.id] = offer.capacity;
  }
  return changes;
}

const toTenant = ({ id, weight, quotas, cohort }: TenantRow): Tenant => ({
  name: id,
  weight,
  quotas: JSON.parse(quotas) as Quota[],
  ...(cohort === null ? {} : { cohort }),
});

/** What of an intent's wish its holdings say. */
interface Temper {
  readonly evictable: boolean;
  readonly minRuntimeSeconds: number;
  readonly maxInterruptionSeconds: number | undefined;
  /** Undefined for services, and where nothing is stated. */
  readonly runtimeSeconds: number | undefined;
  /** The spot policy decides where it runs. */
  readonly isSpotRun: boolean;
}

function temperOf(intent: Intent): Temper {
  const { sla } = intent;
  const { batch, evictable, minRuntimeSeconds } = intent.workload;
  const { estimatedRuntimeSeconds, timeoutSeconds } = batch ?? {};
  return {
    evictable,
    minRuntimeSeconds,
    maxInterruptionSeconds: sla.maxInterruptionSeconds,
    runtimeSeconds: estimatedRuntimeSeconds ?? timeoutSeconds,
    isSpotRun: isSpotRun(intent),
  };
}

function toHolding(row: HeldRow, temper: Temper): Holding {
  const { minRuntimeSeconds, maxInterruptionSeconds } = temper;
  const end = endOf(row, temper);
  // what is not running yet, or is being given back, is nobody's to evict
  const evictable = temper.evictable && row.intent_phase === "running";
  return {
    intent: row.intent_id,
    offer: row.offer,
    gpus: row.gpus,
    since: formatTime(row.billed_ms ?? row.created_ms),
    priority: row.intent_priority,
    tenant: row.tenant_id,
    evictable,
    spot: row.spot === 1,
    replicas: row.replicas,
    cpuMilli: row.cpu_milli,
    memoryMib: row.memory_mib,
    ...(minRuntimeSeconds > 0 ? { minRuntimeSeconds } : {}),
    ...(maxInterruptionSeconds === undefined ? {} : { maxInterruptionSeconds }),
    ...(end === null ? {} : { until: formatTime(end.untilMs), enforced: end.isEnforced }),
  };
}

/** From the end of work to the moment at which its place is given back and known to be free, milliseconds. */
const clearingMs = 30_000;

/**
 * When work gives its place back: at its timeout, which is enforced once it runs, or before, when it is expected to take
 * less. Null where nothing is known.
 */
function endOf(
  { intent_phase, intent_phase_ms, intent_due_ms, created_ms }: HeldRow,
  { runtimeSeconds }: Temper,
): { readonly untilMs: number; readonly isEnforced: boolean } | null {
  if (intent_phase === "running" && intent_due_ms !== null)
    return { untilMs: intent_due_ms + clearingMs, isEnforced: true };
  if (runtimeSeconds === undefined) return null;
  const startMs = intent_phase === "running" ? intent_phase_ms : created_ms;
  return { untilMs: startMs + runtimeSeconds * 1000 + clearingMs, isEnforced: false };
}

/**
 * How far batches are: what runs by what its providers report of all parts, what waits to go on by what its last try left.
 * A provider that tells nothing leaves it at that, which is careful: more is taken to be left than is.
 */
function progressOf(
  spotRuns: readonly HeldRow[],
  observed: readonly Held[],
  begun: readonly BegunRow[],
): Progress[] {
  const reported = new Map(observed.map(({ key, workDoneSeconds }) => [key, workDoneSeconds]));
  const running = [...Map.groupBy(spotRuns, ({ intent_id }) => intent_id)].map(([intent, rows]) => ({
    intent,
    doneSeconds: Math.max(
      rows[0]!.intent_work_done_seconds,
      Math.min(...rows.map(({ id }) => reported.get(id) ?? 0)),
    ),
    started: formatTime(rows[0]!.intent_created_ms),
  }));
  const waiting = begun.map(({ id, created_ms, work_done_seconds }) => ({
    intent: id,
    doneSeconds: work_done_seconds,
    started: formatTime(created_ms),
  }));
  return [...running, ...waiting];
}

/** What an allocation takes of its offer. */
type Taken = Pick<AllocationRow, "offer" | "gpus" | "replicas" | "cpu_milli" | "memory_mib">;

const less = (free: number | undefined, taken: number): number | undefined =>
  free === undefined ? undefined : Math.max(0, free - taken);

/** Offers less what was promised of them; an offer that is sold whole is gone. */
function withoutTaken(offers: readonly Flavor[], taken: readonly Taken[]): readonly Flavor[] {
  if (taken.length === 0) return offers;
  const byOffer = Map.groupBy(taken, ({ offer }) => offer);
  return offers.map((offer) => {
    const rows = byOffer.get(offer.id);
    if (rows === undefined) return offer;
    const { capacity } = offer;
    const sum = (amount: (row: Taken) => number): number =>
      rows.reduce((total, row) => total + amount(row), 0);
    const cpuMilliFree = less(
      capacity.cpuMilliFree ?? capacity.cpuMilli,
      sum(({ cpu_milli }) => cpu_milli),
    );
    const memoryMibFree = less(
      capacity.memoryMibFree ?? capacity.memoryMib,
      sum(({ memory_mib }) => memory_mib),
    );
    const podsFree = less(
      capacity.podsFree ?? capacity.pods,
      sum(({ replicas }) => replicas),
    );
    return {
      ...offer,
      capacity: {
        ...capacity,
        gpusFree: offer.divisible ? Math.max(0, capacity.gpusFree - sum(({ gpus }) => gpus)) : 0,
        ...(cpuMilliFree === undefined ? {} : { cpuMilliFree }),
        ...(memoryMibFree === undefined ? {} : { memoryMibFree }),
        ...(podsFree === undefined ? {} : { podsFree }),
      },
    };
  });
}

/** The federation at one moment, and decisions on it: each sees what the ones before it took. */
export interface World {
  /** What is left now. */
  snapshot(): Snapshot;
  /** Running intents that the spot policy decides about. */
  spotRuns(): readonly string[];
  /** Decides for intents together. Stores nothing, takes nothing. */
  decide(intents: readonly Intent[], options?: PlanOptions): Promise<Decided>;
  /** Takes what was decided, so that the next decision does without it. */
  take(allocations: readonly AllocationRow[], intent: Intent): void;
  /** Holds the start that a waiting intent was told, instead of any before, against the next decision. */
  hold(decision: Decision, intent: Intent): void;
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

  const avoided = new Map<string, { readonly fromMs: number; readonly untilMs: number }>();
  const outagesNow = (): Outage[] => {
    const now = clock.wallMs();
    for (const [offer, { untilMs }] of avoided) if (untilMs <= now) avoided.delete(offer);
    return [...avoided].map(([offer, { fromMs, untilMs }]) => ({
      offer,
      start: formatTime(fromMs),
      // whole seconds: never shorter than meant
      end: formatTime(untilMs + 999),
    }));
  };
  const tempers = new Map<string, Temper>();
  /** Tempers of the owners of allocations, read once per intent and generation. */
  const readTempers = async (held: readonly HeldRow[]): Promise<(row: HeldRow) => Temper | undefined> => {
    const keyOf = (id: string, generation: number): string => `${id} ${generation}`;
    const unknown = held.filter((row) => !tempers.has(keyOf(row.intent_id, row.intent_generation)));
    if (tempers.size > 2 * held.length + 1000) tempers.clear();
    for (const row of await store.system.intentsById([...new Set(unknown.map(({ intent_id }) => intent_id))]))
      tempers.set(keyOf(row.id, row.generation), temperOf(intentOf(row)));
    return (row) => tempers.get(keyOf(row.intent_id, row.intent_generation));
  };

  const snapshot = async (): Promise<Snapshot> => (await see()).snapshot;
  /** The federation as it is now, and the running intents that the spot policy decides about. */
  const see = async (): Promise<{ readonly snapshot: Snapshot; readonly spotRuns: readonly string[] }> => {
    // the store first: a key that is acknowledged in between is then counted twice rather than not at all
    const held = await store.system.held();
    const planned = held.filter(({ state }) => state === "planned");
    const temper = await readTempers(held);
    const spotRuns = held.filter((row) => temper(row)?.isSpotRun === true);
    const [catalog, observed, reserved, starts, begun, tenants] = await Promise.all([
      federation.catalog(),
      federation.observe([...new Set([...planned, ...spotRuns].map(({ id }) => id))]),
      store.system.openReservations(clock.wallMs()),
      store.system.heldStarts(),
      store.system.begun(),
      store.system.tenants(),
    ]);
    const known = new Set(observed.map(({ key }) => key));
    const progress = progressOf(spotRuns, observed, begun);
    const named = new Set(tenants.map(({ id }) => id as string));
    const now: Snapshot = {
      ...catalog,
      // what is promised in our books and not yet known to the providers
      offers: withoutTaken(
        catalog.offers,
        planned.filter(({ id }) => !known.has(id)),
      ),
      outages: avoided.size === 0 ? catalog.outages : [...catalog.outages, ...outagesNow()],
      tenants: [...tenants.map(toTenant), ...catalog.tenants.filter(({ name }) => !named.has(name))],
      holdings: [
        ...catalog.holdings,
        ...held.flatMap((row) => {
          const own = temper(row);
          return own === undefined ? [] : [toHolding(row, own)];
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
        // what waiting intents were told binds every decision until they start
        ...starts.flatMap(({ held, priority }) =>
          (JSON.parse(held) as Reservation[]).map((hold) => ({ ...hold, priority })),
        ),
      ],
      ...(progress.length === 0 ? {} : { progress }),
    };
    const running = spotRuns.filter(({ intent_phase }) => intent_phase === "running");
    return { snapshot: now, spotRuns: [...new Set(running.map(({ intent_id }) => intent_id))] };
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

  const look = async (): Promise<World> => {
    const seen = await see();
    let now = seen.snapshot;
    return {
      snapshot: () => now,
      spotRuns: () => seen.spotRuns,
      async decide(intents, options = {}) {
        const { job, on, made } = await run(now, intents, options);
        if (made.batch !== undefined)
          lastScarcity = { atMs: clock.wallMs(), currency: made.currency, prices: made.batch.prices };
        return {
          decisions: new Map(made.decisions.map((decision) => [decision.intent, decision])),
          evicted: new Map(made.evictions.map(({ intent, by }) => [intent, by])),
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
      take(allocations, intent) {
        const temper = temperOf(intent);
        const owner = {
          intent_phase: "placing",
          intent_priority: intent.priority,
          intent_generation: 0,
          intent_phase_ms: clock.wallMs(),
          intent_due_ms: null,
          intent_created_ms: clock.wallMs(),
          intent_work_done_seconds: 0,
        } as const;
        now = {
          ...now,
          reservations: now.reservations.filter((entry) => entry.intent !== intent.name),
          offers: withoutTaken(now.offers, allocations),
          holdings: [...now.holdings, ...allocations.map((row) => toHolding({ ...row, ...owner }, temper))],
        };
      },
      hold(decision, { name, priority }) {
        const others = now.reservations.filter((entry) => entry.intent !== name);
        now = { ...now, reservations: [...others, ...holdsOf(decision, priority)] };
      },
    };
  };

  return {
    snapshot,
    scarcity: () => lastScarcity,
    avoid: (offer, untilMs) => void avoided.set(offer, { fromMs: clock.wallMs(), untilMs }),
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
    look,
    async decide(intents, options = {}) {
      return (await look()).decide(intents, options);
    },
  };
}
