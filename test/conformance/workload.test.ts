import { expect, test } from "vitest";
import { readFluidos } from "../../adapters/fluidos/read.ts";
import { readIntent } from "../../adapters/json/intent.ts";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { forgeObjects } from "../../adapters/kubernetes/forge-objects.ts";
import { plan, prepare, type Snapshot } from "../../engine/index.ts";
import { decide, decideOn, intentDocument, now, type Offer, states } from "./decide.ts";

type Loose = ReturnType<typeof JSON.parse>;

const divisible: Offer = states("gpu.fluidos.eu/divisible", "true");

/** What would be written for an intent on the given snapshot. */
async function written(values: Record<string, unknown>, snapshot: Snapshot): Promise<Loose[]> {
  const intent = readIntent(intentDocument(values));
  const { decisions } = await plan(prepare(snapshot), [intent]);
  return forgeObjects(decisions[0]!, intent, snapshot);
}
const node: Snapshot = readSnapshot({
  at: now,
  offers: [
    {
      id: "w1",
      annotations: {
        "provider.fluidos.eu/name": "p",
        "gpu.fluidos.eu/model": "nvidia-l4",
        "gpu.fluidos.eu/count": "4",
        "location.fluidos.eu/region": "eu-west-1",
        "cost.fluidos.eu/hourly-rate": "4",
        "gpu.fluidos.eu/divisible": "true",
      },
    },
  ],
});
const pod = async (values: Record<string, unknown>): Promise<Loose> => {
  const objects = await written(values, node);
  return objects.find(({ kind }) => kind === "Deployment" || kind === "Job").spec;
};
const batch = (more: object, workload: object = {}): Record<string, unknown> => ({
  workload: { type: "batch", name: "i", image: "x", batch: more, resources: { gpu: {} }, ...workload },
});

test.for<[string, string[], string[] | undefined]>([
  [
    "one line with blanks runs through the shell",
    ["python app.py --port 80"],
    ["sh", "-c", "python app.py --port 80"],
  ],
  ["several words are the argument vector", ["python", "app.py", "a b"], ["python", "app.py", "a b"]],
  ["one word is the program", ["serve"], ["serve"]],
  ["none leaves the image's own", [], undefined],
])("F-032: of commands, %s", async ([, commands, expected]) => {
  const { template } = await pod({ "workload.commands": commands });
  expect(template.spec.containers[0].command).toEqual(expected);
});

test("F-087, C-35: a timeout ends the Job, and only when it is stated", async () => {
  expect(await pod(batch({ timeout: "90m" }))).toMatchObject({ activeDeadlineSeconds: 5400 });
  expect(await pod(batch({}))).not.toHaveProperty("activeDeadlineSeconds");
});

test.for([
  ["colocated", 2, "waiting", []],
  ["colocated", 1, "placed", [2]],
  ["distributed", 1, "placed", [1, 1]],
  ["flexible", 2, "placed", [1, 1]],
  ["flexible", 1, "placed", [2]],
] as const)(
  "F-041: two %s replicas of %i GPUs on offers of three are %s",
  async ([strategy, gpus, outcome, places]) => {
    const half: Offer = {
      annotations: { ...divisible.annotations, "gpu.fluidos.eu/count": "4" },
      free_gpus: 3,
    };
    const decision = await decideOn({
      intent: {
        "workload.deployment_strategy": strategy,
        "workload.scaling": { min_replicas: 2 },
        "workload.resources.gpu.count": gpus,
      },
      offers: [half, half],
    });
    expect(decision.outcome).toBe(outcome);
    expect(decision.placements.map(({ replicas }) => replicas)).toEqual(places);
  },
);

test.for([
  ["independent", "placed", 4],
  ["all-reduce", "refused", 0],
  ["pipeline", "refused", 0],
] as const)(
  "F-042: six tasks that are %s, where four fit at once, are %s",
  async ([pattern, outcome, atOnce]) => {
    const decision = await decideOn({
      intent: batch({ parallel_tasks: 6 }, { communication_pattern: pattern }),
      offers: [divisible],
    });
    expect(decision.outcome).toBe(outcome);
    expect(decision.placements.reduce((sum, { replicas }) => sum + replicas, 0)).toBe(atOnce);
  },
);

test("F-043: scaling has no meaning for a batch, nor batch for a service, and both say so", async () => {
  for (const [type, block] of [
    ["batch", "scaling"],
    ["service", "batch"],
  ] as const) {
    const { warnings } = readIntent(intentDocument({ "workload.type": type, [`workload.${block}`]: {} }));
    expect(warnings).toMatchObject([{ path: `intent.workload.${block}`, code: "suspicious" }]);
  }
});

