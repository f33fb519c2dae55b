import type { Held } from "../../adapters/port.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { Holding, Progress } from "../../engine/model/snapshot.ts";
import { formatTime } from "../../engine/model/time.ts";
import { isSpotRun } from "../../engine/resilience/spot-runs.ts";
import type { AllocationRow } from "../store/schema.ts";
import type { BegunRow, HeldRow } from "../store/store.ts";

/** What of an intent's wish its holdings say. */
export interface Temper {
  readonly evictable: boolean;
  readonly minRuntimeSeconds: number;
  readonly maxInterruptionSeconds: number | undefined;
  /** Undefined for services, and where nothing is stated. */
  readonly runtimeSeconds: number | undefined;
  /** The spot policy decides where it runs. */
  readonly isSpotRun: boolean;
  /** The part of a GPU that each replica holds, where it asks for one. */
  readonly part: Pick<Holding, "fractionMilli" | "migProfile">;
}

export function temperOf(intent: Intent): Temper {
  const { sla } = intent;
  const { batch, evictable, minRuntimeSeconds } = intent.workload;
  const { estimatedRuntimeSeconds, timeoutSeconds } = batch ?? {};
  const { fractionMilli, migProfile } = intent.workload.resources.gpu;
  return {
    evictable,
    minRuntimeSeconds,
    maxInterruptionSeconds: sla.maxInterruptionSeconds,
    runtimeSeconds: estimatedRuntimeSeconds ?? timeoutSeconds,
    isSpotRun: isSpotRun(intent),
    part: {
      ...(fractionMilli === undefined ? {} : { fractionMilli }),
      ...(migProfile === undefined ? {} : { migProfile }),
    },
  };
}

/** A guaranteed runtime that nothing reaches. */
const foreverSeconds = 100 * 366 * 86_400;

/** What a row of our books is to the planner. */
export function toHolding(row: HeldRow, temper: Temper): Holding {
  const { minRuntimeSeconds, maxInterruptionSeconds } = temper;
  const end = endOf(row, temper);
  // what is not running yet, or is being given back, is nobody's to evict, and no lender's to take back
  const isRunning = row.intent_phase === "running";
  const leastSeconds = isRunning ? minRuntimeSeconds : foreverSeconds;
  return {
    intent: row.intent_id,
    offer: row.offer,
    gpus: row.gpus,
    since: formatTime(row.billed_ms ?? row.created_ms),
    priority: row.intent_priority,
    tenant: row.tenant_id,
    evictable: temper.evictable && isRunning,
    spot: row.spot === 1,
    replicas: row.replicas,
    cpuMilli: row.cpu_milli,
    memoryMib: row.memory_mib,
    ...temper.part,
    ...(leastSeconds > 0 ? { minRuntimeSeconds: leastSeconds } : {}),
    ...(maxInterruptionSeconds === undefined ? {} : { maxInterruptionSeconds }),
    ...(end === null ? {} : { until: formatTime(end.untilMs), enforced: end.isEnforced }),
  };
}

/** From the end of work to the moment at which its place is given back and known to be free, milliseconds. */
const clearingMs = 30_000;
/** The same once it is being given back: the rest of it. */
const givingBackMs = 5_000;

/**
 * For so long capacity is taken besides a run: from the decision until it runs, and `clearingMs`. A start that is promised
 * behind another run counts on it; a provider that takes longer to start is a failure that may move it.
 */
export const turnaroundSeconds = 120;

/**
 * When work gives its place back: at its timeout, which is enforced once it runs, or before, when it is expected to take
 * less. Null where nothing is known.
 */
function endOf(
  { intent_phase, intent_phase_ms, intent_due_ms, created_ms }: HeldRow,
  { runtimeSeconds }: Temper,
): { readonly untilMs: number; readonly isEnforced: boolean } | null {
  if (intent_phase === "releasing") return { untilMs: intent_phase_ms + givingBackMs, isEnforced: true };
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
export function progressOf(
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
type Taken = Pick<AllocationRow, "gpus" | "replicas" | "cpu_milli" | "memory_mib">;

const less = (free: number | undefined, taken: number): number | undefined =>
  free === undefined ? undefined : Math.max(0, free - taken);

/** An offer less what was promised of it; one that is sold whole is gone. */
export function withoutTaken(offer: Flavor, rows: readonly Taken[]): Flavor {
  const { capacity } = offer;
  const sum = (amount: (row: Taken) => number): number => rows.reduce((total, row) => total + amount(row), 0);
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
}
