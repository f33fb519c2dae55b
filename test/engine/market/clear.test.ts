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

test("what a winner pays does not depend on its own bid, and more room never makes anybody pay more", () => {
  fc.assert(
    fc.property(bids, fc.nat(16), fc.nat(8), fc.integer({ min: 1, max: 4 }), (all, free, list, more) => {
      const round = clear(all, free, list);
      for (const winner of round.winners) {
        const higher = all.map((one) => (one === winner ? { ...one, bidMicro: one.bidMicro + more } : one));
        const again = clear(higher, free, list);
        expect(again.priceMicro).toBe(round.priceMicro);
        expect(again.winners.map(({ intent }) => intent).sort()).toEqual(
          round.winners.map(({ intent }) => intent).sort(),
        );
      }
      const roomier = clear(all, free + more, list);
      expect(roomier.priceMicro).toBeLessThanOrEqual(round.priceMicro);
      expect(roomier.winners.slice(0, round.winners.length)).toEqual(round.winners);
    }),
    { numRuns: 300 },
  );
});

test("one more bid never lowers the price", () => {
  const another = fc.record({
    gpus: fc.integer({ min: 1, max: 8 }),
    bidMicro: fc.integer({ min: 0, max: 8 }),
  });
  fc.assert(
    fc.property(bids, another, fc.nat(16), fc.nat(8), (all, one, free, list) => {
      const before = clear(all, free, list);
      const after = clear([...all, { intent: "one more", ...one }], free, list);
      expect(after.priceMicro).toBeGreaterThanOrEqual(before.priceMicro);
    }),
    { numRuns: 300 },
  );
});

test("who finds no room for other reasons than GPUs sets the price like any other", () => {
  const all = [bid("a", 1, 9), bid("b", 1, 7), bid("c", 1, 5)];
  const round = clear(all, 4, 3, ({ intent }) => intent !== "b");
  expect(round).toEqual({ winners: [all[0]], priceMicro: 7 });
});
