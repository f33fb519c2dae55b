import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readIntent } from "../../adapters/json/intent.ts";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { type Decision, plan, prepare } from "../../engine/index.ts";

/** One documented scenario, its fixtures, and the answer that keeps every constraint, worked out by hand. */
export interface Scenario {
  /** Row of the list of promises. */
  readonly id: string;
  readonly name: string;
  /** Below `fixtures/intents`, without `.json`. */
  readonly intent: string;
  /** Below `fixtures/clusters`, without `.json`. */
  readonly cluster: string;
  /** `offer xREPLICAS amount`, by offer; empty when nothing keeps all constraints. */
  readonly answer: readonly string[];
  /** Offers that the original's documents choose or count as fitting, with the constraints they break. */
  readonly breaks?: Readonly<Record<string, readonly string[]>>;
}

const useCase = (id: string, name: string, file: string, cluster: string, rest: object): Scenario => ({
  id,
  name,
  intent: `use-cases/${file}`,
  cluster: `use-cases/${cluster}`,
  answer: [],
  ...rest,
});

export const scenarios: readonly Scenario[] = [
  useCase("F-285", "inference service", "uc-1-inference", "uc-1-inference", {
    answer: ["adria-t4-mil x1 0.55"],
    breaks: { "adria-4080-nue": ["gpu.model"] },
  }),
  useCase("F-286", "distributed training", "uc-2-training", "uc-2-training", {
    answer: [],
    breaks: { "boreal-4090-16x": ["gpu.interconnect"] },
  }),
  useCase("F-287", "fine-tuning", "uc-3-fine-tuning", "uc-3-fine-tuning", {
    answer: ["lumen-4080m-par x1 0.14"],
  }),
  useCase("F-288", "high-performance computing", "uc-4-hpc", "uc-4-hpc", {
    answer: ["adria-a100-8x x1 85"],
    breaks: {
      "adria-h100-8x": ["gpu.model", "max_hourly_cost"],
      "boreal-a100-4x": ["gpu.count"],
      "boreal-a100-pcie-8x": ["gpu.interconnect"],
    },
  }),
  useCase("F-289", "video analytics", "uc-5-video", "uc-5-video", {
    answer: ["mainhatten-4080-edge x1 0.45"],
    breaks: { "lumen-a100-par": ["gpu.model", "gpu.tier", "max_latency_ms"] },
  }),
  useCase("F-290", "edge inference", "uc-6-edge", "uc-6-edge", {
    answer: ["stella-t4-trn x1 0.15"],
    breaks: { "adria-4090-nue": ["gpu.model", "gpu.tier"], "boreal-t4-sto": ["max_latency_ms"] },
  }),
  useCase("F-291", "batch on spot", "uc-7-batch", "uc-7-batch", {
    answer: ["lumen-4080-spot x1 1.4"],
    breaks: { "adria-4080-nue": ["max_total_cost"] },
  }),
  useCase("F-292", "several tenants", "uc-8-tenants", "uc-8-tenants", {
    answer: ["adria-4090-2x x1 1.2"],
    breaks: { "boreal-4090-small": ["gpu.memory_min"] },
  }),
  useCase("F-293", "several regions, as stated: the Union only", "uc-9-regions", "uc-9-regions", {
    answer: ["adria-4080-nue x1 0.75", "lumen-a10-par x2 1.1"],
    breaks: { "carolina-4080-use": ["location"], "merlion-l40s-sin": ["location"] },
  }),
  useCase("F-293", "several regions, spread over the world", "uc-9-worldwide", "uc-9-regions", {
    answer: ["adria-4080-nue x1 0.75", "carolina-4080-use x1 0.85", "merlion-l40s-sin x1 2.4"],
  }),
  ...(
    [
      ["reasoning-service", "fjord-h100-a x1 9.4"],
      ["video-batch", "sol-t4-ath-1 x4 0.36"],
      ["llama-training", "fjord-h100-a x1 18.8"],
      ["spark-etl", "sol-t4-ath-1 x3 0.27"],
      ["notebook", "sol-t4-ath-1 x1 0.24"],
      ["balanced-training", "fjord-a100-a x1 6.2"],
    ] as const
  ).map(([name, answer]) => ({
    id: "F-298",
    name: `example: ${name.replace("-", " ")}`,
    intent: `examples/${name}`,
    cluster: "europe",
    answer: [answer],
  })),
  ...(
    [
      ["inference", "rhein-t4-edge x2 0.56"],
      ["training", "fjord-a100-a x1 6.2"],
      ["cheap-batch", "sol-t4-ath-1 x1 0.09"],
    ] as const
  ).map(([name, answer]) => ({
    id: "F-299",
    name: `flat form: ${name.replace("-", " ")}`,
    intent: `flat/${name}`,
    cluster: "europe",
    answer: [answer],
  })),
];

