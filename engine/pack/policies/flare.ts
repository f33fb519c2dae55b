import type { PodClass } from "../classes.ts";
import type { Cluster } from "../cluster.ts";
import type { Completion } from "../completion.ts";
import type { Expectation } from "../expectation.ts";
import type { Fragmentation } from "../fragmentation.ts";
import { isShare } from "../model.ts";
import type { GroupPrices } from "../prices.ts";
import type { Scorer } from "../scorer.ts";
import type { Slots } from "../slots.ts";

/** Weights of the parts of a score, in GPU thousandths; one set for all mixes. */
const FRAGMENTATION = 0.25;
const COMPLETION = 8;
/** Loss of completion that is not counted, GPU thousandths: averaged duals are only this exact. */
const SLACK = 3;
const PRICE = 4;
/** Scores are rounded to whole steps of this size: finer ones follow noise. */
const STEP = 40;

/** Placements between two solves of the group prices, and between two prices of slots. */
const RESOLVE = 100;
const REPRICE = 10;

export interface FlareParts {
  readonly cluster: Cluster;
  readonly fragmentation: Fragmentation;
  readonly completion: Completion;
  readonly prices: GroupPrices;
  readonly slots: Slots;
  /** Profit per class id; classes that were not expected have none. */
  readonly profit: Float64Array;
  readonly expectation: Expectation;
  /** CPU thousandths per MiB that the expected pods with GPUs ask for. */
  readonly cpuPerMib: number;
}

/**
 * Our policy: how much the placement fragments its node, plus what it takes from the node's best completion, minus the
 * scarcity price of what it uses, minus the slots for larger pods that it destroys. The expected mix is all it knows of
 * the future; no horizon. Among equal nodes the fullest one, on it the tightest device.
 */
export function createFlare(parts: FlareParts): Scorer {
  const { cluster, fragmentation, completion, prices, slots, profit, expectation } = parts;
  const { states, state, cpuMilli, memoryMib, nodes, changes } = cluster;
  let arrivals = 0;
  let seen = changes.length;
  let rounded: (Float64Array | undefined)[] = [];

  const freeMilli = (): number => cluster.capacityMilli - cluster.usedMilli();
  const effective = (cpu: number, memory: number): number =>
    parts.cpuPerMib === Number.POSITIVE_INFINITY ? cpu : Math.min(cpu, Math.floor(memory * parts.cpuPerMib));

  /** Score of the best way, and in `bestFree` the free part of its device: equal ones by the tightest. */
  let bestFree = 0;
  const best = (node: number, pod: PodClass): number => {
    const cpu = cpuMilli[node]!;
    const memory = memoryMib[node]!;
    const now = state[node]!;
    const cpuLeft = cpu - pod.cpuMilli;
    const memoryLeft = memory - pod.memoryMib;
    const effectiveLeft = effective(cpuLeft, memoryLeft);
    const fragmented = fragmentation.of(now, effective(cpu, memory));
    const worth = completion.of(now, cpu, memory) - (profit[pod.id] ?? 0);
    const ways = states.ways(now, pod);
    let score = Number.NEGATIVE_INFINITY;
    for (let way = 0; way < ways.length; way += 2) {
      const after = ways[way + 1]!;
      const gain = FRAGMENTATION * (fragmented - fragmentation.of(after, effectiveLeft));
      const lost = COMPLETION * Math.max(0, worth - completion.of(after, cpuLeft, memoryLeft) - SLACK);
      const value = Math.floor((gain - lost) / STEP);
      if (value > score) {
        score = value;
        bestFree = ways[way]!;
      }
    }
    return score;
  };
  const freeFor = (node: number, pod: PodClass): number => {
    best(node, pod);
    return bestFree;
  };

  return {
    name: "flare",
    score: best,
    device: freeFor,
    kindPenalties: (pod) =>
      (rounded[pod.id] ??= prices.of(pod).map((price) => Math.floor((PRICE * price) / STEP + 0.5))),
    penalty(node, pod) {
      // slots are for two devices and more
      if (!slots.isActive() || states.whole(state[node]!) < 2) return 0;
      const loss = slots.loss(node, pod, isShare(pod) ? freeFor(node, pod) : 0);
      return loss > 0 ? Math.floor(loss / STEP + 0.5) : 0;
    },
    tie: (node) => {
      const { gpus, cpuMilli: cpuAll } = nodes[node]!;
      const gpuShare = gpus === 0 ? 0 : states.total(state[node]!) / (gpus * 1000);
      return gpuShare + (cpuAll === 0 ? 0 : cpuMilli[node]! / cpuAll);
    },
    arrived() {
      for (; seen < changes.length; seen++) slots.update(changes[seen]!);
      if (arrivals % RESOLVE === 0) {
        prices.solve(expectation.shares(), expectation.pods(freeMilli()));
        rounded = [];
      }
      if (arrivals % REPRICE === 0) slots.reprice(expectation.pods(freeMilli()));
      arrivals += 1;
    },
  };
}
