/**
 * The embeddable placement engine: pure, deterministic, without I/O. Read `plan.ts` first.
 */

export { findGpuModel, type GpuModel, gpuModels } from "./catalog/gpus.ts";
export { findRegion, type Region, regions, resolvePlace } from "./catalog/regions.ts";
export { type Catalog, prepare } from "./compile/catalog.ts";
export { applyChanges, type CatalogChanges } from "./compile/changes.ts";
export { reservationsOf } from "./explain/waiting.ts";
export type {
  Change,
  Counterfactual,
  Criteria,
  Criterion,
  CriterionName,
  Decision,
  HeldStart,
  Outcome,
  Placement,
  PlanB,
  RunnerUp,
  Tradeoff,
  Waiting,
} from "./model/decision.ts";
export { EngineError, type EngineErrorCode, type InputProblem } from "./model/errors.ts";
export type {
  Capacity,
  Coordinates,
  Device,
  Flavor,
  GpuTraits,
  Price,
  WorkloadKind,
} from "./model/flavor.ts";
export type {
  Constraints,
  GpuNeed,
  Intent,
  Objective,
  Warning,
  Weights,
  Workload,
} from "./model/intent.ts";
export { convert, formatMicro, type Micro, type Money, parseMicro, type Rates } from "./model/money.ts";
export type { Plan, PlanOptions } from "./model/plan.ts";
export { type ReasonCode, reasonCodes } from "./model/reason.ts";
export type {
  Holding,
  Outage,
  Progress,
  Quota,
  Reservation,
  Snapshot,
  SpotHistory,
  Tenant,
} from "./model/snapshot.ts";
export { plan } from "./plan.ts";
export { type AdviceOptions, advise, type Proposal } from "./resilience/advise.ts";
export { afterPlan } from "./resilience/after.ts";
export {
  type Displaced,
  type Failover,
  failover,
  type Loss,
  planB,
} from "./resilience/failover.ts";
export { chooseSpot, type SpotSituation, type SpotState, type SpotZone } from "./resilience/spot-policy.ts";
export { version } from "./version.ts";
