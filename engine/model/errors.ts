/** Stable codes of input errors; callers may switch on them. */
export type EngineErrorCode =
  | "invalid_format"
  | "missing_field"
  | "unknown_field"
  | "conflicting_fields"
  | "out_of_range"
  | "duplicate_id"
  | "invalid_input";

/** One thing that is wrong with an input, located. */
export interface InputProblem {
  /** JSON path from the root of the document, e.g. `intent.workload.resources.gpu.count`. */
  readonly path: string;
  readonly code: EngineErrorCode;
  /** States the value that was found and what is accepted instead. */
  readonly message: string;
}

/**
 * Bad input: the caller can fix it. Carries every problem found, not only the first.
 * An outcome of planning (no fit, over quota) is never an error but a `Decision`.
 */
export class EngineError extends Error {
  readonly code: EngineErrorCode;
  readonly problems: readonly InputProblem[];

  constructor(code: EngineErrorCode, message: string, problems: readonly InputProblem[] = []) {
    super(message);
    this.name = "EngineError";
    this.code = code;
    this.problems = problems.length > 0 ? problems : [{ path: "", code, message }];
  }
}

/** Throws when something that must hold does not: a bug in this package, never the user's fault. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${message}`);
}
