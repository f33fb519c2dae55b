import { expect, test } from "vitest";
import type { Decision } from "../../engine/model/decision.ts";
import { decideOn, type Offer, type Scenario, states } from "./decide.ts";

const rate = (text: string): Offer => states("cost.fluidos.eu/hourly-rate", text);
const spot = (text: string): Offer => ({
  annotations: { "provider.fluidos.eu/preemptible": "true", "cost.fluidos.eu/hourly-rate": text },
});
const tier = (name: string, text = "4"): Offer => ({
  annotations: { "gpu.fluidos.eu/tier": name, "cost.fluidos.eu/hourly-rate": text },
});
const negotiation = (
  rules: object,
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> => ({
  "constraints.negotiation": rules,
  ...more,
});
const gave = ({ relaxations }: Decision): string[] =>
  relaxations.map(({ path, from, to }) => `${path.split(".").at(-1)}: ${from} -> ${to}`);

const cap = { "constraints.max_hourly_cost": "4 EUR" };
const memory = (text: string): Offer => states("gpu.fluidos.eu/memory", text);

test.for<{ name: string; scenario: Scenario; gives: string[] }>([
  {
    name: "nothing, where the intent fits as stated",
    scenario: { intent: negotiation({ price_flexibility: 0.5, fallback_strategy: ["spot"] }), offers: [{}] },
    gives: [],
  },
  {
    name: "the stated share of the price cap, just enough",
    scenario: { intent: negotiation({ price_flexibility: 0.15 }, cap), offers: [rate("4.6")] },
    gives: ["max_hourly_cost: 4.00 EUR -> 4.60 EUR"],
  },
  {
    name: "the stated share of every minimum, just enough",
    scenario: {
      intent: negotiation({ resource_flexibility: 0.1 }, { "workload.resources.gpu.memory_min": "80Gi" }),
      offers: [memory("72Gi")],
    },
    gives: ["memory_min: 80Gi -> 72Gi"],
  },
  {
    name: "reliability, for spot",
    scenario: { intent: negotiation({ fallback_strategy: "spot" }), offers: [spot("1")] },
    gives: ["preemptible: false -> true"],
  },
  {
    name: "the tier, one after the other until one is on offer",
    scenario: {
      intent: negotiation(
        { fallback_strategy: ["lower_tier"] },
        { "workload.resources.gpu.tier": "premium" },
      ),
      offers: [tier("gaming")],
    },
    gives: ["tier: premium -> gaming"],
  },
  {
    name: "the model, for any other",
    scenario: {
      intent: negotiation(
        { fallback_strategy: ["lower_tier"] },
        { "workload.resources.gpu.model": "nvidia-h100" },
      ),
    },
    gives: ["model: nvidia-h100 -> any"],
  },
  {
    name: "having the GPUs alone",
    scenario: {
      intent: negotiation({ fallback_strategy: "shared" }, { "workload.resources.gpu.dedicated": true }),
      offers: [states("gpu.fluidos.eu/dedicated", "false")],
    },
    gives: ["shared: false -> true", "dedicated: true -> false"],
  },
  {
    name: "in the order that is stated, and no more than needed",
    scenario: {
      intent: negotiation(
        { fallback_strategy: ["spot", "lower_tier"] },
        { "workload.resources.gpu.tier": "premium" },
      ),
      offers: [
        tier("standard"),
        { annotations: { ...spot("3").annotations, ...tier("premium", "3").annotations } },
      ],
    },
    gives: ["preemptible: false -> true"],
  },
  {
    name: "the same things in the other order",
    scenario: {
      intent: negotiation(
        { fallback_strategy: ["lower_tier", "spot"] },
        { "workload.resources.gpu.tier": "premium" },
      ),
      offers: [
        tier("standard"),
        { annotations: { ...spot("3").annotations, ...tier("premium", "3").annotations } },
      ],
    },
    gives: ["tier: premium -> standard"],
  },
  {
    name: "several things together, when one alone is not enough",
    scenario: {
      intent: negotiation({ price_flexibility: 0.15, fallback_strategy: ["spot"] }, cap),
      offers: [spot("4.5")],
    },
    gives: ["max_hourly_cost: 4.00 EUR -> 4.60 EUR", "preemptible: false -> true"],
  },
])("negotiation gives up $name", async ({ scenario, gives }) => {
  const decision = await decideOn(scenario);
  expect(decision.outcome).toBe("placed");
  expect(gave(decision)).toEqual(gives);
});

test.for<{ name: string; scenario: Scenario; reason: string }>([
  {
    name: "a price beyond the stated share, by a millionth",
    scenario: { intent: negotiation({ price_flexibility: 0.15 }, cap), offers: [rate("4.600001")] },
    reason: "COST_LIMIT_EXCEEDED",
  },
  {
    name: "a price above the cap, when no flexibility is stated: its default is not one",
    scenario: { intent: cap, offers: [rate("4.4")] },
    reason: "COST_LIMIT_EXCEEDED",
  },
  {
    name: "memory below the stated share, by a mebibyte",
    scenario: {
      intent: negotiation({ resource_flexibility: 0.1 }, { "workload.resources.gpu.memory_min": "80Gi" }),
      offers: [memory("73727Mi")],
    },
    reason: "GPU_MEMORY_INSUFFICIENT",
  },
  {
    name: "memory that the offer does not state, whatever the flexibility",
    scenario: {
      intent: negotiation({ resource_flexibility: 0.9 }, { "workload.resources.gpu.memory_min": "80Gi" }),
    },
    reason: "GPU_MEMORY_INSUFFICIENT",
  },
  {
    name: "a lower tier, after the rounds are used up",
    scenario: {
      intent: negotiation(
        { max_negotiation_rounds: 1, fallback_strategy: ["lower_tier"] },
        { "workload.resources.gpu.tier": "premium" },
      ),
      offers: [tier("gaming")],
    },
    reason: "CONSTRAINTS_UNSATISFIABLE",
  },
  {
    name: "everything, when no round is allowed",
    scenario: {
      intent: negotiation({ max_negotiation_rounds: 0, fallback_strategy: "spot" }),
      offers: [spot("1")],
    },
    reason: "CONSTRAINTS_UNSATISFIABLE",
  },
  {
    name: "what comes after reject",
    scenario: { intent: negotiation({ fallback_strategy: ["reject", "spot"] }), offers: [spot("1")] },
    reason: "CONSTRAINTS_UNSATISFIABLE",
  },
])("negotiation refuses $name", async ({ scenario, reason }) => {
  expect(await decideOn(scenario)).toMatchObject({ outcome: "refused", reason, relaxations: [] });
});

test("queue waits for new offers, reject does not even wait for a busy one (C-17)", async () => {
  const model = { "workload.resources.gpu.model": "nvidia-h100" };
  expect(await decideOn({ intent: negotiation({ fallback_strategy: "queue" }, model) })).toMatchObject({
    outcome: "waiting",
    reason: "WAITING_FOR_OFFERS",
  });
  const busy: Offer = { free_gpus: 0 };
  expect(await decideOn({ offers: [busy] })).toMatchObject({ outcome: "waiting", reason: "CAPACITY_BUSY" });
  expect(
    await decideOn({ intent: negotiation({ fallback_strategy: "reject" }), offers: [busy] }),
  ).toMatchObject({
    outcome: "refused",
    reason: "GPU_COUNT_INSUFFICIENT",
  });
});

test.for([
  { name: "not stated: the first round that places", threshold: undefined, offer: "o0" },
  { name: "wide enough: the first round is near enough to the best", threshold: 0.5, offer: "o0" },
  { name: "too narrow: a later round is that much cheaper", threshold: 0.49, offer: "o1" },
])("auto_accept_threshold $name", async ({ threshold, offer }) => {
  const rules = { price_flexibility: 0.2, fallback_strategy: ["spot"], auto_accept_threshold: threshold };
  const decision = await decideOn({
    intent: negotiation(JSON.parse(JSON.stringify(rules)), cap),
    offers: [rate("4.5"), spot("3")],
  });
  expect(decision.placements).toMatchObject([{ offer }]);
});

// ------------------------------------------------------------------------------------------------------------- spread

const at = (region: string, zone?: string, provider = "p"): Offer => ({
  annotations: {
    "location.fluidos.eu/region": region,
    "provider.fluidos.eu/name": provider,
    ...(zone === undefined ? {} : { "location.fluidos.eu/zone": zone }),
  },
});
const replicas = (count: number, by: string, domains: number): Readonly<Record<string, unknown>> => ({
  "workload.scaling": { min_replicas: count },
  "constraints.spread": { by, min_domains: domains },
});
const places = ({ placements }: Decision): string[] => placements.map(({ offer }) => offer).sort();

test("spread puts replicas into as many regions as stated, no more than needed", async () => {
  const offers = [at("eu-west-1"), at("eu-west-1"), at("eu-central-1"), at("us-east-1")];
  expect(places(await decideOn({ intent: replicas(2, "region", 2), offers }))).toHaveLength(2);
  const { placements } = await decideOn({ intent: replicas(3, "region", 3), offers });
  expect(new Set(placements.map(({ region }) => region)).size).toBe(3);
});

test.for<{ name: string; intent: Readonly<Record<string, unknown>>; offers: Offer[] }>([
  {
    name: "one region where two are wanted",
    intent: replicas(2, "region", 2),
    offers: [at("eu-west-1"), at("eu-west-1")],
  },
  {
    name: "zones that the offers do not state",
    intent: replicas(2, "zone", 2),
    offers: [at("a-1"), at("b-1")],
  },
  {
    name: "one provider where two are wanted",
    intent: replicas(2, "provider", 2),
    offers: [at("a-1"), at("b-1")],
  },
  { name: "fewer replicas than domains", intent: replicas(1, "region", 2), offers: [at("a-1"), at("b-1")] },
])("spread refuses $name, and it alone decides", async ({ intent, offers }) => {
  expect(await decideOn({ intent, offers })).toMatchObject({
    outcome: "refused",
    reason: "INSUFFICIENT_RESOURCES",
    rejections: {},
    message: expect.stringContaining("spread"),
  });
});

test.for([
  { by: "region", offers: [at("a-1"), at("b-1")] },
  { by: "zone", offers: [at("a-1", "x"), at("a-1", "y")] },
  { by: "provider", offers: [at("a-1", "x", "p"), at("a-1", "x", "q")] },
])("spread by $by is met by exactly as many domains as stated", async ({ by, offers }) => {
  expect(places(await decideOn({ intent: replicas(2, by, 2), offers }))).toEqual(["o0", "o1"]);
});

test("the tasks of a batch are spread as well, all at once", async () => {
  const intent = {
    workload: { type: "batch", name: "i", image: "x", batch: { parallel_tasks: 2 }, resources: { gpu: {} } },
    "constraints.spread": { by: "region", min_domains: 2 },
  };
  expect(places(await decideOn({ intent, offers: [at("a-1"), at("b-1")] }))).toEqual(["o0", "o1"]);
});
