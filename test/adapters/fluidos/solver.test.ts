import { expect, test } from "vitest";
import { forgeSolver, uncheckedByFluidos } from "../../../adapters/fluidos/solver.ts";
import type { GpuNeed } from "../../../engine/model/intent.ts";
import { eur, type IntentChanges, intent } from "../../engine/builders.ts";
import { crdCheck, crdFolder } from "../kubernetes/kube-types.ts";

/** Objects as YAML would hold them, members of any shape. */
type Loose = ReturnType<typeof JSON.parse>;

const solver = (changes: IntentChanges = {}, dialect: "fork" | "main" = "fork", more = {}): Loose =>
  forgeSolver(intent(changes), { dialect, ...more });
const filters = (changes: IntentChanges): Record<string, { filter: string; data: Loose }> =>
  Object.fromEntries(
    solver(changes).spec.selector.filters.gpuFilters.map(({ field, ...rest }: Loose) => [field, rest]),
  );

test("F-259: the fork's Solver finds, buys and peers; upstream's only finds, without a selector", () => {
  expect(solver().spec).toMatchObject({ findCandidate: true, reserveAndBuy: true, establishPeering: true });
  expect(solver({ gpu: { model: "nvidia-h100" } }, "main").spec).toEqual({
    intentID: "default-job",
    findCandidate: true,
    reserveAndBuy: false,
    establishPeering: false,
  });
});

test("F-260: its name and labels lead back to the intent, its tenant and user", () => {
  const { metadata } = solver({}, "fork", { user: "jane" });
  expect(metadata.name).toBe("solver-intent-default-job");
  expect(metadata.labels).toMatchObject({
    "flare.io/intent-id": "default-job",
    "flare.io/tenant": "default",
    "flare.io/user": "jane",
  });
});

const need: Partial<GpuNeed> = {
  count: 2,
  vendor: "nvidia",
  model: "nvidia-h100",
  memoryMibMin: 40 * 1024,
  coresMin: 10_000,
  clockMhzMin: 1500,
  fp32TflopsMin: 19.5,
  tier: "premium",
  architecture: "hopper",
  interconnect: "nvlink",
  topology: "nvswitch",
};

test.for([
  ["count", "NumberRangeFilter", { min: 2 }],
  ["vendor", "StringFilter", { value: "nvidia" }],
  ["memory", "ResourceRangeSelector", { min: "80Gi" }],
  ["cores", "ResourceRangeSelector", { min: "20000" }],
  ["clock_speed", "ResourceRangeSelector", { min: "1.5G" }],
  ["fp32_tflops", "NumberRangeFilter", { min: 19.5 }],
  ["tier", "StringFilter", { value: "premium" }],
  ["architecture", "StringFilter", { value: "hopper" }],
  ["interconnect", "StringRangeSelector", { regex: "^(?i:nvlink|nvswitch)$" }],
  ["topology", "StringFilter", { value: "nvswitch" }],
] as const)("F-261: %s is a %s, which the fork's parser accepts for that field", ([field, filter, data]) => {
  expect(filters({ gpu: need })[field]).toEqual({ filter, data });
});

test("a family matches all names of its members and nothing else", () => {
  const regex = filters({ gpu: need })["model"]?.data.regex as string;
  const matches = new RegExp(regex.replace("(?i:", "(?:"), "i");
  for (const name of ["nvidia-h100", "NVIDIA-H100-80GB-HBM3", "nvidia-h100-pcie", "H100"])
    expect(name).toMatch(matches);
  for (const name of ["nvidia-h1000", "nvidia-h200", "my-nvidia-h100", ""]) expect(name).not.toMatch(matches);
});

test("nothing is filtered that the intent does not state, except the number of GPUs", () => {
  expect(Object.keys(filters({}))).toEqual(["count"]);
});

test("F-262: a cap in EUR limits the hourly rate; another currency cannot be compared there", () => {
  expect(filters({ constraints: { maxHourlyCost: eur(5.5) } })["hourly_rate"]).toEqual({
    filter: "NumberRangeFilter",
    data: { max: 5.5 },
  });
  const dollars = { maxHourlyCost: { micro: 5_000_000, currency: "USD" } };
  expect(filters({ constraints: dollars })["hourly_rate"]).toBeUndefined();
  expect(uncheckedByFluidos(intent({ constraints: dollars }), "fork")).toEqual(["max_hourly_cost"]);
});

test("F-263: no location filter is written; the annotation says that the engine checks it", () => {
  const located = solver({ constraints: { locations: [{ text: "eu", kind: "area" }] } });
  expect(JSON.stringify(located.spec)).not.toContain("ocation");
  expect(located.metadata.annotations).toEqual({ "flare.io/checked-by-engine": "location" });
});

test("F-264, F-265: CPU, memory, pods and architecture are filters of the slice, storage never is", () => {
  const resources = { cpuMilli: 4500, memoryMib: 32 * 1024, gpu: { count: 1, preferredModels: [] } };
  const { spec } = solver({ workload: { resources } }, "fork", { architecture: "amd64" });
  expect(spec.selector).toMatchObject({
    flavorType: "K8Slice",
    filters: {
      architectureFilter: { name: "Match", data: { value: "amd64" } },
      cpuFilter: { name: "Range", data: { min: "4500m" } },
      memoryFilter: { name: "Range", data: { min: "32Gi" } },
      podsFilter: { name: "Range", data: { min: "1" } },
    },
  });
  expect(spec.selector.filters).not.toHaveProperty("storageFilter");
});

test("booleans are left to the engine: the fork's filter selects the opposite (B-12)", () => {
  const flags = { dedicated: true, shared: true, multiInstance: true, interruptible: true };
  expect(Object.keys(filters({ gpu: flags }))).toEqual(["count"]);
  expect(uncheckedByFluidos(intent({ gpu: flags }), "fork")).toEqual([
    "gpu.dedicated",
    "gpu.shared",
    "gpu.multi_instance",
    "preemptible",
  ]);
});

test("upstream, every filter is left to the engine and named", () => {
  const named = uncheckedByFluidos(intent({ gpu: need, constraints: { providers: ["rhein"] } }), "main");
  expect(named).toEqual(
    expect.arrayContaining(["filter model", "filter memory", "filter count", "filter provider"]),
  );
});

test("each field has one filter, since the fork keeps only one", () => {
  const { spec } = solver({ gpu: need, constraints: { maxHourlyCost: eur(1), providers: ["a", "b.c"] } });
  const fields = spec.selector.filters.gpuFilters.map(({ field }: Loose) => field);
  expect(new Set(fields).size).toBe(fields.length);
  expect(fields).toContain("provider");
});

test.skipIf(crdFolder === undefined)(
  "both match the Solver's definition (FLARE_CRDS names its folder)",
  () => {
    const check = crdCheck(crdFolder ?? "");
    expect(check(solver({ gpu: need }))).toEqual([]);
    expect(check(solver({ gpu: need }, "main"))).toEqual([]);
  },
);
