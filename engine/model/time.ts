import { EngineError } from "./errors.ts";

/** Days from 1970-01-01 to a proleptic Gregorian date (Hinnant's days_from_civil). */
export function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

/** Number of the two digits of a text at a place; NaN where there are none. */
function twoAt(text: string, index: number): number {
  const tens = text.charCodeAt(index) - 48;
  const ones = text.charCodeAt(index + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/**
 * The same as `parseTime` for texts as `formatTime` writes them, which nearly all are: `2026-03-01T00:00:00Z`. NaN for
 * any other text.
 */
function parsePlain(text: string): number {
  const isPlain =
    text.length === 20 &&
    text[4] === "-" &&
    text[7] === "-" &&
    text[10] === "T" &&
    text[13] === ":" &&
    text[16] === ":" &&
    text[19] === "Z";
  if (!isPlain) return Number.NaN;
  const year = twoAt(text, 0) * 100 + twoAt(text, 2);
  const [month, day] = [twoAt(text, 5), twoAt(text, 8)];
  const [hour, minute, second] = [twoAt(text, 11), twoAt(text, 14), twoAt(text, 17)];
  // the longer way says what is wrong
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 28 && hour <= 23 && minute <= 59 && second <= 59))
    return Number.NaN;
  return (daysFromCivil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) * 1000;
}

/**
 * Milliseconds since 1970 of an RFC 3339 time, as data: the engine has no clock and uses no `Date`.
 *
 * @throws {EngineError} `invalid_format` when the text is not RFC 3339
 */
export function parseTime(text: string): number {
  const plain = parsePlain(text);
  if (!Number.isNaN(plain)) return plain;
  const match =
    /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/.exec(
      text,
    );
  const part = (index: number): number => Number(match?.[index] ?? "0");
  const [month, day] = [part(2), part(3)];
  const isTime =
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysIn(part(1), month) &&
    part(4) <= 23 &&
    part(5) <= 59 &&
    // a leap second
    part(6) <= 60 &&
    part(9) <= 23 &&
    part(10) <= 59;
  if (match === null || !isTime) throw new EngineError("invalid_format", `"${text}" is not an RFC 3339 time`);
  const days = daysFromCivil(part(1), month, day);
  const offset = (match[8] === "-" ? -1 : 1) * (part(9) * 60 + part(10));
  const seconds = days * 86400 + part(4) * 3600 + (part(5) - offset) * 60 + part(6);
  return seconds * 1000 + Math.floor(Number((match[7] ?? "").padEnd(3, "0").slice(0, 3)));
}

/** RFC 3339 UTC text, whole seconds, of milliseconds since 1970. */
export function formatTime(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const days = Math.floor(seconds / 86400);
  const rest = seconds - days * 86400;
  const shifted = days + 719468;
  const era = Math.floor(shifted / 146097);
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthIndex = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthIndex + 2) / 5) + 1;
  const month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const two = (value: number): string => (value < 10 ? `0${value}` : String(value));
  const clock = `${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T${clock}Z`;
}
