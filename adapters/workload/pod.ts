import type { Placement } from "../../engine/model/decision.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import { digest, dnsLabel } from "../kubernetes/object.ts";
import { formatMebibytes, formatMilli } from "../kubernetes/quantity.ts";
import { distinctVolumes, mountAnnotations, podVolumeName, volumeSource } from "./volumes.ts";

/** Extended resource under which a vendor's device plugin offers whole GPUs. */
const vendorResources: Readonly<Record<string, string>> = {
  nvidia: "nvidia.com/gpu",
  amd: "amd.com/gpu",
  intel: "gpu.intel.com/xe",
};

/** The resource a pod asks for to get a GPU of this offer, or a MIG slice of one where the intent names a profile. */
export function gpuResource(flavor: Flavor, migProfile?: string): string {
  if (migProfile !== undefined) return `nvidia.com/mig-${migProfile}`;
  return flavor.origin?.gpuResource ?? vendorResources[flavor.gpu.vendor ?? "nvidia"] ?? "nvidia.com/gpu";
}

/** CPU, memory and GPUs of one replica; limits equal requests for GPUs, as Kubernetes demands. */
function resources(intent: Intent, flavor: Flavor): Record<string, Record<string, string>> {
  const { cpuMilli, memoryMib, gpu } = intent.workload.resources;
  const gpus = { [gpuResource(flavor, gpu.migProfile)]: String(gpu.count) };
  const requests = {
    ...(cpuMilli === undefined ? {} : { cpu: formatMilli(cpuMilli) }),
    ...(memoryMib === undefined ? {} : { memory: formatMebibytes(memoryMib) }),
    ...gpus,
  };
  return {
    requests,
    limits: { ...(memoryMib === undefined ? {} : { memory: formatMebibytes(memoryMib) }), ...gpus },
  };
}

/** A single command line goes to the shell; several words are the argument vector they are. */
function command(commands: readonly string[]): Record<string, readonly string[]> {
  const [only] = commands;
  if (only === undefined) return {};
  return { command: commands.length === 1 && only.includes(" ") ? ["sh", "-c", only] : [...commands] };
}

/** Where the pods of a placement run. */
export interface Pin {
  /** Name of the virtual node, which is its contract's name; a plain node's own name. */
  readonly node: string;
  readonly virtual: boolean;
}

/** Longest value of a label: longer node names cannot be selected by their host name label. */
const LONGEST_LABEL = 63;

/** Required affinity, selector and toleration that hold a pod on one node, virtual ones with or without Liqo's webhook. */
function pinning({ node, virtual }: Pin): Record<string, unknown> {
  const isLabel = node.length <= LONGEST_LABEL;
  const term = {
    ...(isLabel ? {} : { matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }),
    ...(virtual
      ? { matchExpressions: [{ key: "liqo.io/type", operator: "In", values: ["virtual-node"] }] }
      : {}),
  };
  return {
    ...(isLabel ? { nodeSelector: { "kubernetes.io/hostname": node } } : {}),
    ...(Object.keys(term).length === 0
      ? {}
      : {
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
            },
          },
        }),
    ...(virtual
      ? {
          tolerations: [
            {
              key: "virtual-node.liqo.io/not-allowed",
              operator: "Equal",
              value: "true",
              effect: "NoExecute",
            },
          ],
        }
      : {}),
  };
}

/** Environment that a ConfigMap can hold; other names are none that a process could read either, and stay in the pod. */
const isConfigKey = (name: string): boolean => /^[-._a-zA-Z0-9]{1,253}$/.test(name);

/** Name of the ConfigMap with the environment of an intent. */
export function configName(intent: Intent): string {
  return dnsLabel(intent.workload.name, "env");
}

/** What the ConfigMap of an intent holds, by name; of equal names the last counts. Empty without an environment. */
export function configData(intent: Intent): Record<string, string> {
  const entries = intent.workload.env.filter(({ name }) => isConfigKey(name));
  const data = new Map(entries.map(({ name, value }) => [name, value]));
  return Object.fromEntries([...data].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Goals that only the workload or what watches it can keep, as annotations. */
function goals({ constraints, sla }: Intent): Record<string, string> {
  const { gpuUtilizationTarget, memoryUtilizationTarget } = constraints.performance;
  const stated: Readonly<Record<string, string | number | undefined>> = {
    "flare.io/gpu-utilization-target": gpuUtilizationTarget,
    "flare.io/memory-utilization-target": memoryUtilizationTarget,
    "flare.io/backup-strategy": sla.backupStrategy,
  };
  return Object.fromEntries(
    Object.entries(stated)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  );
}

/** Pod template of one placement of an intent. */
export function forgePodTemplate(
  intent: Intent,
  _placement: Placement,
  flavor: Flavor,
  pin: Pin,
  labels: Readonly<Record<string, string>>,
  restartPolicy: "Always" | "OnFailure",
): Record<string, unknown> {
  const { workload } = intent;
  const { gpu } = workload.resources;
  const config = configData(intent);
  const isConfigured = Object.keys(config).length > 0;
  const env = [
    ...workload.env.filter(({ name }) => !isConfigKey(name)),
    ...workload.secrets.map(({ name, env: variable }) => ({
      name: variable,
      valueFrom: { secretKeyRef: { name, key: variable } },
    })),
  ];
  const container = {
    name: dnsLabel(workload.name),
    image: workload.image,
    ...command(workload.commands),
    ...(isConfigured ? { envFrom: [{ configMapRef: { name: configName(intent) } }] } : {}),
    ...(env.length === 0 ? {} : { env }),
    ...(workload.ports.length === 0
      ? {}
      : { ports: workload.ports.map(({ port, protocol }) => ({ containerPort: port, protocol })) }),
    ...(workload.volumes.length === 0
      ? {}
      : {
          volumeMounts: workload.volumes.map((volume) => ({
            name: podVolumeName(volume),
            mountPath: volume.path,
          })),
        }),
    resources: resources(intent, flavor),
  };
  // A changed environment must restart the pods, which a changed ConfigMap alone would not do.
  const annotations = {
    ...(isConfigured ? { "flare.io/env": digest(JSON.stringify(config), 16) } : {}),
    ...mountAnnotations(workload.volumes),
    // How much of a shared GPU was asked for: schedulers that divide GPUs read it, device plugins cannot say it.
    ...(gpu.fractionMilli === undefined ? {} : { "flare.io/gpu-fraction": String(gpu.fractionMilli / 1000) }),
    ...goals(intent),
  };
  return {
    metadata: { labels, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
    spec: {
      restartPolicy,
      ...pinning(pin),
      containers: [container],
      ...(workload.volumes.length === 0
        ? {}
        : {
            volumes: distinctVolumes(workload.volumes).map((volume) => ({
              name: podVolumeName(volume),
              ...volumeSource(intent, volume),
            })),
          }),
    },
  };
}
