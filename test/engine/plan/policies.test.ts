import fc from "fast-check";
import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import type { Plan } from "../../../engine/model/plan.ts";
import type { Holding, Snapshot, Tenant } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, intent, snapshot } from "../builders.ts";

const highs = await createHighsSolver();
/** Nightly runs look at thirty times as many histories. */
const times = process.env["FLARE_NIGHTLY"] === undefined ? 1 : 30;
const noon = "2026-01-05T12:00:00Z";
/** Hours before noon, as a time. */
const ago = (hours: number): string => `2026-01-05T${String(12 - hours).padStart(2, "0")}:00:00Z`;

// small integers on purpose: ties, exact fits and impossible requests must occur
const offers = fc.array(
  fc.record({ gpus: fc.integer({ min: 1, max: 4 }), price: fc.integer({ min: 1, max: 3 }) }),
  { minLength: 1, maxLength: 3 },
);
const runners = fc.array(
  fc.record({
    offer: fc.nat({ max: 2 }),
    gpus: fc.integer({ min: 1, max: 2 }),
    priority: fc.constantFrom(100, 300, 500),
    hours: fc.integer({ min: 0, max: 3 }),
    tenant: fc.constantFrom("t0", "t1", "t2"),
    evictable: fc.constantFrom(true, true, true, false),
    young: fc.constantFrom(false, false, true),
  }),
  { maxLength: 7 },
);
const wanted = fc.array(
  fc.record({
    gpus: fc.integer({ min: 1, max: 3 }),
    replicas: fc.integer({ min: 1, max: 2 }),
    priority: fc.constantFrom(100, 300, 500, 700),
    tenant: fc.constantFrom("t0", "t1", "t2"),
  }),
  { minLength: 1, maxLength: 4 },
);
const limit = fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined });
const quotas = fc.array(
  fc.record({ nominal: fc.integer({ min: 0, max: 4 }), borrowing: limit, lending: limit }),
  {
    maxLength: 3,
  },
);

interface World {
  readonly offers: Flavor[];
  readonly holdings: Holding[];
  readonly tenants: Tenant[];
}

const service = (
  name: string,
  one: { gpus: number; replicas: number; priority: number; tenant: string },
): Intent => ({
  ...intent({
    name,
    priority: one.priority,
    gpu: { count: one.gpus },
    workload: {
      scaling: {
        minReplicas: one.replicas,
        maxReplicas: one.replicas,
        autoScale: false,
        targetCpuPercent: 80,
        targetGpuPercent: 80,
      },
    },
  }),
  tenant: one.tenant,
});

/** Offers with what runs on them; runners that do not fit are left out. */
function worldOf(
  list: readonly { gpus: number; price: number }[],
  running: readonly (typeof runners extends fc.Arbitrary<infer T> ? T : never)[number][],
  entries: readonly (typeof quotas extends fc.Arbitrary<infer T> ? T : never)[number][],
): World {
  const free = list.map(({ gpus }) => gpus);
  const holdings: Holding[] = [];
  for (const [index, one] of running.entries()) {
    const at = one.offer % list.length;
    if (free[at]! < one.gpus) continue;
    free[at]! -= one.gpus;
    holdings.push({
      intent: `run-${index}`,
      offer: `o${at}`,
      gpus: one.gpus,
      since: ago(one.hours),
      priority: one.priority,
      tenant: one.tenant,
      evictable: one.evictable,
      ...(one.young ? { minRuntimeSeconds: 2 * 3600 } : {}),
    });
  }
  return {
    offers: list.map(({ gpus, price }, index) =>
      flavor(`o${index}`, {
        capacity: { gpus, gpusFree: free[index]! },
        price: { basis: "gpu", onDemand: eur(price) },
      }),
    ),
    holdings,
    tenants: entries.map(({ nominal, borrowing, lending }, index) => ({
      name: `t${index}`,
      cohort: "pool",
      weight: 1,
      quotas: [
        {
          gpuClass: "*",
          nominal,
          ...(borrowing === undefined ? {} : { borrowing }),
          ...(lending === undefined ? {} : { lending: Math.min(lending, nominal) }),
        },
      ],
    })),
  };
}

