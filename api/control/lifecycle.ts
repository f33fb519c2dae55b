import { assert } from "../../engine/model/errors.ts";

/** Where an intent stands, precisely. */
export type Phase =
  | "queued"
  | "waiting"
  | "placing"
  | "reserved"
  | "contracted"
  | "peering"
  | "deploying"
  | "running"
  | "migrating"
  | "preempted"
  | "releasing"
  | "completed"
  | "failed"
  | "cancelled";

/** Where an intent stands, in the five words of the original API. */
export type Status = "pending" | "running" | "completed" | "failed" | "cancelled";

/** How an intent that is releasing will end: a terminal phase, or back in the queue. */
export type Ending = "completed" | "failed" | "cancelled" | "queued" | "preempted";

/**
 * The one table of legal moves. `queued` is new or returned work, `waiting` was decided and does not fit yet. From
 * every phase that may hold something downstream the way to an end leads through `releasing`, so that nothing is left
 * behind.
 */
const moves: Readonly<Record<Phase, readonly Phase[]>> = {
  queued: ["waiting", "placing", "failed", "cancelled"],
  waiting: ["queued", "placing", "failed", "cancelled"],
  placing: ["reserved", "releasing"],
  reserved: ["contracted", "releasing"],
  contracted: ["peering", "releasing"],
  peering: ["deploying", "releasing"],
  deploying: ["running", "releasing"],
  running: ["migrating", "releasing"],
  migrating: ["running", "releasing"],
  preempted: ["queued", "failed", "cancelled"],
  releasing: ["queued", "preempted", "completed", "failed", "cancelled"],
  completed: [],
  failed: [],
  cancelled: [],
};

/** All phases, in the order of an untroubled life. */
export const phases: readonly Phase[] = Object.keys(moves) as Phase[];

/** True when the table allows the move. */
export function isLegal(from: Phase, to: Phase): boolean {
  return moves[from].includes(to);
}

/** @throws {Error} when the table does not allow the move: a bug in the caller */
export function assertLegal(from: Phase, to: Phase): void {
  assert(isLegal(from, to), `an intent moves from ${from} to ${to}`);
}

/** True when nothing can follow. */
export function isTerminal(phase: Phase): boolean {
  return moves[phase].length === 0;
}

/** The phase in the words of the original API. */
export function statusOf(phase: Phase): Status {
  if (phase === "completed" || phase === "failed" || phase === "cancelled") return phase;
  return phase === "running" || phase === "migrating" ? "running" : "pending";
}
