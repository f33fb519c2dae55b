import { generateSnapshot } from "../adapters/catalog/generate.ts";
import { readIntent } from "../adapters/json/intent.ts";
import { readSnapshot } from "../adapters/json/snapshot.ts";
import { createRandom } from "../engine/assign/random.ts";
import { prepare } from "../engine/compile/catalog.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { formatTime, parseTime } from "../engine/model/time.ts";
import { plan } from "../engine/plan.ts";
import type { CaseResult } from "./assign-contended.ts";
import { aim, median, spread } from "./report.ts";

const arrivals = 400;

/** Work on a tenth of the offers and a reservation on a hundredth, in force now. */
function occupied(snapshot: Snapshot, seed: number): Snapshot {
  const random = createRandom(seed);
  const at = parseTime(snapshot.at);
  const holdings: Snapshot["holdings"][number][] = [];
  const reservations: Snapshot["reservations"][number][] = [];
  for (const { id, capacity } of snapshot.offers) {
    if (capacity.gpusFree < capacity.gpus && holdings.length < snapshot.offers.length / 10)
      holdings.push({
        intent: `running-${holdings.length}`,
        offer: id,
        gpus: capacity.gpus - capacity.gpusFree,
        since: formatTime(at - 3_600_000 * (1 + random.below(48))),
        priority: [300, 500, 700][random.below(3)]!,
        tenant: `tenant-${random.below(20)}`,
        evictable: random.below(2) === 0,
      });
    else if (random.below(100) === 0)
      reservations.push({
        id: `reserved-${reservations.length}`,
        tenant: `tenant-${random.below(20)}`,
        offer: id,
        gpus: 1,
        start: formatTime(at - 3_600_000),
        end: formatTime(at + 3_600_000),
      });
  }
  return { ...snapshot, holdings, reservations };
}

/** Arrivals of different kinds, as many intents do ask: size, model, memory, area, objective, cap. */
function arrivalOf(index: number): unknown {
  const random = createRandom(index + 17);
  const pick = <Value>(values: readonly Value[]): Value => values[random.below(values.length)]!;
  const memory = pick([null, "24Gi", "40Gi", "80Gi"]);
  const location = pick([null, null, "EU", "US"]);
  const cap = pick([null, 20, 40]);
  return {
    intent: {
      objective: pick(["Cost_Minimization", "Balanced_Optimization", "Performance_Maximization"]),
      workload: {
        type: pick(["service", "batch"]),
        name: `arrival-${index}`,
        image: "registry.example/serve:1",
        resources: {
          cpu: "4",
          memory: "16Gi",
          gpu: { count: pick([1, 1, 2, 4]), ...(memory === null ? {} : { memory_min: memory }) },
        },
      },
      constraints: {
        ...(location === null ? {} : { location }),
        ...(cap === null ? {} : { max_hourly_cost: `${cap} EUR` }),
      },
    },
  };
}

/**
 * One arrival at a time among prepared offers with work running and reservations in force: filter, score, assign and
 * check; explanations on demand. The baseline is the same arrival with everything explained.
 */
export async function singleCase(offers: number): Promise<CaseResult> {
  const catalog = prepare(occupied(readSnapshot(generateSnapshot(offers, 1)), 5));
  const intents = Array.from({ length: arrivals }, (_, index) => readIntent(arrivalOf(index)));
  const bare: number[] = [];
  const explained: number[] = [];
  let placed = 0;
  for (let round = 0; round < 2; round++)
    for (const intent of intents) {
      const start = performance.now();
      const { decisions } = await plan(catalog, [intent], { explain: false, runnersUp: 0 });
      const ms = performance.now() - start;
      // the first round warms code and score columns up
      if (round === 0) continue;
      bare.push(ms);
      if (decisions[0]!.outcome === "placed") placed++;
    }
  for (const intent of intents.slice(0, 40)) {
    const start = performance.now();
    await plan(catalog, [intent]);
    explained.push(performance.now() - start);
  }
  const value = median(bare);
  const sorted = [...bare].sort((a, b) => a - b);
  const { holdings, reservations } = catalog.snapshot;
  return {
    name: "single-1e5",
    figures: {
      offers,
      options: catalog.options.count,
      holdings: holdings.length,
      reservations: reservations.length,
      arrivals,
      placed,
      median_ms: value,
      spread: spread(bare),
      p99_ms: sorted[Math.floor(0.99 * sorted.length)]!,
      explained_median_ms: median(explained),
    },
    aims: [aim("single-1e5", value, { most: 1 }, "ms")],
    lines: [
      `single             ${value.toFixed(3)} ms median among ${offers} offers (${holdings.length} holdings, ${reservations.length} reservations), 99 %: ${sorted[Math.floor(0.99 * sorted.length)]!.toFixed(2)} ms; explained ${median(explained).toFixed(2)} ms; ${placed} of ${arrivals} placed`,
    ],
  };
}
