import { createCalendar } from "../calendar/calendar.ts";
import { timelinesOf } from "../calendar/timeline.ts";
import { twinTable } from "../kernel/twin.ts";
import { assert, EngineError } from "../model/errors.ts";
import type { Flavor } from "../model/flavor.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { type Catalog, flavorOf, offerIndexOf, prepare, prepareOver, type ScoreEntry } from "./catalog.ts";
import { hasMembers } from "./columns.ts";
import { downtimeOf } from "./downtime.ts";
import { speedsOf } from "./speeds.ts";
import { type SpotRates, spotRatesOf } from "./spot-history.ts";

/** What has changed since a catalogue was prepared. */
export interface CatalogChanges {
  /** Offers that are new, or replace the ones with their ids: a price, a capacity, a trait. */
  readonly offers?: readonly Flavor[];
  /** Ids of offers that are gone; unknown ones are ignored. */
  readonly removed?: readonly string[];
  /** Everything else of the snapshot, where it has changed. Not its currency, rates or hub: these change every price. */
  readonly snapshot?: Partial<Omit<Snapshot, "offers" | "currency" | "rates" | "hub">>;
}

/** Arrays keep room for further rows behind their end. */
const HEADROOM = 1.125;

type Column = Float64Array | Float32Array | Int32Array | Uint8Array;

/** The array with `length` elements, in place where its buffer has room. */
function lengthened<T extends Column>(values: T, length: number): T {
  if (values.length >= length) return values;
  const make = values.constructor as unknown as {
    new (buffer: ArrayBufferLike, offset: number, length: number): T;
    new (length: number): T;
  };
  const end = values.byteOffset + length * values.BYTES_PER_ELEMENT;
  if (end <= values.buffer.byteLength) return new make(values.buffer, values.byteOffset, length);
  const larger = new make(Math.ceil(length * HEADROOM));
  larger.set(values as never);
  return new make(larger.buffer, 0, length);
}

/** Offers by id with some replaced, added and removed; both lists sorted. Also the new index of each old one, -1 gone. */
function merge(
  old: readonly Flavor[],
  changed: readonly Flavor[],
  removed: ReadonlySet<string>,
): { readonly offers: readonly Flavor[]; readonly indexOf: Int32Array } {
  const offers: Flavor[] = [];
  const indexOf = new Int32Array(old.length).fill(-1);
  let next = 0;
  old.forEach((flavor, index) => {
    while (next < changed.length && changed[next]!.id < flavor.id) offers.push(changed[next++]!);
    const isChanged = changed[next]?.id === flavor.id;
    if (!isChanged && removed.has(flavor.id)) return;
    indexOf[index] = offers.push(isChanged ? changed[next++]! : flavor) - 1;
  });
  offers.push(...changed.slice(next));
  return { offers, indexOf };
}

/** Rows of each offer that is asked for, on demand and spot; -1 for none. */
function rowsOf(
  { options }: Catalog,
  wanted: ReadonlySet<number>,
  live: Uint32Array,
): Map<number, [number, number]> {
  const rows = new Map<number, [number, number]>();
  for (const row of live) {
    const offer = options.flavor[row]!;
    if (!wanted.has(offer)) continue;
    const pair = rows.get(offer) ?? [-1, -1];
    pair[options.spot[row]!] = row;
    rows.set(offer, pair);
  }
  return rows;
}

/** Live rows in order. */
function liveRows({ table }: Catalog): Uint32Array {
  return table.feasible({ constraints: [], terms: [], k: 1, margin: 0 });
}

/** Indices of things by a text that tells them apart, and the list they are in, which grows. */
class Known<T> {
  readonly all: T[];
  readonly #index: Map<string, number>;
  readonly #textOf: (thing: T) => string;

  constructor(all: readonly T[], textOf: (thing: T) => string) {
    this.all = [...all];
    this.#textOf = textOf;
    this.#index = new Map(all.map((thing, index) => [textOf(thing), index]));
  }

  indexOf(thing: T): number {
    const text = this.#textOf(thing);
    const index = this.#index.get(text) ?? this.all.push(thing) - 1;
    this.#index.set(text, index);
    return index;
  }
}

