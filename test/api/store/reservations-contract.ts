import { describe, expect, test } from "vitest";
import type { AllocationRow } from "../../../api/store/schema.ts";
import type { NewPlan, PlannedChange, ReserveInput, Store } from "../../../api/store/store.ts";
import { trustTenant } from "../../../api/store/tenant.ts";
import { acceptance, tenantOf } from "./rows.ts";

const act = { actor: "x", atMs: 1000, requestId: "r" };
const OFFER = "offer";

/** Four of four GPUs from 5,000 to 9,000. */
const wanted = (id: string, more: Partial<ReserveInput> = {}, gpus = 4): ReserveInput => ({
  ...act,
  reservation: {
    id,
    offer: OFFER,
    gpus,
    from_ms: 5000,
    to_ms: 9000,
    state: "active",
    version: 1,
    created_ms: 1000,
  },
  capacity: 4,
  isWhole: false,
  inUse: [],
  known: [],
  ...more,
});

const allocation = (id: string, tenant: string, offer = OFFER): AllocationRow => ({
  id: `${id}-1-0`,
  intent_id: id,
  tenant_id: trustTenant(tenant),
  offer,
  provider: "p",
  region: null,
  gpus: 2,
  replicas: 1,
  cpu_milli: 0,
  memory_mib: 0,
  spot: 0,
  cost_micro: 0,
  currency: "EUR",
  state: "planned",
  contract: null,
  service_url: null,
  created_ms: 1000,
  expires_ms: null,
  billed_ms: null,
  released_ms: null,
});

const place = (id: string, tenant: string, offer?: string): PlannedChange => ({
  ...act,
  id,
  version: 1,
  to: "placing",
  newAllocations: [allocation(id, tenant, offer)],
});

const planOf = (id: string): NewPlan => ({
  id,
  at_ms: 1,
  parent: null,
  catalog_hash: "h",
  inputs: "{}",
  answers: "[]",
  engine: "1",
  catalogDocument: "{}",
});

/** Decisions through one store and reservations through another on the same database, at the same time: never both. */
export async function checkRace(deciding: Store, answering: Store): Promise<void> {
  const one = await tenantOf(answering, "one");
  const two = await tenantOf(deciding, "two");
  const epoch = await deciding.system.takeLease({
    ...act,
    holder: "h",
    seen: await deciding.system.lease(),
  });
  for (let round = 0; round < 12; round++) {
    const offer = `offer-${round}`;
    await two.acceptIntent(acceptance(`i${round}`));
    const { reservation } = wanted(`r${round}`);
    const reserve = () =>
      one.createReservation(wanted(`r${round}`, { reservation: { ...reservation, offer } }));
    const settle = () =>
      deciding.system.settlePlan({
        plan: planOf(`p${round}`),
        changes: [place(`i${round}`, "two", offer)],
        lastReservation,
        epoch: epoch ?? 0,
      });
    const lastReservation = Math.max(
      0,
      ...(await deciding.system.openReservations(1000)).map(({ seq }) => seq),
    );
    // either may be handed in first
    const [reserved, [settled]] =
      round % 2 === 0
        ? await Promise.all([reserve(), settle()])
        : await Promise.all([settle(), reserve()]).then(([b, a]) => [a, b] as const);
    const isReserved = reserved.kind === "reserved";
    expect([reserved.kind, settled === "outdated"]).toEqual(
      isReserved ? ["reserved", true] : ["outdated", false],
    );
  }
}

