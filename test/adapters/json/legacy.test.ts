import { expect, test } from "vitest";
import { readIntent } from "../../../adapters/json/intent.ts";
import { EngineError, type InputProblem } from "../../../engine/model/errors.ts";

/** The flat form in its three documented uses, written anew: inference, training, cheap batch. */
const inference = {
  name: "sentiment",
  objective: "Latency_Minimization",
  requirements: {
    gpu: { model: "nvidia-t4", count: 1, memory: "16Gi" },
    cpu: "4",
    memory: "16Gi",
    location: "EU",
    max_latency_ms: 50,
    max_hourly_rate: "2 EUR",
  },
  workload: {
    type: "deployment",
    replicas: 2,
    containers: [
      {
        name: "server",
        image: "registry.local/sentiment:2",
        command: ["serve"],
        args: ["--port", "8080"],
        env: [{ name: "MODEL_URI", value: "s3://models/a=b" }],
        ports: [{ containerPort: 8080, protocol: "TCP" }],
      },
    ],
  },
};

const training = {
  name: "finetune",
  objective: "Performance_Maximization",
  requirements: {
    gpu: { model: "nvidia-a100", count: 8, interconnect: "nvlink" },
    deadline: "2026-12-01T00:00:00Z",
  },
  workload: { type: "job", replicas: 2, containers: [{ image: "registry.local/train:1" }] },
};

const batch = {
  name: "render",
  objective: "cost",
  requirements: { preemptible: true, max_total_cost: "50 EUR" },
  workload: {
    type: "batch",
    containers: [
      {
        image: "registry.local/render:1",
        resources: { limits: { "nvidia.com/gpu": "2", cpu: "8", memory: "32Gi" } },
      },
    ],
  },
};

function problemsOf(document: unknown): readonly InputProblem[] {
  try {
    readIntent(document);
  } catch (error) {
    if (error instanceof EngineError) return error.problems;
    throw error;
  }
  return [];
}

test("the flat form is read as the intent that says the same", () => {
  const canonical = {
    intent: {
      objective: "Latency_Minimization",
      workload: {
        type: "service",
        name: "sentiment",
        image: "registry.local/sentiment:2",
        commands: ["serve", "--port", "8080"],
        env: ["MODEL_URI=s3://models/a=b"],
        ports: [{ port: 8080, protocol: "TCP" }],
        scaling: { min_replicas: 2 },
        resources: { cpu: "4", memory: "16Gi", gpu: { model: "nvidia-t4", count: 1, memory_min: "16Gi" } },
      },
      constraints: { location: "EU", max_latency_ms: 50, max_hourly_cost: "2 EUR" },
    },
  };
  const flat = readIntent(inference);
  expect({ ...flat, warnings: [] }).toEqual({ ...readIntent(canonical), warnings: [] });
  expect(flat.warnings).toContainEqual({
    path: "",
    code: "alias",
    message: "the flat form with requirements and containers is read as an intent",
  });
});

test("replicas of a flat job are parallel tasks", () => {
  const intent = readIntent(training);
  expect(intent.workload).toMatchObject({ type: "batch", batch: { parallelTasks: 2 } });
  expect(intent.constraints.deadline).toBe("2026-12-01T00:00:00Z");
});

test("the container's own limits count where requirements state nothing", () => {
  const { workload, constraints } = readIntent(batch);
  expect(workload.resources).toMatchObject({ cpuMilli: 8000, memoryMib: 32768, gpu: { count: 2 } });
  expect(constraints).toMatchObject({ preemptible: true, maxTotalCost: { micro: 50_000_000 } });
});

test.for<[string, object, string]>([
  [
    "an unknown requirement",
    { ...inference, requirements: { ...inference.requirements, color: 1 } },
    "requirements.color",
  ],
  ["a bad quantity", { ...inference, requirements: { gpu: { memory: "much" } } }, "requirements.gpu.memory"],
  ["a bad name", { ...inference, name: "No Name" }, "name"],
  [
    "a missing image",
    { ...inference, workload: { type: "deployment", containers: [{}] } },
    "workload.containers[0].image",
  ],
  [
    "two containers",
    { ...batch, workload: { type: "batch", containers: [{ image: "a" }, { image: "b" }] } },
    "workload.containers",
  ],
])("%s is named as the flat form spells it", ([, document, path]) => {
  expect(problemsOf(document).map((entry) => entry.path)).toEqual([path]);
});