/** The catalogue with longer arrays, so that every row of the table has its place in them. */
function withRoom(
  catalog: Catalog,
  snapshot: Snapshot,
  indexOf: Int32Array,
  changed: readonly Flavor[],
): Catalog {
  const count = catalog.table.rows;
  const { options, hardware } = catalog;
  const isChanged = new Set(changed.map(({ id }) => id));
  const scored = hardware.scored
    .map((index) => indexOf[index]!)
    .filter((index) => index >= 0 && !isChanged.has(snapshot.offers[index]!.id));
  for (const flavor of changed) if (hasMembers(flavor.scores)) scored.push(offerIndexOf(snapshot, flavor.id));
  const entries = new Map(
    [...catalog.scoreColumns].map(([key, entry]): [string, ScoreEntry] => [key, longerEntry(entry, count)]),
  );
  return {
    ...catalog,
    snapshot,
    options: {
      count,
      flavor: lengthened(options.flavor, count),
      spot: lengthened(options.spot, count),
      extraSpot: lengthened(options.extraSpot, count),
      unitMicro: lengthened(options.unitMicro, count),
      wholeMicro: lengthened(options.wholeMicro, count),
      interruptionRate: lengthened(options.interruptionRate, count),
    },
    dictionaries: Object.fromEntries(
      Object.entries(catalog.dictionaries).map(([name, one]) => [
        name,
        { ...one, codes: lengthened(one.codes, count) },
      ]),
    ),
    values: new Map([...catalog.values].map(([name, values]) => [name, lengthened(values, count)])),
    siteOf: lengthened(catalog.siteOf, count),
    hardware: { ...hardware, kindOf: lengthened(hardware.kindOf, count), scored },
    downtime: downtimeOf(snapshot),
    calendar: createCalendar(timelinesOf(snapshot)),
    speeds: new Map([...catalog.speeds].map(([kind, speeds]) => [kind, lengthened(speeds, count)])),
    scoreColumns: entries,
    extraNumeric: new Map(
      [...catalog.extraNumeric].map(([key, { column, score }]) => [
        key,
        { column, score: entries.get(key) ?? longerEntry(score, count) },
      ]),
    ),
  };
}

const longerEntry = (entry: ScoreEntry, count: number): ScoreEntry => ({
  ...entry,
  values: lengthened(entry.values, count),
  logs: lengthened(entry.logs, count),
});

const byId = (a: Flavor, b: Flavor): number => (a.id < b.id ? -1 : 1);

/** Offers that stay as they are but whose interruption rate moves with the history of others. */
function newlyRated(
  { options, snapshot }: Catalog,
  now: {
    readonly spotRates: SpotRates;
    readonly indexOf: Int32Array;
    readonly stated: readonly Flavor[];
    readonly live: Uint32Array;
  },
): Flavor[] {
  const isStated = new Set(now.stated.map(({ id }) => id));
  const moved: Flavor[] = [];
  for (const row of now.live) {
    if (options.spot[row] === 0) continue;
    const flavor = snapshot.offers[options.flavor[row]!]!;
    const index = now.indexOf[options.flavor[row]!]!;
    if (index < 0 || isStated.has(flavor.id)) continue;
    if (now.spotRates.of(index).perHour !== options.interruptionRate[row]) moved.push(flavor);
  }
  return moved;
}

/** A row of the catalogue and the row of the changed offers that it becomes. */
interface Write {
  readonly row: number;
  readonly other: number;
}

/** Prices, traits, flags and names of the changed offers. */
function writeColumns(to: Catalog, from: Catalog, writes: readonly Write[]): void {
  const { table } = to;
  for (const name of ["spot", "extraSpot", "unitMicro", "wholeMicro", "interruptionRate"] as const)
    for (const { row, other } of writes) to.options[name][row] = from.options[name][other]!;
  for (const [name, column] of Object.entries(to.numeric)) {
    const [target, source] = [to.values.get(name)!, from.values.get(name)!];
    for (const { row, other } of writes) {
      target[row] = source[other]!;
      table.setNumeric(column, row, source[other]!);
    }
  }
  const { flags } = from.table.columns();
  for (const column of Object.values(to.flags))
    for (const { row, other } of writes)
      table.setFlag(column, row, flags[column]!.values[other] as 0 | 1 | 2);
  for (const { codes, codeOf, column } of Object.values(to.dictionaries))
    for (const { row, other } of writes) {
      const code = codeOf(flavorOf(from, other));
      codes[row] = code;
      table.setCategory(column, row, code);
    }
}

