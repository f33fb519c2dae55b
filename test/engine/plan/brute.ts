import { type Facts, failedConstraints, hosting } from "../../../engine/assign/eligible.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import { allowsSpot, type Intent } from "../../../engine/model/intent.ts";
import { convert } from "../../../engine/model/money.ts";
import type { Snapshot } from "../../../engine/model/snapshot.ts";
import { latencyMs } from "../../../engine/score/latency.ts";
import { carbonGramsPerGpuHour, energyPerWork, slowness } from "../../../engine/score/performance.ts";
import { spotFactor } from "../../../engine/score/spot.ts";

/** One offer at one price kind, judged the slow way. */
export interface BruteOption {
  readonly flavor: Flavor;
  readonly spot: boolean;
  readonly failed: readonly string[];
  readonly billedMicro: number;
  readonly cost: number;
  readonly slowness: number;
  readonly latency: number;
  readonly energy: number;
}

const factsOf = (snapshot: Snapshot, intent: Intent, flavor: Flavor): Facts => {
  const coordinates = intent.constraints.origin?.coordinates ?? snapshot.hub?.coordinates;
  return {
    latencyMs: latencyMs(flavor, {
      ...(coordinates === undefined ? {} : { coordinates }),
      measured: intent.constraints.origin === undefined,
    }),
    carbonGramsPerGpuHour: carbonGramsPerGpuHour(flavor),
  };
};

/** Every option of the universe of a one-replica service, with everything it fails. */
export function bruteOptions(snapshot: Snapshot, intent: Intent): BruteOption[] {
  const { count } = intent.workload.resources.gpu;
  const { kind } = intent.workload;
  return snapshot.offers.flatMap((flavor) => {
    const kinds = [false, true].filter((spot) =>
      spot
        ? flavor.price.spot !== undefined && (flavor.price.onDemand === undefined || allowsSpot(intent))
        : flavor.price.onDemand !== undefined,
    );
    return kinds.map((spot) => {
      const facts = factsOf(snapshot, intent, flavor);
      const money = spot ? flavor.price.spot! : flavor.price.onDemand!;
      const micro = convert(money, snapshot.currency, snapshot.rates) ?? Number.NaN;
      const perGpu = flavor.price.basis === "gpu" ? micro : Math.ceil(micro / flavor.capacity.gpus);
      const whole = flavor.price.basis === "gpu" ? micro * flavor.capacity.gpus : micro;
      const billedMicro = flavor.divisible ? perGpu * count : whole;
      return {
        flavor,
        spot,
        failed: failedConstraints(snapshot, intent, flavor, spot, facts, hosting(intent)),
        billedMicro,
        cost: billedMicro * (spot ? spotFactor(flavor.price.interruptionRate ?? 0.05, {}) : 1),
        slowness: slowness(flavor, kind, count),
        latency: facts.latencyMs,
        energy: energyPerWork(flavor, kind, count),
      };
    });
  });
}

/** Counts per constraint name over the options, zeros left out. */
export function tally(options: readonly BruteOption[], only: boolean): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { failed } of options)
    if (!only || failed.length === 1) for (const name of failed) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
