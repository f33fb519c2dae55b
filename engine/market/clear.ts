import { EngineError } from "../model/errors.ts";
import type { Micro } from "../model/money.ts";

/** A sealed bid for GPUs of one offer. */
export interface Bid {
  readonly intent: string;
  /** Whole GPUs, >= 1, all or none. */
  readonly gpus: number;
  /** Most per GPU and hour. */
  readonly bidMicro: Micro;
}

/** Who gets the GPUs, and what each pays per GPU and hour. */
export interface Clearing {
  /** In the order of admission. */
  readonly winners: readonly Bid[];
  /** One price for all winners: the first bid that did not fit, else the list price. */
  readonly priceMicro: Micro;
}

/**
 * Clears one offer for one round: sealed bids, one price. Bids below the list price are left out. The others are
 * admitted highest first until the first that does not fit, and that one sets the price: a smaller bid behind it is not
 * let in, so no winner pays more than it bid. When all fit, the price is the list price. Ties go to the smaller name,
 * so the order of the input never matters. Cost: O(n log n).
 *
 * @param gpusFree whole GPUs, 0 or more
 * @param admits whether there is room beside those admitted before, which may take more than free GPUs; asked once per bid,
 *     in order, until it says no
 * @throws {EngineError} `invalid_input` when a bid asks for less than one GPU
 * @see Ausubel et al., "Demand Reduction and Inefficiency in Multi-Unit Auctions" (2014): who wants several GPUs may
 *      gain by asking for fewer
 */
export function clear(
  bids: readonly Bid[],
  gpusFree: number,
  listMicro: Micro,
  admits: (bid: Bid) => boolean = () => true,
): Clearing {
  for (const { intent, gpus } of bids)
    if (!(Number.isSafeInteger(gpus) && gpus >= 1))
      throw new EngineError("invalid_input", `bid of ${intent}: gpus is ${gpus}; accepted: 1 or more`);
  const ranked = bids
    .filter(({ bidMicro }) => bidMicro >= listMicro)
    .sort((a, b) => b.bidMicro - a.bidMicro || (a.intent < b.intent ? -1 : 1));
  const winners: Bid[] = [];
  let left = gpusFree;
  for (const bid of ranked) {
    if (bid.gpus > left || !admits(bid)) return { winners, priceMicro: bid.bidMicro };
    left -= bid.gpus;
    winners.push(bid);
  }
  return { winners, priceMicro: listMicro };
}
