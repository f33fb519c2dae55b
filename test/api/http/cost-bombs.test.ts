import { expect, test } from "vitest";
import { generateSnapshot } from "../../../adapters/catalog/generate.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import { createDrivenService } from "../driven-env.ts";

const snapshot = readSnapshot(generateSnapshot(2000, 1), { at: "2026-03-01T00:00:00Z" });
const service = await createDrivenService({ snapshot });
const token = await service.token(["intents:read", "intents:write"]);

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `n-${index}`);
const intent = (workload: object, constraints: object = {}): object => ({
  intent: {
    objective: "Balanced_Optimization",
    workload: {
      type: "service",
      name: "web",
      image: "registry.example.org/work:1",
      resources: { cpu: "1", memory: "1Gi", gpu: { count: 1 } },
      ...workload,
    },
    constraints,
  },
});
const dates = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => new Date(index * 86_400_000).toISOString().slice(0, 10));
const environment = (count: number): object[] =>
  names(count).map((_, index) => ({ name: `V${index}`, value: "x" }));

test.for([
  ["intent.constraints.regions", intent({}, { regions: names(1001) })],
  ["intent.constraints.providers", intent({}, { providers: names(10_000) })],
  ["intent.constraints.locations", intent({}, { locations: names(10_000) })],
  [
    "intent.constraints.compliance.certifications",
    intent({}, { compliance: { certifications: names(10_000) } }),
  ],
  ["intent.workload.env", intent({ env: environment(5000) })],
  ["intent.workload.unknown.deep", intent({ unknown: { deep: names(10_000) } })],
  ["intent.workload.scaling.min_replicas", intent({ scaling: { min_replicas: 10_001 } })],
] as const)("%s is refused by its length alone", async ([path, body]) => {
  const answer = await service.request(token, "POST", "/intents", body);
  expect(answer.status).toBe(400);
  expect(answer.body["errors"]).toMatchObject([{ path, code: "out_of_range" }]);
  // one sentence, not one per entry
  expect(answer.text.length).toBeLessThan(1000);
});

const gang = {
  type: "batch",
  batch: { parallel_tasks: 10_000, estimated_runtime: "1h", gang: true },
  communication_pattern: "all_reduce",
};

/** The dearest that are accepted; a plan that looked at all combinations would not end. */
const bombs: readonly (readonly [string, object])[] = [
  ["ten thousand replicas", intent({ scaling: { min_replicas: 10_000 } })],
  ["two thousand replicas, which fit", intent({ scaling: { min_replicas: 2000 } })],
  [
    "as many, over three providers",
    intent({ scaling: { min_replicas: 1500 } }, { spread: { by: "provider", min_domains: 3 } }),
  ],
  [
    "as many, each on its own",
    intent({ scaling: { min_replicas: 1000 }, deployment_strategy: "distributed" }),
  ],
  ["ten thousand tasks", intent({ ...gang, batch: { parallel_tasks: 10_000, estimated_runtime: "1h" } })],
  ["a gang of ten thousand", intent(gang)],
  ["a thousand regions and providers", intent({}, { regions: names(1000), providers: names(1000) })],
  ["a thousand days off", intent({}, { availability_window: { blackout_dates: dates(1000) } })],
  ["a thousand variables", intent({ env: environment(1000) })],
];

test.for(bombs)("%s: decided and explained, in an answer of bounded size", async ([, body]) => {
  const answer = await service.request(token, "POST", "/intents?dry_run=true&tradeoffs=true", body);
  expect([200, 400, 402, 409]).toContain(answer.status);
  expect(answer.text.length).toBeLessThan(1_000_000);
});

test("what was accepted and costs most to decide does not keep what comes after it", async () => {
  const [, first] = bombs[1]!;
  expect((await service.request(token, "POST", "/intents", first)).status).toBeLessThan(500);
  const small = intent({ name: "small" });
  const { body } = await service.request(token, "POST", "/intents", small);
  await service.run(3000);
  const path = `/intents/${String(body["intent_id"])}`;
  expect((await service.request(token, "GET", path)).body).toMatchObject({ phase: "running" });
});

test("two hundred streams hear of the same event, and closing them leaves nothing behind", async () => {
  const watcher = await service.token(["intents:read", "intents:write"], "watched");
  const open = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const controller = new AbortController();
      const answer = await service.app.request("/events", {
        headers: { authorization: `Bearer ${watcher}` },
        signal: controller.signal,
      });
      expect(answer.status).toBe(200);
      return { controller, reader: answer.body!.getReader() };
    }),
  );
  const reads = open.map(async ({ reader }) => {
    for (let text = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return false;
      text += new TextDecoder().decode(value);
      if (text.includes("intent.queued")) return true;
    }
  });
  await service.request(watcher, "POST", "/intents", intent({ name: "seen" }));
  service.time.pass(1000);
  expect(new Set(await Promise.all(reads))).toEqual(new Set([true]));
  await Promise.all(open.map(({ reader }) => reader.cancel()));
});