const snapshotOf = ({ offers: list, ...rest }: World): Snapshot => snapshot(list, rest);

/** The world after a plan: evicted work is gone, placed intents run. */
function applied(world: World, intents: readonly Intent[], made: Plan): World {
  const gone = new Set(made.evictions.map((one) => one.intent));
  const stay = world.holdings.filter((one) => !gone.has(one.intent));
  const started = made.decisions
    .filter(({ outcome, reason }) => outcome === "placed" && reason !== "RUNNING")
    .flatMap((decision) =>
      decision.placements.map(
        (placement): Holding => ({
          intent: decision.intent,
          offer: placement.offer,
          gpus: placement.gpus,
          replicas: placement.replicas,
          since: noon,
          priority: intents.find(({ name }) => name === decision.intent)!.priority,
          tenant: decision.tenant,
          evictable: true,
        }),
      ),
    );
  const holdings = [...stay, ...started];
  return {
    ...world,
    holdings,
    offers: world.offers.map((offer) => {
      const used = holdings.filter((one) => one.offer === offer.id).reduce((sum, { gpus }) => sum + gpus, 0);
      expect(used).toBeLessThanOrEqual(offer.capacity.gpus);
      return { ...offer, capacity: { ...offer.capacity, gpusFree: offer.capacity.gpus - used } };
    }),
  };
}

/** Every running work with an intent of its own, so that it can go on elsewhere. */
const intentsOf = ({ holdings }: World): Intent[] =>
  holdings.map(({ intent: name, gpus, priority, tenant }) =>
    service(name, { gpus, replicas: 1, priority, tenant }),
  );

test("the plan of a plan changes nothing: no thrash, no preemption loop", async () => {
  await fc.assert(
    fc.asyncProperty(
      offers,
      runners,
      quotas,
      wanted,
      fc.boolean(),
      async (list, running, entries, asks, known) => {
        const world = worldOf(list, running, entries);
        const intents = [
          ...asks.map((one, index) => service(`new-${index}`, one)),
          ...(known ? intentsOf(world) : []),
        ];
        const options = { work: 5_000, explain: false } as const;
        const first = await plan(prepare(snapshotOf(world)), intents, options);
        const next = applied(world, intents, first);
        const second = await plan(prepare(snapshotOf(next)), intents, options);
        expect(second.evictions).toEqual([]);
        const outcomes = (made: Plan): string[] =>
          made.decisions.map((one) => `${one.intent} ${one.outcome}`);
        expect(outcomes(second)).toEqual(outcomes(first));
      },
    ),
    { numRuns: 120 * times, seed: 41 },
  );
});

test("the same plan whatever the order of intents, holdings and tenants", async () => {
  await fc.assert(
    fc.asyncProperty(offers, runners, quotas, wanted, async (list, running, entries, asks) => {
      const world = worldOf(list, running, entries);
      const intents = [...asks.map((one, index) => service(`new-${index}`, one)), ...intentsOf(world)];
      const one = await plan(prepare(snapshotOf(world)), intents, { work: 5_000 });
      const mirrored = {
        ...world,
        holdings: world.holdings.toReversed(),
        tenants: world.tenants.toReversed(),
      };
      const two = await plan(prepare(snapshotOf(mirrored)), intents.toReversed(), { work: 5_000 });
      expect(JSON.stringify(two)).toBe(JSON.stringify(one));
    }),
    { numRuns: 40 * times, seed: 43 },
  );
});

