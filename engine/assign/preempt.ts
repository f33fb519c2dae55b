import { assert } from "../model/errors.ts";
import type { EvictionCause, Preemption } from "../model/eviction.ts";
import type { Intent } from "../model/intent.ts";
import type { Holding } from "../model/snapshot.ts";
import { type Accounts, copyAccounts, enter, leave, quotaAmounts, scopeIn } from "./accounts.ts";
import { type Blocker, cheapestWay, type Way } from "./claim.ts";
import { addUsage, type Served, serve, takenBy } from "./serve.ts";
import { placeSingle } from "./single.ts";
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

/** Victims given up because they could not restart at once elsewhere, per claim. */
const mostRetries = 8;

/** One pass over everybody without a place, in order of precedence. */
interface Run extends PreemptOptions {
  readonly accounts: Accounts;
  /** Still running. */
  readonly victims: Victim[];
  /** Placed by this plan, by name. */
  readonly placed: Map<string, Served>;
  readonly evicting: Evicting[];
  readonly preemptions: Preemption[];
}

const priorityOf = ({ stated }: Served): number => stated.priority;

/** True when the tenant owns quota that others may be using. */
function mayReclaim({ accounts }: Run, tenant: string): boolean {
  return accounts.books.standing(tenant).some(({ nominal, used }) => nominal > used);
}

/**
 * Whose running work may make way. Higher priority takes lower; but a tenant that would borrow for it leaves alone what
 * another tenant of its cohort runs within its own quota, which would be taken right back. A tenant within its quota
 * takes back what it lends, whatever the priority.
 */
function causeOf(run: Run, claimant: Served, victim: Victim, owns: boolean): EvictionCause | null {
  const { books } = run.accounts;
  const { tenant } = claimant.stated;
  if (!victim.isRipe) return null;
  const borrows = books
    .resourcesOf(tenant)
    .some((resource) => books.borrowsFrom(victim.tenant, tenant, resource));
  if (victim.priority < priorityOf(claimant) && victim.isEvictable) {
    const isNeighbor =
      victim.tenant !== tenant &&
      [...victim.amounts.keys()].some((one) => books.resourcesOf(tenant).includes(one)) &&
      books.isSameTree(victim.tenant, tenant);
    if (owns || !isNeighbor || borrows) return "priority";
  }
  return owns && borrows ? "reclaim" : null;
}

/** Everybody who stands in the way of a claim and may be asked to leave. */
function blockersOf(run: Run, claimant: Served, spared: ReadonlySet<string>): Blocker[] {
  const { accounts, victims, placed, pinned } = run;
  const { tenant, name } = claimant.stated;
  const owns = ownsClaim(run, claimant);
  const blockers: Blocker[] = [];
  for (const victim of victims) {
    if (spared.has(victim.intent) || victim.intent === name) continue;
    const cause = causeOf(run, claimant, victim, owns);
    if (cause === null) continue;
    const { frees, amounts, cost } = victim;
    blockers.push({
      victim,
      fresh: null,
      tenant: victim.tenant,
      frees,
      amounts,
      cost,
      isReclaimed: cause === "reclaim",
    });
  }
  const waiting = [...placed.values()].filter(
    (one) => priorityOf(one) < priorityOf(claimant) && pinned?.has(one.stated.name) !== true,
  );
  for (const fresh of waiting.sort((a, b) => priorityOf(a) - priorityOf(b)))
    if (owns || fresh.stated.tenant === tenant || !accounts.books.isSameTree(fresh.stated.tenant, tenant))
      blockers.push({
        victim: null,
        fresh,
        tenant: fresh.stated.tenant,
        frees: takenBy(fresh),
        amounts: quotaAmounts(accounts.books, fresh),
        cost: 0,
        isReclaimed: false,
      });
  return blockers;
}

/** True when what the claimant asks for stays within what its tenant owns, at its best option. */
function ownsClaim(run: Run, claimant: Served): boolean {
  const { accounts, k } = run;
  const { tenant } = claimant.stated;
  if (accounts.books.resourcesOf(tenant).length === 0) return false;
  const free = placeSingle({ ...scopeIn(accounts, claimant.stated), usage: new Map(), asIfFree: true }, k);
  if (free.shares.length === 0) return false;
  const amounts = quotaAmounts(accounts.books, { ...claimant, result: free });
  return accounts.books.isWithinNominal(tenant, amounts);
}

