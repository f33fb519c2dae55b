import { z } from "@hono/zod-openapi";
import { joinPath, show } from "../../adapters/json/notes.ts";
import { EngineError, type EngineErrorCode, type InputProblem } from "../../engine/model/errors.ts";

function codeOf(code: string | undefined, isMissing: boolean): EngineErrorCode {
  if (isMissing) return "missing_field";
  if (code === "unrecognized_keys") return "unknown_field";
  return code === "too_big" || code === "too_small" ? "out_of_range" : "invalid_format";
}

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
};

const units: Readonly<Record<string, string>> = { string: " characters", array: " entries" };

/** What is wrong with a value of a small shape, and what is accepted; where this is silent the library speaks. */
export function explainIssue(issue: z.core.$ZodRawIssue): string | undefined {
  const { input } = issue;
  const found = (accepted: string): string =>
    input === undefined ? `missing; accepted: ${accepted}` : `found ${show(input)}; accepted: ${accepted}`;
  const size = (word: string, bound: number | bigint, origin: string): string =>
    found(`at ${word} ${bound}${units[origin] ?? ""}`);
  switch (issue.code) {
    case "invalid_type":
      return found(kinds[issue.expected] ?? issue.expected);
    case "too_small":
      return size("least", issue.minimum, issue.origin);
    case "too_big":
      return size("most", issue.maximum, issue.origin);
    case "invalid_value":
      return found(issue.values.map(String).join(", "));
    default:
      return undefined;
  }
}

/** The fields that a shape has at a path, where it is an object of its own. */
function fieldsAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: unknown = schema;
  const bare = (): unknown => {
    while (current instanceof z.ZodOptional || current instanceof z.ZodNullable) current = current.unwrap();
    return current;
  };
  for (const key of path) {
    const here = bare();
    if (here instanceof z.ZodArray) current = here.element;
    else current = here instanceof z.ZodObject ? here.shape[String(key)] : undefined;
  }
  const here = bare();
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

/**
 * A document in a small fixed shape.
 *
 * @throws {EngineError} with every problem, each with its path
 */
export function readShape<S extends z.ZodType>(schema: S, document: unknown): z.output<S> {
  const parsed = schema.safeParse(document, { error: explainIssue });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue): InputProblem[] => {
    const path = issue.path.reduce<string>((base, key) => joinPath(base, key), "");
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({
        path: joinPath(path, key.slice(0, 60)),
        code: "unknown_field",
        message: `unknown field; accepted here: ${fieldsAt(schema, issue.path).join(", ")}`,
      }));
    const isMissing = issue.message.startsWith("missing;");
    return [{ path: path || "body", code: codeOf(issue.code, isMissing), message: issue.message }];
  });
  const [first] = problems;
  throw new EngineError(first?.code ?? "invalid_format", first?.message ?? "not accepted", problems);
}
