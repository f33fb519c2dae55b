import fc from "fast-check";
import { expect, test } from "vitest";
import { failedConstraints, hosting } from "../../../engine/assign/eligible.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, intent, snapshot } from "../builders.ts";
import { intents, offers } from "./arbitraries.ts";
import { type BruteOption, bruteOptions, tally } from "./brute.ts";

const runs = { numRuns: 300 };

const decide = async (offerList: Parameters<typeof snapshot>[0], wanted: Intent) => {
  const view = snapshot(offerList);
  const { decisions } = await plan(prepare(view), [wanted], { tradeoffs: true });
  return { view, decision: decisions[0]! };
};

test("feasible, rejection and sole-blocker counts equal brute force", async () => {
  await fc.assert(
    fc.asyncProperty(offers, intents, async (list, wanted) => {
      const { view, decision } = await decide(list, wanted);
      const options = bruteOptions(view, wanted);
      expect(decision.considered).toBe(options.length);
      expect(decision.feasible).toBe(options.filter(({ failed }) => failed.length === 0).length);
      expect(decision.rejections).toEqual(tally(options, false));
      expect(decision.soleBlockers).toEqual(tally(options, true));
    }),
    runs,
  );
});

const primary: Record<Intent["objective"], ((option: BruteOption) => number)[]> = {
  cost: [(option) => option.cost, (option) => option.slowness, (option) => option.latency],
  performance: [(option) => option.slowness, (option) => option.cost],
  latency: [(option) => option.latency, (option) => option.cost],
  energy: [(option) => option.energy, (option) => option.cost],
  balanced: [
    (option) =>
      Math.log(Math.max(option.cost, 1000)) +
      Math.log(option.slowness) +
      Math.log(Math.max(option.latency, 1)),
  ],
};

test("the placed offer is the brute-force best of its objective, ties by the documented order", async () => {
  await fc.assert(
    fc.asyncProperty(offers, intents, async (list, wanted) => {
      const { view, decision } = await decide(list, wanted);
      const feasible = bruteOptions(view, wanted).filter(({ failed }) => failed.length === 0);
      expect(decision.outcome === "placed").toBe(feasible.length > 0);
      if (feasible.length === 0) return;
      const chosen = decision.placements[0]!;
      const found = feasible.find(
        (option) => option.flavor.id === chosen.offer && option.spot === chosen.spot,
      )!;
      expect(found.billedMicro).toBe(chosen.costMicro);
      for (const key of primary[wanted.objective]) {
        const best = Math.min(...feasible.map(key));
        expect(key(found)).toBeCloseTo(best, 9);
        feasible.splice(0, feasible.length, ...feasible.filter((option) => key(option) <= best + 1e-12));
      }
    }),
    runs,
  );
});

test("input order never matters: shuffled offers give the same bytes", async () => {
  await fc.assert(
    fc.asyncProperty(offers, intents, async (list, wanted) => {
      const one = await plan(prepare(snapshot(list)), [wanted]);
      const two = await plan(prepare(snapshot([...list].reverse())), [wanted]);
      expect(JSON.stringify(two)).toBe(JSON.stringify(one));
    }),
    { numRuns: 100 },
  );
});

