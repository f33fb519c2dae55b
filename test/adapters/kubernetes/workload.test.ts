import { expect, test } from "vitest";
import { forgeObjects } from "../../../adapters/kubernetes/forge-objects.ts";
import type { Placement } from "../../../engine/model/decision.ts";
import type { Workload } from "../../../engine/model/intent.ts";
import { flavor, intent, snapshot } from "../../engine/builders.ts";
import { container, decide, forge, type Loose, node, ofKind, only, port, scalingOf } from "./forging.ts";
import { clientProblems, openApiProblems } from "./kube-types.ts";

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
  expect(scalers.reduce((total, { spec }) => total + spec.maxReplicas, 0)).toBe(7);
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
