import { chooseSpot, type SpotState } from "../engine/resilience/spot-policy.ts";
import type { Instance, Slot } from "./spot-series.ts";

/** A policy made for one instance. */
export type Policy = (instance: Instance) => (slot: Slot) => SpotState;

/** The present zone while it is up, else the first that is. */
function firstUp({ state, zones }: Slot): SpotState {
  if (typeof state === "number" && zones[state]?.isUp === true) return state;
  const first = zones.findIndex(({ isUp }) => isUp);
  return first < 0 ? "idle" : first;
}

const mustRun = ({ left, remaining }: Slot, changeover: number): boolean =>
  left <= remaining + changeover + 1;

/** Always on demand. */
export const onDemand: Policy = () => () => "on-demand";

/** Spot whenever it is up, waiting else, on demand once there is no more slack. */
export const greedy: Policy =
  ({ changeover }) =>
  (slot) =>
    mustRun(slot, changeover) ? "on-demand" : firstUp(slot);

/**
 * Uniform progress: spot when it is up; without it, on demand as long as the run is behind a straight line from start to
 * deadline, with a margin of two changeovers before it leaves on-demand capacity again.
 */
export const uniformProgress: Policy =
  ({ changeover, work, deadline }) =>
  (slot) => {
    if (mustRun(slot, changeover)) return "on-demand";
    const zone = firstUp(slot);
    if (zone !== "idle") return zone;
    const elapsed = deadline - slot.left;
    const done = work - slot.remaining;
    const isBehind = done < (elapsed * work) / deadline;
    const stays = slot.state === "on-demand" && done < ((elapsed + 2 * changeover) * work) / deadline;
    return isBehind || stays ? "on-demand" : "idle";
  };

/** The engine's policy. */
export const ours: Policy = (instance) => (slot) =>
  chooseSpot({
    work: instance.work,
    deadline: instance.deadline,
    changeover: instance.changeover,
    slotSeconds: instance.zones[0]!.slotSeconds,
    priceRatio: instance.priceRatio,
    ...slot,
  });