/** What every store promises about reservations and decisions that do not know of each other. */
export function reservationContract(name: string, open: () => Promise<Store>): void {
  describe(name, () => {
    /** Intents `a` of tenant `one` and `b` of tenant `two`, and a leader of epoch 1. */
    const withTwo = async (
      run: (
        store: Store,
        tools: {
          readonly one: Awaited<ReturnType<typeof tenantOf>>;
          readonly two: Awaited<ReturnType<typeof tenantOf>>;
          readonly settle: (
            lastReservation: number,
            changes: readonly PlannedChange[],
          ) => ReturnType<Store["system"]["settlePlan"]>;
        },
      ) => Promise<void>,
    ): Promise<void> => {
      const store = await open();
      let plans = 0;
      try {
        const one = await tenantOf(store, "one");
        const two = await tenantOf(store, "two");
        await one.acceptIntent(acceptance("a"));
        await two.acceptIntent(acceptance("b"));
        await store.system.takeLease({ ...act, holder: "h", seen: { epoch: 0, renewals: 0 } });
        const settle = (lastReservation: number, changes: readonly PlannedChange[]) =>
          store.system.settlePlan({
            plan: planOf(`p${plans++}`),
            changes,
            lastReservation,
            epoch: 1,
          });
        await run(store, { one, two, settle });
      } finally {
        await store.close();
      }
    };
    test("a decision that does not know of another tenant's reservation of its offer is outdated, and the rest of its plan is made", () =>
      withTwo(async (store, { one, two, settle }) => {
        expect(await one.createReservation(wanted("r1"))).toEqual({ kind: "reserved" });
        expect((await store.system.openReservations(1000)).map(({ seq }) => seq)).toEqual([1]);
        expect(await settle(0, [place("b", "two"), place("a", "one")])).toMatchObject([
          "outdated",
          { id: "a", phase: "placing" },
        ]);
        expect((await two.intent("b"))?.intent).toMatchObject({ phase: "queued", version: 1 });
        expect((await two.intent("b"))?.allocations).toEqual([]);
        expect(await store.system.plan("p0")).not.toBeNull();
        // who knows of it decides with it
        expect(await settle(1, [place("b", "two")])).toMatchObject([{ phase: "placing" }]);
      }));

    test("a reservation of another offer, given back or over is none that a decision has to know of", () =>
      withTwo(async (_store, { one, settle }) => {
        await one.createReservation(wanted("r1"));
        await one.cancelReservation({ ...act, id: "r1" });
        const { reservation } = wanted("r2");
        await one.createReservation(
          wanted("r2", { reservation: { ...reservation, to_ms: 900, from_ms: 1 } }),
        );
        await one.createReservation(
          wanted("r3", { reservation: { ...reservation, id: "r3", offer: "else" } }),
        );
        expect(await settle(0, [place("b", "two")])).toMatchObject([{ phase: "placing" }]);
      }));

    test("nobody makes way for a decision that is outdated, or whose intent has changed", () =>
      withTwo(async (store, { one, two, settle }) => {
        await one.createReservation(wanted("r1"));
        await one.acceptIntent(acceptance("v"));
        const way = (onlyWith: string): PlannedChange => ({
          ...act,
          id: "v",
          version: 1,
          to: "cancelled",
          onlyWith,
        });
        expect(await settle(0, [way("b"), place("b", "two")])).toEqual([null, "outdated"]);
        expect(await settle(1, [way("b"), { ...place("b", "two"), version: 7 }])).toEqual([null, null]);
        expect(await settle(1, [way("b"), { ...act, id: "a", version: 1, to: "waiting" }])).toMatchObject([
          null,
          { id: "a" },
        ]);
        expect((await one.intent("v"))?.intent.phase).toBe("queued");
        expect(await settle(1, [way("b"), place("b", "two")])).toMatchObject([{ id: "v" }, { id: "b" }]);
        expect((await store.system.intentById("v"))?.intent.phase).toBe("cancelled");
        expect((await two.intent("b"))?.intent.phase).toBe("placing");
      }));

    test("a reservation that does not know of what was placed is outdated, unless there is room beside it", () =>
      withTwo(async (_store, { one, two, settle }) => {
        await settle(0, [place("b", "two")]);
        expect(await one.createReservation(wanted("r1"))).toEqual({ kind: "outdated" });
        expect(await one.reservation("r1")).toBeNull();
        expect(await one.createReservation(wanted("r2", { isWhole: true }, 1))).toEqual({ kind: "outdated" });
        // its own work runs on its reservation
        expect(await two.createReservation(wanted("r3", {}, 1))).toEqual({ kind: "reserved" });
        expect(await one.createReservation(wanted("r4", {}, 2))).toEqual({ kind: "reserved" });
        const inUse = [{ tenant: "two", gpus: 2 }];
        const knowing = wanted("r5", { inUse, known: ["b-1-0"] }, 1);
        expect(await one.createReservation(knowing)).toEqual({ kind: "full", most: 0 });
      }));

    test("what was judged with an allocation that is known, or is released by now, is not judged again", () =>
      withTwo(async (store, { one, settle }) => {
        await settle(0, [place("b", "two")]);
        // it ends before the window
        expect(await one.createReservation(wanted("r1", { known: ["b-1-0"] }))).toEqual({ kind: "reserved" });
        await one.cancelReservation({ ...act, id: "r1" });
        const released = [{ id: "b-1-0", set: { state: "released", released_ms: 2000 } }];
        await store.system.changeIntent({ ...act, id: "b", version: 2, epoch: 1, allocations: released });
        expect(await one.createReservation(wanted("r2"))).toEqual({ kind: "reserved" });
      }));

    test("reservations and decisions at the same time: whichever is first, the other knows", async () => {
      const store = await open();
      try {
        await checkRace(store, store);
      } finally {
        await store.close();
      }
    });

    test("while reservations are paused none is stored, and a new epoch ends the pause of the one before", () =>
      withTwo(async ({ system }, { one }) => {
        await expect(system.pauseReservations({ epoch: 7, isPaused: true })).rejects.toMatchObject({
          code: "fenced",
        });
        await system.pauseReservations({ epoch: 1, isPaused: true });
        expect(await one.createReservation(wanted("r1"))).toEqual({ kind: "paused" });
        await system.pauseReservations({ epoch: 1, isPaused: false });
        expect(await one.createReservation(wanted("r1", {}, 1))).toEqual({ kind: "reserved" });
        await system.pauseReservations({ epoch: 1, isPaused: true });
        expect(await one.createReservation(wanted("r2", {}, 1))).toEqual({ kind: "paused" });
        await system.takeLease({ ...act, holder: "i", seen: await system.lease() });
        expect(await one.createReservation(wanted("r2", {}, 1))).toEqual({ kind: "reserved" });
        expect((await system.openReservations(1000)).map(({ seq }) => seq)).toEqual([1, 2]);
      }));
  });
}
