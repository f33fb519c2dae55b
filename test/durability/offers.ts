import { readSnapshot } from "../../adapters/json/snapshot.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";

const offers = Array.from({ length: 12 }, (_, index) => ({
  id: `offer-${String(index).padStart(2, "0")}`,
  provider: index % 2 === 0 ? "alpha" : "beta",
  region: "eu-central-1",
  gpus: 8,
  traits: { gpu: { model: "nvidia-a100" }, cost: { hourly_rate: "2 EUR", basis: "gpu" } },
  capacity: { cpu: "256", memory: "2048Gi", pods: 110 },
}));

/** Twelve offers of eight GPUs: what the services of all rounds sell. */
export const roundSnapshot: Snapshot = readSnapshot({
  version: "rounds",
  at: "2026-03-01T00:00:00Z",
  offers,
});
