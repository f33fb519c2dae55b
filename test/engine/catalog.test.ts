import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import { expect, test } from "vitest";
import { findGpuModel, gpuModels } from "../../engine/catalog/gpus.ts";
import { areaNames, findRegion, regions, resolvePlace } from "../../engine/catalog/regions.ts";
import { relativeSpeed } from "../../engine/catalog/speed.ts";
import { throughputRows } from "../../engine/catalog/throughput-rows.ts";

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
  expect(of("nvidia-p100")).toBe(0.79);
  expect(of("nvidia-v100-32")).toBe(1);
  expect(of("nvidia-h100")).toBeGreaterThan(of("nvidia-a100"));
  expect(relativeSpeed({ memoryBandwidth: 100 }, "inference")).toBeNaN();
});

test("every model is whole: positive figures, a vendor, a tier and scores from 0 to 1", () => {
  for (const model of gpuModels) {
    const { memoryMib, memoryBandwidth, cores, fp32Tflops, fp16Tflops, powerWatts } = model;
    for (const figure of [memoryMib, memoryBandwidth, cores, fp32Tflops, fp16Tflops, powerWatts])
      expect(figure, model.name).toBeGreaterThan(0);
    expect(["nvidia", "amd", "intel"]).toContain(model.vendor);
    expect(["premium", "standard", "gaming", "inference", "budget"]).toContain(model.tier);
    for (const score of Object.values(model.scores)) expect(score >= 0 && score <= 1).toBe(true);
    expect(model.source).not.toBe("");
  }
  expect(new Set(gpuModels.map(({ name }) => name)).size).toBe(gpuModels.length);
});

test("the names a family and its members share resolve to one model each, whatever the spelling (C-30)", () => {
  for (const [a, b] of [
    ["amd-rx-7900xtx", "amd-rx7900xtx"],
    ["nvidia-rtx-a6000", "nvidia-a6000"],
    ["a100", "nvidia-a100"],
    ["NVIDIA RTX A5000", "RTXA5000"],
  ] as const)
    expect(findGpuModel(a)?.name).toBe(findGpuModel(b)?.name);
  expect(findGpuModel("RTX-6000-Ada")?.name).toBe("nvidia-rtx-6000-ada");
  expect(findGpuModel("RTX6000")?.name).toBe("nvidia-quadro-rtx-6000");
});

test.for([
  ["nvidia-h100", "premium"],
  ["nvidia-rtx-a6000", "standard"],
  ["nvidia-rtx-4090", "gaming"],
  ["nvidia-t4", "inference"],
  ["nvidia-k80", "budget"],
] as const)("%s is of the tier %s (C-22)", ([name, tier]) => {
  expect(findGpuModel(name)?.tier).toBe(tier);
});

test("a measured speed names its source and belongs to a model of the catalog", () => {
  for (const [kind, model, speed, jobs, source] of throughputRows) {
    expect(findGpuModel(model)?.name).toBe(model);
    expect(relativeSpeed(findGpuModel(model) ?? {}, kind)).toBe(speed);
    expect(speed > 0 && jobs > 0 && source !== "").toBe(true);
  }
});

const gavel = fileURLToPath(new URL("../../../shared/data/gavel_throughputs.csv", import.meta.url));

test.skipIf(!existsSync(gavel))(
  "the measured training speeds are the means of the published measurements (skipped where they are absent)",
  () => {
    const rows: readonly Record<string, string>[] = parse(readFileSync(gavel, "utf8"), { columns: true });
    const speeds = new Map<string, Map<string, number>>();
    for (const { job = "", gpus, gpu_type: type = "", steps_per_s: speed } of rows) {
      if (gpus !== "1" || !/^(ResNet|LM|Transformer)/.test(job)) continue;
      speeds.set(job, (speeds.get(job) ?? new Map<string, number>()).set(type, Number(speed)));
    }
    expect(speeds.size).toBe(19);
    for (const [, model, speed] of throughputRows) {
      const type = model.replace("nvidia-", "");
      const logs = [...speeds.values()].map((job) => Math.log((job.get(type) ?? 0) / (job.get("v100") ?? 0)));
      const mean = Math.exp(logs.reduce((total, log) => total + log, 0) / logs.length);
      expect(Math.abs(mean - speed), model).toBeLessThan(0.006);
    }
  },
);

const models = fileURLToPath(new URL("../../../shared/data/gpu_models.csv", import.meta.url));

test.skipIf(!existsSync(models))(
  "the catalog agrees with the reference figures (skipped where they are absent)",
  () => {
    const rows: readonly Record<string, string>[] = parse(readFileSync(models, "utf8"), { columns: true });
    expect(rows.length).toBeGreaterThan(40);
    for (const row of rows) {
      const model = findGpuModel(row["model_key"] ?? "");
      expect(model?.name).toBe(row["model_key"]);
      expect(model, row["model_key"]).toMatchObject({
        memoryMib: Number(row["memory_gib"]) * 1024,
        memoryBandwidth: Number(row["memory_bw_gbs"]),
        cores: Number(row["cores"]),
        fp32Tflops: Number(row["fp32_tflops"]),
        fp16Tflops: Number(row["fp16_bf16_dense_tflops"]),
        powerWatts: Number(row["tdp_w"]),
        tier: row["flare_tier"],
      });
      for (const cell of (row["uncertain_cells"] ?? "")
        .split(";")
        .filter((text) => text !== "" && !/^(ondemand|spot)/.test(text)))
        expect(model?.uncertain.length, `${model?.name}: ${cell}`).toBeGreaterThan(0);
    }
  },
);

test.for([
  ["us-east4", "us-east-1", "US"],
  ["europe-west10", "eu-central-1", "DE"],
  ["africa-south1", "southafricanorth", "ZA"],
  ["canadaeast", "northamerica-northeast2", "CA"],
] as const)("the regions %s and %s of different clouds lie in %s", ([a, b, country]) => {
  expect(findRegion(a)?.country).toBe(country);
  expect(findRegion(b)?.country).toBe(country);
});

test("no name belongs to two regions", () => {
  const names = regions.flatMap(({ name, aliases }) => [name, ...aliases]);
  expect(names.filter((name, index) => names.indexOf(name) < index)).toEqual([]);
});
