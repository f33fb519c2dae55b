import fc from "fast-check";
import { expect, test } from "vitest";
import { greedy, onDemand, ours } from "../../../bench/spot-policies.ts";
import { generateSeries, type Instance, optimum, play, type Series } from "../../../bench/spot-series.ts";

/** Short series with every pattern of up and down, so that outages come at the worst moments. */
const instances: fc.Arbitrary<Instance> = fc
  .record({
    up: fc.array(fc.array(fc.constantFrom(0, 1), { minLength: 60, maxLength: 60 }), {
      minLength: 1,
      maxLength: 2,
    }),
    work: fc.integer({ min: 1, max: 20 }),
    slack: fc.integer({ min: 0, max: 20 }),
    changeover: fc.integer({ min: 0, max: 4 }),
    start: fc.integer({ min: 0, max: 10 }),
  })
  .map(({ up, work, slack, changeover, start }) => ({
    zones: up.map(
      (slots, index): Series => ({
        name: `zone-${index}`,
        slotSeconds: 195,
        isUp: Uint8Array.from(slots),
      }),
    ),
    start,
    work,
    deadline: work + changeover + slack,
    changeover,
    priceRatio: 0.4,
    history: start,
  }));

test("never misses a deadline that on-demand capacity could meet", () => {
  fc.assert(
    fc.property(instances, (instance) => {
      expect(play(instance, onDemand(instance)).isDone).toBe(true);
      expect(play(instance, ours(instance)).isDone).toBe(true);
    }),
    { numRuns: 600 },
  );
});

test("nobody does better than the optimum that knows the whole series", () => {
  fc.assert(
    fc.property(instances, (instance) => {
      const least = optimum(instance);
      for (const policy of [ours, greedy, onDemand]) {
        const { cost, isDone } = play(instance, policy(instance));
        if (isDone) expect(cost).toBeGreaterThanOrEqual(least - 1e-9);
      }
    }),
    { numRuns: 200 },
  );
});

test("the optimum is the cheapest of all ways to run, tried one by one", () => {
  const small = instances.filter(
    ({ work, deadline, zones }) => work <= 3 && deadline <= 6 && zones.length === 1,
  );
  fc.assert(
    fc.property(small, (instance) => {
      const choices = ["idle", "on-demand", 0] as const;
      let least = Number.POSITIVE_INFINITY;
      for (let code = 0; code < 3 ** instance.deadline; code++) {
        let rest = code;
        const { cost, isDone } = play(instance, ({ zones }) => {
          const choice = choices[rest % 3]!;
          rest = Math.floor(rest / 3);
          return choice === 0 && !zones[0]!.isUp ? "idle" : choice;
        });
        if (isDone) least = Math.min(least, cost);
      }
      expect(optimum(instance)).toBeCloseTo(least, 9);
    }),
    { numRuns: 25 },
  );
});

test("closes most of greedy's gap to the optimum on series with long stretches up and down", () => {
  const zones = [generateSeries("made", 6000, 7, 0.6)];
  const sums = { greedy: 0, ours: 0, optimum: 0 };
  for (let start = 1000; start < 4200; start += 400) {
    const instance: Instance = {
      zones,
      start,
      work: 600,
      deadline: 720,
      changeover: 1,
      priceRatio: 0.4,
      history: 886,
    };
    sums.greedy += play(instance, greedy(instance)).cost;
    sums.ours += play(instance, ours(instance)).cost;
    sums.optimum += optimum(instance);
  }
  expect((sums.greedy - sums.ours) / (sums.greedy - sums.optimum)).toBeGreaterThan(0.6);
});
