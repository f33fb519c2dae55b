import { expect, test } from "vitest";
import { AdapterError, type Federation } from "../../../adapters/port.ts";
import { readRecord, restore } from "../../../api/control/plan-log.ts";
import { StoreError } from "../../../api/store/errors.ts";
import { openLocalStore } from "../../../api/store/sqlite-store.ts";
import { wrapStore } from "../../../sim/bugs/wrap.ts";
import { createDrivenService, twoOffers, wish } from "../driven-env.ts";

const kinds = async (
  service: Awaited<ReturnType<typeof createDrivenService>>,
  id: string,
): Promise<string[]> => {
  const { intent } = (await service.env.store.system.intentById(id))!;
  const events = await service.env.store
    .forTenant(intent.tenant_id)
    .events({ after: 0, subject: id, limit: 100 });
  return events.map(({ kind }) => kind.replace("intent.", ""));
};

async function submitted(options: Parameters<typeof createDrivenService>[0] = {}, gpus = 2) {
  const service = await createDrivenService(options);
  const token = await service.token(["intents:read", "intents:write", "intents:delete"]);
  const answer = await service.request(token, "POST", "/intents", wish("web", gpus));
  expect(answer.status).toBe(202);
  return { service, token, id: String(answer.body["intent_id"]) };
}

test("an accepted intent goes through every phase to running", async () => {
  const { service, token, id } = await submitted();
  await service.run(3000);
  const { body } = await service.request(token, "GET", `/intents/${id}`);
  expect(body).toMatchObject({
    phase: "running",
    status: "running",
    allocation: [{ offer: "one-by-one", gpus: 2 }],
  });
  expect(await kinds(service, id)).toEqual([
    "queued",
    "placing",
    "reserved",
    "contracted",
    "peering",
    "deploying",
    "running",
  ]);
});

test("cancelling a running intent leaves nothing in the federation", async () => {
  const { service, token, id } = await submitted();
  await service.run(3000);
  expect(await service.env.federation.observe()).toHaveLength(1);
  expect((await service.request(token, "DELETE", `/intents/${id}`)).status).toBe(202);
  await service.control.round();
  expect(await service.env.federation.observe()).toEqual([]);
  expect((await service.request(token, "GET", `/intents/${id}`)).body).toMatchObject({
    phase: "cancelled",
    allocation: [],
  });
});

test("what does not fit now waits, and runs when room is made", async () => {
  const { service, token, id } = await submitted({}, 4);
  await service.run(3000);
  const second = await service.request(
    token,
    "POST",
    "/intents",
    wish("second", 4, { constraints: { providers: ["alpha"] } }),
  );
  await service.run(100);
  const path = `/intents/${String(second.body["intent_id"])}`;
  expect((await service.request(token, "GET", path)).body).toMatchObject({
    phase: "waiting",
    status: "pending",
  });
  await service.request(token, "DELETE", `/intents/${id}`);
  await service.run(3000);
  expect((await service.request(token, "GET", path)).body).toMatchObject({ phase: "running" });
});

test("a refused reservation sends the intent back to be placed again", async () => {
  let refusals = 1;
  const wrap = (federation: Federation): Federation => ({
    ...federation,
    reserve: (request) =>
      refusals-- > 0
        ? Promise.resolve({ kind: "refused", code: "capacity", message: "someone was faster" })
        : federation.reserve(request),
  });
  const { service, id } = await submitted({ wrap });
  await service.run(3000);
  expect(await kinds(service, id)).toEqual([
    "queued",
    "placing",
    "releasing",
    "queued",
    "placing",
    "reserved",
    "contracted",
    "peering",
    "deploying",
    "running",
  ]);
});

test("a federation that does not answer in time costs an attempt, and after the last one the intent fails", async () => {
  const wrap = (federation: Federation): Federation => ({
    ...federation,
    purchase: () => Promise.reject(new AdapterError("timeout", "no answer")),
  });
  const { service, token, id } = await submitted({ wrap, loop: { mostFailures: 2 } });
  await service.run(200_000, 200);
  expect((await service.request(token, "GET", `/intents/${id}`)).body).toMatchObject({
    phase: "failed",
    reason: "DEADLINE",
  });
  expect((await kinds(service, id)).filter((kind) => kind === "placing")).toHaveLength(2);
  expect(await service.env.federation.observe()).toEqual([]);
});

test("a part of a GPU is reserved at the price of the part, and runs", async () => {
  const [first] = twoOffers.offers;
  const snapshot = { ...twoOffers, offers: [{ ...first!, gpu: { ...first!.gpu, sharing: true } }] };
  const service = await createDrivenService({ snapshot });
  const token = await service.token(["intents:read", "intents:write"]);
  const half = wish("half", 1) as { intent: { workload: { resources: { gpu: object } } } };
  half.intent.workload.resources.gpu = { count: 1, shared: true, fraction: 0.5 };
  const answer = await service.request(token, "POST", "/intents", half);
  expect(answer).toMatchObject({ status: 202, body: { estimated_cost: "1.00 EUR/hour" } });
  await service.run(3000);
  const path = `/intents/${String(answer.body["intent_id"])}`;
  expect((await service.request(token, "GET", path)).body).toMatchObject({
    phase: "running",
    cost: { amount: 1 },
  });
  expect(await kinds(service, String(answer.body["intent_id"]))).not.toContain("releasing");
});

test("the plan is logged with everything it was made of before anything acts on it", async () => {
  const { service, id } = await submitted();
  await service.run(1000);
  const { intent } = (await service.env.store.system.intentById(id))!;
  const [decision] = await service.env.store.forTenant(intent.tenant_id).decisions(id, 1);
  const record = await readRecord(service.env.store.system, decision!.plan_id);
  expect(restore(record!)).toMatchObject({
    intents: [{ name: id }],
    snapshot: { offers: [{ id: "one-by-one" }, { id: "whole-node" }] },
  });
});

test("a decision that cannot be written is tried again after a pause, not at once", async () => {
  let tries = 0;
  let isBroken = true;
  const store = wrapStore(await openLocalStore(), {
    system: (inner) => ({
      async settlePlan(input) {
        // were it tried for ever at once, this would end it
        if (++tries > 500) isBroken = false;
        if (isBroken) throw new StoreError("unavailable", "no room");
        return inner.settlePlan(input);
      },
    }),
  });
  const { service, token, id } = await submitted({ store });
  await service.run(3000);
  expect(tries).toBeGreaterThan(1);
  expect(tries).toBeLessThan(50);
  isBroken = false;
  await service.run(15_000, 30);
  expect((await service.request(token, "GET", `/intents/${id}`)).body).toMatchObject({ phase: "running" });
});
