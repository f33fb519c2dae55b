import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { readFluidos } from "../../adapters/fluidos/read.ts";
import { forgeSolver } from "../../adapters/fluidos/solver.ts";
import { readIntent } from "../../adapters/json/intent.ts";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { forgeObjects } from "../../adapters/kubernetes/forge-objects.ts";
import type { KubernetesObject } from "../../adapters/kubernetes/object.ts";
import { readLabeledNodes } from "../../adapters/labels/annotate.ts";
import { prepare } from "../../engine/compile/catalog.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import { plan } from "../../engine/plan.ts";

const write = process.env["FLARE_GOLDEN"] === "write";

/** The file holds these objects; written instead when that is asked for. */
function expectGolden(name: string, objects: readonly KubernetesObject[]): void {
  const path = fileURLToPath(new URL(`../../fixtures/golden/${name}.yaml`, import.meta.url));
  const text = objects.map((object) => `---\n${stringify(object)}`).join("");
  if (write) writeFileSync(path, text);
  expect(existsSync(path) ? readFileSync(path, "utf8") : "").toBe(text);
}

async function forge(offers: readonly Flavor[], document: object): Promise<KubernetesObject[]> {
  const snapshot = { ...readSnapshot({ at: "2026-01-05T12:00:00Z", offers: [] }), offers };
  const intent = readIntent(document);
  const { decisions } = await plan(prepare(snapshot), [intent]);
  const [decision] = decisions;
  expect(decision?.outcome).toBe("placed");
  const buyer = { domain: "fluidos.eu", nodeID: "consumer1", ip: "172.18.0.9:30000" };
  return decision === undefined ? [] : forgeObjects(decision, intent, snapshot, { buyer, attempt: 1 });
}

const flavor = (name: string, gpu: object): object => ({
  apiVersion: "nodecore.fluidos.eu/v1alpha1",
  kind: "Flavor",
  metadata: { name, namespace: "fluidos" },
  spec: {
    providerID: "provider1",
    flavorType: {
      typeIdentifier: "K8Slice",
      typeData: {
        characteristics: {
          architecture: "amd64",
          cpu: "64",
          memory: "512Gi",
          pods: "110",
          gpu: { model: "nvidia-l4", vendor: "nvidia", count: 2, memory: "48Gi", provider: "rhein", ...gpu },
        },
        properties: { additionalProperties: { flare: { "security.fluidos.eu/network-isolation": "true" } } },
      },
    },
    owner: {
      domain: "fluidos.eu",
      nodeID: "provider1",
      ip: "172.18.0.3:30001",
      additionalInformation: { liqoID: "rhein-1" },
    },
    price: { amount: "", currency: "", period: "" },
    availability: true,
  },
});

test("a service with ports, environment, secrets, volumes, firewall and autoscaling, bought over FLUIDOS", async () => {
  const { offers } = readFluidos({
    kind: "List",
    items: [flavor("fluidos.eu-k8slice-ab12", { hourly_rate: 1.6, zone: "eu-central-1" })],
  });
  const objects = await forge(offers, {
    intent: {
      objective: "Cost_Minimization",
      tenant: "team-a",
      workload: {
        type: "service",
        name: "chat",
        image: "registry.example/chat:1",
        commands: ["serve", "--port=8080"],
        env: ["MODEL=llama?size=8b", "LOG=info"],
        ports: [{ port: 8080, expose: true, domain: "chat.example" }, { port: 9090 }],
        secrets: [{ name: "hub-token", env: "HF_TOKEN" }],
        storage: {
          volumes: [
            { name: "cache", size: "50Gi", type: "temporary", path: "/cache" },
            { name: "state", size: "10Gi", type: "persistent", path: "/state" },
            {
              name: "weights",
              size: "100Gi",
              type: "persistent",
              path: "/weights",
              source: { type: "s3", uri: "s3://models/llama", credentials: "s3-key" },
            },
          ],
        },
        scaling: { min_replicas: 1, max_replicas: 2, auto_scale: true, target_gpu_percent: 75 },
        resources: { cpu: "8", memory: "32Gi", gpu: { model: "nvidia-l4", count: 1 } },
      },
      constraints: {
        max_hourly_cost: "5 EUR",
        security: {
          network_isolation: "private",
          firewall_rules: [
            { port: 8080, protocol: "TCP", source: "10.0.0.0/8", action: "allow" },
            { port: 8080, protocol: "TCP", source: "10.9.0.0/16", action: "deny" },
          ],
        },
      },
    },
  });
  expectGolden("service-over-fluidos", objects);
});

test("a batch on a node of the own cluster, which needs no contract", async () => {
  const { offers } = readLabeledNodes({
    nodes: [
      {
        kind: "Node",
        metadata: {
          name: "worker-1",
          labels: { "nvidia.com/gpu.product": "NVIDIA-L4", "nvidia.com/gpu.count": "4" },
          annotations: {
            "cost.fluidos.eu/hourly-rate": "2",
            "location.fluidos.eu/region": "eu-central-1",
            "provider.fluidos.eu/name": "home",
            "gpu.fluidos.eu/divisible": "true",
          },
        },
        status: { allocatable: { cpu: "32", memory: "128Gi", pods: "110", "nvidia.com/gpu": "4" } },
      },
    ],
    slices: [],
  });
  const objects = await forge(offers, {
    intent: {
      objective: "Cost_Minimization",
      workload: {
        type: "batch",
        name: "render",
        image: "registry.example/render:1",
        commands: ["render all frames"],
        batch: { parallel_tasks: 3, max_retries: 2, timeout: "2h" },
        resources: { cpu: "4", memory: "16Gi", gpu: { count: 1 } },
      },
    },
  });
  expectGolden("batch-on-own-node", objects);
});

test("the Solvers of an intent, for the fork and for upstream", () => {
  const intent = readIntent({
    intent: {
      objective: "Cost_Minimization",
      workload: {
        type: "service",
        name: "chat",
        image: "registry.example/chat:1",
        resources: { cpu: "8", memory: "32Gi", gpu: { model: "nvidia-l4", count: 2, memory_min: "24Gi" } },
      },
      constraints: { max_hourly_cost: "5 EUR", location: "EU", max_latency_ms: 50 },
    },
  });
  expectGolden("solver-fork", [forgeSolver(intent, { dialect: "fork", architecture: "amd64" })]);
  expectGolden("solver-main", [forgeSolver(intent, { dialect: "main" })]);
});
