import fc from "fast-check";
import { checkAssignment } from "../../../engine/assign/check.ts";
import type { Cut } from "../../../engine/assign/cuts.ts";
import {
  createInstance,
  gainOf,
  type Instance,
  type ItemInput,
  type RowInput,
  type Units,
  unitLimit,
} from "../../../engine/assign/instance.ts";

/** Rows and items before layout, so that tests can change capacities and order. */
export interface SmallBatch {
  readonly rows: readonly RowInput[];
  readonly items: readonly ItemInput[];
}

// narrow on purpose: ties, exact fits and impossible items must happen
export function smallBatches(tiers = 1): fc.Arbitrary<SmallBatch> {
  return fc.integer({ min: 1, max: 3 }).chain((rowCount) =>
    fc.record({
      rows: fc.array(
        fc.record({
          kind: fc.constantFrom("capacity" as const, "quota" as const),
          capacity: fc.integer({ min: 0, max: 5 }),
        }),
        { minLength: rowCount, maxLength: rowCount },
      ),
      items: fc.array(
        fc.record({
          copies: fc.integer({ min: 1, max: 2 }),
          worth: fc.integer({ min: 1, max: 6 }),
          tier: fc.integer({ min: 0, max: tiers - 1 }),
          options: fc.array(
            fc.record({
              cost: fc.integer({ min: 0, max: 3 }),
              covers: fc.integer({ min: 1, max: 2 }),
              uses: fc.uniqueArray(
                fc.tuple(fc.integer({ min: 0, max: rowCount - 1 }), fc.integer({ min: 1, max: 3 })),
                { selector: ([row]) => row, minLength: 1, maxLength: 2 },
              ),
            }),
            { minLength: 0, maxLength: 3 },
          ),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  );
}

export const layOut = ({ rows, items }: SmallBatch): Instance => createInstance(rows, items);

/** Any cut, sensible or not. */
export const cutsOf = (instance: Instance): fc.Arbitrary<Cut> =>
  fc
    .record({
      row: fc.integer({ min: 0, max: instance.rows - 1 }),
      divisor: fc.constantFrom(0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6),
      turned: fc.array(fc.option(fc.integer({ min: 0, max: 4 })), {
        minLength: instance.items,
        maxLength: instance.items,
      }),
    })
    .map(({ row, divisor, turned }) => {
      const items = Array.from(turned.keys()).filter((item) => turned[item] !== null);
      return { row, divisor, items, amounts: items.map((item) => turned[item]!) };
    });

/** Every feasible assignment. */
export function* allAssignments(instance: Instance): Generator<Units> {
  const limits = new Int32Array(instance.options);
  for (let item = 0; item < instance.items; item++)
    for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++)
      limits[option] = Math.max(0, unitLimit(instance, item, option));
  const units = new Int32Array(instance.options);
  for (;;) {
    if (checkAssignment(instance, units).violations.length === 0) yield units;
    let option = 0;
    while (option < units.length && units[option] === limits[option]) units[option++] = 0;
    if (option === units.length) return;
    units[option]! += 1;
  }
}

/** The best gain over every assignment, by trying all of them. */
export function bruteForce(instance: Instance): { gain: number; units: Units } {
  let best = { gain: 0, units: new Int32Array(instance.options) };
  for (const units of allAssignments(instance)) {
    const gain = gainOf(instance, units);
    if (gain > best.gain) best = { gain, units: units.slice() };
  }
  return best;
}
