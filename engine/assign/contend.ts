import { offerIndexOf } from "../compile/catalog.ts";
import type { Usage } from "../compile/constraints/spec.ts";
import type { Intent } from "../model/intent.ts";
import type { BatchReport, TenantShare } from "../model/plan.ts";
import { noTerms, type Running, type Terms } from "../model/terms.ts";
import { type Accounts, copyAccounts, enter, isWithinQuota, leave, scopeIn } from "./accounts.ts";
import { type Batch, type Contender, compileBatch, regretOf, sharesOf, unitsOf } from "./batch.ts";
import { compareTallies, reportOf, tallyOf } from "./batch-report.ts";
import { carryOver, type Tick } from "./carry.ts";
import { type BatchDump, dumpBatch } from "./dump.ts";
import { type Fairness, fairnessOf, shortfallOf } from "./fairness.ts";
import { createMeter, overLimit, withinLimits } from "./meter.ts";
import type { Mover } from "./moves.ts";
import { release, type Served, serve } from "./serve.ts";
import { type Asked, askAll, placeSingle } from "./single.ts";
import { type AssignOptions, type AssignOutcome, assign } from "./solve.ts";
import { tierCount } from "./tiers.ts";

/** Candidates per intent kept for a batch: all of them while the whole batch stays below this many. */
const optionBudget = 120_000;
const fewestCandidates = 32;

export interface ContendOptions extends AssignOptions {
  /** Options looked at exactly per intent when it is served alone. */
  readonly k: number;
  /** Limits, floors and running work that bind the batch; default none. */
  readonly terms?: Terms;
  /** What the last batch left, if it was almost the same. */
  readonly previous?: Tick;
  /** Receives what this batch leaves for the next. */
  readonly onTick?: (tick: Tick) => void;
  /** Receives what makes the gap recomputable; writing it down costs, so only when called. */
  readonly observe?: (dump: () => BatchDump) => void;
  /** Intents that keep what they were served in turn, because a price was paid for it; default none. */
  readonly pinned?: ReadonlySet<string>;
  /** Running work among them that may move, by name: it is served where it runs; default none. */
  readonly movers?: ReadonlyMap<string, Mover>;
}

export interface Contended {
  readonly served: readonly Served[];
  /** Running work that makes way. */
  readonly evicted: readonly Running[];
  readonly report: BatchReport;
  /**
   * The report once everybody has a final place: what came of the batch's own placements. A place that running work made
   * way for is none of them, and the bound does not know it.
   */
  reportFor(final: readonly Served[]): BatchReport;
  /** What tenants are entitled to and get, where several compete. */
  readonly shares: readonly TenantShare[];
}

const sameShares = (a: Served, b: Served): boolean =>
  a.verdict.outcome === b.verdict.outcome &&
  a.result.shares.length === b.result.shares.length &&
  a.result.shares.every(
    ({ candidate, replicas }, index) =>
      candidate.row === b.result.shares[index]!.candidate.row &&
      replicas === b.result.shares[index]!.replicas,
  );

/** Index of the first that has a place; after the last where nobody has. */
function firstPlaced(served: readonly Served[]): number {
  const index = served.findIndex(({ result }) => result.shares.length > 0);
  return index < 0 ? served.length : index;
}

/** An uncontended batch: everyone has what it would take alone, which nothing can beat. */
const uncontended = (items: number): BatchReport => ({
  items,
  options: 0,
  gain: 0,
  bound: 0,
  gap: 0,
  solver: "none",
  prices: [],
  pricesFrom: "lagrangian",
  stoppedBy: "completed",
  evicted: [],
  moved: [],
  answers: [],
});

const noMovers: ReadonlyMap<string, Mover> = new Map();

/** What an intent takes alone; running work stays unless a move would bring more than it costs. */
function aloneOf(alone: Served, here: Served, mover: Mover | undefined): Served {
  if (mover === undefined) return alone;
  const [now, then] = [here.result.shares[0], alone.result.shares[0]];
  if (now === undefined || then === undefined || alone.result.shares.length > 1) return here;
  return regretOf(here.result.ranking, then.candidate, now.candidate) > mover.costMicro ? alone : here;
}

/**
 * Spread over failure domains and parts of devices are no rows of the instance: such intents keep what they were served
 * in turn.
 */
const isAssignable = ({ scope: { need }, verdict }: Served, pinned: ReadonlySet<string>): boolean =>
  verdict.outcome === "placed" &&
  need.part === undefined &&
  !pinned.has(need.intent.name) &&
  (need.intent.constraints.spread?.minDomains ?? 1) <= 1;

