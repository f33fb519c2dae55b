import type { Placement } from "../../engine/model/decision.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Intent, Port } from "../../engine/model/intent.ts";
import { dnsLabel, type KubernetesObject } from "../kubernetes/object.ts";
import { configData, configName, forgePodTemplate, type Pin } from "./pod.ts";

/** What the objects of a workload share. */
export interface WorkloadFrame {
  readonly intent: Intent;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Labels that select the pods of one placement. */
const partLabels = (part: number): Record<string, string> => ({ "flare.io/part": String(part) });

/** Name of the object of one placement: the workload's own, numbered where there are several. */
function partName(intent: Intent, part: number, parts: number): string {
  return parts === 1 ? dnsLabel(intent.workload.name) : dnsLabel(intent.workload.name, String(part));
}

/** A Deployment (service) that runs the replicas of one placement where they were placed. */
export function forgeDeployment(
  { intent, namespace, labels }: WorkloadFrame,
  placement: Placement,
  flavor: Flavor,
  pin: Pin,
  { part, parts }: { readonly part: number; readonly parts: number },
): KubernetesObject {
  const selector = { "flare.io/intent": labels["flare.io/intent"] ?? "", ...partLabels(part) };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: partName(intent, part, parts), namespace, labels },
    spec: {
      replicas: placement.replicas,
      selector: { matchLabels: selector },
      template: forgePodTemplate(intent, placement, flavor, pin, { ...labels, ...selector }, "Always"),
    },
  };
}

/** A Job (batch) that runs `tasks` tasks of a batch in one placement, as many at once as replicas were placed. */
export function forgeJob(
  { intent, namespace, labels }: WorkloadFrame,
  placement: Placement,
  flavor: Flavor,
  pin: Pin,
  { part, parts, tasks }: { readonly part: number; readonly parts: number; readonly tasks: number },
): KubernetesObject {
  const batch = intent.workload.batch;
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: partName(intent, part, parts), namespace, labels },
    spec: {
      parallelism: placement.replicas,
      // Without completions the first task that succeeds ends the Job, which is what "Any" asks for.
      ...(batch?.completionPolicy === "Any" ? {} : { completions: tasks }),
      backoffLimit: batch?.maxRetries ?? 3,
      ...(batch?.timeoutSeconds === undefined ? {} : { activeDeadlineSeconds: batch.timeoutSeconds }),
      template: forgePodTemplate(
        intent,
        placement,
        flavor,
        pin,
        { ...labels, ...partLabels(part) },
        "OnFailure",
      ),
    },
  };
}

/** Ports of a workload by number and protocol, each once. */
function distinctPorts(ports: readonly Port[]): Port[] {
  return [...new Map(ports.map((port) => [`${port.protocol}-${port.port}`, port] as const)).values()];
}

/** The environment of a workload, or nothing without one. */
export function forgeConfigMap({ intent, namespace, labels }: WorkloadFrame): KubernetesObject[] {
  const data = configData(intent);
  if (Object.keys(data).length === 0) return [];
  return [
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: configName(intent), namespace, labels }, data },
  ];
}

/** A Service for the ports of a workload, or nothing without ports. */
export function forgeService({ intent, namespace, labels }: WorkloadFrame): KubernetesObject[] {
  const { ports, name } = intent.workload;
  if (ports.length === 0) return [];
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: dnsLabel(name), namespace, labels },
      spec: {
        selector: { "flare.io/intent": labels["flare.io/intent"] ?? "" },
        ports: distinctPorts(ports).map(({ port, protocol }) => ({
          name: `${protocol.toLowerCase()}-${port}`,
          port,
          targetPort: port,
          protocol,
        })),
      },
    },
  ];
}

/**
 * An Ingress for the exposed TCP ports that name a domain; a port without one is reachable by its Service only. The first
 * port of a domain gets its root, others of the same domain the path of their number.
 */
export function forgeIngress({ intent, namespace, labels }: WorkloadFrame): KubernetesObject[] {
  const name = dnsLabel(intent.workload.name);
  const byHost = new Map<string, number[]>();
  for (const { port, protocol, expose, domain } of distinctPorts(intent.workload.ports)) {
    if (!expose || domain === undefined || protocol !== "TCP") continue;
    const host = domain.toLowerCase();
    byHost.set(host, [...(byHost.get(host) ?? []), port]);
  }
  if (byHost.size === 0) return [];
  const path = (port: number, index: number): Record<string, unknown> => ({
    path: index === 0 ? "/" : `/${port}`,
    pathType: "Prefix",
    backend: { service: { name, port: { number: port } } },
  });
  return [
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name, namespace, labels },
      spec: { rules: [...byHost].map(([host, ports]) => ({ host, http: { paths: ports.map(path) } })) },
    },
  ];
}

/** Metric under which NVIDIA's exporter reports how busy a pod's GPUs are, in per cent. */
const GPU_METRIC = "DCGM_FI_DEV_GPU_UTIL";

/** A share of 0 to 1 as whole per cent, at least 1, since autoscalers take no target of nothing. */
const percent = (share: number): number => Math.max(1, Math.round(share * 100));

/**
 * Autoscaling of one placement between its replicas and its share of the most that the workload may have. CPU counts
 * where the pods ask for CPU, since utilization is relative to that; GPUs count where NVIDIA's exporter measures them.
 * A stated `gpu_utilization_target` replaces `target_gpu_percent`; a `memory_utilization_target` counts where pods ask
 * for memory. Replicas beyond what was bought wait until more is.
 */
export function forgeAutoscaler(
  { intent, namespace, labels }: WorkloadFrame,
  placement: Placement,
  flavor: Flavor,
  { part, parts, most }: { readonly part: number; readonly parts: number; readonly most: number },
): KubernetesObject[] {
  const { scaling, resources } = intent.workload;
  const { gpuUtilizationTarget, memoryUtilizationTarget } = intent.constraints.performance;
  if (scaling?.autoScale !== true || most <= placement.replicas) return [];
  const name = partName(intent, part, parts);
  const cpu = {
    type: "Resource",
    resource: { name: "cpu", target: { type: "Utilization", averageUtilization: scaling.targetCpuPercent } },
  };
  const gpu = {
    type: "Pods",
    pods: {
      metric: { name: GPU_METRIC },
      target: {
        type: "AverageValue",
        averageValue: String(
          gpuUtilizationTarget === undefined ? scaling.targetGpuPercent : percent(gpuUtilizationTarget),
        ),
      },
    },
  };
  const memory = {
    type: "Resource",
    resource: {
      name: "memory",
      target: { type: "Utilization", averageUtilization: percent(memoryUtilizationTarget ?? 1) },
    },
  };
  const isNvidia = (flavor.gpu.vendor ?? "nvidia") === "nvidia";
  return [
    {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name, namespace, labels },
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
        minReplicas: placement.replicas,
        maxReplicas: most,
        metrics: [
          ...(resources.cpuMilli !== undefined || !isNvidia ? [cpu] : []),
          ...(isNvidia ? [gpu] : []),
          ...(memoryUtilizationTarget !== undefined && resources.memoryMib !== undefined ? [memory] : []),
        ],
      },
    },
  ];
}
