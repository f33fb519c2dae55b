import { createModelBuilder, type LinearModel } from "../milp/model.ts";
import type { Basis, Solver } from "../milp/solver.ts";
import { solveVerified } from "../milp/verify.ts";

/** One way to serve a unit of demand: what it is worth and what it takes. */
export interface ServingWay {
  /** >= 0 per unit, the same measure for all claimants: money per hour at list price. */
  readonly value: number;
  readonly uses: readonly (readonly [row: number, amount: number])[];
}

/** Demand of one claimant that any mix of its ways may serve. */
export interface Demand {
  /** Units, > 0. */
  readonly units: number;
  readonly ways: readonly ServingWay[];
}

/** Somebody with a share: a tenant. */
export interface Claimant {
  /** > 0 */
  readonly weight: number;
  /** Value of what it has already and keeps. */
  readonly held: number;
  readonly demands: readonly Demand[];
}

/** Who wants what of which scarce rows. */
export interface ShareProblem {
  /** Per row, >= 0. */
  readonly capacity: readonly number[];
  readonly claimants: readonly Claimant[];
}

/** Weighted max-min shares. */
export interface Entitlements {
  /** Per claimant: value it is entitled to, what it holds included. */
  readonly values: readonly number[];
  /** `lp`: exact up to rounding. `filling`: attainable, but no re-routing was tried, for want of a solver. */
  readonly from: "lp" | "filling";
  /** LPs solved. */
  readonly solves: number;
}

/** Relative slack of every comparison of LP values. */
const tolerance = 1e-7;

const mostOf = ({ ways }: Demand): number => ways.reduce((most, { value }) => Math.max(most, value), 0);

/** Value of everything a claimant asks for and holds. */
const fullOf = ({ held, demands }: Claimant): number =>
  demands.reduce((sum, demand) => sum + demand.units * mostOf(demand), held);

/** What a claimant's row asks for in one LP. */
type Goal = { readonly kind: "level" } | { readonly kind: "fixed"; readonly value: number };

/** One way of one demand as a column: shares of the demand against shares of what they limit, so that all is about 1. */
type Column = readonly (readonly [row: number, coefficient: number])[];

/** The LPs of all rounds: rows never change, columns are added where they are worth it, and one basis starts the next. */
interface Template {
  /** Value per weight of a level of 1. */
  readonly levelScale: number;
  /** Row of a claimant. */
  readonly rowOf: readonly number[];
  /** Per demand: the columns of its ways. */
  readonly ways: readonly (readonly Column[])[];
  build(goals: readonly Goal[], columns: readonly Column[]): LinearModel;
}

function templateOf({ capacity, claimants }: ShareProblem): Template {
  const fulls = claimants.map((claimant) => Math.max(1, fullOf(claimant)));
  const most = Math.max(...claimants.map(({ weight }, index) => fulls[index]! / weight));
  const firstClaimant = capacity.length;
  let rows = firstClaimant + claimants.length;
  const ways = claimants.flatMap(({ demands }, index) =>
    demands.map(({ units, ways: list }): Column[] => {
      const cap = list.length > 1 ? rows++ : -1;
      return list.map(
        ({ value, uses }): Column => [
          [firstClaimant + index, (value * units) / fulls[index]!],
          ...(cap < 0 ? [] : [[cap, 1] as const]),
          ...uses.map(([use, amount]) => [use, (amount * units) / Math.max(capacity[use]!, 1e-9)] as const),
        ],
      );
    }),
  );
  return {
    levelScale: most,
    rowOf: claimants.map((_, index) => firstClaimant + index),
    ways,
    build(goals, columns) {
      const builder = createModelBuilder();
      const level = builder.addColumn(-1, 0, 1);
      for (const _ of capacity) builder.addRow(-Infinity, 1);
      for (const [index, { held }] of claimants.entries()) {
        const goal = goals[index]!;
        builder.addRow((goal.kind === "level" ? -held : goal.value - held) / fulls[index]!, Infinity);
      }
      for (let row = firstClaimant + claimants.length; row < rows; row++) builder.addRow(-Infinity, 1);
      for (const [index, { weight }] of claimants.entries())
        if (goals[index]!.kind === "level")
          builder.put(firstClaimant + index, level, (-weight * most) / fulls[index]!);
      for (const entries of columns) {
        const column = builder.addColumn(0, 0, 1);
        for (const [row, coefficient] of entries) builder.put(row, column, coefficient);
      }
      return builder.build();
    },
  };
}

