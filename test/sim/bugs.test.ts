import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bugs } from "../../sim/bugs/all.ts";
import { hunt, MOST_HUNT_STEPS } from "../../sim/hunt.ts";
import { shrink } from "../../sim/shrink.ts";

/** Bugs that show at once; `FLARE_SIM_BUGS=all` plants every one of them. */
const quick = [
  "an event is dropped",
  "no tenant filter where events are read",
  "an idempotency key is forgotten",
  "a plan differs between machines",
  "two events are sent under one id",
];
const chosen = bugs.filter(({ name }) => process.env["FLARE_SIM_BUGS"] === "all" || quick.includes(name));

test("planted bugs have names of their own", () => {
  expect(new Set(bugs.map(({ name }) => name)).size).toBe(bugs.length);
  expect(chosen.length).toBeGreaterThanOrEqual(quick.length);
});

test("the page says of every bug what found it, and after how many steps", () => {
  const page = readFileSync(new URL("../../docs/simulation.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| (.+) \| `([a-z-]+)` \| ([\d,]+) \|$/gm)];
  expect(rows.map(([, name]) => name).sort()).toEqual(bugs.map(({ name }) => name).sort());
  for (const [, name, kind, steps] of rows) {
    expect({ name, breaks: bugs.find((bug) => bug.name === name)?.breaks }).toMatchObject({
      breaks: expect.arrayContaining([kind]),
    });
    expect(Number(steps?.replace(",", ""))).toBeLessThanOrEqual(MOST_HUNT_STEPS);
  }
});

test.for(chosen)("a planted bug is found: $name", { timeout: 3_600_000 }, async (bug) => {
  const { steps, result } = await hunt(bug, 1, quick.includes(bug.name) ? 100 : undefined);
  expect({ steps, violation: result?.violation }).toMatchObject({ steps: expect.any(Number) });
  expect(steps).toBeLessThanOrEqual(MOST_HUNT_STEPS);
});

test("a failure shrinks to the steps that it takes", async () => {
  const bug = bugs.find(({ name }) => name === "two events are sent under one id");
  if (bug === undefined) throw new Error("the bug is not planted any more");
  const { result } = await hunt(bug, 1, 60);
  if (result === null) throw new Error("nothing was run");
  const { keep, result: small } = await shrink(result, {
    seed: result.seed,
    steps: 60,
    planting: bug.plant(),
    mostRuns: 40,
  });
  expect(small.violation?.kind).toBe("outbox");
  expect(keep.length).toBeLessThan(result.operations.size);
});
