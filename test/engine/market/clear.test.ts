import fc from "fast-check";
import { expect, test } from "vitest";
import { type Bid, clear } from "../../../engine/market/clear.ts";
import { EngineError } from "../../../engine/model/errors.ts";

const bid = (intent: string, gpus: number, bidMicro: number): Bid => ({ intent, gpus, bidMicro });

test.for<{ name: string; bids: Bid[]; free: number; list: number; winners: string[]; price: number }>([
  {
    name: "everybody fits: the list price",
    bids: [bid("a", 2, 9), bid("b", 2, 5)],
    free: 4,
    list: 3,
    winners: ["a", "b"],
    price: 3,
  },
  {
    name: "the first bid that does not fit sets the price for all",
    bids: [bid("a", 2, 9), bid("b", 2, 7), bid("c", 1, 5)],
    free: 4,
    list: 3,
    winners: ["a", "b"],
    price: 5,
  },
  {
    name: "a smaller bid behind one that does not fit is not let in",
    bids: [bid("a", 2, 9), bid("b", 3, 7), bid("c", 1, 5)],
    free: 4,
    list: 3,
    winners: ["a"],
    price: 7,
  },
  {
    name: "bids below the list price are left out",
    bids: [bid("a", 1, 2)],
    free: 4,
    list: 3,
    winners: [],
    price: 3,
  },
  {
    name: "a tie goes to the smaller name",
    bids: [bid("b", 1, 5), bid("a", 1, 5)],
    free: 1,
    list: 1,
    winners: ["a"],
    price: 5,
  },
  { name: "nothing free: nobody wins", bids: [bid("a", 1, 5)], free: 0, list: 1, winners: [], price: 5 },
])("$name", ({ bids, free, list, winners, price }) => {
  const round = clear(bids, free, list);
  expect(round.winners.map(({ intent }) => intent)).toEqual(winners);
  expect(round.priceMicro).toBe(price);
});

test("less than one GPU is bad input", () => {
  expect(() => clear([bid("a", 0, 5)], 4, 1)).toThrow(EngineError);
});

const bids = fc.uniqueArray(
  fc.record({
    intent: fc.string({ minLength: 1, maxLength: 2 }),
    gpus: fc.integer({ min: 1, max: 8 }),
    bidMicro: fc.integer({ min: 0, max: 8 }), // narrow: ties must happen
  }),
  { selector: ({ intent }) => intent, maxLength: 12 },
);

test("never oversells, never charges above a bid or below the list price, ignores the order of the input", () => {
  fc.assert(
    fc.property(bids, fc.nat(16), fc.nat(8), (all, free, list) => {
      const round = clear(all, free, list);
      expect(round.winners.reduce((sum, { gpus }) => sum + gpus, 0)).toBeLessThanOrEqual(free);
      expect(round.priceMicro).toBeGreaterThanOrEqual(list);
      for (const { bidMicro } of round.winners) expect(bidMicro).toBeGreaterThanOrEqual(round.priceMicro);
      const lost = all.filter((one) => one.bidMicro > round.priceMicro && !round.winners.includes(one));
      expect(lost).toEqual([]);
      expect(clear(all.toReversed(), free, list)).toEqual(round);
    }),
    { numRuns: 500, seed: 3 },
  );
});