/** Speeds, scores and latencies that were computed for the catalogue so far. */
function writeDerived(to: Catalog, from: Catalog, writes: readonly Write[], gone: readonly number[]): void {
  const { table } = to;
  for (const [kind, speeds] of to.speeds) {
    const source = speedsOf(from, kind);
    for (const { row, other } of writes) speeds[row] = source[other]!;
  }
  const renew = (entry: ScoreEntry, column: number | null): ScoreEntry => {
    const source = entry.remake(from);
    let { unknowns } = entry;
    for (const row of gone) {
      if (Number.isNaN(entry.values[row]!)) unknowns--;
      entry.values[row] = 0;
    }
    for (const { row, other } of writes) {
      const value = source.values[other]!;
      unknowns += Number(Number.isNaN(value)) - Number(Number.isNaN(entry.values[row]!));
      entry.values[row] = value;
      entry.logs[row] = source.logs[other]!;
      if (column !== null) table.setScore(column, row, source.logs[other]!);
    }
    return { ...entry, unknowns };
  };
  for (const [key, entry] of to.scoreColumns) to.scoreColumns.set(key, renew(entry, entry.column));
  for (const [key, { column, score }] of to.extraNumeric) {
    const latest = to.scoreColumns.get(key) ?? renew(score, null);
    to.extraNumeric.set(key, { column, score: latest });
    for (const { row } of writes) table.setNumeric(column, row, latest.values[row]!);
  }
}

/**
 * The catalogue of the changed snapshot, made by changing the rows concerned, not by reading all offers again. Plans over
 * it are those over a catalogue prepared from scratch. Cost: linear in the changes, plus a pass over offer indices.
 *
 * The table is the old catalogue's: that one must not be planned over any more.
 *
 * @throws {EngineError} `duplicate_id` when two changed offers share an id
 */
export function applyChanges(catalog: Catalog, changes: CatalogChanges): Catalog {
  assertCurrent(catalog);
  const stated = [...(changes.offers ?? [])].sort(byId);
  const double = stated.find(({ id }, index) => id === stated[index + 1]?.id);
  if (double !== undefined)
    throw new EngineError("duplicate_id", `two changed offers have the id ${double.id}; ids must be unique`);
  const removed = new Set(changes.removed);
  const { offers, indexOf } = merge(catalog.snapshot.offers, stated, removed);
  const snapshot: Snapshot = { ...catalog.snapshot, ...changes.snapshot, offers };
  if (offers.length === 0) return prepare(snapshot);
  const spotRates = spotRatesOf(snapshot);
  const live = liveRows(catalog);
  const changed = [...stated, ...newlyRated(catalog, { spotRates, indexOf, stated, live })].sort(byId);
  const from = prepareOver(
    { ...snapshot, offers: changed },
    { of: (index) => spotRates.of(offerIndexOf(snapshot, changed[index]!.id)), coolUntilMs: new Map() },
    twinTable,
  );

  const { table, options } = catalog;
  const concerned = new Set(
    [...removed, ...changed.map(({ id }) => id)].map((id) => offerIndexOf(catalog.snapshot, id)),
  );
  const before = rowsOf(catalog, concerned, live);
  const keeps = changed.map(({ id }) => before.get(offerIndexOf(catalog.snapshot, id)) ?? [-1, -1]);
  const wanted = Array.from({ length: from.options.count }, (_, other) => ({
    other,
    row: keeps[from.options.flavor[other]!]![from.options.spot[other]!]!,
  }));
  const reused = new Set(wanted.map(({ row }) => row));
  const gone = [...before.values()].flat().filter((row) => row >= 0 && !reused.has(row));
  for (const row of gone) table.removeRow(row);
  const writes = wanted.map(({ row, other }): Write => ({ row: row < 0 ? table.addRow() : row, other }));

  // rows keep their numbers, offers do not keep their indices
  for (const row of live) options.flavor[row] = indexOf[options.flavor[row]!]!;
  for (const row of gone) options.flavor[row] = 0;
  const kinds = new Known(catalog.hardware.kinds, (gpu) => JSON.stringify(gpu));
  const sites = new Known(catalog.sites, ({ latitude, longitude }) => `${latitude},${longitude}`);
  const room = withRoom(catalog, snapshot, indexOf, changed);
  for (const { row, other } of writes) {
    const flavor = flavorOf(from, other);
    room.options.flavor[row] = offerIndexOf(snapshot, flavor.id);
    room.hardware.kindOf[row] = kinds.indexOf(flavor.gpu);
    room.siteOf[row] = flavor.coordinates === undefined ? -1 : sites.indexOf(flavor.coordinates);
  }
  const to: Catalog = {
    ...room,
    spotRates,
    sites: sites.all,
    hardware: { ...room.hardware, kinds: kinds.all },
  };
  writeColumns(to, from, writes);
  writeDerived(to, from, writes, gone);
  catalog.lease.holder = to;
  return to;
}

/** Throws when the catalogue's rows have been changed into another catalogue's. */
export function assertCurrent(catalog: Catalog): void {
  assert(
    catalog.lease.holder === null || catalog.lease.holder === catalog,
    "this catalogue was changed: use the one that applyChanges returned",
  );
}
