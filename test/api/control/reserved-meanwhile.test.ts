import { expect, test } from "vitest";
import type { Leadership } from "../../../api/control/leader.ts";
import { openLocalStore } from "../../../api/store/sqlite-store.ts";
import { wrapStore } from "../../../sim/bugs/wrap.ts";
import { createDrivenService, type DrivenService, wish } from "../driven-env.ts";

const rights = ["intents:write", "intents:read", "resources:read", "resources:write"] as const;
const onlyAlpha = { constraints: { providers: ["alpha"] } };

/** A batch that ends within a minute for sure. */
function short(name: string, gpus: number): object {
  const { intent } = wish(name, gpus, onlyAlpha) as { intent: { workload: Record<string, unknown> } };
  const { ports: _none, ...workload } = intent.workload;
  return { intent: { ...intent, workload: { ...workload, type: "batch", batch: { timeout: "1m" } } } };
}

/** Never decides. */
const follower: Leadership = {
  actor: "follower",
  hold: async () => null,
  leads: () => false,
  holds: () => false,
  lost() {},
  async stop() {},
};

/** Two replicas on one store and one federation: the first decides, both answer. */
async function replicas() {
  /** What happens after the look and before the write, of the next placement and the next reservation. */
  const meanwhile: { decision: (() => Promise<void>) | null; reservation: (() => Promise<void>) | null } = {
    decision: null,
    reservation: null,
  };
  const once = async (which: keyof typeof meanwhile): Promise<void> => {
    const run = meanwhile[which];
    meanwhile[which] = null;
    await run?.();
  };
  const counts = { settles: 0 };
  const store = wrapStore(await openLocalStore(), {
    system: (inner) => ({
      async settlePlan(input) {
        counts.settles++;
        if (input.changes.some(({ newAllocations }) => newAllocations !== undefined)) await once("decision");
        return inner.settlePlan(input);
      },
    }),
    tenant: (inner) => ({
      async createReservation(input) {
        await once("reservation");
        return inner.createReservation(input);
      },
    }),
  });
  const leader = await createDrivenService({ store });
  const other = await createDrivenService({
    store,
    time: leader.time,
    wrap: () => leader.env.federation,
    loop: { leadership: follower },
  });
  const one = await leader.token(rights, "one");
  const two = await leader.token(rights, "two");
  const reserve = (at: DrivenService, token: string, more: object = {}) =>
    at.request(token, "POST", "/resources/reservations", {
      offer: "one-by-one",
      gpus: 4,
      start: "2026-03-01T06:00:00Z",
      end: "2026-03-01T08:00:00Z",
      ...more,
    });
  const submit = async (token: string, document: object) => {
    const { body } = await leader.request(token, "POST", "/intents", document);
    const path = `/intents/${String(body["intent_id"])}`;
    return async (): Promise<unknown> => (await leader.request(token, "GET", path)).body["phase"];
  };
  return { meanwhile, counts, leader, other, one, two, reserve, submit };
}

test("a reservation on another replica while a decision is made: the decision is made again, with it", async () => {
  const { meanwhile, leader, other, one, two, reserve, submit } = await replicas();
  const phase = await submit(two, wish("served", 4, onlyAlpha));
  const answers: number[] = [];
  meanwhile.decision = async () => void answers.push((await reserve(other, one)).status);
  await leader.run(3000);
  expect(answers).toEqual([201]);
  expect(await phase()).toBe("waiting");
});

test("beside it there is room: the decision is made again and stands, within the same round", async () => {
  const { meanwhile, counts, leader, other, one, two, reserve, submit } = await replicas();
  const phase = await submit(two, wish("served", 2, onlyAlpha));
  meanwhile.decision = async () => void (await reserve(other, one, { gpus: 2 }));
  await leader.control.round();
  expect(await phase()).not.toMatch(/queued|waiting/);
  expect(counts.settles).toBe(2);
  await leader.run(3000);
  expect(await phase()).toBe("running");
});

test("a reservation that waiting work meets is seen when it is looked at again, at once", async () => {
  const { meanwhile, leader, other, one, two, reserve, submit } = await replicas();
  const first = await submit(one, short("first", 4));
  await leader.run(3000);
  expect(await first()).toBe("running");
  const late = await submit(two, short("late", 2));
  await leader.run(100, 1);
  expect(await late()).toBe("waiting");
  meanwhile.decision = async () => void (await reserve(other, one, { gpus: 2 }));
  // the first ends, and the late one is decided on twice in the same round
  for (let second = 0; second < 90 && meanwhile.decision !== null; second++) await leader.run(1000, 1);
  expect(meanwhile.decision).toBeNull();
  expect(await late()).not.toMatch(/queued|waiting/);
});

test("what is placed while a reservation is judged is judged as well, on every replica", async () => {
  for (const name of ["leader", "other"] as const) {
    const made = await replicas();
    const { meanwhile, leader, one, two, reserve, submit } = made;
    const phase = await submit(two, wish("served", 3, onlyAlpha));
    meanwhile.reservation = () => leader.run(3000);
    expect(await reserve(made[name], one)).toMatchObject({
      status: 409,
      body: {
        error_code: "INSUFFICIENT_RESOURCES",
        message: expect.stringContaining("at most 1 GPUs") as string,
      },
    });
    expect(await phase()).toBe("running");
  }
});

test("what is placed meanwhile and ends before the window is no reason to refuse", async () => {
  const { meanwhile, leader, other, one, two, reserve, submit } = await replicas();
  const phase = await submit(two, short("short", 4));
  meanwhile.reservation = () => leader.run(3000);
  expect((await reserve(other, one)).status).toBe(201);
  expect(await phase()).toBe("running");
});

test("a reservation that is overtaken again and again is told to come back", async () => {
  const { meanwhile, leader, other, one, two, reserve, submit } = await replicas();
  let count = 0;
  const overtake = async (): Promise<void> => {
    await submit(two, short(`short-${count++}`, 4));
    await leader.run(3000);
    // again while it is judged the next time, when this one has ended
    meanwhile.reservation = async () => {
      await leader.run(90_000, 30);
      await overtake();
    };
  };
  meanwhile.reservation = overtake;
  const answer = await reserve(other, one);
  expect(answer).toMatchObject({ status: 409, body: { error_code: "CONFLICT" } });
  expect(answer.headers.get("retry-after")).toBe("1");
  meanwhile.reservation = null;
  expect((await reserve(other, one)).status).toBe(201);
});

test("a stream of reservations, made and given back, puts a decision off for a while and not for ever", async () => {
  const { meanwhile, counts, leader, other, one, two, reserve, submit } = await replicas();
  const phase = await submit(two, wish("served", 4, onlyAlpha));
  const answers: number[] = [];
  const disturb = async (): Promise<void> => {
    meanwhile.decision = disturb;
    const made = await reserve(other, one);
    answers.push(made.status);
    if (made.status !== 201) return;
    // given back when the decision has been refused and before the next look
    const path = `/resources/reservations/${String(made.body["reservation_id"])}`;
    leader.time.after(0, () => void other.request(one, "DELETE", path));
  };
  meanwhile.decision = disturb;
  await leader.run(5000, 50);
  expect(await phase()).toBe("running");
  expect(answers).toContain(409);
  expect(counts.settles).toBeLessThan(20);
  // and then they are made again
  meanwhile.decision = null;
  expect((await reserve(other, one, { offer: "whole-node", gpus: 8 })).status).toBe(201);
});
