import fc from "fast-check";
import { expect, test } from "vitest";
import { generateSeries, type Instance, optimum, type Series } from "../../../bench/spot-series.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Decision, SpotPlace } from "../../../engine/model/decision.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import type { Holding, Snapshot, SpotHistory } from "../../../engine/model/snapshot.ts";
import { formatTime } from "../../../engine/model/time.ts";
import { plan } from "../../../engine/plan.ts";
import { spotSlotSeconds } from "../../../engine/resilience/spot-runs.ts";
import { eur, flavor, holding, intent, oneTask, snapshot } from "../builders.ts";

const startMs = Date.parse("2026-01-05T12:00:00Z");
const timeOf = (slot: number): string => formatTime(startMs + slot * spotSlotSeconds * 1000);

/** Restart of six minutes and a checkpoint every minute: seven minutes are two slots. */
const changeover = 2;

const job = (work: number, deadline: number) =>
  intent({
    name: "job",
    workload: oneTask({ estimatedRuntimeSeconds: work * spotSlotSeconds, checkpointIntervalSeconds: 60 }),
    constraints: { preemptible: true, deadline: timeOf(deadline) },
  });

/** One GPU on demand, and one on spot per zone. */
const offers = (up: readonly boolean[], taken: string | null) => [
  flavor("od", {
    price: { basis: "gpu", onDemand: eur(1) },
    capacity: { gpus: 1, gpusFree: taken === "od" ? 0 : 1 },
  }),
  ...up.map((isUp, zone) =>
    flavor(`zone-${zone}`, {
      provider: `p${zone}`,
      price: { basis: "gpu", spot: eur(0.4) },
      capacity: { gpus: 1, gpusFree: isUp && taken !== `zone-${zone}` ? 1 : 0 },
    }),
  ),
];

/** One run, slot by slot, each decided by a plan of what a federation could tell then. */
async function drive(
  { zones, work, deadline, start }: Instance,
  seen: (decision: Decision) => void = () => {},
) {
  const one = job(work, deadline);
  let place = null as { offer: string; since: number } | null;
  let [warming, done, cost] = [0, 0, 0];
  const upSince = zones.map(() => 0);
  const history = zones.map(() => ({ up: 0, down: 0, interruptions: 0 }));
  for (let slot = 0; slot < deadline && done < work; slot++) {
    const up = zones.map(({ isUp }) => isUp[start + slot] === 1);
    for (const [zone, is] of up.entries()) {
      const seenOf = history[zone]!;
      if (is && (slot === 0 || zones[zone]!.isUp[start + slot - 1] !== 1)) upSince[zone] = slot;
      if (!is && slot > 0 && zones[zone]!.isUp[start + slot - 1] === 1) seenOf.interruptions++;
      if (is) seenOf.up++;
      else seenOf.down++;
    }
    if (place?.offer.startsWith("zone") === true && !up[Number(place.offer.slice(5))]) place = null;
    const state: Snapshot = snapshot(offers(up, place?.offer ?? null), {
      at: timeOf(slot),
      holdings:
        place === null
          ? []
          : [
              {
                intent: "job",
                offer: place.offer,
                gpus: 1,
                since: timeOf(place.since),
                priority: 500,
                tenant: "default",
                evictable: true,
                spot: place.offer !== "od",
              } satisfies Holding,
            ],
      progress: [{ intent: "job", doneSeconds: done * spotSlotSeconds, started: timeOf(0) }],
      spotHistory: up.map(
        (is, zone): SpotHistory => ({
          offer: `zone-${zone}`,
          hours: (history[zone]!.up * spotSlotSeconds) / 3600,
          downHours: (history[zone]!.down * spotSlotSeconds) / 3600,
          interruptions: history[zone]!.interruptions,
          ...(is ? { upSince: timeOf(upSince[zone]!) } : {}),
        }),
      ),
    });
    const catalog = prepare(state);
    const made = await plan(catalog, [one], { explain: false });
    catalog.table.dispose();
    const decision = made.decisions[0]!;
    seen(decision);
    const offer = decision.outcome === "placed" ? decision.placements[0]!.offer : null;
    if (offer !== null && offer !== place?.offer) {
      place = { offer, since: slot };
      warming = changeover;
    }
    if (offer === null) place = null;
    if (place === null) continue;
    cost += place.offer === "od" ? 1 : 0.4;
    if (warming > 0) warming--;
    else done++;
  }
  return { cost, isDone: done >= work };
}

const instances: fc.Arbitrary<Instance> = fc
  .record({
    up: fc.array(fc.array(fc.constantFrom(0, 1), { minLength: 40, maxLength: 40 }), {
      minLength: 1,
      maxLength: 3,
    }),
    work: fc.integer({ min: 1, max: 12 }),
    slack: fc.integer({ min: 0, max: 14 }),
  })
  .map(({ up, work, slack }) => ({
    zones: up.map(
      (slots, index): Series => ({
        name: `zone-${index}`,
        slotSeconds: spotSlotSeconds,
        isUp: Uint8Array.from(slots),
      }),
    ),
    start: 0,
    work,
    deadline: work + changeover + slack,
    changeover,
    priceRatio: 0.4,
    history: 0,
  }));

