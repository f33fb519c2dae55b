import { expect, test } from "vitest";
import { forgeDecision } from "../../../adapters/json/decision.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import type { Plan } from "../../../engine/model/plan.ts";
import type { Holding, Snapshot, Tenant } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, type IntentChanges, intent, snapshot } from "../builders.ts";

/** What the field complains about in other schedulers, one test each. Evictions: see also preemption.test.ts. */

const offer = (id: string, gpus: number, free: number, price = 1) =>
  flavor(id, { capacity: { gpus, gpusFree: free }, price: { basis: "gpu", onDemand: eur(price) } });
const held = (name: string, on: string, gpus: number, changes: Partial<Holding> = {}): Holding => ({
  intent: name,
  offer: on,
  gpus,
  since: "2026-01-05T10:00:00Z",
  priority: 300,
  tenant: "default",
  evictable: true,
  ...changes,
});
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
    held("b", "o", 1),
    held("a", "o", 1),
    held("older", "o", 1, { since: "2026-01-05T09:00:00Z", lastCheckpoint: "2026-01-05T10:00:00Z" }),
    held("higher", "o", 1, { priority: 400 }),
  ];
  const urgent = intent({ name: "urgent", priority: 700 });
  for (const holdings of [runs, runs.toReversed()]) {
    const { evictions } = await decide([offer("o", 4, 0)], { holdings }, [urgent]);
    expect(evictions.map((one) => one.intent)).toEqual(["a"]);
  }
});

test("infinite preemption loop: owner, borrower and outsider do not chase one another", async () => {
  const tenants = [owning("owner", 2), owning("guest", 0)];
  let holdings: readonly Holding[] = [held("guest-job", "o", 2, { tenant: "guest", priority: 900 })];
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
        held(one.intent, "o", 2, {
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
    held("g", "o", 4, { tenant: "guest", priority: 1000, evictable: false, minRuntimeSeconds });
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
      held("zebra-training", "o", used, { tenant: "zebra-rival", minRuntimeSeconds: 86_400 }),
      held("zebra-batch", "p", 2, { tenant: "zebra-rival", priority: 100 }),
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
