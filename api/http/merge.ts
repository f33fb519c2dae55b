import { canonicalizeIntent } from "../../adapters/json/canonical.ts";
import { createNotes, isRecord, joinPath, type Notes } from "../../adapters/json/notes.ts";
import type { InputProblem } from "../../engine/model/errors.ts";
import { EngineError } from "../../engine/model/errors.ts";

/** Stands for null while aliases are resolved, which leave null out: no text of an intent begins like this. */
const removed = "\ue000removed";

function marked(value: unknown): unknown {
  if (value === null) return removed;
  if (Array.isArray(value)) return value;
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, marked(member)]));
}

const isRemoved = (value: unknown): boolean =>
  value === removed || (Array.isArray(value) && value.length === 1 && value[0] === removed);

/** RFC 7396: objects are merged, null removes, everything else replaces. */
function merge(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result = new Map(isRecord(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch))
    if (isRemoved(value)) result.delete(key);
    else result.set(key, merge(result.get(key), value));
  return Object.fromEntries(result);
}

/** What a patch may change, below `intent`. */
const changeable: Readonly<Record<string, readonly string[] | null>> = {
  constraints: null,
  priority: null,
  bid: null,
  workload: ["scaling"],
};

/** Paths of a patch that are not changeable. */
function forbiddenIn(patch: unknown): string[] {
  if (!isRecord(patch) || !isRecord(patch["intent"])) return ["intent"];
  const { intent, ...others } = patch as { readonly intent: Record<string, unknown> };
  return [
    ...Object.keys(others),
    ...Object.entries(intent).flatMap(([key, value]) => {
      const allowed = Object.hasOwn(changeable, key) ? changeable[key] : undefined;
      if (allowed === null) return [];
      if (allowed === undefined || !isRecord(value)) return [joinPath("intent", key)];
      return Object.keys(value)
        .filter((inner) => !allowed.includes(inner))
        .map((inner) => joinPath(`intent.${key}`, inner));
    }),
  ];
}

function checkChangeable(patch: unknown): void {
  const problems = forbiddenIn(patch).map(
    (path): InputProblem => ({
      path,
      code: "unknown_field",
      message: "cannot be changed; accepted: constraints, priority, bid and workload.scaling of the intent",
    }),
  );
  if (problems.length > 0) throw new EngineError("unknown_field", "a field cannot be changed", problems);
}

const canonical = (document: unknown, notes: Notes): unknown => canonicalizeIntent(document, notes);

/**
 * An intent's document with a merge patch (RFC 7396) applied, both in canonical spelling, so that a patch meets the
 * field that the document spells otherwise. The envelope `{"intent": ...}` of the patch may be left out.
 *
 * @throws {EngineError} when the patch touches what cannot be changed
 */
export function amendDocument(document: unknown, patch: unknown): unknown {
  const notes = createNotes();
  const enveloped = isRecord(patch) && !Object.hasOwn(patch, "intent") ? { intent: patch } : patch;
  const change = canonical(marked(enveloped), notes);
  checkChangeable(change);
  if (notes.problems.length > 0)
    throw new EngineError("conflicting_fields", "the patch contradicts itself", notes.problems);
  // labels stay beside the intent as they are
  const { labels, ...rest } = isRecord(document) ? document : { intent: document };
  const merged = merge(canonical(labels === undefined ? document : rest, createNotes()), change);
  return labels === undefined ? merged : { ...(merged as object), labels };
}
