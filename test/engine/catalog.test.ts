import { expect, test } from "vitest";
import { findGpuModel, gpuModels } from "../../engine/catalog/gpus.ts";
import { areaNames, findRegion, regions, resolvePlace } from "../../engine/catalog/regions.ts";
import { relativeSpeed } from "../../engine/catalog/speed.ts";

test.for([
  ["nvidia-h100", "nvidia-h100"],
  ["a100", "nvidia-a100"],
  ["amd-rx-7900xtx", "amd-rx7900xtx"],
  ["nvidia-a6000", "nvidia-rtx-a6000"],
  ["NVIDIA-RTX-A6000", "nvidia-rtx-a6000"],
  ["NVIDIA-H100-80GB-HBM3", "nvidia-h100-sxm"],
  ["NVIDIA H100 80GB HBM3", "nvidia-h100-sxm"],
  ["NVIDIA-H100-80GB-HBM3-SHARED", "nvidia-h100-sxm"],
  ["NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "nvidia-a100-40-sxm"],
  ["NVIDIA-A100-SXM4-40Gi", "nvidia-a100-40-sxm"],
  ["AMD_Instinct_MI300X_OAM", "amd-mi300x"],
  ["Tesla-T4", "nvidia-t4"],
  ["NVIDIA-GeForce-RTX-4090", "nvidia-rtx-4090"],
  ["RTX 4080 Mobile", "nvidia-rtx-4080-mobile"],
  ["A100-80GB", "nvidia-a100-80"],
] as const)("%s is %s", ([text, name]) => {
  expect(findGpuModel(text)?.name).toBe(name);
});

test("an unknown model is null, and every name and alias resolves to its own model", () => {
  expect(findGpuModel("nvidia-x9000")).toBeNull();
  expect(findGpuModel("")).toBeNull();
  for (const model of gpuModels)
    for (const spelling of [model.name, ...model.aliases])
      expect(findGpuModel(spelling)?.name).toBe(model.name);
});

test("variants belong to their family, and every family named is a model of its own", () => {
  expect(findGpuModel("nvidia-h100-pcie")?.families).toEqual(["nvidia-h100-pcie", "nvidia-h100"]);
  for (const model of gpuModels)
    for (const family of model.families) expect(findGpuModel(family)?.name).toBe(family);
});

test.for([
  ["EU", { text: "eu", kind: "area" }],
  ["US", { text: "us", kind: "area" }],
  ["Asia", { text: "asia", kind: "area" }],
  ["germany", { text: "de", kind: "country" }],
  ["DE", { text: "de", kind: "country" }],
  ["eu-west-1", { text: "eu-west-1", kind: "region" }],
  ["North America", { text: "north-america", kind: "area" }],
] as const)("the place %s resolves", ([text, place]) => {
  expect(resolvePlace(text)).toEqual(place);
});

test("a place nobody knows is null, Zurich and London are in Europe but not in the EU", () => {
  expect(resolvePlace("atlantis")).toBeNull();
  expect(findRegion("eu-central-2")?.areas).toEqual(["europe"]);
  expect(findRegion("eu-west-2")?.areas).toEqual(["europe"]);
  expect(findRegion("EU-WEST-1")?.areas).toContain("eu");
});

test("every region lies in a known country and area, once", () => {
  for (const region of regions) for (const area of region.areas) expect(areaNames).toContain(area);
  for (const region of regions) expect(region.areas.length, region.name).toBeGreaterThan(0);
  expect(new Set(regions.map(({ name }) => name)).size).toBe(regions.length);
});

test("speed is 1 for the reference, measured where it was, and unknown without figures", () => {
  const of = (name: string) => relativeSpeed(findGpuModel(name)!, "training");
  expect(of("nvidia-v100")).toBe(1);
  expect(of("nvidia-p100")).toBe(0.77);
  expect(of("nvidia-h100")).toBeGreaterThan(of("nvidia-a100"));
  expect(relativeSpeed({ memoryBandwidth: 100 }, "inference")).toBeNaN();
});
