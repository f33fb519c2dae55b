import { findGpuModel } from "../catalog/gpus.ts";
import { relativeSpeed } from "../catalog/speed.ts";
import { allowsSpot, type Intent, replicasOf } from "../model/intent.ts";
import { convert } from "../model/money.ts";
import { parseTime } from "../model/time.ts";
import type { LatencyOrigin } from "../score/latency.ts";
import { type SpotExposure, spotFactor } from "../score/spot.ts";
import { type Catalog, flavorOf } from "./catalog.ts";
import { type PartNeed, partMilli, partOfNeed } from "./devices.ts";
import { type OpenPeriod, periodAt } from "./open-periods.ts";
import { progressOf } from "./progress.ts";
import { speedsOf } from "./speeds.ts";

/** Assumed when a batch states neither an estimate nor a timeout (C-35). */
const ASSUMED_RUNTIME_SECONDS = 3600;

/** What an intent asks of a catalogue, in the catalogue's units: the numbers every later stage works with. */
export interface Need {
  readonly intent: Intent;
  /** GPUs of one replica or task; 1 for a part of one. */
  readonly gpus: number;
  /** Part of one GPU that each replica or task asks for instead of whole ones. */
  readonly part?: PartNeed;
  /** Replicas or tasks. */
  readonly replicas: number;
  /** Replicas that must run at the same time: all, or one where tasks may run in waves. */
  readonly together: number;
  /** Replicas that one offer must be able to host by itself: all of a colocated workload, else one. */
  readonly perOffer: number;
  /** At most one replica per offer. */
  readonly apart: boolean;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly spotAllowed: boolean;
  readonly exposure: SpotExposure;
  readonly origin: LatencyOrigin;
  readonly originKey: string;
  /** Micro-units per hour in the snapshot's currency; absent: no cap; null: its currency has no rate. */
  readonly capMicro: number | null | undefined;
  readonly totalCapMicro: number | null | undefined;
  readonly runtime: Runtime;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly deadlineMs: number | undefined;
  /** Period of its availability window at `atMs`; absent: no window is stated; null: it is closed then. */
  readonly period?: OpenPeriod | null;
}

/** Where a runtime comes from. `scaled`: seconds on the reference speed, divided by the offer's speed. */
export type Runtime =
  | { readonly source: "none" }
  | { readonly source: "estimate"; readonly seconds: number }
  | { readonly source: "scaled"; readonly seconds: number; readonly speed: number }
  | { readonly source: "timeout"; readonly seconds: number }
  | { readonly source: "assumed"; readonly seconds: number };

function runtimeOf(intent: Intent): Runtime {
  const { batch, type, kind, resources } = intent.workload;
  if (type !== "batch") return { source: "none" };
  if (batch?.estimatedRuntimeSeconds !== undefined) {
    const model = findGpuModel(batch.estimatedOn ?? resources.gpu.model ?? "");
    const seconds = batch.estimatedRuntimeSeconds;
    const speed = model === null ? Number.NaN : relativeSpeed(model, kind);
    return speed > 0 ? { source: "scaled", seconds, speed } : { source: "estimate", seconds };
  }
  if (batch?.timeoutSeconds !== undefined) return { source: "timeout", seconds: batch.timeoutSeconds };
  return { source: "assumed", seconds: ASSUMED_RUNTIME_SECONDS };
}

/** The runtime without what is done of it; a second at least, for it has not ended. */
function runtimeLeft(intent: Intent, doneSeconds: number): Runtime {
  const runtime = runtimeOf(intent);
  return doneSeconds === 0 || runtime.source === "none"
    ? runtime
    : { ...runtime, seconds: Math.max(1, runtime.seconds - doneSeconds) };
}

function capIn(catalog: Catalog, cap: Intent["constraints"]["maxHourlyCost"]): number | null | undefined {
  if (cap === undefined) return undefined;
  return convert(cap, catalog.snapshot.currency, catalog.snapshot.rates);
}

/** Needs of intents at the snapshot's time, by catalogue: a plan asks for each several times. */
const needs = new WeakMap<Catalog, WeakMap<Intent, Need>>();

/** Gives up what is kept of the needs of earlier plans: it may name columns that now hold something else. */
export function forgetNeeds(catalog: Catalog): void {
  needs.delete(catalog);
}

/**
 * Translates an intent into the catalogue's units. The same intent object has the same need until the next plan.
 *
 * @param atMs when it would start, for what depends on time; default the snapshot's time
 */
export function needOf(catalog: Catalog, intent: Intent, atMs?: number): Need {
  const nowMs = catalog.calendar.base.atMs;
  if (atMs !== undefined && atMs !== nowMs) return translate(catalog, intent, atMs);
  let known = needs.get(catalog);
  if (known === undefined) {
    known = new WeakMap();
    needs.set(catalog, known);
  }
  let need = known.get(intent);
  if (need === undefined) {
    need = translate(catalog, intent, nowMs);
    known.set(intent, need);
  }
  return need;
}

