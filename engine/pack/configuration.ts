import { createModelBuilder } from "../milp/model.ts";
import type { Basis, Solver } from "../milp/solver.ts";
import { solveVerified } from "../milp/verify.ts";
import { assert } from "../model/errors.ts";
import type { PodClass } from "./classes.ts";
import { DEVICE_MILLI, podMilli } from "./model.ts";
import { bestPattern, type Pattern } from "./pattern.ts";
import type { NodeKind } from "./states.ts";

/**
 * Cost of leaving out a pod without GPUs, GPU thousandths: more than the devices that one such pod could keep idle, not
 * so much that early prices know nothing else.
 */
const PLAIN_PENALTY = 2e4;
/** CPU steps of the pricing problem, thousandths. */
const STEP_MILLI = 1000;
/** Gap between LP and dual bound at which column generation stops. */
const GAP = 1e-3;
const ROUNDS = 400;
/** Further patterns per kind and round, each without the classes of the ones before: fewer rounds, fewer LPs. */
const MORE_PATTERNS = 3;

/** A pattern on a kind of node: one column of the LP. */
interface Column {
  readonly kind: number;
  readonly counts: ReadonlyMap<number, number>;
}

/** Columns found so far, without repetition; reused by every LP over the same nodes and classes. */
export interface ColumnPool {
  readonly columns: Column[];
  readonly keys: Set<string>;
}

export const createColumnPool = (): ColumnPool => ({ columns: [], keys: new Set() });

/** Adds a pattern; false when it was there. */
function addColumn(pool: ColumnPool, kind: number, { counts }: Pattern): boolean {
  const key = `${kind}:${[...counts].sort((a, b) => a[0] - b[0]).join(";")}`;
  if (pool.keys.has(key)) return false;
  pool.keys.add(key);
  pool.columns.push({ kind, counts });
  return true;
}

export interface ConfigurationAnswer {
  /** GPU thousandths that the LP places. */
  readonly value: number;
  /** Upper bound on what any placement of this demand reaches, GPU thousandths. */
  readonly bound: number;
  /** Per class: GPU thousandths it brings beyond the scarcity it causes; what room for one more is worth. */
  readonly profit: Float64Array;
  readonly rounds: number;
}

/** Price of one more pod of each class at the LP's optimum, from the duals of its rows. */
interface Master {
  readonly value: number;
  readonly kindPrice: Float64Array;
  readonly classPrice: Float64Array;
  readonly basis: Basis | null;
}

/** Solves the LP over the pool's columns. @throws when the solver gives no proven optimum */
async function solveMaster(
  solver: Solver,
  kinds: readonly NodeKind[],
  classes: readonly PodClass[],
  demand: Float64Array,
  pool: ColumnPool,
  basis: Basis | null,
): Promise<Master> {
  const model = createModelBuilder();
  for (const kind of kinds) model.addRow(-Infinity, kind.nodes.length);
  for (const pod of classes) model.addRow(pod.gpus === 0 ? demand[pod.id]! : -Infinity, demand[pod.id]!);
  for (const pod of classes)
    if (pod.gpus === 0)
      model.put(kinds.length + pod.id, model.addColumn(PLAIN_PENALTY, 0, demand[pod.id]!), 1);
  for (const { kind, counts } of pool.columns) {
    let milli = 0;
    for (const [id, count] of counts) milli += podMilli(classes[id]!) * count;
    const column = model.addColumn(-milli, 0, kinds[kind]!.nodes.length);
    model.put(kind, column, 1);
    for (const [id, count] of counts) model.put(kinds.length + id, column, count);
  }
  const built = model.build();
  const start = basis === null ? {} : { basis: widened(basis, built.cols) };
  const answer = await solveVerified(solver, { model: built, ...start });
  const { rowDuals } = answer;
  assert(
    answer.status === "optimal" && rowDuals !== null,
    `configuration LP: ${answer.status} ${answer.message ?? ""}`,
  );
  return {
    value: -answer.objective,
    kindPrice: rowDuals.subarray(0, kinds.length).map((dual) => -dual),
    classPrice: rowDuals.subarray(kinds.length).map((dual) => -dual),
    basis: answer.basis,
  };
}

