import type { Classes, PodClass } from "./classes.ts";
import type { Cluster } from "./cluster.ts";
import type { PackPod, Spot } from "./model.ts";
import type { Scorer } from "./scorer.ts";

/** Places pods one by one, in the order they come, without moving any. */
export interface Packer {
  /** Where the pod sits from now on, or null where no node can take it. A pod that fits anywhere is placed. */
  place(pod: PackPod): Spot | null;
}

/** Scores of one class on all nodes, valid up to a position in the cluster's list of changes. */
interface Scores {
  /** -Infinity where the class does not fit. */
  readonly values: Float64Array;
  seen: number;
}

export function createPacker(cluster: Cluster, classes: Classes, scorer: Scorer): Packer {
  const count = cluster.nodes.length;
  const { kindOf, changes } = cluster;
  const scores: (Scores | undefined)[] = [];
  const mark = new Int32Array(count);
  let visit = 0;
  const ties = Float64Array.from(cluster.nodes, (_, node) => scorer.tie?.(node) ?? 0);
  let tiesSeen = changes.length;
  /** Scores less the kinds' penalties, of the decision at hand. */
  const bounds = new Float64Array(count);
  const noPenalties = new Float64Array(cluster.states.kinds.length);

  const scoreOf = (node: number, pod: PodClass): number =>
    cluster.fits(node, pod) ? scorer.score(node, pod) : Number.NEGATIVE_INFINITY;

  /** Scores of a class, brought up to date: only nodes changed since its last decision are scored again. */
  const refresh = (pod: PodClass): Float64Array => {
    const known = scores[pod.id];
    if (known === undefined) {
      const values = new Float64Array(count);
      for (let node = 0; node < count; node++) values[node] = scoreOf(node, pod);
      scores[pod.id] = { values, seen: changes.length };
      return values;
    }
    visit += 1;
    for (let at = known.seen; at < changes.length; at++) {
      const node = changes[at]!;
      if (mark[node] === visit) continue;
      mark[node] = visit;
      known.values[node] = scoreOf(node, pod);
    }
    known.seen = changes.length;
    return known.values;
  };

  /** Best node by score less the kinds' penalties, an upper bound where nodes have penalties of their own. */
  const leader = (values: Float64Array, penalties: Float64Array): number => {
    let best = -1;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let node = 0; node < count; node++) {
      const score = values[node]! - penalties[kindOf[node]!]!;
      bounds[node] = score;
      if (score < bestScore || score === Number.NEGATIVE_INFINITY) continue;
      if (score === bestScore && !(ties[node]! < ties[best]!)) continue;
      best = node;
      bestScore = score;
    }
    return best;
  };

  const choose = (pod: PodClass): number => {
    const values = refresh(pod);
    if (scorer.tie !== undefined)
      for (; tiesSeen < changes.length; tiesSeen++) ties[changes[tiesSeen]!] = scorer.tie(changes[tiesSeen]!);
    const penalties = scorer.kindPenalties?.(pod) ?? noPenalties;
    const first = leader(values, penalties);
    if (first < 0 || scorer.penalty === undefined) return first;
    // starting from the leader, only nodes whose bound reaches the best so far need their own penalty
    let best = first;
    let bestScore = bounds[first]! - scorer.penalty(first, pod);
    for (let node = 0; node < count; node++) {
      const bound = bounds[node]!;
      if (bound < bestScore || node === first || bound === Number.NEGATIVE_INFINITY) continue;
      const score = bound - scorer.penalty(node, pod);
      const order = score - bestScore || ties[best]! - ties[node]! || best - node;
      if (order > 0) {
        best = node;
        bestScore = score;
      }
    }
    return best;
  };

  return {
    place(pod) {
      const podClass = classes.of(pod);
      scorer.arrived?.(podClass);
      const node = choose(podClass);
      if (node < 0) return null;
      const free = podClass.gpus === 0 ? 0 : scorer.device(node, podClass);
      const devices = podClass.gpus === 0 ? [] : cluster.pick(node, podClass, free);
      cluster.take(node, podClass, devices);
      scorer.placed?.(node, podClass);
      return { node, devices };
    },
  };
}
