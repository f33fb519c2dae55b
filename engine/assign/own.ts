import { bestScores, fill, orderBy, sizesOf } from "./construct.ts";
import { decompose } from "./decompose.ts";
import { ascend } from "./dual.ts";
import { placeLargest } from "./largest.ts";
import { polish } from "./polish.ts";
import {
  isBest,
  isDone,
  note,
  offer,
  offerState,
  type Run,
  tighten,
  usePrices,
  wouldDo,
} from "./progress.ts";
import { type SearchOptions, startSearch } from "./search.ts";
import { createState, type State, unplaced } from "./state.ts";

/** Work between two looks at what else there is to do: about 0.01 s. */
const step = 2e5;

/**
 * Slices of a search, between which a proven gap ends it: about 0.05 s each, longer where setting a search up already
 * takes that long.
 */
const sliceOf = (run: Run): number => Math.max(2e6, run.instance.options * 50);

/** A search with the present scores that lets the host breathe, and ends once enough is proven. */
export async function searchOnce(run: Run, options: Omit<SearchOptions, "scores">): Promise<void> {
  if (isBest(run)) return;
  const going = startSearch(run.instance, run.neighborhood, { ...options, scores: run.scores });
  while (going.advance(step) && !wouldDo(run, going.gain())) await run.options.pause?.();
  const { units, gain } = going.result();
  offer(run, units, gain);
}

/** Lagrangian bound and prices; rounds follow from the work allowed. */
export async function boundByPrices(run: Run, work: number): Promise<void> {
  const perRound = Math.max(1, run.instance.useRow.length / (run.relaxer.backend === "wasm" ? 10 : 5));
  const from = run.warm?.prices;
  const wanted = from === undefined ? 300 : 60;
  const rounds = Math.max(20, Math.min(wanted, Math.floor(work / perRound)));
  const dual = ascend(run.instance, {
    rounds,
    known: run.gain,
    evaluate: run.relaxer.dualBound,
    ...(from === undefined ? {} : { from }),
  });
  usePrices(run, dual.prices, "lagrangian");
  tighten(run, dual.bound);
  await note(run, "lagrangian");
}

/** Everyone at the present prices in three orders, each improved by single moves. */
export async function construct(run: Run, work: number): Promise<void> {
  const { instance, scores } = run;
  const best = bestScores(instance, scores);
  const sizes = sizesOf(instance);
  const orders = [best, best.map((score, item) => score / Math.sqrt(sizes[item]!))];
  for (const key of orders) {
    if (isDone(run)) break;
    const state = createState(instance);
    fill(state, orderBy(key), scores);
    polish(state, state.work + work / orders.length);
    offerState(run, state);
    await run.options.pause?.();
  }
  await note(run, "construction");
}

/** Items where the offers' knapsacks chose them, if only one did and it fits; everyone else at the prices. */
function fromKnapsacks(run: Run, chosen: Int32Array): State {
  const { instance, scores } = run;
  const { optionStart, copies } = instance;
  const order = orderBy(bestScores(instance, scores));
  const state = createState(instance);
  for (const item of order) {
    if (copies[item] !== 1) continue;
    let best = -1;
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++)
      if (chosen[option]! > 0 && (best < 0 || scores[option]! > scores[best]!) && state.fits(option))
        best = option;
    if (best >= 0 && state.choice[item] === unplaced) state.put(item, best);
  }
  fill(state, order, scores);
  return state;
}

/** The bound that keeps offers', tenants' and items' rows whole, and the answer that its parts suggest. */
export async function boundByParts(run: Run, work: number): Promise<void> {
  if (isDone(run)) return;
  const { instance, gain: known, prices } = run;
  const found = decompose(instance, {
    work: work * 0.85,
    known,
    from: { bound: run.bound, prices },
    relaxer: run.relaxer,
    ...(run.warm === null ? {} : { values: run.warm.values }),
  });
  run.values = found.value;
  tighten(run, found.bound);
  const state = fromKnapsacks(run, found.chosen);
  polish(state, state.work + work * 0.15);
  offerState(run, state);
  await note(run, "decomposition");
}

export interface SearchShare {
  readonly work: number;
  /** Tells the searches of one run apart. */
  readonly seed: number;
  readonly fromBest: boolean;
}

/** Searches with the present scores, in slices. */
export async function searchMore(run: Run, { work, seed, fromBest }: SearchShare): Promise<void> {
  const slices = Math.max(1, Math.ceil(work / sliceOf(run)));
  for (let slice = 0; slice < slices && !isDone(run) && !isBest(run); slice++)
    await searchOnce(run, {
      work: work / slices,
      seed: run.options.seed * 1009 + seed * 31 + slice,
      ...(fromBest || slice > 0 ? { start: run.units, warm: slice === 0 ? 0.05 : 0.02 } : { warm: 0.15 }),
    });
  await note(run, "search");
}

/** Large items first, then one long annealing over all, then once more from the best. */
export async function searchFromLargest(run: Run, work: number, seed: number): Promise<void> {
  if (isDone(run)) return;
  if (!isBest(run)) {
    const base = run.options.seed * 1009 + seed * 31;
    const start = placeLargest(run.instance, { work: work * 0.08, seed: base, scores: run.scores });
    await run.options.pause?.();
    await searchOnce(run, { work: work * 0.62, seed: base, start, warm: 0.15 });
  }
  await searchMore(run, { work: work * 0.3, seed, fromBest: true });
}
