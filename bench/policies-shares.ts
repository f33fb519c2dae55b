import { createRandom } from "../engine/assign/random.ts";
import { createHighsSolver } from "../engine/milp/highs.ts";
import {
  type Claimant,
  type Entitlements,
  entitlements,
  type ShareProblem,
} from "../engine/quota/entitlement.ts";
import { aim, median, spread, type Topic } from "./report.ts";

/** Tenants of weights 1 to 4 with a few kinds of work each, every kind on its own choice of GPU classes. */
export function generateShares(tenants: number, classes: number, seed: number): ShareProblem {
  const random = createRandom(seed);
  const price = Array.from({ length: classes }, () => 200_000 + random.below(4_000_000));
  const kinds = 5;
  const each = Math.floor(classes / kinds);
  let wanted = 0;
  const claimants = Array.from({ length: tenants }, (): Claimant => {
    const demands = Array.from({ length: kinds }, () => {
      const units = 8 * (1 + random.below(random.next() < 0.1 ? 80 : 12));
      wanted += units;
      const own = new Set<number>();
      while (own.size < each) own.add(random.below(classes));
      const value = Math.min(...[...own].map((one) => price[one]!));
      return { units, ways: [...own].map((one) => ({ value, uses: [[one, 1] as const] })) };
    });
    return { weight: 1 + random.below(4), held: 0, demands };
  });
  return { capacity: Array.from({ length: classes }, () => Math.floor(wanted / classes / 1.5)), claimants };
}

const lowest = ({ claimants }: ShareProblem, { values }: Entitlements): number =>
  Math.min(...values.map((value, index) => value / claimants[index]!.weight));

/** Entitlements by water-filling LPs, warm, beside filling without a solver. */
export async function sharesCase(tenants: number, classes: number, rounds: number): Promise<Topic> {
  const solver = await createHighsSolver();
  const problem = generateShares(tenants, classes, 1);
  let byLp = await entitlements(problem, solver);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    byLp = await entitlements(problem, solver);
    times.push(performance.now() - start);
  }
  const start = performance.now();
  const filled = await entitlements(problem);
  const fillingMs = performance.now() - start;
  await solver.dispose();
  const result = {
    name: `entitlements-${tenants}x${classes}`,
    tenants,
    classes,
    ms: median(times),
    spread: spread(times),
    solves: byLp.solves,
    lowestShare: lowest(problem, byLp),
    baseline: { name: "filling without a solver", ms: fillingMs, lowestShare: lowest(problem, filled) },
  };
  const aims = [aim("entitlements", result.ms, { most: 500 }, "ms")];
  return {
    result,
    aims,
    lines: [
      `${result.name}: ${result.ms.toFixed(0)} ms (${(100 * result.spread).toFixed(0)} %), ${result.solves} LPs, lowest share ${(result.lowestShare / 1e6).toFixed(3)} per weight; without a solver ${fillingMs.toFixed(0)} ms, ${(result.baseline.lowestShare / 1e6).toFixed(3)}`,
    ],
  };
}
