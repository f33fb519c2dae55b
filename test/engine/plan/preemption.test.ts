import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Intent, Workload } from "../../../engine/model/intent.ts";
import type { Plan } from "../../../engine/model/plan.ts";
import type { Holding, Snapshot, Tenant } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, holding, type IntentChanges, intent, snapshot } from "../builders.ts";

const offer = (id: string, gpus: number, free: number, price = 1, divisible = true) =>
  flavor(id, {
    capacity: { gpus, gpusFree: free },
    divisible,
    price: { basis: "gpu", onDemand: eur(price) },
  });
const of = (tenant: string, changes: IntentChanges): Intent => ({ ...intent(changes), tenant });
const quota = (name: string, nominal: number, changes: Partial<Tenant> = {}): Tenant => ({
  name,
  cohort: "pool",
  weight: 1,
  quotas: [{ gpuClass: "*", nominal }],
  ...changes,
});

const decide = (
  offers: Parameters<typeof snapshot>[0],
  changes: Partial<Snapshot>,
  ...intents: Intent[]
): Promise<Plan> => plan(prepare(snapshot(offers, changes)), intents);
const placesOf = ({ decisions }: Plan): Record<string, string> =>
  Object.fromEntries(
    decisions.map((one) => [
      one.intent,
      one.outcome === "placed" ? one.placements.map((at) => at.offer).join("+") : one.reason,
    ]),
  );
const gone = ({ evictions }: Plan): string[] => evictions.map((one) => `${one.intent}:${one.cause}`);

const gang = (replicas: number): Partial<Workload> => ({
  scaling: {
    minReplicas: replicas,
    maxReplicas: replicas,
    autoScale: false,
    targetCpuPercent: 80,
    targetGpuPercent: 80,
  },
});

interface Case {
  readonly name: string;
  readonly offers: Parameters<typeof snapshot>[0];
  readonly holdings: readonly Holding[];
  readonly tenants?: readonly Tenant[];
  readonly intents: readonly Intent[];
  readonly places: Record<string, string>;
  readonly evicted: readonly string[];
}

