import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Holding, Reservation, Snapshot } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";
import { flavor, holding, type IntentChanges, intent, oneTask, snapshot } from "../builders.ts";

/** 2026-01-05 at the given hour and minute, UTC. The snapshot's now is 12:00. */
const at = (clock: string): string => `2026-01-05T${clock}:00Z`;
const offer = (id: string, gpus: number, free = gpus) => flavor(id, { capacity: { gpus, gpusFree: free } });
const occupied = (name: string, where: string, gpus: number, changes: Partial<Holding> = {}): Holding =>
  holding(name, where, gpus, { priority: 500, tenant: "other", evictable: false, ...changes });
/** A batch of one task; `timeout` seconds enforce its end. */
const job = (name: string, gpus: number, seconds: number | null, changes: IntentChanges = {}) =>
  intent({
    name,
    gpu: { count: gpus },
    workload: oneTask({ ...(seconds === null ? {} : { timeoutSeconds: seconds }) }),
    ...changes,
  });

async function decide(state: Snapshot, intents: ReturnType<typeof intent>[]) {
  const { decisions, warnings } = await plan(prepare(state), intents);
  return { warnings, of: (name: string) => decisions.find((one) => one.intent === name)! };
}

test("a waiting intent is promised the enforced end of what it waits for", async () => {
  const state = snapshot([offer("a", 4, 0)], {
    holdings: [occupied("long", "a", 4, { until: at("14:00"), enforced: true })],
  });
  const { of } = await decide(state, [job("next", 4, 3600)]);
  expect(of("next")).toMatchObject({
    outcome: "waiting",
    reason: "CAPACITY_BUSY",
    expectedStart: at("14:00"),
    wait: {
      position: 1,
      ahead: { own: [], others: 0 },
      held: { start: at("14:00"), end: at("15:00"), basis: "promise", placements: [{ offer: "a", gpus: 4 }] },
    },
  });
});

test("an end that nobody enforces makes an estimate, no end at all no start", async () => {
  const ends = [{ until: at("14:00") }, {}];
  const held = [];
  for (const end of ends) {
    const state = snapshot([offer("a", 4, 0)], { holdings: [occupied("long", "a", 4, end)] });
    const { of } = await decide(state, [job("next", 4, 3600)]);
    held.push(of("next").wait!.held?.basis ?? null);
  }
  expect(held).toEqual(["estimate", null]);
});

test("the end of a part of a GPU is no start for a whole one", async () => {
  const ends = { until: at("14:00"), enforced: true };
  const start = async (part: Partial<Holding>) => {
    const state = snapshot([offer("a", 1, 0)], { holdings: [occupied("now", "a", 1, { ...ends, ...part })] });
    return (await decide(state, [job("next", 1, 3600)])).of("next").expectedStart;
  };
  expect(await start({})).toBe(at("14:00"));
  // others may be on the same device, and nobody knows until when
  expect(await start({ fractionMilli: 500 })).toBeUndefined();
  expect(await start({ migProfile: "1g.10gb" })).toBeUndefined();
});

test("work that is late is expected to run on for as long again", async () => {
  const state = snapshot([offer("a", 4, 0)], {
    holdings: [occupied("late", "a", 4, { until: at("11:00"), enforced: true })],
  });
  const { of } = await decide(state, [job("next", 4, 3600)]);
  expect(of("next").wait!.held).toMatchObject({ start: at("13:00"), basis: "estimate" });
});

test("a small job runs in the gap before a gang's start only when it surely ends by then", async () => {
  const state = snapshot([offer("a", 4, 1)], {
    holdings: [occupied("long", "a", 3, { until: at("14:00"), enforced: true })],
  });
  const gang = job("a-gang", 4, 3600);
  const { of } = await decide(state, [gang, job("b-short", 1, 7200), job("c-long", 1, 7201)]);
  expect(of("a-gang").wait!.held).toMatchObject({ start: at("14:00"), basis: "promise" });
  expect(of("b-short").outcome).toBe("placed");
  expect(of("c-long").wait!.held!.start).toBe(at("15:00"));

  const open = await decide(state, [gang, job("b-open", 1, null)]);
  expect(open.of("b-open")).toMatchObject({ outcome: "waiting", wait: { position: 2 } });
});

