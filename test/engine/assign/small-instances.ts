import fc from "fast-check";
import { checkAssignment } from "../../../engine/assign/check.ts";
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

/** The best gain over every assignment, by trying all of them. */
export function bruteForce(instance: Instance): { gain: number; units: Units } {
  const limits = new Int32Array(instance.options);
  for (let item = 0; item < instance.items; item++)
    for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++)
      limits[option] = Math.max(0, unitLimit(instance, item, option));
  const units = new Int32Array(instance.options);
  let best = { gain: 0, units: units.slice() };
  for (;;) {
    if (checkAssignment(instance, units).violations.length === 0) {
      const gain = gainOf(instance, units);
      if (gain > best.gain) best = { gain, units: units.slice() };
    }
    let option = 0;
    while (option < units.length && units[option] === limits[option]) units[option++] = 0;
    if (option === units.length) return best;
    units[option]! += 1;
  }
}
