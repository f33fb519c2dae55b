import fc from "fast-check";
import { expect, test } from "vitest";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import { EngineError, type InputProblem } from "../../../engine/model/errors.ts";

const at = "2026-11-24T10:00:00Z";

const annotated = (id: string, more: object = {}): object => ({
  id,
  annotations: {
    "provider.fluidos.eu/name": "p1",
    "gpu.fluidos.eu/model": "nvidia-h100",
    "gpu.fluidos.eu/count": "4",
    "location.fluidos.eu/region": "eu-west-1",
    "cost.fluidos.eu/hourly-rate": "4.5",
    ...more,
  },
});

const traits = (id: string, more: object = {}): object => ({
  id,
  provider: "P2",
  region: "us-east-1",
  gpus: 8,
  traits: { gpu: { model: "nvidia-rtx-a6000" }, cost: { hourly_rate: 2.1 } },
  ...more,
});

function problemsOf(document: unknown, options = {}): readonly InputProblem[] {
  try {
    readSnapshot(document, options);
  } catch (error) {
    if (error instanceof EngineError) return error.problems;
    throw error;
  }
  return [];
}

test("traits and annotations that say the same are the same offer", () => {
  const { offers } = readSnapshot({
    at,
    offers: [
      annotated("a", { "gpu.fluidos.eu/memory": "80Gi", "gpu.fluidos.eu/topology": "nvswitch" }),
      {
        id: "b",
        provider: "p1",
        region: "eu-west-1",
        gpus: 4,
        traits: {
          gpu: { model: "H100", memory: "80Gi", topology: "NVSwitch" },
          cost: { hourly_rate: "4.5 EUR" },
        },
      },
    ],
  });
  expect({ ...offers[1], id: "a" }).toEqual(offers[0]);
});

test("free GPUs, capacity and devices are read; what is not stated is free", () => {
  const { offers } = readSnapshot({
    at,
    offers: [
      traits("a", {
        gpus: 2,
        capacity: { cpu: "64", cpu_free: "31.5", memory: "512Gi" },
        devices: [{ index: 1, free: 0.25, mig_in_use: ["2g.20gb", "1g.10gb"] }, { index: 0 }],
      }),
      traits("b", { free_gpus: 3 }),
    ],
  });
  expect(offers[0]?.capacity).toEqual({
    gpus: 2,
    gpusFree: 1,
    cpuMilli: 64000,
    cpuMilliFree: 31500,
    memoryMib: 524288,
    memoryMibFree: 524288,
    devices: [
      { index: 0, freeMilli: 1000 },
      { index: 1, freeMilli: 250, migInUse: ["1g.10gb", "2g.20gb"] },
    ],
  });
  expect(offers[1]?.capacity).toEqual({ gpus: 8, gpusFree: 3 });
});

test("one spot price or two prices make one offer", () => {
  const { offers } = readSnapshot({
    at,
    offers: [
      traits("a", {
        traits: { gpu: { model: "T4" }, cost: { spot_rate: 1, basis: "gpu", interruption_rate: 0.1 } },
      }),
      traits("b", { traits: { gpu: { model: "T4" }, cost: { hourly_rate: 3, spot_rate: 1 } } }),
    ],
  });
  expect(offers[0]).toMatchObject({
    divisible: true,
    price: { basis: "gpu", spot: { micro: 1_000_000 }, interruptionRate: 0.1 },
  });
  expect(offers[0]?.price.onDemand).toBeUndefined();
  expect(offers[1]?.price).toMatchObject({ onDemand: { micro: 3_000_000 }, spot: { micro: 1_000_000 } });
});

/** A broken offer, and the part of its path and message that names what is wrong. */
const brokenOffers: readonly (readonly [string, unknown, string, string])[] = [
  ["no id", {}, "offers[0].id", "missing"],
  ["not an object", 5, "offers[0]", "an object"],
  ["neither annotations nor traits", { id: "x" }, "offers[id=x]", "neither annotations nor traits"],
  [
    "both annotations and traits",
    { ...annotated("x"), ...traits("x") },
    "offers[id=x]",
    "both annotations and traits",
  ],
  ["no provider", traits("x", { provider: undefined }), "offers[id=x].provider", "required"],
  ["no region", traits("x", { region: undefined }), "offers[id=x].region", "required"],
  ["no GPUs", traits("x", { gpus: undefined }), "offers[id=x].gpus", "required"],
  ["zero GPUs", traits("x", { gpus: 0 }), "offers[id=x].gpus", "at least 1"],
  ["negative free GPUs", traits("x", { free_gpus: -1 }), "offers[id=x].free_gpus", "at least 0"],
  ["more free than there are", traits("x", { free_gpus: 9 }), "offers[id=x]", "at most 8"],
  ["no price", traits("x", { traits: { gpu: { model: "T4" }, cost: {} } }), "offers[id=x]", "no price"],
  [
    "money that does not parse",
    traits("x", { traits: { gpu: { model: "T4" }, cost: { hourly_rate: "cheap" } } }),
    "offers[id=x].traits.cost.hourly_rate",
    "cheap",
  ],
  [
    "an unknown currency",
    traits("x", { traits: { gpu: { model: "T4" }, cost: { hourly_rate: "5 XQZ" } } }),
    "offers[id=x].traits.cost.hourly_rate",
    "XQZ",
  ],
  [
    "an unknown enum",
    traits("x", { traits: { gpu: { model: "T4", tier: "luxury" }, cost: { hourly_rate: 1 } } }),
    "offers[id=x].traits.gpu.tier",
    "premium",
  ],
  [
    "a quantity that does not parse",
    traits("x", { capacity: { memory: "lots" } }),
    "offers[id=x].capacity.memory",
    "lots",
  ],
  ["a broken annotation", annotated("x", { "gpu.fluidos.eu/count": "many" }), "gpu.fluidos.eu/count", "many"],
  ["an unknown field", traits("x", { color: "red" }), "offers[id=x].color", "unknown field"],
  ["another count than annotated", { ...annotated("x"), gpus: 5 }, "offers[id=x].gpus", "4, as annotated"],
  [
    "another region than annotated",
    { ...annotated("x"), region: "eu-west-2" },
    "offers[id=x].region",
    "eu-west-1",
  ],
  ["fewer devices than GPUs", traits("x", { devices: [{ index: 0 }] }), "offers[id=x]", "1 devices listed"],
];

