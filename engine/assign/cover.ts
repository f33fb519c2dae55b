/** Something that can be given up, at a cost. */
export interface Piece {
  /** >= 0, integer. */
  readonly cost: number;
}

/** The pieces given up, and the proof. */
export interface Cover<P extends Piece> {
  readonly pieces: readonly P[];
  readonly cost: number;
  /** No choice costs less. */
  readonly least: number;
}

/** Up to this many pieces the cheapest choice is searched exactly. */
export const exactPieces = 20;

/** Questions that exact searches may still ask before they settle for what they have: a bound on work, shared. */
export interface Questions {
  left: number;
}

/** What a choice has to do. */
export interface CoverRule<P extends Piece> {
  /** Monotone: more given up is never less. */
  readonly isEnough: (chosen: readonly P[]) => boolean;
  /** Holds for every part of a choice for which it holds. */
  readonly isAllowed: (chosen: readonly P[]) => boolean;
  /** Choices that cost more are of no interest; default none. */
  readonly most?: number;
  readonly questions: Questions;
}

/**
 * The cheapest allowed pieces whose loss is enough. The answer is inclusion-minimal always, and the cheapest for up to
 * 20 pieces; above that pieces are dropped from all of them, the dearest first, and `least` is what is proven. Ties go
 * to fewer pieces, then to the order given. Null when nothing allowed is enough.
 */
export function cheapestCover<P extends Piece>(pieces: readonly P[], rule: CoverRule<P>): Cover<P> | null {
  const { most = Number.POSITIVE_INFINITY } = rule;
  if (!rule.isEnough(pieces)) return null;
  if (most < Number.POSITIVE_INFINITY && leastOne(pieces, rule.isEnough) > most) return null;
  const first = dropNeedless(pieces, rule.isEnough);
  const start = sum(first) <= most && rule.isAllowed(first) ? first : null;
  if (pieces.length <= exactPieces) return search(pieces, start, rule);
  return start === null ? null : { pieces: start, cost: sum(start), least: leastOne(pieces, rule.isEnough) };
}

const sum = (pieces: readonly Piece[]): number => pieces.reduce((total, piece) => total + piece.cost, 0);

/** Leaves out what is not needed, the dearest first, of equal cost the last given. */
export function dropNeedless<P extends Piece>(
  pieces: readonly P[],
  isEnough: (chosen: readonly P[]) => boolean,
): P[] {
  const order = pieces.map((piece, index) => ({ piece, index }));
  order.sort((a, b) => b.piece.cost - a.piece.cost || b.index - a.index);
  let kept: readonly P[] = pieces;
  for (const { piece } of order) {
    const without = kept.filter((one) => one !== piece);
    if (isEnough(without)) kept = without;
  }
  return [...kept];
}

/** One piece alone is enough, or two of the cheapest have to go at least. */
function leastOne<P extends Piece>(
  pieces: readonly P[],
  isEnough: (chosen: readonly P[]) => boolean,
): number {
  if (isEnough([])) return 0;
  const costs = pieces.map(({ cost }) => cost).sort((a, b) => a - b);
  const pair = (costs[0] ?? 0) + (costs[1] ?? 0);
  const single = pieces.filter((piece) => isEnough([piece])).map(({ cost }) => cost);
  return Math.min(pair, ...single);
}

/** Depth first over taking and leaving each piece, cheapest first, cut where the cost or what is left cannot do. */
function search<P extends Piece>(
  pieces: readonly P[],
  start: readonly P[] | null,
  { isEnough, isAllowed, questions, most = Number.POSITIVE_INFINITY }: CoverRule<P>,
): Cover<P> | null {
  const ordered = pieces
    .map((piece, index) => ({ piece, index }))
    .sort((a, b) => a.piece.cost - b.piece.cost || a.index - b.index)
    .map(({ piece }) => piece);
  let best = start;
  let bestCost = start === null ? most : sum(start);
  const visit = (at: number, chosen: readonly P[], cost: number): void => {
    if (cost > bestCost || (cost === bestCost && best !== null && chosen.length >= best.length)) return;
    if (questions.left <= 0 || !isAllowed(chosen)) return;
    questions.left--;
    if (isEnough(chosen)) {
      best = chosen;
      bestCost = cost;
      return;
    }
    if (at === ordered.length || !isEnough([...chosen, ...ordered.slice(at)])) return;
    visit(at + 1, [...chosen, ordered[at]!], cost + ordered[at]!.cost);
    visit(at + 1, chosen, cost);
  };
  visit(0, [], 0);
  if (best === null) return null;
  const kept = dropNeedless(best, isEnough);
  const cost = sum(kept);
  return { pieces: kept, cost, least: questions.left > 0 ? cost : leastOne(pieces, isEnough) };
}
