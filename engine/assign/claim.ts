import { flavorOf } from "../compile/catalog.ts";
import type { Scope, Usage } from "../compile/constraints/spec.ts";
import { heldMilli } from "../compile/devices.ts";
import type { EvictionCause } from "../model/eviction.ts";
import type { Resource } from "../model/quota.ts";
import type { Books } from "../quota/books.ts";
import { amountsOf } from "../quota/demand.ts";
import { type Accounts, scopeIn } from "./accounts.ts";
import { type Cover, cheapestCover, type Piece, type Questions } from "./cover.ts";
import { candidateOf, comparator, rangeOf } from "./rank.ts";
import { billedShare, slotsNow } from "./replicas.ts";
import { addUsage, type Served } from "./serve.ts";
import { placeSingle } from "./single.ts";
import type { Victim } from "./victims.ts";

/** Somebody in the way: running work, or (free of charge) what this plan has just given to lower priority. */
export interface Blocker extends Piece {
  readonly victim: Victim | null;
  readonly fresh: Served | null;
  readonly tenant: string;
  readonly frees: readonly (readonly [offer: number, amount: Usage])[];
  readonly amounts: ReadonlyMap<Resource, number>;
  /** By what right it is taken. */
  readonly cause: EvictionCause;
  /** The right holds only as long as its tenant borrows what the claimant's tenant lends. */
  readonly whileBorrowing: boolean;
}

/** Questions per claim: when they are used up, victims are still minimal, with what is proven beside. */
const mostQuestions = 2_000;

/** Options looked at per claim, best first. */
const mostRows = 512;

/** A way to place an intent: who has to go. */
export interface Way {
  readonly cover: Cover<Blocker>;
  /** Place of the option in the intent's own order. */
  readonly rank: number;
}

/** The books as if the blockers were gone, for the time of one question. */
function without<T>(books: Books, gone: readonly Blocker[], ask: () => T): T {
  for (const { tenant, amounts } of gone) books.enter(tenant, amounts, -1);
  const answer = ask();
  for (const { tenant, amounts } of gone) books.enter(tenant, amounts, 1);
  return answer;
}

/** True when the blockers can be taken in some order, each from a tenant that still borrows where the right asks so. */
function isReclaimable(
  books: Books,
  claimant: string,
  chosen: readonly Blocker[],
  asked: readonly Resource[],
): boolean {
  const reclaimed = chosen.filter(({ whileBorrowing }) => whileBorrowing);
  if (reclaimed.length === 0) return true;
  const size = ({ amounts }: Blocker): number => asked.reduce((sum, one) => sum + (amounts.get(one) ?? 0), 0);
  const order = [...reclaimed].sort((a, b) => size(a) - size(b));
  const taken: Blocker[] = [];
  return order.every((blocker) => {
    const legal = without(books, taken, () =>
      asked.some(
        (resource) =>
          (blocker.amounts.get(resource) ?? 0) > 0 && books.borrowsFrom(blocker.tenant, claimant, resource),
      ),
    );
    taken.push(blocker);
    return legal;
  });
}

/** The usage with blockers of one offer gone. */
function usageWithout(scope: Scope, offer: number, gone: readonly Blocker[]): ReadonlyMap<number, Usage> {
  const usage = new Map<number, Usage>();
  const before = scope.usage.get(offer);
  if (before !== undefined) usage.set(offer, before);
  for (const { frees } of gone)
    for (const [at, amount] of frees) if (at === offer) addUsage(usage, offer, amount, -1);
  return usage;
}

/** Everything that stands for one claim. */
interface Claim {
  readonly accounts: Accounts;
  readonly scope: Scope;
  readonly blockers: readonly Blocker[];
  /** Feasible options once every blocker is gone, best first. */
  readonly rows: readonly number[];
  /** The claimant has to stay within what its tenant owns. */
  readonly owns: boolean;
  readonly questions: Questions;
}