test.for(brokenOffers)(
  "an offer with %s is skipped, named, and the rest is read",
  ([, offer, path, message]) => {
    const { offers, skipped } = readSnapshot({ at, offers: [offer, annotated("good")] });
    expect(offers.map(({ id }) => id)).toEqual(["good"]);
    expect(skipped).toHaveLength(1);
    expect(skipped[0]?.path).toContain(path);
    expect(skipped[0]?.message).toContain(message);
  },
);

test("an unknown field of an offer is only a warning when lenient", () => {
  const { offers, warnings } = readSnapshot(
    { at, offers: [traits("x", { color: "red" })] },
    { strict: false },
  );
  expect(offers).toHaveLength(1);
  expect(warnings).toMatchObject([{ code: "unknown_field", path: "offers[id=x].color" }]);
});

/** A broken document, the path named and part of the message. */
const broken: readonly (readonly [string, object, string, string])[] = [
  ["no offers", { offers: undefined }, "offers", "a list"],
  ["no time", { at: undefined }, "at", "RFC 3339"],
  ["a bad time", { at: "noon" }, "at", "noon"],
  ["an unknown currency", { currency: "XQZ" }, "currency", "XQZ"],
  ["a rate of an unknown currency", { rates: { XQZ: 1 } }, "rates.XQZ", "ISO 4217"],
  ["a rate of zero", { rates: { USD: 0 } }, "rates.USD", "0.88"],
  ["an unknown hub", { hub: "mars-1" }, "hub", "mars-1"],
  ["an unknown field", { color: 1 }, "color", "unknown field"],
  ["two offers of one id", { offers: [annotated("a"), traits("a")] }, "offers", '"a"'],
  [
    "a holding without offer",
    { holdings: [{ intent: "i", gpus: 1, since: at }] },
    "holdings[0].offer",
    "missing",
  ],
  [
    "negative GPUs held",
    { holdings: [{ intent: "i", offer: "a", gpus: -1, since: at }] },
    "holdings[0].gpus",
    "at least 0",
  ],
  ["an outage of nothing", { outages: [{ start: at }] }, "outages[0]", "a provider, a region or an offer"],
  ["an outage that ends first", { outages: [{ offer: "a", start: at, end: at }] }, "outages[0].end", "after"],
  [
    "a reservation twice",
    {
      reservations: [1, 2].map(() => ({
        id: "r",
        tenant: "t",
        offer: "a",
        gpus: 1,
        start: at,
        end: "2026-11-25T00:00:00Z",
      })),
    },
    "reservations[1].id",
    "unique",
  ],
];

test.for(broken)("a snapshot with %s is refused by path", ([, change, path, message]) => {
  const problems = problemsOf({ at, offers: [annotated("a")], ...change });
  expect(problems).toHaveLength(1);
  expect(problems[0]?.path).toBe(path);
  expect(problems[0]?.message).toContain(message);
});

/** A broken entry of `tenants`, and part of what is said about it. */
const brokenTenants: readonly (readonly [string, object, string, string])[] = [
  ["a quota without class", { quotas: [{ nominal: 1 }] }, "quotas[0]", "gpu_class"],
  [
    "a quota of GPUs in money",
    { quotas: [{ gpu_class: "*", nominal: "5 EUR" }] },
    "quotas[0].nominal",
    "GPUs",
  ],
  [
    "a money quota in another currency",
    { quotas: [{ money: true, nominal: "5 USD" }] },
    "quotas[0].nominal",
    "EUR",
  ],
  ["a negative quota", { quotas: [{ gpu_class: "*", nominal: -1 }] }, "quotas[0].nominal", "-1"],
  ["a weight of zero", { weight: 0 }, "weight", "more than 0"],
  ["an unknown field", { color: 1 }, "color", "unknown field"],
];

