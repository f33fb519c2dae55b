import type { CriterionName } from "../model/decision.ts";
import type { Weights } from "../model/intent.ts";
import { estimateRoundTripMs } from "../score/latency.ts";
import { ln } from "../score/numeric.ts";
import { floors, weightOf } from "../score/objective.ts";
import { effectiveShare } from "../score/performance.ts";
import { spotFactor } from "../score/spot.ts";
import type { Catalog, ScoreEntry } from "./catalog.ts";
import type { Need } from "./need.ts";
import { speedsOf } from "./speeds.ts";

/** Score columns kept from plan to plan: enough for every kind of work and some origins and exposures. */
const KEPT_COLUMNS = 48;

/** Gives up the oldest columns of scores and latencies beyond those kept; called when no query that names them is in use. */
export function trimScoreColumns(catalog: Catalog): void {
  for (const [key, { column }] of catalog.scoreColumns) {
    if (catalog.scoreColumns.size <= KEPT_COLUMNS) break;
    catalog.scoreColumns.delete(key);
    catalog.spareColumns.push(column);
  }
  for (const [key, { column }] of catalog.extraNumeric) {
    if (catalog.extraNumeric.size <= KEPT_COLUMNS) return;
    catalog.extraNumeric.delete(key);
    catalog.spareNumeric.push(column);
  }
}

/** The column of a key: values and their logarithms, made when first asked for. */
function cached(
  catalog: Catalog,
  key: string,
  remake: ScoreEntry["remake"],
  raw: (row: number) => number,
  log: (value: number) => number,
): ScoreEntry {
  const known = catalog.scoreColumns.get(key);
  if (known !== undefined) return known;
  const values = new Float64Array(catalog.options.count);
  const logs = new Float32Array(catalog.options.count);
  let unknowns = 0;
  for (let row = 0; row < values.length; row++) {
    const value = raw(row);
    values[row] = value;
    if (Number.isNaN(value)) unknowns++;
    else logs[row] = log(value);
  }
  const column = catalog.table.addScore({ name: key, values: logs }, catalog.spareColumns.pop());
  const entry = { column, values, logs, unknowns, remake };
  catalog.scoreColumns.set(key, entry);
  return entry;
}

/** The same function for columns of few distinct values: a logarithm costs several look-ups. */
function remembering(log: (value: number) => number): (value: number) => number {
  const known = new Map<number, number>();
  return (value) => {
    let result = known.get(value);
    if (result === undefined) {
      result = log(value);
      known.set(value, result);
    }
    return result;
  };
}

const floored = (criterion: CriterionName) => (value: number) =>
  ln(Math.max(value, floors[criterion]) / floors[criterion]);

/** Slowness per row; the kind of work and whether several GPUs work together select the column. */
export function slownessColumn(catalog: Catalog, need: Need): ScoreEntry {
  const { kind } = need.intent.workload;
  const speeds = speedsOf(catalog, kind);
  const key = `slowness:${kind}:${need.gpus > 1 ? "many" : "one"}`;
  const efficiency = catalog.values.get("multiGpuEfficiency")!;
  const together = (row: number): number => effectiveShare(efficiency[row]!, need.gpus);
  const remake = (other: Catalog): ScoreEntry => slownessColumn(other, need);
  return cached(catalog, key, remake, (row) => 1 / (speeds[row]! * together(row)), remembering(ln));
}

/** Milliseconds from the intent's origin per row: measured where that counts, else by the offer's coordinates. */
export function latencyColumn(catalog: Catalog, need: Need): ScoreEntry {
  const key = `latency:${need.originKey}`;
  const known = catalog.scoreColumns.get(key);
  if (known !== undefined) return known;
  const { coordinates, measured } = need.origin;
  const stated = catalog.values.get("latencyMs")!;
  const estimates = catalog.sites.map((site) =>
    coordinates === undefined ? Number.NaN : estimateRoundTripMs(coordinates, site),
  );
  const milliseconds = (row: number): number => {
    if (measured && !Number.isNaN(stated[row]!)) return stated[row]!;
    const site = catalog.siteOf[row]!;
    return site < 0 ? Number.NaN : estimates[site]!;
  };
  return cached(
    catalog,
    key,
    (other) => latencyColumn(other, need),
    milliseconds,
    remembering(floored("latency")),
  );
}