/** Replicas of the claimant that one option has to host. */
const hostedAt = ({ need }: Scope): number => (need.perOffer > 1 ? need.perOffer : 1);

function amountsAt({ accounts, scope }: Claim, row: number, replicas: number): Map<Resource, number> {
  const { catalog, need } = scope;
  return amountsOf(accounts.books.resourcesOf(need.intent.tenant), [
    {
      flavor: flavorOf(catalog, row),
      milli: heldMilli(need, replicas, flavorOf(catalog, row)),
      micro: billedShare(scope, row, replicas),
    },
  ]);
}

/** Whether the claimant's quotas admit it at a row once blockers are gone; an owner must not borrow either. */
function isAdmitted(claim: Claim, row: number, replicas: number, gone: readonly Blocker[]): boolean {
  const { books } = claim.accounts;
  const { tenant } = claim.scope.need.intent;
  const amounts = amountsAt(claim, row, replicas);
  if (amounts.size === 0) return true;
  return without(
    books,
    gone,
    () => books.admits(tenant, amounts) && (!claim.owns || books.isWithinNominal(tenant, amounts)),
  );
}

/** Blockers elsewhere that can help a quota, the cheapest of them: enough for one intent. */
const mostHelpers = 12;

/** Blockers that could help at an offer: those on it, and of those whose quota is missing the cheapest. */
function helpful(claim: Claim, row: number, asked: readonly Resource[], quotaIsShort: boolean): Blocker[] {
  const { accounts, scope, blockers } = claim;
  const { tenant: claimant } = scope.need.intent;
  const offer = scope.catalog.options.flavor[row]!;
  const isHere = ({ frees }: Blocker): boolean => frees.some(([at]) => at === offer);
  const here = blockers.filter(isHere);
  if (!quotaIsShort) return here;
  const helpers = blockers.filter(
    (blocker) =>
      !isHere(blocker) &&
      accounts.books.isSameTree(blocker.tenant, claimant) &&
      asked.some((resource) => (blocker.amounts.get(resource) ?? 0) > 0),
  );
  return [...here, ...helpers.sort((a, b) => a.cost - b.cost).slice(0, mostHelpers)];
}

/** The cheapest way into one offer, if it costs less than `most`. */
function wayInto(claim: Claim, row: number, rank: number, most: number): Way | null {
  const { scope, accounts } = claim;
  const { limits: _asked, ...bare } = scope;
  const replicas = hostedAt(scope);
  const offer = scope.catalog.options.flavor[row]!;
  const asked = [...amountsAt(claim, row, replicas).keys()];
  const quotaIsShort = !isAdmitted(claim, row, replicas, []);
  const cover = cheapestCover(helpful(claim, row, asked, quotaIsShort), {
    most,
    questions: claim.questions,
    isEnough: (gone) =>
      slotsNow({ ...bare, usage: usageWithout(scope, offer, gone) }, row) >= replicas &&
      (!quotaIsShort || isAdmitted(claim, row, replicas, gone)),
    isAllowed: (gone) => isReclaimable(accounts.books, scope.need.intent.tenant, gone, asked),
  });
  return cover === null ? null : { cover, rank };
}

