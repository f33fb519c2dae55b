import { flavorOf } from "../compile/catalog.ts";
import { type Bid, clear } from "../market/clear.ts";
import type { BidResult, ClearingReport } from "../model/bid.ts";
import type { Intent } from "../model/intent.ts";
import { convert } from "../model/money.ts";
import { type Accounts, enter, scopeIn } from "./accounts.ts";
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
    if (wanted.reduce((sum, { gpus }) => sum + gpus, 0) <= free || bidders.length === 0) continue;
    const round = clear(
      bidders.map(
        ({ intent, gpus, bidMicro: micro }): Bid => ({ intent: intent.name, gpus, bidMicro: micro }),
      ),
      free,
      listMicro,
    );
    const winners = new Set(round.winners.map(({ intent }) => intent));
    const placed: string[] = [];
    for (const { intent, bidMicro: micro } of bidders) {
      const place = winners.has(intent.name) ? won(accounts, intent, row, round.priceMicro) : null;
      if (place !== null) {
        enter(accounts, place);
        served.push(place);
        placed.push(intent.name);
      }
      bids.set(intent.name, {
        offer: id,
        bidMicro: micro,
        priceMicro: round.priceMicro,
        isWon: place !== null,
      });
    }
    clearings.push({
      offer: id,
      gpusFree: free,
      listMicro,
      priceMicro: round.priceMicro,
      bids: bidders.length,
      winners: placed.sort(),
    });
  }
  return { served, clearings, bids };
}
