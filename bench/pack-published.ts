import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { createRandom } from "../engine/assign/random.ts";
import { type PackNode, type PackPod, podMilli } from "../engine/pack/model.ts";
import { createPackSession, type PolicyName } from "../engine/pack/session.ts";
import { byName, capacityOf, LOAD } from "./pack-protocol.ts";
import type { PackTrace } from "./pack-trace.ts";

/** Seed of the first published figure of each list; the others follow. */
const FIRST_SEED = 42;

/**
 * Published allocation at 100 % arrivals, per cent, by trace and policy: one figure per seed, from 42 on.
 *
 * @see Weng et al., USENIX ATC 2023; figures of its artefact, `hkust-adsl/kubernetes-scheduler-simulator`, file
 * `experiments/analysis/expected_results/analysis_allo_discrete.csv`
 */
export const published: Readonly<Record<string, Readonly<Partial<Record<PolicyName, readonly number[]>>>>> = {
  default: {
    dotprod: [90.34, 90.56, 90.83, 90.69, 90.55, 90.52, 91, 90.68, 90.53, 90.52],
    clustering: [91.33, 91.69, 91.68, 92.75, 90.62, 91.2, 92.32, 92.09, 91.34, 91.48],
    packing: [91.37, 91.78, 91.91, 92.58, 91.12, 91.07, 92.51, 91.83, 91.46, 92.16],
    bestfit: [92.94, 92.97, 92.89, 92.93, 93, 92.84, 92.68, 93.04, 92.64, 92.69],
    fgd: [95.14, 95.06, 95.29, 95.38, 95.35, 95.14, 95.18, 95.3, 95.15, 95.28],
  },
  gpuspec33: {
    dotprod: [79.8, 79.59, 79.86, 79.95, 79.73, 80.01, 79.91, 80.31, 79.6, 79.41],
    clustering: [80.97, 80.89, 81.05, 81.35, 81.06, 81.27, 81.03, 81.51, 80.84, 80.93],
    packing: [81.53, 82.21, 82.35, 82.6, 81.78, 82.63, 82.6, 82.39, 81.77, 82.32],
    bestfit: [80.23, 80.04, 80.56, 80.7, 80.3, 80.53, 80.54, 80.82, 80.02, 80.21],
    fgd: [87.87, 87.89, 87.89, 87.86, 87.94, 87.76, 88, 88.09, 87.56, 87.5],
  },
  multigpu50: {
    dotprod: [94.72, 94.56, 94.79, 94.4, 95.06, 94.57, 94.97, 94.85, 94.57, 94.79],
    clustering: [95.39, 95.55, 95.93, 95.31, 95.6, 95.38, 96.08, 95.9, 95.69, 96.03],
    packing: [95.48, 95.84, 96.41, 95.77, 96.09, 95.99, 96.4, 96.22, 96.05, 96.39],
    bestfit: [95.45, 95.49, 95.51, 95.41, 95.73, 95.46, 95.9, 95.79, 95.64, 95.85],
    fgd: [97.1, 97.07, 97.27, 97.09, 97.03, 97.06, 97.1, 97.15, 96.87, 97.2],
  },
};

/** What one seed of the published simulator draws. */
export interface PublishedOrder {
  /** In order of rank. */
  readonly nodes: readonly PackNode[];
  /** In order of arrival. */
  readonly pods: readonly PackPod[];
}

/** Whether a Go toolchain is on the path, which draws the published orders. */
export const hasGo = (): boolean => spawnSync("go", ["version"]).status === 0;

/**
 * The published simulator's own order of arrival and node ranks.
 *
 * @throws when Go is absent or fails
 */
export function publishedOrder(trace: PackTrace, seed: number): PublishedOrder {
  const pods = [...trace.pods].sort(byName);
  const nodes = [...trace.nodes].sort(byName);
  const limit = Math.round(LOAD * capacityOf(nodes));
  const lines = pods.map((pod) => `${podMilli(pod)} ${pod.gpuMilli}`);
  const { status, stdout, stderr, error } = spawnSync(
    "go",
    ["run", join(import.meta.dirname, "published-order.go")],
    {
      input: `${seed} ${limit} ${nodes.length}\n${lines.join("\n")}\n`,
      encoding: "utf8",
      maxBuffer: 1 << 26,
    },
  );
  if (status !== 0) throw new Error(`go run published-order.go: ${error?.message ?? stderr}`);
  const [order, ranks] = stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(" ").map(Number));
  const ranked = new Array<PackNode>(nodes.length);
  ranks!.forEach((rank, node) => {
    ranked[rank] = nodes[node]!;
  });
  return {
    nodes: ranked,
    pods: order!.map((pod, at) => ({ ...pods[pod]!, name: `${pods[pod]!.name}-${at}` })),
  };
}

/**
 * Allocation at 100 % arrivals as published, per cent: the mean over all arrivals that bring demand to 99.5 to 100.5 % of
 * the capacity.
 */
export async function allocatedAsPublished(
  order: PublishedOrder,
  policy: PolicyName,
  expected: readonly PackPod[],
): Promise<number> {
  const { cluster, place } = await createPackSession({
    nodes: order.nodes,
    expected,
    policy,
    draw: createRandom(FIRST_SEED).next,
  });
  let arrived = 0;
  let sum = 0;
  let count = 0;
  for (const pod of order.pods) {
    place(pod);
    arrived += podMilli(pod);
    const percent = Math.round((100 * arrived) / cluster.capacityMilli);
    if (percent > 100) break;
    if (percent < 100) continue;
    sum += (100 * cluster.usedMilli()) / cluster.capacityMilli;
    count += 1;
  }
  return sum / count;
}

/** A baseline next to its published figures, seed by seed. */
export interface Faithful {
  readonly policy: PolicyName;
  readonly seeds: readonly number[];
  readonly published: readonly number[];
  readonly allocated: readonly number[];
}

/** All policies of a trace with published figures, on the published orders of the first `seeds` seeds. */
export async function faithfulTo(trace: PackTrace, seeds: number): Promise<Faithful[]> {
  const figures = Object.entries(published[trace.name] ?? {}) as [PolicyName, readonly number[]][];
  if (figures.length === 0) return [];
  const used = Array.from({ length: Math.min(seeds, 10) }, (_, at) => FIRST_SEED + at);
  const measured = new Map<PolicyName, number[]>(figures.map(([policy]) => [policy, []]));
  for (const seed of used) {
    const order = publishedOrder(trace, seed);
    for (const [policy, all] of measured) all.push(await allocatedAsPublished(order, policy, trace.pods));
  }
  return figures.map(([policy, all]) => ({
    policy,
    seeds: used,
    published: all.slice(0, used.length),
    allocated: measured.get(policy)!,
  }));
}
