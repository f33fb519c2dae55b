import type { Candidate } from "./rank.ts";

/** How many replicas a candidate hosts. */
export interface Portion {
  readonly candidate: Candidate;
  readonly replicas: number;
}

/** Candidates of one failure domain, and whether it counts for the spread. */
interface Domain {
  readonly candidates: readonly Candidate[];
  readonly counts: boolean;
}

/**
 * Hosts replicas candidate by candidate, the best rate first: for sizes at which looking at all combinations would take
 * too long. One replica each goes to the best of as many domains as are asked for; the last portion goes where it costs
 * least. Linear in the candidates but for sorting; what it finds can be beaten, what it does not find there is no room for.
 *
 * @param slotsOf replicas that a candidate can host, at least 1 for those that matter
 * @param costOf of hosting that many in one candidate
 * @returns null when there is too little room, or there are too few domains
 */
export function fill(
  groups: readonly Domain[],
  replicas: number,
  domains: number,
  slotsOf: (candidate: Candidate) => number,
  costOf: (candidate: Candidate, replicas: number) => number,
): Portion[] | null {
  const able = groups.map((group) => {
    const rated = group.candidates
      .map((candidate, index) => ({ candidate, index, slots: Math.min(slotsOf(candidate), replicas) }))
      .filter(({ slots }) => slots > 0)
      .map((one) => ({ ...one, rate: costOf(one.candidate, one.slots) / one.slots }))
      .sort((a, b) => a.rate - b.rate || a.index - b.index);
    return { rated, counts: group.counts };
  });
  type Rated = (typeof able)[number]["rated"][number];
  const hosted = new Map<Rated, number>();
  let left = replicas;
  const first = able
    .filter(({ rated, counts }) => counts && rated.length > 0)
    .map(({ rated }) => rated[0]!)
    .sort((a, b) => a.rate - b.rate)
    .slice(0, domains);
  if (first.length < domains || domains > replicas) return null;
  for (const one of first) {
    hosted.set(one, 1);
    left--;
  }
  const order = able.flatMap(({ rated }) => rated).sort((a, b) => a.rate - b.rate);
  for (const one of order) {
    const before = hosted.get(one) ?? 0;
    const room = one.slots - before;
    if (left === 0) break;
    if (room <= 0) continue;
    if (room >= left) {
      // the last portion: whoever hosts it for least
      const cost = (other: Rated): number => {
        const own = hosted.get(other) ?? 0;
        return costOf(other.candidate, own + left) - (own === 0 ? 0 : costOf(other.candidate, own));
      };
      let best = one;
      let least = cost(one);
      for (const other of order) {
        if (other.slots - (hosted.get(other) ?? 0) < left) continue;
        const added = cost(other);
        if (added < least) [best, least] = [other, added];
      }
      hosted.set(best, (hosted.get(best) ?? 0) + left);
      left = 0;
      break;
    }
    hosted.set(one, one.slots);
    left -= room;
  }
  return left > 0 ? null : [...hosted].map(([{ candidate }, count]) => ({ candidate, replicas: count }));
}