test.for(brokenTenants)(
  "a tenant with %s is kept with its problem, and the rest is read",
  ([, change, path, message]) => {
    const { tenants } = readSnapshot({
      at,
      offers: [annotated("a")],
      tenants: [{ name: "b", cohort: "c", ...change }, { name: "good" }],
    });
    expect(tenants.map(({ name, cohort, quotas }) => ({ name, cohort, quotas }))).toEqual([
      { name: "b", cohort: "c", quotas: [] },
      { name: "good", cohort: undefined, quotas: [] },
    ]);
    expect(tenants[0]!.problem).toContain(`tenants[name=b].${path}`);
    expect(tenants[0]!.problem).toContain(message);
    expect(tenants[1]!.problem).toBeUndefined();
  },
);

test("what a holding takes of CPU and memory, and how long it may be interrupted, is read", () => {
  const { holdings } = readSnapshot({
    at,
    offers: [annotated("a")],
    holdings: [
      { intent: "i", offer: "a", gpus: 1, since: at, cpu: "8", memory: "64Gi", max_interruption: "5m" },
    ],
  });
  expect(holdings[0]).toMatchObject({ cpuMilli: 8000, memoryMib: 65_536, maxInterruptionSeconds: 300 });
});

test("everything else is read with its defaults", () => {
  const snapshot = readSnapshot({
    version: 7,
    at: "2026-11-24T11:00:00.900+01:00",
    currency: "EUR",
    rates: { USD: "0.88", GBP: 1.15 },
    hub: "eu-central-1",
    offers: [annotated("a")],
    tenants: [
      {
        name: "b",
        cohort: "all",
        quotas: [
          { gpu_class: "H100", nominal: 4, borrowing: 2 },
          { money: true, nominal: "20 EUR" },
        ],
      },
      { name: "a", weight: 2 },
    ],
    holdings: [
      {
        intent: "i",
        offer: "gone",
        gpus: 1,
        since: at,
        priority: "high",
        min_runtime: "1h",
      },
    ],
    outages: [{ provider: "P1", start: at }],
  });
  expect(snapshot).toMatchObject({
    version: "7",
    at: "2026-11-24T10:00:00Z",
    rates: { GBP: 1_150_000, USD: 880_000 },
    hub: { region: "eu-central-1", coordinates: { latitude: 50.11 } },
    tenants: [
      { name: "a", weight: 2, quotas: [] },
      {
        name: "b",
        cohort: "all",
        weight: 1,
        quotas: [
          { gpuClass: "nvidia-h100", nominal: 4, borrowing: 2 },
          { money: true, nominal: 20_000_000 },
        ],
      },
    ],
    holdings: [
      {
        intent: "i",
        priority: 700,
        tenant: "default",
        evictable: true,
        minRuntimeSeconds: 3600,
      },
    ],
    outages: [{ provider: "p1", start: at }],
  });
  expect(snapshot.warnings).toMatchObject([{ code: "suspicious", message: expect.stringContaining("gone") }]);
});

test("the time comes from the options where the document states none", () => {
  expect(readSnapshot({ offers: [] }, { at }).at).toBe(at);
});

test("the order of a document never matters", () => {
  const offers = [
    ...["d", "a", "c"].map((id) => annotated(id, { "gpu.fluidos.eu/memory": "40Gi" })),
    annotated("b", { "gpu.fluidos.eu/count": "none" }),
  ];
  const holdings = ["x", "y", "z"].map((intent) => ({ intent, offer: "a", gpus: 1, since: at }));
  const sorted = JSON.stringify(readSnapshot({ at, offers, holdings }));
  fc.assert(
    fc.property(
      fc.shuffledSubarray(offers, { minLength: 4 }),
      fc.shuffledSubarray(holdings, { minLength: 3 }),
      (some, held) => {
        expect(JSON.stringify(readSnapshot({ at, holdings: held, offers: some }))).toBe(sorted);
      },
    ),
    { numRuns: 20 },
  );
});

test("nothing but an input error is thrown, whatever the JSON", () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.constantFrom("offers", "tenants", "holdings", "rates", "hub", "at"),
      (junk, key) => {
        problemsOf(junk);
        problemsOf({ at, offers: [annotated("a")], [key]: junk });
        problemsOf({ at, offers: [junk, { id: "x", annotations: junk }, { id: "y", traits: junk }] });
      },
    ),
    { numRuns: Number(process.env["FLARE_FUZZ"] ?? 200) },
  );
});

test("a warning that holds for many offers is given once, with their number", () => {
  const offers = ["a", "b", "c"].map((id) => annotated(id, { "gpu.fluidos.eu/memory": "80Gi" }));
  expect(readSnapshot({ at, offers }).warnings).toEqual([
    {
      path: 'offers[id=a].annotations["gpu.fluidos.eu/memory"]',
      code: "alias",
      message: "read as gpu.fluidos.eu/memory-per-gpu (and so for 2 more)",
    },
  ]);
});
