import { solveVerified } from "../milp/verify.ts";
import { classesOf } from "./classes.ts";
import { formulate, pointOf, wholeUnits } from "./formulate.ts";
import { type Instance, type Reduced, subsetOf, type Units } from "./instance.ts";
import { isDone, note, offerState, type Run } from "./progress.ts";
import { createRandom, type Random } from "./random.ts";
import { deadlineOf, type SolverStage } from "./relax.ts";
import { createState, load } from "./state.ts";

/** Items that one program rearranges: few enough to be solved exactly in a blink. */
const itemsAtOnce = 40;
/** Programs per run; the deadline usually ends them earlier. */
const mostPrograms = 24;

/** Items with an option in the rows that an unplaced item would like, that one first. */
function pickItems(run: Run, random: Random): Uint8Array {
  const { instance, units, neighborhood } = run;
  const { items, optionStart, useStart, useRow } = instance;
  const picked = new Uint8Array(items);
  let count = 0;
  const pick = (item: number): void => {
    if (picked[item] === 1 || count >= itemsAtOnce) return;
    picked[item] = 1;
    count++;
  };
  const isPlaced = (item: number): boolean => {
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++)
      if (units[option]! > 0) return true;
    return false;
  };
  // of a few drawn, the most valuable one that is out
  let seed = random.below(items);
  for (let draw = 0; draw < 12; draw++) {
    const other = random.below(items);
    if (isPlaced(other)) continue;
    if (isPlaced(seed) || instance.worth[other]! > instance.worth[seed]!) seed = other;
  }
  pick(seed);
  for (let step = 0; step < 4 * itemsAtOnce && count < itemsAtOnce; step++) {
    const width = optionStart[seed + 1]! - optionStart[seed]!;
    if (width === 0) break;
    const option = optionStart[seed]! + random.below(width);
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
      const row = useRow[use]!;
      const start = neighborhood.rowStart[row]!;
      const here = neighborhood.rowStart[row + 1]! - start;
      for (let sample = 0; sample < 6 && here > 0; sample++)
        pick(neighborhood.optionItem[neighborhood.rowOption[start + random.below(here)]!]!);
    }
  }
  return picked;
}

/** The picked items over what all others leave free. */
function partOf(instance: Instance, picked: Uint8Array, units: Units): Reduced {
  const kept: number[] = [];
  const starts = new Int32Array(instance.items + 1);
  const capacity = instance.capacity.slice();
  for (let item = 0; item < instance.items; item++) {
    for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++) {
      if (picked[item] === 1) kept.push(option);
      else
        for (let use = instance.useStart[option]!; use < instance.useStart[option + 1]!; use++)
          capacity[instance.useRow[use]!]! -= units[option]! * instance.useAmount[use]!;
    }
    starts[item + 1] = kept.length;
  }
  return { instance: { ...subsetOf(instance, kept, starts), capacity }, option: Int32Array.from(kept) };
}

/**
 * Large neighborhoods: a few dozen items around one that is out are taken out together and put back by an exact
 * program, as long as the solver has time.
 *
 * @see Shaw, "Using constraint programming and local search methods to solve vehicle routing problems" (1998)
 */
export async function improveByPrograms(run: Run, { solver, clock }: SolverStage): Promise<void> {
  const { instance, options } = run;
  if (!solver.limits.integers) return;
  const random = createRandom(options.seed * 7919 + 5);
  for (let program = 0; program < mostPrograms && !isDone(run); program++) {
    const picked = pickItems(run, random);
    const part = partOf(instance, picked, run.units);
    const classes = classesOf(part.instance);
    const formulation = formulate(part.instance, classes, { integer: picked });
    const before = Int32Array.from(part.option, (option) => run.units[option]!);
    const answer = await solveVerified(solver, {
      model: formulation.model,
      gap: 1e-4,
      start: pointOf(part.instance, formulation, before),
      clock,
      ...deadlineOf(run, 0.95),
    });
    if (answer.status === "unknown" || answer.status === "failed") break;
    if (answer.values === null) continue;
    const found = wholeUnits(part.instance, formulation, answer.values);
    const units = run.units.slice();
    for (const [index, option] of part.option.entries()) units[option] = found[index]!;
    const state = createState(instance);
    load(state, units);
    offerState(run, state);
  }
  await note(run, "neighborhood");
}
