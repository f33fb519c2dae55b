import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import type { MoveRules, Plan } from "../../../engine/model/plan.ts";
import type { Holding } from "../../../engine/model/snapshot.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, holding, intent, snapshot } from "../builders.ts";

const highs = await createHighsSolver();
const rules: MoveRules = { horizonHours: 24, leastShare: 0.1 };

const offer = (id: string, price: number, gpus: number, used = 0): Flavor =>
  flavor(id, { capacity: { gpus, gpusFree: gpus - used }, price: { basis: "gpu", onDemand: eur(price) } });

const held = (name: string, where: string, changes: Partial<Holding> = {}): Holding =>
  holding(name, where, 1, { priority: 500, ...changes });

const decide = (
  offers: readonly Flavor[],
  holdings: readonly Holding[],
  intents: readonly Intent[],
  moves: MoveRules | null = rules,
): Promise<Plan> =>
  plan(prepare(snapshot(offers, { holdings })), intents, {
    solver: highs,
    explain: false,
    ...(moves === null ? {} : { moves }),
  });

const where = ({ decisions }: Plan): string =>
  decisions
    .map(
      ({ intent: name, outcome, reason, placements }) =>
        `${name} ${outcome === "placed" ? `${placements[0]!.offer} ${reason}` : outcome}`,
    )
    .join(", ");

test.for<{
  name: string;
  offers: Flavor[];
  holding?: Partial<Holding>;
  pending?: Intent[];
  moves?: null;
  expected: string;
}>([
  {
    name: "moves where it saves more than the move costs",
    offers: [offer("a", 3, 1, 1), offer("b", 1, 1)],
    expected: "job b PLACED",
  },
  {
    name: "stays where nobody asked for moves",
    offers: [offer("a", 3, 1, 1), offer("b", 1, 1)],
    moves: null,
    expected: "job a RUNNING",
  },
  {
    name: "stays where it saves less than a tenth of what it costs",
    offers: [offer("a", 3, 1, 1), offer("b", 2.8, 1)],
    expected: "job a RUNNING",
  },
  {
    name: "stays where another place is as good",
    offers: [offer("a", 1, 1), offer("b", 1, 1, 1)],
    holding: { offer: "b" },
    expected: "job b RUNNING",
  },
  {
    name: "stays before its minimum runtime",
    offers: [offer("a", 3, 1, 1), offer("b", 1, 1)],
    holding: { minRuntimeSeconds: 7201 },
    expected: "job a RUNNING",
  },
  {
    name: "stays where it must not be interrupted",
    offers: [offer("a", 3, 1, 1), offer("b", 1, 1)],
    holding: { evictable: false },
    expected: "job a RUNNING",
  },
  {
    name: "makes room for one that fits nowhere else",
    offers: [offer("a", 1, 4, 1), offer("b", 1.1, 1)],
    pending: [intent({ name: "large", gpu: { count: 4 } })],
    expected: "job b PLACED, large a PLACED",
  },
  {
    name: "makes no room where nobody asked for moves",
    offers: [offer("a", 1, 4, 1), offer("b", 1.1, 1)],
    pending: [intent({ name: "large", gpu: { count: 4 } })],
    moves: null,
    expected: "job a RUNNING, large waiting",
  },
  {
    name: "makes no room for somebody who can go elsewhere for less than the move costs",
    offers: [offer("a", 1, 1, 1), offer("b", 1.05, 1)],
    pending: [intent({ name: "other" })],
    expected: "job a RUNNING, other b PLACED",
  },
  {
    name: "is never left without a place for others, however important",
    offers: [offer("a", 1, 1, 1)],
    holding: { priority: 900 },
    pending: [intent({ name: "other", priority: 900 }), intent({ name: "third", priority: 900 })],
    expected: "job a RUNNING, other waiting, third waiting",
  },
])("running work $name", async ({ offers, holding, pending = [], moves, expected }) => {
  const at = holding?.offer ?? "a";
  const made = await decide(offers, [held("job", at, holding)], [intent({ name: "job" }), ...pending], moves);
  expect(where(made)).toBe(expected);
  const moved = made.decisions.filter(({ intent: name, reason }) => name === "job" && reason === "PLACED");
  expect(made.batch?.moved ?? []).toEqual(moved.map(({ intent: name }) => name));
  for (const { message } of moved) expect(message).toBe("moves from a, where it runs");
});

/** The snapshot after a plan was carried out. */
function carriedOut(
  { decisions }: Plan,
  offers: readonly Flavor[],
): { holdings: Holding[]; after: Flavor[] } {
  const holdings = decisions.flatMap(({ intent: name, placements }) =>
    placements.map((place) => held(name, place.offer, { gpus: place.gpus })),
  );
  const used = (id: string): number =>
    holdings.reduce((sum, one) => sum + (one.offer === id ? one.gpus : 0), 0);
  const after = offers.map((one) => ({
    ...one,
    capacity: { ...one.capacity, gpusFree: one.capacity.gpus - used(one.id) },
  }));
  return { holdings, after };
}

test("a plan of a plan changes nothing", async () => {
  const offers = [offer("a", 1, 4), offer("b", 1.3, 4), offer("c", 2, 8)];
  const intents = [3, 2, 2, 1, 1, 4].map((count, index) => intent({ name: `job-${index}`, gpu: { count } }));
  const first = await decide(offers, [], intents);
  expect(first.decisions.every(({ outcome }) => outcome === "placed")).toBe(true);
  const { holdings, after } = carriedOut(first, offers);
  const second = await decide(after, holdings, intents);
  expect(second.decisions.map(({ reason }) => reason)).toEqual(intents.map(() => "RUNNING"));
  const places = ({ decisions }: Plan): string[] =>
    decisions.map(({ intent: name, placements }) => `${name} ${placements.map(({ offer: id }) => id)}`);
  expect(places(second)).toEqual(places(first));
});

test("of two that could make room, the one moves whose move costs less", async () => {
  const offers = [offer("a", 1, 4, 2), offer("b", 1.2, 1)];
  const holdings = [
    held("saved", "a", { lastCheckpoint: "2026-01-05T11:55:00Z" }),
    held("unsaved", "a", { since: "2026-01-05T09:00:00Z" }),
  ];
  // work since the last checkpoint is lost: five minutes of one, three hours of the other
  const batch = {
    type: "batch" as const,
    batch: {
      parallelTasks: 1,
      maxRetries: 0,
      completionPolicy: "All" as const,
      estimatedRuntimeSeconds: 14_400,
    },
  };
  const intents = [
    intent({ name: "saved", workload: batch }),
    intent({ name: "unsaved", workload: batch }),
    intent({ name: "large", gpu: { count: 3 } }),
  ];
  const made = await decide(offers, holdings, intents);
  expect(made.batch?.moved).toEqual(["saved"]);
  expect(where(made)).toBe("large a PLACED, saved b PLACED, unsaved a RUNNING");
});
