import type { CriterionName } from "../model/decision.ts";
import type { Coordinates } from "../model/flavor.ts";
import type { Weights } from "../model/intent.ts";
import { estimateRoundTripMs } from "../score/latency.ts";
import { ln } from "../score/numeric.ts";
import { floors, weightOf } from "../score/objective.ts";
import { effectiveShare } from "../score/performance.ts";
import { spotFactor } from "../score/spot.ts";
import { type Numbers, NumberTrait } from "./asked.ts";
import type { Catalog, ScoreEntry } from "./catalog.ts";
import type { Need } from "./need.ts";
import { speedsOf } from "./speeds.ts";

/** Score columns kept from plan to plan: enough for every kind of work and some origins and exposures. */
const KEPT_COLUMNS = 48;
/** Values whose logarithms are kept per column. */
const MOST_REMEMBERED = 65_536;

/** Gives up the oldest columns of scores and latencies beyond those kept; called when no query that names them is in use. */
export function trimScoreColumns(catalog: Catalog): void {
  for (const [key, { column }] of catalog.scoreColumns) {
    if (catalog.scoreColumns.size <= KEPT_COLUMNS) break;
    catalog.scoreColumns.delete(key);
    if (column >= 0) catalog.spareColumns.push(column);
  }
  for (const [key, { column }] of catalog.extraNumeric) {
    if (catalog.extraNumeric.size <= KEPT_COLUMNS) return;
    catalog.extraNumeric.delete(key);
    if (column >= 0) catalog.spareNumeric.push(column);
  }
}

type Terms = Pick<ScoreEntry, "at" | "log"> & Partial<Pick<ScoreEntry, "mayLack">>;

/** The term of a key, made when first asked for. `make` gives what follows the rows as they change. */
function cached(catalog: Catalog, key: string, make: () => Terms): ScoreEntry {
  let entry = catalog.scoreColumns.get(key);
  if (entry === undefined) {
    entry = { key, mayLack: false, ...make(), column: -1, isComplete: null };
    catalog.scoreColumns.set(key, entry);
  }
  return entry;
}

/** What the table has of a value: a logarithm, 0 where it is unknown. */
export function storedScore(entry: ScoreEntry, value: number): number {
  return Number.isNaN(value) ? 0 : entry.log(value);
}

/** Sees to the column of a term; false where some row has no value, which no column can tell. */
function isComplete({ table, options, spareColumns }: Catalog, entry: ScoreEntry): boolean {
  if (entry.isComplete !== null) return entry.isComplete;
  const values = new Float32Array(options.count);
  for (let row = 0; row < values.length; row++) {
    const value = entry.at(row);
    if (Number.isNaN(value) && !entry.mayLack) {
      entry.isComplete = false;
      return false;
    }
    values[row] = storedScore(entry, value);
  }
  entry.isComplete = true;
  const instead = entry.column < 0 ? spareColumns.pop() : entry.column;
  entry.column = table.addScore({ name: entry.key, values }, instead);
  return true;
}

/** The same function for terms of few distinct values: a logarithm costs several look-ups. */
function remembering(log: (value: number) => number): (value: number) => number {
  const known = new Map<number, number>();
  return (value) => {
    let result = known.get(value);
    if (result === undefined) {
      result = log(value);
      if (known.size < MOST_REMEMBERED) known.set(value, result);
    }
    return result;
  };
}

const floored = (criterion: CriterionName) => (value: number) => logOf(criterion, value);

/** Slowness per row; the kind of work and whether several GPUs work together select the term. */
export function slownessColumn(catalog: Catalog, { gpus, intent }: Need): ScoreEntry {
  const { kind } = intent.workload;
  return cached(catalog, `slowness:${kind}:${gpus > 1 ? "many" : "one"}`, () => {
    const speedAt = speedsOf(catalog, kind);
    const gpu = catalog.columns.rows.block("gpu");
    const together = (row: number): number =>
      effectiveShare(gpu[row]!.multiGpuEfficiency ?? Number.NaN, gpus);
    return { at: (row) => 1 / (speedAt(row) * together(row)), log: remembering(ln) };
  });
}

