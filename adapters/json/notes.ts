import { EngineError, type EngineErrorCode, type InputProblem } from "../../engine/model/errors.ts";
import type { Warning } from "../../engine/model/intent.ts";

/** What a reader has found so far: problems refuse the document, warnings travel with the result. */
export interface Notes {
  readonly problems: InputProblem[];
  readonly warnings: Warning[];
  /** Canonical path to the path as the document spells it, where an alias was used. */
  readonly spelled: Map<string, string>;
}

/** Nothing found yet. */
export function createNotes(): Notes {
  return { problems: [], warnings: [], spelled: new Map() };
}

/** A JSON object, not an array and not null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as an error message shows it: JSON, at most about 60 characters. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value); // JSON has no word for what is too large
  let text: string;
  try {
    text = JSON.stringify(value) ?? typeof value;
  } catch {
    text = typeof value; // nested too deep, or not JSON
  }
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** `a.b` + 0 + `c d` is `a.b[0]["c d"]`. */
export function joinPath(base: string, key: PropertyKey): string {
  if (typeof key === "number") return `${base}[${key}]`;
  const name = String(key);
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return `${base}[${JSON.stringify(name)}]`;
  return base === "" ? name : `${base}.${name}`;
}

/**
 * `offers[id=p1]`: an entry of a list by what names it, so that messages do not depend on the order of the list;
 * by its index when it has no name.
 */
export function entryPath(list: string, index: number, key: string, name: unknown): string {
  return typeof name === "string" && name !== "" ? `${list}[${key}=${name}]` : joinPath(list, index);
}

/** Warnings in an order of their own: by path, then text. */
export function sortWarnings(warnings: Warning[]): Warning[] {
  const key = ({ path, message }: Warning): string => `${path}\u0000${message}`;
  return warnings.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

/**
 * Warnings that say the same of several entries of a list, as one: the first entry's, with the number of others.
 * Sorted as `sortWarnings` does.
 */
export function collapseWarnings(warnings: Warning[]): Warning[] {
  const groups = new Map<string, { readonly first: Warning; count: number }>();
  for (const warning of sortWarnings(warnings)) {
    const key = `${warning.code}\u0000${warning.path.replace(/^\w*\[(?:id|name)=[^\]]*\]/, "")}\u0000${warning.message}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: warning, count: 1 });
    else group.count += 1;
  }
  return [...groups.values()].map(({ first, count }) =>
    count === 1 ? first : { ...first, message: `${first.message} (and so for ${count - 1} more)` },
  );
}

/** The path as the document spells it. */
function asSpelled(path: string, spelled: ReadonlyMap<string, string>): string {
  let result = path;
  for (const canonical of [...spelled.keys()].sort((a, b) => b.length - a.length))
    if (result === canonical || result.startsWith(`${canonical}.`) || result.startsWith(`${canonical}[`))
      result = `${spelled.get(canonical)}${result.slice(canonical.length)}`.replace(/^\./, "");
  return result;
}

/**
 * Throws what was found, if anything, ordered by path.
 *
 * @param subject what the document is: "intent", "snapshot"
 * @throws {EngineError} carrying every problem
 */
export function throwProblems(notes: Notes, subject: string): void {
  if (notes.problems.length === 0) return;
  const located = notes.problems.map((entry) => ({ ...entry, path: asSpelled(entry.path, notes.spelled) }));
  const problems = located.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const first = problems[0];
  const rest = problems.length === 1 ? "" : ` (and ${problems.length - 1} more)`;
  throw new EngineError(
    first?.code ?? "invalid_input",
    `${subject}: ${first?.path || "document"}: ${first?.message}${rest}`,
    problems,
  );
}

/** Runs one conversion and records the problem it throws; undefined then. */
export function attempt<T>(notes: Notes, path: string, accepts: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    notes.problems.push({ path, code: error.code, message: `${error.message}; accepted: ${accepts}` });
    return undefined;
  }
}

/** The code of a problem whose text says only what is accepted. */
export function problem(path: string, code: EngineErrorCode, value: unknown, accepts: string): InputProblem {
  const found = value === undefined ? "missing" : `found ${show(value)}`;
  return { path, code, message: `${found}; accepted: ${accepts}` };
}
