import { expect, test } from "vitest";
import { decideOn, now, type Offer, type Scenario } from "./decide.ts";

const daily = {
  window_start: "09:00",
  window_end: "17:00",
  timezone: "UTC",
  days_of_week: ["Mon", "Tue", "Wed", "Thu", "Fri"],
};
const open = (changes: object = {}): Scenario => ({
  intent: { "constraints.availability": { ...daily, ...changes } },
});
const batch = (more: object, changes: object = {}): Scenario => ({
  intent: {
    workload: { type: "batch", name: "i", image: "x", batch: more, resources: { gpu: { count: 4 } } },
    "constraints.availability": { ...daily, ...changes },
  },
});

test.for<{ name: string; scenario: Scenario }>([
  { name: "in the window", scenario: open() },
  { name: "at the very start of the window", scenario: open({ window_start: "10:00" }) },
  {
    name: "in a window of another time zone",
    scenario: open({ window_start: "11:00", timezone: "Europe/Rome" }),
  },
  {
    name: "in a window that began the day before",
    scenario: open({ window_start: "18:00", window_end: "10:01" }),
  },
  { name: "outside the blackout dates", scenario: open({ blackout_dates: ["2026-11-23", "2026-11-25"] }) },
  {
    name: "at the very end of weekly maintenance",
    scenario: open({
      maintenance_windows: [
        { start: "2026-11-17T09:00:00Z", end: "2026-11-17T10:00:00Z", frequency: "weekly" },
      ],
    }),
  },
  { name: "as a batch that ends with the window", scenario: batch({ timeout: "7h" }) },
  {
    name: "as tasks of unknown runtime, in waves or not",
    scenario: batch({ parallel_tasks: 2 }, { window_end: "10:01" }),
  },
  {
    name: "as a batch of unknown runtime: an assumed hour never constrains",
    scenario: batch({}, { window_end: "10:01" }),
  },
])("a workload runs $name", async ({ scenario }) => {
  expect(await decideOn(scenario)).toMatchObject({ outcome: "placed", rejections: {} });
});

test.for<{ name: string; scenario: Scenario; starts: string }>([
  {
    name: "a window that opens later today",
    scenario: open({ window_start: "10:01" }),
    starts: "2026-11-24T10:01:00Z",
  },
  {
    name: "a window that has just closed",
    scenario: open({ window_end: "10:00" }),
    starts: "2026-11-25T09:00:00Z",
  },
  {
    name: "a window in another time zone",
    scenario: open({ timezone: "America/New_York" }),
    starts: "2026-11-24T14:00:00Z",
  },
  {
    name: "another day of the week",
    scenario: open({ days_of_week: ["Sunday"] }),
    starts: "2026-11-29T09:00:00Z",
  },
  {
    name: "the day after a blackout",
    scenario: open({ blackout_dates: ["2026-11-24"] }),
    starts: "2026-11-25T09:00:00Z",
  },
  {
    name: "the end of weekly maintenance",
    scenario: open({ maintenance_windows: [{ start: "2026-11-17T10:00:00Z", end: "2026-11-17T11:30:00Z" }] }),
    starts: "2026-11-24T11:30:00Z",
  },
  {
    name: "the end of monthly maintenance",
    scenario: open({
      maintenance_windows: [
        { start: "2026-10-24T08:00:00Z", end: "2026-10-24T11:00:00Z", frequency: "monthly" },
      ],
    }),
    starts: "2026-11-24T11:00:00Z",
  },
  {
    name: "a window long enough for a batch",
    scenario: batch({ timeout: "7h1m" }),
    starts: "2026-11-25T09:00:00Z",
  },
])("a workload waits for $name, and the window alone decides", async ({ scenario, starts }) => {
  expect(await decideOn(scenario)).toMatchObject({
    outcome: "waiting",
    reason: "OUTSIDE_AVAILABILITY_WINDOW",
    expectedStart: starts,
    rejections: { availability: 1 },
    soleBlockers: { availability: 1 },
  });
});

