import {
  type Candidate,
  candidateOf,
  comparator,
  keysOf,
  type Range,
  type Ranking,
  rangeOf,
} from "../assign/rank.ts";
import { placeSingle, type SingleResult } from "../assign/single.ts";
import { flavorOf } from "../compile/catalog.ts";
import { changed } from "../compile/constraints/forms.ts";
import type { Relaxation, Scope } from "../compile/constraints/spec.ts";
import { type Blocked, blockedRows, failingRows } from "../compile/encode.ts";
import { needOf } from "../compile/need.ts";
import type { Change, Counterfactual } from "../model/decision.ts";
import { formatMicro } from "../model/money.ts";
import { goalOf } from "../score/objective.ts";

/** At most this many suggestions. */
const MOST = 5;
/** Larger sets of blocked rows are not ranked: a choice without an order then takes the first by id. */
const RANKED_ROWS = 4096;
/** Options looked at exactly, as many as a plan does: ties are then broken the same way. */
const EXACT = 8;
/** Pairs tried, in order of how many rows they alone block. */
const PAIRS = 12;

interface Found {
  readonly counterfactual: Counterfactual;
  readonly best: Candidate;
}

/** A placement promise, checked by running the changed intent through the same pipeline. */
function verify(scope: Scope, changes: readonly Change[], relaxed: Relaxation["intent"]): Found | null {
  const { catalog } = scope;
  const result = placeSingle({ ...scope, need: needOf(catalog, relaxed) }, EXACT);
  const share = result.shares[0];
  if (share === undefined) return null;
  const { row } = share.candidate;
  const flavor = flavorOf(catalog, row);
  return {
    best: share.candidate,
    counterfactual: {
      changes,
      offers: result.answer.feasible,
      best: {
        offer: flavor.id,
        provider: flavor.provider,
        costMicro: result.shares.reduce((sum, { billedMicro }) => sum + billedMicro, 0),
        spot: catalog.options.spot[row] === 1,
      },
    },
  };
}

/** The rows in order of the objective, as if they were feasible. */
function byObjective(scope: Scope, rows: readonly number[]): number[] {
  const ranking = goalOf(scope.need.intent);
  const { worst }: Range = rangeOf(scope.catalog, scope.need, rows);
  return rows
    .map((row) => candidateOf(scope, ranking, row, worst))
    .sort(comparator(scope, ranking))
    .map(({ row }) => row);
}

/** Relaxes one constraint after the other so that a row failing exactly these becomes feasible. */
function relaxAll(
  scope: Scope,
  result: SingleResult,
  indices: readonly number[],
  rows: readonly number[],
): Relaxation[] | null {
  const steps: Relaxation[] = [];
  let current = scope;
  let left = rows;
  for (const index of indices) {
    const step = result.encoded.specs[index]!.relax?.(current, left);
    if (step === undefined || step === null) return null;
    steps.push(step);
    current = { ...scope, need: needOf(scope.catalog, step.intent) };
    if (indices.length > 1) {
      const spec = result.encoded.specs[index]!;
      const predicates = spec.predicates(current);
      if (predicates !== null) {
        const failing = failingRows(scope.catalog, { name: spec.name, predicates });
        left = left.filter((row) => ((failing[row >> 5]! >>> (row & 31)) & 1) === 0);
      }
      if (left.length === 0) return null;
    }
  }
  return steps;
}

/** Fewer replicas, or a higher cap for all of them together, when only the sum does not fit. */
function jointRelaxations(scope: Scope, result: SingleResult): Relaxation[] {
  const { shortfall } = result;
  const { need, catalog } = scope;
  const { intent } = need;
  if (shortfall === null) return [];
  const found: Relaxation[] = [];
  const batch = intent.workload.type === "batch";
  const path = batch ? "workload.batch.parallel_tasks" : "workload.scaling.min_replicas";
  const field = batch ? ["workload", "batch", "parallelTasks"] : ["workload", "scaling", "minReplicas"];
  if (shortfall.by === "capacity" && shortfall.most > 0)
    found.push(changed(intent, field, shortfall.most, { path, from: need.replicas, to: shortfall.most }));
  const cap = intent.constraints.maxHourlyCost;
  if (shortfall.by === "cap" && shortfall.leastMicro !== null && cap?.currency === catalog.snapshot.currency)
    found.push(
      changed(
        intent,
        ["constraints", "maxHourlyCost"],
        { ...cap, micro: shortfall.leastMicro },
        {
          path: "constraints.max_hourly_cost",
          from: `${formatMicro(cap.micro)} ${cap.currency}`,
          to: `${formatMicro(shortfall.leastMicro)} ${cap.currency}`,
        },
      ),
    );
  return found;
}

/**
 * Minimal changes of the intent that get it placed, or placed better: single fields first, then pairs, at most five,
 * each verified by running the changed intent. A numeric change is the smallest that admits an offer. For a placed
 * intent only changes that beat the chosen option in its own objective are told.
 */
export function counterfactualsOf(scope: Scope, result: SingleResult): Counterfactual[] {
  const { ranking } = result;
  const chosen = result.shares[0]?.candidate;
  const blocked = blockedRows(scope.catalog, result.encoded);
  const compare = comparator(scope, ranking);
  const found: Found[] = [];
  const attempt = (steps: readonly Relaxation[] | null): void => {
    const last = steps?.[steps.length - 1];
    if (steps === null || last === undefined) return;
    const verified = verify(
      scope,
      steps.map(({ change }) => change),
      last.intent,
    );
    if (verified !== null && (chosen === undefined || compare(verified.best, chosen) < 0))
      found.push(verified);
  };
  const tryRows = ({ by, rows }: Blocked): void => {
    const better = chosen === undefined ? rows : betterRows(scope, ranking, rows, chosen);
    if (better.length === 0) return;
    const ordered = better.length <= RANKED_ROWS ? byObjective(scope, better) : better;
    attempt(relaxAll(scope, result, by, ordered));
  };

  for (const joint of jointRelaxations(scope, result)) attempt([joint]);
  for (const one of blocked) if (one.by.length === 1) tryRows(one);
  const order = (a: Found, b: Found): number =>
    a.counterfactual.best.costMicro - b.counterfactual.best.costMicro ||
    (a.counterfactual.changes[0]!.path < b.counterfactual.changes[0]!.path ? -1 : 1);
  found.sort(order);
  const singles = found.splice(0, found.length);
  if (singles.length < MOST && chosen === undefined) {
    const textOf = ({ by }: Blocked): string => by.join(",");
    const pairs = blocked
      .filter(({ by }) => by.length === 2)
      .sort((a, b) => b.rows.length - a.rows.length || (textOf(a) < textOf(b) ? -1 : 1));
    for (const pair of pairs.slice(0, PAIRS)) tryRows(pair);
    found.sort(order);
  }
  return [...singles, ...found].slice(0, MOST).map(({ counterfactual }) => counterfactual);
}

/** Rows that the objective and its tie-breaks put before the chosen one; a criterion that a row does not tell is equal. */
function betterRows(
  scope: Scope,
  ranking: Ranking,
  rows: readonly number[],
  chosen: Candidate,
): readonly number[] {
  const compare = comparator(scope, ranking);
  const { worst } = rangeOf(scope.catalog, scope.need, [chosen.row]);
  const [least = Number.NaN] = keysOf(scope, ranking, [chosen.row]);
  const keys = keysOf(scope, ranking, rows);
  return rows.filter(
    (row, index) => !(keys[index]! > least) && compare(candidateOf(scope, ranking, row, worst), chosen) < 0,
  );
}