test.for<Case>([
  {
    name: "higher priority takes the place of lower, and nothing more than it needs",
    offers: [offer("o", 4, 0)],
    holdings: [holding("one", "o", 2), holding("two", "o", 2)],
    intents: [intent({ name: "urgent", priority: 700, gpu: { count: 2 } })],
    places: { urgent: "o" },
    evicted: ["one:priority"],
  },
  {
    name: "equal priority is never evicted",
    offers: [offer("o", 2, 0)],
    holdings: [holding("one", "o", 2, { priority: 700 })],
    intents: [intent({ name: "late", priority: 700 })],
    places: { late: "CAPACITY_BUSY" },
    evicted: [],
  },
  {
    name: "lower priority evicts nobody",
    offers: [offer("o", 2, 0)],
    holdings: [holding("one", "o", 2)],
    intents: [intent({ name: "late", priority: 100 })],
    places: { late: "CAPACITY_BUSY" },
    evicted: [],
  },
  {
    name: "eviction without fit: nobody leaves when the whole intent would still not fit",
    offers: [offer("o", 4, 0)],
    holdings: [holding("one", "o", 2), holding("two", "o", 2, { priority: 900 })],
    intents: [intent({ name: "urgent", priority: 700, gpu: { count: 3 } })],
    places: { urgent: "CAPACITY_BUSY" },
    evicted: [],
  },
  {
    name: "ten evicted for one: one large victim instead of ten small ones that lose more together",
    offers: [offer("crowded", 10, 0), offer("calm", 10, 0)],
    holdings: [
      ...Array.from({ length: 10 }, (_, index) => holding(`small-${index}`, "crowded", 1)),
      holding("large", "calm", 10, { lastCheckpoint: "2026-01-05T11:59:00Z" }),
    ],
    intents: [intent({ name: "urgent", priority: 700, gpu: { count: 10 } })],
    places: { urgent: "calm" },
    evicted: ["large:priority"],
  },
  {
    name: "the cheapest set is a knapsack: two that fit exactly instead of one that loses more",
    offers: [offer("o", 5, 0)],
    holdings: [
      holding("three", "o", 3, { since: "2026-01-05T08:00:00Z" }),
      holding("one", "o", 1, { since: "2026-01-05T11:00:00Z" }),
      holding("uno", "o", 1, { since: "2026-01-05T11:00:00Z" }),
    ],
    intents: [intent({ name: "urgent", priority: 700, gpu: { count: 2 } })],
    places: { urgent: "o" },
    evicted: ["one:priority", "uno:priority"],
  },
  {
    name: "work that may not be evicted stays",
    offers: [offer("o", 2, 0)],
    holdings: [holding("one", "o", 2, { evictable: false })],
    intents: [intent({ name: "urgent", priority: 700 })],
    places: { urgent: "CAPACITY_BUSY" },
    evicted: [],
  },
  {
    name: "nothing is evicted before its guaranteed runtime",
    offers: [offer("o", 2, 0)],
    holdings: [holding("young", "o", 2, { minRuntimeSeconds: 7201 })],
    intents: [intent({ name: "urgent", priority: 700 })],
    places: { urgent: "CAPACITY_BUSY" },
    evicted: [],
  },
  {
    name: "once it has run for its guaranteed runtime it may go",
    offers: [offer("o", 2, 0)],
    holdings: [holding("ripe", "o", 2, { minRuntimeSeconds: 7200 })],
    intents: [intent({ name: "urgent", priority: 700 })],
    places: { urgent: "o" },
    evicted: ["ripe:priority"],
  },
  {
    name: "work that cannot restart within its max_interruption_time stays",
    offers: [offer("o", 2, 0)],
    holdings: [holding("strict", "o", 2, { maxInterruptionSeconds: 60 })],
    intents: [intent({ name: "urgent", priority: 700 })],
    places: { urgent: "CAPACITY_BUSY" },
    evicted: [],
  },
  {
    name: "a gang that runs on two offers goes as a whole or not at all",
    offers: [offer("a", 2, 0), offer("b", 2, 0)],
    holdings: [holding("spread", "a", 2), holding("spread", "b", 2)],
    intents: [intent({ name: "urgent", priority: 700, gpu: { count: 2 } })],
    places: { urgent: "a" },
    evicted: ["spread:priority"],
  },
  {
    name: "a gang takes places on several offers",
    offers: [offer("a", 2, 1), offer("b", 2, 0), offer("c", 2, 0)],
    holdings: [
      holding("x", "a", 1),
      holding("y", "b", 2, { lastCheckpoint: "2026-01-05T11:59:00Z" }),
      holding("z", "c", 2),
    ],
    intents: [intent({ name: "urgent", priority: 700, workload: gang(3) })],
    places: { urgent: "a+b" },
    evicted: ["y:priority"],
  },
  {
    name: "an offer sold whole changes hands as a whole",
    offers: [offer("w", 4, 0, 1, false)],
    holdings: [holding("one", "w", 4)],
    intents: [
      intent({ name: "urgent", priority: 700, gpu: { count: 1 } }),
      intent({ name: "other", priority: 700, gpu: { count: 1 } }),
    ],
    places: { urgent: "CAPACITY_BUSY", other: "w" },
    evicted: ["one:priority"],
  },
  {
    name: "what this plan gives to lower priority leaves before anything that runs",
    offers: [offer("o", 4, 2), offer("side", 1, 1, 3)],
    holdings: [holding("runs", "o", 2, { priority: 600 })],
    intents: [
      intent({ name: "urgent", priority: 700, gpu: { count: 4 } }),
      intent({ name: "small", priority: 500 }),
    ],
    places: { urgent: "o", small: "side" },
    evicted: ["runs:priority"],
  },
  {
    name: "lent quota comes back: its owner takes it from the borrower, whatever the priority",
    offers: [offer("o", 4, 0)],
    tenants: [quota("owner", 2), quota("guest", 2)],
    holdings: [
      holding("g1", "o", 2, { tenant: "guest", priority: 900 }),
      holding("g2", "o", 2, { tenant: "guest", priority: 900, since: "2026-01-05T11:00:00Z" }),
    ],
    intents: [of("owner", { name: "mine", gpu: { count: 2 }, priority: 100 })],
    places: { mine: "o" },
    evicted: ["g2:reclaim"],
  },
  {
    name: "lent quota comes back although capacity is free: the cohort's quota is what is missing",
    offers: [offer("o", 8, 4)],
    tenants: [quota("owner", 2), quota("guest", 2)],
    holdings: [holding("g", "o", 4, { tenant: "guest", priority: 900 })],
    intents: [of("owner", { name: "mine", gpu: { count: 2 }, priority: 100 })],
    places: { mine: "o" },
    evicted: ["g:reclaim"],
  },
  {
    name: "an owner takes back no more than what it owns",
    offers: [offer("o", 4, 0)],
    tenants: [quota("owner", 2), quota("guest", 2)],
    holdings: [holding("g1", "o", 4, { tenant: "guest", priority: 900 })],
    intents: [of("owner", { name: "greedy", gpu: { count: 3 }, priority: 100 })],
    places: { greedy: "QUOTA_EXCEEDED" },
    evicted: [],
  },
  {
    name: "nothing is taken back from a tenant within its own quota",
    offers: [offer("o", 4, 0)],
    tenants: [quota("owner", 2), quota("guest", 4)],
    holdings: [holding("g1", "o", 4, { tenant: "guest", priority: 100 })],
    intents: [of("owner", { name: "mine", gpu: { count: 2 }, priority: 100 })],
    places: { mine: "CAPACITY_BUSY" },
    evicted: [],
  },
  {
    name: "a borrower keeps what it borrows for its guaranteed runtime",
    offers: [offer("o", 4, 0)],
    tenants: [quota("owner", 2), quota("guest", 2)],
    holdings: [holding("g1", "o", 4, { tenant: "guest", minRuntimeSeconds: 86_400 })],
    intents: [of("owner", { name: "mine", gpu: { count: 2 } })],
    places: { mine: "QUOTA_EXCEEDED" },
    evicted: [],
  },
  {
    name: "a borrower does not evict by priority what another tenant runs within its own quota",
    offers: [offer("o", 4, 0)],
    tenants: [quota("owner", 2), quota("guest", 2)],
    holdings: [
      holding("mine", "o", 2, { tenant: "owner", priority: 100 }),
      holding("g1", "o", 2, { tenant: "guest", priority: 900 }),
    ],
    intents: [of("guest", { name: "more", gpu: { count: 2 }, priority: 900 })],
    places: { more: "QUOTA_EXCEEDED" },
    evicted: [],
  },
])("$name", async ({ offers, holdings, tenants, intents, places, evicted }) => {
  const made = await decide(offers, { holdings, ...(tenants === undefined ? {} : { tenants }) }, ...intents);
  expect(placesOf(made)).toEqual(places);
  expect(gone(made)).toEqual(evicted);
});

