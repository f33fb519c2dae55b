import type { Instance } from "./instance.ts";

/** Items that share one tenant's rows, at most two of which are kept exact; -1 is no row. */
export interface Block {
  readonly items: readonly number[];
  readonly quota: number;
  readonly budget: number;
}

/** Blocks of items by the quota and budget rows they share; items without such rows are in none. */
export function blocksOf(instance: Instance): Block[] {
  const { rowKind, optionStart, useStart, useRow } = instance;
  const byRows = new Map<string, { items: number[]; quota: number; budget: number }>();
  for (let item = 0; item < instance.items; item++) {
    let quota = -1;
    let budget = -1;
    const option = optionStart[item]!;
    if (option === optionStart[item + 1]) continue;
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
      const row = useRow[use]!;
      if (quota < 0 && rowKind[row] === "quota") quota = row;
      if (budget < 0 && rowKind[row] === "budget") budget = row;
    }
    if (quota < 0 && budget < 0) continue;
    const key = `${quota} ${budget}`;
    const block = byRows.get(key);
    if (block === undefined) byRows.set(key, { items: [item], quota, budget });
    else block.items.push(item);
  }
  const blocks = [...byRows.values()];
  // a row that two blocks share can be exact in neither: it stays priced
  const owners = new Map<number, number>();
  for (const { quota, budget } of blocks)
    for (const row of [quota, budget]) owners.set(row, (owners.get(row) ?? 0) + 1);
  const own = (row: number): number => (owners.get(row) === 1 ? row : -1);
  return blocks
    .map((block) => ({ items: block.items, quota: own(block.quota), budget: own(block.budget) }))
    .filter(({ quota, budget }) => quota >= 0 || budget >= 0);
}

/** Resolution of the state space; coarser is faster and still a valid bound. */
const quotaBuckets = 48;
const budgetBuckets = 256;

/** Partial choices of one block, as parallel arrays: what they lose, gain and use, and where they came from. */
interface Labels {
  loss: Float64Array;
  gain: Float64Array;
  quota: Float64Array;
  budget: Float64Array;
  before: Int32Array;
  option: Int32Array;
  count: number;
}

const createLabels = (size: number): Labels => ({
  loss: new Float64Array(size),
  gain: new Float64Array(size),
  quota: new Float64Array(size),
  budget: new Float64Array(size),
  before: new Int32Array(size),
  option: new Int32Array(size),
  count: 0,
});

/** Option of an item as the dynamic program sees it, per copy. */
interface Choice {
  readonly option: number;
  readonly loss: number;
  readonly gain: number;
  readonly quota: number;
  readonly budget: number;
}

/** One item of a block, prepared. */
interface Stage {
  readonly copies: number;
  /** Loss of leaving it out. */
  readonly skip: number;
  /** Loss of placing it, on top of its choices' losses. */
  readonly take: number;
  readonly choices: readonly Choice[];
  readonly size: number;
}

export interface BlockAnswer {
  readonly bound: number;
  /** Options of the best choice, one per copy; null when the cut-off came first. */
  readonly options: readonly number[] | null;
  readonly work: number;
}

/** Amount of one row in an option, per copy. */
function amountOf(instance: Instance, option: number, row: number): number {
  for (let use = instance.useStart[option]!; use < instance.useStart[option + 1]!; use++)
    if (instance.useRow[use] === row) return instance.useAmount[use]! / instance.covers[option]!;
  return 0;
}

/**
 * Solves blocks exactly up to bucketing: labels in the same bucket of (quota, budget) are merged into one that is
 * at least as good as each, so the result is always an upper bound. A block is solved for prices of its own rows,
 * which only order the search, and for what each unit of an option is charged for everything else.
 */
