import { hash } from "node:crypto";
import type { Context } from "hono";
import { repeatedKey, shapeOf } from "../../adapters/json/shape.ts";
import { ApiError } from "./problem.ts";

/** Most bytes of a body. */
export const MOST_BODY_BYTES: number = 256 * 1024;
/** Most levels of nesting: checked on the text, before any parser that recurses sees it. */
const MOST_DEPTH = 32;
/** Keys that reach an object's prototype in careless code: refused everywhere, dropped nowhere. */
const forbiddenKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

const refuse = (message: string): never => {
  throw new ApiError("INVALID_FORMAT", message);
};

function checkText(text: string, path: string): void {
  if (text.includes("\u0000")) refuse(`${path || "the body"} contains a NUL character`);
  if (!text.isWellFormed()) refuse(`${path || "the body"} contains half of a surrogate pair`);
}

function checkNumber(value: number, path: string): void {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || size > Number.MAX_SAFE_INTEGER || (size > 0 && size < 2.3e-308))
    refuse(`${path || "the body"} is a number that cannot be kept exactly`);
}

const at = (path: string, key: string | number): string =>
  typeof key === "number" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;

/** Checks all values; returns how many keys the objects have together. */
function checkValue(value: unknown, path: string): number {
  if (typeof value === "string") checkText(value, path);
  else if (typeof value === "number") checkNumber(value, path);
  else if (Array.isArray(value))
    return value.reduce((sum: number, entry, index) => sum + checkValue(entry, at(path, index)), 0);
  else if (typeof value === "object" && value !== null) {
    let keys = 0;
    for (const key of Object.keys(value)) {
      checkText(key, path);
      if (forbiddenKeys.has(key)) refuse(`${path || "the body"} has the key ${key}, which is never accepted`);
      keys += 1 + checkValue((value as Record<string, unknown>)[key], at(path, key));
    }
    return keys;
  }
  return 0;
}

/**
 * The JSON document of a text: no key twice, nothing nested deeper than anything that is meant, no text that
 * databases disagree about, no number that would change by being read.
 *
 * @throws {ApiError} 400
 */
export function parseJson(text: string): unknown {
  const { depth, colons } = shapeOf(text);
  if (depth > MOST_DEPTH) refuse(`the body is nested deeper than ${MOST_DEPTH} levels`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return refuse("the body is not a JSON document");
  }
  // the parser keeps the last of equal keys, so a key that occurs twice leaves a colon over
  if (checkValue(document, "") !== colons) {
    const path = repeatedKey(text) ?? "";
    const message = "the same key a second time; accepted: every key of an object once";
    throw new ApiError("INVALID_FORMAT", `${path}: ${message}`, {
      problems: [{ path, code: "invalid_format", message }],
    });
  }
  return document;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A body as it came and as it reads. */
export interface Body {
  readonly text: string;
  readonly document: unknown;
  /** SHA-256 of the raw bytes, hex. */
  hash(): string;
}

/**
 * Reads the JSON body of a request.
 *
 * @throws {ApiError} 415 when it is declared as something else, 400 when it is not UTF-8 or not acceptable JSON
 */
export async function readBody(http: Context): Promise<Body> {
  const type = http.req.header("content-type") ?? "";
  if (!/^application\/(?:[\w.-]+\+)?json *(?:; *charset="?utf-8"? *)?$/i.test(type))
    throw new ApiError("INVALID_FORMAT", "the body must be declared as Content-Type: application/json", {
      status: 415,
    });
  const bytes = new Uint8Array(await http.req.arrayBuffer());
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return refuse("the body is not UTF-8");
  }
  return {
    text,
    document: parseJson(text),
    hash: () => hash("sha256", bytes, "hex"),
  };
}
