import { describe, expect, test } from "vitest";
import { readIntent } from "../../../adapters/json/intent.ts";
import type { Federation, ReserveRequest } from "../../../adapters/port.ts";
import { wish } from "../../api/driven-env.ts";

/** A federation under test: offers `one-by-one` (4 GPUs at 2 EUR each) and `whole-node` (8 GPUs, 20 EUR). */
export interface FederationUnderTest {
  readonly federation: Federation;
  /** Lets time pass, long enough for any step of a contract. */
  settle(): Promise<void>;
  /** Lets reservations run out. */
  expire(): Promise<void>;
}

const intent = { ...readIntent(wish("work", 1)), name: "int-1" };

export const reservation = (key: string, more: Partial<ReserveRequest> = {}): ReserveRequest => ({
  key,
  intent: "int-1",
  tenant: "default",
  offer: "one-by-one",
  gpus: 1,
  replicas: 1,
  cpuMilli: 1000,
  memoryMib: 1024,
  spot: false,
  maxCostMicro: 2_000_000,
  ...more,
});

/** What every federation promises (see `adapters/port.ts`). */
export function federationContract(name: string, open: () => Promise<FederationUnderTest>): void {
  const phaseOf = async ({ federation }: FederationUnderTest, key: string): Promise<string | undefined> =>
    (await federation.observe([key]))[0]?.phase;
  const freeOf = async ({ federation }: FederationUnderTest, id: string): Promise<number | undefined> =>
    (await federation.catalog()).offers.find((offer) => offer.id === id)?.capacity.gpusFree;

  describe(name, () => {
    test("a key goes from reserved to running, and its release leaves nothing", async () => {
      const under = await open();
      const { federation } = under;
      expect((await federation.reserve(reservation("k"))).kind).toBe("reserved");
      expect(await phaseOf(under, "k")).toBe("reserved");
      expect((await federation.purchase("k")).kind).toBe("contracted");
      expect(await phaseOf(under, "k")).toBe("contracted");
      await federation.peer("k");
      expect(await phaseOf(under, "k")).toBe("peering");
      await under.settle();
      expect(await phaseOf(under, "k")).toBe("peered");
      await federation.deploy("k", intent);
      expect(await phaseOf(under, "k")).toBe("deploying");
      await under.settle();
      expect(await phaseOf(under, "k")).toBe("running");
      expect((await federation.observe())[0]?.serviceUrl).toMatch(/^http/);
      await federation.release("k");
      expect(await federation.observe()).toEqual([]);
      expect(await freeOf(under, "one-by-one")).toBe(4);
      await federation.close();
    });

    test("every call repeated has one effect and an equal answer", async () => {
      const under = await open();
      const { federation } = under;
      const first = await federation.reserve(reservation("k"));
      expect(await federation.reserve(reservation("k"))).toEqual(first);
      expect(await freeOf(under, "one-by-one")).toBe(3);
      const contract = await federation.purchase("k");
      expect(await federation.purchase("k")).toEqual(contract);
      for (let time = 0; time < 2; time++) await federation.peer("k");
      await under.settle();
      for (let time = 0; time < 2; time++) await federation.deploy("k", intent);
      await under.settle();
      // a step that comes late does not set anything back
      await federation.peer("k");
      expect(await phaseOf(under, "k")).toBe("running");
      for (let time = 0; time < 2; time++) await federation.release("k");
      expect(await federation.observe()).toEqual([]);
      await federation.close();
    });

    test("never holds more than an offer has, nor at a higher price", async () => {
      const under = await open();
      const { federation } = under;
      const answers = await Promise.all(
        [1, 2, 3, 4, 5].map((index) => federation.reserve(reservation(`k${index}`))),
      );
      expect(answers.map(({ kind }) => kind)).toEqual([
        "reserved",
        "reserved",
        "reserved",
        "reserved",
        "refused",
      ]);
      expect(answers[4]).toMatchObject({ code: "capacity" });
      const whole = { offer: "whole-node", gpus: 2 };
      expect(
        await federation.reserve(reservation("w", { ...whole, maxCostMicro: 19_999_999 })),
      ).toMatchObject({
        kind: "refused",
        code: "price_changed",
      });
      expect(
        await federation.reserve(reservation("w2", { ...whole, maxCostMicro: 20_000_000 })),
      ).toMatchObject({
        kind: "reserved",
        costMicro: 20_000_000,
      });
      expect(await freeOf(under, "whole-node")).toBe(0);
      expect((await federation.reserve(reservation("x", { offer: "nowhere" }))).kind).toBe("refused");
      expect(await federation.reserve(reservation("c", { cpuMilli: 1e9 }))).toMatchObject({
        code: "capacity",
      });
      await federation.close();
    });

    test("a reservation that runs out is lost, free for others, and cannot be bought", async () => {
      const under = await open();
      const { federation } = under;
      await federation.reserve(reservation("k", { gpus: 4, maxCostMicro: 8_000_000 }));
      await under.expire();
      expect((await federation.observe(["k"]))[0]).toMatchObject({ phase: "lost", reason: "expired" });
      expect(await freeOf(under, "one-by-one")).toBe(4);
      expect(await federation.purchase("k")).toMatchObject({ kind: "refused", code: "expired" });
      await federation.release("k");
      expect(await federation.observe()).toEqual([]);
      await federation.close();
    });

    test("a released key stays unusable, also one that was never seen", async () => {
      const { federation } = await open();
      await federation.release("never");
      expect(await federation.reserve(reservation("never"))).toMatchObject({
        kind: "refused",
        code: "expired",
      });
      expect(await federation.purchase("unknown")).toMatchObject({ kind: "refused" });
      await federation.peer("unknown");
      await federation.deploy("unknown", intent);
      expect(await federation.observe()).toEqual([]);
      await federation.close();
    });

    test("the catalog's version changes with what is free, and listeners get a hint", async () => {
      const { federation } = await open();
      const before = await federation.catalog();
      let hints = 0;
      const end = federation.subscribe(() => hints++);
      await federation.reserve(reservation("k"));
      expect((await federation.catalog()).version).not.toBe(before.version);
      expect(hints).toBeGreaterThan(0);
      end();
      await federation.close();
    });
  });
}
