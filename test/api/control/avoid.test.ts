import { expect, test } from "vitest";
import { parseTime } from "../../../engine/model/time.ts";
import { createDrivenService, createDrivenTime } from "../driven-env.ts";

const HOUR_MS = 3_600_000;

test.for([
  ["back", -HOUR_MS],
  ["forward", HOUR_MS],
])("an offer is left alone for as long as was said when the clock is set %s meanwhile", async ([, setMs]) => {
  const driven = createDrivenTime();
  let offsetMs = 0;
  const time = { ...driven, wallMs: () => driven.wallMs() + offsetMs };
  const { planner } = await createDrivenService({ time });
  /** Offers that are out of use now. */
  const out = async (): Promise<readonly unknown[]> => {
    const { outages } = await planner.snapshot();
    const now = time.wallMs();
    return outages.flatMap(({ offer, start, end }) =>
      parseTime(start) <= now && now < parseTime(end ?? "9999-12-31T00:00:00Z") ? [offer] : [],
    );
  };
  planner.avoid("one-by-one", 15_000);
  expect(await out()).toEqual(["one-by-one"]);
  driven.pass(5000);
  offsetMs = Number(setMs);
  expect(await out()).toEqual(["one-by-one"]);
  driven.pass(9999);
  expect(await out()).toEqual(["one-by-one"]);
  driven.pass(1);
  expect((await planner.snapshot()).outages).toEqual([]);
});
