import { EngineError } from "../../engine/model/errors.ts";
import { formatMicro, type Money, parseMicro } from "../../engine/model/money.ts";

/** Nano-units per unit of each suffix of a Kubernetes quantity. */
const suffixNano: Readonly<Record<string, bigint>> = {
  n: 1n,
  u: 1_000n,
  m: 1_000_000n,
  "": 1_000_000_000n,
  k: 10n ** 12n,
  M: 10n ** 15n,
  G: 10n ** 18n,
  T: 10n ** 21n,
  P: 10n ** 24n,
  E: 10n ** 27n,
  Ki: 1_000_000_000n << 10n,
  Mi: 1_000_000_000n << 20n,
  Gi: 1_000_000_000n << 30n,
  Ti: 1_000_000_000n << 40n,
  Pi: 1_000_000_000n << 50n,
  Ei: 1_000_000_000n << 60n,
};

const quantityForm =
  /^([+-]?)(\d*)(?:\.(\d*))?(?:(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)|[eE]([+-]?\d{1,3}))?$/;

/** What the readers say when a quantity does not parse. */
export const quantityAccepts = 'a Kubernetes quantity such as "500m", "4.5", "32Gi" or "1e3"';

/**
 * A Kubernetes quantity in billionths of its unit, exact; digits below a billionth round away from zero, as
 * Kubernetes does.
 *
 * @throws {EngineError} `invalid_format` when the text is not a quantity
 */
export function quantityNano(text: string): bigint {
  const match = quantityForm.exec(text.trim());
  const whole = match?.[2] ?? "";
  const fraction = match?.[3] ?? "";
  if (match === null || whole.length + fraction.length === 0)
    throw new EngineError("invalid_format", `"${text}" is not ${quantityAccepts}`);
  const digits = BigInt(whole + fraction || "0");
  const exponent = Number(match[5] ?? "0") - fraction.length;
  const unit = suffixNano[match[4] ?? ""] ?? 0n;
  const raised = digits * unit * 10n ** BigInt(Math.max(exponent, 0));
  const nano = divideUp(raised, 10n ** BigInt(Math.max(-exponent, 0)));
  return match[1] === "-" ? -nano : nano;
}

const divideUp = (value: bigint, by: bigint): bigint => (value + by - 1n) / by;

/** A Kubernetes quantity in its base unit (cores, bytes, Hz), as near as a double comes. */
export function parseQuantity(text: string): number {
  const nano = quantityNano(text);
  const whole = nano / 1_000_000_000n;
  return Number(whole) + Number(nano - whole * 1_000_000_000n) / 1e9;
}

/** How a value between two whole units is read: needs round up, capacities down. */
export type Rounding = "up" | "down";

/**
 * A non-negative quantity as whole thousandths: CPU "4.5" is 4500.
 *
 * @throws {EngineError} `invalid_format`, or `out_of_range` when negative or beyond 2^53
 */
export function parseMilli(text: string, rounding: Rounding): number {
  return wholeUnits(text, 1_000_000n, rounding);
}

/**
 * A non-negative quantity of bytes as whole MiB: "32Gi" is 32768.
 *
 * @throws {EngineError} `invalid_format`, or `out_of_range` when negative or beyond 2^53
 */
export function parseMebibytes(text: string, rounding: Rounding): number {
  return wholeUnits(text, 1_000_000_000n << 20n, rounding);
}

/**
 * A frequency quantity in whole MHz: "1.98G" is 1980.
 *
 * @throws {EngineError} `invalid_format`, or `out_of_range` when negative or beyond 2^53
 */
export function parseMegahertz(text: string, rounding: Rounding): number {
  return wholeUnits(text, 10n ** 15n, rounding);
}

function wholeUnits(text: string, unitNano: bigint, rounding: Rounding): number {
  const nano = quantityNano(text);
  if (nano < 0n) throw new EngineError("out_of_range", `"${text}" is negative`);
  const units = Number(rounding === "up" ? divideUp(nano, unitNano) : nano / unitNano);
  if (!Number.isSafeInteger(units)) throw new EngineError("out_of_range", `"${text}" is too large`);
  return units;
}