test("what would make it start now includes a shorter run that fits before the others", async () => {
  const state = snapshot([offer("a", 4, 1)], {
    holdings: [occupied("long", "a", 3, { until: at("14:00"), enforced: true })],
  });
  const { of } = await decide(state, [job("a-gang", 4, 3600), job("b-long", 1, 8 * 3600)]);
  const paths = of("b-long").counterfactuals.map(({ changes }) => changes.map(({ path, to }) => [path, to]));
  expect(paths).toContainEqual([["workload.batch.timeout", "7200s"]]);
});

test("a later job of higher priority comes before a start held for others", async () => {
  const held: Reservation = {
    id: "hold-low",
    tenant: "default",
    intent: "low",
    priority: 300,
    offer: "a",
    gpus: 4,
    start: at("14:00"),
    end: at("15:00"),
  };
  const state = snapshot([offer("a", 4, 0)], {
    holdings: [occupied("long", "a", 4, { until: at("14:00"), enforced: true })],
    reservations: [held],
  });
  const low = job("low", 4, 3600, { priority: 300 });
  const { of } = await decide(state, [low, job("high", 4, 3600, { priority: 900 })]);
  expect(of("high").wait).toMatchObject({ position: 1, held: { start: at("14:00") } });
  expect(of("low").wait).toMatchObject({
    position: 2,
    held: { start: at("15:00") },
    moved: { from: at("14:00") },
  });
  const same = await decide(state, [low, job("a-same", 4, 3600, { priority: 300 })]);
  expect(same.of("low").wait!.held!.start).toBe(at("14:00"));
  expect(same.of("a-same").wait!.held!.start).toBe(at("15:00"));
});

test("reserved capacity is there for its tenant alone, and for others until its window begins", async () => {
  const reserved: Reservation = {
    id: "r1",
    tenant: "research",
    offer: "a",
    gpus: 3,
    start: at("13:00"),
    end: at("16:00"),
  };
  const state = snapshot([offer("a", 4)], { reservations: [reserved] });
  const of = async (tenant: string, seconds: number | null, gpus = 2) =>
    (await decide(state, [{ ...job("j", gpus, seconds), tenant }])).of("j");
  expect(await of("research", null)).toMatchObject({ outcome: "placed" });
  expect(await of("sales", 3600)).toMatchObject({ outcome: "placed" });
  expect(await of("sales", 3601)).toMatchObject({
    outcome: "waiting",
    rejections: { "offer.calendar": 1 },
    wait: { held: { start: at("16:00"), basis: "promise" } },
  });
  expect(await of("sales", null, 1)).toMatchObject({ outcome: "placed" });
});

test("a tenant's own work on an offer counts as use of what is reserved for it there", async () => {
  const state = snapshot([offer("a", 4, 2)], {
    holdings: [occupied("mine", "a", 2, { tenant: "research" })],
    reservations: [
      { id: "r1", tenant: "research", offer: "a", gpus: 3, start: at("11:00"), end: at("16:00") },
    ],
  });
  const of = async (gpus: number) =>
    (await decide(state, [{ ...job("j", gpus, 3600), tenant: "sales" }])).of("j").outcome;
  expect([await of(1), await of(2)]).toEqual(["placed", "waiting"]);
});

test("work that has ended at its provider, its holding still there, uses nothing of what is reserved", async () => {
  const running = occupied("mine", "a", 4, { tenant: "research" });
  const reservations = [
    { id: "r1", tenant: "research", offer: "a", gpus: 2, start: at("11:00"), end: at("16:00") },
  ];
  const state = snapshot([offer("a", 4)], { holdings: [running], reservations });
  const of = async (tenant: string, gpus: number) =>
    (await decide(state, [{ ...job("j", gpus, 3600), tenant }])).of("j").outcome;
  expect([await of("sales", 2), await of("sales", 3)]).toEqual(["placed", "waiting"]);
  expect(await of("research", 4)).toBe("placed");
});

