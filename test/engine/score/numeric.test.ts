import fc from "fast-check";
import { expect, test } from "vitest";
import { distanceKm, estimateRoundTripMs, latencyMs } from "../../../engine/score/latency.ts";
import { asin, exp, ln, sinCosDegrees } from "../../../engine/score/numeric.ts";
import { spotFactor } from "../../../engine/score/spot.ts";
import { flavor } from "../builders.ts";

const close = (value: number, expected: number, relative = 2e-15): void => {
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(relative * Math.max(Math.abs(expected), 1e-3));
};

test("ln agrees with the platform's logarithm to the last digits over the whole range", () => {
  for (const x of [1, 2, 0.5, 1e-300, 5e-324, 1e300, Math.SQRT2, 0.9999999, 1.0000001, 1000, 3.3e-5])
    close(ln(x), Math.log(x));
  fc.assert(fc.property(fc.double({ min: 1e-12, max: 1e12, noNaN: true }), (x) => close(ln(x), Math.log(x))));
  expect([ln(0), ln(-1), ln(Infinity)]).toEqual([-Infinity, NaN, Infinity]);
});

test("exp inverts ln and agrees with the platform", () => {
  fc.assert(
    fc.property(fc.double({ min: -600, max: 600, noNaN: true }), (x) =>
      close(exp(x) / Math.exp(x), 1, 1e-14),
    ),
  );
  expect([exp(-1000), exp(1000), exp(0)]).toEqual([0, Infinity, 1]);
});

test("sine, cosine and arc sine agree with the platform", () => {
  fc.assert(
    fc.property(fc.double({ min: -360, max: 360, noNaN: true }), (degrees) => {
      const { sin, cos } = sinCosDegrees(degrees);
      expect(Math.abs(sin - Math.sin((degrees * Math.PI) / 180))).toBeLessThan(3e-15);
      expect(Math.abs(cos - Math.cos((degrees * Math.PI) / 180))).toBeLessThan(3e-15);
    }),
  );
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (x) => close(asin(x), Math.asin(x), 1e-14)),
  );
});

test("distances between known cities are right to a percent", () => {
  const frankfurt = { latitude: 50.11, longitude: 8.68 };
  const virginia = { latitude: 38.95, longitude: -77.45 };
  const sydney = { latitude: -33.87, longitude: 151.21 };
  expect(distanceKm(frankfurt, virginia)).toBeCloseTo(6520, -2);
  expect(distanceKm(frankfurt, sydney)).toBeCloseTo(16480, -2);
  expect(distanceKm(frankfurt, frankfurt)).toBe(0);
  expect(estimateRoundTripMs(frankfurt, frankfurt)).toBe(1);
  expect(estimateRoundTripMs(frankfurt, virginia)).toBeCloseTo((2 * 6520 * 1.6) / 200 + 2, -1);
});

test("a measured latency counts only from where it was measured", () => {
  const offer = flavor("a", { network: { latencyMs: 7 } });
  const turin = { latitude: 45.07, longitude: 7.69 };
  expect(latencyMs(offer, { coordinates: turin, measured: true })).toBe(7);
  expect(latencyMs(offer, { coordinates: turin, measured: false })).toBeGreaterThan(7);
  expect(
    latencyMs({ ...flavor("a"), network: {}, coordinates: undefined } as never, { measured: true }),
  ).toBeNaN();
});

test("an interruption costs the segment it destroys: the closed form equals the sum of its series", () => {
  const rate = 0.2;
  const hours = 3;
  const restart = 0.1;
  const failures = Math.exp(rate * hours) - 1;
  expect(spotFactor(rate, { segmentHours: hours })).toBeCloseTo(
    (failures / rate + failures * restart) / hours,
    12,
  );
  expect(spotFactor(0, { segmentHours: hours })).toBe(1);
  expect(spotFactor(rate, {})).toBeCloseTo(1 + rate * restart, 12);
  expect(spotFactor(1, { segmentHours: 100 })).toBeGreaterThan(1e6);
});
