import { EngineError } from "./errors.ts";

/** Integer millionths of a currency unit; safe up to 9e9 units. */
export type Micro = number;

/** An amount per hour (or a total) in integer micro-units of an ISO 4217 currency. */
export interface Money {
  readonly micro: Micro;
  readonly currency: string;
}

/**
 * Exchange rates as integer micro-units of the snapshot's currency per one unit of the foreign one:
 * `{ USD: 880000 }` in a EUR snapshot says 1 USD = 0.88 EUR.
 */
export type Rates = Readonly<Record<string, Micro>>;

/**
 * Converts to `currency`, rounding half away from zero to whole micro-units, or null when no rate is known.
 * The same currency converts to itself exactly.
 */
export function convert(amount: Money, currency: string, rates: Rates): Micro | null {
  if (amount.currency === currency) return amount.micro;
  const rate = Object.hasOwn(rates, amount.currency) ? rates[amount.currency] : undefined;
  if (rate === undefined) return null;
  const sum = amount.micro * rate + 500_000;
  // exact, and many times faster: nearly all prices are small enough
  if (sum >= 500_000 && sum <= Number.MAX_SAFE_INTEGER) return (sum - (sum % 1_000_000)) / 1_000_000;
  const product = BigInt(amount.micro) * BigInt(rate);
  const half = product >= 0n ? 500_000n : -500_000n;
  return Number((product + half) / 1_000_000n);
}

/** Shortest decimal text of an amount with at least two places: 1_800_000 is `1.80`, 1_234_500 is `1.2345`. */
export function formatMicro(micro: Micro): string {
  const sign = micro < 0 ? "-" : "";
  const whole = Math.floor(Math.abs(micro) / 1_000_000);
  const fraction = String(Math.abs(micro) % 1_000_000)
    .padStart(6, "0")
    .replace(/0+$/, "");
  return `${sign}${whole}.${fraction.padEnd(2, "0")}`;
}

/**
 * Reads a plain decimal number ("5", "5.50", ".5") exactly into micro-units; digits beyond the sixth place are
 * an error, because they would be lost.
 *
 * @throws {EngineError} `invalid_format` when the text is not such a number
 */
export function parseMicro(text: string): Micro {
  const match = /^(\d*)(?:\.(\d*))?$/.exec(text);
  const whole = match?.[1] ?? "";
  const fraction = match?.[2] ?? "";
  if (match === null || whole.length + fraction.length === 0 || fraction.replace(/0+$/, "").length > 6)
    throw new EngineError("invalid_format", `"${text}" is not a decimal amount with at most six places`);
  const micro = Number(whole || "0") * 1_000_000 + Number(fraction.slice(0, 6).padEnd(6, "0"));
  if (!Number.isSafeInteger(micro)) throw new EngineError("out_of_range", `amount ${text} is too large`);
  return micro;
}
