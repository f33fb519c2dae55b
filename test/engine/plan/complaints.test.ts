import fc from "fast-check";
import { expect, test } from "vitest";
import { forgeDecision } from "../../../adapters/json/decision.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import type { Plan } from "../../../engine/model/plan.ts";
import type { Holding, Snapshot, Tenant } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";
import { advise } from "../../../engine/resilience/advise.ts";
import { eur, flavor, holding, type IntentChanges, intent, snapshot } from "../builders.ts";

/** What the field complains about in other schedulers, one test each. Evictions: see also preemption.test.ts. */

const offer = (id: string, gpus: number, free: number, price = 1) =>
  flavor(id, { capacity: { gpus, gpusFree: free }, price: { basis: "gpu", onDemand: eur(price) } });
const of = (tenant: string, changes: IntentChanges): Intent => ({ ...intent(changes), tenant });
const owning = (name: string, nominal: number, lending?: number): Tenant => ({
  name,
  cohort: "pool",
  weight: 1,
  quotas: [{ gpuClass: "*", nominal, ...(lending === undefined ? {} : { lending }) }],
});
const decide = (
  offers: Parameters<typeof snapshot>[0],
  changes: Partial<Snapshot>,
  intents: readonly Intent[],
): Promise<Plan> => plan(prepare(snapshot(offers, changes)), intents);
const places = ({ decisions }: Plan): string =>
  decisions
    .map((one) => `${one.intent}:${one.outcome === "placed" ? one.placements[0]!.offer : one.reason}`)
    .join(" ");

test("non-deterministic victims: equal ones are chosen by priority, later start and name, in any order of input", async () => {
  const runs = [
    holding("b", "o", 1),
    holding("a", "o", 1),
    holding("older", "o", 1, { since: "2026-01-05T09:00:00Z", lastCheckpoint: "2026-01-05T10:00:00Z" }),
    holding("higher", "o", 1, { priority: 400 }),
  ];
  const urgent = intent({ name: "urgent", priority: 700 });
  for (const holdings of [runs, runs.toReversed()]) {
    const { evictions } = await decide([offer("o", 4, 0)], { holdings }, [urgent]);
    expect(evictions.map((one) => one.intent)).toEqual(["a"]);
  }
});

test("infinite preemption loop: owner, borrower and outsider do not chase one another", async () => {
  const tenants = [owning("owner", 2), owning("guest", 0)];
  let holdings: readonly Holding[] = [holding("guest-job", "o", 2, { tenant: "guest", priority: 900 })];
  const intents = [
    of("owner", { name: "owner-job", priority: 100, gpu: { count: 2 } }),
    of("guest", { name: "guest-job", priority: 900, gpu: { count: 2 } }),
    of("stranger", { name: "stranger-job", priority: 500, gpu: { count: 2 } }),
  ];
  const seen: string[] = [];
  for (let round = 0; round < 3; round++) {
    const made = await decide([offer("o", 2, 0)], { holdings, tenants }, intents);
    seen.push(places(made));
    holdings = made.decisions
      .filter(({ outcome }) => outcome === "placed")
      .map((one) =>
        holding(one.intent, "o", 2, {
          tenant: one.tenant,
          priority: intents.find(({ name }) => name === one.intent)!.priority,
          since: "2026-01-05T12:00:00Z",
        }),
      );
  }
  expect(new Set(seen.slice(1)).size).toBe(1);
  expect(seen[1]).toBe(seen[0]);
});

test("lent quota never returned: it returns as soon as the guaranteed runtime of the borrower is over", async () => {
  const tenants = [owning("owner", 2), owning("guest", 2)];
  const guest = (minRuntimeSeconds: number): Holding =>
    holding("g", "o", 4, { tenant: "guest", priority: 1000, evictable: false, minRuntimeSeconds });
  const mine = of("owner", { name: "mine", gpu: { count: 2 }, priority: 0 });
  const early = await decide([offer("o", 4, 0)], { tenants, holdings: [guest(7201)] }, [mine]);
  const due = await decide([offer("o", 4, 0)], { tenants, holdings: [guest(7200)] }, [mine]);
  expect(places(early)).toBe("mine:QUOTA_EXCEEDED");
  expect(places(due)).toBe("mine:o");
});

