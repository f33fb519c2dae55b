import { assert } from "../model/errors.ts";
import type { EvictionCause, Preemption } from "../model/eviction.ts";
import type { Intent } from "../model/intent.ts";
import type { Holding } from "../model/snapshot.ts";
import { type Accounts, copyAccounts, enter, leave, quotaAmounts, scopeIn } from "./accounts.ts";
import { cheapestWay, type Way } from "./claim.ts";
import type { Questions } from "./cover.ts";
import { keptForOwner } from "./endings.ts";
import { blockersOf, type ClaimRules } from "./rights.ts";
import { addUsage, type Served, serve } from "./serve.ts";
import { type Victim, victimsOf } from "./victims.ts";

/** One victim, and for whom. */
export interface Evicting {
  readonly victim: Victim;
  readonly cause: EvictionCause;
  readonly by: Served;
}

export interface Preempting {
  /** Pending intents, and running ones that were evicted and whose intents are known. */
  readonly served: readonly Served[];
  readonly evicting: readonly Evicting[];
  readonly preemptions: readonly Preemption[];
}

export interface PreemptOptions {
  readonly k: number;
  /** What runs, by intent. */
  readonly running: ReadonlyMap<string, readonly Holding[]>;
  /** Running intents by name, where the plan was given them. */
  readonly known: ReadonlyMap<string, Intent>;
  /** Intents that no reshuffling may touch, because a price was paid for their places; default none. */
  readonly pinned?: ReadonlySet<string>;
}

/** Questions of the exact searches of all claims together: a bound on work. */
const planQuestions = 40_000;

/**
 * Passes before a claim that would make evictions pointless is dropped instead of barring whoever evicted; fewer where
 * many wait, for each pass asks all of them.
 */
const mostPasses = (waiting: number): number => (waiting <= 40 ? 12 : 3);

/** Victims given up because they could not restart at once elsewhere, per claim. */
const mostRetries = 8;

/** One pass over everybody without a place, in order of precedence. */
interface Run extends PreemptOptions {
  accounts: Accounts;
  /** Still running. */
  victims: readonly Victim[];
  /** Placed by this plan, by name. */
  readonly placed: Map<string, Served>;
  readonly evicting: Evicting[];
  readonly preemptions: Preemption[];
  /** What is left of the exact searches of the whole plan. */
  readonly questions: Questions;
}

const priorityOf = ({ stated }: Served): number => stated.priority;

/** True when the tenant owns quota: then it may have rights over those who use it. */
function mayReclaim({ accounts }: Run, tenant: string): boolean {
  return accounts.books.standing(tenant).some(({ nominal }) => nominal > 0);
}

/** Ends the blockers and places the claimant; null (and nothing changed) when a victim has to restart and cannot. */
function take(run: Run, claimant: Served, way: Way, trial: Accounts, owns: boolean): Served | null {
  for (const { victim, fresh, frees, tenant, amounts } of way.cover.pieces) {
    if (fresh !== null) leave(trial, fresh);
    if (victim === null) continue;
    for (const [offer, amount] of frees) addUsage(trial.usage, offer, amount, -1);
    trial.books.enter(tenant, amounts, -1);
  }
  const placed = serve(scopeIn(trial, claimant.stated), run.k);
  if (placed.verdict.outcome !== "placed") return null;
  // an owner's rights end where it would borrow itself
  const { tenant } = placed.stated;
  if (owns && !trial.books.isWithinNominal(tenant, quotaAmounts(trial.books, placed))) return null;
  enter(trial, placed);
  return placed;
}

/** The first victim with a `max_interruption_time` that finds no place elsewhere at once, or null. */
function stranded(run: Run, way: Way, trial: Accounts): Victim | null {
  const probe = copyAccounts(trial);
  for (const { victim } of way.cover.pieces) {
    if (victim === null || !victim.mustRestart) continue;
    const intent = run.known.get(victim.intent);
    if (intent === undefined) return victim;
    const again = serve(scopeIn(probe, intent), run.k);
    if (again.verdict.outcome !== "placed") return victim;
    enter(probe, again);
  }
  return null;
}

