import { expect, test } from "vitest";
import { readIntent } from "../../../adapters/json/intent.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";

test("an intent is read with its units converted", () => {
  const intent = readIntent({
    intent: {
      objective: "Cost_Minimization",
      workload: {
        type: "service",
        name: "chat",
        image: "registry.local/chat:1",
        resources: { cpu: "4.5", memory: "32Gi", gpu: { count: 1, memory_min: "70Gi" } },
      },
      constraints: { max_hourly_cost: "2 EUR", location: "EU", max_latency_ms: 100 },
    },
  });
  expect(intent.workload.resources).toEqual({
    cpuMilli: 4500,
    memoryMib: 32768,
    gpu: { count: 1, preferredModels: [], memoryMibMin: 71680 },
  });
  expect(intent.constraints.maxHourlyCost).toEqual({ micro: 2_000_000, currency: "EUR" });
  expect(intent.constraints.locations).toEqual([{ text: "eu", kind: "area" }]);
});

test("a broken offer is skipped and the rest is read", () => {
  const good = {
    "provider.fluidos.eu/name": "p1",
    "gpu.fluidos.eu/model": "nvidia-h100",
    "gpu.fluidos.eu/count": "4",
    "location.fluidos.eu/region": "eu-west-1",
    "cost.fluidos.eu/hourly-rate": "4.5",
  };
  const snapshot = readSnapshot({
    at: "2026-11-24T10:00:00Z",
    offers: [
      { id: "b", annotations: { ...good, "gpu.fluidos.eu/count": "0" } },
      { id: "a", annotations: good },
    ],
  });
  expect(snapshot.offers.map((offer) => offer.id)).toEqual(["a"]);
  expect(snapshot.skipped.map((offer) => offer.id)).toEqual(["b"]);
});
