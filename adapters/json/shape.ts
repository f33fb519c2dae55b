import { joinPath } from "./notes.ts";

/** Shape of a JSON text outside its strings. */
export interface JsonShape {
  /** Deepest nesting of objects and lists. */
  readonly depth: number;
  /** Colons: every key of an object has one. */
  readonly colons: number;
}

/** Shape of a JSON text, malformed or not, without parsing it: found before any parser that recurses sees it. */
export function shapeOf(text: string): JsonShape {
  let depth = 0;
  let deepest = 0;
  let colons = 0;
  let isString = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (isString) {
      if (code === 0x5c) index++;
      else if (code === 0x22) isString = false;
    } else if (code === 0x22) isString = true;
    else if (code === 0x3a) colons++;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return { depth: deepest, colons };
}

/**
 * The path of a key that an object of a valid JSON text has twice. Slow: for a text of which that is known.
 *
 * @returns null when no key occurs twice
 */
export function repeatedKey(text: string): string | null {
  /** Objects and lists around the present place: keys so far, or how many entries came before. */
  const around: { readonly base: string; readonly keys: Set<string> | null; entry: number; path: string }[] =
    [];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\],]/g)) {
    const here = around.at(-1);
    if (token === "{" || token === "[") {
      const base = here?.path ?? "";
      const isList = token === "[";
      around.push({
        base,
        keys: isList ? null : new Set(),
        entry: 0,
        path: isList ? joinPath(base, 0) : base,
      });
    } else if (token === "}" || token === "]") around.pop();
    else if (here?.keys === null && token === ",") here.path = joinPath(here.base, ++here.entry);
    else if (here?.keys && token.endsWith(":")) {
      const key = JSON.parse(token.slice(0, -1).trimEnd()) as string;
      here.path = joinPath(here.base, key);
      if (here.keys.has(key)) return here.path;
      here.keys.add(key);
    }
  }
  return null;
}

/** How many keys the objects of a parsed document have together. */
export function countKeys(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let keys = 0;
  if (Array.isArray(value)) for (const entry of value) keys += countKeys(entry);
  else for (const key of Object.keys(value)) keys += 1 + countKeys((value as Record<string, unknown>)[key]);
  return keys;
}
