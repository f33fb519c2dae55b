import fc from "fast-check";
import { expect, test } from "vitest";
import { createControlLoop } from "../../../api/control/loop.ts";
import { createPlanner } from "../../../api/control/planner.ts";
import type { Reservation } from "../../../engine/model/snapshot.ts";
import { formatTime } from "../../../engine/model/time.ts";
import { createDrivenService, wish } from "../driven-env.ts";

/** A batch on the offer that is sold by the GPU; a timeout ends it for sure. */
const batch = (
  name: string,
  gpus: number,
  { timeout, estimate }: { timeout?: string; estimate?: string },
) => {
  const { intent } = wish(name, gpus) as { intent: { workload: Record<string, unknown> } };
  const { ports: _none, ...workload } = intent.workload;
  return {
    intent: {
      ...intent,
      workload: {
        ...workload,
        type: "batch",
        batch: {
          ...(timeout === undefined ? {} : { timeout }),
          ...(estimate === undefined ? {} : { estimated_runtime: estimate }),
        },
      },
      constraints: { providers: ["alpha"] },
    },
  };
};

async function serve() {
  const service = await createDrivenService();
  const token = await service.token(["intents:read", "intents:write", "intents:delete"]);
  const submit = async (document: object): Promise<string> => {
    const answer = await service.request(token, "POST", "/intents", document);
    expect(answer.status, answer.text).toBe(202);
    await service.control.round();
    return String(answer.body["intent_id"]);
  };
  const look = async (id: string): Promise<Record<string, unknown>> =>
    (await service.request(token, "GET", `/intents/${id}`)).body;
  return { service, submit, look };
}

const minutes = 60_000;
/** Nightly runs look at thirty times as many histories. */
const times = process.env["FLARE_NIGHTLY"] === undefined ? 1 : 30;

test("a promised start is kept when smaller jobs arrive: those that would delay it wait, those that end before run", async () => {
  const { service, submit, look } = await serve();
  const first = await submit(batch("first", 2, { timeout: "30m" }));
  await service.run(3000);
  const gang = await submit(batch("gang", 4, { timeout: "10m" }));
  const told = String((await look(gang))["estimated_start_time"]);
  expect(await look(gang)).toMatchObject({ phase: "waiting" });
  expect(told).not.toBe("null");
  const long = await submit(batch("long", 2, { timeout: "2h" }));
  const endless = await submit(batch("endless", 1, {}));
  const short = await submit(batch("short", 2, { timeout: "10m" }));
  await service.run(3000);
  expect(await look(long)).toMatchObject({ phase: "waiting" });
  expect(await look(endless)).toMatchObject({ phase: "waiting" });
  expect(await look(short)).toMatchObject({ phase: "running" });
  // each of them is looked at again and again, alone and together with others
  await service.run(25 * minutes, 50);
  expect(await look(short)).toMatchObject({ phase: "failed", reason: "TIMEOUT" });
  expect(await look(gang)).toMatchObject({ phase: "waiting", estimated_start_time: told });
  expect(await look(long)).toMatchObject({ phase: "waiting" });
  await service.run(6 * minutes, 60);
  expect(await look(first)).toMatchObject({ phase: "failed", reason: "TIMEOUT" });
  const { intent } = (await service.env.store.system.intentById(gang))!;
  expect(intent).toMatchObject({ phase: "running" });
  expect(formatTime(intent.started_ms!) <= told, `${formatTime(intent.started_ms!)} after ${told}`).toBe(
    true,
  );
});

test("a promise outlives a restart of the service", async () => {
  const { service, submit, look } = await serve();
  await submit(batch("first", 2, { timeout: "30m" }));
  await service.run(3000);
  const gang = await submit(batch("gang", 4, { timeout: "10m" }));
  const told = (await look(gang))["estimated_start_time"];
  await service.control.stop();
  const planner = createPlanner(service.env);
  const control = createControlLoop(service.env, planner);
  const held = (await planner.snapshot()).reservations.filter(({ intent }) => intent === gang);
  expect(held).toMatchObject([{ offer: "one-by-one", gpus: 4, basis: "promise" }]);
  expect(Date.parse(held[0]!.start)).toBe(Date.parse(String(told)));
  const late = await submit(batch("late", 2, { timeout: "2h" }));
  await control.round();
  expect(await look(late)).toMatchObject({ phase: "waiting" });
  await control.stop();
});

test("what is held for a start ends with the wait", async () => {
  const { service, submit, look } = await serve();
  const first = await submit(batch("first", 4, { timeout: "30m" }));
  await service.run(3000);
  const gang = await submit(batch("gang", 4, { timeout: "10m" }));
  expect(await service.env.store.system.heldStarts()).toMatchObject([{ id: gang }]);
  await service.env.store
    .forTenant((await service.env.store.system.intentById(first))!.intent.tenant_id)
    .cancelIntent({ id: first, actor: "test", atMs: service.time.wallMs(), requestId: "test" });
  await service.run(3000);
  expect(await look(gang)).toMatchObject({ phase: "running" });
  expect(await service.env.store.system.heldStarts()).toEqual([]);
});

const histories = fc.array(
  fc.record({
    gpus: fc.integer({ min: 1, max: 4 }),
    /** Minutes after which its timeout ends it, what it says it takes, and when it comes. */
    timeout: fc.constantFrom(5, 10, 20),
    estimate: fc.constantFrom(3, 5, null),
    arrives: fc.integer({ min: 0, max: 12 }),
  }),
  { minLength: 4, maxLength: 9 },
);

test("over random arrivals nobody starts later than promised, tick after tick", async () => {
  let promises = 0;
  await fc.assert(
    fc.asyncProperty(histories, async (jobs) => {
      const { service, submit } = await serve();
      const { system } = service.env.store;
      const told = new Map<string, number>();
      const ids: string[] = [];
      /** Notes what is held for whom, as a promise. */
      const listen = async (): Promise<void> => {
        for (const { id, held } of await system.heldStarts()) {
          const [hold] = JSON.parse(held) as Reservation[];
          if (hold?.basis !== "promise") continue;
          promises++;
          told.set(id, Math.min(Date.parse(hold.start), told.get(id) ?? Infinity));
        }
      };
      for (let minute = 0; minute < 150; minute++) {
        for (const [index, job] of jobs.entries()) {
          if (job.arrives !== minute) continue;
          const estimate = job.estimate === null ? {} : { estimate: `${job.estimate}m` };
          ids.push(
            await submit(batch(`job-${index}`, job.gpus, { timeout: `${job.timeout}m`, ...estimate })),
          );
        }
        await listen();
        await service.run(minutes, 3);
        if (minute > 12 && (await system.waiting()).length === 0) break;
      }
      for (const [id, at] of told) {
        const { allocations } = (await system.intentById(id))!;
        const placed = Math.min(...allocations.map(({ created_ms }) => created_ms));
        // the clock of this test ticks every twenty seconds
        expect(placed - at, id).toBeLessThanOrEqual(20_000);
      }
      await service.control.stop();
    }),
    { numRuns: 3 * times },
  );
  expect(promises).toBeGreaterThan(5);
});
