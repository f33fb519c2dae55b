import { expect, test } from "vitest";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import type { Federation } from "../../../adapters/port.ts";
import { defaultDeadlines } from "../../../api/control/advance.ts";
import { createDrivenService, wish } from "../driven-env.ts";

const minutes = 60_000;
const hours = 60 * minutes;

/** One GPU on demand, and one on spot for less than half. */
const offers = readSnapshot({
  version: "spot",
  at: "2026-03-01T00:00:00Z",
  offers: [
    {
      id: "on-demand",
      provider: "alpha",
      region: "eu-central-1",
      gpus: 1,
      traits: { gpu: { model: "nvidia-a100" }, cost: { hourly_rate: "2 EUR", basis: "gpu" } },
      capacity: { cpu: "64", memory: "512Gi", pods: 110 },
    },
    {
      id: "spot",
      provider: "beta",
      region: "eu-central-1",
      gpus: 1,
      traits: {
        gpu: { model: "nvidia-a100" },
        cost: { spot_rate: "0.80 EUR", basis: "gpu" },
      },
      capacity: { cpu: "64", memory: "512Gi", pods: 110 },
    },
  ],
});

/** Three hours of work, kept every five minutes. */
function training(deadline: string): object {
  const { intent } = wish("training", 1) as { intent: { workload: Record<string, unknown> } };
  const { ports: _none, ...workload } = intent.workload;
  return {
    intent: {
      ...intent,
      workload: { ...workload, type: "batch", batch: { estimated_runtime: "3h", checkpoint_interval: "5m" } },
      constraints: { preemptible: true, deadline },
    },
  };
}

async function serve(
  deadline: string,
  lostMs: number,
  wrap: (federation: Federation) => Federation = (federation) => federation,
) {
  const service = await createDrivenService({
    snapshot: offers,
    wrap,
    // time passes in long steps here
    loop: { deadlines: { ...defaultDeadlines, peering: 10 * minutes, deploying: 10 * minutes } },
    scenario: {
      events: [
        { kind: "interrupt", offer: "spot", at_ms: lostMs },
        { kind: "rival", offer: "spot", gpus: 1, at_ms: lostMs, until_ms: 100 * hours },
      ],
    },
  });
  const token = await service.token(["intents:read", "intents:write"]);
  const answer = await service.request(token, "POST", "/intents", training(deadline));
  expect(answer.status, answer.text).toBe(202);
  const id = String(answer.body["intent_id"]);
  const look = async () => (await service.env.store.system.intentById(id))!;
  const offersUsed = async () => [...new Set((await look()).allocations.map(({ offer }) => offer))];
  return { service, look, offersUsed, token, id };
}

test("a batch with a deadline starts on spot, keeps its work when that is lost, waits while it may, and ends in time on demand", async () => {
  const { service, look, offersUsed, token, id } = await serve("2026-03-01T08:00:00Z", 62 * minutes);
  await service.run(30 * minutes, 10);
  expect((await look()).intent.phase).toBe("running");
  expect(await offersUsed()).toEqual(["spot"]);
  await service.run(40 * minutes, 20);
  const { intent } = await look();
  expect(intent).toMatchObject({ phase: "waiting", reason: "WAITING_FOR_SPOT" });
  expect(intent.work_done_seconds).toBeGreaterThanOrEqual(3000);
  const { body } = await service.request(token, "GET", `/intents/${id}/decisions`);
  expect(JSON.stringify(body)).toContain("on_demand_by");
  await service.run(6.5 * hours, 130);
  expect((await look()).intent).toMatchObject({ phase: "completed" });
  expect(await offersUsed()).toEqual(["spot", "on-demand"]);
  expect((await look()).intent.terminal_ms).toBeLessThan(Date.parse("2026-03-01T08:00:00Z"));
});

test("where a provider tells nothing of the work that is done, none is counted on: in time it goes on demand", async () => {
  const wrap = (federation: Federation): Federation => ({
    ...federation,
    observe: async (keys) => (await federation.observe(keys)).map(({ workDoneSeconds: _, ...held }) => held),
  });
  const { service, look, offersUsed } = await serve("2026-03-01T04:00:00Z", 99 * hours, wrap);
  await service.run(40 * minutes, 20);
  expect(await offersUsed()).toEqual(["spot"]);
  await service.run(20 * minutes, 10);
  expect(await offersUsed()).toEqual(["spot", "on-demand"]);
  expect((await look()).intent.phase).toBe("running");
  await service.run(3 * hours, 60);
  expect((await look()).intent).toMatchObject({ phase: "completed" });
});