test("plans made slot by slot never miss a deadline that on-demand capacity could meet, and never beat the optimum", async () => {
  await fc.assert(
    fc.asyncProperty(instances, async (instance) => {
      const { cost, isDone } = await drive(instance);
      expect(isDone).toBe(true);
      expect(cost).toBeGreaterThanOrEqual(optimum(instance) - 1e-9);
    }),
    { numRuns: 40 },
  );
});

test("on series with long stretches, plans come near the optimum that knows the whole series", async () => {
  const zones = [generateSeries("one", 900, 3, 0.6), generateSeries("two", 900, 4, 0.6)];
  const instance: Instance = {
    zones: zones.map((zone) => ({ ...zone, slotSeconds: spotSlotSeconds })),
    start: 200,
    work: 120,
    deadline: 170,
    changeover,
    priceRatio: 0.4,
    history: 0,
  };
  const choices = new Set<SpotPlace | undefined>();
  const { cost, isDone } = await drive(instance, ({ spot }) => choices.add(spot?.choice));
  expect(isDone).toBe(true);
  // on demand it costs 122; the optimum is below 60
  expect(cost).toBeLessThan(1.25 * optimum(instance));
  expect(choices).toContain("spot");
});

/** The decision about one job of 20 slots at a moment. */
async function decided(
  deadline: number,
  {
    up,
    place,
    since = -10,
    done = 0,
    upSince = -12,
    others = [],
  }: {
    readonly up: readonly boolean[];
    readonly place?: string;
    readonly since?: number;
    readonly done?: number;
    readonly upSince?: number;
    readonly others?: Parameters<typeof snapshot>[0];
  },
) {
  const state = snapshot([...offers(up, place ?? null), ...others], {
    holdings:
      place === undefined
        ? []
        : [
            {
              intent: "job",
              offer: place,
              gpus: 1,
              since: timeOf(since),
              priority: 500,
              tenant: "default",
              evictable: true,
              spot: place !== "od",
            },
          ],
    progress: [{ intent: "job", doneSeconds: done * spotSlotSeconds, started: timeOf(since) }],
    spotHistory: up.map((is, zone) => ({
      offer: `zone-${zone}`,
      hours: 8,
      downHours: 8,
      interruptions: 2,
      ...(is ? { upSince: timeOf(upSince) } : {}),
    })),
  });
  return (await plan(prepare(state), [job(20, deadline)])).decisions[0]!;
}

test("with slack to spare, new work waits for spot capacity and is told until when, and what would start it now", async () => {
  const decision = await decided(120, { up: [false, false], since: 0 });
  expect(decision).toMatchObject({
    outcome: "waiting",
    reason: "WAITING_FOR_SPOT",
    rejections: { spot_policy: 1 },
    spot: {
      from: "idle",
      choice: "idle",
      zones: 2,
      zonesUp: 0,
      changeoverSeconds: 600,
      onDemandBy: timeOf(98),
    },
    counterfactuals: [
      { changes: [{ path: "constraints.preemptible", from: true, to: false }], best: { offer: "od" } },
    ],
  });
});

test("without slack to spare, new work goes on demand at once", async () => {
  const decision = await decided(26, { up: [false, false], since: 0 });
  expect(decision).toMatchObject({ outcome: "placed", spot: { choice: "on-demand" } });
  expect(decision.placements).toMatchObject([{ offer: "od" }]);
});

test("on spot it stays as long as an interruption leaves time, and goes on demand when it would not", async () => {
  const stays = await decided(15, { up: [true], place: "zone-0", done: 10 });
  expect(stays).toMatchObject({ reason: "RUNNING", spot: { from: "spot", choice: "spot" } });
  expect(stays.message).toContain("stays on spot capacity");
  const leaves = await decided(12, { up: [true], place: "zone-0", done: 9 });
  expect(leaves).toMatchObject({
    outcome: "placed",
    reason: "PLACED",
    spot: { from: "spot", choice: "on-demand" },
  });
  expect(leaves.placements).toMatchObject([{ offer: "od" }]);
});

test("on demand it goes to spot capacity that has proved itself, not to what just came up", async () => {
  const proved = await decided(60, { up: [true], place: "od", done: 2 });
  expect(proved).toMatchObject({ spot: { from: "on-demand", choice: "spot", offer: "zone-0" } });
  expect(proved.placements).toMatchObject([{ offer: "zone-0", spot: true }]);
  const fresh = await decided(60, { up: [true], place: "od", done: 2, upSince: 0 });
  expect(fresh).toMatchObject({ reason: "RUNNING", spot: { from: "on-demand", choice: "on-demand" } });
});

test("where nothing is to be had on demand it stays on spot", async () => {
  const full = flavor("od", {
    price: { basis: "gpu", onDemand: eur(1) },
    capacity: { gpus: 1, gpusFree: 0 },
  });
  const state = snapshot([full, ...offers([true], "zone-0").slice(1)], {
    holdings: [
      {
        intent: "job",
        offer: "zone-0",
        gpus: 1,
        since: timeOf(-10),
        priority: 500,
        tenant: "default",
        evictable: true,
        spot: true,
      },
    ],
    progress: [{ intent: "job", doneSeconds: 9 * spotSlotSeconds }],
  });
  const { decisions } = await plan(prepare(state), [job(20, 12)]);
  expect(decisions[0]).toMatchObject({ reason: "RUNNING", placements: [{ offer: "zone-0" }] });
});

