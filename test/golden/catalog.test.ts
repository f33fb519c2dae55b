import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { gpuModels } from "../../engine/catalog/gpus.ts";
import { regions } from "../../engine/catalog/regions.ts";
import { relativeSpeed } from "../../engine/catalog/speed.ts";
import { fill } from "./reference.ts";

const write = process.env["FLARE_GOLDEN"] === "write";

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const gpus = table(
  [
    "model",
    "also a",
    "architecture",
    "tier",
    "GiB",
    "GB/s",
    "cores",
    "FP32 TFLOPS",
    "FP16 TFLOPS",
    "W",
    "link",
    "doubtful",
  ],
  gpuModels.map((model) => [
    `\`${model.name}\``,
    model.families
      .slice(1)
      .map((family) => `\`${family}\``)
      .join(", "),
    model.architecture,
    model.tier,
    model.memoryMib / 1024,
    model.memoryBandwidth,
    model.cores,
    model.fp32Tflops,
    model.fp16Tflops,
    model.powerWatts,
    `${model.interconnect} ${model.interconnectBandwidth} GB/s`,
    model.uncertain.join("; "),
  ]),
);

const kinds = ["training", "inference", "hpc", "graphics"] as const;
const speeds = table(
  ["model", ...kinds],
  gpuModels.map((model) => [
    `\`${model.name}\``,
    ...kinds.map((kind) => relativeSpeed(model, kind).toFixed(2)),
  ]),
);

const places = table(
  ["region", "also", "city", "country", "areas", "gCO2/kWh", "PUE", "doubtful"],
  regions.map((region) => [
    `\`${region.name}\``,
    region.aliases.map((alias) => `\`${alias}\``).join(", "),
    region.city,
    region.country,
    region.areas.join(", "),
    region.carbonIntensity,
    region.pue,
    region.uncertain.join("; "),
  ]),
);

test("the catalog reference has the tables of the catalogs", () => {
  const path = fileURLToPath(new URL("../../docs/reference/catalog.md", import.meta.url));
  const before = readFileSync(path, "utf8");
  const text = fill(fill(fill(before, "gpus", gpus), "speeds", speeds), "regions", places);
  if (write) writeFileSync(path, text);
  expect(readFileSync(path, "utf8")).toBe(text);
});
