import { offerIndexOf } from "../compile/catalog.ts";
import type { Intent } from "../model/intent.ts";
import { convert } from "../model/money.ts";
import { listMicro } from "../quota/demand.ts";
import { type Accounts, enter, scopeIn } from "./accounts.ts";
import { billedShare } from "./replicas.ts";
import { type Served, serve } from "./serve.ts";

/** The bid of an intent in the snapshot's currency, micro-units per GPU and hour; 0 without one. */
export function bidMicro({ catalog }: Accounts, { bidPerGpuHour }: Intent): number {
  const { currency, rates } = catalog.snapshot;
  return bidPerGpuHour === undefined ? 0 : (convert(bidPerGpuHour, currency, rates) ?? 0);
}

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

function openShares({ catalog: { snapshot }, books }: Accounts): Shares {
  const used = new Map<string, number>();
  const { tree } = books;
  const add = (tenant: string, micro: number): void => {
    used.set(tenant, (used.get(tenant) ?? 0) + micro);
  };
  for (const { tenant, offer, gpus, spot } of snapshot.holdings) {
    const flavor = snapshot.offers[offerIndexOf(snapshot, offer)];
    if (flavor !== undefined) add(tenant, listMicro(snapshot, flavor, gpus, spot ?? false));
  }
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

/**
 * Serves intents one after the other: priority, then fair share (the tenant that uses least per weight, at list
 * price), then bid, then age, then name. Each takes from what the ones before left.
 *
 * @param accounts changed: everything that is given away is booked
 * @returns the served intents in the order in which they were served
 */
export function serveInTurn(accounts: Accounts, pending: readonly Intent[], k: number): Served[] {
  const shares = openShares(accounts);
  const compare = compareIntents(accounts);
  const served: Served[] = [];
  const tiers = Map.groupBy(pending, ({ priority }) => priority);
  for (const priority of [...tiers.keys()].sort((a, b) => b - a)) {
    const queues = Map.groupBy([...tiers.get(priority)!].sort(compare), ({ tenant }) => tenant);
    while (queues.size > 0) {
      const one = serve(scopeIn(accounts, nextOf(queues, shares, compare)), k);
      enter(accounts, one);
      served.push(one);
      for (const { candidate, replicas } of one.result.shares)
        shares.add(one.stated.tenant, billedShare(one.scope, candidate.row, replicas));
    }
  }
  return served;
}
