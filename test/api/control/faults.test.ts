import fc from "fast-check";
import { expect, test } from "vitest";
import type { Scenario } from "../../../adapters/federation/scenario.ts";
import { createControlLoop } from "../../../api/control/loop.ts";
import { createPlanner } from "../../../api/control/planner.ts";
import { openSqlite } from "../../../api/store/sqlite.ts";
import { openLocalStore } from "../../../api/store/sqlite-store.ts";
import { verifyDatabase } from "../../../api/store/verify.ts";
import { createDrivenService, type DrivenService, twoOffers, wish } from "../driven-env.ts";

/** Runs of the random test: few every time, many at night. */
const numRuns = Number(process.env["FLARE_FAULT_RUNS"] ?? 25);

const call = fc.constantFrom("reserve", "purchase", "peer", "deploy", "release");
const small = (most: number) => fc.integer({ min: 1, max: most });
const fault = fc.record(
  {
    on: call,
    fault: fc.constantFrom("refuse", "unavailable", "answer_lost"),
    times: small(4),
    every: small(3),
  },
  { requiredKeys: ["on", "fault", "times"] },
);
const at = fc.integer({ min: 0, max: 60_000 });
const event = fc.oneof(
  fc.record({ kind: fc.constant("price"), at_ms: at, factor: fc.constantFrom(0.5, 1.5) }),
  fc.record({ kind: fc.constantFrom("fail", "interrupt"), at_ms: at }),
  fc.record({
    kind: fc.constant("outage"),
    at_ms: at,
    provider: fc.constantFrom("alpha", "beta"),
    until_ms: at,
  }),
  fc.record({
    kind: fc.constant("rival"),
    at_ms: at,
    offer: fc.constantFrom("one-by-one", "whole-node"),
    gpus: small(8),
    until_ms: at,
  }),
);
const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("submit" as const),
      gpus: small(4),
      priority: fc.integer({ min: 0, max: 1000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), which: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: small(8000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
);

/** Each offer's capacity against what the federation holds there. */
async function expectNoOversubscription({ env }: DrivenService): Promise<void> {
  const held = await env.federation.observe();
  for (const { id, capacity, divisible } of twoOffers.offers) {
    const there = held.filter(
      ({ offer, phase }) => offer === id && phase !== "lost" && phase !== "completed",
    );
    if (divisible) expect(there.reduce((sum, { gpus }) => sum + gpus, 0)).toBeLessThanOrEqual(capacity.gpus);
    else expect(there.length).toBeLessThanOrEqual(1);
  }
}

test("whatever goes wrong: nothing is lost, oversold or left behind, and all comes to rest", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fault, { maxLength: 5 }),
      fc.array(event, { maxLength: 5 }),
      fc.array(action, { minLength: 3, maxLength: 25 }),
      async (faults, events, actions) => {
        const connection = openSqlite({ path: ":memory:" });
        const service = await createDrivenService({
          store: await openLocalStore(connection),
          scenario: { faults, events } as Scenario,
        });
        const { env, time } = service;
        const token = await service.token(["intents:read", "intents:write", "intents:delete"]);
        let { control } = service;
        const ids: string[] = [];
        for (const [index, one] of actions.entries()) {
          if (one.do === "submit") {
            const answer = await service.request(
              token,
              "POST",
              "/intents",
              wish(`w${index}`, one.gpus, { priority: one.priority }),
            );
            expect(answer.status).toBe(202);
            ids.push(String(answer.body["intent_id"]));
          } else if (one.do === "cancel" && ids.length > 0) {
            const id = ids[one.which % ids.length];
            expect((await service.request(token, "DELETE", `/intents/${id}`)).status).toBe(202);
          } else if (one.do === "restart") {
            // the old loop is gone in the middle of a round; the new one knows only what is stored
            const cut = control.round();
            await control.stop();
            await cut;
            control = createControlLoop(env, createPlanner(env));
          } else if (one.do === "pass") time.pass(one.ms);
          await control.round();
          await expectNoOversubscription(service);
        }
        // faults are over: every intent ends or runs, or waits for room that is really not there
        for (let step = 0; step < 200; step++) {
          time.pass(2000);
          await control.round();
        }
        await control.stop();
        const phases: string[] = [];
        for (const id of ids) phases.push((await env.store.system.intentById(id))?.intent.phase ?? "lost");
        const rest = ["running", "waiting", "cancelled", "failed", "completed"];
        expect(phases.filter((phase) => !rest.includes(phase))).toEqual([]);
        const downstream = (await env.federation.observe()).map(({ key }) => key);
        const held = await env.store.system.held();
        expect(downstream).toEqual(held.map(({ id }) => id));
        expect(held.filter(({ intent_phase }) => intent_phase !== "running")).toEqual([]);
        expect((await verifyDatabase(connection.db)).findings).toEqual([]);
        await env.store.close();
      },
    ),
    {
      numRuns,
      ...(process.env["FLARE_SEED"] === undefined ? {} : { seed: Number(process.env["FLARE_SEED"]) }),
    },
  );
}, 120_000);