test("running work that does not tell how far it is stays where it is", async () => {
  const where = holding("job", "zone-0", 1, { spot: true, since: timeOf(-12) });
  // so near its deadline that an interruption would be too much
  const decide = async (progress: Snapshot["progress"] = []) => {
    const state = snapshot(offers([true], "zone-0"), { holdings: [where], progress });
    return (await plan(prepare(state), [job(20, 21)])).decisions[0]!;
  };
  const told = await decide([{ intent: "job", doneSeconds: 0, started: timeOf(-12) }]);
  expect(told).toMatchObject({ placements: [{ offer: "od" }], spot: { from: "spot", choice: "on-demand" } });
  const silent = await decide();
  expect(silent).toMatchObject({ reason: "RUNNING", placements: [{ offer: "zone-0" }] });
  expect(silent.spot).toBeUndefined();
});

test("work that checkpoints nothing, has no deadline or another objective is left alone", async () => {
  const one = job(20, 120);
  const { deadline: _, ...constraints } = one.constraints;
  const { checkpointIntervalSeconds: __, ...batch } = one.workload.batch!;
  const free = snapshot(offers([false], null));
  for (const other of [
    { ...one, constraints },
    { ...one, workload: { ...one.workload, batch } },
    { ...one, objective: "performance" as const },
  ]) {
    const { decisions } = await plan(prepare(free), [other]);
    expect(decisions[0]).toMatchObject({ outcome: "placed", placements: [{ offer: "od" }] });
    expect(decisions[0]!.spot).toBeUndefined();
  }
});

test("several runs: whatever the policy moves, nothing is oversubscribed and nobody moves twice", async () => {
  const runs = fc.array(
    fc.record({
      place: fc.constantFrom(null, "od", "spot", "both:spot", "both:on-demand"),
      done: fc.integer({ min: 0, max: 19 }),
      deadline: fc.integer({ min: 4, max: 80 }),
      priority: fc.constantFrom(300, 500),
      upSince: fc.integer({ min: -12, max: 0 }),
    }),
    { minLength: 1, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(runs, fc.integer({ min: 0, max: 2 }), fc.boolean(), async (list, spare, isUp) => {
      const places = list.map(({ place }) => place?.split(":")[0] ?? null);
      const count = (id: string): number => places.filter((place) => place === id).length;
      const sized = (id: string, price: Flavor["price"], room: number): Flavor => {
        const gpus = Math.max(1, count(id) + room);
        return flavor(id, { price, capacity: { gpus, gpusFree: gpus - count(id) } });
      };
      const state = snapshot(
        [
          sized("od", { basis: "gpu", onDemand: eur(1) }, spare),
          sized("spot", { basis: "gpu", spot: eur(0.4) }, isUp ? 1 : 0),
          sized("both", { basis: "gpu", onDemand: eur(1), spot: eur(0.5) }, 0),
        ],
        {
          holdings: list.flatMap(({ place, priority }, index): Holding[] =>
            place === null
              ? []
              : [
                  {
                    intent: `job-${index}`,
                    offer: place.split(":")[0]!,
                    gpus: 1,
                    since: timeOf(-10),
                    priority,
                    tenant: "default",
                    evictable: false,
                    spot: place.endsWith("spot"),
                  },
                ],
          ),
          progress: list.map(({ done }, index) => ({
            intent: `job-${index}`,
            doneSeconds: done * spotSlotSeconds,
            started: timeOf(-10),
          })),
          spotHistory: ["spot", "both"].map((offer) => ({
            offer,
            hours: 8,
            interruptions: 2,
            upSince: timeOf(list[0]!.upSince),
          })),
        },
      );
      const jobs = list.map(({ deadline, priority }, index) => ({
        ...job(20, deadline),
        name: `job-${index}`,
        priority,
      }));
      const catalog = prepare(state);
      const { decisions } = await plan(catalog, jobs, { explain: false, work: 5000 });
      catalog.table.dispose();
      expect(decisions.map(({ intent: name }) => name)).toEqual(jobs.map(({ name }) => name));
      for (const { id, capacity } of state.offers) {
        const taken = decisions.flatMap(({ placements }) => placements).filter(({ offer }) => offer === id);
        const others = capacity.gpus - capacity.gpusFree - count(id);
        const used = taken.reduce((sum, { gpus }) => sum + gpus, others);
        expect(used, id).toBeLessThanOrEqual(capacity.gpus);
      }
      // whoever runs never loses the place to a plan that has none for it, unless it should wait for spot capacity
      for (const [index, { place }] of list.entries()) {
        const { outcome, reason } = decisions[index]!;
        if (place !== null && outcome !== "placed") expect(reason).toBe("WAITING_FOR_SPOT");
      }
    }),
    { numRuns: 120 },
  );
});
