import fc from "fast-check";
import { expect, test } from "vitest";
import { convert, formatMicro, parseMicro } from "../../../engine/model/money.ts";
import { formatTime, parseTime } from "../../../engine/model/time.ts";

test("an amount survives writing and reading exactly", () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), (micro) => {
      expect(parseMicro(formatMicro(micro))).toBe(micro);
    }),
  );
  expect([formatMicro(1_800_000), formatMicro(4_500_000), formatMicro(1_234_500), formatMicro(0)]).toEqual([
    "1.80",
    "4.50",
    "1.2345",
    "0.00",
  ]);
});

test.for(["", ".", "1e3", "-1", "1.0000001", "5 EUR", "0x10", "99999999999999999999"])(
  "%j is not an amount",
  (text) => {
    expect(() => parseMicro(text)).toThrow();
  },
);

test("conversion rounds half up, keeps its own currency exact and knows what it does not know", () => {
  const rates = { USD: 880_000, JPY: 6_100 };
  expect(convert({ micro: 1_000_000, currency: "USD" }, "EUR", rates)).toBe(880_000);
  expect(convert({ micro: 1, currency: "JPY" }, "EUR", rates)).toBe(0);
  expect(convert({ micro: 7, currency: "EUR" }, "EUR", rates)).toBe(7);
  expect(convert({ micro: 7, currency: "GBP" }, "EUR", rates)).toBeNull();
  expect(convert({ micro: 7, currency: "constructor" }, "EUR", rates)).toBeNull();
});

test("times read like the platform's own and write back", () => {
  fc.assert(
    fc.property(fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }), (date) => {
      expect(parseTime(date.toISOString())).toBe(date.getTime());
      expect(formatTime(date.getTime())).toBe(`${date.toISOString().slice(0, 19)}Z`);
      expect(parseTime(formatTime(date.getTime()))).toBe(date.getTime() - date.getUTCMilliseconds());
    }),
  );
  expect(parseTime("2026-01-05T12:00:00+02:00")).toBe(Date.parse("2026-01-05T10:00:00Z"));
  expect(parseTime("2024-02-29T23:59:60Z")).toBe(Date.parse("2024-03-01T00:00:00Z"));
});

test.for([
  "yesterday",
  "2026-00-01T00:00:00Z",
  "2026-13-01T00:00:00Z",
  "2026-01-00T00:00:00Z",
  "2026-02-29T00:00:00Z",
  "1900-02-29T00:00:00Z",
  "2026-04-31T00:00:00Z",
  "2026-01-01T24:00:00Z",
  "2026-01-01T00:60:00Z",
  "2026-01-01T00:00:61Z",
  "2026-01-01T00:00:00+24:00",
  "2026-01-01T00:00:00+01:60",
])("%s is no time", (text) => {
  expect(() => parseTime(text)).toThrow(/RFC 3339/);
});

test("conversion is that of whole numbers, however large", () => {
  const amounts = fc.oneof(fc.nat(100_000_000), fc.integer({ min: 0, max: 9_000_000_000_000 }));
  fc.assert(
    fc.property(amounts, fc.oneof(fc.nat(3_000_000), fc.nat(2_000_000_000)), (micro, rate) => {
      const exact = Number((BigInt(micro) * BigInt(rate) + 500_000n) / 1_000_000n);
      expect(convert({ micro, currency: "USD" }, "EUR", { USD: rate })).toBe(exact);
    }),
  );
});