test("what the federation holds and nobody owns is given back", async () => {
  const { env, control } = await createDrivenService();
  await env.federation.reserve({
    key: "int-of-another-past-1-0",
    intent: "int-of-another-past",
    tenant: "default",
    offer: "one-by-one",
    gpus: 1,
    replicas: 1,
    cpuMilli: 0,
    memoryMib: 0,
    spot: false,
    maxCostMicro: 2_000_000,
  });
  await control.round();
  expect(await env.federation.observe()).toEqual([]);
});

test("running work whose capacity was taken away is placed somewhere else", async () => {
  const service = await createDrivenService({
    scenario: { events: [{ kind: "outage", at_ms: 10_000, provider: "alpha", until_ms: 1_000_000 }] },
  });
  const token = await service.token(["intents:read", "intents:write"]);
  const { body } = await service.request(token, "POST", "/intents", wish("web", 2));
  const path = `/intents/${String(body["intent_id"])}`;
  await service.run(9000);
  expect((await service.request(token, "GET", path)).body).toMatchObject({
    allocation: [{ offer: "one-by-one" }],
  });
  await service.run(9000);
  expect((await service.request(token, "GET", path)).body).toMatchObject({
    phase: "running",
    allocation: [{ offer: "whole-node" }],
  });
});

test("urgent work takes the place of running work, which queues again and runs when there is room", async () => {
  const service = await createDrivenService();
  const token = await service.token(["intents:read", "intents:write", "intents:delete"]);
  const only = { constraints: { providers: ["alpha"] } };
  const submit = async (name: string, priority: number): Promise<string> => {
    const { body } = await service.request(token, "POST", "/intents", wish(name, 4, { ...only, priority }));
    return `/intents/${String(body["intent_id"])}`;
  };
  const low = await submit("low", 100);
  await service.run(4000);
  const high = await submit("high", 900);
  await service.run(4000);
  expect((await service.request(token, "GET", high)).body).toMatchObject({ phase: "running" });
  expect((await service.request(token, "GET", low)).body).toMatchObject({ phase: "waiting" });
  await service.request(token, "DELETE", high);
  await service.run(4000);
  expect((await service.request(token, "GET", low)).body).toMatchObject({ phase: "running" });
});

test("what the federation counts already is not taken from it once more", async () => {
  // it has reserved, and nobody here knows
  const scenario = { faults: [{ on: "reserve", fault: "answer_lost" }] } as const;
  const service = await createDrivenService({ scenario });
  const token = await service.token(["intents:read", "intents:write"]);
  await service.request(token, "POST", "/intents", wish("web", 1));
  const held = () => service.env.federation.observe();
  while ((await held()).length === 0) await service.control.round();
  expect(service.planner.books.planned.size).toBe(1);
  expect((await service.planner.snapshot()).offers[0]).toMatchObject({
    id: "one-by-one",
    capacity: { gpusFree: 3 },
  });
});

test.for([
  ["its own tenant's", "acme", true],
  ["another tenant's", "rival", false],
] as const)("who makes way is told for which intent only where it is %s", async ([, tenant, isTold]) => {
  const service = await createDrivenService();
  const permissions = ["intents:read", "intents:write"] as const;
  const [mine, other] = [await service.token(permissions, "acme"), await service.token(permissions, tenant)];
  const submit = async (token: string, name: string, priority: number): Promise<string> => {
    const only = { constraints: { providers: ["alpha"] } };
    const { body } = await service.request(token, "POST", "/intents", wish(name, 4, { ...only, priority }));
    await service.run(4000);
    return String(body["intent_id"]);
  };
  const low = await submit(mine, "low", 100);
  const high = await submit(other, "high", 900);
  const json = { accept: "application/json" };
  const events = await service.request(mine, "GET", `/intents/${low}/events`, undefined, json);
  expect(events.text).toContain("intent.preempted");
  expect(events.text.includes(high)).toBe(isTold);
});

test("new arrivals are decided although many wait in front of them", async () => {
  const service = await createDrivenService();
  const token = await service.token(["intents:read", "intents:write"]);
  // none of them fits beside another: all but one wait for the same offer
  for (let index = 0; index < 70; index++)
    await service.request(
      token,
      "POST",
      "/intents",
      wish(`big-${index}`, 8, { constraints: { providers: ["beta"] } }),
    );
  await service.run(2000, 2);
  const { body } = await service.request(token, "POST", "/intents", wish("small", 1));
  await service.run(3000);
  expect((await service.request(token, "GET", `/intents/${String(body["intent_id"])}`)).body).toMatchObject({
    phase: "running",
  });
}, 60_000);
