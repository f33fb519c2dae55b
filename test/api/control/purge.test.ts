import { expect, test } from "vitest";
import { keepTidy } from "../../../api/control/purge.ts";
import { createDrivenTime } from "../driven-env.ts";

test("once an hour what is old is deleted, by whoever leads, also after a time at which it could not be", async () => {
  const time = createDrivenTime();
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const asked: number[] = [];
  let leads = false;
  const purge = (nowMs: number): Promise<void> => {
    asked.push(nowMs);
    return asked.length === 1 ? Promise.reject(new Error("busy")) : Promise.resolve();
  };
  const end = keepTidy(
    { store: { system: { purge } } as never, clock: time, timers: time, log },
    () => leads,
  );
  const hour = async (): Promise<number> => {
    time.pass(3_600_000);
    // the next hour begins when this one's work is done
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    return asked.length;
  };
  expect(await hour()).toBe(0);
  leads = true;
  expect([await hour(), await hour(), await hour()]).toEqual([1, 2, 3]);
  await end();
  expect(await hour()).toBe(3);
});