/** Grams of CO2 per unit of work per row. */
export function energyColumn(catalog: Catalog, need: Need): ScoreEntry {
  const { kind } = need.intent.workload;
  const key = `energy:${kind}:${need.gpus > 1 ? "many" : "one"}`;
  const slow = slownessColumn(catalog, need).values;
  const grams = catalog.values.get("carbonGramsPerGpuHour")!;
  return cached(
    catalog,
    key,
    (other) => energyColumn(other, need),
    (row) => grams[row]! * slow[row]!,
    floored("energy"),
  );
}

function priceColumn(catalog: Catalog): ScoreEntry {
  const { unitMicro, wholeMicro } = catalog.options;
  const price = (row: number): number => (Number.isNaN(unitMicro[row]!) ? wholeMicro[row]! : unitMicro[row]!);
  return cached(catalog, "price", priceColumn, price, floored("cost"));
}

function perGpuColumn(catalog: Catalog): ScoreEntry {
  const { unitMicro } = catalog.options;
  return cached(
    catalog,
    "per-gpu",
    perGpuColumn,
    (row) => Number(!Number.isNaN(unitMicro[row]!)),
    (value) => value,
  );
}

function spotColumn(catalog: Catalog, need: Need): ScoreEntry {
  const { spot, interruptionRate } = catalog.options;
  const factor = (row: number): number =>
    spot[row] === 1 ? Math.min(spotFactor(interruptionRate[row]!, need.exposure), 1e30) : 1;
  const key = `spot:${need.exposure.segmentHours ?? "service"}`;
  return cached(catalog, key, (other) => spotColumn(other, need), factor, remembering(ln));
}

function runtimeColumn(catalog: Catalog, need: Need): ScoreEntry {
  const { kind } = need.intent.workload;
  const speeds = speedsOf(catalog, kind);
  const seconds = (row: number): number => {
    const speed = speeds[row]!;
    return speed > 0 ? 1 / speed : 1;
  };
  const remake = (other: Catalog): ScoreEntry => runtimeColumn(other, need);
  return cached(catalog, `runtime:${kind}`, remake, seconds, remembering(ln));
}

/** The weighted columns whose f32 sum pre-selects rows, and whether that sum may misjudge a row. */
export interface ScoreTerms {
  readonly terms: readonly { readonly column: number; readonly weight: number }[];
  readonly rescoreAll: boolean;
}

/** The score of a need as a sum of columns. Terms equal for all rows are left out. */
export function scoreTerms(catalog: Catalog, need: Need, weights: Weights): ScoreTerms {
  const terms: { column: number; weight: number }[] = [];
  // A whole offer's price per replica depends on how many it hosts, which no column says: rescore exactly.
  let unknowns =
    need.replicas > 1 && weights.cost > 0 && catalog.options.wholeMicro.some((price) => price >= 0);
  const add = (entry: ScoreEntry, weight: number): void => {
    terms.push({ column: entry.column, weight });
    unknowns ||= entry.unknowns > 0;
  };
  if (weights.cost > 0) {
    terms.push({ column: priceColumn(catalog).column, weight: weights.cost });
    if (need.gpus > 1) add(perGpuColumn(catalog), weights.cost * ln(need.gpus));
    if (need.spotAllowed) add(spotColumn(catalog, need), weights.cost);
    if (need.runtime.source === "scaled") add(runtimeColumn(catalog, need), weights.cost);
  }
  if (weights.performance > 0) add(slownessColumn(catalog, need), weights.performance);
  if (weights.latency > 0) add(latencyColumn(catalog, need), weights.latency);
  if (weights.energy > 0) add(energyColumn(catalog, need), weights.energy);
  return { terms, rescoreAll: unknowns };
}

/** Logarithm of a known criterion value over its floor. */
export function logOf(criterion: CriterionName, value: number): number {
  return criterion === "slowness" ? ln(value) : floored(criterion)(value);
}

/** Weighted log sum of criteria values: the score that decides. */
export function exactScore(weights: Weights, values: Readonly<Record<CriterionName, number>>): number {
  let sum = 0;
  for (const criterion of ["cost", "slowness", "latency", "energy"] as const) {
    const weight = weightOf(weights, criterion);
    if (weight > 0) sum += weight * logOf(criterion, values[criterion]);
  }
  return sum;
}
