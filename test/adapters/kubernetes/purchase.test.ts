import { expect, test } from "vitest";
import { forgeObjects, unnamedBuyer } from "../../../adapters/kubernetes/forge-objects.ts";
import { releaseSteps } from "../../../adapters/kubernetes/release.ts";
import type { Placement } from "../../../engine/model/decision.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import { eur, flavor, intent, snapshot } from "../../engine/builders.ts";
import { decide, forge, type Loose, node, ofKind, only, port, scalingOf } from "./forging.ts";

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
