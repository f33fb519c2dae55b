import type { SkippedOffer } from "../../engine/model/snapshot.ts";

/** Skipped offers that are shown; the others are counted. */
const SHOWN = 5;

/** One line for each of the first offers that could not be read, and one that counts the rest. */
export function renderSkipped(skipped: readonly SkippedOffer[]): string {
  const lines = skipped
    .slice(0, SHOWN)
    .map(({ id, path, message }) => `skipped offer ${id}: ${path}: ${message}\n`);
  const rest = skipped.length - lines.length;
  return lines.join("") + (rest > 0 ? `skipped ${rest} more offers; --json lists them all\n` : "");
}
