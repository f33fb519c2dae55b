import { AdapterError } from "../../adapters/port.ts";
import { EngineError, type InputProblem } from "../../engine/model/errors.ts";
import { PlannerBusy } from "../control/plan-job.ts";
import { StoreError } from "../store/errors.ts";

/** Codes of the API and their status. Closed: adding one is an API change. */
const statuses = {
  INVALID_FORMAT: 400,
  MISSING_REQUIRED_FIELD: 400,
  AUTHENTICATION_FAILED: 401,
  INVALID_TOKEN: 401,
  TOKEN_EXPIRED: 401,
  TOKEN_REVOKED: 401,
  COST_LIMIT_EXCEEDED: 402,
  INSUFFICIENT_PERMISSIONS: 403,
  NOT_FOUND: 404,
  INSUFFICIENT_RESOURCES: 409,
  GPU_MODEL_UNAVAILABLE: 409,
  GPU_MEMORY_INSUFFICIENT: 409,
  GPU_COUNT_INSUFFICIENT: 409,
  REGION_UNAVAILABLE: 409,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  IDEMPOTENCY_MISMATCH: 422,
  QUOTA_EXCEEDED: 429,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  OVERLOADED: 503,
  NOT_READY: 503,
  STORAGE_FULL: 507,
} as const;

export type ProblemCode = keyof typeof statuses;

/** True for a code that answers carry. */
export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(statuses, text);
}

/** A way out that was tried and works. */
export interface Suggestion {
  readonly alternative: string;
  readonly cost_difference: string;
  readonly performance_impact: string;
}

export interface ProblemOptions {
  readonly problems?: readonly InputProblem[];
  readonly suggestions?: readonly Suggestion[];
  /** Seconds after which it is worth trying again. */
  readonly retryAfter?: number;
  /** Instead of the code's own: 405, 413, 414, 415, 431. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** More members of the answer. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** An answer that is not a success. Thrown by routes, mapped in one place. */
export class ApiError extends Error {
  readonly code: ProblemCode;
  readonly options: ProblemOptions;

  constructor(code: ProblemCode, message: string, options: ProblemOptions = {}) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.options = options;
  }
}

const titleOf = (code: ProblemCode): string => {
  const words = code.toLowerCase().replaceAll("_", " ");
  return `${words[0]?.toUpperCase() ?? ""}${words.slice(1)}`;
};

/** Any error as the error to answer with; what nobody foresaw is a 500 that says nothing of its inside. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof EngineError)
    return new ApiError(
      error.problems.every(({ code }) => code === "missing_field")
        ? "MISSING_REQUIRED_FIELD"
        : "INVALID_FORMAT",
      error.problems
        .slice(0, 10)
        .map(({ path, message }) => (path === "" ? message : `${path}: ${message}`))
        .join("; "),
      { problems: error.problems },
    );
  if (error instanceof StoreError) {
    if (error.code === "overloaded")
      return new ApiError("OVERLOADED", "too many requests wait to be stored", { retryAfter: 1 });
    if (error.code === "full")
      return new ApiError("STORAGE_FULL", "no space is left to store this; nothing was changed", {
        retryAfter: 30,
      });
    if (error.code === "unavailable")
      return new ApiError("NOT_READY", "the store cannot be used now; nothing was changed", {
        retryAfter: 5,
      });
    if (error.code === "unknown")
      return new ApiError(
        "NOT_READY",
        "the store went away while it stored this; send it again with the same Idempotency-Key",
        { retryAfter: 1 },
      );
    if (error.code === "conflict")
      return new ApiError("CONFLICT", "it changed meanwhile, or the name is taken");
  }
  if (error instanceof PlannerBusy)
    return new ApiError("OVERLOADED", "too many decisions are being tried out; nothing was changed", {
      retryAfter: 2,
    });
  if (error instanceof AdapterError)
    return new ApiError("NOT_READY", "the federation does not answer now; nothing was changed", {
      retryAfter: 5,
    });
  return new ApiError(
    "INTERNAL",
    "something went wrong inside the service; the request id finds it in the log",
  );
}

/** Most problems of one input that an answer lists, and longest sentence: an answer never grows with a hostile body. */
const MOST_PROBLEMS = 100;
const LONGEST_MESSAGE = 2000;

const brief = (text: string): string =>
  text.length > LONGEST_MESSAGE ? `${text.slice(0, LONGEST_MESSAGE)}...`.toWellFormed() : text;

/** The answer, `application/problem+json` (RFC 9457) with the original's members. */
export function problemResponse(error: ApiError, requestId: string, instance: string): Response {
  const { code, options } = error;
  const message = brief(error.message);
  const status = options.status ?? statuses[code];
  const body = {
    type: `urn:flare:problem:${code.toLowerCase().replaceAll("_", "-")}`,
    title: titleOf(code),
    status,
    detail: message,
    instance,
    error_code: code,
    message,
    request_id: requestId,
    errors: (options.problems ?? [])
      .slice(0, MOST_PROBLEMS)
      .map((problem) => ({ path: brief(problem.path), code: problem.code, message: brief(problem.message) })),
    suggestions: options.suggestions ?? [],
    ...options.extra,
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "x-request-id": requestId,
      ...(options.retryAfter === undefined ? {} : { "retry-after": String(options.retryAfter) }),
      ...options.headers,
      ...(status === 401 ? { "www-authenticate": 'Bearer realm="flare"' } : {}),
    },
  });
}