/** A basis of a model with fewer columns: the new ones sit at their lower bound. */
function widened(basis: Basis, cols: number): Basis {
  const columns = new Int32Array(cols);
  columns.set(basis.columns);
  return { columns, rows: basis.rows };
}

/**
 * Solves the configuration LP, how many nodes of each kind to fill with which pattern, for a demand per class, by
 * column generation: the LP gives prices, `bestPattern` the most profitable new pattern of each kind at them. All pods
 * without GPUs must be placed.
 *
 * @param demand pods per class, 0 or more; fractions are fine
 * @throws when the solver finds no proven optimum of one of the LPs
 */
export async function solveConfiguration(
  solver: Solver,
  kinds: readonly NodeKind[],
  classes: readonly PodClass[],
  demand: Float64Array,
  pool: ColumnPool = createColumnPool(),
): Promise<ConfigurationAnswer> {
  const worth = Float64Array.from(classes, (pod) => (pod.gpus === 0 ? 1 : podMilli(pod)));
  if (pool.columns.length === 0)
    for (const [index, kind] of kinds.entries())
      addColumn(pool, index, bestPattern(kind, classes, worth, STEP_MILLI));
  let best: Float64Array = new Float64Array(classes.length);
  let bound = Number.POSITIVE_INFINITY;
  let value = 0;
  let basis: Basis | null = null;
  let rounds = 0;
  while (rounds < ROUNDS) {
    rounds += 1;
    const master = await solveMaster(solver, kinds, classes, demand, pool, basis);
    value = master.value;
    basis = master.basis;
    const profit = Float64Array.from(classes, (pod) => podMilli(pod) - master.classPrice[pod.id]!);
    const found = kinds.map((kind) => bestPattern(kind, classes, profit, STEP_MILLI));
    let upper = classes.reduce((sum, pod) => sum + master.classPrice[pod.id]! * demand[pod.id]!, 0);
    let added = 0;
    found.forEach((pattern, kind) => {
      upper += pattern.profit * kinds[kind]!.nodes.length;
      const needed = master.kindPrice[kind]! + 1e-6;
      if (pattern.profit > needed && addColumn(pool, kind, pattern)) added += 1;
      const rest = profit.slice();
      let last = pattern;
      for (let more = 0; more < MORE_PATTERNS && last.profit > needed; more++) {
        for (const id of last.counts.keys()) rest[id] = 0;
        last = bestPattern(kinds[kind]!, classes, rest, STEP_MILLI);
        if (last.profit > needed) addColumn(pool, kind, last);
      }
    });
    if (upper < bound) {
      bound = upper;
      best = profit;
    }
    if (added === 0 || bound - value < GAP * value) break;
  }
  return { value, bound, profit: best, rounds };
}

/**
 * Loads, in nodes' GPU capacity, whose profits are averaged. At full load many profits are alternatives of one another
 * and the LP picks an extreme one; the mean with an overloaded cluster's lies between them.
 */
const LOADS = [1, 1.15] as const;

/**
 * What room for one more pod of each class is worth, GPU thousandths: profits of the configuration LP for the expected
 * shares, averaged over two loads.
 */
export async function expectedProfits(
  solver: Solver,
  kinds: readonly NodeKind[],
  classes: readonly PodClass[],
): Promise<Float64Array> {
  const capacity = kinds.reduce((sum, { gpus, nodes }) => sum + gpus * DEVICE_MILLI * nodes.length, 0);
  const perPod = classes.reduce((sum, pod) => sum + pod.share * podMilli(pod), 0);
  const profit = new Float64Array(classes.length);
  if (perPod === 0 || capacity === 0) return profit;
  const pool = createColumnPool();
  for (const load of LOADS) {
    const demand = Float64Array.from(classes, ({ share }) => (share * load * capacity) / perPod);
    const answer = await solveConfiguration(solver, kinds, classes, demand, pool);
    for (const [id, value] of answer.profit.entries()) profit[id]! += value / LOADS.length;
  }
  return profit;
}