/** The candidates of an intent over empty offers, at most `most` unless it needs an exact order of all. */
function contenderOf(alone: Served, most: number, asked: Asked, mover: Mover | undefined): Contender {
  const { scope } = alone;
  const { answer, ranked, ranking } = placeSingle(scope, most, asked);
  const candidates = ranked.slice(0, Math.max(most, 1));
  return {
    scope,
    ranking,
    candidates,
    alone: alone.result.shares,
    isComplete: candidates.length >= answer.feasible,
    ...(mover === undefined ? {} : { stay: { row: mover.row, costMicro: mover.costMicro } }),
  };
}

/** What is free for an intent once all running work of lower priority has made way. */
function freedFor(accounts: Accounts, { priority }: Intent, { running }: Terms): Accounts {
  const freed = copyAccounts(accounts);
  for (const one of running) if (one.priority < priority) release(freed.usage, accounts.catalog, one);
  return freed;
}

/**
 * Serves several intents together. First in turn, as if they came one after the other; if somebody then has less
 * than alone, the whole batch is assigned at once under the order of tiers and least regret, and everyone is served
 * again in turn with the others pinned, so that each decision explains itself. The better of both is kept.
 *
 * @param accounts what is given away before any of them is served
 * @param servedInTurn the intents in their order of precedence, served one after the other
 */
export async function contend(
  accounts: Accounts,
  servedInTurn: readonly Served[],
  {
    k,
    terms = noTerms,
    pinned = new Set(),
    movers = noMovers,
    observe,
    previous,
    onTick,
    ...options
  }: ContendOptions,
): Promise<Contended> {
  const inTurn = withinLimits(terms.limits, servedInTurn);
  // whoever was served before anybody took something was served alone
  const isAsServed = terms.running.length === 0 && movers.size === 0 && pinned.size === 0;
  const asServed = servedInTurn.slice(0, isAsServed ? firstPlaced(servedInTurn) + 1 : 0);
  const others = inTurn.slice(asServed.length);
  const scopes = others.map(({ stated }) => scopeIn(freedFor(accounts, stated, terms), stated));
  const answers = askAll(scopes, k);
  const served = scopes.map((scope, index) => {
    const one = serve(scope, k, answers[index]!);
    return aloneOf(one, others[index]!, movers.get(one.stated.name));
  });
  const alone = [...asServed, ...served];
  if (alone.every((one, index) => sameShares(one, inTurn[index]!))) {
    const report = uncontended(inTurn.length);
    return { served: inTurn, evicted: [], report, reportFor: () => report, shares: [] };
  }

  const members = alone.flatMap((one, index) => (isAssignable(one, pinned) ? [index] : []));
  const most = Math.max(fewestCandidates, Math.floor(optionBudget / Math.max(1, members.length)));
  const asked = askAll(
    members.map((index) => alone[index]!.scope),
    most,
  );
  const contenders = members.map((index, place) =>
    contenderOf(alone[index]!, most, asked[place]!, movers.get(alone[index]!.stated.name)),
  );
  const setting = { accounts, contenders, members, inTurn, k };
  const first = await attempt({ ...setting, terms, ...(previous && { previous }) }, options);
  const tenants = new Set(contenders.map(({ scope }) => scope.need.intent.tenant));
  const better = betterOutcome(first, inTurn);
  const finish = (outcome: Outcome, attempts: readonly Attempt[], fairness: Fairness | null): Contended => {
    const { batch, outcome: assigned } = outcome.made;
    onTick?.(outcome.made.tick);
    observe?.(() => dumpBatch(batch, batch.instance, assigned));
    return contended(outcome, attempts, fairness);
  };
  if (tenants.size < 2) return finish(better, [first], null);

  const fixed = inTurn.filter((one, index) => one.verdict.outcome === "placed" && !members.includes(index));
  const fairness = await fairnessOf(accounts, { batch: first.batch, others: fixed }, options.solver);
  if (terms.floors.length > 0 || shortfallOf(fairness.sharesOf(better.served)) === 0)
    return finish(better, [first], fairness);
  const floored = { ...terms, floors: fairness.floors };
  const second = await attempt({ ...setting, terms: floored, previous: first.tick }, options);
  return finish(fairest([second, first], inTurn, fairness), [first, second], fairness);
}

/** The fairest outcome: least shortfall where all have one priority, else by tiers with their floors, then regret. */
function fairest(
  [second, first]: readonly [Attempt, Attempt],
  inTurn: readonly Served[],
  fairness: Fairness,
): Outcome {
  const isOneTier = tierCount(second.batch.instance) === 1;
  const outcomes: Outcome[] = [
    { made: second, served: second.served, evicted: second.evicted },
    { made: first, served: first.served, evicted: first.evicted },
    { made: first, served: inTurn, evicted: [] },
  ];
  const judged = outcomes.map((outcome) => ({
    outcome,
    shortfall: isOneTier ? shortfallOf(fairness.sharesOf(outcome.served)) : 0,
    tally: tallyOf(second, outcome.served, new Set(outcome.evicted)),
  }));
  const best = judged.reduce((least, one) =>
    one.shortfall < least.shortfall ||
    (one.shortfall === least.shortfall && compareTallies(one.tally, least.tally) < 0)
      ? one
      : least,
  );
  return best.outcome;
}

