import { exp, ln } from "../score/numeric.ts";

/** Where a run is: it waits, it is on demand, or on spot capacity in the zone with an index. */
export type SpotState = "idle" | "on-demand" | number;

/** One zone that sells spot capacity of the kind the run needs. */
export interface SpotZone {
  readonly isUp: boolean;
  /** Slots since it came up, this one included; 0 when it is down. */
  readonly upSlots: number;
}

/**
 * A batch with a deadline that survives interruptions, at the beginning of a slot. Time is counted in slots; a
 * change of place costs `changeover` slots in which nothing is done.
 */
export interface SpotSituation {
  /** Slots of work in all, and what is left of them. */
  readonly work: number;
  readonly remaining: number;
  /** Slots from the start to the deadline, and those that are left. */
  readonly deadline: number;
  readonly left: number;
  readonly changeover: number;
  readonly state: SpotState;
  /** Slots of changeover still to come in `state`; 0 while it works or waits. */
  readonly warming: number;
  readonly zones: readonly SpotZone[];
  readonly slotSeconds: number;
  /** Spot price / on-demand price, below 1. */
  readonly priceRatio: number;
  /** Slots watched, those in which some zone was up, and how often one came up after none was. */
  readonly seen: { readonly slots: number; readonly upSlots: number; readonly outages: number };
}

/** A stretch of spot capacity, before anything was seen, and how many observations that is worth. */
const usualUpSeconds = 7920;
const priorOutages = 3;
/** A stretch without, likewise: worth little, for what is seen soon says more. */
const usualDownSeconds = 7200;
const priorDowns = 0.5;
/** Interruptions are expected this far apart when slack is kept for them. */
const outageSeconds = 11_700;

/** The zone to use: the present one while it is up, else the one that is up longest; -1 when none is. */
function zoneOf({ state, zones }: SpotSituation): number {
  if (typeof state === "number" && zones[state]?.isUp === true) return state;
  let best = -1;
  for (const [index, { isUp, upSlots }] of zones.entries())
    if (isUp && (best < 0 || upSlots > zones[best]!.upSlots)) best = index;
  return best;
}

/** Waiting one slot leaves time to finish on demand. */
const mayWait = ({ left, remaining, changeover }: SpotSituation): boolean =>
  left - 1 >= remaining + changeover;

/** After a slot on spot in the zone, even one that ends in an interruption, there is time to finish on demand. */
function mayUse(situation: SpotSituation, zone: number): boolean {
  const { left, remaining, changeover, state, warming } = situation;
  const toCome = state === zone ? warming : changeover;
  if (toCome === 0) return left - 1 >= remaining - 1 + changeover;
  return left - toCome >= remaining + changeover && left - 1 >= remaining + changeover;
}

/**
 * Slack that is kept back while no spot capacity is to be had: enough for the changeovers that are still to be
 * expected, and a share of the slack at the start that shrinks with the time left. None where stretches of spot
 * capacity are shorter than two changeovers pay for: then whatever comes is taken as long as there is time. Less where
 * outages are short: going on demand for less time than a few changeovers take is not worth them.
 */
function reserveOf(situation: SpotSituation): number {
  const { work, deadline, left, changeover, slotSeconds, priceRatio, seen } = situation;
  const meanUp =
    ((priorOutages * usualUpSeconds) / slotSeconds + seen.upSlots) / (priorOutages + seen.outages);
  if (meanUp < (2 * changeover) / (1 - priceRatio)) return 0;
  const slackAtStart = deadline - work - changeover;
  const share = 0.2 + 0.6 * Math.max(0, 1 - slackAtStart / (0.3 * work));
  const expected = changeover * (slotSeconds / outageSeconds) * left;
  const reserve = 3 * changeover + expected + (share * slackAtStart * left) / deadline;
  const meanDown =
    ((priorDowns * usualDownSeconds) / slotSeconds + seen.slots - seen.upSlots) / (priorDowns + seen.outages);
  return reserve * Math.min(1, meanDown / (3 * Math.max(1, changeover)));
}

/** A choice for the coming slot, and the slots that it rests on. */
export interface SpotAssessment {
  readonly choice: SpotState;
  /** Time left beyond what remains to be done and one changeover. */
  readonly slack: number;
  /** Slack below which a run does not wait for spot capacity. */
  readonly reserve: number;
}

/**
 * What a run with a deadline does in the coming slot. Never misses a deadline that on-demand capacity alone could meet:
 * nothing is chosen after which an interruption would leave too little time. Within that it uses spot capacity when it
 * is up, waits for it while there is slack beyond a reserve, and leaves on-demand capacity again only for capacity that
 * has proved itself or for much slack (hysteresis), because every change costs.
 *
 * @see Wu et al., "Can't Be Late: Optimizing Spot Instance Savings under Deadlines" (NSDI 2024) for the setting and the
 *      uniform-progress rule that it is measured against
 */
export function chooseSpot(situation: SpotSituation): SpotState {
  return assessSpot(situation).choice;
}

/** The same with its reasons. */
export function assessSpot(situation: SpotSituation): SpotAssessment {
  const { left, remaining, changeover, state, zones } = situation;
  const slack = left - remaining - changeover;
  const reserve = reserveOf(situation) + (state === "on-demand" ? 10 * changeover : 0);
  const choose = (): SpotState => {
    const zone = zoneOf(situation);
    if (zone < 0) return slack > reserve && mayWait(situation) ? "idle" : "on-demand";
    if (state !== "on-demand") return mayUse(situation, zone) ? zone : "on-demand";
    // proved: up for longer than a changeover takes, a little more so for long ones
    const proved = zones[zone]!.upSlots > exp(1.1 * ln(Math.max(1, changeover)));
    return proved && remaining > 4 * changeover && mayUse(situation, zone) ? zone : "on-demand";
  };
  return { choice: choose(), slack, reserve };
}