/** All ways to end some of the runners, cheapest first, straight from the rules; null when none lets the intent in. */
function cheapestByBruteForce(world: World, one: Intent, replicas: number): number | null {
  const victims = world.holdings.filter(
    ({ priority, evictable, since, minRuntimeSeconds }) =>
      priority < one.priority &&
      evictable &&
      (Date.parse(noon) - Date.parse(since)) / 1000 >= (minRuntimeSeconds ?? 0),
  );
  const cost = ({ offer, gpus, since }: Holding): number => {
    const price = world.offers.find(({ id }) => id === offer)!.price.onDemand!.micro * gpus;
    return Math.ceil((price * ((Date.parse(noon) - Date.parse(since)) / 1000 + 120)) / 3600);
  };
  let best: number | null = null;
  for (let mask = 0; mask < 1 << victims.length; mask++) {
    const chosen = victims.filter((_, index) => (mask >> index) & 1);
    const slots = world.offers.reduce((sum, { id, capacity }) => {
      const freed = chosen.filter(({ offer }) => offer === id).reduce((total, { gpus }) => total + gpus, 0);
      return sum + Math.floor((capacity.gpusFree + freed) / one.workload.resources.gpu.count);
    }, 0);
    if (slots < replicas) continue;
    const total = chosen.reduce((sum, victim) => sum + cost(victim), 0);
    if (best === null || total < best) best = total;
  }
  return best;
}

test("victims are the cheapest there are, and nobody is evicted when nothing would help", async () => {
  await fc.assert(
    fc.asyncProperty(offers, runners, wanted, async (list, running, [ask]) => {
      const world = worldOf(list, running, []);
      const one = service("new", ask!);
      const { evictions, preemptions, decisions } = await plan(prepare(snapshotOf(world)), [one], {
        explain: false,
      });
      const best = cheapestByBruteForce(world, one, ask!.replicas);
      const lost = evictions.reduce((sum, { lostMicro }) => sum + lostMicro, 0);
      expect(decisions[0]!.outcome === "placed").toBe(best !== null);
      expect(lost).toBe(best ?? 0);
      expect(preemptions.map(({ lostMicro, leastMicro }) => leastMicro - lostMicro)).toEqual(
        evictions.length > 0 ? [0] : [],
      );
    }),
    { numRuns: 200 * times, seed: 47 },
  );
});

const shared = fc.array(
  fc.record({
    gpus: fc.integer({ min: 1, max: 3 }),
    tenant: fc.constantFrom("t0", "t1", "t2"),
    only: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
  }),
  { minLength: 2, maxLength: 6 },
);

/** Best attainable shares of whole jobs: the largest smallest value per weight, then the next, over all assignments. */
function fairestByBruteForce(
  list: readonly { gpus: number }[],
  jobs: readonly { gpus: number; tenant: string; value: number; allowed: readonly number[] }[],
  weights: Readonly<Record<string, number>>,
): Record<string, number> {
  const tenants = [...new Set(jobs.map(({ tenant }) => tenant))];
  let best: { key: number[]; got: Record<string, number> } | null = null;
  const free = list.map(({ gpus }) => gpus);
  const got: Record<string, number> = Object.fromEntries(tenants.map((tenant) => [tenant, 0]));
  const visit = (at: number): void => {
    if (at === jobs.length) {
      const key = tenants.map((tenant) => got[tenant]! / weights[tenant]!).sort((a, b) => a - b);
      const isBetter = best === null || compare(key, best.key) > 0;
      if (isBetter) best = { key, got: { ...got } };
      return;
    }
    const { gpus, tenant, value, allowed } = jobs[at]!;
    visit(at + 1);
    for (const offer of allowed) {
      if (free[offer]! < gpus) continue;
      free[offer]! -= gpus;
      got[tenant]! += value;
      visit(at + 1);
      free[offer]! += gpus;
      got[tenant]! -= value;
    }
  };
  visit(0);
  return best!.got;
}
const compare = (a: readonly number[], b: readonly number[]): number => {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value - b[index]!;
  return 0;
};

