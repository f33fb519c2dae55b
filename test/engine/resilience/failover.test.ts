import fc from "fast-check";
import { expect, test } from "vitest";
import { replanCase } from "../../../bench/policies-replan.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import type { Holding, Snapshot } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";
import { failover, type Loss, planB } from "../../../engine/resilience/failover.ts";
import { eur, flavor, intent, oneTask, snapshot } from "../builders.ts";

const at = (
  id: string,
  provider: string,
  gpus: number,
  free: number,
  changes: Partial<Flavor> = {},
): Flavor => ({ ...flavor(id, { provider, capacity: { gpus, gpusFree: free } }), ...changes }) as Flavor;
const runs = (name: string, offer: string, gpus: number, changes: Partial<Holding> = {}): Holding => ({
  intent: name,
  offer,
  gpus,
  since: "2026-01-05T06:00:00Z",
  priority: 500,
  tenant: "default",
  evictable: true,
  ...changes,
});

const federation: Snapshot = snapshot(
  [
    at("a", "alpha", 4, 1),
    at("b", "beta", 4, 2, { price: { basis: "gpu", onDemand: eur(2) } }),
    at("c", "gamma", 2, 2, { region: "us-east-1", areas: ["us"] }),
  ],
  { holdings: [runs("web", "a", 2), runs("chat", "a", 1), runs("low", "b", 2, { priority: 100 })] },
);

test("what a loss displaces is placed anew by its own rules, everything else stays, and the cost is told", async () => {
  const european = intent({ name: "web", gpu: { count: 2 }, constraints: { providers: ["beta"] } });
  const drill = await failover(plan, federation, { provider: "Alpha" }, [european]);
  expect(drill).toMatchObject({ offers: 1, running: 3, restored: 1, waiting: 1, unplaceable: 0 });
  expect(drill.displaced).toMatchObject([
    { intent: "chat", outcome: "placed", from: ["a"], to: [{ offer: "b", gpus: 1 }], isAssumed: true },
    { intent: "web", outcome: "waiting", from: ["a"], isAssumed: false },
  ]);
  // 3 GPUs at 1 EUR are gone, 1 at 2 EUR is new; the other 2 at 2 EUR run on
  expect([drill.beforeMicro, drill.afterMicro]).toEqual([7e6, 6e6]);
});

test("a drill evicts nobody, whatever the priority of the displaced", async () => {
  const large = intent({
    name: "web",
    gpu: { count: 4 },
    priority: 900,
    constraints: { providers: ["beta"] },
  });
  const { displaced } = await failover(plan, federation, { provider: "alpha" }, [large]);
  expect(displaced.find(({ intent: name }) => name === "web")!.outcome).not.toBe("placed");
});

test.for<{ name: string; loss: Loss; displaced: string[] }>([
  { name: "a provider", loss: { provider: "beta" }, displaced: ["low"] },
  { name: "a region", loss: { region: "eu-central-1" }, displaced: ["chat", "low", "web"] },
  { name: "a model family", loss: { model: "nvidia-a100" }, displaced: ["chat", "low", "web"] },
  { name: "a provider where nothing runs", loss: { provider: "gamma" }, displaced: [] },
])("a loss of $name displaces what runs there", async ({ loss, displaced }) => {
  const drill = await failover(plan, federation, loss, []);
  expect(drill.displaced.map(({ intent: name }) => name)).toEqual(displaced);
});

test("work whose intent is not known stays in its area and keeps the memory it has", async () => {
  const { displaced } = await failover(plan, federation, { region: "eu-central-1" }, []);
  // the only offer left is in another area
  expect(displaced.map(({ outcome }) => outcome)).toEqual(["refused", "refused", "refused"]);
});

test("a plan B per running intent and provider", async () => {
  const plans = await planB(plan, federation, [intent({ name: "low", gpu: { count: 1 } })]);
  expect(
    plans.map(({ intent: name, provider, outcome, to }) => [name, provider, outcome, to[0]?.offer]),
  ).toEqual([
    ["chat", "alpha", "placed", "b"],
    ["low", "beta", "placed", "a"],
    ["web", "alpha", "waiting", undefined],
  ]);
});

// small numbers: full offers, ties and work that fits nowhere must occur
const worlds = fc.record({
  sizes: fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom("alpha", "beta", "gamma")), {
    minLength: 1,
    maxLength: 4,
  }),
  work: fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 2 }), fc.constantFrom(100, 500)), {
    maxLength: 8,
  }),
});

test("random federations: nothing goes to what is lost, nothing else moves, nothing is oversold", async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async ({ sizes, work }) => {
      const free = sizes.map(([gpus]) => gpus);
      const holdings = work.flatMap(([where, gpus, priority], index) => {
        const offer = where % sizes.length;
        if (free[offer]! < gpus) return [];
        free[offer]! -= gpus;
        return [runs(`run-${index}`, `offer-${offer}`, gpus, { priority })];
      });
      const offers = sizes.map(([gpus, provider], index) =>
        at(`offer-${index}`, provider, gpus, free[index]!),
      );
      const state = snapshot(offers, { holdings });
      const { displaced } = await failover(plan, state, { provider: "alpha" }, []);
      const isLost = (id: string): boolean => offers.find((one) => one.id === id)!.provider === "alpha";
      expect(displaced.map(({ intent: name }) => name)).toEqual(
        holdings
          .filter(({ offer }) => isLost(offer))
          .map((one) => one.intent)
          .sort(),
      );
      const used = new Map(offers.map(({ id, capacity }) => [id, capacity.gpus - capacity.gpusFree]));
      for (const { offer, gpus } of displaced.flatMap(({ to }) => to)) {
        expect(isLost(offer)).toBe(false);
        used.set(offer, used.get(offer)! + gpus);
      }
      for (const { id, capacity } of offers)
        if (!isLost(id)) expect(used.get(id)).toBeLessThanOrEqual(capacity.gpus);
    }),
    { numRuns: 60 },
  );
});

