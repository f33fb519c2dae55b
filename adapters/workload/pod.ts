import type { Placement } from "../../engine/model/decision.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Intent, Volume } from "../../engine/model/intent.ts";
import { dnsLabel } from "../kubernetes/object.ts";
import { formatMebibytes, formatMilli } from "../kubernetes/quantity.ts";

/** Extended resource under which a vendor's device plugin offers whole GPUs. */
const vendorResources: Readonly<Record<string, string>> = {
  nvidia: "nvidia.com/gpu",
  amd: "amd.com/gpu",
  intel: "gpu.intel.com/xe",
};

/** The resource a pod asks for to get a GPU of this offer. */
export function gpuResource(flavor: Flavor): string {
  return flavor.origin?.gpuResource ?? vendorResources[flavor.gpu.vendor ?? "nvidia"] ?? "nvidia.com/gpu";
}

/** CPU, memory and GPUs of one replica; limits equal requests for GPUs, as Kubernetes demands. */
function resources(intent: Intent, flavor: Flavor): Record<string, Record<string, string>> {
  const { cpuMilli, memoryMib, gpu } = intent.workload.resources;
  const gpus = { [gpuResource(flavor)]: String(gpu.count) };
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

/** Name of the claim behind a persistent volume of an intent. */
export function claimName(intent: Intent, volume: Volume): string {
  return dnsLabel(intent.workload.name, volume.name);
}

/** CSI drivers that mount object stores. */
const drivers: Readonly<Record<string, string>> = {
  s3: "s3.csi.aws.com",
  gcs: "gcsfuse.csi.storage.gke.io",
  azure: "blob.csi.azure.com",
};

function volumeSource(intent: Intent, volume: Volume): Record<string, unknown> {
  if (volume.source !== undefined) {
    const { type, uri, credentials } = volume.source;
    return {
      csi: {
        driver: drivers[type],
        volumeAttributes: { uri, size: volume.size },
        nodePublishSecretRef: { name: credentials },
      },
    };
  }
  return volume.type === "persistent"
    ? { persistentVolumeClaim: { claimName: claimName(intent, volume) } }
    : { emptyDir: { sizeLimit: volume.size } };
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

/** Required affinity, selector and toleration that hold a pod on one virtual node, with or without Liqo's webhook. */
function pinning({ node, virtual }: Pin): Record<string, unknown> {
  const nodeSelector = { "kubernetes.io/hostname": node };
  if (!virtual) return { nodeSelector };
  const virtualNodes = { key: "liqo.io/type", operator: "In", values: ["virtual-node"] };
  return {
    nodeSelector,
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [virtualNodes] }],
        },
      },
    },
    tolerations: [
      { key: "virtual-node.liqo.io/not-allowed", operator: "Equal", value: "true", effect: "NoExecute" },
    ],
  };
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
  const env = [
    ...workload.env,
    ...workload.secrets.map(({ name, env: variable }) => ({
      name: variable,
      valueFrom: { secretKeyRef: { name, key: variable } },
    })),
  ];
  const container = {
    name: workload.name,
    image: workload.image,
    ...command(workload.commands),
    ...(env.length === 0 ? {} : { env }),
    ...(workload.ports.length === 0
      ? {}
      : { ports: workload.ports.map(({ port, protocol }) => ({ containerPort: port, protocol })) }),
    ...(workload.volumes.length === 0
      ? {}
      : { volumeMounts: workload.volumes.map(({ name, path }) => ({ name, mountPath: path })) }),
    resources: resources(intent, flavor),
  };
  return {
    metadata: { labels },
    spec: {
      restartPolicy,
      ...pinning(pin),
      containers: [container],
      ...(workload.volumes.length === 0
        ? {}
        : {
            volumes: workload.volumes.map((volume) => ({
              name: volume.name,
              ...volumeSource(intent, volume),
            })),
          }),
    },
  };
}
