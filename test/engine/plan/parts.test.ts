import fc from "fast-check";
import { expect, test } from "vitest";
import { arrange, migGeometry } from "../../../engine/catalog/mig.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Device, Flavor } from "../../../engine/model/flavor.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import type { Holding, Snapshot } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, intent, snapshot } from "../builders.ts";

/** A node of A100s that may be shared and cut, with its devices listed. */
const node = (
  id: string,
  devices: readonly Partial<Device>[],
  changes: Partial<Flavor["gpu"]> = {},
): Flavor => {
  const listed = devices.map((device, index) => ({ index, freeMilli: 1000, ...device }));
  const whole = listed.filter(
    ({ freeMilli, migInUse }) => freeMilli === 1000 && (migInUse ?? []).length === 0,
  );
  return flavor(id, {
    gpu: { sharing: true, migCapable: true, ...changes },
    capacity: { gpus: listed.length, gpusFree: whole.length, devices: listed },
  });
};

const share = (name: string, fractionMilli: number, priority = 500): Intent =>
  intent({ name, priority, gpu: { shared: true, fractionMilli } });
const slice = (name: string, migProfile: string): Intent => intent({ name, gpu: { migProfile } });
const whole = (name: string, count: number, priority = 500): Intent =>
  intent({ name, priority, gpu: { count } });

const placed = async (offers: readonly Flavor[], intents: readonly Intent[]) => {
  const { decisions } = await plan(prepare(snapshot(offers)), intents);
  return Object.fromEntries(
    decisions.map(({ intent: name, placements: [first] }) => [
      name,
      first === undefined ? null : { offer: first.offer, devices: first.devices },
    ]),
  );
};

test("a share sits on the tightest device that takes it, and only opens a whole one when it must", async () => {
  const offers = [node("n", [{}, { freeMilli: 700 }, { freeMilli: 400 }])];
  expect(await placed(offers, [share("a", 400)])).toEqual({ a: { offer: "n", devices: [[2]] } });
  expect(await placed(offers, [share("a", 500)])).toEqual({ a: { offer: "n", devices: [[1]] } });
  expect(await placed(offers, [share("a", 800)])).toEqual({ a: { offer: "n", devices: [[0]] } });
});

test("shares of one plan share a device; the GPU that they open is gone for whole ones", async () => {
  const offers = [node("n", [{}, {}])];
  const got = await placed(offers, [
    share("a", 500, 900),
    share("b", 500, 900),
    whole("c", 1),
    whole("d", 1),
  ]);
  expect(got).toEqual({
    a: { offer: "n", devices: [[0]] },
    b: { offer: "n", devices: [[0]] },
    c: { offer: "n", devices: [[1]] },
    d: null,
  });
});

test("whole GPUs get indices that no share uses, whoever came first", async () => {
  const offers = [node("n", [{}, { freeMilli: 600 }, {}])];
  const got = await placed(offers, [whole("a", 1, 900), share("b", 700, 100)]);
  expect(got["b"]).toEqual({ offer: "n", devices: [[0]] });
  expect(got["a"]).toEqual({ offer: "n", devices: [[2]] });
});

test("of equally good offers, the one is taken that packing prefers; a cheaper one wins over it", async () => {
  const offers = [node("a", [{}, {}]), node("b", [{}, { freeMilli: 500 }]), node("c", [{}, {}])];
  expect(await placed(offers, [share("s", 500)])).toEqual({ s: { offer: "b", devices: [[1]] } });
  const cheaper = [
    ...offers,
    { ...node("d", [{}, {}]), price: { basis: "gpu", onDemand: eur(0.9) } as const },
  ];
  expect((await placed(cheaper, [share("s", 500)]))["s"]?.offer).toBe("d");
});

