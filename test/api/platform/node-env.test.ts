import { expect, onTestFinished, test, vi } from "vitest";
import { makeToken } from "../../../api/http/token.ts";
import { createIds, systemRandom, systemTimers } from "../../../api/platform/node-env.ts";

test("random bytes are drawn anew each time, of any length, and spread over all values", () => {
  const drawn = Array.from({ length: 3000 }, (_, index) => systemRandom.bytes(1 + (index % 40)));
  expect(drawn.map((bytes) => bytes.length)).toEqual(drawn.map((_, index) => 1 + (index % 40)));
  const counts = new Int32Array(256);
  for (const bytes of drawn) for (const byte of bytes) counts[byte]!++;
  // 61,500 bytes: about 240 of each value, and never as few or as many as this by chance
  expect(Math.min(...counts)).toBeGreaterThan(120);
  expect(Math.max(...counts)).toBeLessThan(400);
  const long = drawn.filter((bytes) => bytes.length >= 16).map((bytes) => Buffer.from(bytes).toString("hex"));
  expect(new Set(long).size).toBe(long.length);
  expect(systemRandom.bytes(10_000).length).toBe(10_000);
});

test("a timer of many weeks runs when they are over, and can be ended until then", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const ran: string[] = [];
  const DAY_MS = 86_400_000;
  systemTimers.after(60 * DAY_MS, () => ran.push("two months"));
  const cancel = systemTimers.after(59 * DAY_MS, () => ran.push("ended"));
  vi.advanceTimersByTime(50 * DAY_MS);
  cancel();
  vi.advanceTimersByTime(10 * DAY_MS - 1);
  expect(ran).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ran).toEqual(["two months"]);
});

test("tokens differ in every part", () => {
  const tokens = Array.from({ length: 500 }, () => makeToken(systemRandom));
  expect(new Set(tokens.map(({ id }) => id)).size).toBe(500);
  expect(new Set(tokens.map(({ secret }) => secret)).size).toBe(500);
});

test("ids rise within a process, also when the clock stands still or goes back, and never repeat", () => {
  const times = [5, 5, 5, 9, 2, 9, 10];
  let at = 0;
  const ids = createIds({ wallMs: () => times[at++ % times.length]!, monoMs: () => 0 }, systemRandom);
  const made = Array.from({ length: 200 }, () => ids.next("x"));
  expect(made).toEqual([...made].sort());
  expect(new Set(made).size).toBe(200);
  expect(made[0]).toMatch(/^x-[0-9a-z]{26}$/);
});
