import { type Calendar, createCalendar } from "../calendar/calendar.ts";
import { timelinesOf } from "../calendar/timeline.ts";
import type { Table, TableColumns } from "../kernel/query.ts";
import { createTable } from "../kernel/table.ts";
import { EngineError } from "../model/errors.ts";
import type { Coordinates, Flavor, WorkloadKind } from "../model/flavor.ts";
import { convert } from "../model/money.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { type Dictionary, type FlagName, type Hardware, type NumericName, readColumns } from "./columns.ts";
import { type Downtime, downtimeOf } from "./downtime.ts";
import { type SpotRates, spotRatesOf } from "./spot-history.ts";

/**
 * The rows of the table: one per flavor and price kind, sorted by flavor id, on demand before spot.
 * Prices are micro-units per hour in the snapshot's currency; NaN where they do not apply or cannot be converted.
 */
export interface Options {
  readonly count: number;
  /** Index into `snapshot.offers`. */
  readonly flavor: Int32Array;
  readonly spot: Uint8Array;
  /** 1 for the spot row of a flavor that also sells on demand. */
  readonly extraSpot: Uint8Array;
  /** Price of one GPU, where the offer is divisible. */
  readonly unitMicro: Float64Array;
  /** Price of the whole offer, where it is not. */
  readonly wholeMicro: Float64Array;
  /** Expected interruptions per hour, 0 for on demand. */
  readonly interruptionRate: Float64Array;
}

/** A snapshot made ready for many plans: columns built once, score columns added when first needed. */
export interface Catalog {
  readonly snapshot: Snapshot;
  readonly options: Options;
  readonly table: Table;
  readonly numeric: Readonly<Record<NumericName, number>>;
  readonly flags: Readonly<Record<FlagName, number>>;
  readonly dictionaries: Readonly<Record<string, Dictionary>>;
  /** Raw values of the columns, for exact comparison: what the table was built from. */
  readonly values: ReadonlyMap<string, Float64Array>;
  /** Where the offers are, by `siteOf`, so that a distance is computed once per place. */
  readonly sites: readonly Coordinates[];
  /** Index into `sites` per row, -1 for unknown. */
  readonly siteOf: Int32Array;
  readonly hardware: Hardware;
  readonly downtime: Downtime;
  /** Capacity over time by the snapshot alone; plans make their own of its timelines. */
  readonly calendar: Calendar;
  /** Interruption rates with their sources, and offers whose spot capacity was just lost. */
  readonly spotRates: SpotRates;
  /** Score columns by key, see `score-columns.ts`. */
  readonly scoreColumns: Map<string, ScoreEntry>;
  /** Score columns of the table that nothing uses any more. */
  readonly spareColumns: number[];
  /** Speeds per row by kind of work, see `speeds.ts`. */
  readonly speeds: Map<WorkloadKind, Float64Array>;
  /** Numeric columns by key, added when first needed. */
  readonly extraNumeric: Map<string, { readonly column: number; readonly score: ScoreEntry }>;
  /** Numeric columns of the table that nothing uses any more. */
  readonly spareNumeric: number[];
  /** The catalogue that the table belongs to now, see `changes.ts`; null while there has been but this one. */
  readonly lease: { holder: Catalog | null };
}

/** One cached score column: where the table has it, its exact values, and whether any row lacks the trait. */
export interface ScoreEntry {
  readonly column: number;
  readonly values: Float64Array;
  /** What the table has: logarithms, 0 where the value is unknown. */
  readonly logs: Float32Array;
  readonly unknowns: number;
  /** The same column of another catalogue. */
  readonly remake: (other: Catalog) => ScoreEntry;
}

/**
 * Place of a row in the order of offer ids, on demand before spot: what breaks ties. Row numbers do not tell once rows
 * have been added.
 */
export function rowRank({ options }: Catalog, row: number): number {
  return options.flavor[row]! * 2 + options.spot[row]!;
}

const offerRows = new WeakMap<Catalog, Int32Array>();

/** Rows of an offer, by index: on demand, spot, or both. Found for all offers at once when first asked. */
export function* rowsOfOffer(catalog: Catalog, offer: number): Generator<number> {
  let rows = offerRows.get(catalog);
  if (rows === undefined) {
    rows = new Int32Array(catalog.snapshot.offers.length * 2).fill(-1);
    const live = catalog.table.feasible({ constraints: [], terms: [], k: 1, margin: 0 });
    for (const row of live) rows[rowRank(catalog, row)] = row;
    offerRows.set(catalog, rows);
  }
  for (const row of rows.subarray(offer * 2, offer * 2 + 2)) if (row >= 0) yield row;
}

/** The flavor of a row. */
export function flavorOf(catalog: Catalog, row: number): Flavor {
  return catalog.snapshot.offers[catalog.options.flavor[row]!]!;
}