/** A victim whose room its tenant has reserved, so that the claimant does not get it; null when it does. */
function reserved({ evicting, placed: all }: Run, { cover }: Way, placed: Served): Victim | null {
  const going = cover.pieces.flatMap(({ victim }) => (victim === null ? [] : [victim]));
  if (going.length === 0) return null;
  const displaced = new Set(cover.pieces.map(({ fresh }) => fresh?.stated.name));
  const others = [...all].filter(([name]) => !displaced.has(name)).map(([, one]) => one);
  return keptForOwner(placed, [...evicting.map(({ victim }) => victim), ...going], others);
}

interface Claimed {
  readonly placed: Served;
  readonly way: Way;
  readonly accounts: Accounts;
}

/** Places a claimant over the heads of others; null when that cannot be. */
function claim(
  run: Run,
  claimant: Served,
  { owns, sparesFresh }: Pick<ClaimRules, "owns" | "sparesFresh">,
): Claimed | null {
  const spared = new Set<string>();
  for (let retry = 0; retry <= mostRetries; retry++) {
    const way = cheapestWay(
      run.accounts,
      claimant,
      blockersOf(run, claimant, { spared, owns, sparesFresh }),
      { owns, questions: run.questions },
    );
    if (way === null) return null;
    const trial = copyAccounts(run.accounts);
    const placed = take(run, claimant, way, trial, owns);
    if (placed === null) return null;
    const victim = stranded(run, way, trial) ?? reserved(run, way, placed);
    if (victim === null) return { placed, way, accounts: trial };
    spared.add(victim.intent);
  }
  return null;
}

/** True when somebody could have to make way at all. */
function isPossible(run: Run, claimant: Served): boolean {
  const others = [
    ...run.victims.map(({ priority }) => priority),
    ...[...run.placed.values()].map(priorityOf),
  ];
  return (
    mayReclaim(run, claimant.stated.tenant) || others.some((priority) => priority < priorityOf(claimant))
  );
}

/** Inserts by priority, behind everybody of the same. */
function queueIn(queue: Served[], one: Served): void {
  let at = queue.findIndex((other) => priorityOf(other) < priorityOf(one));
  if (at < 0) at = queue.length;
  queue.splice(at, 0, one);
}

/** Who is placed by preemption, in the words of the decision. */
function preemptor(placed: Served, evicted: readonly Evicting[]): Served {
  const own = evicted.filter(({ victim }) => victim.tenant === placed.stated.tenant);
  if (evicted.length === 0) return placed;
  return {
    ...placed,
    verdict: {
      ...placed.verdict,
      message: `${placed.verdict.message}, in place of running work that makes way`,
      preempts: {
        own: own.map(({ victim }) => victim.intent).sort(),
        others: evicted.length - own.length,
      },
    },
  };
}

/** Served again, and still the one that was evicted if it was. */
function withEviction(again: Served, before: Served): Served {
  const { evicted } = before.verdict;
  return evicted === undefined ? again : { ...again, verdict: { ...again.verdict, evicted } };
}

/** A victim whose intent is known, back in the queue. */
function requeued(run: Run, { victim, cause }: Evicting, intent: Intent): Served {
  const again = serve(scopeIn(run.accounts, intent), run.k);
  const evicted = {
    cause,
    from: victim.holdings.map(({ offer }) => offer),
    lostSeconds: victim.lostSeconds,
    restartSeconds: victim.restartSeconds,
  };
  return { ...again, verdict: { ...again.verdict, evicted } };
}

/** Says of a victim that waits that it was preempted, whatever else it waits for. */
function verdictOf(one: Served): Served {
  const { evicted, outcome, message } = one.verdict;
  if (evicted === undefined || outcome === "placed") return one;
  const why =
    evicted.cause === "priority"
      ? "made way for work of higher priority"
      : "ran on borrowed quota that its owner takes back";
  return {
    ...one,
    verdict: {
      ...one.verdict,
      message: `${why}; ${message}`,
      ...(outcome === "waiting" ? { reason: "PREEMPTED" } : {}),
    },
  };
}

/** What evictions freed beyond need serves those who still wait, in their order, until nothing changes. */
function fillUp({ accounts, placed }: Run, done: Map<string, Served>, k: number): void {
  for (const [name, one] of done) {
    const again = serve(scopeIn(accounts, one.stated), k);
    if (again.verdict.outcome !== "placed") continue;
    const now = withEviction(again, one);
    enter(accounts, now);
    placed.set(name, now);
    done.delete(name);
  }
}

