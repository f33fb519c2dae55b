import type { Availability } from "../model/intent.ts";
import { daysFromCivil, formatTime, parseTime } from "../model/time.ts";
import { localMs, offsetMs } from "./local-time.ts";

const DAY = 86_400_000;
const WEEK = 7 * DAY;

/** A stretch of time in which a workload may run; the end is not part of it. Milliseconds since 1970. */
export interface OpenPeriod {
  readonly startMs: number;
  /** Infinity when nothing closes it within the days looked at. */
  readonly endMs: number;
}

/** Civil date of a day since 1970, `YYYY-MM-DD`. */
const dateOf = (day: number): string => formatTime(day * DAY).slice(0, 10);

/** Day of the week, 0 is Monday: 1970 began on a Thursday. */
const weekdayOf = (day: number): number => (((day + 3) % 7) + 7) % 7;

/** One maintenance window on the local clock. */
interface Maintenance {
  readonly startMs: number;
  readonly lengthMs: number;
  readonly monthly: boolean;
}

function maintenanceOf({ maintenanceWindows, timezone }: Availability): Maintenance[] {
  return maintenanceWindows.map(({ start, end, frequency }) => ({
    startMs: localMs(parseTime(start), timezone),
    lengthMs: parseTime(end) - parseTime(start),
    monthly: frequency === "monthly",
  }));
}

/** Starts of a maintenance window on the local clock whose end is after `from`, up to `to`. */
function occurrences({ startMs, lengthMs, monthly }: Maintenance, from: number, to: number): number[] {
  const found: number[] = [];
  if (!monthly) {
    const first = Math.max(0, Math.floor((from - lengthMs - startMs) / WEEK));
    for (let at = startMs + first * WEEK; at <= to; at += WEEK) if (at + lengthMs > from) found.push(at);
    return found;
  }
  const [year = 1970, month = 1, day = 1] = dateOf(Math.floor(startMs / DAY))
    .split("-")
    .map(Number);
  const time = startMs - Math.floor(startMs / DAY) * DAY;
  for (let step = 0; ; step++) {
    const index = month - 1 + step;
    const [y, m] = [year + Math.floor(index / 12), (index % 12) + 1];
    const first = daysFromCivil(y, m, 1);
    if (first * DAY > to) return found;
    const days = daysFromCivil(m === 12 ? y + 1 : y, (m % 12) + 1, 1) - first;
    const at = (first + day - 1) * DAY + time;
    // a month without that day has no maintenance
    if (day <= days && at <= to && at + lengthMs > from) found.push(at);
  }
}

/** Whether the daily window is open when local clocks show `local`. */
function inWindow(
  { windowStart, windowEnd, daysOfWeek, blackoutDates }: Availability,
  local: number,
): boolean {
  const day = Math.floor(local / DAY);
  const minute = (local - day * DAY) / 60_000;
  const opens = (on: number): boolean =>
    daysOfWeek.includes(weekdayOf(on)) && !blackoutDates.includes(dateOf(on));
  if (blackoutDates.includes(dateOf(day))) return false;
  if (windowStart < windowEnd) return minute >= windowStart && minute < windowEnd && opens(day);
  return (minute >= windowStart && opens(day)) || (minute < windowEnd && opens(day - 1));
}

/** Moments of the local clock at which something may open or close, between `from` and `to`. */
function localEdges(
  availability: Availability,
  maintenance: readonly Maintenance[],
  from: number,
  to: number,
): number[] {
  const edges: number[] = [];
  for (let day = Math.floor(from / DAY) - 1; day * DAY <= to; day++)
    edges.push(
      day * DAY,
      day * DAY + availability.windowStart * 60_000,
      day * DAY + availability.windowEnd * 60_000,
    );
  for (const one of maintenance)
    for (const at of occurrences(one, from, to)) edges.push(at, at + one.lengthMs);
  return edges;
}

/** Instant in (`from`, `to`] at which the offset of the time zone changes, given that it does. */
function transition(from: number, to: number, timezone: string): number {
  const before = offsetMs(from, timezone);
  let [low, high] = [from, to];
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000;
    if (offsetMs(middle, timezone) === before) low = middle;
    else high = middle;
  }
  return high;
}

/** Every instant after `from` at which the workload may begin or cease to be allowed, ascending. */
function edgesAfter(
  availability: Availability,
  maintenance: readonly Maintenance[],
  from: number,
  to: number,
): number[] {
  const { timezone } = availability;
  const found = new Set<number>();
  for (let at = from; at < to; at += DAY)
    if (offsetMs(at, timezone) !== offsetMs(at + DAY, timezone))
      found.add(transition(at, at + DAY, timezone));
  for (const edge of localEdges(availability, maintenance, localMs(from, timezone), localMs(to, timezone))) {
    // the offset in force is the one before or after any change on that day; a clock time may come twice
    found.add(edge - offsetMs(edge - DAY, timezone));
    found.add(edge - offsetMs(edge + DAY, timezone));
  }
  return [...found].filter((at) => at > from && at <= to).sort((a, b) => a - b);
}

/**
 * The periods in which an availability block lets a workload run, from an instant on, over some days ahead: its daily
 * window on its days of the week in its time zone, less blackout dates and maintenance. Adjacent windows are one period.
 *
 * A window whose end is not after its start runs into the next day; equal times are a whole day. A blackout date has no
 * window, and none of the day before reaches into it. Maintenance recurs on the local clock; a month without its day
 * has none.
 */
export function openPeriods(availability: Availability, fromMs: number, days: number): OpenPeriod[] {
  const maintenance = maintenanceOf(availability);
  const isOpen = (at: number): boolean => {
    const local = localMs(at, availability.timezone);
    return (
      inWindow(availability, local) && maintenance.every((one) => occurrences(one, local, local).length === 0)
    );
  };
  const periods: OpenPeriod[] = [];
  let since = isOpen(fromMs) ? fromMs : null;
  for (const at of edgesAfter(availability, maintenance, fromMs, fromMs + days * DAY)) {
    const open = isOpen(at);
    if (open && since === null) since = at;
    if (open || since === null) continue;
    periods.push({ startMs: since, endMs: at });
    since = null;
  }
  if (since !== null) periods.push({ startMs: since, endMs: Number.POSITIVE_INFINITY });
  return periods;
}

/** Days looked ahead for the next opening: some first, then enough for any weekly or monthly rhythm. */
const horizons: readonly number[] = [15, 400];

/** The next periods after an instant that do not begin before it, at most `count`; empty when it never opens again. */
export function nextPeriods(availability: Availability, afterMs: number, count: number): OpenPeriod[] {
  for (const days of horizons) {
    const later = openPeriods(availability, afterMs, days).filter(({ startMs }) => startMs > afterMs);
    if (later.length >= count || days === horizons[horizons.length - 1]) return later.slice(0, count);
  }
  return [];
}

/** The period that contains an instant, or null when the workload may not run then. */
export function periodAt(availability: Availability, atMs: number): OpenPeriod | null {
  const [first] = openPeriods(availability, atMs, 31);
  return first?.startMs === atMs ? first : null;
}
