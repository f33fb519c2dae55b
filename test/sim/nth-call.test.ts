import { expect, test } from "vitest";
import { type Failure, tellWithFailure } from "../../sim/nth.ts";
import { stories } from "../../sim/stories.ts";

/** Every call, or one in this many: `FLARE_SIM_NTH=1` lets each of them fail. */
const stride = Number(process.env["FLARE_SIM_NTH"] ?? 12);
/** No story has more calls: it would be another one. */
const MOST_CALLS = 400;
const failures: readonly Failure[] = ["not made", "answer lost"];
const cases = stories.flatMap((story) => failures.map((failure) => ({ name: story.name, story, failure })));

test.for(cases)("$name, whichever call is $failure", { timeout: 900_000 }, async ({ story, failure }) => {
  let failed = 0;
  for (let n = 1; n <= MOST_CALLS; n += stride) {
    const result = await tellWithFailure(story, { n, failure });
    expect({ n, failed: result.failed, violation: result.violation }).toMatchObject({ violation: null });
    if (result.failed === null) break;
    failed++;
  }
  expect(failed).toBeGreaterThan(0);
});