test("a batch waits for maintenance that would interrupt it; a service only where its SLA forbids the pause", async () => {
  const state = snapshot([offer("a", 4)], {
    maintenance: [{ offer: "a", start: at("13:00"), end: at("14:00") }],
  });
  const fits = await decide(state, [job("j", 1, 3600)]);
  expect(fits.of("j").outcome).toBe("placed");
  const { of } = await decide(state, [job("j", 1, 3601)]);
  expect(of("j")).toMatchObject({ outcome: "waiting", wait: { held: { start: at("14:00") } } });
  const service = intent({ name: "s" });
  expect((await decide(state, [service])).of("s").outcome).toBe("placed");
  const strict = { ...service, sla: { maxInterruptionSeconds: 600 } };
  expect((await decide(state, [strict])).of("s")).toMatchObject({
    outcome: "waiting",
    wait: { held: { start: at("14:00") } },
  });
});

test("a gang over several offers starts when enough of them are free together", async () => {
  const state = snapshot([offer("a", 2, 0), offer("b", 2, 0), offer("c", 2, 0)], {
    holdings: ["a", "b", "c"].map((id, index) =>
      occupied(`on-${id}`, id, 2, { until: at(`1${3 + index}:00`), enforced: true }),
    ),
  });
  const gang = job("gang", 2, 3600, {
    workload: {
      type: "batch",
      communicationPattern: "all-reduce",
      batch: { parallelTasks: 2, maxRetries: 0, completionPolicy: "All", timeoutSeconds: 3600 },
    },
  });
  const { of } = await decide(state, [gang]);
  expect(of("gang").wait!.held).toMatchObject({
    start: at("14:00"),
    placements: [{ offer: "a" }, { offer: "b" }],
  });
});

test("an intent that misses its deadline at every known start keeps its place and is told so", async () => {
  const state = snapshot([offer("a", 4, 0)], {
    holdings: [occupied("long", "a", 4, { until: at("14:00") })],
  });
  const { of } = await decide(state, [job("j", 4, 3600, { constraints: { deadline: at("14:30") } })]);
  expect(of("j")).toMatchObject({ outcome: "waiting", reason: "DEADLINE_UNREACHABLE" });
  expect(of("j").message).toContain("no known start meets its deadline");
});

test("a tenant is told its own intents ahead by name and of the others only how many", async () => {
  const state = snapshot([offer("a", 1, 0)], { holdings: [occupied("secret-run", "a", 1)] });
  const named = (name: string, tenant: string) => ({ ...job(name, 1, 60), tenant });
  const { of } = await decide(state, [
    named("a-secret", "rivals"),
    named("b-own", "default"),
    named("c-own", "default"),
  ]);
  expect(of("c-own").wait).toMatchObject({ position: 3, ahead: { own: ["b-own"], others: 1 } });
  expect(JSON.stringify(of("c-own"))).not.toMatch(/secret|rivals/);
});

test.for<{ name: string; entry: Partial<Reservation>; says: string }>([
  { name: "in the past", entry: { start: at("10:00"), end: at("11:00") }, says: "lies in the past" },
  { name: "that ends before it starts", entry: { end: at("12:30") }, says: "before its start" },
  { name: "on an unknown offer", entry: { offer: "nowhere" }, says: "no offer has the id nowhere" },
  { name: "larger than its offer", entry: { gpus: 9 }, says: "more than the 4" },
  { name: "over what others reserved", entry: { gpus: 2 }, says: "already hold 3 of the 4" },
])("a reservation $name is refused by itself, the rest is planned", async ({ entry, says }) => {
  const good: Reservation = {
    id: "a-good",
    tenant: "t",
    offer: "a",
    gpus: 3,
    start: at("13:00"),
    end: at("15:00"),
  };
  const { of, warnings } = await decide(
    snapshot([offer("a", 4)], { reservations: [good, { ...good, id: "z-bad", ...entry }] }),
    [job("j", 4, 3600)],
  );
  expect(of("j").outcome).toBe("placed");
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatchObject({ path: "reservations (z-bad)", code: "skipped" });
  expect(warnings[0]!.message).toContain(says);
});

