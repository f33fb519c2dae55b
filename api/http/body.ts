import { ApiError } from "./problem.ts";

/** Most bytes of a body. */
export const MOST_BODY_BYTES: number = 256 * 1024;
/** Most levels of nesting: checked on the text, before any parser that recurses sees it. */
const MOST_DEPTH = 32;

/** Deepest nesting of a JSON text; brackets inside strings do not count. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isString = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (isString) {
      if (code === 0x5c) index++;
      else if (code === 0x22) isString = false;
    } else if (code === 0x22) isString = true;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}

/**
 * The JSON document of a body.
 *
 * @throws {ApiError} 400 when it is not one, or nested deeper than anything that is meant
 */
export function parseJson(text: string): unknown {
  if (depthOf(text) > MOST_DEPTH)
    throw new ApiError("INVALID_FORMAT", `the body is nested deeper than ${MOST_DEPTH} levels`);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ApiError("INVALID_FORMAT", "the body is not a JSON document");
  }
}
