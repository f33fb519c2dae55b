import { expect, test } from "vitest";
import { readFluidos } from "../../adapters/fluidos/read.ts";
import { forgeSolver } from "../../adapters/fluidos/solver.ts";
import { forgeDecision } from "../../adapters/json/decision.ts";
import { readIntent } from "../../adapters/json/intent.ts";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { forgeObjects } from "../../adapters/kubernetes/forge-objects.ts";
import { releaseSteps } from "../../adapters/kubernetes/release.ts";
import { EngineError, plan, prepare } from "../../engine/index.ts";
import { decide, decideOn, intentDocument, states } from "./decide.ts";

/** The defects of the original, by their numbers: each test fails on an engine that has the defect. */

type Loose = ReturnType<typeof JSON.parse>;

const offer = (annotations: Record<string, string> = {}, id = "w1"): object => ({
  id,
  annotations: {
    "provider.fluidos.eu/name": "p",
    "gpu.fluidos.eu/model": "nvidia-l4",
    "gpu.fluidos.eu/count": "4",
    "location.fluidos.eu/region": "eu-west-1",
    "cost.fluidos.eu/hourly-rate": "4",
    "gpu.fluidos.eu/divisible": "true",
    "security.fluidos.eu/network-isolation": "true",
    ...annotations,
  },
  capacity: { cpu: "64", memory: "512Gi", pods: 110 },
});

/** The objects of an intent on one offer, as JSON, through the whole pipeline. */
async function objectsOf(
  values: Record<string, unknown>,
  offers: readonly object[] = [offer()],
): Promise<Loose[]> {
  const snapshot = readSnapshot({ at: "2026-11-24T10:00:00Z", offers });
  const intent = readIntent(intentDocument(values));
  const { decisions } = await plan(prepare(snapshot), [intent]);
  expect(decisions[0]).toMatchObject({ outcome: "placed" });
  return forgeObjects(decisions[0]!, intent, snapshot);
}
const only = (objects: readonly Loose[], kind: string): Loose => {
  const found = objects.filter((object) => object.kind === kind);
  expect(found, kind).toHaveLength(1);
  return found[0];
};
const batch = (more: object = {}): Record<string, unknown> => ({
  workload: { type: "batch", name: "render", image: "x", batch: more, resources: { gpu: {} } },
});

test("B-01: a model that is not stated filters nothing, neither here nor in the Solver", async () => {
  expect(await decide("workload.resources.gpu", {}, {})).toMatchObject({ outcome: "placed", rejections: {} });
  const { selector } = (forgeSolver(readIntent(intentDocument({})), { dialect: "fork" }) as Loose).spec;
  const fields = selector.filters.gpuFilters.map(({ field }: { field: string }) => field);
  expect(fields).not.toContain("model");
});

test("B-02: a count that is not stated is one, a stated one is a minimum and taken exactly", async () => {
  const divisible = states("gpu.fluidos.eu/divisible", "true");
  expect((await decide("workload.resources.gpu", {}, divisible)).placements).toMatchObject([{ gpus: 1 }]);
  expect((await decide("workload.resources.gpu.count", 3, divisible)).placements).toMatchObject([
    { gpus: 3 },
  ]);
});

test("B-03: pods ask for the CPU, memory and GPUs of the intent", async () => {
  const objects = await objectsOf({
    "workload.resources": { cpu: "4.5", memory: "32Gi", gpu: { count: 2 } },
  });
  const { resources } = only(objects, "Deployment").spec.template.spec.containers[0];
  expect(resources).toEqual({
    requests: { cpu: "4500m", memory: "32Gi", "nvidia.com/gpu": "2" },
    limits: { memory: "32Gi", "nvidia.com/gpu": "2" },
  });
});

test("B-04: a Job has no selector of its own and a restart policy that Jobs allow", async () => {
  const { spec } = only(await objectsOf(batch()), "Job");
  expect(spec).not.toHaveProperty("selector");
  expect(spec.template.spec.restartPolicy).toBe("OnFailure");
});

test("B-05: every volume is mounted where it says", async () => {
  const objects = await objectsOf({
    "workload.storage.volumes": [
      { name: "data", size: "10Gi", type: "persistent", path: "/data" },
      { name: "tmp", size: "1Gi", type: "temporary", path: "/scratch" },
    ],
  });
  const { containers, volumes } = only(objects, "Deployment").spec.template.spec;
  expect(containers[0].volumeMounts).toEqual([
    { name: "data", mountPath: "/data" },
    { name: "tmp", mountPath: "/scratch" },
  ]);
  expect(volumes.map(({ name }: { name: string }) => name)).toEqual(["data", "tmp"]);
});

test("B-06: an environment value keeps its equals signs, blanks and case", async () => {
  const objects = await objectsOf({
    "workload.env": ["URL=https://x/?a=b&c=d", "lower=Two Words", "EMPTY="],
  });
  expect(only(objects, "ConfigMap").data).toEqual({
    URL: "https://x/?a=b&c=d",
    lower: "Two Words",
    EMPTY: "",
  });
});

