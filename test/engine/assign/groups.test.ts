import fc from "fast-check";
import { expect, test } from "vitest";
import { checkAssignment } from "../../../engine/assign/check.ts";
import { expand, groupOffers } from "../../../engine/assign/groups.ts";
import { createInstance, type Instance, type ItemInput } from "../../../engine/assign/instance.ts";
import { createRandom } from "../../../engine/assign/random.ts";
import { assign } from "../../../engine/assign/solve.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import { bruteForce } from "./small-instances.ts";

const highs = await createHighsSolver();

interface Fleet {
  /** Identical offers per kind, and the GPUs of each. */
  readonly kinds: readonly { readonly count: number; readonly gpus: number; readonly cost: number }[];
  readonly jobs: readonly { readonly gpus: number; readonly worth: number; readonly copies: number }[];
  readonly quota: number;
}

/** Rows: every offer's GPUs and pods, then one quota. */
function layOut({ kinds, jobs, quota }: Fleet): Instance {
  const offers = kinds.flatMap((kind) => Array.from({ length: kind.count }, () => kind));
  const rows = offers.flatMap(({ gpus }) => [
    { kind: "capacity" as const, capacity: gpus },
    { kind: "capacity" as const, capacity: 2 },
  ]);
  const items = jobs.map(
    (job): ItemInput => ({
      copies: job.copies,
      worth: job.worth,
      options: offers.map(({ cost }, offer) => ({
        cost,
        uses: [
          [2 * offer, job.gpus],
          [2 * offer + 1, 1],
          [rows.length, job.gpus],
        ],
      })),
    }),
  );
  return createInstance([...rows, { kind: "quota", capacity: quota }], items);
}

const fleets: fc.Arbitrary<Fleet> = fc.record({
  kinds: fc.array(
    fc.record({
      count: fc.integer({ min: 1, max: 3 }),
      gpus: fc.integer({ min: 1, max: 5 }),
      cost: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  jobs: fc.array(
    fc.record({
      gpus: fc.integer({ min: 1, max: 4 }),
      worth: fc.integer({ min: 3, max: 9 }),
      copies: fc.constantFrom(1, 1, 1, 2),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  quota: fc.integer({ min: 2, max: 12 }),
});

test("interchangeable offers as one: a bound for all, optimal with a solver, nothing oversubscribed", async () => {
  let grouped = 0;
  await fc.assert(
    fc.asyncProperty(fleets, async (fleet) => {
      const instance = layOut(fleet);
      const groups = groupOffers(instance);
      const best = bruteForce(instance).gain;
      if (groups !== null) {
        grouped++;
        const part = await assign(groups.instance, { solver: highs, work: 2_000, gap: 0 });
        expect(part.bound).toBeGreaterThanOrEqual(best);
        const dealt = expand(instance, groups, part.units);
        expect(checkAssignment(instance, dealt).violations.filter(({ rule }) => rule !== "gang")).toEqual([]);
      }
      const outcome = await assign(instance, { solver: highs, work: 2_000, gap: 0 });
      expect(outcome.gain).toBe(best);
      expect(outcome.bound).toBeGreaterThanOrEqual(best);
    }),
    { numRuns: 40, seed: 67 },
  );
  expect(grouped).toBeGreaterThan(10);
});

test("offers that differ in anything that decides stay apart", () => {
  const same: Fleet = {
    kinds: [{ count: 3, gpus: 4, cost: 1 }],
    jobs: [
      { gpus: 2, worth: 9, copies: 1 },
      { gpus: 3, worth: 8, copies: 1 },
    ],
    quota: 12,
  };
  const instance = layOut(same);
  const groups = groupOffers(instance)!;
  expect(groups.instance.options).toBe(2);
  // GPUs and pods of three offers, whole numbers of units of two and of three GPUs, the quota
  expect([...groups.instance.capacity]).toEqual([12, 6, 6, 3, 12]);
  const changed = <Key extends "cost" | "capacity">(key: Key, at: number): Instance => ({
    ...instance,
    [key]: instance[key].map((value, index) => (index === at ? value + 1 : value)),
  });
  // two of three are still alike
  expect(groupOffers(changed("cost", 0))!.instance.options).toBe(4);
  expect(groupOffers(changed("capacity", 1))!.instance.options).toBe(4);
});

test("200 jobs of 40 kinds on 18 machines of 3 kinds: grouped, dealt out the same way twice, nearly proven", async () => {
  const random = createRandom(4);
  const pick = <Value>(values: readonly Value[]): Value => values[random.below(values.length)]!;
  const kinds = Array.from({ length: 40 }, () => ({
    gpus: pick([1, 1, 1, 2, 4, 8]),
    worth: 1000 + random.below(4000),
    copies: 1,
  }));
  const jobs = Array.from({ length: 200 }, () => pick(kinds)).map((kind) => ({
    ...kind,
    worth: kind.worth * kind.gpus,
  }));
  const fleet: Fleet = {
    kinds: [7, 8, 6].map((gpus, index) => ({ count: 6, gpus, cost: 10 * index })),
    jobs,
    quota: 90,
  };
  const wide = layOut(fleet);
  // pods never bind here: machines differ in GPUs alone
  const instance = { ...wide, capacity: wide.capacity.map((value) => (value === 2 ? 8 : value)) };
  const groups = groupOffers(instance)!;
  expect(groups.instance.options).toBe(instance.options / 6);
  const solve = () => assign(instance, { solver: highs, work: 2e6, gap: 1e-3 });
  const first = await solve();
  expect(first.gap).toBeLessThan(0.002);
  expect(first.stages.map(({ name }) => name)).toContain("groups");
  expect(first.pricesFrom).toBe("lp");
  expect((await solve()).units).toEqual(first.units);
  // the next tick groups them again, and starts from the last answer
  const next = await assign(instance, { solver: highs, work: 2e6, gap: 1e-3, warm: first.carry });
  expect(next.stages.map(({ name }) => name)).toContain("groups");
  expect(next.gain).toBeGreaterThanOrEqual(first.gain);
});