/** Canonical text of thousandths: 4000 is "4", 4500 is "4500m". */
export function formatMilli(milli: number): string {
  return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`;
}

/** Canonical text of MiB: 32768 is "32Gi", 49140 is "49140Mi". */
export function formatMebibytes(mib: number): string {
  return mib > 0 && mib % 1024 === 0 ? `${mib / 1024}Gi` : `${mib}Mi`;
}

/** Canonical text of MHz: 1980 is "1.98G". */
export function formatMegahertz(mhz: number): string {
  return mhz >= 1000 ? `${mhz / 1000}G` : `${mhz}M`;
}

/** Nanoseconds per unit of a Go duration. */
const durationNano: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** What the readers say when a duration does not parse. */
export const durationAccepts = 'a duration such as "90s", "30m" or "1h30m"';

/**
 * A Go duration in seconds, exact to a nanosecond before the conversion to a double: "1h30m" is 5400, "0" is 0.
 *
 * @throws {EngineError} `invalid_format` when the text is not a duration, `out_of_range` when it is negative
 */
export function parseDuration(text: string): number {
  return Number(durationNanoOf(text)) / 1e9;
}

/** A Go duration in milliseconds: "50ms" is 50. Throws as `parseDuration` does. */
export function parseDurationMs(text: string): number {
  return Number(durationNanoOf(text)) / 1e6;
}

function durationNanoOf(text: string): bigint {
  const trimmed = text.trim();
  if (/^[+]?0$/.test(trimmed)) return 0n;
  if (/^-/.test(trimmed)) throw new EngineError("out_of_range", `"${text}" is negative`);
  if (!/^\+?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(trimmed))
    throw new EngineError("invalid_format", `"${text}" is not ${durationAccepts}`);
  let total = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of trimmed.matchAll(
    /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/g,
  ))
    total += (BigInt(whole + fraction || "0") * (durationNano[unit] ?? 0n)) / 10n ** BigInt(fraction.length);
  return total;
}

/** Canonical Go text of seconds: 5400 is "1h30m", 0.25 is "250ms", 0 is "0s". */
export function formatDuration(seconds: number): string {
  if (!Number.isInteger(seconds)) {
    const nano = Math.round(seconds * 1e9);
    if (nano % 1e6 === 0 && seconds < 1) return `${nano / 1e6}ms`;
    const [, fraction = ""] = (nano / 1e9).toFixed(9).replace(/0+$/, "").split(".");
    const whole = Math.floor(nano / 1e9);
    return `${whole < 60 ? "" : formatDuration(whole - (whole % 60))}${whole % 60}.${fraction || "0"}s`;
  }
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = seconds % 60;
  const text = `${hours > 0 ? `${hours}h` : ""}${minutes > 0 ? `${minutes}m` : ""}${rest > 0 ? `${rest}s` : ""}`;
  return text === "" ? "0s" : text;
}

/** What the readers say when an amount of money does not parse. */
export const moneyAccepts =
  'an amount such as "5.50 EUR", "5.50 EUR/hour" or 5.50 (a bare number is in EUR, at most six decimal places)';

const currencies: ReadonlySet<string> = new Set(Intl.supportedValuesOf("currency"));

/** Whether the text is an ISO 4217 code, upper case. */
export function isCurrency(code: string): boolean {
  return currencies.has(code);
}

/**
 * An amount of money, or a rate per hour: "5", "10 EUR", "10 EUR/hour", 4.5.
 *
 * @param currency what a bare number is in
 * @throws {EngineError} `invalid_format` when it is no such amount, has more than six decimal places or an unknown
 * currency; `out_of_range` when negative or too large
 */
export function parseMoney(value: string | number, currency = "EUR"): Money {
  const text = String(value).trim();
  const match = /^([+-]?[\d.]+)(?:\s*([A-Za-z]{3}))?(?:\s*(?:\/|per\s+)\s*(?:h|hr|hour))?$/.exec(text);
  if (match === null) throw new EngineError("invalid_format", `"${text}" is not ${moneyAccepts}`);
  const code = (match[2] ?? currency).toUpperCase();
  if (!isCurrency(code))
    throw new EngineError("invalid_format", `"${text}": ${code} is not a currency code of ISO 4217`);
  const amount = match[1] ?? "";
  if (amount.startsWith("-")) throw new EngineError("out_of_range", `"${text}" is negative`);
  return { micro: parseMicro(amount.replace("+", "")), currency: code };
}

/** Canonical text of an amount: "1.80 EUR". */
export function formatMoney(money: Money): string {
  return `${formatMicro(money.micro)} ${money.currency}`;
}
