import * as z from "zod";
import { findGpuModel } from "../../engine/catalog/gpus.ts";
import type { Batch, GpuNeed, Resources, Scaling, Volume, Workload } from "../../engine/model/intent.ts";
import { formatMebibytes } from "../kubernetes/quantity.ts";
import { choice, stated, whole, yes } from "./field.ts";
import {
  bytesLeaf,
  capabilityLeaf,
  cpuLeaf,
  durationLeaf,
  frequencyLeaf,
  milliLeaf,
  textLeaf,
  wordLeaf,
} from "./leaf.ts";

const atLeastOne = whole().min(1);
const share = z.number().min(0).max(1);

/** Canonical catalog name of a GPU model; an unknown one is kept, lower case. */
export function canonicalModel(text: string): string {
  return findGpuModel(text)?.name ?? text.trim().toLowerCase();
}

const gpuSchema = z.strictObject({
  count: atLeastOne
    .optional()
    .describe("Whole GPUs per replica or task; default 1. A minimum for eligibility, taken exactly."),
  model: wordLeaf.optional().describe("Catalog model or family, hard; `any` or absent accepts every model."),
  preferred_models: z.array(wordLeaf).optional().describe("Models that are preferred but not required."),
  memory_min: bytesLeaf("up").optional().describe("Least memory per GPU."),
  memory_max: bytesLeaf("down").optional().describe("Most memory per GPU."),
  cores_min: whole().min(0).optional().describe("Least cores per GPU."),
  cores_max: whole().min(0).optional().describe("Most cores per GPU."),
  clock_speed_min: frequencyLeaf("up").optional().describe("Least clock speed in Hz."),
  compute_capability: capabilityLeaf
    .optional()
    .describe("Least compute capability, compared within a vendor."),
  fp32_tflops: z.number().min(0).optional().describe("Least FP32 TFLOPS per GPU."),
  multi_gpu_efficiency: share.optional().describe("Least multi-GPU scaling efficiency, 0 to 1."),
  architecture: choice("intent.workload.resources.gpu.architecture")
    .optional()
    .describe("GPU architecture, exact."),
  tier: choice("intent.workload.resources.gpu.tier").optional().describe("Market tier, exact."),
  interconnect: choice("intent.workload.resources.gpu.interconnect")
    .optional()
    .describe("Link between GPUs, exact, except that nvswitch satisfies nvlink."),
  topology: choice("intent.workload.resources.gpu.topology")
    .optional()
    .describe("Shape of the links, exact."),
  vendor: choice("intent.workload.resources.gpu.vendor").optional().describe("GPU vendor, exact."),
  shared: yes("Accepts an offer whose GPUs are shared."),
  dedicated: yes("Requires an offer that is dedicated."),
  multi_instance: yes("Requires GPUs that can be partitioned (MIG)."),
  interruptible: yes("Accepts spot offers; either this or constraints.preemptible is enough."),
  fraction: milliLeaf.optional().describe("Share of one GPU; needs `shared: true` and a count of 1."),
  mig_profile: textLeaf(/^\d+g\.\d+gb$/, 'a MIG profile such as "1g.10gb"')
    .optional()
    .describe("MIG slice to take on one GPU."),
});

/** A size in canonical text. */
const sizeLeaf: z.ZodType<string, string | number> = bytesLeaf("up").transform(formatMebibytes);