test("an eviction tells who, why, what is lost, and where it goes on", async () => {
  const made = await decide(
    [offer("o", 2, 0), offer("side", 2, 2, 3)],
    { holdings: [holding("one", "o", 2, { tenant: "other", lastCheckpoint: "2026-01-05T11:30:00Z" })] },
    of("mine", { name: "urgent", priority: 700, gpu: { count: 2 }, constraints: { maxHourlyCost: eur(2) } }),
    of("other", {
      name: "one",
      priority: 300,
      gpu: { count: 2 },
      workload: { type: "batch", batch: { parallelTasks: 1, maxRetries: 0, completionPolicy: "All" } },
    }),
  );
  expect(placesOf(made)).toEqual({ urgent: "o", one: "side" });
  expect(made.evictions).toEqual([
    {
      intent: "one",
      tenant: "other",
      priority: 300,
      cause: "priority",
      by: "urgent",
      from: [{ offer: "o", gpus: 2 }],
      lostSeconds: 1800,
      restartSeconds: 120,
      // 2 EUR/h for 1,920 seconds
      lostMicro: 1_066_667,
      outcome: "placed",
      to: ["side"],
    },
  ]);
  expect(made.preemptions).toEqual([
    { intent: "urgent", victims: ["one"], lostMicro: 1_066_667, leastMicro: 1_066_667 },
  ]);
  const [one, urgent] = made.decisions;
  expect(one!.evicted).toEqual({ cause: "priority", from: ["o"], lostSeconds: 1800, restartSeconds: 120 });
  expect(urgent!.preempts).toEqual({ own: [], others: 1 });
});