const onSpot = (id: string, region: string, price: number): Flavor =>
  at(id, "alpha", 4, 4, { region, price: { basis: "gpu", spot: eur(price) } });
const spotJob = intent({ name: "job", constraints: { preemptible: true } });
const chosen = async (state: Snapshot): Promise<string | undefined> => {
  const { prepare } = await import("../../../engine/compile/catalog.ts");
  return (await plan(prepare(state), [spotJob])).decisions[0]!.placements[0]?.offer;
};

test("the region that just lost the spot is not chosen again at once, but after a while", async () => {
  const offers = [onSpot("cheap", "eu-central-1", 0.3), onSpot("other", "eu-west-1", 0.35)];
  const lost = (last: string) =>
    snapshot(offers, { spotHistory: [{ offer: "cheap", hours: 500, interruptions: 1, last }] });
  expect(await chosen(snapshot(offers))).toBe("cheap");
  expect(await chosen(lost("2026-01-05T11:50:00Z"))).toBe("other");
  expect(await chosen(lost("2026-01-05T11:45:00Z"))).toBe("cheap");
});

test("capacity of the same kind in the same region cools down with the offer that was lost; with nothing else it waits", async () => {
  const offers = [onSpot("lost", "eu-central-1", 0.3), onSpot("twin", "eu-central-1", 0.3)];
  const state = snapshot(offers, {
    spotHistory: [{ offer: "lost", hours: 500, interruptions: 1, last: "2026-01-05T11:50:00Z" }],
  });
  const { prepare } = await import("../../../engine/compile/catalog.ts");
  const [decision] = (await plan(prepare(state), [spotJob])).decisions;
  expect(decision).toMatchObject({
    outcome: "waiting",
    rejections: { "offer.spot_cooldown": 2 },
    wait: { held: { start: "2026-01-05T12:05:00Z" } },
  });
});

test("an offer's own history changes how its spot price ranks, and the answer says where the rate comes from", async () => {
  const job = intent({
    name: "job",
    workload: oneTask({ timeoutSeconds: 8 * 3600 }),
    constraints: { preemptible: true },
  });
  const offers = [onSpot("a", "eu-central-1", 0.3), { ...onSpot("b", "eu-west-1", 0.33), provider: "beta" }];
  const { prepare } = await import("../../../engine/compile/catalog.ts");
  const decide = async (state: Snapshot) => (await plan(prepare(state), [job])).decisions[0]!;
  expect((await decide(snapshot(offers))).placements[0]!.offer).toBe("a");
  const history = [{ offer: "a", hours: 100, interruptions: 40 }];
  expect((await decide(snapshot(offers, { spotHistory: history }))).placements[0]!.offer).toBe("b");
  const notes = async (own: Flavor[]): Promise<string> =>
    (await decide(snapshot(own, { spotHistory: history }))).warnings.map(({ message }) => message).join(" ");
  expect(await notes([offers[0]!])).toContain("40 interruptions in 100 hours");
  const twin = onSpot("twin", "eu-west-1", 0.1);
  expect(await notes([offers[0]!, twin])).toContain("the provider's other offers show 0.225 interruptions");
});

test("the first provider in the list is not chosen once it is exhausted", async () => {
  const { prepare } = await import("../../../engine/compile/catalog.ts");
  const offers = [at("a-first", "alpha", 4, 0), at("b-second", "beta", 4, 4)];
  const { decisions } = await plan(prepare(snapshot(offers)), [intent({ name: "x" }), intent({ name: "y" })]);
  expect(decisions.map(({ placements }) => placements[0]!.offer)).toEqual(["b-second", "b-second"]);
});

test("a spot price is not worth a deadline: after the worst interruption on-demand capacity still meets it", async () => {
  const { prepare } = await import("../../../engine/compile/catalog.ts");
  const offers = [at("od", "alpha", 4, 4), onSpot("spot", "eu-central-1", 0.3)];
  const job = (minutes: number, checkpointSeconds?: number) =>
    intent({
      name: "job",
      workload: oneTask({
        timeoutSeconds: 3600,
        ...(checkpointSeconds === undefined ? {} : { checkpointIntervalSeconds: checkpointSeconds }),
      }),
      constraints: {
        preemptible: true,
        deadline: `2026-01-05T${12 + Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:00Z`,
      },
    });
  const chosenFor = async (one: ReturnType<typeof job>) =>
    (await plan(prepare(snapshot(offers)), [one])).decisions[0]!.placements[0]?.offer;
  // one hour of work; a restart takes 6 minutes, and an hour is lost without checkpoints
  expect(await chosenFor(job(126))).toBe("spot");
  expect(await chosenFor(job(125))).toBe("od");
  // with checkpoints every 10 minutes the spot policy decides, in slots of 5: 4 for a change of place, there and back
  expect(await chosenFor(job(100, 600))).toBe("spot");
  expect(await chosenFor(job(99, 600))).toBe("od");
});

test("the bench, small: what is lost is restored, and nothing else moves", async () => {
  const { result, aims } = await replanCase(120, 1);
  expect(result).toMatchObject({ holdings: 120, needlessMoves: 0 });
  expect(result["displaced"]).toBeGreaterThan(5);
  expect(result["restored"]).toBe(result["displaced"]);
  expect(aims.map(({ name }) => name)).toContain("moves of what was not displaced");
});