test("one GPU rounded to zero by a percentage: a share below one GPU still gets one that is free", async () => {
  const weights: Tenant[] = [
    { name: "small", weight: 1, quotas: [] },
    { name: "large", weight: 99, quotas: [] },
  ];
  const made = await plan(
    prepare(snapshot([offer("o", 4, 4)], { tenants: weights })),
    [of("small", { name: "one" }), ...[1, 2, 3].map((index) => of("large", { name: `many-${index}` }))],
    { solver: await createHighsSolver() },
  );
  expect(places(made)).toBe("many-1:o many-2:o many-3:o one:o");
});

test("one GPU rounded to zero by a percentage: flexibility never gives the last GPU away", async () => {
  const flexible = intent({
    name: "one",
    constraints: {
      negotiation: { maxRounds: 3, timeoutSeconds: 300, fallbacks: [], resourceFlexibility: 0.5 },
    },
  });
  const made = await decide([offer("o", 1, 1)], {}, [flexible]);
  expect(made.decisions[0]!.placements[0]!.gpus).toBe(1);
});

test("first provider always chosen though exhausted: the next one with room is taken", async () => {
  const made = await decide(
    [offer("a-first", 2, 0), offer("b-second", 2, 1, 3), offer("c-third", 2, 2, 2)],
    {},
    [intent({ name: "one", gpu: { count: 2 } }), intent({ name: "two" })],
  );
  expect(places(made)).toBe("one:c-third two:b-second");
});

test("bad entries: each is refused by name, and everybody else is planned", async () => {
  const tenants: Tenant[] = [
    { ...owning("ring-a", 1), cohort: "ring-b" },
    { ...owning("ring-b", 1), cohort: "ring-a" },
    owning("negative", -1),
    owning("generous", 2, 3),
    owning("fine", 2),
  ];
  const names = [...tenants.map(({ name }) => name), "ring-a-child"];
  const made = await decide(
    [offer("o", 8, 8)],
    { tenants: [...tenants, { ...owning("ring-a-child", 1), cohort: "ring-a" }] },
    [
      ...names.map((name) => of(name, { name: `job-${name}` })),
      of("fine", { name: "huge", gpu: { count: 9 } }),
    ],
  );
  const told = Object.fromEntries(made.decisions.map((one) => [one.intent, one.reason]));
  expect(told).toEqual({
    "job-ring-a": "INVALID_TENANT",
    "job-ring-b": "INVALID_TENANT",
    "job-ring-a-child": "INVALID_TENANT",
    "job-negative": "INVALID_TENANT",
    "job-generous": "INVALID_TENANT",
    "job-fine": "PLACED",
    huge: "GPU_COUNT_INSUFFICIENT",
  });
  expect(made.warnings.map(({ path }) => path)).toEqual([
    "tenants (generous)",
    "tenants (negative)",
    "tenants (ring-a)",
    "tenants (ring-a-child)",
    "tenants (ring-b)",
  ]);
});

test("a tenant's explanation shows neither names nor usage of others", async () => {
  const world = (used: number): Partial<Snapshot> => ({
    tenants: [owning("mine", 1), owning("zebra-rival", 6, 2)],
    holdings: [
      holding("zebra-training", "o", used, { tenant: "zebra-rival", minRuntimeSeconds: 86_400 }),
      holding("zebra-batch", "p", 2, { tenant: "zebra-rival", priority: 100 }),
    ],
  });
  const intents = [
    of("mine", { name: "too-much", gpu: { count: 4 } }),
    of("mine", {
      name: "urgent",
      priority: 700,
      gpu: { count: 1 },
      constraints: { maxHourlyCost: eur(0.5) },
    }),
    of("zebra-rival", { name: "zebra-next", gpu: { count: 1 } }),
  ];
  const own = (made: Plan): string =>
    JSON.stringify(
      made.decisions
        .filter(({ tenant }) => tenant === "mine")
        .map((one) => [one, forgeDecision(one, made.currency)]),
    );
  const offers = (used: number) => [offer("o", 8, 8 - used), offer("p", 2, 0, 0.5)];
  const [one, two] = await Promise.all([1, 2].map((used) => decide(offers(2), world(used), intents)));
  expect(own(one!)).not.toContain("zebra");
  expect(one!.decisions.find(({ intent: name }) => name === "too-much")!.reason).toBe("QUOTA_EXCEEDED");
  expect(one!.evictions.map(({ intent: name }) => name)).toEqual(["zebra-batch"]);
  // what a rival uses of what it never lends is nobody else's business
  expect(own(two!)).toBe(own(one!));
});