/** Ways of each demand that the LPs begin with: those that filling without a solver uses most. Two to five are as good. */
const firstWays = 3;

interface Level {
  /** Value per weight that every claimant with a `level` goal reaches. */
  readonly level: number;
  /** Per claimant: its row holds the level down. */
  readonly isBinding: readonly boolean[];
}

/** What a column would gain at these duals; above 0 it is worth adding. */
const gainOf = (column: Column, duals: Float64Array): number =>
  column.reduce((sum, [row, coefficient]) => sum + coefficient * duals[row]!, 0);

/** A basis for a model with more columns: the new ones are not in it. */
function extended(basis: Basis, columns: number): Basis {
  const status = new Int32Array(columns);
  status.set(basis.columns);
  return { columns: status, rows: basis.rows };
}

/**
 * Solves rounds of one problem, each from the basis of the one before and over the ways that are of use: others are priced
 * by the duals and added until none would gain, which is as exact as all of them.
 *
 * @param isUsed the ways to begin with, by demand and way
 */
function createRounds(
  problem: ShareProblem,
  solver: Solver,
  isUsed: (demand: number, way: number) => boolean,
) {
  const template = templateOf(problem);
  const waiting = template.ways.map((list, demand) => list.filter((_, way) => !isUsed(demand, way)));
  const columns = template.ways.flatMap((list, demand) => list.filter((_, way) => isUsed(demand, way)));
  let basis: Basis | null = null;
  /** Adds the best way of each demand that would gain; true when there was any. */
  const price = (duals: Float64Array): boolean => {
    const before = columns.length;
    for (const list of waiting) {
      let best = -1;
      let most = tolerance;
      for (const [index, column] of list.entries()) {
        const gain = gainOf(column, duals);
        if (gain > most) [best, most] = [index, gain];
      }
      if (best >= 0) columns.push(...list.splice(best, 1));
    }
    return columns.length > before;
  };
  const rounds = {
    solves: 0,
    /** Null when the goals cannot be met by the ways so far; throws nothing. `undefined` when the solver failed. */
    async solve(goals: readonly Goal[]): Promise<Level | null | undefined> {
      for (;;) {
        rounds.solves++;
        const answer = await solveVerified(solver, {
          model: template.build(goals, columns),
          ...(basis === null ? {} : { basis: extended(basis, columns.length + 1) }),
        });
        if (answer.status === "infeasible") return null;
        const { values, rowDuals } = answer;
        if (answer.status !== "optimal" || values === null || rowDuals === null) return undefined;
        basis = answer.basis;
        if (price(rowDuals)) continue;
        return {
          level: values[0]! * template.levelScale,
          isBinding: template.rowOf.map((row) => Math.abs(rowDuals[row]!) > tolerance),
        };
      }
    },
  };
  return rounds;
}

/** Everybody's goals: decided ones stay, `full` ones get all they ask for, the others share the level. */
const goalsOf = (
  decided: readonly (number | null)[],
  full: ReadonlySet<number>,
  claimants: readonly Claimant[],
): Goal[] =>
  decided.map((value, index) => {
    if (value !== null) return { kind: "fixed", value: value * (1 - tolerance) };
    return full.has(index)
      ? { kind: "fixed", value: fullOf(claimants[index]!) * (1 - tolerance) }
      : { kind: "level" };
  });

/**
 * Water-filling: the level of all rises until somebody cannot rise any further, who is settled there; and so on. Those
 * who can have all they ask for are settled together: a guess from filling without a solver, verified by the level of
 * the others, halved where it was too bold. Exact for demand that can be divided; a few LPs of one shape. Null when the
 * solver fails.
 */
