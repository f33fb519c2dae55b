import { expect, test } from "vitest";
import { readIntent } from "../../adapters/json/intent.ts";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { findGpuModel, type GpuModel, plan, prepare, resolvePlace } from "../../engine/index.ts";
import { decide, decideOn, intentDocument, type Offer, states } from "./decide.ts";

const models = [
  "nvidia-h100",
  "nvidia-a100",
  "nvidia-rtx-4090",
  "nvidia-rtx-4080",
  "nvidia-rtx-3090",
  "nvidia-v100",
  "nvidia-t4",
  "amd-mi300x",
  "amd-rx-7900-xtx",
  // named by the documents outside the closed list
  "nvidia-rtx-3080",
  "nvidia-rtx-a6000",
  "nvidia-a6000",
  "nvidia-h200",
  "amd-mi250",
  "amd-mi250x",
  "amd-w7900",
  "nvidia-rtx-4080-mobile",
  "intel-flex-170",
];

test.for(models)("F-068: %s is a model that an offer can have and an intent can ask for", async (name) => {
  expect(findGpuModel(name)?.memoryMib).toBeGreaterThan(0);
  const decision = await decide("workload.resources.gpu.model", name, states("gpu.fluidos.eu/model", name));
  expect(decision.outcome).toBe("placed");
  expect(decision.warnings.filter(({ code }) => code !== "alias")).toEqual([]);
});

test("F-068: the list is open, a model that the catalog does not know is still one", async () => {
  const offer = states("gpu.fluidos.eu/model", "nvidia-x9000");
  const decision = await decide("workload.resources.gpu.model", "nvidia-x9000", offer);
  expect(decision).toMatchObject({ outcome: "placed", warnings: [{ code: "suspicious" }] });
});

test.for([
  ["nvidia-h100", "premium"],
  ["nvidia-a100", "premium"],
  ["nvidia-rtx-a6000", "standard"],
  ["amd-w7900", "standard"],
  ["nvidia-rtx-4090", "gaming"],
  ["nvidia-rtx-3090", "gaming"],
  ["amd-rx7900xtx", "gaming"],
  ["nvidia-t4", "inference"],
  ["intel-flex-170", "inference"],
] as const)(
  "F-069, C-22: the catalog puts %s into tier %s, and an offer's own word wins",
  async ([model, tier]) => {
    const offer = (own?: string): Offer => ({
      annotations: {
        "gpu.fluidos.eu/model": model,
        ...(own === undefined ? {} : { "gpu.fluidos.eu/tier": own }),
      },
    });
    expect((await decide("workload.resources.gpu.tier", tier, offer())).outcome).toBe("placed");
    expect((await decide("workload.resources.gpu.tier", tier, offer("budget"))).outcome).not.toBe("placed");
    expect((await decide("workload.resources.gpu.tier", "economy", offer("budget"))).outcome).toBe("placed");
  },
);

/** Figures that links are known for, GB/s. */
test.for<[string, string, number, number]>([
  ["nvidia-h100-sxm", "nvlink", 600, 900],
  ["nvidia-a100-80-sxm", "nvlink", 600, 900],
  ["nvidia-rtx-4090", "pcie", 32, 64],
  ["nvidia-t4", "pcie", 16, 64],
])("F-070: %s is linked by %s at %i to %i GB/s", ([name, link, least, most]) => {
  const { interconnect, interconnectBandwidth } = findGpuModel(name) as GpuModel;
  expect(interconnect).toBe(link);
  expect(interconnectBandwidth).toBeGreaterThanOrEqual(least);
  expect(interconnectBandwidth).toBeLessThanOrEqual(most);
});

test.for(["all-to-all", "nvswitch", "ring", "mesh"])(
  "F-071: topology %s is a value of its own: it admits its like and none of the others",
  async (wanted) => {
    for (const offered of ["all-to-all", "nvswitch", "ring", "mesh"]) {
      const decision = await decide(
        "workload.resources.gpu.topology",
        wanted,
        states("gpu.fluidos.eu/topology", offered),
      );
      expect(decision.outcome === "placed").toBe(offered === wanted);
    }
  },
);

test.for([
  ["EU", ["eu-west-1", "eu-central-1"], ["eu-west-2", "us-east-1"]],
  ["US", ["us-east-1", "us-west-2"], ["ca-central-1", "eu-west-1"]],
  ["Asia", ["ap-northeast-1", "ap-southeast-1", "ap-south-1"], ["eu-west-1", "ap-southeast-2"]],
  ["Canada", ["ca-central-1"], ["us-east-1"]],
  ["Australia", ["ap-southeast-2"], ["ap-southeast-1"]],
  ["Brazil", ["sa-east-1"], ["us-east-1"]],
  ["India", ["ap-south-1"], ["ap-southeast-1"]],
  ["Japan", ["ap-northeast-1"], ["ap-southeast-1"]],
  ["Singapore", ["ap-southeast-1"], ["ap-northeast-1"]],
] as const)("F-093: %s takes offers in %j and none in %j", async ([place, inside, outside]) => {
  expect(resolvePlace(place)).not.toBeNull();
  for (const region of [...inside, ...outside]) {
    const decision = await decide(
      "constraints.location",
      place,
      states("location.fluidos.eu/region", region),
    );
    expect([region, decision.outcome === "placed"]).toEqual([
      region,
      (inside as readonly string[]).includes(region),
    ]);
  }
});

// ------------------------------------------------------------------------------------------------------------ objectives

