import { createCalendar } from "../calendar/calendar.ts";
import { timelinesOf } from "../calendar/timeline.ts";
import { assert, EngineError } from "../model/errors.ts";
import type { Flavor } from "../model/flavor.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { type Catalog, inOrder, keepRowsByOffer, offerIndexOf, prepare, rowsByOffer } from "./catalog.ts";
import { freeNumbers } from "./columns.ts";
import { downtimeOf } from "./downtime.ts";
import { type Sale, salesOf, setOption, sizedOptions } from "./rows.ts";
import { storedScore } from "./score-columns.ts";
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

/** A later snapshot in terms of an earlier one. */
interface Step {
  readonly snapshot: Snapshot;
  /** Index in the later snapshot of each offer of the earlier one, -1 for none; null where all have kept theirs. */
  readonly indexOf: Int32Array | null;
  /** Offers of the later snapshot that are new or have changed, by id. */
  readonly changed: readonly Flavor[];
}

const byId = (a: Flavor, b: Flavor): number => (a.id < b.id ? -1 : 1);

/** Offers by id with some replaced, added and removed; both lists sorted. */
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

/** How one snapshot comes of another; offers are compared by identity. */
function stepTo(before: Snapshot, snapshot: Snapshot): Step {
  const { offers } = snapshot;
  const old = before.offers;
  const changed: Flavor[] = [];
  const indexOf = new Int32Array(old.length).fill(-1);
  let hasMoved = offers.length !== old.length;
  let next = 0;
  offers.forEach((flavor, index) => {
    while (next < old.length && old[next]!.id < flavor.id) next++;
    const isKnown = old[next]?.id === flavor.id;
    if (!isKnown || old[next] !== flavor) changed.push(flavor);
    if (isKnown) indexOf[next] = index;
    hasMoved ||= !isKnown || next !== index;
  });
  return { snapshot, changed, indexOf: hasMoved ? indexOf : null };
}

/** Offers that stay as they are but whose interruption rate moves with the history of others. */
function newlyRated(
  { options, snapshot, columns, table }: Catalog,
  spotRates: SpotRates,
  step: Step,
): Flavor[] {
  if ((snapshot.spotHistory ?? []).length === 0 && (step.snapshot.spotHistory ?? []).length === 0) return [];
  const isStated = new Set(step.changed.map(({ id }) => id));
  const moved: Flavor[] = [];
  for (const row of table.feasible({ constraints: [], terms: [], k: 1, margin: 0 })) {
    const flavor = columns.rows.flavor[row]!;
    if (options.spot[row] === 0 || step.indexOf?.[options.flavor[row]!] === -1 || isStated.has(flavor.id))
      continue;
    if (spotRates.perHour(flavor) !== options.interruptionRate[row]) moved.push(flavor);
  }
  return moved;
}

/** A row and what is sold in it from now on. */
interface Write {
  readonly row: number;
  readonly sale: Sale;
}

/** Takes away the rows that nothing is sold in any more, and finds a row for every sale of the changed offers. */
function moveRows(catalog: Catalog, { snapshot, indexOf }: Step, changed: readonly Flavor[]): Write[] {
  const { table, options } = catalog;
  const rows = rowsByOffer(catalog);
  const old = catalog.snapshot;
  const gone: number[] = [];
  indexOf?.forEach((index, offer) => {
    if (index < 0) gone.push(...rows.subarray(offer * 2, offer * 2 + 2));
  });
  const wanted = changed.flatMap((flavor) => {
    const offer = offerIndexOf(old, flavor.id);
    const own = offer < 0 ? [-1, -1] : [...rows.subarray(offer * 2, offer * 2 + 2)];
    const sales = salesOf(flavor, offerIndexOf(snapshot, flavor.id));
    for (const [kind, row] of own.entries())
      if (!sales.some(({ isSpot }) => Number(isSpot) === kind)) gone.push(row);
    return sales.map((sale) => ({ sale, row: own[Number(sale.isSpot)]! }));
  });
  const removed = new Set(gone.filter((row) => row >= 0));
  // rows keep their numbers, offers do not keep their indices
  if (indexOf !== null)
    for (const row of rows)
      if (row >= 0) options.flavor[row] = removed.has(row) ? 0 : indexOf[options.flavor[row]!]!;
  for (const row of removed) table.removeRow(row);
  return wanted.map(({ sale, row }): Write => ({ sale, row: row < 0 ? table.addRow() : row }));
}

