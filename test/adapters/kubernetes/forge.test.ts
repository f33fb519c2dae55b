import fc from "fast-check";
import { expect, test } from "vitest";
import type { FirewallRule, Intent, Volume, Workload } from "../../../engine/model/intent.ts";
import { flavor, intent } from "../../engine/builders.ts";
import { decide, forge, type Loose, ofKind, port } from "./forging.ts";
import { clientProblems, crdCheck, crdFolder, openApiProblems } from "./kube-types.ts";

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
