import fc from "fast-check";
import { expect, test } from "vitest";
import type { Quota, Tenant } from "../../../engine/model/snapshot.ts";
import { openBooks } from "../../../engine/quota/books.ts";
import { createQuotaTree } from "../../../engine/quota/tree.ts";

const tenant = (name: string, cohort?: string, quota?: Partial<Quota>): Tenant => ({
  name,
  weight: 1,
  quotas: quota === undefined ? [] : [{ gpuClass: "h", nominal: 0, ...quota }],
  ...(cohort === undefined ? {} : { cohort }),
});
/** GPUs as books count them: in thousandths. */
const gpus = (count: number): ReadonlyMap<string, number> => new Map([["h", count * 1000]]);
const availableTo = (tenants: readonly Tenant[], used: Record<string, number>, name: string): number => {
  const books = openBooks(createQuotaTree(tenants));
  for (const [who, count] of Object.entries(used)) books.enter(who, gpus(count), 1);
  return books.standing(name)[0]!.available / 1000;
};

test.for<{ name: string; tenants: Tenant[]; used: Record<string, number>; of: string; available: number }>([
  {
    name: "a tenant alone has what it owns",
    tenants: [tenant("a", undefined, { nominal: 4 })],
    used: { a: 1 },
    of: "a",
    available: 3,
  },
  {
    name: "a cohort lends what its members do not use",
    tenants: [tenant("a", "c", { nominal: 4 }), tenant("b", "c", { nominal: 4 })],
    used: { b: 1 },
    of: "a",
    available: 7,
  },
  {
    name: "nobody borrows beyond its own limit",
    tenants: [tenant("a", "c", { nominal: 4, borrowing: 1 }), tenant("b", "c", { nominal: 4 })],
    used: {},
    of: "a",
    available: 5,
  },
  {
    name: "what is not lent stays with its owner",
    tenants: [tenant("a", "c", { nominal: 4 }), tenant("b", "c", { nominal: 4, lending: 1 })],
    used: {},
    of: "a",
    available: 5,
  },
  {
    name: "the part that is not lent is used first",
    tenants: [tenant("a", "c", { nominal: 4 }), tenant("b", "c", { nominal: 4, lending: 1 })],
    used: { b: 3 },
    of: "a",
    available: 5,
  },
  {
    name: "a borrower leaves the owner what it does not lend",
    tenants: [tenant("a", "c", { nominal: 4 }), tenant("b", "c", { nominal: 4, lending: 1 })],
    used: { a: 5 },
    of: "b",
    available: 3,
  },
  {
    name: "a tenant without a quota of its own only borrows",
    tenants: [tenant("a", "c"), tenant("b", "c", { nominal: 2 })],
    used: {},
    of: "a",
    available: 2,
  },
  {
    name: "cohorts in cohorts: each level has its limits",
    tenants: [
      tenant("a", "team"),
      tenant("team", "org", { nominal: 3, borrowing: 2 }),
      tenant("other", "org", { nominal: 10, lending: 4 }),
    ],
    used: {},
    of: "a",
    available: 5,
  },
])("$name", ({ tenants, used, of, available }) => {
  expect(availableTo(tenants, used, of)).toBe(available);
});

test("a tenant that no entry names is not limited", () => {
  const books = openBooks(createQuotaTree([tenant("a", "c", { nominal: 0 })]));
  expect(books.admits("stranger", gpus(1_000))).toBe(true);
  expect(books.standing("stranger")).toEqual([]);
});

test.for<{ name: string; tenants: Tenant[]; broken: Record<string, RegExp> }>([
  {
    name: "a cycle of cohorts takes its members along, the others are read",
    tenants: [
      tenant("ann", "bea"),
      tenant("bea", "cai"),
      tenant("cai", "bea"),
      tenant("free", undefined, { nominal: 1 }),
    ],
    broken: { ann: /cycle/, bea: /cycle/, cai: /cycle/ },
  },
  {
    name: "a negative quota",
    tenants: [tenant("ann", undefined, { nominal: -1 })],
    broken: { ann: /nominal of h is -1/ },
  },
  {
    name: "lending above nominal",
    tenants: [tenant("ann", "cai", { nominal: 2, lending: 3 })],
    broken: { ann: /lending of h is 3, above its nominal 2/ },
  },
  {
    name: "a broken cohort takes the tenants below it along",
    tenants: [tenant("ann", "cai", { nominal: 2 }), tenant("cai", undefined, { nominal: 0.5 })],
    broken: { ann: /cohort cai above it/, cai: /nominal of h is 0.5/ },
  },
  {
    name: "two quotas for one class",
    tenants: [
      {
        ...tenant("ann", undefined, { nominal: 1 }),
        quotas: [
          { gpuClass: "h", nominal: 1 },
          { gpuClass: "h", nominal: 2 },
        ],
      },
    ],
    broken: { ann: /two quotas for h/ },
  },
  {
    name: "an entry that could not be read",
    tenants: [{ ...tenant("ann"), problem: "nominal: got -1" }],
    broken: { ann: /nominal: got -1/ },
  },
])("$name is refused", ({ tenants, broken }) => {
  const { problems, index } = createQuotaTree(tenants);
  expect([...problems.keys()].sort()).toEqual(Object.keys(broken).sort());
  for (const [name, pattern] of Object.entries(broken)) {
    expect(problems.get(name)!.detail).toMatch(pattern);
    expect(index.has(name)).toBe(false);
    for (const other of tenants.filter((one) => one.name !== name))
      expect(problems.get(name)!.own.split(/\W+/)).not.toContain(other.name);
  }
});