test.for([
  { profile: "3g.20gb", inUse: ["4g.20gb"] },
  { profile: "1g.5gb", inUse: ["3g.20gb", "2g.10gb", "1g.5gb"] },
])("of equally good offers, a $profile goes to the cut device beside $inUse", async ({ profile, inUse }) => {
  const offers = [
    node("a", [{}, {}]),
    node("b", [{}, { migInUse: inUse }]),
    node("c", [{}, { freeMilli: 500 }]),
  ];
  expect((await placed(offers, [slice("s", profile)]))["s"]?.offer).toBe("b");
});

test("parts are billed pro rata, rounded up: a share by its thousandths, a slice by its compute slices", async () => {
  const offers = [
    {
      ...node("n", [{}, {}]),
      price: { basis: "gpu", onDemand: { micro: 1_000_001, currency: "EUR" } } as const,
    },
  ];
  const { decisions } = await plan(prepare(snapshot(offers)), [share("a", 250), slice("b", "1g.5gb")]);
  expect(decisions.map(({ placements }) => placements[0]?.costMicro)).toEqual([250_001, 143_001]);
});

test("a MIG slice joins a device that is cut already, where its geometry leaves room, else opens one", async () => {
  const offers = [node("n", [{}, { migInUse: ["4g.20gb"] }])];
  expect(await placed(offers, [slice("a", "3g.20gb")])).toEqual({ a: { offer: "n", devices: [[1]] } });
  expect(await placed(offers, [slice("a", "4g.20gb")])).toEqual({ a: { offer: "n", devices: [[0]] } });
});

test.for([
  {
    name: "a profile that the GPU does not have",
    offer: node("n", [{}]),
    profile: "1g.10gb",
    memory: 80,
    rejected: "gpu.mig_profile",
  },
  {
    name: "a GPU that is no MIG GPU",
    offer: node("n", [{}], { migCapable: false }),
    profile: "1g.5gb",
    rejected: "gpu.multi_instance",
  },
  {
    name: "no room",
    offer: node("n", [{ migInUse: ["7g.40gb"] }]),
    profile: "1g.5gb",
    rejected: "gpu.count",
  },
])("$name is named in the rejections", async ({ offer, profile, rejected, memory }) => {
  const own =
    memory === undefined
      ? offer
      : { ...offer, gpu: { ...offer.gpu, model: "nvidia-t4", families: ["nvidia-t4"] } };
  const { decisions } = await plan(prepare(snapshot([own])), [slice("a", profile)]);
  expect(decisions[0]!.outcome).not.toBe("placed");
  expect(Object.keys(decisions[0]!.rejections)).toContain(rejected);
});

test("replicas of a share may sit on one device, and all have to fit", async () => {
  const three = intent({
    name: "r",
    gpu: { shared: true, fractionMilli: 400 },
    workload: {
      deploymentStrategy: "colocated",
      scaling: {
        minReplicas: 3,
        maxReplicas: 3,
        autoScale: false,
        targetCpuPercent: 80,
        targetGpuPercent: 80,
      },
    },
  });
  expect(await placed([node("n", [{}, {}])], [three])).toEqual({
    r: { offer: "n", devices: [[0], [0], [1]] },
  });
  expect(await placed([node("n", [{}])], [three])).toEqual({ r: null });
});

test("offers without a device list take shares too, without indices", async () => {
  const offers = [flavor("n", { gpu: { sharing: true }, capacity: { gpus: 1, gpusFree: 1 } })];
  const got = await placed(offers, [share("a", 600, 900), share("b", 400), share("c", 100, 100)]);
  expect(got).toEqual({
    a: { offer: "n", devices: undefined },
    b: { offer: "n", devices: undefined },
    c: null,
  });
});