/** The cheapest way to host all replicas of a gang over several offers. */
function wayOver(claim: Claim): Way | null {
  const { scope, accounts, rows, blockers } = claim;
  const { limits: _asked, ...bare } = scope;
  const { need, catalog } = scope;
  const rowOf = new Map<number, number>();
  for (const row of rows) {
    const offer = catalog.options.flavor[row]!;
    if (!rowOf.has(offer)) rowOf.set(offer, row);
  }
  const slots = new Map<number, number>();
  for (const [offer, row] of rowOf) slots.set(offer, slotsNow(bare, row));
  const base = [...slots.values()].reduce((sum, count) => sum + count, 0);
  const best = rows[0]!;
  const asked = [...amountsAt(claim, best, need.replicas).keys()];
  const room = (gone: readonly Blocker[]): number => {
    let total = base;
    for (const offer of new Set(gone.flatMap(({ frees }) => frees.map(([at]) => at)))) {
      const row = rowOf.get(offer);
      if (row !== undefined)
        total += slotsNow({ ...bare, usage: usageWithout(scope, offer, gone) }, row) - slots.get(offer)!;
    }
    return total;
  };
  const quotaIsShort = !isAdmitted(claim, best, need.replicas, []);
  const pieces = blockers.filter(({ frees }) => quotaIsShort || frees.some(([at]) => rowOf.has(at)));
  const cover = cheapestCover(pieces, {
    questions: claim.questions,
    isEnough: (gone) =>
      room(gone) >= need.replicas && (!quotaIsShort || isAdmitted(claim, best, need.replicas, gone)),
    isAllowed: (gone) => isReclaimable(accounts.books, need.intent.tenant, gone, asked),
  });
  return cover === null ? null : { cover, rank: 0 };
}

/**
 * The cheapest way to place an intent over the heads of blockers: least work lost, then fewest of them, then the
 * intent's own order of options. Null when it would not fit even without them all.
 *
 * @param owns only options for which the tenant needs to borrow nothing
 * @param questions what the plan has left of its exact searches; used up
 */
export function cheapestWay(
  accounts: Accounts,
  served: Served,
  blockers: readonly Blocker[],
  { owns, questions }: { readonly owns: boolean; readonly questions: Questions },
): Way | null {
  if (blockers.length === 0) return null;
  const own = { left: Math.min(mostQuestions, questions.left) };
  const granted = own.left;
  const way = wayFor(accounts, served, blockers, { owns, own });
  questions.left -= granted - own.left;
  return way;
}

function wayFor(
  accounts: Accounts,
  served: Served,
  blockers: readonly Blocker[],
  { owns, own }: { readonly owns: boolean; readonly own: Questions },
): Way | null {
  const scope = scopeIn(accounts, served.stated);
  const usage = new Map(scope.usage);
  for (const { frees } of blockers) for (const [offer, amount] of frees) addUsage(usage, offer, amount, -1);
  const cleared = without(accounts.books, blockers, () => scopeIn(accounts, served.stated));
  const { answer, encoded, ranking, shares } = placeSingle({ ...cleared, usage }, 1);
  if (shares.length === 0) return null;
  const { catalog, need } = scope;
  const offers = new Set(blockers.flatMap(({ frees }) => frees.map(([offer]) => offer)));
  const feasible = answer.feasible === 0 ? new Uint32Array() : catalog.table.feasible(encoded.query);
  const isGang = need.replicas > 1 && need.together > 1 && need.perOffer === 1;
  const { worst } = rangeOf(catalog, need, feasible);
  const rows = Array.from(feasible)
    .filter((row) => isGang || scope.limits !== undefined || offers.has(catalog.options.flavor[row]!))
    .map((row) => candidateOf(scope, ranking, row, worst))
    .sort(comparator(scope, ranking))
    .map(({ row }) => row);
  const all: Claim = { accounts, scope, blockers, rows, owns, questions: own };
  const hosted = isGang ? need.replicas : hostedAt(scope);
  const claim = owns ? { ...all, rows: rows.filter((row) => isAdmitted(all, row, hosted, blockers)) } : all;
  if (isGang) return claim.rows.length === 0 ? null : wayOver(claim);
  let best: Way | null = null;
  for (const [rank, row] of claim.rows.slice(0, mostRows).entries()) {
    const way = wayInto(claim, row, rank, best?.cover.cost ?? Number.POSITIVE_INFINITY);
    if (way !== null && (best === null || isBetter(way, best))) best = way;
  }
  return best;
}

const isBetter = (a: Way, b: Way): boolean =>
  a.cover.cost < b.cover.cost ||
  (a.cover.cost === b.cover.cost && a.cover.pieces.length < b.cover.pieces.length);
