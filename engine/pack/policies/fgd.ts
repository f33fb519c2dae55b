import { exp } from "../../score/numeric.ts";
import type { Cluster } from "../cluster.ts";
import type { Fragmentation } from "../fragmentation.ts";
import { isShare } from "../model.ts";
import type { Scorer } from "../scorer.ts";

/** The published coarse score of a change: whole per cent of a sigmoid. */
const coarse = (gain: number): number => Math.floor((1 / (1 + exp(-gain / 1000))) * 100);

/**
 * Fragmentation gradient descent: the node (and device) whose fragmentation grows least, rounded as published. A
 * share takes the first device with the best score.
 *
 * @see Weng et al., "Beware of Fragmentation", USENIX ATC 2023
 */
export function createFgd(cluster: Cluster, fragmentation: Fragmentation): Scorer {
  const { states, state, cpuMilli } = cluster;
  return {
    name: "fgd",
    score(node, pod) {
      const before = fragmentation.of(state[node]!, cpuMilli[node]!);
      const left = cpuMilli[node]! - pod.cpuMilli;
      const ways = states.ways(state[node]!, pod);
      let best = 0;
      for (let way = 0; way < ways.length; way += 2)
        best = Math.max(best, coarse(before - fragmentation.of(ways[way + 1]!, left)));
      return best;
    },
    device(node, pod) {
      const ways = states.ways(state[node]!, pod);
      if (!isShare(pod)) return ways[0]!;
      const before = fragmentation.of(state[node]!, cpuMilli[node]!);
      const left = cpuMilli[node]! - pod.cpuMilli;
      const scores = new Map<number, number>();
      for (let way = 0; way < ways.length; way += 2)
        scores.set(ways[way]!, coarse(before - fragmentation.of(ways[way + 1]!, left)));
      const best = Math.max(...scores.values());
      return cluster.devices(node).find((free) => scores.get(free) === best)!;
    },
  };
}
