import type { Placement } from "../../engine/model/decision.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import { dnsLabel, type KubernetesObject } from "../kubernetes/object.ts";
import { claimName, forgePodTemplate, type Pin } from "./pod.ts";

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
  const selector = { "flare.io/intent": labels["flare.io/intent"]!, ...partLabels(part) };
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
        selector: { "flare.io/intent": labels["flare.io/intent"]! },
        ports: ports.map(({ port, protocol }) => ({
          name: `${protocol.toLowerCase()}-${port}`,
          port,
          targetPort: port,
          protocol,
        })),
      },
    },
  ];
}

/** An Ingress for the exposed ports that name a domain; a port without one is reachable by its Service only. */
export function forgeIngress({ intent, namespace, labels }: WorkloadFrame): KubernetesObject[] {
  const exposed = intent.workload.ports.filter(({ expose, domain }) => expose && domain !== undefined);
  if (exposed.length === 0) return [];
  const name = dnsLabel(intent.workload.name);
  return [
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name, namespace, labels },
      spec: {
        rules: exposed.map(({ port, domain }) => ({
          host: domain,
          http: {
            paths: [
              { path: "/", pathType: "Prefix", backend: { service: { name, port: { number: port } } } },
            ],
          },
        })),
      },
    },
  ];
}

/** Autoscaling on CPU between the replicas asked for, for a service in one place. */
export function forgeAutoscaler({ intent, namespace, labels }: WorkloadFrame): KubernetesObject[] {
  const { scaling, name } = intent.workload;
  if (scaling?.autoScale !== true) return [];
  return [
    {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: dnsLabel(name), namespace, labels },
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: dnsLabel(name) },
        minReplicas: scaling.minReplicas,
        maxReplicas: scaling.maxReplicas,
        metrics: [
          {
            type: "Resource",
            resource: {
              name: "cpu",
              target: { type: "Utilization", averageUtilization: scaling.targetCpuPercent },
            },
          },
        ],
      },
    },
  ];
}

/** One claim per persistent volume without a source. */
export function forgeClaims({ intent, namespace, labels }: WorkloadFrame): KubernetesObject[] {
  return intent.workload.volumes
    .filter(({ type, source }) => type === "persistent" && source === undefined)
    .map((volume) => ({
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: claimName(intent, volume), namespace, labels },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: volume.size } } },
    }));
}

/**
 * Network policy from the intent's isolation and firewall rules. Kubernetes knows only what is allowed: `deny` rules
 * take effect by not being allowed, and a private workload without rules is reachable from its own namespace only.
 */
export function forgeNetworkPolicy({ intent, namespace, labels }: WorkloadFrame): KubernetesObject[] {
  const { networkIsolation, firewallRules } = intent.constraints.security;
  if (networkIsolation !== "private" && firewallRules.length === 0) return [];
  const allowed = firewallRules
    .filter(({ action }) => action === "allow")
    .map(({ port, protocol, source }) => ({
      from: [{ ipBlock: { cidr: source } }],
      ports: [{ port, protocol }],
    }));
  const ownNamespace = { from: [{ podSelector: {} }] };
  return [
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: dnsLabel(intent.workload.name), namespace, labels },
      spec: {
        podSelector: { matchLabels: { "flare.io/intent": labels["flare.io/intent"]! } },
        policyTypes: ["Ingress"],
        ingress: [ownNamespace, ...allowed],
      },
    },
  ];
}
