import { readIntent } from "../adapters/json/intent.ts";
import { readSnapshot } from "../adapters/json/snapshot.ts";
import { createRandom } from "../engine/assign/random.ts";
import { prepare } from "../engine/compile/catalog.ts";
import type { Intent } from "../engine/model/intent.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { plan } from "../engine/plan.ts";
import { type Failover, failover } from "../engine/resilience/failover.ts";
import { aim, median, spread, type Topic } from "./report.ts";

const models = ["nvidia-t4", "nvidia-l4", "nvidia-a10", "nvidia-a100", "nvidia-h100"] as const;
const regions = ["eu-central-1", "eu-west-1", "eu-north-1", "us-east-1", "us-west-2"] as const;
const prices: Readonly<Record<string, number>> = {
  "nvidia-t4": 0.4,
  "nvidia-l4": 0.8,
  "nvidia-a10": 0.9,
  "nvidia-a100": 2,
  "nvidia-h100": 3.2,
};
/** Share of a model's offers that each kind of work may use, and what it asks for. */
const kinds = [
  { memory: "14Gi", gpus: 1, location: "EU" },
  { memory: "14Gi", gpus: 1 },
  { memory: "20Gi", gpus: 2 },
  { memory: "20Gi", gpus: 1, location: "EU" },
  { memory: "38Gi", gpus: 4 },
  { memory: "38Gi", gpus: 1, location: "US" },
  { memory: "70Gi", gpus: 8, location: "EU" },
  { memory: "70Gi", gpus: 2 },
] as const;
const memoryOf: Readonly<Record<string, number>> = {
  "nvidia-t4": 16,
  "nvidia-l4": 24,
  "nvidia-a10": 24,
  "nvidia-a100": 40,
  "nvidia-h100": 80,
};

/** A federation of ten providers at about 70 % of its capacity, with the intents of what runs. */
export function generateRunning(
  holdings: number,
  seed: number,
): { readonly snapshot: Snapshot; readonly intents: Intent[] } {
  const random = createRandom(seed);
  const count = Math.ceil(holdings / 8);
  const offers = Array.from({ length: count }, (_, index) => {
    const model = models[random.below(models.length)]!;
    const region = regions[random.below(regions.length)]!;
    const gpus = [16, 24, 32, 40][random.below(4)]!;
    const rate = (prices[model]! * (0.8 + 0.4 * random.next())).toFixed(3);
    const provider = `provider-${index % 10}`;
    return { id: `offer-${String(index).padStart(5, "0")}`, provider, region, model, gpus, rate, used: 0 };
  });
  const documents: unknown[] = [];
  const running: object[] = [];
  while (running.length < holdings) {
    const kind = kinds[random.below(kinds.length)]!;
    const offer = offers[random.below(offers.length)]!;
    const fits =
      offer.used + kind.gpus <= offer.gpus * 0.75 &&
      memoryOf[offer.model]! >= Number.parseInt(kind.memory, 10) &&
      (!("location" in kind) || kind.location === (offer.region.startsWith("eu") ? "EU" : "US"));
    // about one draw in three fits; a federation that is full ends the loop by the share above
    if (!fits) continue;
    offer.used += kind.gpus;
    const name = `run-${String(running.length).padStart(6, "0")}`;
    documents.push({
      intent: {
        objective: "Cost_Minimization",
        workload: {
          type: "service",
          name,
          image: "registry.example/serve:1",
          resources: { gpu: { count: kind.gpus, memory_min: kind.memory } },
        },
        constraints: "location" in kind ? { location: kind.location } : {},
      },
    });
    const since = "2026-11-20T00:00:00Z";
    running.push({ intent: name, offer: offer.id, gpus: kind.gpus, since });
  }
  const snapshot = readSnapshot({
    at: "2026-11-23T12:00:00Z",
    currency: "EUR",
    offers: offers.map(({ id, provider, region, model, gpus, rate, used }) => ({
      id,
      provider,
      region,
      gpus,
      free_gpus: gpus - used,
      traits: {
        gpu: { model, memory: `${memoryOf[model]}Gi` },
        cost: { hourly_rate: `${rate} EUR`, basis: "gpu" },
      },
    })),
    holdings: running,
  });
  return { snapshot, intents: documents.map((document) => readIntent(document)) };
}

/** Everything planned anew without the lost offers: what pinning spares. */
async function anew(snapshot: Snapshot, intents: readonly Intent[]) {
  const left = snapshot.offers.filter(({ provider }) => provider !== "lost");
  const empty: Snapshot = {
    ...snapshot,
    holdings: [],
    offers: left.map((offer) => ({
      ...offer,
      capacity: { ...offer.capacity, gpusFree: offer.capacity.gpus },
    })),
  };
  const start = performance.now();
  const { decisions } = await plan(prepare(empty), intents, { explain: false, together: false });
  const ms = performance.now() - start;
  const before = new Map(snapshot.holdings.map(({ intent, offer }) => [intent, offer]));
  const kept = new Set(left.map(({ id }) => id));
  const moves = decisions.filter(({ intent, placements }) => {
    const from = before.get(intent)!;
    return kept.has(from) && placements[0] !== undefined && placements[0].offer !== from;
  });
  return { ms: Math.round(ms), moves: moves.length };
}

/** What the loss of two of ten providers does to `holdings` running intents, beside planning everything anew. */
export async function replanCase(holdings: number, rounds: number): Promise<Topic> {
  const { snapshot, intents } = generateRunning(holdings, 1);
  // both are lost at once: one name stands for two providers
  const isHit = (provider: string): boolean => provider === "provider-3" || provider === "provider-7";
  const merged: Snapshot = {
    ...snapshot,
    offers: snapshot.offers.map((offer) => (isHit(offer.provider) ? { ...offer, provider: "lost" } : offer)),
  };
  const times: number[] = [];
  let answer: Failover | null = null;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    answer = await failover(plan, merged, { provider: "lost" }, intents);
    times.push(performance.now() - start);
  }
  const done = answer!;
  const hit = new Set(merged.offers.filter(({ provider }) => provider === "lost").map(({ id }) => id));
  const needless = done.displaced.filter(({ from }) => !from.some((offer) => hit.has(offer))).length;
  const baseline = await anew(merged, intents);
  const cost = (100 * (done.afterMicro - done.beforeMicro)) / done.beforeMicro;
  const result = {
    name: `replan-${holdings}`,
    holdings: snapshot.holdings.length,
    offers: snapshot.offers.length,
    displaced: done.displaced.length,
    restored: done.restored,
    waiting: done.waiting,
    unplaceable: done.unplaceable,
    costChangePercent: Math.round(cost * 10) / 10,
    ms: median(times),
    spread: spread(times),
    needlessMoves: needless,
    baseline: { name: "everything planned anew", ...baseline },
  };
  return {
    result,
    aims: [
      aim(
        `re-plan after losing 20 % of ${snapshot.holdings.length} holdings`,
        result.ms,
        { most: 1000 },
        "ms",
      ),
      aim("moves of what was not displaced", needless, { most: 0 }),
    ],
    lines: [
      `${result.name}: ${result.displaced} displaced, ${result.restored} restored in ${result.ms.toFixed(0)} ms (${(100 * result.spread).toFixed(0)} %), ${needless} needless moves, cost ${cost.toFixed(1)} %; everything anew ${baseline.ms} ms, ${baseline.moves} moves of what was not displaced`,
    ],
  };
}