const volumeSchema = z.strictObject({
  name: wordLeaf.describe("Name of the volume."),
  size: sizeLeaf.describe("Size as a quantity."),
  type: choice<Volume["type"]>("intent.workload.storage.volumes[].type").describe(
    "persistent outlives the pod, temporary does not.",
  ),
  path: textLeaf(/^\//, 'an absolute path such as "/data"').describe("Where it is mounted."),
  source: z
    .strictObject({
      type: choice<NonNullable<Volume["source"]>["type"]>(
        "intent.workload.storage.volumes[].source.type",
      ).describe("Object store."),
      uri: wordLeaf.describe("Bucket address."),
      credentials: wordLeaf.describe("Name of the secret that holds the credentials."),
    })
    .optional()
    .describe("Object store mounted as the volume."),
});

const schema = z.strictObject({
  type: choice<Workload["type"]>("intent.workload.type").describe(
    "service runs until stopped, batch runs to completion.",
  ),
  name: textLeaf(
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
    "lower-case letters, digits and hyphens, at most 63 characters, not starting or ending with a hyphen",
  ).describe("Identifies the intent; unique among those planned together."),
  image: wordLeaf.describe("Container image."),
  kind: choice<Workload["kind"]>("intent.workload.kind")
    .optional()
    .describe(
      "What the GPUs do; default inference for services, training for batch. Chooses the speed figures.",
    ),
  commands: z
    .array(z.string())
    .optional()
    .describe("Command; a single text with blanks runs through `sh -c`."),
  env: z
    .array(textLeaf(/^[A-Za-z_][A-Za-z0-9_.-]*=/, 'an assignment such as "KEY=value"'))
    .optional()
    .describe("Environment; the first `=` separates name and value."),
  ports: z
    .array(
      z.strictObject({
        port: whole().min(1).max(65535).describe("Container port."),
        protocol: choice<"TCP" | "UDP">("intent.workload.ports[].protocol")
          .optional()
          .describe("Default TCP."),
        expose: yes("Reachable from outside through an ingress."),
        domain: z.string().optional().describe("Host name of the ingress."),
      }),
    )
    .optional()
    .describe("Ports of the container."),
  storage: z
    .strictObject({ volumes: z.array(volumeSchema).optional().describe("Volumes.") })
    .optional()
    .describe("Storage."),
  secrets: z
    .array(
      z.strictObject({
        name: wordLeaf.describe("Key of the secret."),
        env: wordLeaf.describe("Environment variable that receives it."),
      }),
    )
    .optional()
    .describe("Secrets handed to the container."),
  deployment_strategy: choice<NonNullable<Workload["deploymentStrategy"]>>(
    "intent.workload.deployment_strategy",
  )
    .optional()
    .describe("Whether replicas or tasks share a place."),
  communication_pattern: choice<NonNullable<Workload["communicationPattern"]>>(
    "intent.workload.communication_pattern",
  )
    .optional()
    .describe("How tasks talk; all-reduce and pipeline need all tasks at once."),
  scaling: z
    .strictObject({
      min_replicas: whole().min(1).optional().describe("Default 1; what is placed and charged."),
      max_replicas: whole().min(1).optional().describe("Default 10, or min_replicas when that is larger."),
      auto_scale: yes("Scales between the two by utilisation."),
      target_cpu_percent: whole().min(0).max(100).optional().describe("Default 70."),
      target_gpu_percent: whole().min(0).max(100).optional().describe("Default 80."),
    })
    .optional()
    .describe("Replicas of a service."),
  batch: z
    .strictObject({
      parallel_tasks: atLeastOne.optional().describe("Tasks; default 1."),
      max_retries: whole().min(0).optional().describe("Retries per task; default 3."),
      timeout: durationLeaf.optional().describe("Kills a task after this long; no default."),
      completion_policy: choice<Batch["completionPolicy"]>("intent.workload.batch.completion_policy")
        .optional()
        .describe("Whether all tasks must succeed or any one; default All."),
      estimated_runtime: durationLeaf
        .optional()
        .describe("Runtime of a task on `estimated_on`; scaled by speed."),
      estimated_on: wordLeaf.optional().describe("GPU model on which the estimate holds."),
      checkpoint_interval: durationLeaf.optional().describe("Bounds the work that an interruption loses."),
    })
    .optional()
    .describe("Tasks of a batch job."),
  evictable: yes("May be preempted by higher priority; default true. Not the same as accepting spot."),
  min_runtime: durationLeaf.optional().describe("Never evicted before; default 0s."),
  resources: z
    .strictObject({
      cpu: cpuLeaf("up").optional().describe("Cores per replica or task."),
      memory: bytesLeaf("up").optional().describe("Main memory per replica or task."),
      gpu: gpuSchema.optional().describe("GPUs per replica or task; one GPU of any kind when absent."),
    })
    .describe("What one replica or task needs."),
});

type Parsed = z.output<typeof schema>;

function toGpuNeed(gpu: z.output<typeof gpuSchema> | undefined): GpuNeed {
  if (gpu === undefined) return { count: 1, preferredModels: [] };
  return {
    count: gpu.count ?? 1,
    preferredModels: (gpu.preferred_models ?? []).map(canonicalModel),
    ...stated({
      model: gpu.model === undefined ? undefined : canonicalModel(gpu.model),
      memoryMibMin: gpu.memory_min,
      memoryMibMax: gpu.memory_max,
      coresMin: gpu.cores_min,
      coresMax: gpu.cores_max,
      clockMhzMin: gpu.clock_speed_min,
      computeCapabilityMin: gpu.compute_capability,
      fp32TflopsMin: gpu.fp32_tflops,
      multiGpuEfficiencyMin: gpu.multi_gpu_efficiency,
      architecture: gpu.architecture,
      tier: gpu.tier,
      interconnect: gpu.interconnect,
      topology: gpu.topology,
      vendor: gpu.vendor,
      shared: gpu.shared,
      dedicated: gpu.dedicated,
      multiInstance: gpu.multi_instance,
      interruptible: gpu.interruptible,
      fractionMilli: gpu.fraction,
      migProfile: gpu.mig_profile,
    }),
  };
}

function toResources(resources: Parsed["resources"]): Resources {
  return {
    gpu: toGpuNeed(resources.gpu),
    ...stated({ cpuMilli: resources.cpu, memoryMib: resources.memory }),
  };
}

function toScaling(scaling: NonNullable<Parsed["scaling"]>): Scaling {
  const minReplicas = scaling.min_replicas ?? 1;
  return {
    minReplicas,
    maxReplicas: scaling.max_replicas ?? Math.max(10, minReplicas),
    autoScale: scaling.auto_scale ?? false,
    targetCpuPercent: scaling.target_cpu_percent ?? 70,
    targetGpuPercent: scaling.target_gpu_percent ?? 80,
  };
}

function toBatch(batch: Parsed["batch"]): Batch {
  return {
    parallelTasks: batch?.parallel_tasks ?? 1,
    maxRetries: batch?.max_retries ?? 3,
    completionPolicy: batch?.completion_policy ?? "All",
    ...stated({
      timeoutSeconds: batch?.timeout,
      estimatedRuntimeSeconds: batch?.estimated_runtime,
      estimatedOn: batch?.estimated_on === undefined ? undefined : canonicalModel(batch.estimated_on),
      checkpointIntervalSeconds: batch?.checkpoint_interval,
    }),
  };
}

const toVolume = (volume: z.output<typeof volumeSchema>): Volume => ({
  name: volume.name,
  size: volume.size,
  type: volume.type,
  path: volume.path,
  ...(volume.source === undefined ? {} : { source: volume.source }),
});

/** `KEY=value` split at the first `=`, so that values may contain more of them. */
function toEnvironment(assignment: string): { readonly name: string; readonly value: string } {
  const at = assignment.indexOf("=");
  return { name: assignment.slice(0, at), value: assignment.slice(at + 1) };
}

function toWorkload(workload: Parsed): Workload {
  const { type, scaling } = workload;
  return {
    type,
    name: workload.name,
    image: workload.image,
    kind: workload.kind ?? (type === "batch" ? "training" : "inference"),
    commands: workload.commands ?? [],
    env: (workload.env ?? []).map(toEnvironment),
    ports: (workload.ports ?? []).map((port) => ({
      port: port.port,
      protocol: port.protocol ?? "TCP",
      expose: port.expose ?? false,
      ...stated({ domain: port.domain }),
    })),
    volumes: (workload.storage?.volumes ?? []).map(toVolume),
    secrets: workload.secrets ?? [],
    evictable: workload.evictable ?? true,
    minRuntimeSeconds: workload.min_runtime ?? 0,
    resources: toResources(workload.resources),
    ...stated({
      deploymentStrategy: workload.deployment_strategy,
      communicationPattern: workload.communication_pattern,
      scaling: type === "service" && scaling !== undefined ? toScaling(scaling) : undefined,
      batch: type === "batch" ? toBatch(workload.batch) : undefined,
    }),
  };
}

type Issue = { readonly path: (string | number)[]; readonly message: string; readonly input: unknown };

/** What one field allows and another contradicts; at the field that has to change. */
function contradictions(workload: Parsed): Issue[] {
  const issues: Issue[] = [];
  const gpu = workload.resources.gpu;
  const refuse = (path: string, input: unknown, message: string): void => {
    issues.push({ path: path.split("."), message, input });
  };
  const atMost = (path: string, low: number | undefined, high: number | undefined, name: string): void => {
    if (low !== undefined && high !== undefined && low > high) refuse(path, high, `at least ${name}`);
  };
  if (gpu !== undefined) {
    atMost("resources.gpu.memory_max", gpu.memory_min, gpu.memory_max, "memory_min");
    atMost("resources.gpu.cores_max", gpu.cores_min, gpu.cores_max, "cores_min");
    if (gpu.fraction !== undefined && gpu.fraction < 1000) {
      if (gpu.shared !== true)
        refuse("resources.gpu.fraction", gpu.fraction, "a fraction only with shared: true");
      if ((gpu.count ?? 1) !== 1)
        refuse("resources.gpu.fraction", gpu.fraction, "a fraction only with a count of 1");
    }
    if (gpu.mig_profile !== undefined && (gpu.count ?? 1) !== 1)
      refuse("resources.gpu.mig_profile", gpu.mig_profile, "a MIG profile only with a count of 1");
    if (gpu.shared === true && gpu.dedicated === true)
      refuse("resources.gpu.dedicated", true, "not both shared and dedicated");
  }
  const { scaling } = workload;
  if (workload.type === "service")
    atMost("scaling.max_replicas", scaling?.min_replicas, scaling?.max_replicas, "min_replicas");
  return issues;
}

/** `intent.workload` of the canonical form, read into the engine's type. */
export const workloadSchema: z.ZodType<Workload> = schema
  .superRefine((workload, context) => {
    for (const issue of contradictions(workload))
      context.addIssue({ code: "custom", ...issue, params: { code: "conflicting_fields" } });
  })
  .transform(toWorkload);
