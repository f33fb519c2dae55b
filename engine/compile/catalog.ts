import { type Calendar, createCalendar } from "../calendar/calendar.ts";
import { timelinesOf } from "../calendar/timeline.ts";
import type { Table, TableColumns } from "../kernel/query.ts";
import { createTable } from "../kernel/table.ts";
import { EngineError } from "../model/errors.ts";
import type { Flavor, WorkloadKind } from "../model/flavor.ts";
import { offerIndexOf, type Snapshot } from "../model/snapshot.ts";
import type { NumberTrait } from "./asked.ts";
import { Columns } from "./columns.ts";
import { type Downtime, downtimeOf } from "./downtime.ts";
import { type Options, readRows } from "./rows.ts";
import { type SpotRates, spotRatesOf } from "./spot-history.ts";

export { offerIndexOf };

/** A snapshot made ready for many plans: rows read once, columns added when first needed. */
export interface Catalog {
  readonly snapshot: Snapshot;
  readonly options: Options;
  readonly table: Table;
  readonly columns: Columns;
  readonly downtime: Downtime;
  /** Capacity over time by the snapshot alone; plans make their own of its timelines. */
  readonly calendar: Calendar;
  /** Interruption rates with their sources, and offers whose spot capacity was just lost. */
  readonly spotRates: SpotRates;
  /** Score columns by key, see `score-columns.ts`. */
  readonly scoreColumns: Map<string, ScoreEntry>;
  /** Score columns of the table that nothing uses any more. */
  readonly spareColumns: number[];
  /** Rows that were scored one by one for want of score columns. */
  readonly scoredAlone: { rows: number };
  /** Speeds of rows by kind of work, see `speeds.ts`. */
  readonly speeds: Map<WorkloadKind, (row: number) => number>;
  /** Latencies by origin, as traits to be bounded. */
  readonly extraNumeric: Map<string, NumberTrait>;
  /** Numeric columns of the table that nothing uses any more. */
  readonly spareNumeric: number[];
  /** The catalogue that the table belongs to now, see `changes.ts`; null while there has been but this one. */
  readonly lease: { holder: Catalog | null };
}

/** One term of scores: its exact value per row, and from when it first scores a query on, a column of the table. */
export interface ScoreEntry {
  readonly key: string;
  /** Exact value of a row, NaN for unknown. */
  readonly at: (row: number) => number;
  /** What the table has of a known value. */
  readonly log: (value: number) => number;
  /** Rows without a value score as 0 instead of making the column useless: some constraint rejects them. */
  readonly mayLack: boolean;
  /** Index of the table's column, -1 while there is none. */
  column: number;
  /** Whether every row has a value, so that there is a column; null while nobody has looked. */
  isComplete: boolean | null;
}

/**
 * Place of a row in the order of offer ids, on demand before spot: what breaks ties. Row numbers do not tell once rows
 * have been added.
 */
export function rowRank({ options }: Catalog, row: number): number {
  return options.flavor[row]! * 2 + options.spot[row]!;
}

const offerRows = new WeakMap<Catalog, Int32Array>();

/** Two entries per offer: its row on demand and its row on spot, -1 for none. Found for all offers when first asked. */
export function rowsByOffer(catalog: Catalog): Int32Array {
  let rows = offerRows.get(catalog);
  if (rows === undefined) {
    rows = new Int32Array(catalog.snapshot.offers.length * 2).fill(-1);
    const live = catalog.table.feasible({ constraints: [], terms: [], k: 1, margin: 0 });
    for (const row of live) rows[rowRank(catalog, row)] = row;
    offerRows.set(catalog, rows);
  }
  return rows;
}

/** Tells that the offers of a later catalogue have the same rows. */
export function keepRowsByOffer(before: Catalog, after: Catalog): void {
  const rows = offerRows.get(before);
  if (rows !== undefined) offerRows.set(after, rows);
}

/** Rows of an offer, by index: on demand, spot, or both. */
export function* rowsOfOffer(catalog: Catalog, offer: number): Generator<number> {
  for (const row of rowsByOffer(catalog).subarray(offer * 2, offer * 2 + 2)) if (row >= 0) yield row;
}

/** The flavor of a row. */
export function flavorOf(catalog: Catalog, row: number): Flavor {
  return catalog.snapshot.offers[catalog.options.flavor[row]!]!;
}

/**
 * The snapshot with its offers by id, as readers already leave them.
 *
 * @throws {EngineError} `duplicate_id` when two offers share an id
 */
export function inOrder(snapshot: Snapshot): Snapshot {
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

/**
 * Builds the columnar catalogue of a snapshot. Cost: linear in the offers; do it once per snapshot version, then
 * `plan` as often as needed.
 *
 * @param makeTable another backend than the fastest present, for comparisons
 * @throws {EngineError} `duplicate_id` when two offers share an id
 */
export function prepare(
  snapshot: Snapshot,
  makeTable: (columns: TableColumns) => Table = createTable,
): Catalog {
  const spotRates = spotRatesOf(snapshot);
  const rows = readRows(snapshot, spotRates);
  if (rows === null) return prepare(inOrder(snapshot), makeTable);
  const { options } = rows;
  const table = makeTable({ rows: options.count, numeric: [], category: [], flags: [], scores: [] });
  return {
    snapshot,
    options,
    table,
    columns: new Columns(table, rows),
    downtime: downtimeOf(snapshot),
    calendar: createCalendar(timelinesOf(snapshot)),
    spotRates,
    scoreColumns: new Map(),
    spareColumns: [],
    scoredAlone: { rows: 0 },
    spareNumeric: [],
    lease: { holder: null },
    speeds: new Map(),
    extraNumeric: new Map(),
  };
}
