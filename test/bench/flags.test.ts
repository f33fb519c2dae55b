import { parseArgs } from "node:util";
import { expect, test } from "vitest";
import { amountOf, countOf, countsOf, FlagError, flagProblem } from "../../bench/flags.ts";
import { bench as place } from "../../bench/place.ts";

test("a count is a whole number, and everything else is told by its flag", () => {
  expect([countOf("--offers", "2000"), countOf("--seeds", "0", 0), countsOf("--sizes", "1,20")]).toEqual([
    2000,
    0,
    [1, 20],
  ]);
  for (const text of ["", "x", "-1", "1.5", "0", "1e3"])
    expect(() => countOf("--offers", text)).toThrow(
      `--offers: found ${JSON.stringify(text)}; accepted: a whole number from 1 on`,
    );
  expect(() => countsOf("--sizes", "1,,2")).toThrow(FlagError);
});

test("an amount is above nothing", () => {
  expect(amountOf("--seconds", "0.5")).toBe(0.5);
  for (const text of ["0", "-1", "NaN", ""]) expect(() => amountOf("--seconds", text)).toThrow(FlagError);
});

test("what is wrong with a command line is told apart from what breaks", async () => {
  const error = await place(["--offers", "many"]).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(flagProblem(error)).toContain('--offers: found "many"');
  let unknown: unknown;
  try {
    parseArgs({ args: ["--foo"], options: {} });
  } catch (reason) {
    unknown = reason;
  }
  expect(flagProblem(unknown)).toContain("--foo");
  expect(flagProblem(new Error("broken"))).toBe(null);
});