async function fillByLp(problem: ShareProblem, solver: Solver): Promise<Entitlements | null> {
  const { claimants } = problem;
  const filled = fillGreedily(problem);
  const rounds = createRounds(problem, solver, (demand, way) => {
    const units = filled.used[demand]!;
    const before = units.filter((more, other) => more > units[way]! || (more === units[way] && other < way));
    return before.length < firstWays;
  });
  const levels = claimants.map((claimant) => fullOf(claimant) / claimant.weight);
  const decided: (number | null)[] = claimants.map((claimant) =>
    fullOf(claimant) <= claimant.held ? claimant.held : null,
  );
  const openInOrder = (): number[] =>
    decided
      .flatMap((value, index) => (value === null ? [index] : []))
      .sort((a, b) => levels[a]! - levels[b]! || a - b);
  const guess = filled.values;
  const order = openInOrder();
  const firstShort = order.findIndex((index) => guess[index]! < fullOf(claimants[index]!) * (1 - 1e-6));
  let full = firstShort < 0 ? order : order.slice(0, firstShort);
  let step = 1;
  while (decided.includes(null)) {
    const now = await rounds.solve(goalsOf(decided, new Set(full), claimants));
    if (now === undefined || (now === null && full.length === 0)) return null;
    const rest = openInOrder().filter((index) => !full.includes(index));
    const last = full.length === 0 ? 0 : levels[full.at(-1)!]!;
    if (now === null || (rest.length > 0 && now.level < last * (1 - 10 * tolerance))) {
      full = full.slice(0, full.length >> 1);
      step = 1;
      continue;
    }
    for (const index of full) decided[index] = fullOf(claimants[index]!);
    full = [];
    if (rest.length === 0) break;
    if (now.level >= levels[rest[0]!]! * (1 - 10 * tolerance)) {
      full = rest.slice(0, step);
      step *= 2;
      continue;
    }
    const stuck = rest.filter((index) => now.isBinding[index]);
    // degenerate duals that name nobody: the level is the answer for all
    for (const index of stuck.length > 0 ? stuck : rest)
      decided[index] = Math.max(claimants[index]!.held, now.level * claimants[index]!.weight);
  }
  return { values: decided.map((value) => value!), from: "lp", solves: rounds.solves };
}

/** Shares that filling without a solver gives, and the units by each way of each demand, in order. */
interface Filled extends Entitlements {
  readonly used: readonly Float64Array[];
}

/** Steps of the filling without a solver, per claimant. */
const fillingSteps = 64;

/** Gives the one with the least share a little more, on the way with most room left, until nobody can have more. */
function fillGreedily({ capacity, claimants }: ShareProblem): Filled {
  const left = [...capacity];
  const firstDemand = claimants.map(() => 0);
  for (const [index, { demands }] of claimants.entries())
    if (index + 1 < claimants.length) firstDemand[index + 1] = firstDemand[index]! + demands.length;
  const used = claimants.flatMap(({ demands }) => demands.map(({ ways }) => new Float64Array(ways.length)));
  const values = claimants.map(({ held }) => held);
  const rest = claimants.map(({ demands }) => demands.map(({ units }) => units));
  const open = new Set(claimants.keys());
  /** Units that fit, and the share of the room that they take where it is scarcest. */
  const room = ({ uses }: ServingWay): number =>
    uses.reduce((least, [row, amount]) => Math.min(least, left[row]! / amount), Infinity);
  const step = (index: number): boolean => {
    const { demands } = claimants[index]!;
    for (const [at, { units, ways }] of demands.entries()) {
      if (rest[index]![at]! <= units * tolerance) continue;
      const best = ways.reduce((a, b) => (room(b) > room(a) ? b : a));
      const count = Math.min(rest[index]![at]!, units / fillingSteps, room(best));
      if (count <= units * tolerance) continue;
      used[firstDemand[index]! + at]![ways.indexOf(best)]! += count;
      for (const [row, amount] of best.uses) left[row]! -= amount * count;
      rest[index]![at]! -= count;
      values[index]! += best.value * count;
      return true;
    }
    return false;
  };
  while (open.size > 0) {
    let lowest = -1;
    for (const index of open)
      if (
        lowest < 0 ||
        values[index]! / claimants[index]!.weight < values[lowest]! / claimants[lowest]!.weight
      )
        lowest = index;
    if (!step(lowest)) open.delete(lowest);
  }
  return { values, from: "filling", solves: 0, used };
}

/**
 * What each claimant is entitled to: the weighted max-min share of what everybody can actually use, the lowest share as
 * high as possible, then the next, and so on. A linear program over the claimants' own ways, by water-filling.
 *
 * @see Radunović, Le Boudec, "A unified framework for max-min and min-max fairness with applications" (2007)
 */
export async function entitlements(problem: ShareProblem, solver?: Solver): Promise<Entitlements> {
  if (problem.claimants.length === 0) return { values: [], from: "lp", solves: 0 };
  const exact = solver?.limits.duals === true ? await fillByLp(problem, solver) : null;
  if (exact !== null) return exact;
  const { values, from, solves } = fillGreedily(problem);
  return { values, from, solves };
}
