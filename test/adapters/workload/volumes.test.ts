import { expect, test } from "vitest";
import { forgeClaims, storeAddress, volumeSource } from "../../../adapters/workload/volumes.ts";
import type { Volume } from "../../../engine/model/intent.ts";
import { intent } from "../../engine/builders.ts";

const volume = (name: string, more: Partial<Volume> = {}): Volume => ({
  name,
  size: "10Gi",
  type: "persistent",
  path: `/${name}`,
  ...more,
});
const from = (type: "s3" | "gcs" | "azure", uri: string): Partial<Volume> => ({
  source: { type, uri, credentials: "key" },
});
const claims = (volumes: readonly Volume[], parts = 1) =>
  forgeClaims({ intent: intent({ workload: { volumes } }), namespace: "ns", labels: {} }, parts);

test.for([
  ["s3", "s3://bucket/a/b/", { bucket: "bucket", path: "a/b" }],
  ["s3", "bucket", { bucket: "bucket", path: "" }],
  ["gcs", "gs://bucket", { bucket: "bucket", path: "" }],
  ["azure", "azure://account/box/a", { account: "account", bucket: "box", path: "a" }],
  ["azure", "https://account.blob.core.windows.net/box", { account: "account", bucket: "box", path: "" }],
  ["azure", "wasbs://box@account.blob.core.windows.net/a", { account: "account", bucket: "box", path: "a" }],
  ["azure", "box/a", { bucket: "box", path: "a" }],
] as const)("%s %s is read", ([type, uri, address]) => {
  expect(storeAddress(type, uri)).toEqual(address);
});

test("scratch space is an empty directory, what persists a claim", () => {
  expect(volumeSource(intent(), volume("tmp", { type: "temporary" }))).toEqual({
    emptyDir: { sizeLimit: "10Gi" },
  });
  expect(volumeSource(intent(), volume("kept"))).toEqual({
    persistentVolumeClaim: { claimName: "job-kept" },
  });
});

test("Google and Azure buckets are mounted by their drivers with the credentials named", () => {
  expect(volumeSource(intent(), volume("d", from("gcs", "gs://bucket/dir")))).toEqual({
    csi: {
      driver: "gcsfuse.csi.storage.gke.io",
      volumeAttributes: { bucketName: "bucket", mountOptions: "implicit-dirs,only-dir=dir" },
      nodePublishSecretRef: { name: "key" },
    },
  });
  expect(volumeSource(intent(), volume("d", from("azure", "azure://account/box")))).toEqual({
    csi: {
      driver: "blob.csi.azure.com",
      volumeAttributes: {
        containerName: "box",
        storageAccount: "account",
        secretName: "key",
        mountOptions: "-o allow_other",
      },
      nodePublishSecretRef: { name: "key" },
    },
  });
});

test("an S3 bucket is a volume bound to its claim, with the credentials of the intent's namespace", () => {
  const secret = { name: "key", namespace: "ns" };
  expect(claims([volume("data", from("s3", "s3://bucket/dir"))])).toMatchObject([
    {
      kind: "PersistentVolume",
      metadata: { name: "ns-job-data" },
      spec: {
        claimRef: { namespace: "ns", name: "job-data" },
        persistentVolumeReclaimPolicy: "Retain",
        csi: { volumeHandle: "bucket/dir", nodePublishSecretRef: secret, nodeStageSecretRef: secret },
      },
    },
    { kind: "PersistentVolumeClaim", metadata: { name: "job-data" }, spec: { volumeName: "ns-job-data" } },
  ]);
});

test("a claim that several placements share can be mounted on several nodes", () => {
  expect(claims([volume("kept")], 1)).toMatchObject([{ spec: { accessModes: ["ReadWriteOnce"] } }]);
  expect(claims([volume("kept")], 2)).toMatchObject([{ spec: { accessModes: ["ReadWriteMany"] } }]);
});

test("scratch space and other buckets claim nothing; volumes of one name are one", () => {
  expect(claims([volume("tmp", { type: "temporary" }), volume("g", from("gcs", "gs://b"))])).toEqual([]);
  expect(claims([volume("kept"), volume("kept")])).toHaveLength(1);
});
