import { flavorOf } from "../compile/catalog.ts";
import { type Bid, clear } from "../market/clear.ts";
import type { BidResult, ClearingReport } from "../model/bid.ts";
import { assert } from "../model/errors.ts";
import type { Intent } from "../model/intent.ts";
import { convert } from "../model/money.ts";
import { type Accounts, copyAccounts, enter, scopeIn } from "./accounts.ts";
import { type Served, serve } from "./serve.ts";

/** What the auctions of one priority decided. */
export interface Auctions {
  /** Winners with their places and prices, booked. */
  readonly served: readonly Served[];
  readonly clearings: readonly ClearingReport[];
  readonly bids: ReadonlyMap<string, BidResult>;
}

/** The bid of an intent in the snapshot's currency, micro-units per GPU and hour; 0 without one. */
export function bidMicro({ catalog }: Accounts, { bidPerGpuHour }: Intent): number {
  const { currency, rates } = catalog.snapshot;
  return bidPerGpuHour === undefined ? 0 : (convert(bidPerGpuHour, currency, rates) ?? 0);
}

/** An intent that would go to one divisible offer, and what it may pay there. */
interface Choice {
  readonly intent: Intent;
  readonly row: number;
  readonly gpus: number;
  readonly bidMicro: number;
}

/** Where an intent would go by itself; null where that is not one divisible offer. */
function choiceOf(accounts: Accounts, intent: Intent): Choice | null {
  const { scope, result, verdict } = serve(scopeIn(accounts, intent), 1);
  const [share, ...others] = result.shares;
  const { need, catalog } = scope;
  if (share === undefined || others.length > 0 || verdict.relaxations.length > 0) return null;
  // whole GPUs are auctioned: parts take an ordinary turn
  if (need.part !== undefined) return null;
  if (!flavorOf(catalog, share.candidate.row).divisible || share.replicas !== need.replicas) return null;
  const gpus = need.gpus * share.replicas;
  const most = need.capMicro == null ? Number.POSITIVE_INFINITY : Math.floor(need.capMicro / gpus);
  return { intent, row: share.candidate.row, gpus, bidMicro: Math.min(bidMicro(accounts, intent), most) };
}

/** The winner in its place, at the price of all winners. */
function won(accounts: Accounts, intent: Intent, row: number, priceMicro: number): Served | null {
  const served = serve(scopeIn(accounts, intent), 1);
  const [share] = served.result.shares;
  if (served.result.shares.length !== 1 || share!.candidate.row !== row) return null;
  const gpus = served.scope.need.gpus * share!.replicas;
  const shares = [{ ...share!, billedMicro: priceMicro * gpus, clearingMicro: priceMicro }];
  return { ...served, result: { ...served.result, shares } };
}

/**
 * Asks for one intent after the other whether the offer of a row has room for it beside those before, with what is held for
 * others, quotas and the rest of the offer counted.
 */
function admitter(accounts: Accounts, row: number): (choice: Choice) => boolean {
  const trial = copyAccounts(accounts);
  return ({ intent }) => {
    const place = won(trial, intent, row, trial.catalog.options.unitMicro[row]!);
    if (place !== null) enter(trial, place);
    return place !== null;
  };
}

/**
 * Auctions the offers that the intents of one priority want more of than there is: among those who bid for an offer,
 * highest first, at one price. Everybody else, losers too, takes an ordinary turn afterwards at list price.
 *
 * @param accounts changed: winners are booked
 */
export function auction(accounts: Accounts, intents: readonly Intent[]): Auctions {
  const served: Served[] = [];
  const clearings: ClearingReport[] = [];
  const bids = new Map<string, BidResult>();
  if (intents.every((intent) => bidMicro(accounts, intent) === 0)) return { served, clearings, bids };
  const choices = intents.map((intent) => choiceOf(accounts, intent)).filter((choice) => choice !== null);
  const { catalog } = accounts;
  const byRow = [...Map.groupBy(choices, ({ row }) => row)].sort(([a], [b]) => a - b);
  for (const [row, wanted] of byRow) {
    const { id, capacity } = flavorOf(catalog, row);
    const listMicro = catalog.options.unitMicro[row]!;
    const free = capacity.gpusFree - (accounts.usage.get(catalog.options.flavor[row]!)?.gpus ?? 0);
    const bidders = wanted.filter((choice) => choice.bidMicro >= listMicro);
    if (bidders.length === 0 || wanted.every(admitter(accounts, row))) continue;
    const byName = new Map(bidders.map((choice) => [choice.intent.name, choice]));
    const admits = admitter(accounts, row);
    const round = clear(
      bidders.map(
        ({ intent, gpus, bidMicro: micro }): Bid => ({ intent: intent.name, gpus, bidMicro: micro }),
      ),
      free,
      listMicro,
      (bid) => admits(byName.get(bid.intent)!),
    );
    const placed = new Set<string>();
    for (const { intent: name } of round.winners) {
      const place = won(accounts, byName.get(name)!.intent, row, round.priceMicro);
      assert(place !== null, `the winner ${name} has room on ${id}`);
      enter(accounts, place);
      served.push(place);
      placed.add(name);
    }
    for (const { intent, bidMicro: micro } of bidders)
      bids.set(intent.name, {
        offer: id,
        bidMicro: micro,
        priceMicro: round.priceMicro,
        isWon: placed.has(intent.name),
      });
    clearings.push({
      offer: id,
      gpusFree: free,
      listMicro,
      priceMicro: round.priceMicro,
      bids: bidders.length,
      winners: [...placed].sort(),
    });
  }
  return { served, clearings, bids };
}