test("a victim without another place waits, and says why", async () => {
  const made = await decide(
    [offer("o", 2, 0)],
    { holdings: [holding("one", "o", 2)] },
    intent({ name: "urgent", priority: 700 }),
    intent({ name: "one", priority: 300, gpu: { count: 2 } }),
  );
  expect(placesOf(made)).toEqual({ urgent: "o", one: "PREEMPTED" });
  expect(made.evictions[0]).toMatchObject({ outcome: "waiting", to: [] });
});

test("work with a max_interruption_time makes way only where it restarts at once", async () => {
  const strict = holding("strict", "o", 2, { maxInterruptionSeconds: 300 });
  const intents = [
    intent({ name: "urgent", priority: 700, gpu: { count: 2 }, constraints: { maxHourlyCost: eur(2) } }),
    intent({ name: "strict", priority: 300, gpu: { count: 2 } }),
  ];
  const alone = await decide([offer("o", 2, 0)], { holdings: [strict] }, ...intents);
  expect(placesOf(alone)).toEqual({ urgent: "CAPACITY_BUSY", strict: "o" });
  const both = await decide([offer("o", 2, 0), offer("side", 2, 2, 3)], { holdings: [strict] }, ...intents);
  expect(placesOf(both)).toEqual({ urgent: "o", strict: "side" });
});

test("an intent that runs and is not in anybody's way stays where it is", async () => {
  const { decisions, evictions } = await decide(
    [offer("o", 2, 0), offer("cheaper", 2, 2, 0.5)],
    { holdings: [holding("one", "o", 2)] },
    intent({ name: "one", priority: 300, gpu: { count: 2 } }),
  );
  expect(decisions[0]).toMatchObject({ outcome: "placed", reason: "RUNNING" });
  expect(decisions[0]!.placements[0]).toMatchObject({ offer: "o", gpus: 2, costMicro: 2_000_000 });
  expect(evictions).toEqual([]);
});

test("an intent that lost its offer is placed again, and what is left of its gang ends", async () => {
  const { decisions } = await decide(
    [offer("a", 2, 0), offer("b", 2, 2)],
    { holdings: [holding("one", "a", 2), holding("one", "vanished", 2)] },
    intent({ name: "one", gpu: { count: 2 }, workload: gang(2) }),
  );
  expect(decisions[0]).toMatchObject({ outcome: "placed", reason: "PLACED" });
  expect(decisions[0]!.placements.map(({ offer: id }) => id)).toEqual(["a", "b"]);
});

test("work that uses what its tenant has reserved is not evicted for others: its GPUs stay reserved", async () => {
  const claim = (gpus: number): Promise<Plan> =>
    decide(
      [offer("o", 4, 2)],
      {
        tenants: [quota("owner", 4), quota("borrower", 0)],
        holdings: [holding("using", "o", 2, { tenant: "borrower", priority: 500 })],
        reservations: [
          {
            id: "later",
            tenant: "borrower",
            offer: "o",
            gpus,
            start: "2026-01-05T12:30:00Z",
            end: "2026-01-05T18:00:00Z",
          },
        ],
      },
      of("owner", { name: "service", gpu: { count: 3 } }),
    );
  const all = await claim(4);
  expect(placesOf(all)).toEqual({ service: "QUOTA_EXCEEDED" });
  expect(gone(all)).toEqual([]);
  // beside one reserved GPU there is room for the owner
  const one = await claim(1);
  expect(placesOf(one)).toEqual({ service: "o" });
  expect(gone(one)).toEqual(["using:reclaim"]);
});
