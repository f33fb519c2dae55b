import { afterEach, expect, test } from "vitest";
import { createElection, createSoleLeadership, type Leadership } from "../../../api/control/leader.ts";
import { createControlLoop } from "../../../api/control/loop.ts";
import { createPlanRunner } from "../../../api/control/plan-job.ts";
import { createPlanner } from "../../../api/control/planner.ts";
import type { Env } from "../../../api/env.ts";
import { trustTenant } from "../../../api/store/tenant.ts";
import { createDrivenService, createDrivenTime, type DrivenTime, wish } from "../driven-env.ts";

const LEASE_MS = 1000;
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Lets everything that needs no time happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}

async function pass(ms: number, ...times: readonly DrivenTime[]): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50)
    for (const time of times) {
      time.pass(50);
      await settle();
    }
}

/** Three candidates on one store, each with a clock of its own. */
async function candidates() {
  const { env } = await createDrivenService();
  return [0, 1, 2].map((index) => {
    // clocks of different machines disagree about the time of day
    const time = createDrivenTime(1_000_000_000 * (index + 1));
    const leadership = createElection(
      { ...env, clock: time, timers: time },
      { leaseMs: LEASE_MS, onGain() {} },
    );
    ends.push(() => leadership.stop());
    return { time, leadership, store: env.store };
  });
}

const leaders = async (all: readonly { leadership: Leadership }[]): Promise<(number | null)[]> =>
  Promise.all(all.map(({ leadership }) => leadership.hold()));

test("one of three leads, and goes on leading while it renews", async () => {
  const all = await candidates();
  await pass(5000, ...all.map(({ time }) => time));
  const held = await leaders(all);
  expect(held.filter((epoch) => epoch !== null)).toEqual([1]);
});

test("a leader that stands still is replaced after a lease and before two, and finds out by itself", async () => {
  const all = await candidates();
  await pass(1500, ...all.map(({ time }) => time));
  const first = (await leaders(all)).findIndex((epoch) => epoch !== null);
  const paused = all[first]!;
  const others = all.filter((one) => one !== paused);
  let passed = 0;
  while ((await leaders(others)).every((epoch) => epoch === null)) {
    await pass(50, ...others.map(({ time }) => time));
    passed += 50;
    expect(passed).toBeLessThan(2 * LEASE_MS);
  }
  expect(passed).toBeGreaterThanOrEqual(LEASE_MS * 0.75);
  // its own clock has not moved: it still believes, and the store does not
  expect(await paused.leadership.hold()).toBe(1);
  const late = { id: "a", version: 1, epoch: 1, actor: "x", atMs: 1, requestId: "r" };
  await expect(paused.store.system.changeIntent(late)).rejects.toMatchObject({ code: "fenced" });
  await pass(300, paused.time);
  expect((await leaders(all)).filter((epoch) => epoch !== null)).toEqual([2]);
});

test("a leader whose renewals do not arrive stops by its own clock", async () => {
  const { env } = await createDrivenService();
  let isCut = false;
  const cut = new Proxy(env.store.system, {
    get: (target, name, receiver) =>
      isCut && name === "renewLease"
        ? () => Promise.reject(new Error("no connection"))
        : Reflect.get(target, name, receiver),
  });
  const time = createDrivenTime();
  const leadership = createElection(
    { ...env, clock: time, timers: time, store: { ...env.store, system: cut } },
    { leaseMs: LEASE_MS, onGain() {} },
  );
  ends.push(() => leadership.stop());
  await pass(100, time);
  expect(await leadership.hold()).toBe(1);
  isCut = true;
  await pass(LEASE_MS, time);
  expect(await leadership.hold()).toBeNull();
  isCut = false;
  await pass(LEASE_MS, time);
  // nobody else had it meanwhile
  expect(await leadership.hold()).toBe(1);
});

test("who gives the lease up is followed at once", async () => {
  const all = await candidates();
  await pass(300, ...all.map(({ time }) => time));
  const first = (await leaders(all)).findIndex((epoch) => epoch !== null);
  await all[first]!.leadership.stop();
  const [next] = all.filter((_, index) => index !== first);
  await pass(LEASE_MS / 4, next!.time);
  expect(await next!.leadership.hold()).toBe(2);
});

test("a loop whose epoch is over moves nothing, and a later start moves everything", async () => {
  const service = await createDrivenService();
  const token = await service.token(["admin:*"]);
  const { env } = service;
  await service.request(token, "POST", "/intents", wish("web", 1));
  await service.control.round();
  const second: Env = { ...env };
  const leadership = createSoleLeadership(second);
  expect(await leadership.hold()).toBe(2);
  const [id = ""] = await env.store.system.idsIn({ phases: ["reserved", "contracted", "peering"], limit: 9 });
  const before = (await env.store.system.intentById(id))!.intent;
  await service.run(60_000, 20);
  expect((await env.store.system.intentById(id))!.intent.version).toBe(before.version);
  const loop = createControlLoop(second, createPlanner(second), { leadership });
  for (let round = 0; round < 20; round++) {
    await loop.round();
    service.time.pass(1000);
  }
  expect((await env.store.system.intentById(id))!.intent.phase).toBe("running");
  await loop.stop();
});

test("what was decided in an epoch before is refused, also when the same process leads again meanwhile", async () => {
  const { env, time, request, token, control } = await createDrivenService();
  await control.stop();
  const { system } = env.store;
  const act = { actor: "x", atMs: 1, requestId: "r" };
  const take = async () => system.takeLease({ ...act, holder: "h", seen: await system.lease() });
  let now = await take();
  const leadership: Leadership = {
    actor: "control",
    hold: async () => now,
    holds: (of) => of === now,
    leads: () => true,
    lost() {},
    stop: async () => {},
  };
  const runner = createPlanRunner();
  const planned = Promise.withResolvers<void>();
  let isPlanning = false;
  const plans: typeof runner = {
    ...runner,
    async run(job) {
      isPlanning = true;
      await planned.promise;
      return runner.run(job);
    },
  };
  const refused: number[] = [];
  const watched: typeof system = {
    ...system,
    async settlePlan(input) {
      try {
        return await system.settlePlan(input);
      } catch (error) {
        refused.push(input.epoch);
        throw error;
      }
    },
  };
  const gated: Env = { ...env, plans, store: { ...env.store, system: watched } };
  const loop = createControlLoop(gated, createPlanner(gated), { leadership });
  ends.push(() => loop.stop());
  await request(await token(["admin:*"]), "POST", "/intents", wish("web", 1));
  loop.wake();
  await pass(100, time);
  expect(isPlanning).toBe(true);
  const first = now;
  // another process led in between
  await take();
  now = await take();
  loop.wake();
  await pass(100, time);
  planned.resolve();
  await pass(3000, time);
  const [intent] = await env.store.forTenant(trustTenant("default")).intents({ limit: 1 });
  expect(intent?.phase).toBe("running");
  const events = await env.store.forTenant(trustTenant("default")).events({ after: 0, limit: 50 });
  const epochs = events.map(({ payload }) => (JSON.parse(payload) as { epoch?: number }).epoch);
  expect(first).toBeLessThan(now ?? 0);
  expect(epochs.filter((epoch) => epoch !== undefined && epoch !== now)).toEqual([]);
  // decided anew in this epoch, not with what was found in the one before
  expect(refused).toEqual([first]);
});
