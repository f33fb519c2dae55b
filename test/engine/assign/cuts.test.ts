import fc from "fast-check";
import { expect, test } from "vitest";
import { generateBatch } from "../../../bench/assign-instances.ts";
import { classesOf } from "../../../engine/assign/classes.ts";
import { type CutRow, cutFrameOf, drawCut, separate } from "../../../engine/assign/cuts.ts";
import type { Instance, Units } from "../../../engine/assign/instance.ts";
import { assign } from "../../../engine/assign/solve.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import { allAssignments, cutsOf, layOut, smallBatches } from "./small-instances.ts";

const highs = await createHighsSolver();

/** By how much an assignment breaks a row; negative is room. */
const excess = ({ options, values, limit }: CutRow, units: Units): number =>
  options.reduce((sum, option, at) => sum + values[at]! * units[option]!, 0) - limit;

/** An assignment covers nobody twice: whoever is placed loses by every further unit. */
function isLean({ items, copies, covers, optionStart }: Instance, units: Units): boolean {
  for (let item = 0; item < items; item++) {
    let covered = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      covered += units[option]! * covers[option]!;
      if (units[option]! > 0) least = Math.min(least, covers[option]!);
    }
    if (covered - least >= copies[item]!) return false;
  }
  return true;
}

const cases = smallBatches().chain((batch) => {
  const instance = layOut(batch);
  return fc.record({
    instance: fc.constant(instance),
    cut: cutsOf(instance),
    point: fc.array(fc.integer({ min: 0, max: 6 }), {
      minLength: instance.options,
      maxLength: instance.options,
    }),
  });
});

test("every cut holds for every assignment, whatever it was made from", () => {
  let drawn = 0;
  fc.assert(
    fc.property(cases, ({ instance, cut, point }) => {
      const frame = cutFrameOf(instance, classesOf(instance));
      const rows = separate(
        frame,
        Float64Array.from(point, (sixths) => sixths / 6),
      ).map(({ cutRow }) => cutRow);
      const own = drawCut(frame, cut);
      if (own !== null) rows.push(own);
      drawn += rows.length;
      if (rows.length === 0) return;
      for (const units of allAssignments(instance))
        if (isLean(instance, units))
          for (const row of rows) expect(excess(row, units)).toBeLessThanOrEqual(0);
    }),
    { numRuns: 400, seed: 53 },
  );
  expect(drawn).toBeGreaterThan(100);
});

test("a separated cut is broken by its point and can be drawn again from what is kept of it", () => {
  const { instance } = generateBatch({ intents: 40, seed: 2 });
  const frame = cutFrameOf(instance, classesOf(instance));
  // everyone half in each of its first two options
  const point = new Float64Array(instance.options);
  for (let item = 0; item < instance.items; item++)
    for (let at = 0; at < 2; at++)
      if (instance.optionStart[item]! + at < instance.optionStart[item + 1]!)
        point[instance.optionStart[item]! + at] = 0.5 * instance.copies[item]!;
  const found = separate(frame, point);
  expect(found.length).toBeGreaterThan(0);
  for (const { cut, cutRow, depth } of found) {
    expect(depth).toBeGreaterThan(0);
    expect(drawCut(frame, cut)).toEqual(cutRow);
  }
});

test("three items of two GPUs and one offer of three: the program alone lets half an item in, a cut does not", async () => {
  const instance = layOut({
    rows: [
      { kind: "capacity", capacity: 3 },
      { kind: "capacity", capacity: 1 },
    ],
    items: [
      ...[7, 6, 6].map((worth) => ({
        copies: 1,
        worth,
        tier: 0,
        options: [{ cost: 0, covers: 1, uses: [[0, 2]] as [number, number][] }],
      })),
      {
        copies: 1,
        worth: 1,
        tier: 0,
        options: [{ cost: 0, covers: 1, uses: [[1, 1]] as [number, number][] }],
      },
    ],
  });
  // no integers: what is proven is proven by programs with cuts
  const solver = { ...highs, limits: { ...highs.limits, integers: false } };
  const outcome = await assign(instance, { solver, work: 1, gap: 0 });
  expect(outcome.stages.find(({ name }) => name === "lagrangian")!.bound).toBeGreaterThan(8);
  expect(outcome.stages.find(({ name }) => name === "cuts")!.bound).toBe(8);
  expect(outcome.gap).toBe(0);
});