/** True when two offers differ in nothing but what of them is free; parts are compared by identity. */
function isSameButFree(a: Flavor, b: Flavor): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof Flavor>;
  keys.delete("capacity");
  return a.capacity.gpus === b.capacity.gpus && [...keys].every((key) => a[key] === b[key]);
}

/** Scores and latencies of rows that were computed for the catalogue so far. */
function writeDerived({ table, scoreColumns, extraNumeric }: Catalog, writes: readonly Write[]): void {
  for (const entry of scoreColumns.values())
    if (entry.isComplete === true)
      for (const { row } of writes) {
        const value = entry.at(row);
        if (Number.isNaN(value) && !entry.mayLack) entry.isComplete = false;
        table.setScore(entry.column, row, storedScore(entry, value));
      }
    // the row that lacks a value may be among the written ones
    else entry.isComplete = null;
  for (const trait of extraNumeric.values()) trait.rewrite(writes.map(({ row }) => row));
}

/** The catalogue of the step's later snapshot, over the rows of the earlier one. */
function take(catalog: Catalog, step: Step): Catalog {
  assertCurrent(catalog);
  const { snapshot } = step;
  if (snapshot.offers.length === 0) return prepare(snapshot);
  const { table, columns } = catalog;
  const spotRates = spotRatesOf(snapshot);
  const changed = [...step.changed, ...newlyRated(catalog, spotRates, step)].sort(byId);
  const before = catalog.options.count;
  const writes = moveRows(catalog, step, changed);
  const options = table.rows === before ? catalog.options : sizedOptions(catalog.options, table.rows);
  columns.rows.options = options;
  const free: number[] = [];
  const all: number[] = [];
  for (const { row, sale } of writes) {
    const old = row < before ? columns.rows.flavor[row] : undefined;
    const rate = options.interruptionRate[row];
    columns.rows.set(row, sale.flavor);
    setOption(options, row, sale, snapshot, spotRates);
    const isFree =
      old !== undefined && rate === options.interruptionRate[row] && isSameButFree(old, sale.flavor);
    (isFree ? free : all).push(row);
  }
  columns.rewrite(free, freeNumbers);
  if (all.length > 0 || options !== catalog.options) columns.rewrite(all);
  const isOnlyFree = all.length === 0 && step.indexOf === null;
  if (!isOnlyFree) writeDerived(catalog, writes);
  const to: Catalog = {
    ...catalog,
    snapshot,
    options,
    spotRates,
    downtime: downtimeOf(snapshot),
    calendar: createCalendar(timelinesOf(snapshot)),
  };
  if (isOnlyFree) keepRowsByOffer(catalog, to);
  catalog.lease.holder = to;
  return to;
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
  const changed = [...(changes.offers ?? [])].sort(byId);
  const double = changed.find(({ id }, index) => id === changed[index + 1]?.id);
  if (double !== undefined)
    throw new EngineError("duplicate_id", `two changed offers have the id ${double.id}; ids must be unique`);
  const { offers, indexOf } = merge(catalog.snapshot.offers, changed, new Set(changes.removed));
  return take(catalog, { snapshot: { ...catalog.snapshot, ...changes.snapshot, offers }, indexOf, changed });
}

/**
 * The catalogue of a later snapshot with the same currency, rates and hub: like `applyChanges`, with the changes found by
 * comparing offers by identity. Cost: a pass over the offers, and a few cells per offer of which only free capacity has
 * changed.
 *
 * @throws {EngineError} `duplicate_id` when two offers share an id; `invalid_input` when currency, rates or hub are others, which change every price or latency
 */
export function follow(catalog: Catalog, now: Snapshot): Catalog {
  const before = catalog.snapshot;
  const basis = ({ currency, rates, hub }: Snapshot): string =>
    JSON.stringify([currency, rates, hub ?? null]);
  if (basis(before) !== basis(now))
    throw new EngineError("invalid_input", "currency, rates or hub have changed; prepare the snapshot anew");
  return take(catalog, stepTo(before, inOrder(now)));
}

/** Throws when the catalogue's rows have been changed into another catalogue's. */
export function assertCurrent(catalog: Catalog): void {
  assert(
    catalog.lease.holder === null || catalog.lease.holder === catalog,
    "this catalogue was changed: use the one that applyChanges returned",
  );
}
