/**
 * Why an intent ended as it did. Closed: adding a code is an API change.
 * The upper-case codes are the ones the REST API answers with.
 */
export const reasonCodes = [
  "PLACED",
  "INSUFFICIENT_RESOURCES",
  "GPU_MODEL_UNAVAILABLE",
  "GPU_MEMORY_INSUFFICIENT",
  "GPU_COUNT_INSUFFICIENT",
  "REGION_UNAVAILABLE",
  "COST_LIMIT_EXCEEDED",
  "QUOTA_EXCEEDED",
  "CONSTRAINTS_UNSATISFIABLE",
  "CAPACITY_BUSY",
  "CONTENTION",
  "RUNNING",
  "PREEMPTED",
  "OUTSIDE_AVAILABILITY_WINDOW",
  "DEADLINE_UNREACHABLE",
  "WAITING_FOR_OFFERS",
  "WAITING_FOR_SPOT",
  "INVALID_INTENT",
  "INVALID_TENANT",
] as const;

export type ReasonCode = (typeof reasonCodes)[number];

/**
 * The names of hard constraints as they appear in `rejections` and `sole_blockers`. They are the paths of the
 * intent's fields without `intent.`, `constraints.` and `workload.resources.`, so a user recognises them;
 * `offer.*` names are the offer's own state.
 */
export type ConstraintName = string;
