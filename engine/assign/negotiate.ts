import { changed, quantityOfMib } from "../compile/constraints/forms.ts";
import { type Relaxation, withField } from "../compile/constraints/spec.ts";
import type { FallbackStrategy, Intent } from "../model/intent.ts";
import { formatMicro } from "../model/money.ts";

/** Tiers from best to least, as far as an intent may climb down them. */
const tiers: readonly string[] = ["premium", "standard", "gaming", "inference", "budget"];

/** The cap raised by the stated flexibility, rounded down to whole micro-units. */
function dearer(intent: Intent): Relaxation | null {
  const { negotiation, maxHourlyCost } = intent.constraints;
  const flexibility = negotiation.priceFlexibility ?? 0;
  if (maxHourlyCost === undefined || flexibility <= 0) return null;
  const micro = Math.floor(maxHourlyCost.micro * (1 + flexibility));
  const text = (amount: number): string => `${formatMicro(amount)} ${maxHourlyCost.currency}`;
  return changed(
    intent,
    ["constraints", "maxHourlyCost"],
    { ...maxHourlyCost, micro },
    { path: "constraints.max_hourly_cost", from: text(maxHourlyCost.micro), to: text(micro) },
  );
}

/** Stated minimums lowered by the stated flexibility, rounded up. */
function smaller(intent: Intent): Relaxation[] {
  const share = 1 - (intent.constraints.negotiation.resourceFlexibility ?? 0);
  if (share >= 1 || share <= 0) return [];
  const { resources } = intent.workload;
  const steps: Relaxation[] = [];
  let current = intent;
  const lower = (
    value: number | undefined,
    field: readonly string[],
    path: string,
    write: (value: number) => string | number,
    round: (value: number) => number = Math.ceil,
  ): void => {
    if (value === undefined) return;
    const to = round(value * share);
    const step = changed(current, field, to, { path, from: write(value), to: write(to) });
    current = step.intent;
    steps.push(step);
  };
  const gpu = ["workload", "resources", "gpu"];
  lower(
    resources.gpu.memoryMibMin,
    [...gpu, "memoryMibMin"],
    "workload.resources.gpu.memory_min",
    quantityOfMib,
  );
  lower(resources.gpu.coresMin, [...gpu, "coresMin"], "workload.resources.gpu.cores_min", (value) => value);
  lower(
    resources.gpu.fp32TflopsMin,
    [...gpu, "fp32TflopsMin"],
    "workload.resources.gpu.fp32_tflops",
    (value) => value,
    (value) => value,
  );
  lower(
    resources.cpuMilli,
    ["workload", "resources", "cpuMilli"],
    "workload.resources.cpu",
    (milli) => `${milli}m`,
  );
  lower(
    resources.memoryMib,
    ["workload", "resources", "memoryMib"],
    "workload.resources.memory",
    quantityOfMib,
  );
  return steps;
}

/** A lower tier, or any model of one where a model was named. */
function lowerTiers(intent: Intent): Relaxation[] {
  const { tier, model } = intent.workload.resources.gpu;
  const steps: Relaxation[] = [];
  let current = intent;
  if (model !== undefined) {
    const path = "workload.resources.gpu.model";
    const step = changed(current, ["workload", "resources", "gpu", "model"], undefined, {
      path,
      from: model,
      to: "any",
    });
    steps.push(step);
    current = step.intent;
  }
  if (tier !== undefined)
    for (const lower of tiers.slice(tiers.indexOf(tier) + 1)) {
      const field = ["workload", "resources", "gpu", "tier"];
      steps.push(
        changed(current, field, lower, { path: "workload.resources.gpu.tier", from: tier, to: lower }),
      );
    }
  return steps;
}

/** GPUs that others may use too: shared ones are accepted, dedicated ones no longer asked for. */
function shareable(intent: Intent): Relaxation[] {
  const gpu = ["workload", "resources", "gpu"];
  const path = "workload.resources.gpu";
  const shared = changed(intent, [...gpu, "shared"], true, { path: `${path}.shared`, from: false, to: true });
  if (intent.workload.resources.gpu.dedicated !== true) return [shared];
  const open = { path: `${path}.dedicated`, from: true, to: false };
  return [shared, changed(shared.intent, [...gpu, "dedicated"], undefined, open)];
}

function fallback(intent: Intent, strategy: FallbackStrategy): Relaxation[] {
  switch (strategy) {
    case "lower_tier":
      return lowerTiers(intent);
    case "shared":
      return shareable(intent);
    case "spot":
      return [
        changed(intent, ["constraints", "preemptible"], true, {
          path: "constraints.preemptible",
          from: false,
          to: true,
        }),
      ];
    case "queue":
    case "reject":
      return [];
  }
}

/** One round of negotiation: an intent to try, and everything given up so far. */
export interface Round {
  readonly intent: Intent;
  readonly given: readonly Relaxation["change"][];
}

/**
 * The rounds an intent's negotiation rules allow, in order: price flexibility, resource flexibility, then the fallback
 * strategies as listed, each on top of the ones before; within `lower_tier` each tier replaces the one before. Ends at
 * `queue` or `reject` and after `max_negotiation_rounds`.
 */
export function rounds(intent: Intent): Round[] {
  const { negotiation } = intent.constraints;
  const found: Round[] = [];
  let base: Round = { intent, given: [] };
  const price = dearer(intent);
  if (price !== null) {
    base = { intent: price.intent, given: [price.change] };
    found.push(base);
  }
  const resources = smaller(base.intent);
  const last = resources[resources.length - 1];
  if (last !== undefined) {
    base = { intent: last.intent, given: [...base.given, ...resources.map(({ change }) => change)] };
    found.push(base);
  }
  for (const strategy of negotiation.fallbacks) {
    if (strategy === "queue" || strategy === "reject") break;
    const before = base;
    for (const step of fallback(before.intent, strategy)) {
      const path = step.change.path;
      const given = base.given.filter((change) => change.path !== path || before.given.includes(change));
      base = { intent: step.intent, given: [...given, step.change] };
      found.push(base);
    }
  }
  return found
    .slice(0, negotiation.maxRounds)
    .map((round) => ({ ...round, intent: withField(round.intent, ["name"], intent.name) }));
}
