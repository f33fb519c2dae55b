/**
 * The package `flare-placement`: the engine, and the readers and writers around it. `prepare` a snapshot once, `plan`
 * as often as needed. The engine alone, without any reader, is `flare-placement/engine`.
 */

export { forgePlan, type Json, type JsonObject } from "./adapters/json/decision.ts";
export { type IntentOptions, readIntent } from "./adapters/json/intent.ts";
export { readSnapshot, type SnapshotOptions } from "./adapters/json/snapshot.ts";
export { type ForgeOptions, forgeObjects } from "./adapters/kubernetes/forge-objects.ts";
export type { KubernetesObject } from "./adapters/kubernetes/object.ts";
export {
  createWorkerSolver,
  type WorkerSolver,
  type WorkerSolverOptions,
} from "./adapters/solver/worker-solver.ts";
export type {
  Capacity,
  Catalog,
  Change,
  Constraints,
  Coordinates,
  Counterfactual,
  Criteria,
  Criterion,
  CriterionName,
  Decision,
  Device,
  EngineErrorCode,
  Flavor,
  GpuModel,
  GpuNeed,
  GpuTraits,
  Holding,
  InputProblem,
  Intent,
  Micro,
  Money,
  Objective,
  Outage,
  Outcome,
  Placement,
  Plan,
  PlanOptions,
  Price,
  Quota,
  Rates,
  ReasonCode,
  Region,
  Reservation,
  RunnerUp,
  Snapshot,
  Tenant,
  Tradeoff,
  Warning,
  Weights,
  Workload,
  WorkloadKind,
} from "./engine/index.ts";
export {
  convert,
  EngineError,
  findGpuModel,
  findRegion,
  formatMicro,
  gpuModels,
  parseMicro,
  plan,
  prepare,
  reasonCodes,
  regions,
  resolvePlace,
  version,
} from "./engine/index.ts";