test("a start that is held behind work without an end is held for nobody", async () => {
  const forGood: Reservation = {
    id: "first@a",
    tenant: "default",
    intent: "first",
    priority: 500,
    basis: "estimate",
    offer: "a",
    gpus: 4,
    start: at("13:00"),
    end: "9999-12-31T23:59:59Z",
  };
  const state = snapshot([offer("a", 4, 0)], {
    holdings: [occupied("runs", "a", 4, { until: at("13:00") })],
    reservations: [forGood],
  });
  const { of } = await decide(state, [job("late", 4, 3600)]);
  expect(of("late").outcome).toBe("waiting");
  expect(of("late").expectedStart).toBeUndefined();
});

test("a promise stays where it is though an estimate that others were told slips onto it", async () => {
  const told = (name: string, basis: "promise" | "estimate", start: string, end: string): Reservation => ({
    id: `${name}@a`,
    tenant: "default",
    intent: name,
    priority: 500,
    basis,
    offer: "a",
    gpus: 2,
    start: at(start),
    end: at(end),
    ...(basis === "promise" ? { enforcedEnd: at(end) } : {}),
  });
  // what the estimate counted on, the work of two GPUs until one o'clock, now runs until three
  const state = snapshot([offer("a", 4, 0)], {
    holdings: [
      occupied("long", "a", 2, { until: at("15:00"), enforced: true }),
      occupied("short", "a", 2, { until: at("12:30"), enforced: true }),
    ],
    reservations: [told("sure", "promise", "12:30", "13:30"), told("maybe", "estimate", "13:00", "14:00")],
  });
  const { of } = await decide(state, [job("maybe", 2, 3600), job("sure", 2, 3600)]);
  expect(of("sure").wait!.held).toMatchObject({ start: at("12:30"), basis: "promise" });
  expect(of("maybe").wait!.held!.start).toBe(at("13:30"));
  // also where nobody decides about the estimate anew
  const alone = await decide(state, [job("sure", 2, 3600)]);
  expect(alone.of("sure").wait!.held).toMatchObject({ start: at("12:30"), basis: "promise" });
});

test("what is free already is not freed twice by holdings that have just gone", async () => {
  // the provider says that three of four are free; two of those are still in the books until one o'clock
  const state = snapshot([offer("a", 4, 3)], {
    holdings: [
      occupied("gone", "a", 2, { until: at("13:00"), enforced: true }),
      occupied("long", "a", 1, { until: at("15:00"), enforced: true }),
    ],
  });
  const { of } = await decide(state, [job("all", 4, 3600)]);
  expect(of("all").wait!.held).toMatchObject({ start: at("15:00"), basis: "promise" });
});

test("who was promised a start that others took does not start on an offer that is down", async () => {
  const told = (name: string): Reservation => ({
    id: `${name}@a`,
    tenant: "default",
    intent: name,
    priority: 500,
    basis: "promise",
    offer: "a",
    gpus: 2,
    start: at("11:59"),
    end: at("13:00"),
  });
  const state = snapshot([offer("a", 4), offer("b", 8)], {
    reservations: [told("x"), told("y")],
    outages: [{ offer: "b", start: at("11:00"), end: at("15:00") }],
  });
  const { of } = await decide(state, [job("first", 1, 3600, { priority: 700 }), job("y", 2, 3600)]);
  expect(of("first").placements).toMatchObject([{ offer: "a" }]);
  expect(of("y")).toMatchObject({ outcome: "waiting", placements: [] });
});
