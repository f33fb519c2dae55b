import { type Catalog, flavorOf, offerIndexOf } from "../compile/catalog.ts";
import type { Limits, Scope } from "../compile/constraints/spec.ts";
import { heldMilli } from "../compile/devices.ts";
import { needOf } from "../compile/need.ts";
import type { Intent } from "../model/intent.ts";
import type { Resource } from "../model/quota.ts";
import type { Holding, Snapshot } from "../model/snapshot.ts";
import { type Books, openBooks } from "../quota/books.ts";
import { amountsOf, type Part, partOf } from "../quota/demand.ts";
import { createQuotaTree, type QuotaTree } from "../quota/tree.ts";
import { billedShare } from "./replicas.ts";
import { addUsage, book, type Ledger, type Served, unbook } from "./serve.ts";
import { freedBy } from "./victims.ts";

/** Everything that is given away at some point of a plan: capacity of offers and room in quotas. */
export interface Accounts {
  readonly catalog: Catalog;
  readonly usage: Ledger;
  /** What tenants use, holdings included. */
  readonly books: Books;
  /** The same quotas without any use: could it ever fit? */
  readonly unused: Books;
  /** Where the spot policy wants intents, by name; absent: it wants nothing. */
  readonly lodging?: ReadonlyMap<string, NonNullable<Scope["lodging"]>>;
}

/** Trees of tenants, which later snapshots mostly have in common. */
const trees = new WeakMap<Snapshot["tenants"], QuotaTree>();

function treeOf({ tenants }: Snapshot): QuotaTree {
  let tree = trees.get(tenants);
  if (tree === undefined) {
    tree = createQuotaTree(tenants);
    trees.set(tenants, tree);
  }
  return tree;
}

/** Books of the snapshots that plans were made for lately: their holdings are entered once, not once per plan. */
const opened = new WeakMap<Snapshot, Pick<Accounts, "books" | "unused">>();

/** Accounts of a snapshot: nothing given away yet, holdings in their tenants' books. */
export function openAccounts(catalog: Catalog): Accounts {
  const { snapshot } = catalog;
  let base = opened.get(snapshot);
  if (base === undefined) {
    const tree = treeOf(snapshot);
    const books = openBooks(tree);
    for (const holding of snapshot.holdings)
      books.enter(holding.tenant, holdingAmounts(catalog, books, holding), 1);
    base = { books, unused: openBooks(tree) };
    opened.set(snapshot, base);
  }
  return { catalog, usage: new Map(), books: base.books.copy(), unused: base.unused };
}

/** What a holding counts in the quotas of its tenant. */
function holdingAmounts({ snapshot }: Catalog, books: Books, holding: Holding): Map<Resource, number> {
  const flavor = snapshot.offers[offerIndexOf(snapshot, holding.offer)];
  return amountsOf(books.resourcesOf(holding.tenant), [partOf(snapshot, holding, flavor)]);
}

/** Ends a holding: what it has on an offer that is still there is free, and its quota with it. */
export function endHolding({ catalog, usage, books }: Accounts, holding: Holding): void {
  const offer = offerIndexOf(catalog.snapshot, holding.offer);
  if (offer >= 0) addUsage(usage, offer, freedBy(catalog, holding, offer), -1);
  books.enter(holding.tenant, holdingAmounts(catalog, books, holding), -1);
}

/** An independent copy, to try something out. */
export function copyAccounts(accounts: Accounts): Accounts {
  return { ...accounts, usage: new Map(accounts.usage), books: accounts.books.copy() };
}

/** Room in the quotas of a tenant; undefined where nothing limits it. */
function limitsOf({ books, unused }: Accounts, tenant: string): Limits | undefined {
  const now = books.standing(tenant);
  return now.length === 0 ? undefined : { now, ever: unused.standing(tenant) };
}

/**
 * The scope in which an intent is served next.
 *
 * @param isLive the scope follows the accounts instead of keeping them as they are: for answers that nobody asks again
 */
export function scopeIn(accounts: Accounts, intent: Intent, isLive = false): Scope {
  const limits = limitsOf(accounts, intent.tenant);
  const lodging = accounts.lodging?.get(intent.name);
  return {
    catalog: accounts.catalog,
    need: needOf(accounts.catalog, intent),
    usage: isLive ? accounts.usage : new Map(accounts.usage),
    ...(limits === undefined ? {} : { limits }),
    ...(lodging === undefined ? {} : { lodging }),
    asIfFree: false,
  };
}

/** What a served intent counts in the quotas of its tenant. */
export function quotaAmounts(books: Books, { scope, result }: Served): Map<Resource, number> {
  const { need, catalog } = scope;
  const parts = result.shares.map(
    ({ candidate: { row }, replicas }): Part => ({
      flavor: flavorOf(catalog, row),
      milli: heldMilli(need, replicas, flavorOf(catalog, row)),
      micro: billedShare(scope, row, replicas),
    }),
  );
  return amountsOf(books.resourcesOf(need.intent.tenant), parts);
}

/** Books what a served intent takes. */
export function enter({ usage, books }: Accounts, served: Served): void {
  book(usage, served);
  books.enter(served.stated.tenant, quotaAmounts(books, served), 1);
}

/** Gives back what a served intent took. */
export function leave({ usage, books }: Accounts, served: Served): void {
  unbook(usage, served);
  books.enter(served.stated.tenant, quotaAmounts(books, served), -1);
}

/** True when the quotas have room for what a served intent takes. */
export function isWithinQuota({ books }: Accounts, served: Served): boolean {
  return books.admits(served.stated.tenant, quotaAmounts(books, served));
}
