import fc from "fast-check";
import { expect, test } from "vitest";
import { generateBatch } from "../../../bench/assign-instances.ts";
import { type Carry, carryOver, type Tick } from "../../../engine/assign/carry.ts";
import { checkAssignment } from "../../../engine/assign/check.ts";
import type { Instance } from "../../../engine/assign/instance.ts";
import { assign } from "../../../engine/assign/solve.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import type { SolveRequest, Solver } from "../../../engine/milp/solver.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, intent, snapshot } from "../builders.ts";
import { bruteForce, cutsOf, layOut, smallBatches } from "./small-instances.ts";

const highs = await createHighsSolver();

/** HiGHS that notes what it was asked. */
const noting = (requests: SolveRequest[]): Solver => ({
  ...highs,
  solve(request) {
    requests.push(request);
    return highs.solve(request);
  },
});

test("a tick is carried over by name: what is new is unplaced, unpriced and out of the basis", () => {
  const tick: Tick = {
    keys: { items: ["a", "b"], options: ["a 1", "a 2", "b 1"], rows: ["r", "s"] },
    carry: {
      units: Int32Array.of(0, 1, 1),
      prices: Float64Array.of(7, 8),
      values: Float64Array.of(3, 4),
      basis: {
        options: Int8Array.of(0, 1, 2),
        items: Int8Array.of(2, 1),
        placed: Int8Array.of(0, 1),
        rows: Int8Array.of(2, 1),
      },
      cuts: {
        cuts: [
          { row: 0, divisor: 2, items: [0, 1], amounts: [1, 2] },
          { row: 1, divisor: 3, items: [0, 1], amounts: [4, 5] },
        ],
        prices: Float64Array.of(6, 9),
        rowPrices: Float64Array.of(1, 2),
      },
    },
  };
  expect(carryOver(tick, { items: ["b", "c"], options: ["b 1", "c 1", "c 2"], rows: ["s", "t"] })).toEqual({
    units: Int32Array.of(1, 0, 0),
    prices: Float64Array.of(8, 0),
    values: Float64Array.of(4, Number.NaN),
    basis: {
      options: Int8Array.of(2, 0, 0),
      items: Int8Array.of(1, 1),
      placed: Int8Array.of(1, 0),
      rows: Int8Array.of(1, 1),
    },
    // the cut of a row that is gone is gone; the other one counts the item that is left
    cuts: {
      cuts: [{ row: 0, divisor: 3, items: [0], amounts: [5] }],
      prices: Float64Array.of(9),
      rowPrices: Float64Array.of(2, 0),
    },
  });
});

test("the next assignment starts the LP from the kept basis and the MIP from the kept answer", async () => {
  const { instance } = generateBatch({ intents: 12, seed: 3 });
  const limits = { work: 1e5, deadlineMs: 200 };
  const first = await assign(instance, { solver: highs, ...limits });
  const requests: SolveRequest[] = [];
  const again = await assign(instance, { solver: noting(requests), ...limits, gap: -1, warm: first.carry });
  expect(again.gain).toBeGreaterThanOrEqual(first.gain);
  const basis = requests[0]!.basis!;
  expect(basis.columns.length).toBe(requests[0]!.model.cols);
  expect(basis.rows.length).toBe(requests[0]!.model.rows);
  // as many basic variables as rows: it is the basis, not a guess
  const count = [...basis.columns, ...basis.rows].filter((status) => status === 1).length;
  expect(count).toBe(requests[0]!.model.rows);
  expect(requests.at(-1)!.start).toBeDefined();
});

test("what the cuts of the last tick prove is not asked again", async () => {
  const { instance } = generateBatch({ intents: 30, seed: 3 });
  const first = await assign(instance, { solver: highs, work: 1e6, gap: 0.01 });
  const { bound } = first.stages.find(({ name }) => name === "cuts")!;
  const gap = (bound - first.gain) / first.gain + 1e-6;
  const requests: SolveRequest[] = [];
  const again = await assign(instance, { solver: noting(requests), work: 1e6, gap, warm: first.carry });
  expect(requests).toEqual([]);
  expect(again.gain).toBeGreaterThanOrEqual(first.gain);
  expect(again.gap).toBeLessThanOrEqual(gap);
  // and it is there for the next tick
  expect(again.carry.cuts!.cuts).toEqual(first.carry.cuts!.cuts);
});

