import fc from "fast-check";
import { expect, test } from "vitest";
import {
  digest,
  labelValue,
  ownedLabel,
  ownLabels,
  prefixedLabel,
} from "../../../adapters/kubernetes/object.ts";

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

test("owners and names, in whatever spelling, never share a name, and plain ones stay readable", () => {
  const part = fc.string({ unit: fc.constantFrom("a", "b", "-", "A"), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.tuple(part, part), fc.tuple(part, part), (a, b) => {
      fc.pre(a[0] !== b[0] || a[1] !== b[1]);
      expect(ownedLabel("flare", ...a)).not.toBe(ownedLabel("flare", ...b));
      expect(prefixedLabel(...a)).not.toBe(prefixedLabel(...b));
      expect(ownedLabel("flare", ...a)).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
    }),
    { numRuns: 1000 },
  );
  expect(ownedLabel("flare", "team-a", "chat-1")).toBe("flare-team--a-chat-1");
  expect(prefixedLabel("team", "chat-1")).toBe("team-chat-1");
  // nobody takes another's hashed name by choosing it
  const hashed = ownedLabel("flare", "a", "B");
  expect(ownedLabel("flare", "a", hashed.slice("flare-a-".length))).not.toBe(hashed);
  expect(hashed).toBe(`flare-a-b-${digest("a\u0000B", 8)}`);
});