/** Round trips from an origin to coordinates, each place estimated once. */
function estimates(origin: Coordinates): (site: Coordinates) => number {
  const known = new Map<number, Coordinates & { readonly ms: number }>();
  return (site) => {
    const { latitude, longitude } = site;
    const key = latitude * 512 + longitude;
    const found = known.get(key);
    if (found?.latitude === latitude && found.longitude === longitude) return found.ms;
    const ms = estimateRoundTripMs(origin, site);
    if (found === undefined && known.size < MOST_REMEMBERED) known.set(key, { latitude, longitude, ms });
    return ms;
  };
}

/** Milliseconds from the intent's origin per row: measured where that counts, else by the offer's coordinates. */
export function latencyColumn(catalog: Catalog, { origin, originKey }: Need): ScoreEntry {
  return cached(catalog, `latency:${originKey}`, () => {
    const { coordinates, measured } = origin;
    const { rows } = catalog.columns;
    const network = rows.block("network");
    const sites = rows.block("coordinates");
    const estimate = coordinates === undefined ? () => Number.NaN : estimates(coordinates);
    const at = (row: number): number => {
      const stated = measured ? network[row]!.latencyMs : undefined;
      if (stated !== undefined) return stated;
      const place = sites[row];
      return place === undefined ? Number.NaN : estimate(place);
    };
    return { at, log: remembering(floored("latency")) };
  });
}

/** The same for all rows: each place is estimated once. */
function latencies({ columns: { rows } }: Catalog, { origin }: Need): Numbers {
  const network = rows.kinds("network");
  const sites = rows.kinds("coordinates");
  const { coordinates, measured } = origin;
  const estimate = coordinates === undefined ? () => Number.NaN : estimates(coordinates);
  const stated = Float64Array.from(network.all, ({ latencyMs }) =>
    measured ? (latencyMs ?? Number.NaN) : Number.NaN,
  );
  const estimated = new Float64Array(sites.all.length).fill(-1);
  const values = new Float64Array(rows.options.count);
  for (let row = 0; row < values.length; row++) {
    values[row] = stated[network.of[row]!]!;
    if (!Number.isNaN(values[row]!)) continue;
    const kind = sites.of[row]!;
    if (estimated[kind] === -1) {
      const site = sites.all[kind];
      estimated[kind] = site === undefined ? Number.NaN : estimate(site);
    }
    values[row] = estimated[kind]!;
  }
  return { values };
}

/** The same as a trait that an intent can bound. */
export function latencyTrait(catalog: Catalog, need: Need): NumberTrait {
  const { key, at } = latencyColumn(catalog, need);
  let known = catalog.extraNumeric.get(key);
  if (known === undefined) {
    known = new NumberTrait(catalog.table, key, at, () => latencies(catalog, need));
    catalog.extraNumeric.set(key, known);
  }
  return known;
}

/** Grams of CO2 per unit of work per row. */
export function energyColumn(catalog: Catalog, need: Need): ScoreEntry {
  const { kind } = need.intent.workload;
  return cached(catalog, `energy:${kind}:${need.gpus > 1 ? "many" : "one"}`, () => {
    const slow = slownessColumn(catalog, need).at;
    const grams = catalog.columns.at("carbonGramsPerGpuHour");
    return { at: (row) => grams(row) * slow(row), log: floored("energy") };
  });
}

/** Terms that a need is judged by besides cost. */
interface CriterionEntries {
  readonly catalog: Catalog;
  readonly slowness: ScoreEntry;
  readonly latency: ScoreEntry;
  readonly energy: ScoreEntry;
}

const entriesOf = new WeakMap<Need, CriterionEntries>();

/** The terms of a need, found once for all the rows that are looked at. */
export function criterionEntries(catalog: Catalog, need: Need): CriterionEntries {
  let known = entriesOf.get(need);
  if (known === undefined || known.catalog !== catalog) {
    known = {
      catalog,
      slowness: slownessColumn(catalog, need),
      latency: latencyColumn(catalog, need),
      energy: energyColumn(catalog, need),
    };
    entriesOf.set(need, known);
  }
  return known;
}

function priceTerm(catalog: Catalog): ScoreEntry {
  const { rows } = catalog.columns;
  const at = (row: number): number => {
    const { unitMicro, wholeMicro } = rows.options;
    return Number.isNaN(unitMicro[row]!) ? wholeMicro[row]! : unitMicro[row]!;
  };
  return cached(catalog, "price", () => ({ at, log: floored("cost"), mayLack: true }));
}

