import * as z from "zod";
import { EngineError, type EngineErrorCode, type InputProblem } from "../../engine/model/errors.ts";
import { joinPath, show } from "./notes.ts";

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

const memberOf = (value: unknown, key: PropertyKey): unknown =>
  typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;

/** What is wrong with a value of a small shape, and what is accepted; where this is silent the library speaks. */
export function explainIssue(issue: z.core.$ZodRawIssue): string | undefined {
  const foundIn = (input: unknown, accepted: string): string =>
    input === undefined ? `missing; accepted: ${accepted}` : `found ${show(input)}; accepted: ${accepted}`;
  const found = (accepted: string): string => foundIn(issue.input, accepted);
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
    case "invalid_union":
      if (!("options" in issue) || issue.discriminator === undefined) return undefined;
      // the value is the whole object, the path that of the field
      return foundIn(
        memberOf(issue.input, issue.discriminator),
        (issue.options as unknown[]).map(String).join(", "),
      );
    default:
      return undefined;
  }
}

/** The object or list of a shape: without what makes it optional, and of several kinds the one that the value names. */
function bare(schema: unknown, value: unknown): unknown {
  let current = schema;
  while (current instanceof z.ZodOptional || current instanceof z.ZodNullable) current = current.unwrap();
  if (!(current instanceof z.ZodDiscriminatedUnion)) return current;
  const { discriminator } = current.def;
  const kind = memberOf(value, discriminator);
  return current.options.find(
    (option) =>
      option instanceof z.ZodObject &&
      (option.shape[discriminator] as z.ZodType | undefined)?.safeParse(kind).success === true,
  );
}

/** The fields that a shape has at a path, where it is an object of its own. */
function fieldsAt(schema: z.ZodType, document: unknown, path: readonly PropertyKey[]): string[] {
  let value = document;
  let here = bare(schema, value);
  for (const key of path) {
    value = memberOf(value, key);
    if (here instanceof z.ZodArray) here = bare(here.element, value);
    else here = here instanceof z.ZodObject ? bare(here.shape[String(key)], value) : undefined;
  }
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

/**
 * A document in a small fixed shape.
 *
 * @param root what the document itself is called in problems
 * @throws {EngineError} with every problem, each with its path
 */
export function readShape<S extends z.ZodType>(schema: S, document: unknown, root = "body"): z.output<S> {
  const parsed = schema.safeParse(document, { error: explainIssue });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue): InputProblem[] => {
    const path = issue.path.reduce<string>((base, key) => joinPath(base, key), "");
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({
        path: joinPath(path, key.slice(0, 60)),
        code: "unknown_field",
        message: `unknown field; accepted here: ${fieldsAt(schema, document, issue.path).join(", ")}`,
      }));
    const isMissing = issue.message.startsWith("missing;");
    return [{ path: path || root, code: codeOf(issue.code, isMissing), message: issue.message }];
  });
  const [first] = problems;
  throw new EngineError(first?.code ?? "invalid_format", first?.message ?? "not accepted", problems);
}
