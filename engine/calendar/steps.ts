/**
 * Amounts of one offer, five of them: GPUs, milli-CPU, MiB, pods, and the sale of an offer that is only sold whole.
 * Infinity: not limited by the offer.
 */
export type Amounts = readonly number[];

/** A change of the free amounts at one time. */
export interface Change {
  readonly at: number;
  readonly delta: Amounts;
}

/**
 * Free amounts as a step function of time: `free[r][k]` holds from `times[k]` until `times[k + 1]`, the last step for
 * ever. Times ascend; the first is the plan's now. Mutable, owned by one timeline.
 */
export interface Steps {
  readonly times: number[];
  readonly free: readonly number[][];
}

/**
 * Builds steps from changes in any order; changes at or before `at` count from the start. What is free already though a
 * change is to free it later, because whoever holds it has just gone, is not freed twice: at no time is more free than what
 * the changes still to come leave, or than there is at the start.
 *
 * @param most amounts that are never exceeded, whatever the changes say
 */
export function stepsFrom(at: number, initial: Amounts, changes: readonly Change[], most: Amounts): Steps {
  const sorted = changes.filter((change) => change.at < Number.POSITIVE_INFINITY).sort((a, b) => a.at - b.at);
  const level = [...initial];
  const toCome = initial.map((_, index) => changes.reduce((sum, { delta }) => sum + delta[index]!, 0));
  const times = [at];
  const free = level.map((amount) => [amount]);
  for (const { at: when, delta } of sorted) {
    const last = times.length - 1;
    const isNew = when > times[last]!;
    if (isNew) times.push(when);
    for (const [index, amount] of delta.entries()) {
      level[index] = level[index]! + amount;
      toCome[index] = toCome[index]! - amount;
      const left = Math.max(initial[index]!, most[index]! - toCome[index]!);
      free[index]![isNew ? last + 1 : last] = Math.min(level[index]!, left);
    }
  }
  return { times, free };
}

export const copySteps = ({ times, free }: Steps): Steps => ({
  times: [...times],
  free: free.map((amounts) => [...amounts]),
});

/** The step that holds at a time; the first for times before it. */
export function stepAt({ times }: Steps, at: number): number {
  let low = 0;
  let high = times.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle]! <= at) low = middle;
    else high = middle;
  }
  return low;
}

/** Makes `at` the beginning of a step and returns its index. */
function split({ times, free }: Steps, at: number): number {
  const index = stepAt({ times, free }, at);
  if (times[index]! >= at) return index;
  times.splice(index + 1, 0, at);
  for (const amounts of free) amounts.splice(index + 1, 0, amounts[index]!);
  return index + 1;
}

/** Adds amounts to what is free in `[from, to)`; cost linear in the steps. */
export function addTo(steps: Steps, from: number, to: number, delta: Amounts): void {
  if (!(to > from) || to <= steps.times[0]!) return;
  const first = split(steps, from);
  const last = to === Number.POSITIVE_INFINITY ? steps.times.length : split(steps, to);
  for (const [index, amount] of delta.entries()) {
    if (amount === 0) continue;
    const amounts = steps.free[index]!;
    for (let step = first; step < last; step++) amounts[step]! += amount;
  }
}

/** Least free amounts in `[from, to)`; an empty interval counts as its first moment. */
export function leastIn(steps: Steps, from: number, to: number): number[] {
  const first = stepAt(steps, from);
  const least = steps.free.map((amounts) => amounts[first]!);
  for (let step = first + 1; step < steps.times.length && steps.times[step]! < to; step++)
    for (const [index, amounts] of steps.free.entries())
      if (amounts[step]! < least[index]!) least[index] = amounts[step]!;
  return least;
}

/** What one replica takes. */
export type Demand = Amounts;

/** Replicas that fit into amounts; an offer sold whole hosts any number as long as nobody else has it. */
export function slotsIn(free: Amounts, demand: Demand): number {
  if (demand[4]! > 0 && free[4]! < 1) return 0;
  let slots = Number.POSITIVE_INFINITY;
  for (let index = 0; index < 4; index++)
    if (demand[index]! > 0) slots = Math.min(slots, Math.floor(free[index]! / demand[index]!));
  return Math.max(0, slots);
}

/**
 * Earliest start at or after `from` at which `replicas` fit for `duration` milliseconds without a gap; Infinity when
 * there is none. One pass over the steps.
 */
export function earliestFit(
  steps: Steps,
  from: number,
  duration: number,
  { demand, replicas }: { readonly demand: Demand; readonly replicas: number },
): number {
  const { times, free } = steps;
  let start: number | null = null;
  for (let step = stepAt(steps, from); step < times.length; step++) {
    const room = [free[0]![step]!, free[1]![step]!, free[2]![step]!, free[3]![step]!, free[4]![step]!];
    if (slotsIn(room, demand) < replicas) {
      start = null;
      continue;
    }
    start ??= Math.max(from, times[step]!);
    const end = times[step + 1] ?? Number.POSITIVE_INFINITY;
    if (end >= start + duration) return start;
  }
  return Number.POSITIVE_INFINITY;
}
