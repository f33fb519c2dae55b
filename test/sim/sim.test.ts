import { expect, test } from "vitest";
import { run } from "../../sim/run.ts";

/** More seeds at night: `FLARE_SIM_SEEDS=200`. */
const seeds = Number(process.env["FLARE_SIM_SEEDS"] ?? 3);

test("whatever is injected, every invariant holds, and everything comes to rest", async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violation } = await run({ seed, steps: 100 });
    expect({ seed, violation }).toEqual({ seed, violation: null });
  }
});

test("the same seed does the same twice, another one something else", async () => {
  const [first, again, other] = [
    await run({ seed: 77, steps: 60 }),
    await run({ seed: 77, steps: 60 }),
    await run({ seed: 78, steps: 60 }),
  ];
  expect(again.hash).toBe(first.hash);
  expect(other.hash).not.toBe(first.hash);
});

test("a step that is left out changes no other step", async () => {
  const whole = await run({ seed: 5, steps: 60 });
  const keep = new Set([...Array(60).keys()].filter((step) => step % 3 !== 0));
  const part = await run({ seed: 5, steps: 60, keep });
  for (const [step, name] of part.operations) expect(whole.operations.get(step)).toBe(name);
});
