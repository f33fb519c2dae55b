import { daysFromCivil } from "../model/time.ts";

/** Formats are costly to make and pure to use, so each time zone has one. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timezone: string): Intl.DateTimeFormat {
  let format = formats.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US-u-ca-iso8601-nu-latn", {
      timeZone: timezone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(timezone, format);
  }
  return format;
}

/**
 * What the clocks of a time zone show at an instant, as the milliseconds since 1970 at which UTC clocks would show the
 * same. The rules of time zones are the platform's own: the only table the engine does not bring along.
 *
 * @param timezone IANA name; readers refuse unknown ones
 */
export function localMs(ms: number, timezone: string): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(timezone).formatToParts(ms)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  const seconds = daysFromCivil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
  return seconds * 1000 + (ms - Math.floor(ms / 1000) * 1000);
}

/** Milliseconds by which the clocks of a time zone are ahead of UTC at an instant. */
export function offsetMs(ms: number, timezone: string): number {
  return localMs(ms, timezone) - ms;
}