/** Anything that could come out of another batch. */
const carries = (instance: Instance): fc.Arbitrary<Carry> => {
  const statuses = (length: number) =>
    fc
      .array(fc.integer({ min: 0, max: 4 }), { minLength: length, maxLength: length })
      .map((all) => Int8Array.from(all));
  const numbers = (length: number, min: number, max: number) =>
    fc.array(fc.integer({ min, max }), { minLength: length, maxLength: length });
  const basis = fc.record({
    options: statuses(instance.options),
    items: statuses(instance.items),
    placed: statuses(instance.items),
    rows: statuses(instance.rows),
  });
  const cuts = fc.array(cutsOf(instance), { maxLength: 3 }).chain((some) =>
    fc.record({
      cuts: fc.constant(some),
      prices: numbers(some.length, 0, 5).map((all) => Float64Array.from(all)),
      rowPrices: numbers(instance.rows, 0, 5).map((all) => Float64Array.from(all)),
    }),
  );
  return fc.record({
    units: numbers(instance.options, 0, 2).map((all) => Int32Array.from(all)),
    prices: numbers(instance.rows, 0, 5).map((all) => Float64Array.from(all)),
    values: numbers(instance.items, -2, 6).map((all) => Float64Array.from(all)),
    basis,
    cuts: fc.option(cuts),
  });
};

test("whatever is carried over, the answer is checked, optimal with HiGHS and bounded", async () => {
  const cases = smallBatches().chain((batch) => {
    const instance = layOut(batch);
    return carries(instance).map((warm) => ({ instance, warm }));
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ instance, warm }) => {
      const best = bruteForce(instance).gain;
      const exact = await assign(instance, { solver: highs, work: 5_000, gap: 0, warm });
      expect(exact.gain).toBe(best);
      const own = await assign(instance, { work: 1_000, warm });
      expect(checkAssignment(instance, own.units).violations).toEqual([]);
      expect(own.bound).toBeGreaterThanOrEqual(best);
    }),
    { numRuns: 80, seed: 37 },
  );
});

const offers = [1, 2, 3].map((price) =>
  flavor(`offer-${price}`, {
    capacity: { gpus: 3, gpusFree: 3 },
    price: { basis: "gpu", onDemand: eur(price) },
  }),
);
const jobs = (names: readonly string[]) =>
  names.map((name, index) => intent({ name, gpu: { count: 1 + (index % 2) } }));

test("a plan takes what the last one left, and the same again gives the same bytes", async () => {
  const catalog = prepare(snapshot(offers));
  const ticks: Tick[] = [];
  const onTick = (tick: Tick): void => void ticks.push(tick);
  const names = ["a", "b", "c", "d", "e", "f", "g"];
  await plan(catalog, jobs(names), { solver: highs, onTick, explain: false });
  expect(ticks).toHaveLength(1);
  const next = jobs([...names.slice(1), "h"]);
  const options = { solver: highs, previous: ticks[0]!, onTick, explain: false };
  const warm = await plan(catalog, next, options);
  expect(JSON.stringify(await plan(catalog, next, options))).toBe(JSON.stringify(warm));
  const fresh = await plan(catalog, next, { solver: highs, explain: false });
  expect(warm.batch!.gain).toBe(fresh.batch!.gain);
  expect(ticks[1]!.keys.items).toContain("intent h");
});

test("the host breathes between steps, which changes nothing", async () => {
  const { instance } = generateBatch({ intents: 60, seed: 5 });
  let breaths = 0;
  const options = { work: 3e6, gap: 0 };
  const still = await assign(instance, options);
  const breathing = await assign(instance, {
    ...options,
    pause: async () => {
      breaths++;
    },
  });
  expect(breaths).toBeGreaterThan(3);
  expect(breathing.units).toEqual(still.units);
});