/** One joint assignment and everybody served by it. */
interface Attempt extends Pick<Again, "batch" | "members"> {
  readonly served: readonly Served[];
  readonly evicted: readonly Running[];
  readonly outcome: AssignOutcome;
  readonly tick: Tick;
}

interface Setting extends Pick<Again, "members" | "inTurn" | "terms" | "k"> {
  readonly accounts: Accounts;
  readonly contenders: readonly Contender[];
  readonly previous?: Tick;
}

/** Assigns the contenders under these terms and serves everybody accordingly. */
async function attempt(
  { accounts, contenders, members, inTurn, terms, k, previous }: Setting,
  options: AssignOptions,
): Promise<Attempt> {
  const compiled = compileBatch(contenders, terms);
  // what intents outside the instance hold is not there for the others
  const fixed = copyAccounts(accounts);
  const isMember = new Set(members);
  for (const [index, one] of inTurn.entries()) if (!isMember.has(index)) enter(fixed, one);
  const batch = { ...compiled, instance: withoutFixed(compiled, fixed) };
  const start = startOf(compiled, members, inTurn);
  const warm = previous === undefined ? {} : { warm: carryOver(previous, batch.keys) };
  const { baseline } = batch;
  const outcome = await assign(batch.instance, { ...options, baseline, start, ...warm });
  const evicted = batch.running.filter((_, index) => outcome.units[stayOf(batch, index)] === 0);
  for (const one of evicted) release(fixed.usage, accounts.catalog, one);
  const served = serveAgain({ batch, members, inTurn, outcome, fixed, k, terms });
  return { batch, members, served, evicted, outcome, tick: { keys: batch.keys, carry: outcome.carry } };
}

/** A way to serve everybody, and the attempt whose bound it is measured by. */
interface Outcome {
  readonly made: Attempt;
  readonly served: readonly Served[];
  readonly evicted: readonly Running[];
}

/** The attempt or what was served in turn, whichever is better. */
function betterOutcome(made: Attempt, inTurn: readonly Served[]): Outcome {
  const together = tallyOf(made, made.served, new Set(made.evicted));
  const isBetter = compareTallies(together, tallyOf(made, inTurn, new Set())) < 0;
  return isBetter
    ? { made, served: made.served, evicted: made.evicted }
    : { made, served: inTurn, evicted: [] };
}

/** Running intents that are served elsewhere than they run. */
function movedIn({ batch, members }: Attempt, served: readonly Served[]): string[] {
  const moved = members.filter((index, item) => {
    const { stay } = batch.contenders[item]!;
    return (
      stay !== undefined && served[index]!.result.shares.some(({ candidate }) => candidate.row !== stay.row)
    );
  });
  return moved.map((index) => served[index]!.stated.name).sort();
}

/** An outcome with its report. Answers are in the order asked: first attempt, entitlements, second attempt. */
function contended(
  { made, served, evicted }: Outcome,
  attempts: readonly Attempt[],
  fairness: Fairness | null,
): Contended {
  const [first, ...later] = attempts.map(({ outcome }) => outcome.answers);
  const answers = [...(first ?? []), ...(fairness?.answers ?? []), ...later.flat()];
  const reportFor = (final: readonly Served[]): BatchReport => {
    const { gain } = tallyOf(made, final, new Set(evicted));
    return {
      ...reportOf(made.batch, gain, made.outcome),
      evicted: evicted.map(({ intent }) => intent).sort(),
      moved: movedIn(made, final),
      answers,
    };
  };
  return {
    served,
    evicted,
    report: reportFor(served),
    reportFor: (final) => {
      const byName = new Map(final.map((one) => [one.stated.name, one]));
      // running work that stays is not decided about any more
      return reportFor(served.map((one) => byName.get(one.stated.name) ?? one));
    },
    shares: fairness?.sharesOf(served) ?? [],
  };
}

/** The option by which running work stays. */
const stayOf = ({ instance, contenders }: Batch, running: number): number =>
  instance.optionStart[contenders.length + running]!;

