import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { run } from "../../sim/run.ts";
import type { Swarm } from "../../sim/swarm.ts";

const folder = new URL("regressions/", import.meta.url);

/** A run that once failed. */
interface Regression {
  readonly seed: number;
  readonly steps: number;
  readonly keep?: readonly number[];
  /** What the seed drew then: a later version draws something else. */
  readonly swarm: Swarm;
  /** What it violated then. */
  readonly kind: string;
  readonly note: string;
}

const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

test.for(files)("what was found once stays away: %s", async (file) => {
  const { seed, steps, keep, swarm } = JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Regression;
  const kept = keep === undefined ? {} : { keep: new Set(keep) };
  const { violation } = await run({ seed, steps, swarm, ...kept });
  expect({ file, violation }).toEqual({ file, violation: null });
});
