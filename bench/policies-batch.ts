import { readIntent } from "../adapters/json/intent.ts";
import { readSnapshot } from "../adapters/json/snapshot.ts";
import { createWorkerSolver } from "../adapters/solver/worker-solver.ts";
import { createRandom, type Random } from "../engine/assign/random.ts";
import { prepare } from "../engine/compile/catalog.ts";
import type { Intent } from "../engine/model/intent.ts";
import type { Plan } from "../engine/model/plan.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { plan } from "../engine/plan.ts";
import { aim, median, type Topic } from "./report.ts";

const models = [
  ["nvidia-t4", 16, 0.4],
  ["nvidia-l4", 24, 0.8],
  ["nvidia-a100", 40, 2],
  ["nvidia-h100", 80, 3.2],
] as const;
const regions = ["eu-central-1", "eu-west-1", "eu-north-1", "us-east-1"] as const;
const priorities = ["low", "normal", "normal", "normal", "high"] as const;
const noon = "2026-11-23T12:00:00Z";

interface Offer {
  readonly id: string;
  readonly provider: string;
  readonly region: string;
  readonly model: string;
  readonly memory: number;
  readonly gpus: number;
  readonly rate: string;
  free: number;
}

const two = (value: number): string => String(value).padStart(2, "0");

function offersOf(random: Random, count: number): Offer[] {
  return Array.from({ length: count }, (_, index) => {
    const [model, memory, price] = models[random.below(models.length)]!;
    const gpus = [8, 16, 24][random.below(3)]!;
    return {
      id: `offer-${String(index).padStart(4, "0")}`,
      provider: `provider-${index % 8}`,
      region: regions[random.below(regions.length)]!,
      model,
      memory,
      gpus,
      rate: (price * (0.8 + 0.4 * random.next())).toFixed(3),
      free: gpus,
    };
  });
}

/** Work that runs on half of the capacity, some of it evictable, some with a known end. */
function holdingsOf(random: Random, offers: readonly Offer[], tenants: number): object[] {
  const holdings: object[] = [];
  for (const offer of offers)
    while (offer.free > offer.gpus / 2) {
      const gpus = [1, 2, 4][random.below(3)]!;
      if (offer.free < gpus) continue;
      offer.free -= gpus;
      holdings.push({
        intent: `run-${holdings.length}`,
        offer: offer.id,
        gpus,
        since: `2026-11-23T${two(random.below(12))}:00:00Z`,
        priority: priorities[random.below(priorities.length)]!,
        tenant: `tenant-${random.below(tenants)}`,
        evictable: random.next() < 0.7,
        min_runtime: random.next() < 0.3 ? "6h" : "0s",
        ...(random.next() < 0.5 ? { until: `2026-11-23T${13 + random.below(10)}:00:00Z` } : {}),
      });
    }
  return holdings;
}

function intentsOf(random: Random, count: number, tenants: number): Intent[] {
  return Array.from({ length: count }, (_, index) =>
    readIntent({
      intent: {
        tenant: `tenant-${random.below(tenants)}`,
        priority: priorities[random.below(priorities.length)]!,
        objective: ["Cost_Minimization", "Performance_Maximization", "Balanced_Optimization"][
          random.below(3)
        ]!,
        workload: {
          type: "batch",
          name: `job-${String(index).padStart(4, "0")}`,
          image: "registry.example/train:1",
          batch: { parallel_tasks: 1, timeout: `${1 + random.below(8)}h` },
          resources: {
            gpu: {
              count: [1, 1, 2, 4, 8][random.below(5)]!,
              memory_min: `${[14, 20, 38][random.below(3)]!}Gi`,
            },
          },
        },
        constraints: random.next() < 0.4 ? { location: random.next() < 0.7 ? "EU" : "US" } : {},
      },
    }),
  );
}