/** Units of what was served in turn, where it is the intent as stated and an option matches. */
function startOf(batch: Batch, members: readonly number[], inTurn: readonly Served[]): Int32Array {
  const units = new Int32Array(batch.instance.options);
  const free = batch.instance.capacity.slice();
  for (const [item, index] of members.entries()) {
    const { scope, result, verdict } = inTurn[index]!;
    if (verdict.outcome !== "placed" || scope.need.gpus !== batch.contenders[item]!.scope.need.gpus) continue;
    unitsOf(batch, item, result.shares, { units, free });
  }
  for (const index of batch.running.keys()) units[stayOf(batch, index)] = 1;
  return units;
}

/** Takes out of the capacities what intents outside the instance hold. */
function withoutFixed(batch: Batch, { usage, catalog }: Accounts): Batch["instance"] {
  if (usage.size === 0) return batch.instance;
  const capacity = batch.instance.capacity.slice();
  for (const [row, of] of batch.rowOf.entries()) {
    if (of === null) continue;
    const used: Usage | undefined = usage.get(offerIndexOf(catalog.snapshot, of.offer));
    if (used === undefined) continue;
    const taken =
      of.resource === "gpu"
        ? used.gpus
        : of.resource === "cpu"
          ? used.cpuMilli
          : of.resource === "memory"
            ? used.memoryMib
            : of.resource === "offer"
              ? Number(used.gpus > 0)
              : used.pods;
    capacity[row] = Math.max(0, capacity[row]! - taken);
  }
  return { ...batch.instance, capacity };
}

interface Again {
  readonly batch: Batch;
  readonly members: readonly number[];
  readonly inTurn: readonly Served[];
  readonly outcome: AssignOutcome;
  readonly fixed: Accounts;
  readonly k: number;
  readonly terms: Terms;
}

/**
 * Everyone once more, in order of precedence, with all others where the assignment has them: the placed ones may
 * only better themselves, then whoever got nothing sees what is left.
 */
function serveAgain(again: Again): Served[] {
  const { batch, members, inTurn, outcome, fixed, k, terms } = again;
  const accounts = copyAccounts(fixed);
  const meter = createMeter(terms.limits);
  const isMember = new Set(members);
  for (const [index, one] of inTurn.entries()) if (!isMember.has(index)) meter.enter(one, 1);
  const served = [...inTurn];
  const assigned = members.map((index, item): Served => {
    const { scope } = batch.contenders[item]!;
    const shares = sharesOf(batch, outcome.units, item);
    const one: Served = {
      ...inTurn[index]!,
      scope,
      result: { ...inTurn[index]!.result, shares, shortfall: null },
    };
    if (shares.length === 0) return one;
    // lending limits are looser in the instance than they are
    if (!isWithinQuota(accounts, one)) return { ...one, result: { ...one.result, shares: [] } };
    enter(accounts, one);
    meter.enter(one, 1);
    return one;
  });
  const left: number[] = [];
  for (const [item, index] of members.entries()) {
    const pinned = assigned[item]!;
    if (pinned.result.shares.length === 0) {
      left.push(index);
      continue;
    }
    leave(accounts, pinned);
    meter.enter(pinned, -1);
    const isRunning = batch.contenders[item]!.stay !== undefined;
    const better = isRunning ? null : betterOf(accounts, inTurn[index]!.stated, pinned, k);
    const one = better !== null && meter.fits(better) ? better : pinnedIn(pinned, accounts, k);
    served[index] = one;
    enter(accounts, one);
    meter.enter(one, 1);
  }
  for (const [index, one] of inTurn.entries())
    if (!isMember.has(index) && one.verdict.outcome !== "placed") left.push(index);
  for (const index of left.sort((a, b) => a - b)) {
    const one = inTurn[index]!;
    const again = serve(scopeIn(accounts, one.stated), k);
    served[index] = meter.fits(again) ? again : overLimit(again);
    enter(accounts, served[index]!);
    meter.enter(served[index]!, 1);
  }
  return served;
}

/** The intent served with the others pinned; its assigned shares where serving finds nothing. */
function betterOf(accounts: Accounts, stated: Intent, pinned: Served, k: number): Served {
  const again = serve(scopeIn(accounts, stated), k);
  return again.verdict.outcome === "placed" ? again : pinnedIn(pinned, accounts, k);
}

/** The assigned shares, with what else there is to choose now. */
function pinnedIn(pinned: Served, accounts: Accounts, k: number): Served {
  const { usage, limits } = scopeIn(accounts, pinned.stated);
  const scope = { ...pinned.scope, usage, ...(limits === undefined ? {} : { limits }) };
  return {
    scope,
    stated: pinned.stated,
    result: { ...placeSingle(scope, k), shares: pinned.result.shares, shortfall: null },
    verdict: { outcome: "placed", reason: "PLACED", message: "placed as stated", relaxations: [] },
  };
}