test.for<{ name: string; scenario: Scenario; reason: string }>([
  {
    name: "a batch longer than every window",
    scenario: batch({ timeout: "9h" }),
    reason: "OUTSIDE_AVAILABILITY_WINDOW",
  },
  {
    name: "a deadline that ends before the window opens",
    scenario: {
      intent: { ...open({ window_start: "12:00" }).intent, "constraints.deadline": "2026-11-24T11:00:00Z" },
    },
    reason: "OUTSIDE_AVAILABILITY_WINDOW",
  },
  {
    name: "a closed window, when waiting is ruled out",
    scenario: {
      intent: {
        ...open({ window_start: "12:00" }).intent,
        "constraints.negotiation.fallback_strategy": "reject",
      },
    },
    reason: "OUTSIDE_AVAILABILITY_WINDOW",
  },
])("refused: $name", async ({ scenario, reason }) => {
  expect(await decideOn(scenario)).toMatchObject({ outcome: "refused", reason });
});

test("without its window the workload would run: the counterfactual says so", async () => {
  const { counterfactuals } = await decideOn(open({ window_start: "12:00" }));
  expect(counterfactuals).toMatchObject([
    {
      changes: [{ path: "constraints.availability", from: "12:00-17:00 UTC Mon Tue Wed Thu Fri", to: null }],
    },
  ]);
});

const unavailable = (kind: "outages" | "maintenance", times: object): Scenario => ({
  snapshot: { [kind]: [{ provider: "p", ...times }] },
});

test.for<{ name: string; scenario: Scenario; expected: object }>([
  {
    name: "is not used in maintenance, and waited for until its end",
    scenario: unavailable("maintenance", { start: now, end: "2026-11-24T12:00:00Z" }),
    expected: {
      outcome: "waiting",
      expectedStart: "2026-11-24T12:00:00Z",
      rejections: { "offer.available": 1 },
    },
  },
  {
    name: "is used from the very end of its maintenance",
    scenario: unavailable("maintenance", { start: "2026-11-24T08:00:00Z", end: now }),
    expected: { outcome: "placed", rejections: {} },
  },
  {
    name: "is not counted on when its outage has no known end",
    scenario: unavailable("outages", { start: "2026-11-24T08:00:00Z" }),
    expected: { outcome: "refused", rejections: { "offer.available": 1 } },
  },
])("an offer $name", async ({ scenario, expected }) => {
  expect(await decideOn(scenario)).toMatchObject(expected);
});

const task = (more: object): Record<string, unknown> => ({
  workload: { type: "batch", name: "i", image: "x", batch: more, resources: { gpu: { count: 4 } } },
});

test("where neither estimate nor timeout is stated, an hour is assumed for cost and deadline, and said so (C-35)", async () => {
  const limits = { "constraints.max_total_cost": "4 EUR", "constraints.deadline": "2026-11-24T11:00:00Z" };
  const decision = await decideOn({ intent: { ...task({ parallel_tasks: 1 }), ...limits } });
  expect(decision.outcome).toBe("placed");
  expect(decision.warnings).toMatchObject([{ code: "assumption", path: "workload.batch" }]);
});

test("a cold start that the offer does not state counts as none for a deadline", async () => {
  const decision = await decideOn({ intent: { "constraints.deadline": now } });
  expect(decision).toMatchObject({ outcome: "placed", rejections: {} });
});

test("an estimate is scaled to the speed of the GPU it would run on", async () => {
  const fast: Offer = { annotations: { "gpu.fluidos.eu/model": "nvidia-h100-sxm" } };
  const slow: Offer = { annotations: { "gpu.fluidos.eu/model": "nvidia-t4" } };
  const wanted = task({ estimated_runtime: "2h", estimated_on: "nvidia-h100-sxm" });
  const limit = { "constraints.deadline": "2026-11-24T12:00:00Z" };
  expect(await decideOn({ intent: { ...wanted, ...limit }, offers: [fast] })).toMatchObject({
    outcome: "placed",
  });
  expect(await decideOn({ intent: { ...wanted, ...limit }, offers: [slow] })).toMatchObject({
    outcome: "refused",
    reason: "DEADLINE_UNREACHABLE",
    rejections: { deadline: 1 },
  });
});