export function createBlockSolver(
  instance: Instance,
  labelLimit: number,
): (block: Block, prices: Float64Array, charge: Float64Array) => BlockAnswer {
  const size = 1 << 17;
  const labels = createLabels(size);
  const table = new Int32Array(quotaBuckets * budgetBuckets);

  return (block, prices, charge) => {
    const quotaLimit = block.quota < 0 ? Infinity : instance.capacity[block.quota]!;
    const budgetLimit = block.budget < 0 ? Infinity : instance.capacity[block.budget]!;
    const { stages, upper } = stagesOf(instance, block, prices, charge);
    let cutoff = 0.03 * upper + 1;
    const quotaScale = Number.isFinite(quotaLimit) ? quotaBuckets / (quotaLimit + 1) : 0;
    const budgetScale = Number.isFinite(budgetLimit) ? budgetBuckets / (budgetLimit + 1) : 0;
    labels.loss[0] = labels.gain[0] = labels.quota[0] = labels.budget[0] = 0;
    labels.before[0] = -1;
    labels.option[0] = -1;
    labels.count = 1;
    let current = [0];
    let work = 0;

    const push = (next: number[], from: number, choice: Choice | null, extra: number): void => {
      const loss = labels.loss[from]! + extra + (choice?.loss ?? 0);
      if (loss >= cutoff) return;
      const quota = labels.quota[from]! + (choice?.quota ?? 0);
      const budget = labels.budget[from]! + (choice?.budget ?? 0);
      if (quota > quotaLimit + 1e-9 || budget > budgetLimit + 1e-9 * budgetLimit) return;
      const gain = labels.gain[from]! + (choice?.gain ?? 0);
      const bucket =
        Math.min(quotaBuckets - 1, Math.floor(quota * quotaScale)) * budgetBuckets +
        Math.min(budgetBuckets - 1, Math.floor(budget * budgetScale));
      const met = table[bucket]!;
      work++;
      if (met === 0) {
        if (labels.count === size) {
          cutoff = Math.min(cutoff, loss);
          return;
        }
        const label = labels.count++;
        labels.loss[label] = loss;
        labels.gain[label] = gain;
        labels.quota[label] = quota;
        labels.budget[label] = budget;
        labels.before[label] = from;
        labels.option[label] = choice?.option ?? -1;
        table[bucket] = label;
        next.push(label);
        return;
      }
      if (gain > labels.gain[met]!) {
        labels.gain[met] = gain;
        labels.before[met] = from;
        labels.option[met] = choice?.option ?? -1;
      }
      labels.loss[met] = Math.min(labels.loss[met]!, loss);
      labels.quota[met] = Math.min(labels.quota[met]!, quota);
      labels.budget[met] = Math.min(labels.budget[met]!, budget);
    };
    const trim = (next: number[]): number[] => {
      if (next.length <= labelLimit) return next;
      const losses = Float64Array.from(next, (label) => labels.loss[label]!).sort();
      cutoff = Math.min(cutoff, losses[labelLimit]!);
      return next.filter((label) => labels.loss[label]! < cutoff);
    };

    for (const stage of stages) {
      let partial = current;
      for (let copy = 0; copy < stage.copies && stage.take < cutoff; copy++) {
        table.fill(0);
        const next: number[] = [];
        const extra = copy === 0 ? stage.take : 0;
        for (const label of partial) for (const choice of stage.choices) push(next, label, choice, extra);
        partial = trim(next);
      }
      if (stage.take >= cutoff) partial = [];
      const next: number[] = [];
      table.fill(0);
      for (const label of current) push(next, label, null, stage.skip);
      for (const label of partial) push(next, label, null, 0);
      current = trim(next);
      if (current.length === 0) break;
    }

    let best = -1;
    let bestGain = -Infinity;
    for (const label of current) {
      const gain = Math.min(labels.gain[label]!, upper - labels.loss[label]!);
      if (gain > bestGain) {
        bestGain = gain;
        best = label;
      }
    }
    if (best < 0 || bestGain < upper - cutoff) return { bound: upper - cutoff, options: null, work };
    const options: number[] = [];
    for (let label = best; label > 0; label = labels.before[label]!)
      if (labels.option[label]! >= 0) options.push(labels.option[label]!);
    return { bound: bestGain, options, work };
  };
}

/** The items of a block with their choices priced, large ones first, and the bound by prices alone. */
function stagesOf(
  instance: Instance,
  { items, quota, budget }: Block,
  prices: Float64Array,
  charge: Float64Array,
): { readonly stages: Stage[]; readonly upper: number } {
  const { optionStart, useStart, useRow, useAmount, covers, copies, worth } = instance;
  let upper = 0;
  for (const row of [quota, budget]) if (row >= 0) upper += prices[row]! * instance.capacity[row]!;
  const stages = items.map((item): Stage => {
    const share = worth[item]! / copies[item]!;
    const reduced: number[] = [];
    const gains: number[] = [];
    let best = -Infinity;
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      let local = 0;
      for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
        const row = useRow[use]!;
        if (row === quota || row === budget) local += prices[row]! * useAmount[use]!;
      }
      const gain = share - charge[option]! / covers[option]!;
      gains.push(gain);
      reduced.push(gain - local / covers[option]!);
      best = Math.max(best, reduced.at(-1)!);
    }
    const whole = Math.max(0, best * copies[item]!);
    upper += whole;
    const choices = reduced.map((value, offset): Choice => {
      const option = optionStart[item]! + offset;
      return {
        option,
        loss: best - value,
        gain: gains[offset]!,
        quota: quota < 0 ? 0 : amountOf(instance, option, quota),
        budget: budget < 0 ? 0 : amountOf(instance, option, budget),
      };
    });
    return {
      copies: copies[item]!,
      skip: whole,
      take: whole - best * copies[item]!,
      choices: choices.sort((a, b) => a.loss - b.loss || a.option - b.option),
      size: (choices[0]?.quota ?? 0) * copies[item]!,
    };
  });
  stages.sort((a, b) => b.size - a.size);
  return { stages, upper };
}
