import type { Cancel, Clock, Timers } from "../api/env.ts";
import type { Rng } from "./random.ts";

interface Timer {
  readonly owner: object;
  readonly dueMs: number;
  /** Order among timers that fall due together. */
  readonly rank: number;
  readonly run: () => void;
}

/** The time of one machine: its wall clock may be wrong and may jump, its monotonic clock never goes back. */
export interface MachineTime extends Clock, Timers {
  /** Moves the wall clock alone. */
  jump(ms: number): void;
}

/** Time that moves only when the driver says so. */
export interface SimTime {
  /** True time, milliseconds since 1970. */
  nowMs(): number;
  /** The machine of an owner, whose wall clock is off by `offsetMs`. */
  machine(owner: object, offsetMs?: number): MachineTime;
  /** Moves to the next timer that is due until then and runs it; false: there is none, and that time is reached. */
  step(untilMs: number): boolean;
  /** Forgets the timers of an owner that has died. */
  drop(owner: object): void;
  /** Timers of the owner. */
  waiting(owner: object): number;
  /** Owners whose timers do not run for now. */
  readonly paused: Set<object>;
}

export interface TimeFaults {
  /** Timers run up to this much later than asked. */
  lateMs: number;
  /** Timers that fall due together run in any order. */
  shuffles: boolean;
}

export const START_MS: number = Date.parse("2026-03-01T00:00:00Z");

/** Makes a time; `rng` is asked at each use, as it changes from step to step. */
export function createSimTime(rng: () => Rng, faults: TimeFaults): SimTime {
  let nowMs = START_MS;
  let made = 0;
  const timers = new Set<Timer>();
  const paused = new Set<object>();
  const dead = new WeakSet<object>();

  const after = (owner: object, delayMs: number, run: () => void): Cancel => {
    const late = faults.lateMs > 0 && rng().chance(0.2) ? rng().int(faults.lateMs) : 0;
    const rank = faults.shuffles ? rng().int(1_000_000) : 0;
    const timer = {
      owner,
      dueMs: nowMs + Math.max(0, Math.ceil(delayMs)) + late,
      rank: rank + ++made / 1e9,
      run,
    };
    if (!dead.has(owner)) timers.add(timer);
    return () => void timers.delete(timer);
  };
  const nextUntil = (untilMs: number): Timer | null => {
    let next: Timer | null = null;
    for (const timer of timers) {
      if (timer.dueMs > untilMs || paused.has(timer.owner)) continue;
      if (next === null || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.rank < next.rank))
        next = timer;
    }
    return next;
  };
  return {
    nowMs: () => nowMs,
    paused,
    machine(owner, offsetMs = 0) {
      let offset = offsetMs;
      return {
        wallMs: () => nowMs + offset,
        monoMs: () => nowMs - START_MS,
        after: (delayMs, run) => after(owner, delayMs, run),
        jump(ms) {
          offset += ms;
        },
      };
    },
    step(untilMs) {
      const timer = nextUntil(untilMs);
      if (timer === null) {
        nowMs = Math.max(nowMs, untilMs);
        return false;
      }
      timers.delete(timer);
      nowMs = Math.max(nowMs, timer.dueMs);
      timer.run();
      return true;
    },
    drop(owner) {
      dead.add(owner);
      for (const timer of timers) if (timer.owner === owner) timers.delete(timer);
    },
    waiting: (owner) => [...timers].filter((timer) => timer.owner === owner).length,
  };
}
