import { writeTable } from "../../engine/kernel/binary.ts";
import type { CategoryColumn } from "../../engine/kernel/query.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";
import { version } from "../../engine/version.ts";
import type { Attachment } from "./open.ts";

/** A field has a column of codes where at least this many offers share a value, on average. */
const SHARED_BY = 4;

/** Values of one field: distinct ones in order of appearance, and which of them each offer has, -1 none. */
interface Field {
  readonly codes: Int32Array;
  readonly values: unknown[];
}

function readField(offers: readonly Flavor[], name: keyof Flavor): Field {
  const codes = new Int32Array(offers.length).fill(-1);
  const values: unknown[] = [];
  // readers share most of what is equal, and identity is found faster than text
  const byIdentity = new Map<unknown, number>();
  const byText = new Map<string, number>();
  for (const [row, { [name]: value }] of offers.entries()) {
    if (value === undefined) continue;
    let code = byIdentity.get(value);
    if (code === undefined) {
      const text = JSON.stringify(value);
      code = byText.get(text) ?? values.push(value) - 1;
      byText.set(text, code);
      byIdentity.set(value, code);
    }
    codes[row] = code;
  }
  return { codes, values };
}

/**
 * The bytes of a snapshot, to be opened in a later run or elsewhere. Equal snapshots give equal bytes.
 *
 * @throws {EngineError} `out_of_range` when there would be 4 GiB or more
 */
export function saveCatalog({ offers, ...snapshot }: Snapshot): Uint8Array<ArrayBuffer> {
  const names = new Set(offers.flatMap((offer) => Object.keys(offer) as (keyof Flavor)[]));
  const category: CategoryColumn[] = [];
  const parts: Record<string, readonly unknown[]> = {};
  const lists: Record<string, readonly unknown[]> = {};
  for (const name of [...names].sort()) {
    const { codes, values } = readField(offers, name);
    if (values.length * SHARED_BY > offers.length) {
      lists[name] = offers.map((offer) => offer[name] ?? null);
      continue;
    }
    category.push({ name, codes, size: values.length });
    parts[name] = values;
  }
  const attachment: Attachment = { engine: version, snapshot, parts, lists };
  return writeTable(
    { rows: offers.length, numeric: [], category, flags: [], scores: [] },
    JSON.stringify(attachment),
  );
}
