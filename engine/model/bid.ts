import type { Micro } from "./money.ts";

/** How a bid ended, for the intent that made it. Prices are per GPU and hour in the snapshot's currency. */
export interface BidResult {
  readonly offer: string;
  /** What counted: the bid, less where `max_hourly_cost` allows less. */
  readonly bidMicro: Micro;
  /** What the winners pay. */
  readonly priceMicro: Micro;
  readonly isWon: boolean;
}

/** One cleared offer. For operators: it names intents of several tenants. */
export interface ClearingReport {
  readonly offer: string;
  readonly gpusFree: number;
  readonly listMicro: Micro;
  readonly priceMicro: Micro;
  readonly bids: number;
  readonly winners: readonly string[];
}
