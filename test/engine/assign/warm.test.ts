import fc from "fast-check";
import { expect, test } from "vitest";
import { generateBatch } from "../../../bench/assign-instances.ts";
import { type Carry, carryOver, type Tick } from "../../../engine/assign/carry.ts";
import { checkAssignment } from "../../../engine/assign/check.ts";
import { type Instance, subsetOf } from "../../../engine/assign/instance.ts";
import { type AssignOptions, assign } from "../../../engine/assign/solve.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import { replaySolver } from "../../../engine/milp/record.ts";
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
  const limits = { work: 1e5 };
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

/** The first intents but those that have left, and as many later ones: batches of a generated whole, tick by tick. */
function ticksOf(seed: number, intents: number, arriving: number) {
  const { instance, baseline } = generateBatch({ intents: intents + arriving, seed });
  const tick = (first: number) => {
    const isHere = (item: number): boolean =>
      (item >= first && item < first + intents) || item >= intents + arriving;
    const items = Array.from({ length: instance.items }, (_, item) => item).filter(isHere);
    const kept: number[] = [];
    const options: string[] = [];
    const starts = new Int32Array(items.length + 1);
    for (const [index, item] of items.entries()) {
      for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++) {
        kept.push(option);
        options.push(`${option}`);
      }
      starts[index + 1] = kept.length;
    }
    const part: Instance = {
      ...subsetOf(instance, kept, starts),
      items: items.length,
      copies: Int32Array.from(items, (item) => instance.copies[item]!),
      worth: Float64Array.from(items, (item) => instance.worth[item]!),
      tier: Int32Array.from(items, (item) => instance.tier[item]!),
    };
    const rows = Array.from({ length: instance.rows }, (_, row) => `${row}`);
    return { instance: part, keys: { items: items.map((item) => `${item}`), options, rows } };
  };
  return { baseline, before: tick(0), after: tick(arriving) };
}

/** Counted work of a plan: what the solver was asked, and steps of own search, of a fixed size each. */
async function counted(instance: Instance, options: AssignOptions) {
  const requests: SolveRequest[] = [];
  let steps = 0;
  const outcome = await assign(instance, {
    solver: noting(requests),
    work: 4e7,
    ...options,
    pause: async () => {
      steps++;
    },
  });
  const programs = requests.filter(({ model }) => model.integer !== undefined).length;
  return { outcome, programs, relaxations: requests.length - programs, steps };
}

test("after a change of 5 % a plan takes less work than a fresh one for the same gap", async () => {
  let [fresh, warm] = [0, 0];
  for (const seed of [1, 2, 6]) {
    const { before, after, baseline } = ticksOf(seed, 200, 10);
    const options = { baseline, seed, gap: 0.015 };
    const first = await assign(before.instance, { solver: highs, work: 4e7, ...options });
    const a = await counted(after.instance, options);
    const carry = carryOver({ keys: before.keys, carry: first.carry }, after.keys);
    const b = await counted(after.instance, { ...options, warm: carry });
    expect(a.outcome.gap).toBeLessThanOrEqual(options.gap);
    expect(b.outcome.gap).toBeLessThanOrEqual(options.gap);
    expect(checkAssignment(after.instance, b.outcome.units).violations).toEqual([]);
    // seed by seed: no program with integers more, fewer without, fewer steps
    expect(b.programs, `seed ${seed}`).toBeLessThanOrEqual(a.programs);
    expect(b.relaxations, `seed ${seed}`).toBeLessThan(a.relaxations);
    expect(b.steps, `seed ${seed}`).toBeLessThan(a.steps);
    fresh += a.relaxations;
    warm += b.relaxations;
  }
  expect(warm).toBeLessThan(fresh / 3);
});

test("a warm plan replays to the same bytes from the solver's answers", async () => {
  const { before, after, baseline } = ticksOf(3, 24, 3);
  const options = { baseline, work: 2e6, gap: 1e-3 };
  const first = await assign(before.instance, { solver: highs, ...options });
  const warm = carryOver({ keys: before.keys, carry: first.carry }, after.keys);
  const { answers, carry, ...plain } = await assign(after.instance, { solver: highs, ...options, warm });
  expect(answers.length).toBeGreaterThan(0);
  const replayed = await assign(after.instance, { solver: replaySolver(answers), ...options, warm });
  expect(replayed).toEqual({ ...plain, answers, carry: replayed.carry });
  // all but the basis, which no answer holds on record
  expect({ ...replayed.carry, basis: null }).toEqual({ ...carry, basis: null });
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
      expect(exact.bound).toBeGreaterThanOrEqual(best);
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
