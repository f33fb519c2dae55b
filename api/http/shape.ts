import type { z } from "@hono/zod-openapi";
import { joinPath } from "../../adapters/json/notes.ts";
import { EngineError, type EngineErrorCode, type InputProblem } from "../../engine/model/errors.ts";

function codeOf(code: string | undefined, isMissing: boolean): EngineErrorCode {
  if (isMissing) return "missing_field";
  if (code === "unrecognized_keys") return "unknown_field";
  return code === "too_big" || code === "too_small" ? "out_of_range" : "invalid_format";
}

/**
 * A document in a small fixed shape.
 *
 * @throws {EngineError} with every problem, each with its path
 */
export function readShape<S extends z.ZodType>(schema: S, document: unknown): z.output<S> {
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue): InputProblem[] => {
    const path = issue.path.reduce<string>((base, key) => joinPath(base, key), "");
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({
        path: joinPath(path, key.slice(0, 60)),
        code: "unknown_field",
        message: "is not known here",
      }));
    const isMissing = issue.code === "invalid_type" && issue.message.endsWith("received undefined");
    return [{ path: path || "body", code: codeOf(issue.code, isMissing), message: issue.message }];
  });
  const [first] = problems;
  throw new EngineError(first?.code ?? "invalid_format", first?.message ?? "not accepted", problems);
}
