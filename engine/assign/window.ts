import type { Availability } from "../model/intent.ts";
import { daysFromCivil, parseTime } from "../model/time.ts";

/** Clock and calendar of a time zone at an instant. */
interface Clock {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  /** Seconds since local midnight. */
  readonly second: number;
  /** Days since 1970. */
  readonly date: number;
}

function clockAt(ms: number, timezone: string): Clock {
  const text = new Intl.DateTimeFormat("sv-SE", {
    timeZone: timezone,
    dateStyle: "short",
    timeStyle: "medium",
  }).format(ms);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (text.match(/\d+/g) ?? []).map(
    Number,
  );
  const date = daysFromCivil(year, month, day);
  return { year, month, day, second: (hour * 60 + minute) * 60 + second, date };
}

function isMaintained(availability: Availability, now: Clock): boolean {
  const seconds = (clock: Clock): number => clock.date * 86_400 + clock.second;
  return availability.maintenanceWindows.some(({ start, end, frequency }) => {
    const first = clockAt(parseTime(start), availability.timezone);
    const length = (parseTime(end) - parseTime(start)) / 1000;
    const since = seconds(now) - seconds(first);
    if (since < 0) return false;
    if (frequency === "weekly") return since % (7 * 86_400) < length;
    const months = (now.year - first.year) * 12 + now.month - first.month;
    for (let back = 0; back <= months; back++) {
      const index = now.year * 12 + now.month - 1 - back;
      const start = daysFromCivil(Math.floor(index / 12), (index % 12) + 1, 1);
      const next = daysFromCivil(Math.floor((index + 1) / 12), ((index + 1) % 12) + 1, 1);
      const gone = seconds(now) - (start + first.day - 1) * 86_400 - first.second;
      if (start + first.day - 1 < next && gone >= 0 && gone < length) return true;
    }
    return false;
  });
}

/**
 * Whether a workload with this availability block may run at an instant: the checker's own reading, second by second,
 * which shares nothing with the one that plans.
 *
 * @param at RFC 3339
 */
export function mayRunAt(availability: Availability, at: string): boolean {
  const now = clockAt(parseTime(at), availability.timezone);
  const { windowStart, windowEnd, daysOfWeek } = availability;
  const blackouts = availability.blackoutDates.map((date) => parseTime(`${date}T00:00:00Z`) / 86_400_000);
  if (blackouts.includes(now.date) || isMaintained(availability, now)) return false;
  const days = windowStart < windowEnd ? [0] : [0, -1];
  return days.some((shift) => {
    const date = now.date + shift;
    const open = (date * 24 * 60 + windowStart) * 60;
    const close = ((date + (windowStart < windowEnd ? 0 : 1)) * 24 * 60 + windowEnd) * 60;
    const second = now.date * 86_400 + now.second;
    const isDay = daysOfWeek.includes((((date + 3) % 7) + 7) % 7);
    return isDay && !blackouts.includes(date) && second >= open && second < close;
  });
}
