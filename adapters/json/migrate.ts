import type { InputProblem } from "../../engine/model/errors.ts";
import type { Warning } from "../../engine/model/intent.ts";
import { canonicalAnnotation, draftFromAnnotations } from "./annotations.ts";
import { createDraft } from "./draft.ts";
import { createNotes, joinPath, problem } from "./notes.ts";

/** What brings a node's annotations to the current spelling; null removes a key, as in a merge patch. */
export interface Migration {
  readonly annotations: Readonly<Record<string, string | null>>;
  /** Labels that said the same and are no longer needed. */
  readonly labels: Readonly<Record<string, null>>;
  /** Labels and annotations that say different things, and values that no annotation accepts: nothing is changed then. */
  readonly problems: readonly InputProblem[];
  readonly warnings: readonly Warning[];
}

/** Labels of other software that only look like annotations. */
const keptLabels: ReadonlySet<string> = new Set(["node.fluidos.eu/gpu"]);

/**
 * Moves FLARE facts from labels (an older practice) and old spellings to annotations in the spelling that is
 * written. Values stay as they are. Applying the result and migrating again changes nothing.
 *
 * @param node its annotations and labels
 */
export function migrateAnnotations(node: {
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}): Migration {
  const notes = createNotes();
  const annotations: Record<string, string | null> = {};
  const labels: Record<string, null> = {};
  const wanted = new Map<string, { readonly value: string; readonly from: string }>();
  const take = (source: "annotations" | "labels", key: string, value: string): void => {
    const canonical = canonicalAnnotation(key);
    if (canonical === null || keptLabels.has(key)) return;
    const from = joinPath(`metadata.${source}`, key);
    const before = wanted.get(canonical);
    if (before !== undefined && before.value !== value)
      notes.problems.push(
        problem(from, "conflicting_fields", value, `${before.value}, as ${before.from} says`),
      );
    else if (before === undefined) wanted.set(canonical, { value, from });
    if (source === "labels") labels[key] = null;
    else if (key !== canonical) annotations[key] = null;
  };
  // Canonical spellings first, then other annotations, then labels.
  const stated = Object.entries(node.annotations).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, value] of stated) if (canonicalAnnotation(key) === key) take("annotations", key, value);
  for (const [key, value] of stated) if (canonicalAnnotation(key) !== key) take("annotations", key, value);
  for (const [key, value] of Object.entries(node.labels).sort(([a], [b]) => (a < b ? -1 : 1)))
    take("labels", key, value);
  for (const [key, { value }] of wanted) if (node.annotations[key] !== value) annotations[key] = value;
  const result = Object.fromEntries([...wanted].map(([key, { value }]) => [key, value]));
  draftFromAnnotations(createDraft("node"), result, "metadata.annotations", notes);
  if (notes.problems.length > 0)
    return { annotations: {}, labels: {}, problems: notes.problems, warnings: notes.warnings };
  return { annotations, labels, problems: [], warnings: notes.warnings };
}
