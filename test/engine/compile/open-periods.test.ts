import fc from "fast-check";
import { expect, test } from "vitest";
import { mayRunAt } from "../../../engine/assign/window.ts";
import { localMs } from "../../../engine/compile/local-time.ts";
import { nextPeriods, openPeriods, periodAt } from "../../../engine/compile/open-periods.ts";
import type { Availability } from "../../../engine/model/intent.ts";
import { formatTime, parseTime } from "../../../engine/model/time.ts";

const office: Availability = {
  windowStart: 9 * 60,
  windowEnd: 17 * 60,
  timezone: "Europe/Rome",
  daysOfWeek: [0, 1, 2, 3, 4],
  blackoutDates: [],
  maintenanceWindows: [],
};

/** Periods as texts; an open end is the empty text. */
const texts = (availability: Availability, from: string, days: number): string[] =>
  openPeriods(availability, parseTime(from), days).map(
    ({ startMs, endMs }) => `${formatTime(startMs)}/${Number.isFinite(endMs) ? formatTime(endMs) : ""}`,
  );

test.for<{ name: string; changes: Partial<Availability>; from: string; days: number; periods: string[] }>([
  {
    name: "office hours, in local time",
    changes: {},
    from: "2026-11-26T00:00:00Z",
    days: 4,
    periods: ["2026-11-26T08:00:00Z/2026-11-26T16:00:00Z", "2026-11-27T08:00:00Z/2026-11-27T16:00:00Z"],
  },
  {
    name: "the first period starts now, when the window is open",
    changes: {},
    from: "2026-11-26T12:34:56Z",
    days: 1,
    periods: ["2026-11-26T12:34:56Z/2026-11-26T16:00:00Z", "2026-11-27T08:00:00Z/"],
  },
  {
    name: "a window that crosses midnight belongs to the day it opens on",
    changes: { windowStart: 22 * 60, windowEnd: 6 * 60, daysOfWeek: [4] },
    from: "2026-11-26T00:00:00Z",
    days: 6,
    periods: ["2026-11-27T21:00:00Z/2026-11-28T05:00:00Z"],
  },
  {
    name: "a blackout date has no window, and none reaches into it from the day before",
    changes: {
      windowStart: 22 * 60,
      windowEnd: 6 * 60,
      daysOfWeek: [2, 3, 4],
      blackoutDates: ["2026-11-27"],
    },
    from: "2026-11-25T12:00:00Z",
    days: 4,
    periods: ["2026-11-25T21:00:00Z/2026-11-26T05:00:00Z", "2026-11-26T21:00:00Z/2026-11-26T23:00:00Z"],
  },
  {
    name: "equal times are a whole day, and adjacent days one period",
    changes: { windowStart: 0, windowEnd: 0, daysOfWeek: [5, 6] },
    from: "2026-11-26T12:00:00Z",
    days: 7,
    periods: ["2026-11-27T23:00:00Z/2026-11-29T23:00:00Z"],
  },
  {
    name: "a window of every hour of every day never closes",
    changes: { windowStart: 0, windowEnd: 0, daysOfWeek: [0, 1, 2, 3, 4, 5, 6] },
    from: "2026-11-26T12:00:00Z",
    days: 31,
    periods: ["2026-11-26T12:00:00Z/"],
  },
  {
    name: "weekly maintenance cuts the window, not before its first time",
    changes: {
      maintenanceWindows: [
        { start: "2026-11-26T09:00:00Z", end: "2026-11-26T10:00:00Z", frequency: "weekly" },
      ],
    },
    from: "2026-11-19T00:00:00Z",
    days: 8,
    periods: [
      "2026-11-19T08:00:00Z/2026-11-19T16:00:00Z",
      "2026-11-20T08:00:00Z/2026-11-20T16:00:00Z",
      "2026-11-23T08:00:00Z/2026-11-23T16:00:00Z",
      "2026-11-24T08:00:00Z/2026-11-24T16:00:00Z",
      "2026-11-25T08:00:00Z/2026-11-25T16:00:00Z",
      "2026-11-26T08:00:00Z/2026-11-26T09:00:00Z",
      "2026-11-26T10:00:00Z/2026-11-26T16:00:00Z",
    ],
  },
  {
    name: "monthly maintenance on the 31st skips months without one",
    changes: {
      windowStart: 0,
      windowEnd: 0,
      timezone: "UTC",
      daysOfWeek: [0, 1, 2, 3, 4, 5, 6],
      maintenanceWindows: [
        { start: "2026-10-31T00:00:00Z", end: "2026-10-31T06:00:00Z", frequency: "monthly" },
      ],
    },
    from: "2026-11-20T00:00:00Z",
    days: 45,
    periods: ["2026-11-20T00:00:00Z/2026-12-31T00:00:00Z", "2026-12-31T06:00:00Z/"],
  },
  {
    name: "when clocks go forward the window is an hour shorter, when they go back an hour longer",
    changes: { windowStart: 60, windowEnd: 4 * 60, daysOfWeek: [6] },
    from: "2026-03-28T00:00:00Z",
    days: 2,
    periods: ["2026-03-29T00:00:00Z/2026-03-29T02:00:00Z"],
  },
  {
    name: "a window that would open within a skipped hour opens when clocks go on",
    changes: { windowStart: 2 * 60 + 30, windowEnd: 5 * 60, daysOfWeek: [6] },
    from: "2026-03-28T00:00:00Z",
    days: 2,
    periods: ["2026-03-29T01:00:00Z/2026-03-29T03:00:00Z"],
  },
  {
    name: "an hour that comes twice is open twice",
    changes: { windowStart: 2 * 60, windowEnd: 2 * 60 + 30, daysOfWeek: [6] },
    from: "2026-10-24T00:00:00Z",
    days: 2,
    periods: ["2026-10-25T00:00:00Z/2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z/2026-10-25T01:30:00Z"],
  },
  {
    name: "an hour that clocks skip opens nothing",
    changes: { windowStart: 2 * 60, windowEnd: 3 * 60, daysOfWeek: [6] },
    from: "2026-03-28T00:00:00Z",
    days: 2,
    periods: [],
  },
])("$name", ({ changes, from, days, periods }) => {
  expect(texts({ ...office, ...changes }, from, days)).toEqual(periods);
});