test("plans of shares, slices and whole GPUs never give a device twice", async () => {
  const device = fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    { weight: 2, arbitrary: fc.record({ freeMilli: fc.constantFrom(0, 300, 500) }) },
    { weight: 1, arbitrary: fc.constant({ migInUse: ["3g.20gb"] }) },
  );
  const ask = fc.oneof(
    fc.constantFrom(200, 300, 500, 700).map((milli) => (name: string) => share(name, milli)),
    fc.constantFrom("1g.5gb", "2g.10gb", "4g.20gb").map((profile) => (name: string) => slice(name, profile)),
    fc.constantFrom(1, 2).map((count) => (name: string) => whole(name, count)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(device, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }),
      fc.array(ask, { minLength: 1, maxLength: 8 }),
      async (nodes, asks) => {
        const offers = nodes.map((devices, row) => node(`n${row}`, devices));
        const intents = asks.map((make, row) => make(`i${row}`));
        const { decisions } = await plan(prepare(snapshot(offers)), intents);
        for (const { id, capacity, gpu } of offers)
          for (const { index, freeMilli, migInUse = [] } of capacity.devices!) {
            const here = decisions.flatMap(({ intent: name, placements }) => {
              const uses = placements
                .filter(({ offer }) => offer === id)
                .flatMap(({ devices }) => devices!.flat());
              const { gpu: need } = intents.find((one) => one.name === name)!.workload.resources;
              return uses.filter((used) => used === index).map(() => need);
            });
            const milli = here.reduce((sum, need) => sum + (need.fractionMilli ?? 0), 0);
            const profiles = here.flatMap(({ migProfile }) => migProfile ?? []);
            const wholes = here.filter(
              (need) => need.fractionMilli === undefined && need.migProfile === undefined,
            );
            expect(milli).toBeLessThanOrEqual(migInUse.length > 0 ? 0 : freeMilli);
            if (wholes.length > 0) expect(here).toHaveLength(1);
            if (wholes.length > 0) expect([freeMilli, migInUse]).toEqual([1000, []]);
            if (profiles.length === 0) continue;
            expect(milli).toBe(0);
            expect(arrange(migGeometry(gpu)!, [...migInUse, ...profiles])).not.toBeNull();
          }
      },
    ),
    { numRuns: 60 },
  );
});

/** Work of one tenant on nodes with many devices: only its quota binds. */
const quotaOf = (nominal: number, holdings: readonly Holding[] = []): Partial<Snapshot> => ({
  tenants: [{ name: "default", weight: 1, quotas: [{ gpuClass: "*", nominal }] }],
  holdings,
});
const holding = (name: string, part: Partial<Holding>): Holding => ({
  intent: name,
  offer: "n",
  gpus: 1,
  since: "2026-01-05T10:00:00Z",
  priority: 900,
  tenant: "default",
  evictable: false,
  ...part,
});

test("quotas count parts of GPUs to the thousandth, running ones too", async () => {
  const offers = [
    node(
      "n",
      Array.from({ length: 8 }, () => ({})),
    ),
  ];
  const state = snapshot(offers, quotaOf(2, [holding("runs", { fractionMilli: 300 })]));
  const made = await plan(prepare(state), [
    share("a", 700),
    share("b", 700),
    share("c", 300),
    share("d", 10),
  ]);
  // 0.3 runs; 0.7, 0.7 and 0.3 are exactly what is left of two
  const told = Object.fromEntries(made.decisions.map((one) => [one.intent, one.reason]));
  expect(told).toEqual({ a: "PLACED", b: "PLACED", c: "PLACED", d: "QUOTA_EXCEEDED" });
  const { quota, message } = made.decisions[3]!;
  expect(quota).toEqual([{ resource: "*", nominal: 2, used: 2, available: 0, asked: 0.01 }]);
  expect(message).toContain("GPUs: 2 of 2 in use, 0.01 asked");
});

