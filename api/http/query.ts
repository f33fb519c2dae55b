import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { canonicalTime, timeAccepts } from "../../adapters/json/leaf.ts";
import { show } from "../../adapters/json/notes.ts";
import { explainIssue } from "../../adapters/json/read-shape.ts";
import { parseTime } from "../../engine/model/time.ts";
import { ApiError } from "./problem.ts";
import type { Answer, TenantScope } from "./route.ts";

/** Most parameters of a query; the schemas have far fewer. */
const MOST_PARAMETERS = 32;

/** `true` or `false` in a query. */
export const flag: z.ZodType<boolean | undefined> = z
  .enum(["true", "false"])
  .optional()
  .transform((text) => (text === undefined ? undefined : text === "true")) as never;

/** A whole number in a query. */
export function count(least: number, most: number): z.ZodType<number | undefined> {
  const error = ({ input }: { readonly input?: unknown }): string =>
    `found ${show(input)}; accepted: a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, { error })
    .transform(Number)
    .pipe(z.number().min(least, { error }).max(most, { error }))
    .optional()
    .openapi({ type: "integer", minimum: least, maximum: most }) as never;
}

/**
 * An RFC 3339 time as milliseconds since 1970.
 *
 * @throws {ApiError} 400 naming the field
 */
export function readTime(path: string, text: string): number {
  try {
    canonicalTime(text);
    return parseTime(text);
  } catch {
    const message = `found ${show(text)}; accepted: ${timeAccepts}`;
    throw new ApiError("INVALID_FORMAT", `${path}: ${message}`, {
      problems: [{ path, code: "invalid_format", message }],
    });
  }
}

/** An RFC 3339 time in a query, milliseconds since 1970. */
export const time: z.ZodType<number | undefined> = z
  .string()
  .optional()
  .transform((text, context) => {
    if (text === undefined) return undefined;
    // a plus sign that was not encoded arrives as a space
    const stated = text.replace(/ (\d{2}:\d{2})$/, "+$1");
    try {
      canonicalTime(stated);
      return parseTime(stated);
    } catch {
      context.addIssue({ code: "custom", message: `found ${show(text)}; accepted: ${timeAccepts}` });
      return z.NEVER;
    }
  })
  .openapi({ type: "string", format: "date-time" }) as never;

/** Some of a fixed set of words, separated by commas. */
export function words<T extends string>(known: readonly T[]): z.ZodType<readonly T[] | undefined> {
  return z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(known as readonly [T, ...T[]])).min(1))
    .optional()
    .openapi({
      type: "string",
      description: `One or more of ${known.join(", ")}, separated by commas.`,
      pattern: `^(${known.join("|")})(,(${known.join("|")}))*$`,
    }) as never;
}

/** A short text in a query. */
export const word: z.ZodType<string | undefined> = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => !text.includes("\u0000") && text.isWellFormed(), { error: () => "plain text" })
  .optional() as never;

/** Parameters of every list. */
export const paging: {
  readonly limit: z.ZodType<number | undefined>;
  readonly cursor: z.ZodType<string | undefined>;
} = {
  limit: count(1, 500),
  cursor: z
    .string()
    .max(400)
    .optional()
    .openapi({ description: "`next_cursor` of the page before." }) as never,
};

/** What a query without parameters says, by its schema: most requests have none. */
const empty = new WeakMap<z.ZodObject, object>();

function emptyOf(schema: z.ZodObject): object {
  const known = empty.get(schema) ?? schema.parse({});
  empty.set(schema, known);
  return known;
}

/**
 * The parameters of a request. One that is unknown, given twice or unreadable is an error: a filter is never dropped.
 *
 * @throws {ApiError} 400 naming it
 */
export function readQuery<Q extends z.ZodObject>(http: Context, schema: Q | undefined): z.output<Q> {
  const url = http.req.url;
  const start = url.indexOf("?");
  if (start < 0) return (schema === undefined ? {} : emptyOf(schema)) as z.output<Q>;
  const given = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(url.slice(start + 1))) {
    if (given.has(key) || given.size >= MOST_PARAMETERS)
      throw new ApiError(
        "INVALID_FORMAT",
        `query: ${JSON.stringify(key)} is given twice, or there are too many`,
      );
    given.set(key, value);
  }
  const known = schema?.shape ?? {};
  for (const key of given.keys())
    if (!Object.hasOwn(known, key)) {
      const path = `query.${key.slice(0, 60)}`;
      const names = Object.keys(known);
      const message = `not a parameter of this route; accepted: ${names.length === 0 ? "none" : names.join(", ")}`;
      throw new ApiError("INVALID_FORMAT", `${path}: ${message}`, {
        problems: [{ path, code: "unknown_field", message }],
      });
    }
  const parsed = (schema ?? z.object({})).safeParse(Object.fromEntries(given), { error: explainIssue });
  if (parsed.success) return parsed.data as z.output<Q>;
  const problems = parsed.error.issues.map(({ path, message }) => ({
    // the words of a list have a place in it, which nobody counts
    path: `query.${String(path[0] ?? "")}`,
    code: "invalid_format" as const,
    message,
  }));
  throw new ApiError(
    "INVALID_FORMAT",
    problems.map(({ path, message }) => `${path}: ${message}`).join("; "),
    { problems },
  );
}

/** The query schema and the handler of a route that takes parameters. */
export function queried<Q extends z.ZodObject>(
  query: Q,
  handle: (scope: TenantScope, query: z.output<Q>) => Answer,
): { readonly query: Q; handle(scope: TenantScope): Answer } {
  return { query, handle: (scope) => handle(scope, readQuery(scope.http, query)) };
}