// small integers: limits that bind exactly must occur
const amount = fc.integer({ min: 0, max: 4 });
const entry = fc.record({
  nominal: amount,
  lending: fc.option(amount, { nil: undefined }),
  borrowing: fc.option(amount, { nil: undefined }),
  parent: fc.nat({ max: 2 }),
});
const trees = fc.tuple(fc.array(entry, { minLength: 1, maxLength: 4 }), fc.array(entry, { maxLength: 2 }));

/** Use of a node seen by its parent, and whether some node exceeds its limit: straight from the definition. */
function isValid(tenants: readonly Tenant[], used: ReadonlyMap<string, number>): boolean {
  let valid = true;
  const visit = (name: string): { quota: number; felt: number } => {
    const own = tenants.find((one) => one.name === name);
    const [stated] = own?.quotas ?? [];
    const children = tenants.filter(({ cohort }) => cohort === name).map((child) => visit(child.name));
    const quota = (stated?.nominal ?? 0) + children.reduce((sum, child) => sum + child.quota, 0);
    const use = (used.get(name) ?? 0) + children.reduce((sum, child) => sum + child.felt, 0);
    if (own?.cohort === undefined) {
      if (use > quota) valid = false;
      return { quota, felt: use };
    }
    if (use > quota + (stated?.borrowing ?? Infinity)) valid = false;
    const kept = Math.max(0, quota - (stated?.lending ?? quota));
    return { quota: quota - kept, felt: Math.max(0, use - kept) };
  };
  const names = new Set(
    tenants.flatMap(({ name, cohort }) => (cohort === undefined ? [name] : [name, cohort])),
  );
  for (const name of names) if (tenants.find((one) => one.name === name)?.cohort === undefined) visit(name);
  return valid;
}

test("books admit exactly what keeps every node within its limits, and giving back restores them", () => {
  fc.assert(
    fc.property(
      trees,
      fc.array(fc.tuple(fc.nat({ max: 3 }), fc.constantFrom(0.125, 0.25, 0.5, 1, 2, 4)), { maxLength: 8 }),
      ([leaves, cohorts], asks) => {
        const quotas = ({ nominal, lending, borrowing }: (typeof leaves)[number]): Quota[] => [
          {
            gpuClass: "h",
            nominal,
            ...(lending === undefined ? {} : { lending: Math.min(lending, nominal) }),
            ...(borrowing === undefined ? {} : { borrowing }),
          },
        ];
        const tenants: Tenant[] = [
          ...leaves.map((one, index) => ({
            name: `t${index}`,
            weight: 1,
            quotas: quotas(one),
            ...(one.parent === 0 ? {} : { cohort: `c${Math.min(one.parent, cohorts.length)}` }),
          })),
          ...cohorts.map((one, index) => ({
            name: `c${index + 1}`,
            weight: 1,
            quotas: quotas(one),
            ...(index === 0 ? {} : { cohort: "c1" }),
          })),
        ];
        const books = openBooks(createQuotaTree(tenants));
        const used = new Map<string, number>();
        for (const [who, count] of asks) {
          const name = `t${who % leaves.length}`;
          const then = new Map(used).set(name, (used.get(name) ?? 0) + count);
          const admitted = books.admits(name, gpus(count));
          expect(admitted).toBe(isValid(tenants, then));
          if (!admitted) continue;
          const before = books.standing(name);
          books.enter(name, gpus(count), 1);
          books.enter(name, gpus(count), -1);
          expect(books.standing(name)).toEqual(before);
          books.enter(name, gpus(count), 1);
          used.set(name, then.get(name)!);
        }
      },
    ),
    { numRuns: 300, seed: 11 },
  );
});
