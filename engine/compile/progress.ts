import type { Progress, Snapshot } from "../model/snapshot.ts";

/** Entries by intent, per snapshot that plans were made for lately. */
const known = new WeakMap<Snapshot, ReadonlyMap<string, Progress>>();

/** What is known of how far an intent is; undefined where nothing is. */
export function progressOf(snapshot: Snapshot, intent: string): Progress | undefined {
  if (snapshot.progress === undefined || snapshot.progress.length === 0) return undefined;
  let entries = known.get(snapshot);
  if (entries === undefined) {
    entries = new Map(snapshot.progress.map((entry) => [entry.intent, entry]));
    known.set(snapshot, entries);
  }
  return entries.get(intent);
}