/** A contended federation: about 1.3 times what is free is asked for. */
function generate(
  intents: number,
  seed: number,
): { readonly on: Snapshot; readonly off: Snapshot; readonly intents: Intent[] } {
  const random = createRandom(seed);
  const tenants = 20;
  const offers = offersOf(random, Math.ceil(intents / 4.2));
  const holdings = holdingsOf(random, offers, tenants);
  const total = offers.reduce((sum, { gpus }) => sum + gpus, 0);
  const document = {
    at: noon,
    currency: "EUR",
    offers: offers.map(({ id, provider, region, model, memory, gpus, rate, free }) => ({
      id,
      provider,
      region,
      gpus,
      free_gpus: free,
      traits: { gpu: { model, memory: `${memory}Gi` }, cost: { hourly_rate: `${rate} EUR`, basis: "gpu" } },
    })),
  };
  const policies = {
    holdings,
    tenants: Array.from({ length: tenants }, (_, index) => ({
      name: `tenant-${index}`,
      cohort: `team-${index % 4}`,
      weight: 1 + (index % 4),
      quotas: [
        { gpu_class: "*", nominal: Math.floor(total / tenants), lending: Math.floor(total / tenants / 2) },
        { money: true, nominal: `${Math.floor((total * 2) / tenants)} EUR` },
      ],
    })),
    reservations: offers.slice(0, 10).map(({ id }, index) => ({
      id: `hold-${index}`,
      tenant: `tenant-${index}`,
      offer: id,
      gpus: 2,
      start: "2026-11-23T16:00:00Z",
      end: "2026-11-23T20:00:00Z",
    })),
    maintenance: [{ provider: "provider-7", start: "2026-11-23T18:00:00Z", end: "2026-11-23T19:00:00Z" }],
  };
  return {
    on: readSnapshot({ ...document, ...policies }),
    off: readSnapshot(document),
    intents: intentsOf(random, intents, tenants),
  };
}

const placed = ({ decisions }: Plan): number =>
  decisions.filter(({ outcome, reason }) => outcome === "placed" && reason !== "RUNNING").length;

/** One batch with every policy on, and the same without tenants, holdings and calendar. */
export async function batchCase(count: number, rounds: number): Promise<Topic> {
  const { on, off, intents } = generate(count, 1);
  const solver = createWorkerSolver();
  await solver.ready();
  const options = { solver, deadlineMs: 1000, explain: false };
  const timed = async (snapshot: Snapshot): Promise<{ made: Plan; ms: number }> => {
    const catalog = prepare(snapshot);
    const times: number[] = [];
    let made: Plan | null = null;
    for (let round = 0; round <= rounds; round++) {
      const start = performance.now();
      made = await plan(catalog, intents, options);
      if (round > 0) times.push(performance.now() - start);
    }
    return { made: made!, ms: median(times) };
  };
  const without = await timed(off);
  const withAll = await timed(on);
  await solver.dispose();
  const ratio = withAll.ms / without.ms;
  const { made } = withAll;
  const result = {
    name: `batch-${count}`,
    intents: count,
    offers: on.offers.length,
    holdings: on.holdings.length,
    ms: withAll.ms,
    gap: made.batch?.gap ?? 0,
    placed: placed(made),
    evictions: made.evictions.length,
    overQuota: made.quotas.length,
    baseline: {
      name: "the same batch without tenants, holdings and calendar",
      ms: without.ms,
      gap: without.made.batch?.gap ?? 0,
      placed: placed(without.made),
    },
    ratio,
  };
  const aims = [aim("batch-500", ratio, { most: 3 }, "times the same batch without policies")];
  return {
    result,
    aims,
    lines: [
      `${result.name}: ${result.ms.toFixed(0)} ms, gap ${(100 * result.gap).toFixed(2)} %, ${result.placed} placed, ${result.evictions} evictions; without policies ${without.ms.toFixed(0)} ms, gap ${(100 * result.baseline.gap).toFixed(2)} %, ${result.baseline.placed} placed`,
    ],
  };
}
