import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createRandom } from "../engine/assign/random.ts";
import type { SpotState } from "../engine/resilience/spot-policy.ts";

/** Availability of spot capacity in one zone, slot by slot. */
export interface Series {
  readonly name: string;
  readonly slotSeconds: number;
  readonly isUp: Uint8Array;
}

/** Series of a folder in the layout of the public spot traces; null when the folder is absent. */
export function readSeries(folder: string): Series[] | null {
  if (!existsSync(folder)) return null;
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => {
      const document = JSON.parse(readFileSync(join(folder, name), "utf8")) as {
        readonly metadata: { readonly gap_seconds: number };
        readonly data: readonly number[];
      };
      return {
        name: name.replace(/\.json$/, ""),
        slotSeconds: document.metadata.gap_seconds,
        isUp: Uint8Array.from(document.data, (count) => (count > 0 ? 1 : 0)),
      };
    });
}

/**
 * Made-up series of the same shape: stretches up and down with heavy tails (a log-uniform length), so that short
 * flickers and long outages both occur.
 */
export function generateSeries(name: string, slots: number, seed: number, share: number): Series {
  const random = createRandom(seed);
  const isUp = new Uint8Array(slots);
  const length = (mean: number): number =>
    Math.max(1, Math.round(mean * Math.exp((random.next() - 0.5) * 4) * 0.55));
  let up = random.next() < share;
  for (let at = 0; at < slots; ) {
    const span = up ? length(70) : length((70 * (1 - share)) / share);
    isUp.fill(up ? 1 : 0, at, Math.min(slots, at + span));
    at += span;
    up = !up;
  }
  return { name, slotSeconds: 195, isUp };
}

/** One run to judge: where it starts in its zones, its work, deadline and changeover in slots. */
export interface Instance {
  readonly zones: readonly Series[];
  readonly start: number;
  readonly work: number;
  readonly deadline: number;
  readonly changeover: number;
  readonly priceRatio: number;
  /** Slots before the start that policies may have seen. */
  readonly history: number;
}

/** What a policy is shown at the beginning of a slot; see `SpotSituation`. */
export interface Slot {
  readonly left: number;
  readonly remaining: number;
  readonly state: SpotState;
  readonly warming: number;
  readonly zones: readonly { readonly isUp: boolean; readonly upSlots: number }[];
  readonly seen: { readonly slots: number; readonly upSlots: number; readonly outages: number };
}

export interface RunResult {
  /** In units of on-demand slots. */
  readonly cost: number;
  readonly isDone: boolean;
  readonly changes: number;
}

const anyUp = (zones: readonly Series[], at: number): boolean => zones.some(({ isUp }) => isUp[at] === 1);

/** Plays one instance under a policy. */
export function play(instance: Instance, choose: (slot: Slot) => SpotState): RunResult {
  const { zones, start, work, deadline, changeover, priceRatio } = instance;
  const ages = zones.map(() => 0);
  let [slots, upSlots, outages, wasUp] = [0, 0, 0, false];
  const from = Math.max(0, start - instance.history);
  const watch = (at: number): void => {
    for (const [index, { isUp }] of zones.entries()) ages[index] = isUp[at] === 1 ? ages[index]! + 1 : 0;
    const isUp = anyUp(zones, at);
    if (at >= from) {
      slots++;
      if (isUp) upSlots++;
      if (isUp && !wasUp && at > from) outages++;
    }
    wasUp = isUp;
  };
  // stretches that began before the start have the age they have
  for (let at = Math.min(from, Math.max(0, start - 2000)); at < start; at++) watch(at);
  let state: SpotState = "idle";
  let [warming, done, cost, changes] = [0, 0, 0, 0];
  for (let slot = 0; slot < deadline && done < work; slot++) {
    watch(start + slot);
    if (typeof state === "number" && ages[state] === 0) [state, warming] = ["idle", 0];
    const next = choose({
      left: deadline - slot,
      remaining: work - done,
      state,
      warming,
      zones: ages.map((age) => ({ isUp: age > 0, upSlots: age })),
      seen: { slots, upSlots, outages },
    });
    if (next !== state) {
      warming = next === "idle" ? 0 : changeover;
      if (next !== "idle") changes++;
      state = next;
    }
    if (state === "idle") continue;
    if (typeof state === "number" && ages[state] === 0)
      throw new Error("spot capacity used where none is up");
    cost += state === "on-demand" ? 1 : priceRatio;
    if (warming > 0) warming--;
    else done++;
  }
  return { cost, isDone: done >= work, changes };
}

/**
 * Least cost of an instance for somebody who knows the whole series: dynamic program over slots, work done, and place
 * (with the slots of changeover still to come). Infinity when even that misses the deadline.
 */
export function optimum({ zones, start, work, deadline, changeover, priceRatio }: Instance): number {
  const places = zones.length + 1;
  const wait = Math.max(1, changeover);
  const layer = (): Float64Array => new Float64Array(work + 1).fill(Number.POSITIVE_INFINITY);
  /** Cost by work done, while nothing runs. */
  const idle = layer();
  idle[0] = 0;
  /** By place and slots of changeover to come (index 0: it works). */
  const running = Array.from({ length: places * wait }, layer);
  const best = new Float64Array(work + 1);
  const next = layer();
  for (let slot = 0; slot < deadline; slot++) {
    best.set(idle);
    for (const costs of running)
      for (let done = 0; done <= work; done++) if (costs[done]! < best[done]!) best[done] = costs[done]!;
    for (let place = 0; place < places; place++) {
      const at = (warming: number): Float64Array => running[place * wait + warming]!;
      const isOpen = place === zones.length || zones[place]!.isUp[start + slot] === 1;
      if (!isOpen) {
        for (let warming = 0; warming < wait; warming++) at(warming).fill(Number.POSITIVE_INFINITY);
        continue;
      }
      const price = place === zones.length ? 1 : priceRatio;
      const working = at(0);
      next.fill(Number.POSITIVE_INFINITY);
      for (let done = 1; done <= work; done++) next[done] = working[done - 1]! + price;
      next[work] = Math.min(next[work]!, working[work]!);
      // with a changeover of c slots, c paid slots pass before the first one works
      const warm = changeover > 1 ? at(1) : best;
      for (let done = 0; done <= work; done++) next[done] = Math.min(next[done]!, warm[done]! + price);
      if (changeover === 0)
        for (let done = 1; done <= work; done++) next[done] = Math.min(next[done]!, best[done - 1]! + price);
      for (let warming = 1; warming < wait - 1; warming++)
        for (let done = 0; done <= work; done++) at(warming)[done] = at(warming + 1)[done]! + price;
      if (wait > 1) for (let done = 0; done <= work; done++) at(wait - 1)[done] = best[done]! + price;
      working.set(next);
    }
    idle.set(best);
  }
  let least = idle[work]!;
  for (const costs of running) least = Math.min(least, costs[work]!);
  return least;
}