test("a small flicker moving everything: prices that change a little move nothing, and nothing is proposed", async () => {
  const names = Array.from({ length: 12 }, (_, index) => `run-${index}`);
  const intents = names.map((name) => intent({ name }));
  const holdings = names.map((name, index) => holding(name, `o${index % 3}`, 1, { priority: 500 }));
  for (const prices of [
    [1, 1, 1],
    [1.04, 0.97, 1],
    [0.96, 1.04, 0.97],
    [1.03, 1, 0.96],
  ]) {
    // an empty offer is there all the time, now a little cheaper, now a little dearer
    const state = snapshot(
      [...prices.map((price, index) => offer(`o${index}`, 4, 0, price)), offer("spare", 16, 16, 0.95)],
      { holdings },
    );
    const made = await plan(prepare(state), intents);
    expect(made.decisions.map(({ reason }) => reason)).toEqual(names.map(() => "RUNNING"));
    expect(made.decisions.map((one) => one.placements[0]!.offer)).toEqual(
      made.decisions.map(({ intent: name }) => `o${Number(name.slice(4)) % 3}`),
    );
    expect(advise(prepare(state), intents)).toEqual([]);
  }
});

test("bad input of every kind in one plan: each is refused by name, and everybody else is planned", async () => {
  const never = {
    windowStart: 0,
    windowEnd: 1440,
    timezone: "UTC",
    daysOfWeek: [0],
    blackoutDates: [],
    maintenanceWindows: [
      { start: "2026-01-05T00:00:00Z", end: "2026-01-12T00:00:00Z", frequency: "weekly" as const },
    ],
  };
  const tenants: Tenant[] = [
    { ...owning("ring-a", 1), cohort: "ring-b" },
    { ...owning("ring-b", 1), cohort: "ring-a" },
    owning("negative", -1),
    owning("generous", 2, 3),
    { ...owning("twice", 2), quotas: [...owning("twice", 2).quotas, ...owning("twice", 3).quotas] },
    { ...owning("weightless", 2), weight: 0 },
  ];
  const reservations = [
    { id: "past", offer: "o", gpus: 1, start: "2026-01-04T10:00:00Z", end: "2026-01-04T11:00:00Z" },
    { id: "backwards", offer: "o", gpus: 1, start: "2026-01-06T11:00:00Z", end: "2026-01-06T10:00:00Z" },
    { id: "nowhere", offer: "gone", gpus: 1, start: "2026-01-06T10:00:00Z", end: "2026-01-06T11:00:00Z" },
    { id: "too-large", offer: "o", gpus: 99, start: "2026-01-06T10:00:00Z", end: "2026-01-06T11:00:00Z" },
  ].map((entry) => ({ ...entry, tenant: "fine" }));
  const gang = (name: string, replicas: number): Intent => {
    const one = intent({ name });
    const scaling = {
      minReplicas: replicas,
      maxReplicas: replicas,
      autoScale: false,
      targetCpuPercent: 80,
      targetGpuPercent: 80,
    };
    return { ...one, workload: { ...one.workload, scaling, communicationPattern: "all-reduce" } };
  };
  const made = await decide([offer("o", 8, 8)], { tenants, reservations }, [
    ...tenants.map(({ name }) => of(name, { name: `job-${name}` })),
    { ...intent({ name: "foreign-bid" }), bidPerGpuHour: { micro: 5_000_000, currency: "XTS" } },
    gang("huge-gang", 9),
    intent({ name: "never-open", constraints: { availability: never } }),
    intent({ name: "sound" }),
    gang("sound-gang", 2),
  ]);
  const told = Object.fromEntries(made.decisions.map((one) => [one.intent, `${one.outcome} ${one.reason}`]));
  expect(told).toEqual({
    ...Object.fromEntries(tenants.map(({ name }) => [`job-${name}`, "refused INVALID_TENANT"])),
    "foreign-bid": "refused INVALID_INTENT",
    "huge-gang": "refused INSUFFICIENT_RESOURCES",
    "never-open": "refused OUTSIDE_AVAILABILITY_WINDOW",
    sound: "placed PLACED",
    "sound-gang": "placed PLACED",
  });
  expect(made.decisions.find((one) => one.intent === "foreign-bid")!.message).toContain("XTS");
  expect(made.decisions.find((one) => one.intent === "huge-gang")!.message).toContain("8 of 9");
  const paths = made.warnings.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(tenants.map(({ name }) => `tenants (${name})`)));
  expect(paths).toEqual(expect.arrayContaining(reservations.map(({ id }) => `reservations (${id})`)));
});