test("F-060: a share of a GPU needs an offer that lets GPUs be shared", async () => {
  const need = { shared: true, fraction: 0.5 };
  const shared = (text: string): Offer => states("gpu.fluidos.eu/shared", text);
  expect((await decide("workload.resources.gpu", need, shared("true"))).outcome).toBe("placed");
  expect(await decide("workload.resources.gpu", need, shared("false"))).toMatchObject({
    rejections: { "gpu.shared": 1 },
    unknown: {},
  });
  expect(await decide("workload.resources.gpu", need, {})).toMatchObject({ unknown: { "gpu.shared": 1 } });
});

test("F-080: as many replicas run as the least that is stated, one when nothing is", async () => {
  expect(await pod({ "workload.scaling": { min_replicas: 3 } })).toMatchObject({ replicas: 3 });
  expect(await pod({})).toMatchObject({ replicas: 1 });
});

test("F-278: where nothing fits, another model, a lower tier, more money or another region are told with their price", async () => {
  const offers: Offer[] = [
    { annotations: { "gpu.fluidos.eu/model": "nvidia-a100", "cost.fluidos.eu/hourly-rate": "3" } },
    { annotations: { "gpu.fluidos.eu/model": "nvidia-h100", "cost.fluidos.eu/hourly-rate": "9" } },
    { annotations: { "gpu.fluidos.eu/model": "nvidia-h100", "location.fluidos.eu/region": "us-east-1" } },
    { annotations: { "gpu.fluidos.eu/model": "nvidia-h100", "gpu.fluidos.eu/tier": "gaming" } },
  ].map(({ annotations }) => ({
    annotations: { "location.fluidos.eu/region": "eu-west-1", ...annotations },
  }));
  const intent = {
    "workload.resources.gpu": { model: "nvidia-h100", tier: "premium" },
    "constraints.location": "EU",
    "constraints.max_hourly_cost": "5 EUR",
  };
  const { outcome, counterfactuals } = await decideOn({ intent, offers });
  expect(outcome).toBe("refused");
  const told = counterfactuals.map(({ changes, best }) => [
    changes[0]?.path.split(".").at(-1),
    best.costMicro,
  ]);
  expect(told).toEqual([
    ["model", 3_000_000],
    ["locations", 4_000_000],
    ["tier", 4_000_000],
    ["max_hourly_cost", 9_000_000],
  ]);
});

const fluidosFlavor = (suffix: string): object => ({
  kind: "Flavor",
  metadata: { name: `fluidos.eu-k8slice-${suffix}`, namespace: "fluidos" },
  spec: {
    flavorType: {
      typeIdentifier: "K8Slice",
      typeData: {
        characteristics: {
          cpu: "8",
          memory: "64Gi",
          gpu: {
            model: "nvidia-l4",
            count: 1,
            memory: "24Gi",
            hourly_rate: 1,
            zone: "eu-west-1",
            provider: "p",
          },
        },
      },
    },
    owner: { domain: "fluidos.eu", nodeID: "n1", ip: "h:1", additionalInformation: { liqoID: "cluster-1" } },
    price: { amount: "", currency: "", period: "" },
    availability: true,
  },
});

test("F-269, F-317: two nodes of one provider are two contracts, each with its own slice and pods", async () => {
  const { offers } = readFluidos({ kind: "List", items: [fluidosFlavor("aa11"), fluidosFlavor("bb22")] });
  const objects = await written({ "workload.scaling": { min_replicas: 2 } }, { ...node, offers });
  const names = (kind: string): string[] =>
    objects.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);
  for (const kind of ["Reservation", "Allocation", "ResourceSlice", "Deployment"])
    expect(new Set(names(kind)).size, kind).toBe(2);
  const pinned = objects
    .filter(({ kind }) => kind === "Deployment")
    .map(({ spec }) => spec.template.spec.nodeSelector["kubernetes.io/hostname"]);
  expect(pinned.sort()).toEqual(names("ResourceSlice").sort());
});

test("F-275, C-21: the namespace is named after tenant and workload", async () => {
  const objects = await written({ tenant: "acme", "workload.name": "web-1" }, node);
  expect(objects.find(({ kind }) => kind === "Namespace").metadata.name).toBe("flare-acme-web-1");
});

test("F-276: environment, claims, services and GPUs are written, each where it belongs", async () => {
  const objects = await written(
    {
      "workload.env": ["A=b"],
      "workload.ports": [{ port: 80 }],
      "workload.storage.volumes": [{ name: "d", size: "1Gi", type: "persistent", path: "/d" }],
    },
    node,
  );
  expect(objects.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(["ConfigMap", "PersistentVolumeClaim", "Service", "Deployment"]),
  );
  const container = objects.find(({ kind }) => kind === "Deployment").spec.template.spec.containers[0];
  expect(container.resources.limits).toMatchObject({ "nvidia.com/gpu": "1" });
});
