import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import type { Constraints, Intent, Workload } from "../../../engine/model/intent.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, intent, snapshot } from "../builders.ts";

interface Site {
  readonly provider?: string;
  readonly region?: string;
  readonly zone?: string;
  readonly gpus?: number;
  readonly price?: number;
}

const at = (
  id: string,
  { provider = "alpha", region = "eu-central-1", zone = "a", gpus = 2, price = 1 }: Site,
): Flavor =>
  flavor(id, {
    provider,
    region,
    zone: `${region}${zone}`,
    capacity: { gpus, gpusFree: gpus },
    price: { basis: "gpu", onDemand: eur(price) },
  });

/** Replicas of two GPUs each. */
const gang = (
  replicas: number,
  workload: Partial<Workload>,
  {
    objective = "performance",
    ...constraints
  }: Partial<Constraints> & { objective?: Intent["objective"] } = {},
): Intent =>
  intent({
    name: "gang",
    objective,
    gpu: { count: 2 },
    workload: {
      type: "batch",
      batch: {
        parallelTasks: replicas,
        maxRetries: 0,
        completionPolicy: "All",
        estimatedRuntimeSeconds: 3600,
        estimatedOn: "nvidia-a100",
      },
      ...workload,
    },
    constraints,
  });

interface Case {
  readonly name: string;
  readonly offers: readonly Flavor[];
  readonly intent: Intent;
  /** Offers with replicas, or the reason. */
  readonly expected: string;
}

const near = at("near-1", { price: 3 });
const here = at("x-here", { price: 1 });
const abroad = at("y-abroad", { region: "us-east-1", price: 1 });
const foreign = at("z-foreign", { provider: "beta", region: "us-east-1", price: 1 });

test.for<Case>([
  {
    name: "colocated: all replicas in one offer",
    offers: [here, abroad, at("big", { gpus: 4, price: 9 })],
    intent: gang(2, { deploymentStrategy: "colocated" }, { objective: "cost" }),
    expected: "bigx2",
  },
  {
    name: "colocated where no offer is large enough: refused, although two together were",
    offers: [here, abroad],
    intent: gang(2, { deploymentStrategy: "colocated", communicationPattern: "all-reduce" }),
    expected: "GPU_COUNT_INSUFFICIENT",
  },
  {
    name: "distributed: one replica per offer, however large",
    offers: [at("big", { gpus: 8 }), here],
    intent: gang(2, { deploymentStrategy: "distributed", communicationPattern: "all-reduce" }),
    expected: "bigx1 x-herex1",
  },
  {
    name: "flexible and all-reduce: together in a dearer zone rather than cheap across the ocean",
    offers: [here, abroad, near],
    intent: gang(2, { deploymentStrategy: "flexible", communicationPattern: "all-reduce" }),
    expected: "near-1x1 x-herex1",
  },
  {
    name: "all-reduce for cost: three times as slow across regions costs three times as much",
    offers: [here, abroad, near],
    intent: gang(2, { communicationPattern: "all-reduce" }, { objective: "cost" }),
    expected: "near-1x1 x-herex1",
  },
  {
    name: "independent replicas go where it is cheapest",
    offers: [here, abroad, near],
    intent: gang(
      2,
      {
        type: "service",
        communicationPattern: "independent",
        scaling: {
          minReplicas: 2,
          maxReplicas: 2,
          autoScale: false,
          targetCpuPercent: 80,
          targetGpuPercent: 80,
        },
      },
      { objective: "cost" },
    ),
    expected: "x-herex1 y-abroadx1",
  },
  {
    name: "a pipeline bears distance that an all-reduce does not",
    offers: [here, abroad, near],
    intent: gang(2, { communicationPattern: "pipeline" }, { objective: "cost" }),
    expected: "x-herex1 y-abroadx1",
  },
  {
    name: "one provider rather than two",
    offers: [here, abroad, foreign],
    intent: gang(2, { communicationPattern: "all-reduce" }),
    expected: "x-herex1 y-abroadx1",
  },
  {
    name: "a distance that breaks the deadline is no place, the nearer one is",
    offers: [here, abroad, near],
    intent: gang(
      2,
      { communicationPattern: "pipeline" },
      { objective: "cost", deadline: "2026-01-05T13:10:00Z" },
    ),
    expected: "near-1x1 x-herex1",
  },
  {
    name: "replicas over three regions on request (UC-9)",
    offers: [
      at("a-1", {}),
      at("a-2", { price: 1.5 }),
      at("b-1", { region: "eu-west-1", price: 2 }),
      at("c-1", { region: "eu-north-1", price: 3 }),
    ],
    intent: gang(
      3,
      { communicationPattern: "all-reduce" },
      { objective: "cost", spread: { by: "region", minDomains: 3 } },
    ),
    expected: "a-1x1 b-1x1 c-1x1",
  },
  {
    name: "a gang larger than the federation is refused, whatever is free",
    offers: [here, abroad],
    intent: gang(3, { communicationPattern: "all-reduce" }),
    expected: "INSUFFICIENT_RESOURCES",
  },
])("$name", async ({ offers, intent: wanted, expected }) => {
  const { decisions } = await plan(prepare(snapshot(offers)), [wanted]);
  const [one] = decisions;
  const told =
    one!.outcome === "placed"
      ? one!.placements.map(({ offer, replicas }) => `${offer}x${replicas}`).join(" ")
      : one!.reason;
  expect(told).toBe(expected);
});

test("a gang larger than the federation is told what there is, and the others are planned", async () => {
  const { decisions } = await plan(prepare(snapshot([here, abroad])), [
    gang(3, { communicationPattern: "all-reduce" }),
    intent({ name: "small" }),
  ]);
  expect(decisions[0]).toMatchObject({ outcome: "refused" });
  expect(decisions[0]!.message).toContain("even if nothing else ran, only 2 of 3 replicas find a place");
  expect(decisions[1]).toMatchObject({ outcome: "placed" });
});

test("the slowdown of a distance is in the criteria and among the notes", async () => {
  const { decisions } = await plan(prepare(snapshot([here, abroad])), [
    gang(2, { communicationPattern: "all-reduce" }),
  ]);
  const [alone] = (await plan(prepare(snapshot([at("big", { gpus: 4 })])), [gang(2, {})])).decisions;
  expect(decisions[0]!.criteria!.slowness.value).toBeCloseTo(3 * alone!.criteria!.slowness.value, 9);
  expect(decisions[0]!.warnings.map(({ message }) => message)).toContain(
    "all-reduce over 2 offers (provider apart) is taken as 3 times as slow as within one",
  );
});
