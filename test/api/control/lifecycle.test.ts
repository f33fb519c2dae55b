import { expect, test } from "vitest";
import { assertLegal, isLegal, isTerminal, phases, statusOf } from "../../../api/control/lifecycle.ts";
import { cancelPath } from "../../../api/store/store.ts";

const reachable = (from: (typeof phases)[number]): Set<string> => {
  const seen = new Set<string>();
  const visit = (phase: (typeof phases)[number]): void => {
    for (const next of phases.filter((to) => isLegal(phase, to)))
      if (!seen.has(next)) {
        seen.add(next);
        visit(next);
      }
  };
  visit(from);
  return seen;
};

test("nothing follows an end, and every other phase leads to each of them", () => {
  const ends = phases.filter(isTerminal);
  expect(ends).toEqual(["completed", "failed", "cancelled"]);
  for (const phase of phases)
    expect([...reachable(phase)].filter((to) => (ends as readonly string[]).includes(to))).toHaveLength(
      isTerminal(phase) ? 0 : 3,
    );
});

test("whatever may hold something downstream ends through releasing only", () => {
  for (const phase of [
    "placing",
    "reserved",
    "contracted",
    "peering",
    "deploying",
    "running",
    "migrating",
  ] as const) {
    expect(phases.filter((to) => isLegal(phase, to) && isTerminal(to))).toEqual([]);
    expect(isLegal(phase, "releasing")).toBe(true);
  }
});

test("every phase that has not ended can be cancelled", () => {
  for (const phase of phases.filter((one) => !isTerminal(one) && one !== "releasing"))
    expect(isLegal(phase, cancelPath(phase).to)).toBe(true);
});

test("an illegal move is a broken invariant", () => {
  expect(() => assertLegal("queued", "running")).toThrow(/from queued to running/);
});

test("the original's five statuses cover all phases", () => {
  expect(new Set(phases.map(statusOf))).toEqual(
    new Set(["pending", "running", "completed", "failed", "cancelled"]),
  );
});
