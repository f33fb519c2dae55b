import type { Intent, Volume } from "../../engine/model/intent.ts";
import { dnsLabel, type KubernetesObject, ownedLabel } from "../kubernetes/object.ts";
import type { WorkloadFrame } from "./forge.ts";

/** Name of a volume inside its pod. */
export function podVolumeName(volume: Volume): string {
  return dnsLabel(volume.name);
}

/** Name of the claim behind a persistent volume of an intent. */
function claimName(intent: Intent, volume: Volume): string {
  return dnsLabel(intent.workload.name, volume.name);
}

/** Where an object store keeps something: `s3://bucket/path` and the forms of the clouds. */
export interface StoreAddress {
  /** Azure only: the storage account. */
  readonly account?: string;
  readonly bucket: string;
  /** Without slashes at its ends; empty for the whole bucket. */
  readonly path: string;
}

/**
 * Reads `s3://bucket/path`, `gs://bucket/path`, `azure://account/container/path`,
 * `https://account.blob.core.windows.net/container/path` and `wasbs` or `abfss://container@account.host/path`.
 * A text without a scheme is the bucket and its path.
 */
export function storeAddress(type: "s3" | "gcs" | "azure", uri: string): StoreAddress {
  const [, scheme = "", rest = uri] = /^([a-z0-9]+):\/\/(.*)$/i.exec(uri) ?? [];
  const [head = "", ...tail] = rest.split("/").filter((part) => part !== "");
  const path = (parts: readonly string[]): string => parts.join("/");
  if (type !== "azure" || scheme === "") return { bucket: head, path: path(tail) };
  const [container, host] = head.split("@");
  if (host !== undefined)
    return { account: host.split(".")[0] ?? host, bucket: container ?? "", path: path(tail) };
  const [bucket = "", ...below] = tail;
  return { account: head.split(".")[0] ?? head, bucket, path: path(below) };
}

const isS3 = ({ source }: Volume): boolean => source?.type === "s3";

/** The member of a pod volume that says what is mounted. */
export function volumeSource(intent: Intent, volume: Volume): Record<string, unknown> {
  const { source, type, size } = volume;
  if (source === undefined && type === "temporary") return { emptyDir: { sizeLimit: size } };
  if (source === undefined || isS3(volume))
    return { persistentVolumeClaim: { claimName: claimName(intent, volume) } };
  const { account, bucket, path } = storeAddress(source.type, source.uri);
  const directory =
    path === "" ? [] : [source.type === "gcs" ? `only-dir=${path}` : `--subdirectory=${path}`];
  const options = source.type === "gcs" ? ["implicit-dirs", ...directory] : ["-o allow_other", ...directory];
  return {
    csi:
      source.type === "gcs"
        ? {
            driver: "gcsfuse.csi.storage.gke.io",
            volumeAttributes: { bucketName: bucket, mountOptions: options.join(",") },
            nodePublishSecretRef: { name: source.credentials },
          }
        : {
            driver: "blob.csi.azure.com",
            volumeAttributes: {
              containerName: bucket,
              ...(account === undefined ? {} : { storageAccount: account }),
              secretName: source.credentials,
              mountOptions: options.join(" "),
            },
            nodePublishSecretRef: { name: source.credentials },
          },
  };
}

/** Annotations of a pod that some mounts need: Cloud Storage FUSE puts a helper container into such pods only. */
export function mountAnnotations(volumes: readonly Volume[]): Record<string, string> {
  return volumes.some(({ source }) => source?.type === "gcs") ? { "gke-gcsfuse/volumes": "true" } : {};
}

/** Volumes of different names; of equal names the first. */
export function distinctVolumes(volumes: readonly Volume[]): Volume[] {
  const seen = new Set<string>();
  return volumes.filter((volume) => {
    const name = podVolumeName(volume);
    return !seen.has(name) && seen.add(name) !== undefined;
  });
}

/**
 * Driver that mounts S3 and whatever speaks its protocol, with the credentials of a Secret.
 * @see https://github.com/yandex-cloud/k8s-csi-s3
 */
const S3_DRIVER = "ru.yandex.s3.csi";

/** A bucket as a volume of its own and the claim on it: S3 drivers mount no volumes that only a pod states. */
function forgeBucket({ intent, namespace, labels }: WorkloadFrame, volume: Volume): KubernetesObject[] {
  const { source } = volume;
  if (source === undefined) return [];
  const { bucket, path } = storeAddress("s3", source.uri);
  const secret = (): object => ({ name: source.credentials, namespace });
  const name = ownedLabel(null, namespace, claimName(intent, volume));
  return [
    {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name, labels },
      spec: {
        capacity: { storage: volume.size },
        accessModes: ["ReadWriteMany"],
        persistentVolumeReclaimPolicy: "Retain",
        storageClassName: "",
        claimRef: {
          apiVersion: "v1",
          kind: "PersistentVolumeClaim",
          namespace,
          name: claimName(intent, volume),
        },
        csi: {
          driver: S3_DRIVER,
          volumeHandle: path === "" ? bucket : `${bucket}/${path}`,
          controllerPublishSecretRef: secret(),
          nodePublishSecretRef: secret(),
          nodeStageSecretRef: secret(),
          volumeAttributes: { capacity: volume.size, mounter: "geesefs" },
        },
      },
    },
    forgeClaim({ intent, namespace, labels }, volume, "ReadWriteMany", {
      storageClassName: "",
      volumeName: name,
    }),
  ];
}

function forgeClaim(
  { intent, namespace, labels }: WorkloadFrame,
  volume: Volume,
  mode: "ReadWriteOnce" | "ReadWriteMany",
  binding: object,
): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: claimName(intent, volume), namespace, labels },
    spec: { accessModes: [mode], resources: { requests: { storage: volume.size } }, ...binding },
  };
}

/**
 * One claim per persistent volume, shared by all placements, so readable and writable from several nodes when there
 * are several; an S3 bucket comes with a volume of its own.
 */
export function forgeClaims(frame: WorkloadFrame, parts: number): KubernetesObject[] {
  return distinctVolumes(frame.intent.workload.volumes).flatMap((volume) => {
    if (isS3(volume)) return forgeBucket(frame, volume);
    if (volume.type !== "persistent" || volume.source !== undefined) return [];
    return [forgeClaim(frame, volume, parts === 1 ? "ReadWriteOnce" : "ReadWriteMany", {})];
  });
}