/** Figures of rivals are numbers that nothing else in a plan has. */
const secret = fc.integer({ min: 70_001, max: 79_999 });

test("a tenant's explanation never shows names or figures of others, whatever they hold, own, bid or wait for", async () => {
  const rivals = fc.array(
    fc.record({
      nominal: secret,
      used: secret,
      waits: fc.integer({ min: 1, max: 5 }),
      priority: fc.constantFrom(100, 300, 500, 700, 900),
      bid: fc.option(secret, { nil: undefined }),
      evictable: fc.boolean(),
      lends: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  );
  const mine = fc.array(
    fc.record({
      gpus: fc.integer({ min: 1, max: 5 }),
      priority: fc.constantFrom(300, 500, 700),
      bid: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 3 },
  );
  await fc.assert(
    fc.asyncProperty(rivals, mine, fc.integer({ min: 0, max: 3 }), async (others, asks, nominal) => {
      const small = others.map((_, index) => 1 + (index % 2));
      const state: Partial<Snapshot> = {
        tenants: [
          owning("mine", nominal),
          ...others.map((one, index) => owning(`zebra-${index}`, one.nominal, one.lends ? undefined : 0)),
        ],
        holdings: others.flatMap(({ used, priority, evictable }, index) => [
          holding(`zebra-large-${index}`, "far", used, { tenant: `zebra-${index}`, priority, evictable }),
          holding(`zebra-near-${index}`, "o", small[index]!, {
            tenant: `zebra-${index}`,
            priority,
            evictable,
          }),
        ]),
      };
      const busy = small.reduce((sum, gpus) => sum + gpus, 0);
      const far = others.reduce((sum, { used }) => sum + used, 0);
      const made = await decide(
        [
          offer("o", 8, 8 - busy),
          { ...offer("far", far, 0), provider: "elsewhere", region: "us-east-1" },
          offer("p", 3, 3, 2),
        ],
        state,
        [
          ...asks.map(({ gpus, priority, bid }, index) => ({
            ...of("mine", {
              name: `own-${index}`,
              priority,
              gpu: { count: gpus },
              constraints: { providers: ["alpha"] },
            }),
            ...(bid === undefined ? {} : { bidPerGpuHour: eur(bid) }),
          })),
          ...others.map(({ waits, priority, bid }, index) => ({
            ...of(`zebra-${index}`, { name: `zebra-waits-${index}`, priority, gpu: { count: waits } }),
            ...(bid === undefined ? {} : { bidPerGpuHour: { micro: bid, currency: "EUR" } }),
          })),
        ],
      );
      const own = made.decisions
        .filter(({ tenant }) => tenant === "mine")
        .map((one) => JSON.stringify([one, forgeDecision(one, made.currency)]));
      expect(own).toHaveLength(asks.length);
      for (const text of own) {
        expect(text).not.toContain("zebra");
        expect(text).not.toMatch(/(?<!\d)7\d{4}(?!\d)/);
      }
    }),
    { numRuns: 60 },
  );
});
