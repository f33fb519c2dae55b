import { expect, test } from "vitest";
import { trustTenant } from "../../../api/store/tenant.ts";
import { createDrivenService, createDrivenTime, wish } from "../driven-env.ts";

/** Two tenants of one cohort: one owns four GPUs and lends them, the other owns none. */
async function createFamily() {
  const service = await createDrivenService();
  const join = async (name: string, quotas: readonly object[]): Promise<string> => {
    const row = { id: trustTenant(name), weight: 1, status: "active", cohort: "family", created_ms: 0 };
    await service.env.store.system.ensureTenant({ ...row, quotas: JSON.stringify(quotas) });
    return service.token(["intents:read", "intents:write"], name);
  };
  const owner = await join("owner", [{ gpuClass: "*", nominal: 4 }]);
  const borrower = await join("borrower", []);
  const submit = async (token: string, name: string): Promise<string> => {
    const answer = await service.request(token, "POST", "/intents", wish(name, 4));
    expect(answer.status).toBe(202);
    return `/intents/${String(answer.body["intent_id"])}`;
  };
  const phase = async (token: string, path: string): Promise<unknown> =>
    (await service.request(token, "GET", path)).body["phase"];
  return { service, owner, borrower, submit, phase };
}

test("what was lent is taken back once it runs, and not counted on before", async () => {
  const { service, owner, borrower, submit, phase } = await createFamily();
  const lent = await submit(borrower, "lent");
  await service.run(100, 1);
  const back = await submit(owner, "back");
  await service.run(100, 1);
  expect(await phase(borrower, lent)).toMatch(/^(placing|reserved|contracted|peering|deploying)$/);
  expect(await phase(owner, back)).toBe("waiting");
  // neither waits for the next look at everything, which comes after a minute
  await service.run(12_000, 24);
  expect(await phase(owner, back)).toBe("running");
  expect(await phase(borrower, lent)).toBe("waiting");
});

test("more urgent work takes the place of what begins to run, and of what has run for as long as it was promised", async () => {
  for (const guaranteed of [undefined, "20s"]) {
    const service = await createDrivenService();
    const token = await service.token(["intents:read", "intents:write"]);
    const submit = async (name: string, more: object) => {
      const { intent } = wish(name, 4, { constraints: { providers: ["alpha"] }, ...more }) as {
        intent: { workload: object };
      };
      const workload = {
        ...intent.workload,
        ...(guaranteed === undefined ? {} : { min_runtime: guaranteed }),
      };
      const { body } = await service.request(token, "POST", "/intents", { intent: { ...intent, workload } });
      const path = `/intents/${String(body["intent_id"])}`;
      return async (): Promise<unknown> => (await service.request(token, "GET", path)).body["phase"];
    };
    const low = await submit("low", { priority: "low" });
    await service.run(100, 1);
    const urgent = await submit("urgent", { priority: "critical" });
    await service.run(100, 1);
    expect(await urgent()).toBe("waiting");
    await service.run(8000, 16);
    expect(await urgent()).toBe(guaranteed === undefined ? "running" : "waiting");
    if (guaranteed !== undefined) await service.run(20_000, 40);
    expect([await urgent(), await low()]).toEqual(["running", "waiting"]);
  }
});

test("what waits is looked at again after a minute, also when the clock is set back", async () => {
  let offMs = 0;
  const driven = createDrivenTime();
  const service = await createDrivenService({
    time: { ...driven, wallMs: () => driven.wallMs() + offMs },
  });
  const id = trustTenant("short");
  const row = { id, weight: 1, status: "active", cohort: null, created_ms: 0 };
  await service.env.store.system.ensureTenant({ ...row, quotas: '[{"gpuClass":"*","nominal":1}]' });
  const token = await service.token(["intents:read", "intents:write"], "short");
  await service.request(token, "POST", "/intents", wish("first", 1));
  await service.run(3000);
  const answer = await service.request(token, "POST", "/intents", wish("late", 1));
  const path = `/intents/${String(answer.body["intent_id"])}`;
  await service.run(100, 1);
  expect((await service.request(token, "GET", path)).body["phase"]).toBe("waiting");
  const act = { actor: "test", atMs: 0, requestId: "test", id };
  await service.env.store.system.changeTenant({ ...act, set: { quotas: "[]" } });
  offMs = -10 * 60_000;
  await service.run(70_000, 70);
  expect((await service.request(token, "GET", path)).body["phase"]).toBe("running");
});