/** The snapshot with its offers by id, as readers already leave them. */
function inOrder(snapshot: Snapshot): Snapshot {
  const { offers } = snapshot;
  let sorted = true;
  for (let index = 1; index < offers.length && sorted; index++)
    sorted = offers[index - 1]!.id < offers[index]!.id;
  if (sorted) return snapshot;
  const byId = [...offers].sort((a, b) => (a.id < b.id ? -1 : 1));
  const double = byId.find(({ id }, index) => id === byId[index + 1]?.id);
  if (double !== undefined)
    throw new EngineError("duplicate_id", `two offers have the id ${double.id}; ids must be unique`);
  return { ...snapshot, offers: byId };
}

/** Index of the offer with an id, by binary search; -1 when there is none. */
export function offerIndexOf({ offers }: Snapshot, id: string): number {
  let low = 0;
  let high = offers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offers[middle]!.id < id) low = middle + 1;
    else high = middle;
  }
  return offers[low]?.id === id ? low : -1;
}

function optionRows(snapshot: Snapshot, spotRates: SpotRates): Options {
  const { offers } = snapshot;
  const most = offers.length * 2;
  const options = {
    flavor: new Int32Array(most),
    spot: new Uint8Array(most),
    extraSpot: new Uint8Array(most),
    unitMicro: new Float64Array(most).fill(Number.NaN),
    wholeMicro: new Float64Array(most).fill(Number.NaN),
    interruptionRate: new Float64Array(most),
  };
  let row = 0;
  offers.forEach((flavor, index) => {
    const { onDemand, spot } = flavor.price;
    for (const money of [onDemand, spot]) {
      if (money === undefined) continue;
      options.flavor[row] = index;
      if (money === spot) {
        options.spot[row] = 1;
        options.extraSpot[row] = onDemand === undefined ? 0 : 1;
        options.interruptionRate[row] = spotRates.of(index).perHour;
      }
      setPrice(options, row, flavor, convert(money, snapshot.currency, snapshot.rates));
      row++;
    }
  });
  return {
    count: row,
    flavor: options.flavor.subarray(0, row),
    spot: options.spot.subarray(0, row),
    extraSpot: options.extraSpot.subarray(0, row),
    unitMicro: options.unitMicro.subarray(0, row),
    wholeMicro: options.wholeMicro.subarray(0, row),
    interruptionRate: options.interruptionRate.subarray(0, row),
  };
}

/** Price of a row: per GPU where any number can be bought, else of the whole offer. Pro rata rounds up. */
function setPrice(
  options: Pick<Options, "unitMicro" | "wholeMicro">,
  row: number,
  flavor: Flavor,
  micro: number | null,
): void {
  if (micro === null) return;
  const { gpus } = flavor.capacity;
  const perGpu = flavor.price.basis === "gpu";
  if (flavor.divisible) options.unitMicro[row] = perGpu ? micro : Math.ceil(micro / gpus);
  else options.wholeMicro[row] = perGpu ? micro * gpus : micro;
}

/**
 * Builds the columnar catalogue of a snapshot. Cost: linear in the offers; do it once per snapshot version, then
 * `plan` as often as needed.
 *
 * @param makeTable another backend than the fastest present, for comparisons
 * @throws {EngineError} `duplicate_id` when two offers share an id
 */
export function prepare(
  unordered: Snapshot,
  makeTable: (columns: TableColumns) => Table = createTable,
): Catalog {
  const snapshot = inOrder(unordered);
  return prepareOver(snapshot, spotRatesOf(snapshot), makeTable);
}

/** The same with rates given, and offers in order of ids. */
export function prepareOver(
  snapshot: Snapshot,
  spotRates: SpotRates,
  makeTable: (columns: TableColumns) => Table,
): Catalog {
  const options = optionRows(snapshot, spotRates);
  const { numeric, flags, texts, sites, siteOf, hardware } = readColumns(snapshot.offers, options);
  const table = makeTable({
    rows: options.count,
    numeric: numeric.map(({ name, values }) => ({ name, values })),
    category: texts.map(({ name, codes, entries }) => ({ name, codes, size: entries.length })),
    flags: flags.map(({ name, values }) => ({ name, values })),
    scores: [],
  });
  return {
    snapshot,
    options,
    table,
    numeric: Object.fromEntries(numeric.map(({ name }, index) => [name, index])) as Record<
      NumericName,
      number
    >,
    flags: Object.fromEntries(flags.map(({ name }, index) => [name, index])) as Record<FlagName, number>,
    dictionaries: Object.fromEntries(texts.map((text, index) => [text.name, { ...text, column: index }])),
    values: new Map(numeric.map(({ name, values }) => [name, values])),
    sites,
    siteOf,
    hardware,
    downtime: downtimeOf(snapshot),
    calendar: createCalendar(timelinesOf(snapshot)),
    spotRates,
    scoreColumns: new Map(),
    spareColumns: [],
    spareNumeric: [],
    lease: { holder: null },
    speeds: new Map(),
    extraNumeric: new Map(),
  };
}
