import { expect, test } from "vitest";
import { migrateAnnotations } from "../../../adapters/json/migrate.ts";

/** The map after a merge patch. */
const patched = (
  map: Record<string, string>,
  patch: Readonly<Record<string, string | null>>,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries({ ...map, ...patch }).filter((entry): entry is [string, string] => entry[1] !== null),
  );

const node = {
  annotations: { "gpu.fluidos.eu/memory": "80Gi", "gpu.fluidos.eu/count": "4", "example.com/kept": "1" },
  labels: {
    "gpu.fluidos.eu/model": "nvidia-h100",
    "gpu.fluidos.eu/fp32_tflops": "67.0",
    "gpu.fluidos.eu/count": "4",
    "node.fluidos.eu/gpu": "true",
    "kubernetes.io/hostname": "w1",
  },
};

test("labels become annotations, old spellings the one that is written", () => {
  const { annotations, labels, problems } = migrateAnnotations(node);
  expect(problems).toEqual([]);
  expect(annotations).toEqual({
    "gpu.fluidos.eu/memory": null,
    "gpu.fluidos.eu/memory-per-gpu": "80Gi",
    "gpu.fluidos.eu/model": "nvidia-h100",
    "gpu.fluidos.eu/fp32-tflops": "67.0",
  });
  expect(labels).toEqual({
    "gpu.fluidos.eu/model": null,
    "gpu.fluidos.eu/fp32_tflops": null,
    "gpu.fluidos.eu/count": null,
  });
});

test("migrating what was migrated changes nothing", () => {
  const { annotations, labels } = migrateAnnotations(node);
  const after = { annotations: patched(node.annotations, annotations), labels: patched(node.labels, labels) };
  expect(after.labels).toEqual({ "node.fluidos.eu/gpu": "true", "kubernetes.io/hostname": "w1" });
  expect(migrateAnnotations(after)).toMatchObject({ annotations: {}, labels: {}, problems: [] });
});

test.for<[string, Record<string, string>]>([
  ["a label that contradicts an annotation", { "gpu.fluidos.eu/count": "8" }],
  ["a value that no annotation accepts", { "gpu.fluidos.eu/tier": "luxury" }],
])("%s is a problem, and nothing is changed", ([, labels]) => {
  const { annotations, problems } = migrateAnnotations({ annotations: node.annotations, labels });
  expect(annotations).toEqual({});
  expect(problems).toHaveLength(1);
});
