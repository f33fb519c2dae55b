import fc from "fast-check";
import { expect, test } from "vitest";
import {
  formatDuration,
  formatMebibytes,
  formatMegahertz,
  formatMilli,
  formatMoney,
  parseDuration,
  parseDurationMs,
  parseMebibytes,
  parseMegahertz,
  parseMilli,
  parseMoney,
  parseQuantity,
  quantityNano,
} from "../../../adapters/kubernetes/quantity.ts";
import { EngineError } from "../../../engine/model/errors.ts";

test.for<[string, bigint]>([
  ["0", 0n],
  ["1", 1_000_000_000n],
  ["4.5", 4_500_000_000n],
  [".5", 500_000_000n],
  ["5.", 5_000_000_000n],
  ["+2", 2_000_000_000n],
  ["-2", -2_000_000_000n],
  ["250m", 250_000_000n],
  ["3u", 3_000n],
  ["7n", 7n],
  ["0.1n", 1n],
  ["1k", 1_000_000_000_000n],
  ["2M", 2_000_000_000_000_000n],
  ["1e3", 1_000_000_000_000n],
  ["1E3", 1_000_000_000_000n],
  ["1e-3", 1_000_000n],
  ["1.5Ki", 1_536_000_000_000n],
  ["1E", 10n ** 27n],
  ["1Ei", (1n << 60n) * 1_000_000_000n],
])("the quantity %s is %s nano-units", ([text, nano]) => {
  expect(quantityNano(text)).toBe(nano);
});

test.for([
  "",
  ".",
  "Gi",
  "1GB",
  "1 Gi",
  "1gi",
  "1Gib",
  "1e",
  "e3",
  "0x10",
  "NaN",
  "1.2.3",
  "--1",
  "1e1000",
  "∞",
])("%j is no quantity", (text) => {
  expect(() => quantityNano(text)).toThrow(EngineError);
});

test("needs round up and capacities down, so that a fit is a fit", () => {
  expect([parseMebibytes("1.1Mi", "up"), parseMebibytes("1.1Mi", "down")]).toEqual([2, 1]);
  expect([parseMilli("0.0001", "up"), parseMilli("0.0001", "down")]).toEqual([1, 0]);
  expect([parseMegahertz("1500.5M", "up"), parseMegahertz("1500.5M", "down")]).toEqual([1501, 1500]);
  expect(parseMebibytes("80Gi", "up")).toBe(81920);
  expect(parseMebibytes("80G", "down")).toBe(76293);
});

test("negative and huge amounts are out of range", () => {
  expect(() => parseMilli("-1", "up")).toThrow(/negative/);
  expect(() => parseMebibytes("1e30", "up")).toThrow(/too large/);
});

test("parseQuantity is the value in base units", () => {
  expect([parseQuantity("250m"), parseQuantity("2Ki"), parseQuantity("1.98G")]).toEqual([
    0.25, 2048, 1_980_000_000,
  ]);
});

test.for<[string, number]>([
  ["0", 0],
  ["0s", 0],
  ["30s", 30],
  ["1h30m", 5400],
  ["1.5h", 5400],
  [".5m", 30],
  ["250ms", 0.25],
  ["2h45m30.5s", 9930.5],
  ["100us", 0.0001],
  ["100µs", 0.0001],
])("the duration %s is %d seconds", ([text, seconds]) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.for(["", "5", "1d", "h", "-5s", "1h -5m", "1 h", "five minutes"])("%j is no duration", (text) => {
  expect(() => parseDuration(text)).toThrow(EngineError);
});

test("a latency in a duration is in milliseconds", () => {
  expect([parseDurationMs("50ms"), parseDurationMs("1.5s")]).toEqual([50, 1500]);
});

test.for<[string | number, number, string]>([
  ["5", 5_000_000, "EUR"],
  ["10 EUR", 10_000_000, "EUR"],
  ["10EUR", 10_000_000, "EUR"],
  ["10 eur/hour", 10_000_000, "EUR"],
  ["0.55 USD/h", 550_000, "USD"],
  ["3 USD per hour", 3_000_000, "USD"],
  [4.5, 4_500_000, "EUR"],
  [0, 0, "EUR"],
  ["0.000001", 1, "EUR"],
])("the amount %j is %d micro-%s", ([text, micro, currency]) => {
  expect(parseMoney(text)).toEqual({ micro, currency });
});

test("a bare amount is in the currency that is passed", () => {
  expect(parseMoney("5", "USD")).toEqual({ micro: 5_000_000, currency: "USD" });
});

test.for([
  "",
  "EUR",
  "five EUR",
  "-5 EUR",
  "5 XQZ",
  "5 EURO",
  "5 EUR/month",
  "1e3",
  "1,50 EUR",
  "0.0000001",
  "1e300",
])("%j is no amount", (text) => {
  expect(() => parseMoney(text)).toThrow(EngineError);
});

test("what is written is read back", () => {
  fc.assert(
    fc.property(fc.nat(200_000), (value) => {
      expect(parseMebibytes(formatMebibytes(value), "up")).toBe(value);
      expect(parseMilli(formatMilli(value), "up")).toBe(value);
      expect(parseMegahertz(formatMegahertz(value), "up")).toBe(value);
      expect(parseDuration(formatDuration(value))).toBe(value);
      expect(parseDuration(formatDuration(value / 4))).toBe(value / 4);
      expect(parseMoney(formatMoney({ micro: value, currency: "USD" }))).toEqual({
        micro: value,
        currency: "USD",
      });
    }),
    { numRuns: 200 },
  );
});

test("durations are written as Go writes them", () => {
  expect([0, 90, 5400, 0.25, 60.5].map(formatDuration)).toEqual(["0s", "1m30s", "1h30m", "250ms", "1m0.5s"]);
});
