import { expect, test } from "vitest";
import { decide, type Offer, states } from "./decide.ts";

/** What a placement costs and how long it takes, and the caps on both: more than one field each. */

test("a whole node is charged whole, a divisible one per GPU (C-07, C-26)", async () => {
  const whole = await decide("workload.resources.gpu.count", 1, {});
  expect(whole.placements).toMatchObject([{ gpus: 1, costMicro: 4_000_000 }]);
  const part = await decide("workload.resources.gpu.count", 1, states("gpu.fluidos.eu/divisible", "true"));
  expect(part.placements).toMatchObject([{ gpus: 1, costMicro: 1_000_000 }]);
  const perGpu = await decide("workload.resources.gpu.count", 2, states("cost.fluidos.eu/basis", "gpu"));
  expect(perGpu.placements).toMatchObject([{ gpus: 2, costMicro: 8_000_000 }]);
});

test("a cap counts every replica that runs", async () => {
  const base = {
    workload: {
      type: "service",
      name: "i",
      image: "x",
      scaling: { min_replicas: 2 },
      resources: { gpu: { count: 2 } },
    },
  };
  const offer = states("gpu.fluidos.eu/divisible", "true");
  expect((await decide("constraints.max_hourly_cost", "4 EUR", offer, base)).outcome).toBe("placed");
  const refused = await decide("constraints.max_hourly_cost", "3.99 EUR", offer, base);
  expect(refused).toMatchObject({ outcome: "refused", reason: "COST_LIMIT_EXCEEDED" });
  expect(refused.counterfactuals).toMatchObject([
    { changes: [{ path: "constraints.max_hourly_cost", from: "3.99 EUR", to: "4.00 EUR" }] },
  ]);
  const alone = await decide("constraints.max_hourly_cost", "1.99 EUR", offer, base);
  expect(alone.rejections).toEqual({ max_hourly_cost: 1 });
});

test("tasks that may run in waves run as many at once as the carbon cap allows", async () => {
  const offer = {
    annotations: {
      "gpu.fluidos.eu/model": "nvidia-h100",
      "gpu.fluidos.eu/divisible": "true",
      "energy.fluidos.eu/carbon-intensity-g-kwh": "100",
      "energy.fluidos.eu/pue": "1",
    },
  };
  const four = {
    workload: { type: "batch", name: "i", image: "x", batch: { parallel_tasks: 4 }, resources: { gpu: {} } },
  };
  for (const [cap, tasks] of [
    ["280g CO2/h", 4],
    ["279g CO2/h", 3],
    ["70g CO2/h", 1],
  ] as const) {
    const { placements } = await decide("constraints.energy.max_carbon_footprint", cap, offer, four);
    expect(placements).toMatchObject([{ replicas: tasks }]);
  }
});

const batch = (more: object): Offer => ({
  workload: {
    type: "batch",
    name: "i",
    image: "x",
    batch: { parallel_tasks: 1, ...more },
    resources: { gpu: { count: 4 } },
  },
});

test("the total cost of a batch is its price times its runtime (C-36)", async () => {
  const base = batch({ timeout: "2h" });
  expect((await decide("constraints.max_total_cost", "8 EUR", {}, base)).outcome).toBe("placed");
  expect((await decide("constraints.max_total_cost", "7.99 EUR", {}, base)).rejections).toEqual({
    max_total_cost: 1,
  });
});

test("a node that is sold whole is paid for as long as its tasks take in turns", async () => {
  const offer = { capacity: { cpu: "8" } };
  const four = {
    workload: {
      type: "batch",
      name: "i",
      image: "x",
      batch: { parallel_tasks: 4, timeout: "1h" },
      resources: { cpu: "4", gpu: {} },
    },
  };
  // two tasks at a time, for the CPU: two hours of the node at 4 EUR
  expect((await decide("constraints.max_total_cost", "8 EUR", offer, four)).outcome).toBe("placed");
  expect((await decide("constraints.max_total_cost", "7.99 EUR", offer, four)).rejections).toEqual({
    max_total_cost: 1,
  });
  expect((await decide("constraints.deadline", "2026-11-24T12:00:00Z", offer, four)).outcome).toBe("placed");
  expect((await decide("constraints.deadline", "2026-11-24T11:59:59Z", offer, four)).outcome).not.toBe(
    "placed",
  );
});

test("a batch must finish by its deadline", async () => {
  const base = batch({ timeout: "2h" });
  expect((await decide("constraints.deadline", "2026-11-24T12:00:00Z", {}, base)).outcome).toBe("placed");
  expect((await decide("constraints.deadline", "2026-11-24T11:59:59Z", {}, base)).rejections).toEqual({
    deadline: 1,
  });
});

test("a service must start by its deadline", async () => {
  const cold = states("performance.fluidos.eu/cold-start-s", "60");
  expect((await decide("constraints.deadline", "2026-11-24T10:01:00Z", cold)).outcome).toBe("placed");
  expect((await decide("constraints.deadline", "2026-11-24T10:00:59Z", cold)).rejections).toEqual({
    deadline: 1,
  });
});

test("an offer in a currency without a rate is rejected for that reason, and never mixed", async () => {
  const decision = await decide("objective", "Cost_Minimization", states("cost.fluidos.eu/currency", "USD"));
  expect(decision.rejections).toEqual({ "offer.currency": 1 });
});
