import {
  batch,
  cli,
  failure,
  fixture,
  fluidos,
  hooks,
  labels,
  later,
  prices,
  purchase,
  type Row,
  reconciled,
  scenario,
  service,
  shown,
  single,
  solver,
  useCase,
  workload,
} from "./proof.ts";

const inService = (id: string, what: string, reason: string): Row => later(id, what, `service: ${reason}`);
const cluster = (id: string, what: string, reason: string): Row => later(id, what, `Kubernetes: ${reason}`);
const notAnswer = useCase("$id, $name: $offer is no answer, whatever the original's documents say (C-33)");
const saving = (text: string) =>
  useCase("$id, $name: the saving that is promised is reached on the fixture", text);

/** Rows on workflows, use cases, fixtures, operation and claims. */
export const worldRows: readonly Row[] = [
  cluster(
    "F-270",
    "provider setup: node joins, is annotated, advertised, updated",
    "an end-to-end run on a real API server; `flare annotate` and the readers are tested apart",
  ),
  shown(
    "F-271",
    "allocation from intent to service address",
    service(
      "F-271: an intent goes from submission through reservation, contract, peering and deployment to its address",
    ),
  ),
  inService(
    "F-272",
    "time from submission to running",
    "measured by the service's benchmark; only the decision's own time is promised",
  ),
  shown(
    "F-273",
    "a submission is validated, authenticated, checked against quotas",
    failure("%s, F-154: %s is %i, in the original's form"),
    service(
      "F-017, F-164, F-167: every route wants a bearer token; B-14: odd credentials are refused, whatever they look like",
    ),
    failure("F-163, F-172: a tenant over its quota is told so, with what is used"),
  ),
  inService("F-274", "discovery phases in the status", "map FLUIDOS' phases to the intent's own"),
  shown(
    "F-275",
    "namespace of an intent",
    workload("F-275, C-21: the namespace is named after tenant and workload"),
    purchase("C-21, C-28: namespaces of the form %s, mapped as asked"),
  ),
  shown(
    "F-276",
    "ConfigMaps, claims, services, GPU requests",
    workload("F-276: environment, claims, services and GPUs are written, each where it belongs"),
  ),
  shown(
    "F-277",
    "queue and wait, notified when resources appear",
    service("F-277: what waits for room starts when there is some, and an event tells"),
  ),
  shown(
    "F-278",
    "suggestions: other models, lower tiers, other regions, with their price",
    workload(
      "F-278: where nothing fits, another model, a lower tier, more money or another region are told with their price",
    ),
    single("a counterfactual keeps its promise: the changed intent is placed where and at the price it said"),
  ),
  shown(
    "F-279",
    "contention is settled by priority",
    batch("$name", "higher priority first, whatever the sum"),
  ),
  shown(
    "F-280",
    "what one has, no other gets",
    batch("$name", "an offer sold whole goes to one intent"),
    batch(
      "random batches: checked, in any order the same bytes, replayed the same bytes, gap never negative",
    ),
  ),
  shown(
    "F-281",
    "who loses gets the next best",
    batch("$name", "an intent that can go elsewhere leaves the cheap offer to one that cannot"),
  ),
  shown(
    "F-282",
    "failover when a provider fails",
    service("F-282, F-284: when a provider fails, its work runs on elsewhere, and nobody else's is touched"),
  ),
  shown(
    "F-283",
    "changes, webhooks, history",
    service("F-006, F-283: constraints and priority of an intent can be changed, and its history tells"),
    hooks("events arrive once, in order, signed, and with an id that only they have"),
  ),
  shown(
    "F-284",
    "self-healing by reconciliation",
    service("F-282, F-284: when a provider fails, its work runs on elsewhere, and nobody else's is touched"),
    reconciled("what the federation holds and nobody owns is given back"),
  ),
  shown("F-285", "use case: inference service", scenario('"F-285"'), notAnswer),
  shown(
    "F-286",
    "use case: distributed training",
    scenario('"F-286"'),
    useCase(
      "F-286: with a pattern of all tasks at once and no such hardware, the changes that would help are told",
    ),
  ),
  shown("F-287", "use case: fine-tuning", scenario('"F-287"')),
  shown("F-288", "use case: high-performance computing", scenario('"F-288"'), notAnswer),
  shown("F-289", "use case: video analytics", scenario('"F-289"'), notAnswer),
  shown("F-290", "use case: edge inference", scenario('"F-290"'), notAnswer),
  shown(
    "F-291",
    "use case: batch on spot",
    scenario('"F-291"'),
    useCase("F-291: the documented figures of the batch come out: 1.40 per hour, 8 hours, 11.20 in all"),
  ),
  shown("F-292", "use case: several tenants", scenario('"F-292"'), notAnswer),
  shown("F-293", "use case: several regions", scenario('"F-293"'), notAnswer),
  shown("F-294", "cost scenario A", saving('"F-294"')),
  shown("F-295", "cost scenario B", saving('"F-295"')),
  shown("F-296", "cost scenario C", saving('"F-296"')),
  shown("F-297", "savings by arbitrage, tier, size and spot, with their baselines", saving('"F-297"')),
  shown("F-298", "the six examples of the interface", scenario('"F-298"')),
  shown("F-299", "examples in the flat form", scenario('"F-299"')),
  shown(
    "F-300",
    "the QuickStart intent",
    cli("the QuickStart intent is refused with exactly its two verified counterfactuals (C-38)"),
  ),
  shown(
    "F-301",
    "the QuickStart memory ladder",
    useCase("F-301: $memory per GPU is found at $offers, since memory counts per GPU"),
  ),
  shown(
    "F-302",
    "fixture: two providers with two nodes each",
    fixture("F-302: the QuickStart federation has two providers with two nodes each"),
  ),
  ...["F-303", "F-304", "F-305", "F-306"].map((id) =>
    shown(
      id,
      "fixture: node of the QuickStart federation",
      fixture("%s: %s is as documented, links in GB/s", `"${id}"`),
    ),
  ),
  shown(
    "F-307",
    "nodes of fake-gpu-operator",
    labels("fake-gpu-operator sets four labels only, and they are enough"),
  ),
  inService("F-308", "five components", "one process with the same parts, or several replicas"),
  cluster("F-309", "replicas and leader election", "Helm chart with replicas, leadership by a fenced lease"),
  cluster("F-310", "tenants of Capsule", "resolve the tenant of a ServiceAccount"),
  cluster("F-311", "Helm chart", "install it into a test cluster"),
  cluster("F-312", "installation on kind with FLUIDOS and Capsule", "a scripted cluster"),
  cluster(
    "F-313",
    "roles of the WAN broker",
    "a feature of FLUIDOS that needs no part of the engine; document it",
  ),
  cluster("F-314", "versions that are supported", "a matrix in the chart and its tests"),
  shown(
    "F-315",
    "order in which things are released",
    purchase(
      "F-315: what was written is released from the workload down to the reservation, each object once",
    ),
  ),
  shown(
    "F-316",
    "the way from Solver to virtual node",
    solver("F-259: the fork's Solver finds, buys and peers; upstream's only finds, without a selector"),
    fluidos(
      "a candidate is its flavor, and can be addressed; together with its flavor it is still one offer",
    ),
    purchase("the GPUs of a contract reach Liqo in the slice of its cluster, under the contract's name"),
  ),
  shown(
    "F-317",
    "a second node of the same provider",
    workload("F-269, F-317: two nodes of one provider are two contracts, each with its own slice and pods"),
  ),
  later(
    "F-318",
    "federation over several providers",
    "simulation: a federation over time with arrivals, measured",
  ),
  shown("F-319", "20 to 30 % less cost, with baseline and data", saving('"F-294"'), saving('"F-296"')),
  later(
    "F-320",
    "GPUs in use 95 % of the time",
    "simulation: utilization on public traces against first-fit",
  ),
  shown(
    "F-321",
    "optimization over constraints",
    single("feasible, rejection and sole-blocker counts equal brute force"),
    single("the placed offer is the brute-force best of its objective, ties by the documented order"),
    batch(
      "random batches: checked, in any order the same bytes, replayed the same bytes, gap never negative",
    ),
  ),
  shown(
    "F-322",
    "AWS, GCP, Azure and independent providers",
    prices("a row is a whole instance, on demand and on spot"),
    prices("columns may come in any order and spelling; a provider column names the seller"),
  ),
  later("F-323", "command line and console", "console: the web page; the command line is there and tested"),
  cluster("F-324", "deployed in less than a minute by one call", "measure on a cluster"),
];