/** A claim that displaces somebody for whom running work was just evicted: those evictions were for nothing. */
class Pointless {
  readonly intent: string;
  constructor(intent: string) {
    this.intent = intent;
  }
}

/** Takes note of a claim that came through: who leaves, who queues again. */
function settle(run: Run, claimant: Served, won: Claimed, queue: Served[]): void {
  const { pieces, cost, least } = won.way.cover;
  const evicted = pieces.flatMap(({ victim, cause }): Evicting[] =>
    victim === null ? [] : [{ victim, cause, by: won.placed }],
  );
  run.accounts = won.accounts;
  run.victims = run.victims.filter((one) => !evicted.some(({ victim }) => victim === one));
  for (const { fresh } of pieces) {
    if (fresh === null) continue;
    run.placed.delete(fresh.stated.name);
    queueIn(queue, fresh);
  }
  const placed = preemptor(withEviction(won.placed, claimant), evicted);
  run.placed.set(placed.stated.name, placed);
  run.evicting.push(...evicted);
  if (evicted.length > 0)
    run.preemptions.push({
      intent: placed.stated.name,
      victims: evicted.map(({ victim }) => victim.intent).sort(),
      lostMicro: cost,
      leastMicro: least,
    });
  for (const one of evicted) {
    const intent = run.known.get(one.victim.intent);
    if (intent !== undefined) queueIn(queue, requeued(run, one, intent));
  }
}

/**
 * Everybody without a place, in order of precedence: owners of quota first, then those who would borrow. Whoever was barred once comes last, and then leaves alone what the
 * plan has just given away; whoever was barred twice claims nothing.
 */
interface Turns {
  next(): Turn | undefined;
  readonly queue: Served[];
  /** Lets an intent try again with the rights of a borrower, after all owners. */
  postpone(one: Served): void;
  /** Intents whose claims are used up: one each. */
  readonly claimed: Set<string>;
}

/** Whose turn it is, and whether it may claim as an owner only. */
interface Turn {
  readonly one: Served;
  readonly asOwner: boolean;
}

/**
 * Those who got nothing before and may have come to more rights: a tenant of their cohort lost something, so that they
 * may own what is lent; or an owner took back what their higher priority may now take from it.
 */
function askAgain(run: Run, { placed, way }: Claimed, done: Map<string, Served>, queue: Served[]): void {
  const { books } = run.accounts;
  const { pieces } = way.cover;
  const isTakenBack = pieces.some(({ cause }) => cause === "reclaim");
  for (const [name, one] of done) {
    const { tenant } = one.stated;
    const hasLost = pieces.some((piece) => piece.tenant === tenant);
    const hasBorrower = books
      .standing(tenant)
      .some(
        ({ resource, nominal, used }) =>
          nominal > used && books.borrowsFrom(placed.stated.tenant, tenant, resource),
      );
    const mayOwn = mayReclaim(run, tenant) && (hasLost || hasBorrower);
    if (!mayOwn && !(isTakenBack && priorityOf(one) > priorityOf(placed))) continue;
    done.delete(name);
    queueIn(queue, one);
  }
}

/** How often the evictions of an intent were pointless. */
type Barred = ReadonlyMap<string, number>;

function turnsOf(unplaced: readonly Served[], barred: Barred): Turns {
  const queue: Served[] = [];
  const late: Served[] = [];
  const borrowers: Served[] = [];
  for (const one of unplaced) queueIn(barred.get(one.stated.name) === 1 ? late : queue, one);
  const claimed = new Set([...barred].filter(([, count]) => count > 1).map(([name]) => name));
  return {
    queue,
    next() {
      const owner = queue.shift();
      if (owner !== undefined) return { one: owner, asOwner: true };
      const borrower = borrowers.shift();
      if (borrower !== undefined) return { one: borrower, asOwner: false };
      const last = late.shift();
      return last === undefined ? undefined : { one: last, asOwner: true };
    },
    postpone: (one) => queueIn(borrowers, one),
    claimed,
  };
}