test("each backlogged tenant gets its entitlement less one largest job, as far as whole jobs pack so", async () => {
  let backlogged = 0;
  await fc.assert(
    fc.asyncProperty(
      offers,
      shared,
      fc.tuple(
        fc.integer({ min: 1, max: 2 }),
        fc.integer({ min: 1, max: 2 }),
        fc.integer({ min: 1, max: 2 }),
      ),
      async (list, jobs, [w0, w1, w2]) => {
        const weights: Record<string, number> = { t0: w0, t1: w1, t2: w2 };
        const world: World = {
          ...worldOf(list, [], []),
          tenants: Object.entries(weights).map(([name, weight]) => ({ name, weight, quotas: [] })),
        };
        const intents = jobs.map(({ gpus, tenant, only }, index) => {
          const one = service(`job-${index}`, { gpus, replicas: 1, priority: 500, tenant });
          const place = only === undefined ? undefined : `p${only % list.length}`;
          return place === undefined
            ? one
            : { ...one, constraints: { ...one.constraints, providers: [place] } };
        });
        const { shares, decisions } = await plan(
          prepare(
            snapshotOf({
              ...world,
              offers: world.offers.map((offer, index) => ({ ...offer, provider: `p${index}` })),
            }),
          ),
          intents,
          { solver: highs, work: 20_000, explain: false },
        );
        if (shares.length === 0) return;
        const placed = new Set(
          decisions.filter(({ outcome }) => outcome === "placed").map((one) => one.intent),
        );
        const allowed = (only: number | undefined, gpus: number): number[] =>
          list.flatMap((offer, index) =>
            (only === undefined || only % list.length === index) && offer.gpus >= gpus ? [index] : [],
          );
        const valued = jobs
          .map((job) => ({ ...job, allowed: allowed(job.only, job.gpus) }))
          .map((job) => ({
            ...job,
            value: job.gpus * Math.min(...job.allowed.map((offer) => list[offer]!.price)) * 1_000_000,
          }));
        const able = valued.filter((job) => job.allowed.length > 0);
        const fairest = fairestByBruteForce(list, able, weights);
        for (const { tenant, entitledMicro } of shares) {
          const own = valued.map((job, index) => ({ ...job, index })).filter((job) => job.tenant === tenant);
          const waits = own.some((job) => job.allowed.length > 0 && !placed.has(`job-${job.index}`));
          if (!waits) continue;
          backlogged++;
          const got = own
            .filter((job) => placed.has(`job-${job.index}`))
            .reduce((sum, { value }) => sum + value, 0);
          const largest = Math.max(...own.filter((job) => job.allowed.length > 0).map(({ value }) => value));
          expect(got).toBeGreaterThanOrEqual(Math.min(entitledMicro, fairest[tenant]!) - largest);
        }
      },
    ),
    { numRuns: 80 * times, seed: 53 },
  );
  expect(backlogged).toBeGreaterThan(20);
});

test.for([
  { name: "the tenant that uses less comes first", weights: [1, 1], uses: [2, 1], first: "t1" },
  { name: "use counts per weight", weights: [3, 1], uses: [2, 1], first: "t0" },
  { name: "of equal shares the older intent comes first", weights: [2, 1], uses: [2, 1], first: "t1" },
])("in turn: $name", async ({ weights, uses, first }) => {
  const tenants = weights.map((weight, index): Tenant => ({ name: `t${index}`, weight, quotas: [] }));
  const holdings = uses.map(
    (gpus, index): Holding => ({
      intent: `run-${index}`,
      offer: "o",
      gpus,
      since: ago(1),
      priority: 500,
      tenant: `t${index}`,
      evictable: false,
    }),
  );
  const state = snapshot([flavor("o", { capacity: { gpus: 4, gpusFree: 1 } })], { tenants, holdings });
  const asks = tenants.map(({ name }, index) => ({
    ...intent({ name: `new-${name}` }),
    tenant: name,
    submittedAt: ago(index + 1),
  }));
  const { decisions } = await plan(prepare(state), asks, { together: false });
  const placed = decisions.filter(({ outcome }) => outcome === "placed").map((one) => one.intent);
  expect(placed).toEqual([`new-${first}`]);
});
