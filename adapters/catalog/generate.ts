import { type GpuModel, gpuModels } from "../../engine/catalog/gpus.ts";
import { type Region, regions } from "../../engine/catalog/regions.ts";

/** A pseudo-random stream with 32 bits of state (mulberry32): small, fast, the same everywhere. */
export function randomStream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Rough list price of a model in EUR per GPU-hour, from its power: what hardware costs to run tracks its price. */
function listPrice(model: GpuModel): number {
  const perTier: Readonly<Record<string, number>> = {
    premium: 3.6,
    standard: 2.6,
    gaming: 1.0,
    inference: 3.8,
    budget: 2.5,
  };
  return (model.powerWatts / 1000) * (perTier[model.tier] ?? 2);
}

const providers: readonly string[] = [
  "aurora",
  "boreas",
  "cirrus",
  "delta",
  "etna",
  "fjord",
  "geyser",
  "halo",
  "ister",
  "juno",
];

interface Draw {
  readonly next: () => number;
  readonly below: (bound: number) => number;
  readonly chance: (share: number) => boolean;
}

/** One offer in the snapshot's JSON form. About one trait in six is not stated, as with real providers. */
function offer(index: number, { next, below, chance }: Draw): Record<string, unknown> {
  // Squaring favors the first models and regions: a federation has many offers of few kinds.
  const model = gpuModels[Math.floor(next() * next() * gpuModels.length)]!;
  const region: Region = regions[Math.floor(next() * next() * regions.length)]!;
  const provider = providers[below(providers.length)]!;
  const gpus = [1, 2, 4, 8][below(4)]!;
  const basis = chance(0.5) ? "gpu" : "node";
  const rate = listPrice(model) * (0.6 + 0.9 * next()) * (basis === "gpu" ? 1 : gpus);
  const preemptible = chance(0.2);
  // Drawn once: the rates of one offer are in one currency.
  const currency = chance(0.1) ? "USD" : "EUR";
  const money = (amount: number): string => `${amount.toFixed(4)} ${currency}`;
  const spot = !preemptible && chance(0.3) ? { spot_rate: money(rate * (0.3 + 0.3 * next())) } : {};
  const cost = preemptible
    ? { spot_rate: money(rate * (0.3 + 0.3 * next())), basis }
    : { hourly_rate: money(rate), ...spot, basis };
  const known = <T>(value: T): T | undefined => (chance(5 / 6) ? value : undefined);
  return {
    id: `${provider}-${String(index).padStart(7, "0")}`,
    provider,
    region: region.name,
    zone: `${region.name}-${"abc"[below(3)]}`,
    gpus,
    free_gpus: below(gpus + 1),
    capacity: {
      cpu: String(gpus * [8, 16, 24][below(3)]!),
      memory: `${gpus * [60, 120, 240][below(3)]!}Gi`,
      pods: 110,
    },
    traits: {
      gpu: {
        model: model.name,
        multi_gpu_efficiency: known(Math.round((0.6 + 0.39 * next()) * 100) / 100),
        dedicated: known(chance(0.7)),
      },
      cost,
      network: {
        latency_ms: chance(0.5) ? 2 + below(200) : undefined,
        bandwidth_gbps: known([10, 25, 50, 100, 200][below(5)]),
      },
      energy: { renewable_percent: known(below(101)), green_certified: known(chance(0.3)) },
      compliance: { gdpr: known(chance(0.8)), encryption_at_rest: known(chance(0.9)) },
      performance: {
        uptime_percent: known(Math.round((98 + 2 * next()) * 100) / 100),
        cold_start_s: known(5 + below(120)),
      },
    },
  };
}

/**
 * A made-up federation of `count` offers in the snapshot's JSON form; the same count and seed give the same document.
 * Ten providers sell the catalogue's models in the catalogue's regions, per GPU or whole, on demand, on spot or both,
 * partly occupied, with gaps in what they state.
 */
export function generateSnapshot(count: number, seed: number): Record<string, unknown> {
  const next = randomStream(seed);
  const draw: Draw = {
    next,
    below: (bound) => Math.floor(next() * bound),
    chance: (share) => next() < share,
  };
  return {
    version: `generated-${count}-${seed}`,
    at: "2026-01-15T09:00:00Z",
    currency: "EUR",
    rates: { USD: "0.88" },
    hub: "eu-central-1",
    offers: Array.from({ length: count }, (_, index) => offer(index, draw)),
  };
}
