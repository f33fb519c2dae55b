import { expect, test } from "vitest";
import { readIntent } from "../../../adapters/json/intent.ts";
import { createBooks } from "../../../api/control/books.ts";
import type { AllocationRow } from "../../../api/store/schema.ts";
import type { Store } from "../../../api/store/store.ts";
import { trustTenant } from "../../../api/store/tenant.ts";
import { createDrivenTime, wish } from "../driven-env.ts";

const intent = { ...readIntent(wish("web", 1)), name: "int-1" };
const allocation: AllocationRow = {
  id: "int-1-1-0",
  intent_id: "int-1",
  tenant_id: trustTenant("default"),
  offer: "one-by-one",
  provider: "alpha",
  region: null,
  gpus: 1,
  replicas: 1,
  cpu_milli: 1000,
  memory_mib: 1024,
  spot: 0,
  cost_micro: 2_000_000,
  currency: "EUR",
  state: "planned",
  contract: null,
  service_url: null,
  created_ms: 0,
  expires_ms: null,
  billed_ms: null,
  released_ms: null,
};

/** A store whose answers about what is held come when the test says so. */
function slowStore() {
  const asked: PromiseWithResolvers<[]>[] = [];
  const system = {
    heads: () => Promise.resolve({ events: { seq: 0, hash: "" }, audit: { seq: 0, hash: "" } }),
    held: () => Promise.resolve([]),
    changedSince: ({ after }: { after: number }) =>
      Promise.resolve(after === 0 ? [{ seq: 1, subject: "int-1" }] : []),
    heldBy: () => {
      const answer = Promise.withResolvers<[]>();
      asked.push(answer);
      return answer.promise;
    },
  };
  return { store: { system } as unknown as Store, asked };
}

async function reading() {
  const { store, asked } = slowStore();
  const books = createBooks({ store, clock: createDrivenTime() });
  await books.refresh();
  const watched = books.watch();
  watched();
  books.take([allocation], intent);
  const refresh = books.refresh();
  for (let turn = 0; asked.length === 0 && turn < 20; turn++) await Promise.resolve();
  return { books, watched, answer: asked[0]!, refresh };
}

test("what was written while an older reading was under way is not forgotten by it", async () => {
  const { books, answer, refresh } = await reading();
  books.settle([allocation], true);
  // the reading began before the commit, and found nothing
  answer.resolve([]);
  await refresh;
  expect(books.rows.has(allocation.id)).toBe(true);
  expect(books.holdings.get(allocation.id)).toMatchObject({ intent: "int-1", offer: "one-by-one" });
});

test("what was not written is given up at once, and its watchers hear of it", async () => {
  const { books, watched, answer, refresh } = await reading();
  expect([...watched()]).toEqual([allocation.id]);
  books.settle([allocation], false);
  expect([books.rows.size, books.planned.size, books.holdings.size]).toEqual([0, 0, 0]);
  expect([...watched()]).toEqual([allocation.id]);
  answer.resolve([]);
  await refresh;
  expect(books.rows.size).toBe(0);
});