/** Applies the changes a counterfactual names to the canonical intent. */
function apply(wanted: Intent, changes: readonly { readonly path: string; readonly to: unknown }[]): Intent {
  const copy = structuredClone(wanted) as never as Record<string, Record<string, never>>;
  const constraints = copy["constraints"] as Record<string, unknown>;
  const resources = (copy["workload"] as Record<string, unknown>)["resources"] as Record<string, unknown>;
  const gpu = resources["gpu"] as Record<string, unknown>;
  const set = (target: Record<string, unknown>, key: string, value: unknown): void => {
    if (value === null || value === undefined || value === "any") delete target[key];
    else target[key] = value;
  };
  for (const { path, to } of changes) {
    const text = String(to);
    if (path === "constraints.max_hourly_cost")
      set(constraints, "maxHourlyCost", eur(Number.parseFloat(text)));
    else if (path === "constraints.max_latency_ms") set(constraints, "maxLatencyMs", to);
    else if (path === "constraints.preemptible") set(constraints, "preemptible", to);
    else if (path === "constraints.locations")
      constraints["locations"] =
        text === "any"
          ? []
          : text.split(", ").map((place) => ({
              text: place,
              kind: place.length === 2 && place !== "eu" ? "country" : place === "eu" ? "area" : "region",
            }));
    else if (path === "constraints.providers") constraints["providers"] = text.split(", ");
    else if (path === "constraints.compliance.gdpr_compliant")
      constraints["compliance"] = { dataResidency: [], certifications: [] };
    else if (path === "constraints.performance.min_uptime_percent")
      constraints["performance"] = to === null ? {} : { minUptimePercent: to };
    else if (path === "workload.resources.gpu.memory_min")
      set(gpu, "memoryMibMin", to === null ? null : Number.parseInt(text, 10) * 1024);
    else if (path === "workload.resources.gpu.model") set(gpu, "model", to);
    else if (path === "workload.resources.gpu.tier") set(gpu, "tier", to);
    else if (path === "workload.resources.gpu.count") set(gpu, "count", to);
    else if (path === "workload.resources.cpu")
      set(resources, "cpuMilli", to === null ? null : Number.parseInt(text, 10) * 1000);
    else throw new Error(`unknown path ${path}`);
  }
  return copy as never as Intent;
}

test("a counterfactual keeps its promise: the changed intent is placed where and at the price it said", async () => {
  let told = 0;
  await fc.assert(
    fc.asyncProperty(offers, intents, async (list, wanted) => {
      const { view, decision } = await decide(list, wanted);
      for (const { changes, best } of decision.counterfactuals) {
        told++;
        const again = await plan(prepare(view), [apply(wanted, changes)]);
        expect(again.decisions[0]!.placements[0]).toMatchObject({
          offer: best.offer,
          costMicro: best.costMicro,
        });
      }
    }),
    runs,
  );
  expect(told).toBeGreaterThan(50);
});

test("a smaller change of a number is not enough", async () => {
  const step: Record<string, (to: unknown) => string | number> = {
    "constraints.max_hourly_cost": (to) => `${Number.parseFloat(String(to)) - 0.000001} EUR`,
    "constraints.max_latency_ms": (to) => Number(to) - 1,
    "workload.resources.gpu.count": (to) => Number(to) + 1,
  };
  await fc.assert(
    fc.asyncProperty(offers, intents, async (list, wanted) => {
      const { view, decision } = await decide(list, wanted);
      if (decision.outcome === "placed") return;
      for (const { changes } of decision.counterfactuals) {
        const [only, second] = changes;
        const less = step[only!.path];
        if (second !== undefined || less === undefined || only!.to === null) continue;
        const again = await plan(prepare(view), [apply(wanted, [{ path: only!.path, to: less(only!.to) }])]);
        expect(again.decisions[0]!.outcome).not.toBe("placed");
      }
    }),
    runs,
  );
});

test("relaxing a constraint never loses a feasible offer", async () => {
  await fc.assert(
    fc.asyncProperty(offers, intents, async (list, wanted) => {
      const { maxHourlyCost: _, ...looser } = wanted.constraints;
      const tight = await decide(list, wanted);
      const loose = await decide(list, { ...wanted, constraints: looser });
      expect(loose.decision.feasible).toBeGreaterThanOrEqual(tight.decision.feasible);
    }),
    { numRuns: 100 },
  );
});

test("an unknown trait fails a stated constraint and is counted apart", async () => {
  const list = [flavor("known"), { ...flavor("silent"), performance: {} }];
  const known = { ...list[0]!, performance: { uptimePercent: 99.5 } };
  const wanted = intent({ constraints: { performance: { minUptimePercent: 99.9 } } });
  const { decision } = await decide([known, list[1]!], wanted);
  expect(decision.rejections).toEqual({ "performance.min_uptime_percent": 2 });
  expect(decision.unknown).toEqual({ "performance.min_uptime_percent": 1 });
});

test("the checker's reading of constraints is used by the plan, not only by these tests", () => {
  const wanted = intent({ constraints: { maxHourlyCost: eur(0.5) } });
  const facts = { latencyMs: 1, carbonGramsPerGpuHour: 1 };
  expect(failedConstraints(snapshot([]), wanted, flavor("a"), false, facts, hosting(wanted))).toEqual([
    "max_hourly_cost",
  ]);
});
