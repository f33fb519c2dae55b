import type { PodClass } from "./classes.ts";
import type { GpuStates } from "./states.ts";

/** A class of the expected mix without its memory, and its share among the typical ones. */
export interface TypicalPod {
  readonly cpuMilli: number;
  readonly gpuMilli: number;
  readonly gpus: number;
  readonly spec: string;
  readonly allowed: Uint8Array;
  readonly share: number;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Covered share of the expected pods at which rarer classes are left out, per cent. */
const TYPICAL_PERCENT = 95;

/**
 * The most frequent classes (CPU, milli, GPUs, models) that make up 95 % of the expected pods, by falling count; of
 * equally frequent ones the larger request first. Shares add up to 1.
 *
 * @param expected classes with their counts among `total` pods
 * @see Weng et al., "Beware of Fragmentation", USENIX ATC 2023
 */
export function typicalPods(expected: readonly PodClass[], total: number): TypicalPod[] {
  const merged = new Map<string, TypicalPod & { count: number }>();
  for (const pod of expected) {
    const key = `${pod.cpuMilli} ${pod.gpuMilli} ${pod.gpus} ${pod.spec}`;
    const count = Math.round(pod.share * total);
    const known = merged.get(key);
    if (known === undefined) merged.set(key, { ...pod, share: 0, count });
    else known.count += count;
  }
  const ranked = [...merged.values()].sort(
    (a, b) =>
      b.count - a.count ||
      b.cpuMilli - a.cpuMilli ||
      b.gpuMilli - a.gpuMilli ||
      b.gpus - a.gpus ||
      byText(b.spec, a.spec),
  );
  const wanted = (TYPICAL_PERCENT * total) / 100;
  const chosen: typeof ranked = [];
  let covered = 0;
  for (const one of ranked) {
    if (covered >= wanted) break;
    covered += one.count;
    chosen.push(one);
  }
  // in two steps, as the published simulator rounds
  const whole = chosen.length < ranked.length ? covered / total : 1;
  return chosen.map(({ count, ...pod }) => ({ ...pod, share: count / total / whole }));
}

/**
 * Expected idle thousandths of a node that a typical pod cannot use: all that is idle where it does not fit or may
 * not run, else what is left on devices too small for it.
 */
export interface Fragmentation {
  /** Of a device state with this much CPU free. Sums run in the order of the typical pods, without fused steps. */
  of(state: number, cpuMilli: number): number;
}

/** Fragmentation over `typical`, computed once per device state and CPU step. */
export function createFragmentation(states: GpuStates, typical: readonly TypicalPod[]): Fragmentation {
  const steps = [...new Set(typical.map(({ cpuMilli }) => cpuMilli))].sort((a, b) => a - b);
  const highest = steps.at(-1) ?? 0;
  /** Typical CPU requests that fit, by free CPU up to the highest. */
  const stepOf = Uint16Array.from(
    { length: highest + 1 },
    (_, cpu) => steps.filter((one) => one <= cpu).length,
  );
  const known: (Float64Array | undefined)[] = [];

  const compute = (state: number, cpuMilli: number): number => {
    const free = states.free(state);
    const { model } = states.kinds[states.kind(state)]!;
    const total = states.total(state);
    let lackBoth = 0;
    let lackGpu = 0;
    let lackCpu = 0;
    let noGpuFits = 0;
    let noGpuLacks = 0;
    let noAccess = 0;
    for (const pod of typical) {
      const { share, gpuMilli } = pod;
      const hasCpu = cpuMilli >= pod.cpuMilli;
      if (gpuMilli === 0) {
        if (hasCpu) noGpuFits += share * total;
        else noGpuLacks += share * total;
        continue;
      }
      if (pod.allowed[model] === 0) {
        noAccess += share * total;
        continue;
      }
      let small = 0;
      let large = 0;
      for (const milli of free) {
        if (milli >= gpuMilli) large += 1;
        else small += milli;
      }
      const hasGpus = large >= pod.gpus;
      if (hasGpus && hasCpu) lackGpu += share * small;
      else if (hasGpus) lackCpu += share * total;
      else if (hasCpu) lackGpu += share * total;
      else lackBoth += share * total;
    }
    return lackBoth + lackGpu + lackCpu + noGpuFits + noGpuLacks + noAccess;
  };

  return {
    of(state, cpuMilli) {
      const step = cpuMilli >= highest ? steps.length : stepOf[cpuMilli]!;
      let table = known[state];
      if (table === undefined) {
        table = new Float64Array(steps.length + 1).fill(-1);
        known[state] = table;
      }
      if (table[step]! < 0) table[step] = compute(state, cpuMilli);
      return table[step]!;
    },
  };
}
