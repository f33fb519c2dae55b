import { readTable, type SavedTable } from "../../engine/kernel/binary.ts";
import { EngineError } from "../../engine/model/errors.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";
import { version } from "../../engine/version.ts";

/**
 * What is attached to the table of a saved catalogue, as JSON. The table (kernel/binary.ts) has a row per offer and a
 * column of codes per field whose values many offers share; an object that they share is one object when opened, which is
 * also what makes reading its traits cheap. The other fields are lists.
 */
export interface Attachment {
  /** What a field means may differ between versions. */
  readonly engine: string;
  readonly snapshot: Omit<Snapshot, "offers">;
  /** Values by field and code; -1 in the column is absent. */
  readonly parts: Readonly<Record<string, readonly unknown[]>>;
  /** Values by field and offer, null is absent. */
  readonly lists: Readonly<Record<string, readonly unknown[]>>;
}

function refuse(message: string): never {
  throw new EngineError("invalid_format", `saved catalogue: ${message}`);
}

function readAttachment(text: string): Attachment {
  let attachment: Partial<Attachment> | null;
  try {
    attachment = JSON.parse(text) as Partial<Attachment> | null;
  } catch {
    return refuse("this is a table without a snapshot");
  }
  if (attachment?.engine !== version)
    refuse(`made by engine ${String(attachment?.engine)}, this is ${version}: make it anew from its sources`);
  const { snapshot, parts, lists } = attachment;
  if (snapshot === undefined || parts === undefined || lists === undefined)
    refuse("its snapshot lacks a part");
  return { engine: version, snapshot, parts, lists };
}

/** The offers, field by field. */
function restore({ rows, category }: SavedTable, { parts, lists }: Attachment): Flavor[] {
  const offers = Array.from({ length: rows }, (): Record<string, unknown> => ({}));
  for (const [field, list] of Object.entries(lists)) {
    if (list.length !== rows) refuse(`${field} of ${list.length} offers, its columns have ${rows} rows`);
    for (let row = 0; row < rows; row++) if (list[row] !== null) offers[row]![field] = list[row];
  }
  for (const { name, codes } of category) {
    const values = parts[name] ?? [];
    for (let row = 0; row < rows; row++) {
      const code = codes[row]!;
      if (code === -1) continue;
      if (code < 0 || code >= values.length)
        refuse(`an offer names part ${code} of ${values.length} of ${name}`);
      offers[row]![name] = values[code];
    }
  }
  return offers as unknown as Flavor[];
}

/**
 * The snapshot of a saved catalogue, which `prepare` takes as any other. What was read and checked before it was saved is
 * neither checked nor read again.
 *
 * @throws {EngineError} `invalid_format` when the bytes are not a whole catalogue saved by this version of the engine
 */
export function openCatalog(bytes: Uint8Array): Snapshot {
  const table = readTable(bytes);
  const attachment = readAttachment(table.attachment);
  return { ...attachment.snapshot, offers: restore(table, attachment) };
}
