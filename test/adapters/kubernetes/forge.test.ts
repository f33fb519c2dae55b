import fc from "fast-check";
import { expect, test } from "vitest";
import { forgeObjects, unnamedBuyer } from "../../../adapters/kubernetes/forge-objects.ts";
import { releaseSteps } from "../../../adapters/kubernetes/release.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Placement } from "../../../engine/model/decision.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import type { FirewallRule, Intent, Port, Volume, Workload } from "../../../engine/model/intent.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, type IntentChanges, intent, snapshot } from "../../engine/builders.ts";
import { clientProblems, crdCheck, crdFolder, openApiProblems } from "./kube-types.ts";

/** Objects as YAML would hold them, members of any shape. */
type Loose = ReturnType<typeof JSON.parse>;

const decide = async (offers: readonly Flavor[], wanted: Intent) => {
  const view = snapshot(offers);
  const { decisions } = await plan(prepare(view), [wanted]);
  const decision = decisions[0]!;
  return { decision, objects: forgeObjects(decision, wanted, view) };
};
const forge = async (changes: IntentChanges, offers: readonly Flavor[] = [flavor("a")]): Promise<Loose[]> =>
  (await decide(offers, intent(changes))).objects;
const ofKind = (objects: readonly Loose[], kind: string): Loose[] =>
  objects.filter((object) => object.kind === kind);
const only = (objects: readonly Loose[], kind: string): Loose => {
  const found = ofKind(objects, kind);
  expect(found, kind).toHaveLength(1);
  return found[0];
};
const container = (objects: readonly Loose[], kind = "Deployment"): Loose =>
  only(objects, kind).spec.template.spec.containers[0];

const node = (id: string, changes = {}): Flavor => flavor(id, { origin: { source: "node" }, ...changes });
const port = (number: number, more: Partial<Port> = {}): Port => ({
  port: number,
  protocol: "TCP",
  expose: false,
  ...more,
});

// ------------------------------------------------------------------------------------------------ what any intent gives

