import fc from "fast-check";
import { expect, test } from "vitest";
import { fill } from "../../../engine/assign/fill.ts";
import type { Candidate } from "../../../engine/assign/rank.ts";

interface Offer {
  readonly slots: number;
  /** Price of each replica, and of the first one besides. */
  readonly each: number;
  readonly once: number;
}

const offer = fc.record({ slots: fc.nat(4), each: fc.integer({ min: 1, max: 9 }), once: fc.nat(9) });
const groups = fc.array(fc.record({ offers: fc.array(offer, { maxLength: 4 }), counts: fc.boolean() }), {
  minLength: 1,
  maxLength: 4,
});

const as = (one: Offer): Candidate => one as unknown as Candidate;
const costOf = (candidate: Candidate, replicas: number): number => {
  const { each, once } = candidate as unknown as Offer;
  return once + each * replicas;
};
const slotsOf = (candidate: Candidate): number => (candidate as unknown as Offer).slots;

test("all replicas are hosted within the slots and over the domains asked for, wherever there is room", () => {
  fc.assert(
    fc.property(groups, fc.integer({ min: 1, max: 12 }), fc.nat(3), (given, replicas, domains) => {
      const domainOf = new Map<Candidate, number>();
      const made = given.map(({ offers, counts }, index) => {
        const candidates = offers.map(as);
        for (const candidate of candidates) domainOf.set(candidate, counts ? index : -1);
        return { candidates, counts };
      });
      const found = fill(made, replicas, domains, slotsOf, costOf);
      const room = made.flatMap(({ candidates }) => candidates).reduce((sum, one) => sum + slotsOf(one), 0);
      const usable = made.filter(
        ({ candidates, counts }) => counts && candidates.some((one) => slotsOf(one) > 0),
      );
      const isPossible = room >= replicas && usable.length >= domains && domains <= replicas;
      expect(found !== null).toBe(isPossible);
      if (found === null) return;
      expect(found.reduce((sum, one) => sum + one.replicas, 0)).toBe(replicas);
      for (const one of found) expect(one.replicas).toBeLessThanOrEqual(slotsOf(one.candidate));
      expect(new Set(found.map(({ candidate }) => candidate)).size).toBe(found.length);
      const used = new Set(
        found.map(({ candidate }) => domainOf.get(candidate)!).filter((index) => index >= 0),
      );
      expect(used.size).toBeGreaterThanOrEqual(domains);
    }),
  );
});

test("the cheapest places come first, and the last portion goes where it costs least", () => {
  const [cheap, dear, small] = [
    { slots: 4, each: 1, once: 0 },
    { slots: 4, each: 3, once: 0 },
    { slots: 1, each: 2, once: 1 },
  ].map(as);
  const one = { candidates: [dear!, cheap!, small!], counts: false };
  const found = fill([one], 5, 0, slotsOf, costOf)!;
  expect(found.map(({ candidate, replicas }) => [candidate === cheap, replicas])).toEqual([
    [true, 4],
    [false, 1],
  ]);
  expect(costOf(found[1]!.candidate, 1)).toBe(3);
});
