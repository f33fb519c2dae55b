import { isRecord } from "../../adapters/json/notes.ts";
import { EngineError, type InputProblem } from "../../engine/model/errors.ts";

/** Labels of an intent: the tenant's own words to find it by. They decide nothing. */
export type Labels = Readonly<Record<string, string>>;

const MOST_LABELS = 32;
/** Keys and values as in Kubernetes, without a prefix before the key. */
const word = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const accepts = "at most 63 letters, digits, -, _ and ., with a letter or digit at both ends";

/** True for the key of a label. */
export const isLabelKey = (text: string): boolean => word.test(text);
/** True for the value of a label; empty is one. */
export const isLabelValue = (text: unknown): text is string =>
  typeof text === "string" && (text === "" || word.test(text));

/**
 * A submitted document taken apart: `labels` beside the intent, and the rest, which is the intent's own document.
 *
 * @throws {EngineError} naming every label that is none
 */
export function splitLabels(document: unknown): { readonly labels: Labels; readonly rest: unknown } {
  if (!isRecord(document) || !Object.hasOwn(document, "labels")) return { labels: {}, rest: document };
  const { labels = {}, ...rest } = document;
  const problems: InputProblem[] = [];
  const refuse = (path: string, message: string): void => {
    problems.push({ path, code: "invalid_format", message: `accepted: ${message}` });
  };
  if (!isRecord(labels)) refuse("labels", "an object of texts");
  else {
    const entries = Object.entries(labels);
    if (entries.length > MOST_LABELS) refuse("labels", `at most ${MOST_LABELS}`);
    for (const [key, value] of entries.slice(0, MOST_LABELS))
      if (!isLabelKey(key)) refuse(`labels[${JSON.stringify(key.slice(0, 63))}]`, `as a key ${accepts}`);
      else if (!isLabelValue(value)) refuse(`labels.${key}`, `nothing, or ${accepts}`);
  }
  if (problems.length > 0) throw new EngineError("invalid_format", "labels are not accepted", problems);
  return { labels: labels as Labels, rest };
}
