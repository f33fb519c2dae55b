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

/** Null where too few offers share a value; most fields are told by their first offers. */
function readField(offers: readonly Flavor[], name: keyof Flavor): Field | null {
  const codes = new Int32Array(offers.length).fill(-1);
  const values: unknown[] = [];
  const most = offers.length / SHARED_BY;
  // readers share most of what is equal, and identity is found faster than text
  const byIdentity = new Map<unknown, number>();
  const byText = new Map<string, number>();
  for (let row = 0; row < offers.length; row++) {
    const value = offers[row]![name];
    if (value === undefined) continue;
    let code = byIdentity.get(value);
    if (code === undefined) {
      const text = typeof value === "object" ? JSON.stringify(value) : null;
      code = text === null ? undefined : byText.get(text);
      if (code === undefined) {
        code = values.push(value) - 1;
        if (values.length > most) return null;
        if (text !== null) byText.set(text, code);
      }
      byIdentity.set(value, code);
    }
    codes[row] = code;
  }
  return { codes, values };
}

/** Fields that any offer has, in order of their names. */
function fieldsOf(offers: readonly Flavor[]): (keyof Flavor)[] {
  const names = new Set<string>();
  for (const offer of offers) for (const name in offer) names.add(name);
  return [...names].sort() as (keyof Flavor)[];
}

/**
 * The bytes of a snapshot, to be opened in a later run or elsewhere. Equal snapshots give equal bytes.
 *
 * @throws {EngineError} `out_of_range` when there would be 4 GiB or more
 */
export function saveCatalog({ offers, ...snapshot }: Snapshot): Uint8Array<ArrayBuffer> {
  const category: CategoryColumn[] = [];
  const parts: Record<string, readonly unknown[]> = {};
  const lists: Record<string, readonly unknown[]> = {};
  for (const name of fieldsOf(offers)) {
    const field = readField(offers, name);
    if (field === null) {
      lists[name] = offers.map((offer) => offer[name] ?? null);
      continue;
    }
    category.push({ name, codes: field.codes, size: field.values.length });
    parts[name] = field.values;
  }
  const attachment: Attachment = { engine: version, snapshot, parts, lists };
  return writeTable(
    { rows: offers.length, numeric: [], category, flags: [], scores: [] },
    JSON.stringify(attachment),
  );
}