const minutes = fc.constantFrom(0, 1, 90, 150, 12 * 60, 22 * 60 + 30, 23 * 60 + 59);
const availabilities: fc.Arbitrary<Availability> = fc.record({
  windowStart: minutes,
  windowEnd: minutes,
  timezone: fc.constantFrom("UTC", "Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"),
  daysOfWeek: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1 }).map((days) => days.sort()),
  blackoutDates: fc.uniqueArray(fc.constantFrom("2026-03-29", "2026-10-25", "2026-04-01"), { maxLength: 2 }),
  maintenanceWindows: fc.array(
    fc
      .record({
        day: fc.integer({ min: 1, max: 31 }),
        hour: fc.integer({ min: 0, max: 23 }),
        hours: fc.constantFrom(1, 30, 200),
        frequency: fc.constantFrom("weekly" as const, "monthly" as const),
      })
      .map(({ day, hour, hours, frequency }) => {
        const start = parseTime(
          `2026-01-${String(day).padStart(2, "0")}T${String(hour).padStart(2, "0")}:00:00Z`,
        );
        return { start: formatTime(start), end: formatTime(start + hours * 3_600_000), frequency };
      }),
    { maxLength: 2 },
  ),
});
/** Times around the days on which clocks change. */
const moments = fc
  .tuple(
    fc.constantFrom("2026-03-28T22:00:00Z", "2026-10-24T22:00:00Z"),
    fc.oneof(fc.integer({ min: 0, max: 48 }), fc.integer({ min: 0, max: 6 * 288 })),
  )
  .map(([from, steps]) => parseTime(from) + steps * 300_000);

test("the planner's periods are the moments the checker allows, second by second, over changes of the clock", () => {
  fc.assert(
    fc.property(availabilities, moments, fc.array(moments, { maxLength: 12 }), (availability, from, at) => {
      const periods = openPeriods(availability, from, 8);
      const edges = periods.flatMap(({ startMs, endMs }) => [startMs, endMs - 1000, endMs, startMs - 1000]);
      for (const moment of [...at, ...edges]) {
        if (!(moment >= from && moment < from + 7 * 86_400_000)) continue;
        const inside = periods.some(({ startMs, endMs }) => startMs <= moment && moment < endMs);
        expect(inside).toBe(mayRunAt(availability, formatTime(moment)));
      }
    }),
    { numRuns: 200 },
  );
});

test("the next opening is the first period that begins later, the current one is none", () => {
  const noon = parseTime("2026-11-26T12:00:00Z");
  expect(periodAt(office, noon)).toEqual({ startMs: noon, endMs: parseTime("2026-11-26T16:00:00Z") });
  expect(periodAt(office, parseTime("2026-11-26T16:00:00Z"))).toBeNull();
  expect(nextPeriods(office, noon, 2).map(({ startMs }) => formatTime(startMs))).toEqual([
    "2026-11-27T08:00:00Z",
    "2026-11-30T08:00:00Z",
  ]);
  const never: Availability = {
    ...office,
    maintenanceWindows: [{ start: "2026-01-01T00:00:00Z", end: "2026-01-08T00:00:00Z", frequency: "weekly" }],
  };
  expect(nextPeriods(never, noon, 1)).toEqual([]);
});

test("local clocks are the zone's own, in summer and in winter", () => {
  const shown = (at: string, zone: string): string => formatTime(localMs(parseTime(at), zone));
  expect(shown("2026-07-01T12:00:00Z", "Europe/Rome")).toBe("2026-07-01T14:00:00Z");
  expect(shown("2026-12-01T12:00:00Z", "Europe/Rome")).toBe("2026-12-01T13:00:00Z");
  expect(shown("2026-12-31T20:00:00Z", "Asia/Kolkata")).toBe("2027-01-01T01:30:00Z");
});