/** A saving with its baseline: the same work under other terms. */
export interface Saving {
  readonly id: string;
  readonly name: string;
  readonly intent: string;
  readonly cluster: string;
  /** What the baseline changes in the intent's document. */
  readonly baseline: Readonly<Record<string, unknown>>;
  readonly baselineText: string;
  /** What the document promises, as a share. */
  readonly promised: number;
}

const atHome = {
  "constraints.providers": ["home"],
  "constraints.preemptible": false,
  "constraints.max_hourly_cost": null,
  "constraints.max_total_cost": null,
};

export const savings: readonly Saving[] = [
  {
    id: "F-294",
    name: "scenario A: 8 gaming GPUs of 24 GiB, spot allowed",
    intent: "cost-scenarios/a",
    cluster: "use-cases/cost-a",
    baseline: atHome,
    baselineText: "own provider, on demand",
    promised: 0.25,
  },
  {
    id: "F-295",
    name: "scenario B: 4 tasks of 4 h on one standard GPU each, spot allowed",
    intent: "cost-scenarios/b",
    cluster: "use-cases/cost-b",
    baseline: atHome,
    baselineText: "own provider, on demand",
    promised: 0.24,
  },
  {
    id: "F-296",
    name: "scenario C: 4 gaming GPUs of 16 GiB, on demand",
    intent: "cost-scenarios/c",
    cluster: "use-cases/cost-c",
    baseline: atHome,
    baselineText: "own provider, whole node",
    promised: 0.25,
  },
  {
    id: "F-297",
    name: "other providers (arbitrage)",
    intent: "cost-scenarios/arbitrage",
    cluster: "europe",
    baseline: { "constraints.providers": ["rheincloud"] },
    baselineText: "one provider only",
    promised: 0.1,
  },
  {
    id: "F-297",
    name: "a lower tier",
    intent: "cost-scenarios/tier",
    cluster: "europe",
    baseline: { "workload.resources.gpu.tier": "standard" },
    baselineText: "standard tier",
    promised: 0.15,
  },
  {
    id: "F-297",
    name: "right-sizing",
    intent: "cost-scenarios/right-size",
    cluster: "europe",
    baseline: { "workload.resources.gpu.memory_min": "80Gi" },
    baselineText: "80 GiB where 20 are needed",
    promised: 0.1,
  },
  {
    id: "F-297",
    name: "spot",
    intent: "cost-scenarios/spot",
    cluster: "europe",
    baseline: { "constraints.preemptible": false },
    baselineText: "on demand",
    promised: 0.6,
  },
];

type Loose = ReturnType<typeof JSON.parse>;

/** A fixture document. */
export function load(path: string): Loose {
  return JSON.parse(
    readFileSync(fileURLToPath(new URL(`../../fixtures/${path}.json`, import.meta.url)), "utf8"),
  );
}

/** The decision on an intent document, over a cluster document. */
export async function decideFixture(intent: unknown, cluster: unknown): Promise<Decision> {
  const { decisions } = await plan(prepare(readSnapshot(cluster)), [readIntent(intent)]);
  const [decision] = decisions;
  if (decision === undefined) throw new Error("one intent has one decision");
  return decision;
}

/** Placements as `offer xREPLICAS amount`, by offer. */
export function answerOf({ placements }: Decision): string[] {
  return placements
    .map(({ offer, replicas, costMicro }) => `${offer} x${replicas} ${costMicro / 1e6}`)
    .sort();
}

/** The document with members replaced by dotted path below `intent`; null removes one. */
export function altered(document: Loose, changes: Readonly<Record<string, unknown>>): Loose {
  const copy: Loose = structuredClone(document);
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split(".");
    let target = copy.intent;
    for (const key of keys.slice(0, -1)) {
      target[key] ??= {};
      target = target[key];
    }
    if (value === null) delete target[keys.at(-1) ?? ""];
    else target[keys.at(-1) ?? ""] = value;
  }
  return copy;
}

/** Billed micro-units per hour of a decision. */
export function hourlyOf({ placements }: Decision): number {
  return placements.reduce((sum, { costMicro }) => sum + costMicro, 0);
}
