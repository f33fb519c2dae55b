import type { Table } from "../kernel/query.ts";
import { createTable } from "../kernel/table.ts";
import { assert } from "../model/errors.ts";
import type { Flavor } from "../model/flavor.ts";
import { convert } from "../model/money.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { DEFAULT_INTERRUPTION_RATE } from "../score/spot.ts";
import {
  type Dictionary,
  type FlagName,
  flagColumns,
  type NumericName,
  numericColumns,
  places,
  textColumns,
} from "./columns.ts";
import { type Downtime, downtimeOf } from "./downtime.ts";

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
  /** Index of an offer by id. */
  readonly offerIndex: ReadonlyMap<string, number>;
  readonly downtime: Downtime;
  /** Score columns by key, see `score-columns.ts`. */
  readonly scoreColumns: Map<string, ScoreEntry>;
  /** Numeric columns by key, added when first needed. */
  readonly extraNumeric: Map<string, { readonly column: number; readonly values: Float64Array }>;
}

/** One cached score column: where the table has it, its exact values, and whether any row lacks the trait. */
export interface ScoreEntry {
  readonly column: number;
  readonly values: Float64Array;
  readonly unknowns: number;
}

/** The flavor of a row. */
export function flavorOf(catalog: Catalog, row: number): Flavor {
  const flavor = catalog.snapshot.offers[catalog.options.flavor[row]!];
  assert(flavor !== undefined, `row ${row} has no flavor`);
  return flavor;
}

function optionRows(snapshot: Snapshot): Options {
  const rows: { flavor: number; spot: boolean; extra: boolean }[] = [];
  snapshot.offers.forEach((flavor, index) => {
    const both = flavor.price.onDemand !== undefined && flavor.price.spot !== undefined;
    if (flavor.price.onDemand !== undefined) rows.push({ flavor: index, spot: false, extra: false });
    if (flavor.price.spot !== undefined) rows.push({ flavor: index, spot: true, extra: both });
  });
  const count = rows.length;
  const unitMicro = new Float64Array(count).fill(Number.NaN);
  const wholeMicro = new Float64Array(count).fill(Number.NaN);
  const interruptionRate = new Float64Array(count);
  rows.forEach((row, index) => {
    const flavor = snapshot.offers[row.flavor]!;
    const money = row.spot ? flavor.price.spot! : flavor.price.onDemand!;
    const micro = convert(money, snapshot.currency, snapshot.rates);
    if (row.spot) interruptionRate[index] = flavor.price.interruptionRate ?? DEFAULT_INTERRUPTION_RATE;
    if (micro === null) return;
    const { gpus } = flavor.capacity;
    if (flavor.divisible) unitMicro[index] = flavor.price.basis === "gpu" ? micro : Math.ceil(micro / gpus);
    else wholeMicro[index] = flavor.price.basis === "gpu" ? micro * gpus : micro;
  });
  return {
    count,
    flavor: Int32Array.from(rows, (row) => row.flavor),
    spot: Uint8Array.from(rows, (row) => Number(row.spot)),
    extraSpot: Uint8Array.from(rows, (row) => Number(row.extra)),
    unitMicro,
    wholeMicro,
    interruptionRate,
  };
}

/**
 * Builds the columnar catalogue of a snapshot. Cost: linear in the offers; do it once per snapshot version, then
 * `plan` as often as needed.
 */
export function prepare(snapshot: Snapshot): Catalog {
  const options = optionRows(snapshot);
  const flavors = Array.from(options.flavor, (index) => snapshot.offers[index]!);
  const numeric = numericColumns(flavors, options);
  const flags = flagColumns(flavors, options);
  const texts = [...textColumns(flavors), places(flavors)];
  const table = createTable({
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
    offerIndex: new Map(snapshot.offers.map((flavor, index) => [flavor.id, index])),
    downtime: downtimeOf(snapshot),
    scoreColumns: new Map(),
    extraNumeric: new Map(),
  };
}
