import { offerIndexOf } from "../compile/catalog.ts";
import type { BidResult, ClearingReport } from "../model/bid.ts";
import type { Intent } from "../model/intent.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { heldMicro } from "../quota/demand.ts";
import { type Accounts, enter, scopeIn } from "./accounts.ts";
import { auction, bidMicro } from "./auction.ts";
import { billedShare } from "./replicas.ts";
import { type Served, serve } from "./serve.ts";

/** Higher bid first, then the longest waiting, then the name: a total order. */
function compareIntents(accounts: Accounts): (a: Intent, b: Intent) => number {
  const age = (intent: Intent): string => intent.submittedAt ?? "";
  return (a, b) =>
    bidMicro(accounts, b) - bidMicro(accounts, a) ||
    (age(a) < age(b) ? -1 : age(a) > age(b) ? 1 : a.name < b.name ? -1 : 1);
}

/** Money per hour at list price that tenants use, and their weights. */
interface Shares {
  ratio(tenant: string): number;
  add(tenant: string, micro: number): void;
}

/** What tenants' holdings cost per hour at list price, per snapshot that plans were made for lately. */
const held = new WeakMap<Snapshot, ReadonlyMap<string, number>>();

function heldIn(snapshot: Snapshot): ReadonlyMap<string, number> {
  const known = held.get(snapshot);
  if (known !== undefined) return known;
  const used = new Map<string, number>();
  for (const holding of snapshot.holdings) {
    const micro = heldMicro(snapshot, holding, snapshot.offers[offerIndexOf(snapshot, holding.offer)]);
    used.set(holding.tenant, (used.get(holding.tenant) ?? 0) + micro);
  }
  held.set(snapshot, used);
  return used;
}

function openShares({ catalog: { snapshot }, books }: Accounts): Shares {
  const used = new Map(heldIn(snapshot));
  const { tree } = books;
  const add = (tenant: string, micro: number): void => {
    used.set(tenant, (used.get(tenant) ?? 0) + micro);
  };
  return {
    ratio: (tenant) => {
      const node = tree.index.get(tenant);
      return (used.get(tenant) ?? 0) / (node === undefined ? 1 : tree.nodes[node]!.weight);
    },
    add,
  };
}

/** The intent whose turn it is: of the tenant with the least per weight, its first; ties by the intents' own order. */
function nextOf(
  queues: Map<string, Intent[]>,
  shares: Shares,
  compare: (a: Intent, b: Intent) => number,
): Intent {
  let best: Intent | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const [tenant, [head]] of queues) {
    const ratio = shares.ratio(tenant);
    if (best === undefined || ratio < least || (ratio === least && compare(head!, best) < 0)) {
      best = head!;
      least = ratio;
    }
  }
  const queue = queues.get(best!.tenant)!;
  queue.shift();
  if (queue.length === 0) queues.delete(best!.tenant);
  return best!;
}

/** What serving in turn gave, and what auctions decided on the way. */
export interface InTurn {
  /** In the order in which they were served. */
  readonly served: readonly Served[];
  readonly clearings: readonly ClearingReport[];
  readonly bids: ReadonlyMap<string, BidResult>;
  /** Winners of auctions: their places are paid for. */
  readonly pinned: ReadonlySet<string>;
}

/**
 * Serves intents one after the other: priority, then fair share (the tenant that uses least per weight, at list
 * price), then bid, then age, then name. Each takes from what the ones before left. Within a priority, offers that are
 * wanted by more than they can host are auctioned first among those who bid.
 *
 * @param accounts changed: everything that is given away is booked
 * @param isLive the scopes of the served follow the accounts, see `scopeIn`
 */
export function serveInTurn(
  accounts: Accounts,
  pending: readonly Intent[],
  k: number,
  isLive = false,
): InTurn {
  const shares = openShares(accounts);
  const compare = compareIntents(accounts);
  const served: Served[] = [];
  const clearings: ClearingReport[] = [];
  const bids = new Map<string, BidResult>();
  const pinned = new Set<string>();
  const note = (one: Served): void => {
    served.push(one);
    for (const { candidate, replicas } of one.result.shares)
      shares.add(one.stated.tenant, billedShare(one.scope, candidate.row, replicas));
  };
  const tiers = Map.groupBy(pending, ({ priority }) => priority);
  for (const priority of [...tiers.keys()].sort((a, b) => b - a)) {
    const tier = [...tiers.get(priority)!].sort(compare);
    const auctions = auction(accounts, tier);
    clearings.push(...auctions.clearings);
    for (const [name, result] of auctions.bids) bids.set(name, result);
    for (const one of auctions.served) {
      pinned.add(one.stated.name);
      note(one);
    }
    const queues = Map.groupBy(
      tier.filter(({ name }) => !pinned.has(name)),
      ({ tenant }) => tenant,
    );
    while (queues.size > 0) {
      const one = serve(scopeIn(accounts, nextOf(queues, shares, compare), isLive), k);
      enter(accounts, one);
      note(one);
    }
  }
  return { served, clearings, bids, pinned };
}
