import { createCalendar } from "../calendar/calendar.ts";
import { timelinesOf } from "../calendar/timeline.ts";
import { EngineError } from "../model/errors.ts";
import type { Flavor } from "../model/flavor.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Catalog } from "./catalog.ts";
import { capacityTraits, readCapacity } from "./columns.ts";
import { downtimeOf } from "./downtime.ts";
import { spotRatesOf } from "./spot-history.ts";

/** True when two offers differ in nothing but their capacity; parts are compared by identity. */
function isSameBut(a: Flavor, b: Flavor): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof Flavor>;
  keys.delete("capacity");
  return a.capacity.gpus === b.capacity.gpus && [...keys].every((key) => a[key] === b[key]);
}

/** First row at or after which a flavor's rows stand; rows are sorted by flavor. */
function firstRow(flavorOfRow: Int32Array, flavor: number): number {
  let low = 0;
  let high = flavorOfRow.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (flavorOfRow[middle]! < flavor) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Brings a catalogue to a later snapshot of the same offers and spot history, of which only free capacity has changed: row by row instead
 * of built anew. The catalogue that was given is used up: its columns are the new one's. Cost: one comparison per offer,
 * and a few cells per changed offer.
 *
 * @throws {EngineError} `invalid_input` when an offer came, went, or changed in something else; nothing is changed then
 */
export function amend(catalog: Catalog, now: Snapshot): Catalog {
  const { options, table, numeric, values } = catalog;
  const before = catalog.snapshot.offers;
  const changed: number[] = [];
  const isAmendable =
    now.currency === catalog.snapshot.currency &&
    now.offers.length === before.length &&
    now.offers.every((offer, index) => {
      const old = before[index]!;
      if (offer === old) return true;
      changed.push(index);
      return isSameBut(offer, old);
    });
  // a cool-down passes with time alone; a rate that moved is in columns that are not amended
  const spotRates = spotRatesOf(now);
  const hasRates =
    isAmendable &&
    options.interruptionRate.every(
      (rate, row) => options.spot[row] === 0 || rate === spotRates.of(options.flavor[row]!).perHour,
    );
  if (!hasRates)
    throw new EngineError(
      "invalid_input",
      "only free capacity of offers can be amended, with one spot history; prepare them anew",
    );
  for (const index of changed) {
    const cells = readCapacity(now.offers[index]!.capacity);
    for (let row = firstRow(options.flavor, index); options.flavor[row] === index; row++)
      for (const name of capacityTraits) {
        const column = values.get(name)!;
        if (Object.is(column[row], cells[name])) continue;
        column[row] = cells[name];
        table.setNumeric(numeric[name], row, cells[name]);
      }
  }
  return {
    ...catalog,
    snapshot: now,
    spotRates,
    downtime: downtimeOf(now),
    calendar: createCalendar(timelinesOf(now)),
  };
}
