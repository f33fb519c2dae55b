import { parseAllDocuments } from "yaml";
import { countKeys, repeatedKey, shapeOf } from "../adapters/json/shape.ts";
import { InputError } from "./exit.ts";

/** Most levels of nesting; the deepest document that is read has about fifteen. */
const MOST_DEPTH = 100;

/** Whether a JSON text may go on where it ends: what is there is no mistake. */
function endsEarly(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const { message } = error as Error;
    return (
      message.includes("end of JSON input") || Number(/ at position (\d+)/.exec(message)?.[1]) === text.length
    );
  }
}

/** Length of the shortest beginning of a JSON text that nothing can mend. */
function mistakeIn(text: string): number {
  let good = 0;
  let bad = text.length;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (endsEarly(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return bad;
}

/** What is wrong with a JSON text and where, from what the parser says; it gives no position for a wrong token. */
function describe(text: string, message: string): string {
  if (message.includes("end of JSON input")) return "malformed JSON: it ends too early";
  const stated = / at position (\d+)/.exec(message)?.[1];
  const before = text.slice(0, stated === undefined ? mistakeIn(text) - 1 : Number(stated)).split("\n");
  const what = message.replace(/ in JSON at position.*|, (?:\.\.\.)?".*/s, "");
  return `malformed JSON at line ${before.length}, column ${before[before.length - 1]!.length + 1}: ${what}`;
}

/** A YAML document as plain values; one whose aliases multiply without bound is refused. */
function toValue(name: string, document: { toJS(): unknown }): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new InputError([`${name}: malformed YAML: ${(error as Error).message}`]);
  }
}

/** The documents of a YAML text: one as it is, several as a list of their items. */
function parseYaml(name: string, text: string): unknown {
  const documents = parseAllDocuments(text);
  const errors = documents.flatMap((document) => document.errors);
  if (errors.length > 0)
    throw new InputError(
      errors.map(({ message, linePos }) => {
        const at = linePos?.[0];
        const where = at === undefined ? "" : ` at line ${at.line}, column ${at.col}`;
        return `${name}: malformed YAML${where}: ${message.split("\n")[0]?.replace(/ at line .*$/, "")}`;
      }),
    );
  const values = Array.isArray(documents)
    ? documents.map((document) => toValue(name, document)).filter((value) => value !== null)
    : [];
  if (values.length === 0) throw new InputError([`${name}: empty; accepted: a JSON or YAML document`]);
  if (values.length === 1) return values[0];
  const items = values.flatMap((value) => {
    const { kind, items: inner } = (value ?? {}) as { kind?: unknown; items?: unknown };
    return kind === "List" && Array.isArray(inner) ? (inner as unknown[]) : [value];
  });
  return { apiVersion: "v1", kind: "List", items };
}

function parseJson(name: string, text: string): unknown {
  const { depth, colons } = shapeOf(text);
  if (depth > MOST_DEPTH)
    throw new InputError([`${name}: nested ${depth} levels deep; accepted: at most ${MOST_DEPTH}`]);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new InputError([
      `${name}: ${describe(text, (error as Error).message)}; accepted: one JSON document`,
    ]);
  }
  // the parser keeps the last of equal keys, so one that occurs twice leaves a colon over
  if (countKeys(document) !== colons) {
    throw new InputError([
      `${name}: ${repeatedKey(text) ?? ""}: the same key a second time; accepted: every key once`,
    ]);
  }
  return document;
}

/**
 * Reads the JSON or YAML text of a file. Several YAML documents become one list.
 *
 * @param name what messages call the file; its ending says whether a text that could be both is YAML
 * @throws {InputError} when it is not UTF-8, empty, malformed, or has a key twice
 */
export function parseText(name: string, bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new InputError([`${name}: not UTF-8 text; accepted: a JSON or YAML document`]);
  }
  if (text.trim() === "") throw new InputError([`${name}: empty; accepted: a JSON or YAML document`]);
  // JSON has its own reader, whose messages are better; anything that does not start like it is taken for YAML.
  return /\.ya?ml$/i.test(name) || !/^\s*[{["]/.test(text) ? parseYaml(name, text) : parseJson(name, text);
}