test("B-07: retries are not the tasks, and a batch needs no completion policy", async () => {
  const { spec } = only(await objectsOf(batch({ parallel_tasks: 2, max_retries: 5 })), "Job");
  expect(spec).toMatchObject({ parallelism: 2, completions: 2, backoffLimit: 5 });
});

test("B-08: a secret is referred to by its own name", async () => {
  const objects = await objectsOf({ "workload.secrets": [{ name: "hub-token", env: "HF_TOKEN" }] });
  expect(only(objects, "Deployment").spec.template.spec.containers[0].env).toEqual([
    { name: "HF_TOKEN", valueFrom: { secretKeyRef: { name: "hub-token", key: "HF_TOKEN" } } },
  ]);
});

const volume = (type: string): object => ({
  name: "d",
  size: "1Gi",
  type: "persistent",
  path: "/d",
  source: { type, uri: "s3://b/p", credentials: "key" },
});
const firewall = (action: string): object[] => [{ port: 22, protocol: "TCP", source: "10.0.0.0/8", action }];
const maintenance = {
  window_start: "00:00",
  window_end: "00:00",
  timezone: "UTC",
  days_of_week: ["Tue"],
  maintenance_windows: [{ start: "2026-01-01T00:00:00Z", end: "2026-01-01T01:00:00Z" }],
};

test.for<[string, unknown]>([
  ["constraints.security.network_isolation", "private"],
  ["constraints.security.network_isolation", "Private"],
  ["constraints.security.firewall_rules", firewall("allow")],
  ["constraints.security.firewall_rules", firewall("Deny")],
  ["workload.storage.volumes", [volume("s3")]],
  ["workload.storage.volumes", [volume("GCS")]],
  ["constraints.availability", maintenance],
])("B-09: %s %j is accepted, placed and written as objects", async ([path, value]) => {
  expect((await objectsOf({ [path]: value })).length).toBeGreaterThan(2);
});

test("B-09: topology nvswitch in any spelling is one value", async () => {
  for (const spelling of ["nvswitch", "NvSwitch", "Nvswitch"])
    expect(
      (
        await decide(
          "workload.resources.gpu.topology",
          spelling,
          states("gpu.fluidos.eu/topology", "nvswitch"),
        )
      ).outcome,
    ).toBe("placed");
});

test("B-10: tenants and workloads with hyphens are told apart and found again", async () => {
  const namespaces = new Set<string>();
  for (const [tenant, name] of [
    ["a-b", "c"],
    ["a", "b-c"],
    ["team-of-four", "web"],
  ] as const) {
    const objects = await objectsOf({ tenant, "workload.name": name });
    const { metadata } = only(objects, "Namespace");
    expect(metadata.labels).toMatchObject({ "flare.io/tenant": tenant });
    for (const object of objects)
      expect(object.metadata.labels["flare.io/intent"]).toBe(metadata.labels["flare.io/intent"]);
    namespaces.add(metadata.name);
  }
  expect(namespaces.size).toBe(3);
});

const forkFlavor = (gpu: object): object => ({
  kind: "Flavor",
  metadata: { name: "fluidos.eu-k8slice-ab12", namespace: "fluidos" },
  spec: {
    flavorType: {
      typeIdentifier: "K8Slice",
      typeData: {
        characteristics: {
          cpu: "64",
          memory: "512Gi",
          pods: "110",
          gpu: { model: "nvidia-h100", vendor: "nvidia", count: 4, provider: "p", hourly_rate: 4, ...gpu },
        },
      },
    },
    owner: { domain: "fluidos.eu", nodeID: "n", ip: "h:1" },
    price: { amount: "", currency: "", period: "" },
    availability: true,
  },
});
const readFlavor = (gpu: object) => readFluidos({ kind: "List", items: [forkFlavor(gpu)] }).offers[0]!;

test("B-11: memory and cores of a node are divided by its GPUs before they meet a minimum per GPU", () => {
  const { gpu } = readFlavor({ memory: "320Gi", cores: "67584", zone: "eu-west-1" });
  expect(gpu).toMatchObject({ memoryMib: 81920, cores: 16896 });
});

test("B-12: a true boolean selects offers that are, a stated false is known and not the same as silence", async () => {
  const dedicated = (text: string) =>
    decide("workload.resources.gpu.dedicated", true, states("gpu.fluidos.eu/dedicated", text));
  expect((await dedicated("true")).outcome).toBe("placed");
  expect(await dedicated("false")).toMatchObject({ rejections: { "gpu.dedicated": 1 }, unknown: {} });
  expect(await decide("workload.resources.gpu.dedicated", true, {})).toMatchObject({
    unknown: { "gpu.dedicated": 1 },
  });
  expect(
    await decide("workload.resources.gpu.dedicated", false, states("gpu.fluidos.eu/dedicated", "true")),
  ).toMatchObject({ outcome: "placed" });
});