function translate(catalog: Catalog, intent: Intent, atMs: number): Need {
  const { workload, constraints } = intent;
  const replicas = replicasOf(intent);
  const gang = workload.communicationPattern === "all-reduce" || workload.communicationPattern === "pipeline";
  const together = gang || workload.deploymentStrategy === "colocated" || constraints.spread !== undefined;
  const waves = workload.type === "batch" && !together;
  const runtime = runtimeLeft(intent, progressOf(catalog.snapshot, intent.name)?.doneSeconds ?? 0);
  const hours = runtime.source === "none" ? undefined : runtime.seconds / 3600;
  const checkpoint = workload.batch?.checkpointIntervalSeconds;
  const segmentHours =
    hours === undefined ? undefined : Math.min(hours, (checkpoint ?? runtimeSeconds(runtime)) / 3600);
  const part = partOfNeed(workload.resources.gpu);
  const { origin } = constraints;
  const hub = catalog.snapshot.hub?.coordinates;
  const coordinates = origin?.coordinates ?? hub;
  return {
    intent,
    gpus: workload.resources.gpu.count,
    ...(part === undefined ? {} : { part }),
    replicas,
    together: waves ? 1 : replicas,
    perOffer: workload.deploymentStrategy === "colocated" ? replicas : 1,
    apart: workload.deploymentStrategy === "distributed",
    cpuMilli: workload.resources.cpuMilli ?? 0,
    memoryMib: workload.resources.memoryMib ?? 0,
    spotAllowed: allowsSpot(intent),
    exposure: segmentHours === undefined ? {} : { segmentHours },
    origin: { ...(coordinates === undefined ? {} : { coordinates }), measured: origin === undefined },
    originKey:
      origin === undefined ? "hub" : `${origin.coordinates.latitude},${origin.coordinates.longitude}`,
    capMicro: capIn(catalog, constraints.maxHourlyCost),
    totalCapMicro: capIn(catalog, constraints.maxTotalCost),
    runtime,
    atMs,
    deadlineMs: constraints.deadline === undefined ? undefined : parseTime(constraints.deadline),
    ...(constraints.availability === undefined ? {} : { period: periodAt(constraints.availability, atMs) }),
  };
}

/**
 * When work of this need must have ended: its deadline, and the end of its availability window where the runtime is
 * stated (an assumed one never constrains). Infinity when nothing says so.
 */
export function endByMs({ deadlineMs, period, runtime }: Need): number {
  const isStated = runtime.source !== "none" && runtime.source !== "assumed";
  return Math.min(
    deadlineMs ?? Number.POSITIVE_INFINITY,
    isStated ? (period?.endMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY,
  );
}

/** Seconds a runtime states, before any scaling; 0 for services. */
function runtimeSeconds(runtime: Runtime): number {
  return runtime.source === "none" ? 0 : runtime.seconds;
}

/** Seconds one task runs on the option of a row. */
export function taskSeconds(catalog: Catalog, need: Need, row: number): number {
  const { runtime } = need;
  if (runtime.source !== "scaled") return runtimeSeconds(runtime);
  const speed = speedsOf(catalog, need.intent.workload.kind)(row);
  return speed > 0 ? (runtime.seconds * runtime.speed) / speed : runtime.seconds;
}

/** Factor on a row's price that makes interruptions comparable; 1 on demand. */
export function interruptionFactor(catalog: Catalog, need: Need, row: number): number {
  return catalog.options.spot[row] === 1
    ? spotFactor(catalog.options.interruptionRate[row]!, need.exposure)
    : 1;
}

/** Replicas of the need that the offer of a row can host if it is entirely free. */
export function slotsWhenFree(catalog: Catalog, need: Need, row: number): number {
  const { capacity } = flavorOf(catalog, row);
  const fit = (total: number | undefined, each: number): number =>
    total === undefined || each === 0 ? Number.POSITIVE_INFINITY : Math.floor(total / each);
  return Math.min(
    Math.floor(capacity.gpus / need.gpus),
    fit(capacity.cpuMilli ?? capacity.cpuMilliFree, need.cpuMilli),
    fit(capacity.memoryMib ?? capacity.memoryMibFree, need.memoryMib),
    fit(capacity.pods ?? capacity.podsFree, 1),
  );
}

/**
 * Billed micro-units per hour of `replicas` replicas in a divisible offer: by the GPU, parts of one pro rata and rounded
 * up.
 */
export function billedByGpu(catalog: Catalog, need: Need, row: number, replicas: number): number {
  const unit = catalog.options.unitMicro[row]!;
  if (need.part === undefined) return unit * need.gpus * replicas;
  return Math.ceil((unit * partMilli(need.part, flavorOf(catalog, row))) / 1000) * replicas;
}

/**
 * Billed micro-units per hour of `replicas` replicas in the offer of a row: divisible offers by the GPU, whole offers
 * once per started node (as if there were as many equal nodes as needed).
 */
export function billedMicro(catalog: Catalog, need: Need, row: number, replicas: number): number {
  const unit = catalog.options.unitMicro[row]!;
  if (!Number.isNaN(unit)) return billedByGpu(catalog, need, row, replicas);
  if (replicas === 1) return catalog.options.wholeMicro[row]!;
  const slots = Math.max(1, slotsWhenFree(catalog, need, row));
  return catalog.options.wholeMicro[row]! * Math.ceil(replicas / slots);
}
