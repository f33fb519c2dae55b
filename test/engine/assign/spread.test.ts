import fc from "fast-check";
import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, intent, snapshot } from "../builders.ts";

const offers = fc.array(
  fc.record({
    region: fc.constantFrom("a", "b", "c", undefined),
    gpus: fc.integer({ min: 1, max: 3 }),
    price: fc.integer({ min: 1, max: 4 }),
    whole: fc.boolean(),
  }),
  { minLength: 1, maxLength: 5 },
);

type Offer = ReturnType<typeof offers.generate>["value"][number];

/** Price of some replicas in one offer, infinite where they do not fit. */
const priceOf = (offer: Offer, replicas: number): number => {
  if (replicas === 0) return 0;
  if (replicas > offer.gpus) return Number.POSITIVE_INFINITY;
  return offer.whole ? offer.price : offer.price * replicas;
};

/** Least price of all ways to host the replicas over enough regions; infinite when there is none. */
function cheapest(list: readonly Offer[], replicas: number, domains: number): number {
  const go = (index: number, left: number, regions: ReadonlySet<string>, price: number): number => {
    const offer = list[index];
    if (offer === undefined) return left === 0 && regions.size >= domains ? price : Number.POSITIVE_INFINITY;
    let best = Number.POSITIVE_INFINITY;
    for (let here = 0; here <= left; here++) {
      const used = here > 0 && offer.region !== undefined ? new Set([...regions, offer.region]) : regions;
      best = Math.min(best, go(index + 1, left - here, used, price + priceOf(offer, here)));
    }
    return best;
  };
  return go(0, replicas, new Set(), 0);
}

test("spread replicas cost the least that enough regions allow, and are refused only when nothing is within the cap", async () => {
  let placed = 0;
  await fc.assert(
    fc.asyncProperty(
      offers,
      fc.integer({ min: 2, max: 4 }),
      fc.integer({ min: 2, max: 3 }),
      fc.integer({ min: 1, max: 12 }),
      async (list, replicas, domains, cap) => {
        const view = snapshot(
          list.map(({ region, gpus, price, whole }, index) => {
            const { region: _, ...placeless } = flavor(`o${index}`, {
              capacity: { gpus, gpusFree: gpus, cpuMilli: 64_000, memoryMib: 65_536 },
              price: { basis: whole ? "node" : "gpu", onDemand: eur(price) },
              divisible: !whole,
            });
            return region === undefined ? placeless : { ...placeless, region };
          }),
        );
        const wanted = intent({
          workload: {
            scaling: {
              minReplicas: replicas,
              maxReplicas: replicas,
              autoScale: false,
              targetCpuPercent: 70,
              targetGpuPercent: 80,
            },
          },
          constraints: { spread: { by: "region", minDomains: domains }, maxHourlyCost: eur(cap) },
        });
        const { decisions } = await plan(prepare(view), [wanted], { explain: false });
        const best = cheapest(list, replicas, domains);
        const [decision] = decisions;
        // what one replica pays alone must be within the cap already, so only that much is asked of the offers
        const isFeasible = best <= cap;
        expect(decision?.outcome === "placed").toBe(isFeasible);
        if (!isFeasible) return;
        placed++;
        expect(decision?.placements.reduce((sum, { costMicro }) => sum + costMicro, 0)).toBe(best * 1e6);
      },
    ),
    { numRuns: 300 },
  );
  expect(placed).toBeGreaterThan(20);
});