test("a MIG slice counts by its compute slices, and in money pro rata", async () => {
  const offers = [
    node(
      "n",
      Array.from({ length: 4 }, () => ({})),
      { model: "nvidia-a100", memoryMib: 40960 },
    ),
  ];
  const slices = ["a", "b", "c"].map((name) => slice(name, "3g.20gb"));
  const byGpu = await plan(prepare(snapshot(offers, quotaOf(1))), slices);
  // 3 of 7 compute slices, rounded up to 429 thousandths: two of them fit in one GPU
  expect(byGpu.decisions.map(({ outcome }) => outcome)).toEqual(["placed", "placed", "waiting"]);
  const budget: Partial<Snapshot> = {
    tenants: [{ name: "default", weight: 1, quotas: [{ money: true, nominal: 860_000 }] }],
    holdings: [holding("runs", { migProfile: "3g.20gb" })],
  };
  const byMoney = await plan(prepare(snapshot(offers, budget)), slices);
  // each is 0.429 EUR/h: one runs, one more fits in 0.86
  expect(byMoney.decisions.map(({ outcome }) => outcome)).toEqual(["placed", "waiting", "waiting"]);
});

test("whole GPUs and parts together never exceed a quota, and equal parts fill it exactly", async () => {
  const asks = fc.array(
    fc.record({
      milli: fc.constantFrom(125, 250, 300, 500, 1000, 2000),
      priority: fc.constantFrom(300, 500),
    }),
    { minLength: 1, maxLength: 7 },
  );
  const running = fc.array(fc.constantFrom(125, 300, 500), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(asks, running, fc.integer({ min: 0, max: 4 }), async (list, held, nominal) => {
      const offers = [
        node(
          "n",
          Array.from({ length: 30 }, () => ({})),
        ),
      ];
      const holdings = held.map((fractionMilli, index) => holding(`run-${index}`, { fractionMilli }));
      const intents = list.map(({ milli, priority }, index) =>
        milli < 1000 ? share(`job-${index}`, milli, priority) : whole(`job-${index}`, milli / 1000, priority),
      );
      const catalog = prepare(snapshot(offers, quotaOf(nominal, holdings)));
      const { decisions } = await plan(catalog, intents, { explain: false, work: 5000 });
      catalog.table.dispose();
      const used = held.reduce((sum, milli) => sum + milli, 0);
      const given = list.filter((_, index) => decisions[index]!.outcome === "placed");
      const total = given.reduce((sum, { milli }) => sum + milli, 0);
      if (total > 0) expect(used + total).toBeLessThanOrEqual(nominal * 1000);
      // nobody is kept out whom the quota has room for
      for (const [index, { milli }] of list.entries())
        if (decisions[index]!.outcome !== "placed")
          expect(used + total + milli, `job-${index}`).toBeGreaterThan(nominal * 1000);
    }),
    { numRuns: 150 },
  );
});

test("the end of a part that runs gives back quota, and no whole GPU that others may still be on", async () => {
  const offers = [node("n", [{ freeMilli: 500 }])];
  const state = snapshot(
    offers,
    quotaOf(4, [holding("half", { fractionMilli: 500, priority: 100, evictable: true })]),
  );
  const { decisions, evictions } = await plan(prepare(state), [whole("all", 1, 900)]);
  expect(evictions).toEqual([]);
  expect(decisions[0]!.outcome).toBe("waiting");
});

test.for([
  // of a GPU at 1 EUR/h: a half, and one of seven slices
  [{ shared: true, fractionMilli: 500 }, 0.5, 0.499999],
  [{ migProfile: "1g.5gb" }, 0.143, 0.142999],
] as const)(
  "a part is judged by its own price, not by that of the whole GPU: %o",
  async ([gpu, cap, less]) => {
    const decide = async (limit: number): Promise<string> => {
      const wanted = intent({ name: "part", gpu, constraints: { maxHourlyCost: eur(limit) } });
      const { decisions } = await plan(prepare(snapshot([node("n", [{}])])), [wanted]);
      return decisions[0]!.outcome;
    };
    expect(await decide(cap)).toBe("placed");
    expect(await decide(less)).toBe("refused");
  },
);