/** Ends the blockers and places the claimant; null (and nothing changed) when a victim has to restart and cannot. */
function take(run: Run, claimant: Served, way: Way, trial: Accounts): Served | null {
  for (const { victim, fresh, frees, tenant, amounts } of way.cover.pieces) {
    if (fresh !== null) leave(trial, fresh);
    if (victim === null) continue;
    for (const [offer, amount] of frees) addUsage(trial.usage, offer, amount, -1);
    trial.books.enter(tenant, amounts, -1);
  }
  const placed = serve(scopeIn(trial, claimant.stated), run.k);
  if (placed.verdict.outcome !== "placed") return null;
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

/** Places a claimant over the heads of others; null when that cannot be. */
function claim(
  run: Run,
  claimant: Served,
): { readonly placed: Served; readonly way: Way; readonly accounts: Accounts } | null {
  const spared = new Set<string>();
  for (let retry = 0; retry <= mostRetries; retry++) {
    const way = cheapestWay(run.accounts, claimant, blockersOf(run, claimant, spared));
    if (way === null) return null;
    const trial = copyAccounts(run.accounts);
    const placed = take(run, claimant, way, trial);
    if (placed === null) return null;
    const victim = stranded(run, way, trial);
    if (victim === null) return { placed, way, accounts: trial };
    spared.add(victim.intent);
  }
  return null;
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

/** A victim whose intent is known, back in the queue. */
function requeued(run: Run, { victim, cause }: Evicting, intent: Intent): Served {
  const again = serve(scopeIn(run.accounts, intent), run.k);
  const evicted = {
    cause,
    from: victim.holdings.map(({ offer }) => offer),
    lostSeconds: victim.lostSeconds,
    restartSeconds: victim.restartSeconds,
  };
  return { ...again, stated: intent, verdict: { ...again.verdict, evicted } };
}

/** Says of a victim without a place that it was preempted, whatever else it waits for. */
function verdictOf(one: Served): Served {
  const { evicted, outcome } = one.verdict;
  if (evicted === undefined || outcome === "placed") return one;
  const why =
    evicted.cause === "priority"
      ? "made way for work of higher priority"
      : "ran on borrowed quota that its owner takes back";
  return {
    ...one,
    verdict: {
      ...one.verdict,
      outcome: "waiting",
      reason: "PREEMPTED",
      message: `${why}; ${one.verdict.message}`,
    },
  };
}

/**
 * Whoever has no place, in order of precedence, may take that of running work where the rules allow it: the whole
 * intent fits afterwards, or nobody is touched. What this plan has just given to lower priority leaves first, free of
 * charge, and queues again; so do victims whose intents are known. Everybody is served or evicted at most once per
 * priority from the top down, so it ends.
 *
 * @param start what is given away before any of `served`
 */
export function preempt(start: Accounts, served: readonly Served[], options: PreemptOptions): Preempting {
  const { known, running, k } = options;
  const unplaced = served.filter(({ verdict }) => verdict.outcome !== "placed");
  if (running.size === 0 || unplaced.length === 0) return { served, evicting: [], preemptions: [] };
  const accounts = copyAccounts(start);
  for (const one of served) enter(accounts, one);
  let state: Run = {
    ...options,
    accounts,
    victims: victimsOf(accounts.catalog, accounts.books, running, known),
    placed: new Map(
      served.filter(({ verdict }) => verdict.outcome === "placed").map((one) => [one.stated.name, one]),
    ),
    evicting: [],
    preemptions: [],
  };
  const queue: Served[] = [];
  for (const one of unplaced) queueIn(queue, one);
  const done = new Map<string, Served>();
  let isMoved = false;
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const carried = next.verdict.evicted === undefined ? {} : { evicted: next.verdict.evicted };
    if (isMoved) {
      const again = serve(scopeIn(state.accounts, next.stated), k);
      next = { ...again, stated: next.stated, verdict: { ...again.verdict, ...carried } };
      if (again.verdict.outcome === "placed") {
        enter(state.accounts, next);
        state.placed.set(next.stated.name, next);
        continue;
      }
    }
    const lowest = Math.min(...state.victims.map(({ priority }) => priority));
    const isPossible = lowest < priorityOf(next) || mayReclaim(state, next.stated.tenant);
    const won = isPossible ? claim(state, next) : null;
    if (won === null) {
      done.set(next.stated.name, next);
      continue;
    }
    isMoved = true;
    const evicted = won.way.cover.pieces.flatMap(({ victim, isReclaimed }): Evicting[] =>
      victim === null ? [] : [{ victim, cause: isReclaimed ? "reclaim" : "priority", by: won.placed }],
    );
    state = {
      ...state,
      accounts: won.accounts,
      victims: state.victims.filter((one) => !evicted.some(({ victim }) => victim === one)),
    };
    for (const { fresh } of won.way.cover.pieces) {
      if (fresh === null) continue;
      state.placed.delete(fresh.stated.name);
      queueIn(queue, fresh);
    }
    const placed = preemptor({ ...won.placed, verdict: { ...won.placed.verdict, ...carried } }, evicted);
    state.placed.set(placed.stated.name, placed);
    state.evicting.push(...evicted);
    if (evicted.length > 0)
      state.preemptions.push({
        intent: placed.stated.name,
        victims: evicted.map(({ victim }) => victim.intent).sort(),
        lostMicro: won.way.cover.cost,
        leastMicro: won.way.cover.least,
      });
    for (const one of evicted) {
      const intent = known.get(one.victim.intent);
      if (intent !== undefined) queueIn(queue, requeued(state, one, intent));
    }
  }
  const all = [...state.placed.values(), ...done.values()].map(verdictOf);
  assert(all.length >= served.length, `${served.length} intents served, ${all.length} left after preemption`);
  return { served: all, evicting: state.evicting, preemptions: state.preemptions };
}