/** Whoever a claim would displace although running work was just evicted for it; null when there is nobody. */
function pointlessFor(run: Run, { way }: Claimed): string | null {
  const gained = new Set(run.evicting.map(({ by }) => by.stated.name));
  return (
    way.cover.pieces.find(({ fresh }) => fresh !== null && gained.has(fresh.stated.name))?.fresh?.stated
      .name ?? null
  );
}

interface PassRules {
  readonly barred: Barred;
  /** No further pass: a claim that would make evictions pointless is dropped. */
  readonly isLast: boolean;
  readonly questions: Questions;
}

/** One pass over everybody without a place; or the intent whose evictions turned out to be pointless. */
function pass(
  start: Accounts,
  served: readonly Served[],
  options: PreemptOptions,
  { barred, isLast, questions }: PassRules,
): Preempting | Pointless {
  const { known, running, k } = options;
  const accounts = copyAccounts(start);
  for (const one of served) enter(accounts, one);
  const isPlaced = ({ verdict }: Served): boolean => verdict.outcome === "placed";
  const run: Run = {
    ...options,
    accounts,
    victims: victimsOf(accounts.catalog, accounts.books, running, known),
    placed: new Map(served.filter(isPlaced).map((one) => [one.stated.name, one])),
    evicting: [],
    preemptions: [],
    questions,
  };
  const turns = turnsOf(
    served.filter((one) => !isPlaced(one)),
    barred,
  );
  const done = new Map<string, Served>();
  let isMoved = false;
  for (let turn = turns.next(); turn !== undefined; turn = turns.next()) {
    const { one, asOwner } = turn;
    const { name, tenant } = one.stated;
    const now = isMoved ? withEviction(serve(scopeIn(run.accounts, one.stated), k), one) : one;
    if (isMoved && isPlaced(now)) {
      enter(run.accounts, now);
      run.placed.set(name, now);
      continue;
    }
    // without any quota around there is nothing to own, and nobody to borrow from
    const hasQuota = run.accounts.books.resourcesOf(tenant).length > 0;
    const owns = hasQuota && asOwner;
    const mayClaim = !turns.claimed.has(name) && isPossible(run, now) && (!owns || mayReclaim(run, tenant));
    const won = mayClaim ? claim(run, now, { owns, sparesFresh: barred.has(name) }) : null;
    if (won === null) {
      if (owns) turns.postpone(now);
      else done.set(name, now);
      continue;
    }
    const pointless = pointlessFor(run, won);
    if (pointless !== null && !isLast) return new Pointless(pointless);
    if (pointless !== null) {
      done.set(name, now);
      continue;
    }
    isMoved = true;
    turns.claimed.add(name);
    settle(run, now, won, turns.queue);
    askAgain(run, won, done, turns.queue);
  }
  if (isMoved) fillUp(run, done, k);
  const all = [...run.placed.values(), ...done.values()].map(verdictOf);
  assert(all.length >= served.length, `${served.length} intents served, ${all.length} left after preemption`);
  return { served: all, evicting: run.evicting, preemptions: run.preemptions };
}

/**
 * Whoever has no place, in order of precedence, may take that of running work where the rules allow it: the whole
 * intent fits afterwards, or nobody is touched. What this plan has just given to lower priority leaves first, free of
 * charge, and queues again; so do victims whose intents are known. Everybody claims at most once; whoever would lose
 * its place again to the owner of quota claims last, then not at all. So it ends.
 *
 * @param start what is given away before any of `served`
 */
export function preempt(start: Accounts, served: readonly Served[], options: PreemptOptions): Preempting {
  const isNobodyInReach = options.running.size === 0 && start.books.tree.nodes.length === 0;
  if (isNobodyInReach || served.every(({ verdict }) => verdict.outcome === "placed"))
    return { served, evicting: [], preemptions: [] };
  const barred = new Map<string, number>();
  const most = mostPasses(served.filter(({ verdict }) => verdict.outcome !== "placed").length);
  const questions: Questions = { left: planQuestions };
  for (let count = 1; ; count++) {
    const made = pass(start, served, options, { barred, isLast: count >= most, questions });
    if (!(made instanceof Pointless)) return made;
    barred.set(made.intent, (barred.get(made.intent) ?? 0) + 1);
  }
}