test.for([
  ["architecture", "volta", "hopper"],
  ["tier", "gaming", "premium"],
  ["interconnect", "nvlink", "pcie"],
  ["topology", "ring", "mesh"],
] as const)("B-13: %s %s is a filter that %s does not pass", async ([trait, wanted, offered]) => {
  const decision = await decide(
    `workload.resources.gpu.${trait}`,
    wanted,
    states(`gpu.fluidos.eu/${trait}`, offered),
  );
  expect(decision).toMatchObject({ rejections: { [`gpu.${trait}`]: 1 } });
});

test("B-13: a filter that cannot be read is an error, never a filter less", () => {
  for (const [path, value] of [
    ["workload.resources.gpu.architecture", "hoper"],
    ["workload.resources.gpu.memory_min", "70GB"],
    ["workload.resources.gpu.fp32_tflops", "many"],
  ] as const)
    expect(() => readIntent(intentDocument({ [path]: value }))).toThrow(EngineError);
});

test("B-15: whole prices are shown as they are", async () => {
  const decision = await decide("objective", "Cost_Minimization", states("cost.fluidos.eu/hourly-rate", "4"));
  expect(forgeDecision(decision, "EUR")).toMatchObject({
    placements: [{ cost_per_hour: { amount: 4, currency: "EUR" } }],
  });
});

test("B-16: region and zone are what their annotations say, and the fork's exchange is undone", async () => {
  const { placements } = await decide("objective", "Cost_Minimization", {
    annotations: { "location.fluidos.eu/region": "eu-west-1", "location.fluidos.eu/zone": "eu-west-1a" },
  });
  expect(placements).toMatchObject([{ region: "eu-west-1", zone: "eu-west-1a" }]);
  expect(readFlavor({ region: "zone-a", zone: "eu-west-1" })).toMatchObject({
    region: "eu-west-1",
    zone: "zone-a",
  });
});

test.for(["max_hourly_cost", "max_total_cost"])(
  "B-17: a %s that is no amount is refused, not unlimited",
  (field) => {
    for (const text of ["cheap", "5 EURO", "5,50 EUR", "EUR 5", "", "-1 EUR"])
      expect(() => readIntent(intentDocument({ [`constraints.${field}`]: text }))).toThrow(field);
    expect(readIntent(intentDocument({ [`constraints.${field}`]: "0 EUR" })).constraints).toMatchObject({
      [field === "max_hourly_cost" ? "maxHourlyCost" : "maxTotalCost"]: { micro: 0 },
    });
  },
);

test("B-18: the misspelled names of the original's resource are read, each with a warning", () => {
  const document = intentDocument({
    contraints: { preEmptible: true, compliance: { hippaCompliant: true } },
  });
  const { constraints, warnings } = readIntent(document);
  expect(constraints).toMatchObject({ preemptible: true, compliance: { hipaa: true } });
  expect(warnings.every(({ code }) => code === "alias")).toBe(true);
  expect(warnings.map(({ path }) => path.split(".").at(-1)).sort()).toEqual([
    "contraints",
    "hippaCompliant",
    "preEmptible",
  ]);
});

test("B-20: pods are pinned to the node of their own contract, and what was bought is released", async () => {
  const flavors = ["ab12", "cd34"].map((suffix, index) => {
    const flavor = forkFlavor({ zone: "eu-west-1", hourly_rate: index + 1 }) as Loose;
    flavor.metadata.name = `fluidos.eu-k8slice-${suffix}`;
    return flavor;
  });
  const snapshot = {
    ...readSnapshot({ at: "2026-11-24T10:00:00Z", offers: [] }),
    offers: readFluidos({ kind: "List", items: flavors }).offers,
  };
  const intent = readIntent(intentDocument({}));
  const { decisions } = await plan(prepare(snapshot), [intent]);
  const objects: Loose[] = forgeObjects(decisions[0]!, intent, snapshot);
  const { contract } = only(objects, "Allocation").spec;
  const pod = only(objects, "Deployment").spec.template.spec;
  expect(pod.nodeSelector).toEqual({ "kubernetes.io/hostname": contract.name });
  const released = releaseSteps(objects).map(({ kind }) => kind);
  for (const kind of ["Contract", "Reservation", "Allocation", "ResourceSlice"])
    expect(released).toContain(kind);
});

test("B-21: an intent that is refused or invalid leaves no object behind", async () => {
  expect(() => readIntent(intentDocument({ "workload.name": "Not Valid" }))).toThrow(EngineError);
  const snapshot = readSnapshot({ at: "2026-11-24T10:00:00Z", offers: [offer()] });
  const intent = readIntent(intentDocument({ "workload.resources.gpu.model": "nvidia-h100" }));
  const { decisions } = await plan(prepare(snapshot), [intent]);
  expect(forgeObjects(decisions[0]!, intent, snapshot)).toEqual([]);
  expect((await decideOn({ intent: { "workload.resources.gpu.model": "nvidia-h100" } })).placements).toEqual(
    [],
  );
});
