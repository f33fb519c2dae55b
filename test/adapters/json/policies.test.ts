import { expect, test } from "vitest";
import { forgePlan } from "../../../adapters/json/decision.ts";
import { readIntent } from "../../../adapters/json/intent.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import { renderPlan } from "../../../cli/render/decision.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import { plan } from "../../../engine/plan.ts";

const offer = (id: string, gpus: number, free: number, rate: string) => ({
  id,
  provider: "alpha",
  region: "eu-central-1",
  gpus,
  free_gpus: free,
  traits: { gpu: { model: "nvidia-a100" }, cost: { hourly_rate: `${rate} EUR`, basis: "gpu" } },
});
const job = (name: string, tenant: string, fields: object, gpus = 2) =>
  readIntent({
    intent: {
      tenant,
      objective: "Cost_Minimization",
      workload: {
        type: "service",
        name,
        image: "registry.example/work:1",
        resources: { gpu: { count: gpus } },
      },
      ...fields,
    },
  });

const snapshot = readSnapshot({
  at: "2026-11-23T12:00:00Z",
  offers: [offer("busy", 2, 0, "1.00"), offer("small", 1, 1, "0.50"), offer("dear", 2, 2, "9.00")],
  tenants: [
    { name: "own", cohort: "pool", quotas: [{ gpu_class: "*", nominal: 2 }] },
    { name: "other", cohort: "pool", quotas: [{ gpu_class: "*", nominal: 1 }] },
  ],
  holdings: [
    {
      intent: "old",
      offer: "busy",
      gpus: 2,
      since: "2026-11-23T11:00:00Z",
      priority: "low",
      tenant: "guest",
    },
  ],
});
const made = await plan(prepare(snapshot), [
  job("urgent", "own", { priority: "high", constraints: { max_hourly_cost: "2 EUR" } }),
  job("more", "own", {}),
  job("first", "free", { bid: { max_price_per_gpu_hour: "3 EUR" } }, 1),
  job("second", "free", { bid: { max_price_per_gpu_hour: "2 EUR" } }, 1),
]);

test("a plan tells operators who makes way, whose quota is short, who could lend and what auctions cleared", () => {
  expect(forgePlan(made, snapshot)).toMatchObject({
    evictions: [
      {
        intent: "old",
        tenant: "guest",
        cause: "priority",
        by: "urgent",
        from: [{ offer: "busy", gpus: 2 }],
        lost_seconds: 3600,
        lost: { amount: 2.066667, currency: "EUR" },
        outcome: "unknown",
        to: [],
      },
    ],
    preemptions: [{ intent: "urgent", victims: ["old"] }],
    quotas: [{ intent: "more", tenant: "own", resource: "*", nominal: 2, asked: 2 }],
    clearings: [{ offer: "small", price: { amount: 2, currency: "EUR" }, winners: ["first"] }],
  });
});

test("people read the same", () => {
  const text = renderPlan(made);
  for (const part of [
    "Evictions",
    "old",
    "60 min + 2 min, 2.067 EUR",
    "Quotas in the way",
    "makes way for it: 1 of other tenants",
    "quota of all GPUs",
    "bid for small: won with 3.00 EUR, price 2.00 EUR per GPU-hour",
    "bid for small: lost with 2.00 EUR",
  ])
    expect(text).toContain(part);
});
