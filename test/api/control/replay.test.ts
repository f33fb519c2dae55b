import { expect, test } from "vitest";
import { showDecision } from "../../../api/control/documents.ts";
import { createPlanRunner } from "../../../api/control/plan-job.ts";
import { readRecord, restore } from "../../../api/control/plan-log.ts";
import { createDrivenService, type DrivenService, wish } from "../driven-env.ts";

/** A service in which much happened: arrivals, waits, cancellations, a price that changed, reservations. */
async function eventful(): Promise<{
  service: DrivenService;
  ask: (path: string) => Promise<object>;
  cancelled: string;
}> {
  const service = await createDrivenService({
    scenario: { events: [{ kind: "price", at_ms: 5000, offer: "one-by-one", factor: 1.5 }] },
  });
  const token = await service.token(["admin:*"]);
  const submit = async (name: string, gpus: number, more: object = {}): Promise<string> =>
    String((await service.request(token, "POST", "/intents", wish(name, gpus, more))).body["intent_id"]);
  const alpha = { constraints: { providers: ["alpha"] } };
  const first = await submit("first", 2, alpha);
  await submit("second", 1, alpha);
  await service.run(3000);
  for (const name of ["third", "fourth", "fifth"]) await submit(name, 2, alpha);
  await service.request(token, "POST", "/resources/reservations", {
    offer: "whole-node",
    gpus: 8,
    start: "2026-03-01T06:00:00Z",
    end: "2026-03-01T07:00:00Z",
  });
  await service.run(3000);
  await service.request(token, "DELETE", `/intents/${first}`);
  await submit("sixth", 8);
  await service.run(5000);
  await submit("seventh", 1);
  await service.run(1000);
  return { service, cancelled: first, ask: async (path) => (await service.request(token, "GET", path)).body };
}

test("every logged plan, made again from the log, gives the same bytes", async () => {
  const { service } = await eventful();
  const { system } = service.env.store;
  const decisions = await service.env.store.forTenant((await system.tenants())[0]!.id).intents({ limit: 50 });
  let steps = 0;
  let checked = 0;
  for (const intent of decisions)
    for (const row of await service.env.store.forTenant(intent.tenant_id).decisions(intent.id, 50)) {
      const record = (await readRecord(system, row.plan_id))!;
      steps = Math.max(steps, record.inputs.length);
      const runner = createPlanRunner();
      const made = await runner.rerun(record);
      const decision = made.decisions.find((one) => one.intent === intent.id)!;
      expect(JSON.stringify(showDecision(decision, intent.name, made.currency))).toBe(row.document);
      checked++;
    }
  expect(checked).toBeGreaterThan(6);
  // entries go back to the ones before them, and hold what has changed and no more
  expect(steps).toBeGreaterThan(4);
});

test("the log tells the prices and the holdings of the moment of a plan", async () => {
  const { service, cancelled } = await eventful();
  const { system } = service.env.store;
  const [tenant] = await system.tenants();
  const [last] = await service.env.store.forTenant(tenant!.id).intents({ name: "seventh", limit: 1 });
  const [row] = await service.env.store.forTenant(tenant!.id).decisions(last!.id, 1);
  const { snapshot } = restore((await readRecord(system, row!.plan_id))!);
  expect(snapshot.reservations).toMatchObject([{ offer: "whole-node", gpus: 8 }]);
  expect(snapshot.holdings.map(({ offer }) => offer)).toContain("one-by-one");
  expect(snapshot.holdings.map(({ intent }) => intent)).not.toContain(cancelled);
  const prices = snapshot.offers.map(({ id, price }) => [id, price.onDemand?.micro]);
  expect(prices).toEqual([
    ["one-by-one", 3_000_000],
    ["whole-node", 20_000_000],
  ]);
});

test("a decision is explained when somebody asks, and says what was done", async () => {
  const { service, ask } = await eventful();
  const { system } = service.env.store;
  const [tenant] = await system.tenants();
  const [placed] = await service.env.store.forTenant(tenant!.id).intents({ name: "second", limit: 1 });
  const stored = (await service.env.store.forTenant(tenant!.id).decisions(placed!.id, 1))[0]!;
  const bare = JSON.parse(stored.document) as Record<string, unknown>;
  const full = (await ask(`/intents/${placed!.id}/decision`)) as Record<string, unknown>;
  expect(bare["criteria"]).toBeNull();
  expect(full["criteria"]).toMatchObject({ cost: {} });
  for (const same of ["outcome", "placements", "feasible", "rejections", "message"])
    expect(full[same], same).toEqual(bare[same]);
  expect(await ask(`/intents/${placed!.id}/decision?plan=${stored.plan_id}`)).toEqual(full);
  expect(await ask(`/intents/${placed!.id}/decision?plan=plan_unknown`)).toMatchObject({ status: 404 });
});