const anyName = fc.oneof(
  fc.string({ minLength: 1, maxLength: 90 }),
  fc.string({ unit: fc.constantFrom("a", "A", "-", "_", ".", "9"), minLength: 1, maxLength: 70 }),
  fc.constantFrom("a".repeat(63), "a".repeat(64), "9", "-", "ä", "A b"),
);
const volumes: fc.Arbitrary<Volume[]> = fc.array(
  fc.record({
    name: anyName,
    size: fc.constantFrom("10Gi", "1Ti"),
    type: fc.constantFrom("persistent" as const, "temporary" as const),
    path: fc.constantFrom("/data", "/out"),
    source: fc.option(
      fc.record({
        type: fc.constantFrom("s3" as const, "gcs" as const, "azure" as const),
        uri: fc.constantFrom("s3://b/p", "gs://b", "azure://account/b/p/q", "b"),
        credentials: fc.constant("key"),
      }),
      { nil: undefined },
    ),
  }),
  { maxLength: 3 },
) as fc.Arbitrary<Volume[]>;
const rules: fc.Arbitrary<FirewallRule[]> = fc.array(
  fc.record({
    port: fc.constantFrom(22, 80),
    protocol: fc.constantFrom("TCP" as const, "UDP" as const),
    source: fc.constantFrom("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "any", "::/0", "10.1.2.3"),
    action: fc.constantFrom("allow" as const, "deny" as const),
  }),
  { maxLength: 4 },
);
const scenario = fc.record({
  tenant: anyName,
  name: anyName,
  offer: anyName,
  isNode: fc.boolean(),
  divisible: fc.boolean(),
  vendor: fc.constantFrom("nvidia", "amd", "intel"),
  type: fc.constantFrom("service" as const, "batch" as const),
  replicas: fc.integer({ min: 1, max: 3 }),
  gpus: fc.integer({ min: 1, max: 2 }),
  cpuMilli: fc.option(fc.constantFrom(500, 2000), { nil: undefined }),
  env: fc.array(fc.record({ name: fc.constantFrom("A", "B", "with space"), value: fc.string() }), {
    maxLength: 3,
  }),
  ports: fc.array(
    fc.record({
      port: fc.constantFrom(22, 80),
      protocol: fc.constantFrom("TCP" as const, "UDP" as const),
      expose: fc.boolean(),
      domain: fc.constantFrom("a.example", "B.example"),
    }),
    { maxLength: 3 },
  ),
  volumes,
  rules,
  isPrivate: fc.boolean(),
});

/** The definitions of FLUIDOS and Liqo, where there are any. */
const definitions = crdCheck(crdFolder ?? "");

const stated = <T extends object>(members: T): T =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;

const build = async (one: typeof scenario extends fc.Arbitrary<infer T> ? T : never) => {
  const offers = [one.offer, `${one.offer}-2`].map((id, index) =>
    flavor(id, {
      provider: `p${index}`,
      gpu: { vendor: one.vendor },
      divisible: one.divisible,
      security: { networkIsolation: true },
      capacity: { gpus: 4, gpusFree: 4, cpuMilli: 64_000, memoryMib: 262_144, pods: 110 },
      ...(one.isNode ? { origin: { source: "node" as const } } : {}),
    }),
  );
  const base = intent({
    name: one.name,
    gpu: { count: one.gpus },
    workload: {
      type: one.type,
      env: one.env,
      ports: one.ports,
      volumes: one.volumes.map(stated),
      resources: stated({ cpuMilli: one.cpuMilli }) as Workload["resources"],
      ...(one.type === "batch"
        ? { batch: { parallelTasks: one.replicas, maxRetries: 2, completionPolicy: "All" } }
        : {
            scaling: {
              minReplicas: one.replicas,
              maxReplicas: one.replicas + 2,
              autoScale: true,
              targetCpuPercent: 70,
              targetGpuPercent: 80,
            },
          }),
    },
    constraints: {
      security: stated({
        networkIsolation: one.isPrivate ? ("private" as const) : undefined,
        firewallRules: one.rules,
      }) as Intent["constraints"]["security"],
    },
  });
  return { offers, wanted: { ...base, tenant: one.tenant } };
};

/** GPUs that an object's pods ask for, all replicas together. */
function askedGpus({ kind, spec }: Loose): number {
  if (kind !== "Deployment" && kind !== "Job") return 0;
  const { limits } = spec.template.spec.containers[0].resources;
  const gpu = Object.entries(limits).find(([name]) => name !== "memory" && name !== "cpu");
  return Number(gpu?.[1]) * (spec.replicas ?? spec.parallelism);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const dns = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const labelText = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;

test("for any intent: names and labels are legal, objects are distinct, types are Kubernetes' own, requests are the placement", async () => {
  let placed = 0;
  await fc.assert(
    fc.asyncProperty(scenario, async (one) => {
      const { offers, wanted } = await build(one);
      const { decision, objects } = await decide(offers, wanted);
      if (decision.outcome !== "placed") return;
      placed++;
      const keys = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`);
      expect(new Set(keys).size).toBe(keys.length);
      for (const object of objects) {
        expect(object.metadata.name, object.kind).toMatch(dns);
        expect(object.metadata.namespace ?? "x").toMatch(dns);
        for (const value of Object.values(object.metadata.labels ?? {})) expect(value).toMatch(labelText);
        expect(clientProblems(object) ?? []).toEqual([]);
        expect((await openApiProblems(object)) ?? []).toEqual([]);
        expect(definitions(object) ?? []).toEqual([]);
      }
      // Tasks of a batch may run in waves, replicas of a service run at once.
      const atOnce = sum(decision.placements.map(({ replicas }) => replicas));
      if (one.type === "service") expect(atOnce).toBe(one.replicas);
      const completions = ofKind(objects, "Job").map(({ spec }) => spec.completions);
      if (one.type === "batch") expect(sum(completions)).toBe(one.replicas);
      expect(sum(objects.map(askedGpus))).toBe(one.gpus * atOnce);
      const taken = sum(decision.placements.map(({ gpus }) => gpus));
      expect(taken).toBeGreaterThanOrEqual(one.gpus * atOnce);
      if (one.divisible) expect(taken).toBe(one.gpus * atOnce);
    }),
    { numRuns: 150 },
  );
  expect(placed).toBeGreaterThan(140);
});

test("names inside a pod are legal and its volumes are those that are mounted", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (one) => {
      const { offers, wanted } = await build(one);
      const { objects } = await decide(offers, wanted);
      for (const { kind, spec } of objects as Loose[]) {
        if (kind !== "Deployment" && kind !== "Job") continue;
        const pod = spec.template.spec;
        const [main] = pod.containers;
        expect(main.name).toMatch(dns);
        const defined = (pod.volumes ?? []).map(({ name }: Loose) => name);
        for (const name of defined) expect(name).toMatch(dns);
        expect(new Set(defined).size).toBe(defined.length);
        expect(new Set((main.volumeMounts ?? []).map(({ name }: Loose) => name))).toEqual(new Set(defined));
        const claims = new Set(ofKind(objects, "PersistentVolumeClaim").map(({ metadata }) => metadata.name));
        for (const { persistentVolumeClaim } of pod.volumes ?? [])
          if (persistentVolumeClaim !== undefined) expect(claims).toContain(persistentVolumeClaim.claimName);
      }
    }),
    { numRuns: 60 },
  );
});

test("the same decision gives the same objects", async () => {
  const first = await forge({ workload: { ports: [port(80)] } });
  expect(await forge({ workload: { ports: [port(80)] } })).toEqual(first);
});

test("nothing is written for an intent that is not placed", async () => {
  expect(await forge({ gpu: { model: "nvidia-b300" } })).toEqual([]);
});

test.skipIf(crdFolder === undefined)(
  "objects of FLUIDOS and Liqo match their definitions (FLARE_CRDS names a folder of them)",
  async () => {
    const check = definitions;
    const objects = await forge({ workload: { ports: [port(80)] } }, [flavor("a", { divisible: true })]);
    const checked = objects.filter((object) => check(object) !== null);
    expect(checked.map(({ kind }) => kind).sort()).toEqual([
      "Allocation",
      "NamespaceOffloading",
      "Reservation",
      "ResourceSlice",
    ]);
    for (const object of checked) expect(check(object)).toEqual([]);
  },
);

// ------------------------------------------------------------------------------------------------------------- purchase

const bought = (changes = {}): Flavor =>
  flavor("fluidos.eu-k8slice-ab12", {
    origin: {
      source: "fluidos",
      flavorName: "fluidos.eu-k8slice-ab12",
      owner: { domain: "fluidos.eu", nodeId: "n1", ip: "h:1" },
      liqoClusterId: "cluster-1",
    },
    ...changes,
  });

test("a reservation names its candidate and seller, so that FLUIDOS does not choose", async () => {
  const objects = await forge({}, [bought()]);
  expect(only(objects, "Reservation").spec).toMatchObject({
    seller: { domain: "fluidos.eu", nodeID: "n1", ip: "h:1" },
    peeringCandidate: { name: "peeringcandidate-fluidos.eu-k8slice-ab12", namespace: "fluidos" },
    reserve: true,
    purchase: true,
  });
  // contract-<flavor>-<first four digits of its SHA-256>, dots become hyphens
  expect(only(objects, "Allocation").spec.contract.name).toMatch(
    /^contract-fluidos-eu-k8slice-ab12-[0-9a-f]{4}$/,
  );
});

test("part of a divisible offer is bought with a configuration, a whole one without", async () => {
  const part = await forge({ gpu: { count: 1 } }, [bought()]);
  expect(only(part, "Reservation").spec.configuration).toEqual({
    type: "K8Slice",
    data: {
      cpu: "16",
      memory: "64Gi",
      pods: "10",
      gpu: { model: "nvidia-a100", count: 1, cores: "6912", memory: "40Gi" },
    },
  });
  const more = await forge({ gpu: { count: 3 } }, [bought()]);
  expect(only(more, "Reservation").spec.configuration.data).toMatchObject({
    cpu: "48",
    gpu: { count: 3, cores: String(3 * 6912), memory: "120Gi" },
  });
  for (const whole of [
    await forge({ gpu: { count: 4 } }, [bought()]),
    await forge({ gpu: { count: 1 } }, [bought({ divisible: false })]),
  ])
    expect(only(whole, "Reservation").spec).not.toHaveProperty("configuration");
});

test("a configuration never exceeds its offer", async () => {
  const capacity = { gpus: 4, gpusFree: 4, cpuMilli: 2000, memoryMib: 1024, pods: 5 };
  const objects = await forge({}, [bought({ capacity })]);
  const { data } = only(objects, "Reservation").spec.configuration;
  expect(data).toMatchObject({ cpu: "500m", memory: "256Mi", pods: "5" });
});

test("the GPUs of a contract reach Liqo in the slice of its cluster, under the contract's name", async () => {
  const objects = await forge({ gpu: { count: 2 } }, [bought()]);
  const slice = only(objects, "ResourceSlice");
  expect(slice.metadata).toMatchObject({
    name: only(objects, "Allocation").spec.contract.name,
    namespace: "liqo-tenant-cluster-1",
    labels: { "liqo.io/remote-cluster-id": "cluster-1", "liqo.io/replication": "true" },
    annotations: { "liqo.io/create-virtual-node": "true" },
  });
  expect(slice.spec).toMatchObject({
    class: "default",
    providerClusterID: "cluster-1",
    resources: { "nvidia.com/gpu": "2", cpu: "32" },
  });
});

test("an offer sold on demand and on spot at once is one contract with all its GPUs", async () => {
  const offer = bought({ price: { basis: "gpu", onDemand: eur(1), spot: eur(0.5) } });
  const wanted = intent({ workload: { scaling: scalingOf(2) } });
  const { decision } = await decide([offer], wanted);
  const [one] = decision.placements;
  const half = (spot: boolean): Placement => ({ ...one!, gpus: 1, replicas: 1, spot });
  const objects: Loose[] = forgeObjects(
    { ...decision, placements: [half(false), half(true)] },
    wanted,
    snapshot([offer]),
  );
  expect(only(objects, "ResourceSlice").spec.resources["nvidia.com/gpu"]).toBe("2");
  expect(ofKind(objects, "Reservation")).toHaveLength(2);
});

test("a name too long for a label is selected by the node's own name", async () => {
  const id = `node-${"x".repeat(80)}`;
  const pod = only(await forge({}, [node(id)]), "Deployment").spec.template.spec;
  expect(pod.nodeSelector).toBeUndefined();
  const [term] = pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms;
  expect(term.matchFields).toEqual([{ key: "metadata.name", operator: "In", values: [id] }]);
});

test("a cluster's own node needs no contract; with bought ones beside it pods may stay at home", async () => {
  const home = await forge({}, [node("w1")]);
  expect(home.map(({ kind }) => kind)).toEqual(["Namespace", "Deployment"]);
  expect(only(home, "Deployment").spec.template.spec.nodeSelector).toEqual({
    "kubernetes.io/hostname": "w1",
  });
  const small = { gpus: 1, gpusFree: 1, cpuMilli: 64_000, memoryMib: 65_536 };
  const both = await forge({ workload: { scaling: scalingOf(2) } }, [
    node("w1", { capacity: small }),
    bought({ capacity: small }),
  ]);
  expect(only(both, "NamespaceOffloading").spec.podOffloadingStrategy).toBe("LocalAndRemote");
});

test.for([
  ["flare-tenant-workload", /^flare-default-job$/],
  ["tenant-workload", /^default-job$/],
  ["flare-intent", /^flare-intent-[0-9a-f]{16}$/],
] as const)("C-21, C-28: namespaces of the form %s, mapped as asked", async ([namespaceForm, name]) => {
  const offer = bought();
  const wanted = intent();
  const { decision } = await decide([offer], wanted);
  const options = {
    buyer: unnamedBuyer,
    attempt: 1,
    namespaceForm,
    namespaceMapping: "EnforceSameName" as const,
  };
  const objects: Loose[] = forgeObjects(decision, wanted, snapshot([offer]), options);
  expect(only(objects, "Namespace").metadata.name).toMatch(name);
  expect(only(objects, "Deployment").metadata.namespace).toMatch(name);
  expect(only(objects, "NamespaceOffloading").spec.namespaceMappingStrategy).toBe("EnforceSameName");
});

test("F-315: what was written is released from the workload down to the reservation, each object once", async () => {
  const objects = await forge({ workload: { ports: [port(80)], env: [{ name: "A", value: "b" }] } }, [
    bought(),
  ]);
  const steps = releaseSteps(objects);
  expect(steps.map(({ kind }) => kind)).toEqual([
    "Deployment",
    "Service",
    "ConfigMap",
    "NamespaceOffloading",
    "Namespace",
    "ResourceSlice",
    "Allocation",
    "Contract",
    "Reservation",
  ]);
  expect(steps.find(({ kind }) => kind === "Contract")).toMatchObject({
    name: only(objects, "Allocation").spec.contract.name,
    namespace: "fluidos",
  });
  expect(releaseSteps([...objects, ...objects])).toEqual(steps);
});

// ------------------------------------------------------------------------------------------------------------- workload

function scalingOf(minReplicas: number, maxReplicas = minReplicas): NonNullable<Workload["scaling"]> {
  return {
    minReplicas,
    maxReplicas,
    autoScale: maxReplicas > minReplicas,
    targetCpuPercent: 70,
    targetGpuPercent: 80,
  };
}

test("the environment is a ConfigMap; a change of it restarts the pods", async () => {
  const withEnv = (value: string) =>
    forge({
      workload: {
        env: [
          { name: "URL", value },
          { name: "not a key", value: "kept" },
        ],
      },
    });
  const objects = await withEnv("https://x/?a=b");
  expect(only(objects, "ConfigMap")).toMatchObject({
    metadata: { name: "job-env" },
    data: { URL: "https://x/?a=b" },
  });
  expect(container(objects)).toMatchObject({
    envFrom: [{ configMapRef: { name: "job-env" } }],
    env: [{ name: "not a key", value: "kept" }],
  });
  const annotation = (list: Loose[]): string =>
    only(list, "Deployment").spec.template.metadata.annotations["flare.io/env"];
  expect(annotation(objects)).not.toBe(annotation(await withEnv("other")));
  expect(annotation(objects)).toBe(annotation(await withEnv("https://x/?a=b")));
  expect(ofKind(await forge({}), "ConfigMap")).toEqual([]);
});

test.for([
  { vendor: "nvidia", resource: "nvidia.com/gpu" },
  { vendor: "amd", resource: "amd.com/gpu" },
  { vendor: "intel", resource: "gpu.intel.com/xe" },
])("$vendor GPUs are asked for as $resource", async ({ vendor, resource }) => {
  const { requests, limits } = container(
    await forge({ gpu: { count: 2 } }, [flavor("a", { gpu: { vendor } })]),
  ).resources;
  expect(requests[resource]).toBe("2");
  expect(limits[resource]).toBe("2");
});

test("a MIG profile is asked for as the slice's own resource, the origin's resource wins over the vendor's", async () => {
  const mig = flavor("a", { gpu: { migCapable: true } });
  expect(container(await forge({ gpu: { migProfile: "1g.5gb" } }, [mig])).resources.limits).toEqual({
    "nvidia.com/mig-1g.5gb": "1",
  });
  const shared = node("w", { origin: { source: "node", gpuResource: "nvidia.com/gpu.shared" } });
  expect(container(await forge({}, [shared])).resources.limits).toEqual({ "nvidia.com/gpu.shared": "1" });
});

test("the share of a GPU that was asked for is told to the scheduler", async () => {
  const shared = flavor("a", { gpu: { sharing: true } });
  const objects = await forge({ gpu: { shared: true, fractionMilli: 250 } }, [shared]);
  expect(only(objects, "Deployment").spec.template.metadata.annotations).toEqual({
    "flare.io/gpu-fraction": "0.25",
  });
});

test("tasks that run in waves are shared out over the placements, all of them once", async () => {
  const batch = { parallelTasks: 7, maxRetries: 4, completionPolicy: "All" as const, timeoutSeconds: 60 };
  const offers = [flavor("a"), flavor("b")];
  const wanted = intent({ workload: { type: "batch", batch } });
  const { decision } = await decide(offers, wanted);
  const [one] = decision.placements;
  const part = (offer: string, replicas: number): Placement => ({ ...one!, offer, gpus: replicas, replicas });
  const placements = [part("a", 1), part("b", 2)];
  const jobs = ofKind(forgeObjects({ ...decision, placements }, wanted, snapshot(offers)), "Job");
  expect(jobs.map(({ metadata }) => metadata.name)).toEqual(["job-0", "job-1"]);
  expect(jobs.map(({ spec }) => [spec.parallelism, spec.completions])).toEqual([
    [1, 2],
    [2, 5],
  ]);
  expect(jobs[0].spec).toMatchObject({ backoffLimit: 4, activeDeadlineSeconds: 60 });
});

test("a batch that any task completes has no number of completions", async () => {
  const batch = { parallelTasks: 2, maxRetries: 0, completionPolicy: "Any" as const };
  const job = only(await forge({ workload: { type: "batch", batch } }), "Job");
  expect(job.spec).not.toHaveProperty("completions");
  expect(job.spec).toMatchObject({ parallelism: 2, backoffLimit: 0 });
});

test("autoscaling by GPU where it is measured, by CPU where pods ask for it", async () => {
  const scaling = scalingOf(1, 3);
  const metrics = async (vendor: string, cpuMilli?: number): Promise<string[]> => {
    const resources = (cpuMilli === undefined ? {} : { cpuMilli }) as Workload["resources"];
    const objects = await forge({ workload: { scaling, resources } }, [flavor("a", { gpu: { vendor } })]);
    return only(objects, "HorizontalPodAutoscaler").spec.metrics.map(({ type }: Loose) => type);
  };
  expect(await metrics("nvidia")).toEqual(["Pods"]);
  expect(await metrics("nvidia", 1000)).toEqual(["Resource", "Pods"]);
  expect(await metrics("amd", 1000)).toEqual(["Resource"]);
  expect(await metrics("amd")).toEqual(["Resource"]);
  for (const scaling of [scalingOf(2), { ...scalingOf(2), autoScale: true }])
    expect(ofKind(await forge({ workload: { scaling } }), "HorizontalPodAutoscaler")).toEqual([]);
});

test("utilization targets are the autoscaler's, and with the backup strategy told to the pods", async () => {
  const objects = await forge({
    workload: { scaling: scalingOf(1, 3), resources: { memoryMib: 1024 } as Workload["resources"] },
    constraints: { performance: { gpuUtilizationTarget: 0.855, memoryUtilizationTarget: 0.7 } },
  });
  expect(only(objects, "HorizontalPodAutoscaler").spec.metrics).toMatchObject([
    { pods: { target: { averageValue: "86" } } },
    { resource: { name: "memory", target: { averageUtilization: 70 } } },
  ]);
  expect(only(objects, "Deployment").spec.template.metadata.annotations).toEqual({
    "flare.io/gpu-utilization-target": "0.855",
    "flare.io/memory-utilization-target": "0.7",
  });
  const { decision, ...plain } = await decide([flavor("a")], {
    ...intent(),
    sla: { backupStrategy: "checkpoint" },
  });
  expect(decision.outcome).toBe("placed");
  expect(only(plain.objects, "Deployment").spec.template.metadata.annotations).toEqual({
    "flare.io/backup-strategy": "checkpoint",
  });
});

test("over several placements the autoscalers add up to the most that is wanted", async () => {
  const small = { gpus: 1, gpusFree: 1, cpuMilli: 64_000, memoryMib: 65_536 };
  const objects = await forge({ workload: { scaling: scalingOf(2, 7) } }, [
    flavor("a", { capacity: small }),
    flavor("b", { capacity: small }),
  ]);
  const scalers = ofKind(objects, "HorizontalPodAutoscaler");
  expect(scalers.map(({ spec }) => spec.scaleTargetRef.name)).toEqual(["job-0", "job-1"]);
  expect(sum(scalers.map(({ spec }) => spec.maxReplicas))).toBe(7);
});

test("a service lists each port and protocol once", async () => {
  const ports = [port(80), port(80), port(80, { protocol: "UDP" }), port(443)];
  expect(
    only(await forge({ workload: { ports } }), "Service").spec.ports.map(({ name }: Loose) => name),
  ).toEqual(["tcp-80", "udp-80", "tcp-443"]);
});

test("an ingress has one rule per domain, for exposed TCP ports only", async () => {
  const ports = [
    port(80, { expose: true, domain: "App.example" }),
    port(81, { expose: true, domain: "app.example" }),
    port(82, { expose: true }),
    port(83, { domain: "hidden.example" }),
    port(84, { expose: true, domain: "udp.example", protocol: "UDP" }),
  ];
  const { rules: found } = only(await forge({ workload: { ports } }), "Ingress").spec;
  expect(found).toMatchObject([
    {
      host: "app.example",
      http: {
        paths: [
          { path: "/", backend: { service: { name: "job", port: { number: 80 } } } },
          { path: "/81", backend: { service: { port: { number: 81 } } } },
        ],
      },
    },
  ]);
});

test("the published schema and the client's types find what is wrong with an object", async () => {
  const [deployment] = ofKind(await forge({ workload: { ports: [port(80)] } }), "Deployment");
  expect(await openApiProblems(deployment)).toEqual([]);
  const broken = structuredClone(deployment);
  broken.spec.replicas = "1";
  expect(await openApiProblems(broken)).toEqual([expect.stringContaining("replicas must be integer")]);
  const unknown = structuredClone(deployment);
  unknown.spec.template.spec.containers[0].imagePolicy = "Always";
  expect(clientProblems(unknown)).toEqual([expect.stringContaining("imagePolicy: unknown member")]);
  const bare = structuredClone(deployment);
  delete bare.spec.selector;
  expect(await openApiProblems(bare)).toEqual([expect.stringContaining("selector")]);
});