function perGpuTerm(catalog: Catalog): ScoreEntry {
  const { rows } = catalog.columns;
  const at = (row: number): number => Number(!Number.isNaN(rows.options.unitMicro[row]!));
  return cached(catalog, "per-gpu", () => ({ at, log: (value) => value }));
}

function spotTerm(catalog: Catalog, { exposure }: Need): ScoreEntry {
  const { rows } = catalog.columns;
  const at = (row: number): number => {
    const { spot, interruptionRate } = rows.options;
    return spot[row] === 1 ? Math.min(spotFactor(interruptionRate[row]!, exposure), 1e30) : 1;
  };
  const key = `spot:${exposure.segmentHours ?? "service"}`;
  return cached(catalog, key, () => ({ at, log: remembering(ln) }));
}

function runtimeTerm(catalog: Catalog, { intent }: Need): ScoreEntry {
  const { kind } = intent.workload;
  return cached(catalog, `runtime:${kind}`, () => {
    const speedAt = speedsOf(catalog, kind);
    const at = (row: number): number => {
      const speed = speedAt(row);
      return speed > 0 ? 1 / speed : 1;
    };
    return { at, log: remembering(ln) };
  });
}

type Weighted = readonly [entry: ScoreEntry, weight: number];

/** Weighted criteria besides cost, those first that offers leave out most often. */
function weightedCriteria(catalog: Catalog, need: Need, weights: Weights): Weighted[] {
  const { slowness, latency, energy } = criterionEntries(catalog, need);
  const criteria: Weighted[] = [
    [latency, weights.latency],
    [energy, weights.energy],
    [slowness, weights.performance],
  ];
  return criteria.filter(([, weight]) => weight > 0);
}

/** Terms of the weighted cost. */
function costTerms(catalog: Catalog, need: Need, { cost }: Weights): Weighted[] {
  if (cost === 0) return [];
  const terms: Weighted[] = [[priceTerm(catalog), cost]];
  if (need.gpus > 1) terms.push([perGpuTerm(catalog), cost * ln(need.gpus)]);
  if (need.spotAllowed) terms.push([spotTerm(catalog, need), cost]);
  if (need.runtime.source === "scaled") terms.push([runtimeTerm(catalog, need), cost]);
  return terms;
}

/** What weighs in the score of a need: everything, and of that the criteria besides cost. */
interface WeightedTerms {
  readonly catalog: Catalog;
  readonly weights: Weights;
  readonly terms: readonly Weighted[];
  readonly criteria: readonly Weighted[];
}

const weighted = new WeakMap<Need, WeightedTerms>();

/** Found once for all the times a plan asks of a need. */
function weightedTerms(catalog: Catalog, need: Need, weights: Weights): WeightedTerms {
  let known = weighted.get(need);
  if (known === undefined || known.catalog !== catalog || known.weights !== weights) {
    const criteria = weightedCriteria(catalog, need, weights);
    known = { catalog, weights, criteria, terms: [...costTerms(catalog, need, weights), ...criteria] };
    weighted.set(need, known);
  }
  return known;
}

/** The weighted columns whose sum pre-selects rows. */
export type ScoreTerms = readonly { readonly column: number; readonly weight: number }[];

/**
 * The score of a need as a sum of columns, terms equal for all rows left out. Null where the sum may misjudge a row:
 * some row does not tell a weighted criterion, or a price per replica depends on how many the offer hosts.
 */
export function scoreTerms(catalog: Catalog, need: Need, weights: Weights): ScoreTerms | null {
  const { criteria, terms } = weightedTerms(catalog, need, weights);
  const isShared =
    need.replicas > 1 && weights.cost > 0 && catalog.options.wholeMicro.some((price) => price >= 0);
  if (isShared || !criteria.every(([entry]) => isComplete(catalog, entry))) return null;
  for (const [entry] of terms) isComplete(catalog, entry);
  return terms.map(([{ column }, weight]) => ({ column, weight }));
}

/** Whether the columns are there already that score a need. */
export function hasScoreColumns(catalog: Catalog, need: Need, weights: Weights): boolean {
  return weightedTerms(catalog, need, weights).terms.every(([{ isComplete }]) => isComplete === true);
}

/** Logarithm of a known criterion value over its floor. */
export function logOf(criterion: CriterionName, value: number): number {
  const floor = floors[criterion];
  return criterion === "slowness" ? ln(value) : ln(Math.max(value, floor) / floor);
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
