import fc from "fast-check";
import { expect, test } from "vitest";
import { labelValue, ownLabels } from "../../../adapters/kubernetes/object.ts";

const text = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.string({ unit: fc.constantFrom("a", "A", "-", ".", "_", " "), maxLength: 4 }),
  fc.string({ unit: fc.constantFrom("a", "b"), minLength: 60, maxLength: 70 }),
);

test("any text becomes a legal label value, legal ones stay as they are", () => {
  fc.assert(
    fc.property(text, (value) => {
      const label = labelValue(value);
      expect(label).toMatch(/^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/);
      expect(labelValue(label)).toBe(label);
    }),
  );
  expect(labelValue("team-a.b_C")).toBe("team-a.b_C");
});

test("different texts have different label values", () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      fc.pre(a !== b);
      expect(labelValue(a)).not.toBe(labelValue(b));
    }),
    { numRuns: 500 },
  );
  expect(ownLabels("team a", "x")).not.toEqual(ownLabels("team-a", "x"));
});
