import type { Instance, Units } from "./instance.ts";

/** One promise that an assignment breaks. */
export interface Violation {
  readonly rule: "shape" | "capacity" | "gang" | "count";
  readonly message: string;
}

/** What an independent recount finds. */
export interface CheckReport {
  readonly violations: readonly Violation[];
  /** Gain by the checker's own arithmetic, exact (BigInt inside). */
  readonly gain: number;
  /** Items placed. */
  readonly placed: number;
}

/**
 * Recounts an assignment from the instance alone, row by row, in exact integers. Shares no code with the
 * assigners: it neither knows prices nor state, and reads nothing but the instance and the units.
 */
export function checkAssignment(instance: Instance, units: Units): CheckReport {
  const violations: Violation[] = [];
  if (units.length !== instance.options)
    return {
      violations: [{ rule: "shape", message: `${units.length} counts for ${instance.options} options` }],
      gain: 0,
      placed: 0,
    };

  const used: bigint[] = Array.from(instance.capacity, () => 0n);
  let gain = 0n;
  let placed = 0;
  for (let item = 0; item < instance.items; item++) {
    const first = instance.optionStart[item] as number;
    const last = instance.optionStart[item + 1] as number;
    let covered = 0;
    let taken = 0;
    for (let option = first; option < last; option++) {
      const count = units[option] as number;
      if (count < 0) violations.push({ rule: "count", message: `option ${option} has ${count} units` });
      if (count <= 0) continue;
      taken += count;
      covered += count * (instance.covers[option] as number);
      gain -= BigInt(count) * BigInt(instance.cost[option] as number);
      const uses = instance.useStart[option + 1] as number;
      for (let use = instance.useStart[option] as number; use < uses; use++) {
        const row = instance.useRow[use] as number;
        used[row] = (used[row] as bigint) + BigInt(count) * BigInt(instance.useAmount[use] as number);
      }
    }
    const wanted = instance.copies[item] as number;
    if (taken === 0) continue;
    if (covered < wanted)
      violations.push({ rule: "gang", message: `item ${item}: ${covered} of ${wanted} copies placed` });
    else {
      placed++;
      gain += BigInt(instance.worth[item] as number);
    }
  }
  for (const [row, amount] of used.entries()) {
    const limit = instance.capacity[row] as number;
    if (amount > BigInt(limit))
      violations.push({
        rule: "capacity",
        message: `row ${row} (${instance.rowKind[row]}): ${amount} of ${limit}`,
      });
  }
  return { violations, gain: Number(gain), placed };
}
