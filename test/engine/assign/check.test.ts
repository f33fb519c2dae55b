import { expect, test } from "vitest";
import { checkAssignment } from "../../../engine/assign/check.ts";
import { createInstance } from "../../../engine/assign/instance.ts";

const instance = createInstance(
  [
    { kind: "capacity", capacity: 4 },
    { kind: "sale", capacity: 1 },
    { kind: "budget", capacity: 10 },
  ],
  [
    {
      worth: 8,
      options: [
        { cost: 1, uses: [[0, 4]] },
        { cost: 2, uses: [[0, 5]] },
      ],
    },
    {
      copies: 3,
      worth: 9,
      options: [
        {
          cost: 2,
          covers: 2,
          uses: [
            [1, 1],
            [2, 5],
          ],
        },
        { cost: 1, uses: [[0, 1]] },
      ],
    },
  ],
);

test.for<{ name: string; units: number[]; rules: string[]; gain?: number }>([
  { name: "nothing placed", units: [0, 0, 0, 0], rules: [], gain: 0 },
  { name: "an exact fit", units: [1, 0, 0, 0], rules: [], gain: 7 },
  { name: "a gang over a whole-sale offer and a shared one", units: [0, 0, 1, 1], rules: [], gain: 6 },
  { name: "a gang with a copy missing", units: [0, 0, 1, 0], rules: ["gang"] },
  { name: "a row one unit over", units: [0, 1, 0, 0], rules: ["capacity"] },
  { name: "two exact fits together", units: [1, 0, 0, 3], rules: ["capacity"] },
  { name: "an offer sold whole twice", units: [0, 0, 2, 0], rules: ["capacity"] },
  { name: "a negative count", units: [-1, 0, 0, 0], rules: ["count"] },
  { name: "too few counts", units: [0], rules: ["shape"] },
])("$name: $rules", ({ units, rules, gain }) => {
  const report = checkAssignment(instance, Int32Array.from(units));
  expect(report.violations.map((violation) => violation.rule)).toEqual(rules);
  if (gain !== undefined) expect(report.gain).toBe(gain);
});