const at = (id: string, annotations: Record<string, string>): Offer => ({
  id,
  annotations: { "energy.fluidos.eu/pue": "1.2", ...annotations },
});
const known: readonly Offer[] = [
  at("cheap", {
    "gpu.fluidos.eu/model": "nvidia-t4",
    "cost.fluidos.eu/hourly-rate": "0.2",
    "network.fluidos.eu/latency-ms": "80",
    "energy.fluidos.eu/carbon-intensity-g-kwh": "400",
  }),
  at("fast", {
    "gpu.fluidos.eu/model": "nvidia-h200-sxm",
    "cost.fluidos.eu/hourly-rate": "4",
    "network.fluidos.eu/latency-ms": "90",
    "energy.fluidos.eu/carbon-intensity-g-kwh": "400",
  }),
  at("near", {
    "gpu.fluidos.eu/model": "nvidia-t4",
    "cost.fluidos.eu/hourly-rate": "3",
    "network.fluidos.eu/latency-ms": "5",
    "energy.fluidos.eu/carbon-intensity-g-kwh": "400",
  }),
  at("green", {
    "gpu.fluidos.eu/model": "nvidia-t4",
    "cost.fluidos.eu/hourly-rate": "3",
    "network.fluidos.eu/latency-ms": "80",
    "energy.fluidos.eu/carbon-intensity-g-kwh": "1",
  }),
  at("balanced", {
    "gpu.fluidos.eu/model": "nvidia-l4",
    "cost.fluidos.eu/hourly-rate": "0.4",
    "network.fluidos.eu/latency-ms": "10",
    "energy.fluidos.eu/carbon-intensity-g-kwh": "400",
  }),
];

test.for([
  ["F-023", "Performance_Maximization", "fast"],
  ["F-024", "Cost_Minimization", "cheap"],
  ["F-025", "Latency_Minimization", "near"],
  ["F-026", "Energy_Efficiency", "green"],
  ["F-027", "Balanced_Optimization", "balanced"],
] as const)(
  "%s: %s takes the offer that is best by it, whatever else it costs",
  async ([, objective, offer]) => {
    const { placements } = await decideOn({ intent: { objective }, offers: known });
    expect(placements).toMatchObject([{ offer }]);
  },
);

test("F-025: of two offers equally near, the one that starts faster is taken", async () => {
  const offers = ["60", "5"].map((seconds, index) =>
    at(`o${index}`, { "network.fluidos.eu/latency-ms": "5", "performance.fluidos.eu/cold-start-s": seconds }),
  );
  const { placements } = await decideOn({ intent: { objective: "Latency_Minimization" }, offers });
  expect(placements).toMatchObject([{ offer: "o1" }]);
});

// ---------------------------------------------------------------------------------------------------------- speed and scores

test.for([
  ["F-205", "training"],
  ["F-206", "inference"],
  ["F-207", "hpc"],
  ["F-208", "graphics"],
] as const)(
  "%s: a stated %s score corrects the speed that decides, for that kind of work only",
  async ([, kind]) => {
    const other = kind === "hpc" ? "training" : "hpc";
    const offers = [
      at("a", { "gpu.fluidos.eu/model": "nvidia-l4" }),
      at("b", { "gpu.fluidos.eu/model": "nvidia-l4", [`workload.fluidos.eu/${kind}-score`]: "1.0" }),
    ];
    const chosen = async (work: string) =>
      (await decideOn({ intent: { objective: "Performance_Maximization", "workload.kind": work }, offers }))
        .placements;
    expect(await chosen(kind)).toMatchObject([{ offer: "b" }]);
    expect(await chosen(other)).toMatchObject([{ offer: "a" }]);
  },
);

test("F-210, F-257: latency is what the offer measured, and only felt from the hub", async () => {
  const offers = [
    at("far", { "location.fluidos.eu/region": "us-east-1", "network.fluidos.eu/latency-ms": "3" }),
    at("near", { "location.fluidos.eu/region": "eu-central-1", "network.fluidos.eu/latency-ms": "9" }),
  ];
  const chosen = async (intent: Record<string, unknown>) =>
    (await decideOn({ intent: { objective: "Latency_Minimization", ...intent }, offers })).placements;
  expect(await chosen({})).toMatchObject([{ offer: "far" }]);
  expect(await chosen({ "constraints.origin": "eu-central-1" })).toMatchObject([{ offer: "near" }]);
});

// ----------------------------------------------------------------------------------------------------------- reason codes

const federation = (offer: object = {}) =>
  prepare(
    readSnapshot({
      at: "2026-11-24T10:00:00Z",
      offers: [
        {
          id: "o",
          annotations: {
            "provider.fluidos.eu/name": "p",
            "gpu.fluidos.eu/model": "nvidia-t4",
            "gpu.fluidos.eu/count": "4",
            "location.fluidos.eu/region": "eu-west-1",
            "cost.fluidos.eu/hourly-rate": "1",
            ...offer,
          },
        },
      ],
    }),
  );

test.for<[string, string, string, unknown]>([
  ["F-158", "GPU_MODEL_UNAVAILABLE", "workload.resources.gpu.model", "nvidia-h100"],
  ["F-159", "GPU_MEMORY_INSUFFICIENT", "workload.resources.gpu.memory_min", "80Gi"],
  ["F-160", "GPU_COUNT_INSUFFICIENT", "workload.resources.gpu.count", 8],
  ["F-161", "REGION_UNAVAILABLE", "constraints.location", "Japan"],
  ["F-162", "COST_LIMIT_EXCEEDED", "constraints.max_hourly_cost", "0.50 EUR"],
  ["F-157", "INSUFFICIENT_RESOURCES", "workload.scaling", { min_replicas: 5 }],
])("%s: %s is the reason when %s alone stands in the way", async ([, reason, path, value]) => {
  const { decisions } = await plan(federation(), [readIntent(intentDocument({ [path]: value }))]);
  expect(decisions).toMatchObject([{ outcome: "refused", reason }]);
});
