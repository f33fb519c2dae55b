import fc from "fast-check";
import { expect, test } from "vitest";
import { openAccounts, scopeIn } from "../../../engine/assign/accounts.ts";
import { overQuota, whenFree } from "../../../engine/assign/over-quota.ts";
import { placeSingle } from "../../../engine/assign/single.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import { eur, flavor, holding, intent, oneTask, snapshot } from "../builders.ts";

const few = (most: number) => fc.integer({ min: 0, max: most });
const world = fc.record({
  offers: fc.array(fc.record({ free: few(4), isH100: fc.boolean(), price: few(3) }), {
    minLength: 1,
    maxLength: 3,
  }),
  quota: fc.record({
    all: fc.option(few(6)),
    h100: fc.option(few(4), { freq: 2 }),
    money: fc.option(few(8), { freq: 2 }),
  }),
  used: few(3),
});
const wish = fc.record({
  gpus: fc.integer({ min: 1, max: 4 }),
  replicas: fc.integer({ min: 1, max: 3 }),
  isGang: fc.boolean(),
});

const scalingTo = (replicas: number) => ({
  minReplicas: replicas,
  maxReplicas: replicas,
  autoScale: false,
  targetCpuPercent: 80,
  targetGpuPercent: 80,
});

test("what is not asked again of quotas would have been answered the same", () => {
  const seen = { spared: 0, over: 0, asked: 0, unbound: 0 };
  fc.assert(
    fc.property(world, wish, ({ offers, quota, used }, { gpus, replicas, isGang }) => {
      const { all, h100, money } = quota;
      const quotas = [
        ...(all === null ? [] : [{ gpuClass: "*", nominal: all }]),
        ...(h100 === null ? [] : [{ gpuClass: "nvidia-h100", nominal: h100 }]),
        ...(money === null ? [] : [{ money: true as const, nominal: money * 1_000_000 }]),
      ];
      const catalog = prepare(
        snapshot(
          offers.map(({ free, isH100, price }, index) =>
            flavor(`o-${index}`, {
              capacity: { gpus: 4, gpusFree: free },
              price: { basis: "gpu", onDemand: eur(1 + price) },
              ...(isH100 ? { gpu: { model: "nvidia-h100", families: ["nvidia-h100"] } } : {}),
            }),
          ),
          {
            tenants: [{ name: "default", weight: 1, quotas }],
            holdings: used > 0 ? [holding("runs", "o-0", used)] : [],
          },
        ),
      );
      const asked = intent({
        gpu: { count: gpus },
        workload: isGang ? { scaling: scalingTo(replicas) } : oneTask({ parallelTasks: replicas }),
      });
      const scope = scopeIn(openAccounts(catalog), asked);
      if (scope.limits === undefined) return;
      const k = 4;
      const result = placeSingle(scope, k);
      if (result.shares.length > 0) return;
      const free = whenFree(scope, k);
      const found = overQuota(scope, scope.limits, k, { result, free });
      const anyhow = { ...result, answer: { ...result.answer, feasible: 1 } };
      expect(found).toEqual(overQuota(scope, scope.limits, k, { result: anyhow, free: whenFree(scope, k) }));
      const directly = placeSingle({ ...scope, usage: new Map(), asIfFree: true }, k);
      for (const name of ["shares", "shortfall", "ranked"] as const)
        expect(free.limited[name]).toEqual(directly[name]);
      const at = result.encoded.specs.findIndex(({ name }) => name === "quota");
      if (result.answer.feasible > 0 || (at >= 0 && result.answer.sole[at]! > 0)) seen.asked++;
      else seen.spared++;
      if (found !== null) seen.over++;
      if (free.limited === free.unlimited) seen.unbound++;
    }),
    { numRuns: 600, seed: 7 },
  );
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(10);
});
