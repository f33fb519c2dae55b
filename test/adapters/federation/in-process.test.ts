import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createInProcessFederation } from "../../../adapters/federation/in-process.ts";
import { openJournal } from "../../../adapters/federation/journal.ts";
import { readScenario, type Scenario } from "../../../adapters/federation/scenario.ts";
import type { EngineError } from "../../../engine/model/errors.ts";
import { createDrivenTime, twoOffers } from "../../api/driven-env.ts";
import { federationContract, reservation } from "./federation-contract.ts";

const folder = mkdtempSync(join(tmpdir(), "flare-federation-"));
afterAll(() => rmSync(folder, { recursive: true }));

function opened(scenario: Scenario = {}) {
  const time = createDrivenTime();
  const federation = createInProcessFederation({ snapshot: twoOffers, clock: time, timers: time, scenario });
  return { federation, time };
}

federationContract("in-process federation", async () => {
  const { federation, time } = opened();
  return { federation, settle: async () => time.pass(10_000), expire: async () => time.pass(60_001) };
});

test("what is held survives the process, as at real providers", async () => {
  const path = join(folder, "held.db");
  const time = createDrivenTime();
  const open = () =>
    createInProcessFederation({ snapshot: twoOffers, clock: time, timers: time, journal: openJournal(path) });
  const first = open();
  await first.reserve(reservation("kept"));
  await first.purchase("kept");
  await first.reserve(reservation("gone"));
  await first.release("gone");
  await first.close();
  const second = open();
  expect((await second.observe()).map(({ key, phase }) => [key, phase])).toEqual([["kept", "contracted"]]);
  expect((await second.reserve(reservation("gone"))).kind).toBe("refused");
  await second.close();
});

test("a scenario refuses, does not arrive, and loses answers, as often as it says", async () => {
  const { federation } = opened({
    faults: [
      { on: "reserve", fault: "refuse", code: "capacity", provider: "alpha", times: 1 },
      { on: "purchase", fault: "answer_lost", every: 2 },
      { on: "peer", fault: "unavailable", times: 1 },
    ],
  });
  expect(await federation.reserve(reservation("a"))).toMatchObject({ kind: "refused", code: "capacity" });
  expect((await federation.reserve(reservation("a"))).kind).toBe("reserved");
  expect((await federation.purchase("a")).kind).toBe("contracted");
  await federation.reserve(reservation("b"));
  await expect(federation.purchase("b")).rejects.toMatchObject({ code: "timeout" });
  // the purchase was made, only its answer was lost
  expect((await federation.observe(["b"]))[0]?.phase).toBe("contracted");
  await expect(federation.peer("a")).rejects.toMatchObject({ code: "unavailable" });
  expect((await federation.observe(["a"]))[0]?.phase).toBe("contracted");
});

test("prices change for new contracts, rivals take room, spot is interrupted, providers fail and come back", async () => {
  const { federation, time } = opened({
    events: [
      { kind: "price", at_ms: 1000, offer: "one-by-one", factor: 1.5 },
      { kind: "rival", at_ms: 2000, offer: "one-by-one", gpus: 3, until_ms: 3000 },
      { kind: "outage", at_ms: 4000, provider: "alpha", until_ms: 5000 },
      { kind: "interrupt", at_ms: 6000 },
    ],
  });
  await federation.reserve(reservation("old"));
  time.pass(1000);
  expect(await federation.reserve(reservation("dear"))).toMatchObject({ code: "price_changed" });
  expect((await federation.observe(["old"]))[0]?.costMicro).toBe(2_000_000);
  time.pass(1000);
  const free = async () => (await federation.catalog()).offers[0]?.capacity.gpusFree;
  expect(await free()).toBe(0);
  time.pass(1000);
  expect(await free()).toBe(3);
  time.pass(1000);
  expect((await federation.observe(["old"]))[0]).toMatchObject({ phase: "lost", reason: "failed" });
  expect((await federation.catalog()).outages).toHaveLength(1);
  const patient = { maxCostMicro: 9_000_000 };
  expect(await federation.reserve(reservation("down", patient))).toMatchObject({ code: "offer_gone" });
  time.pass(1000);
  expect((await federation.reserve(reservation("back", patient))).kind).toBe("reserved");
  time.pass(1000);
  // on demand is not interrupted
  expect((await federation.observe(["back"]))[0]?.phase).toBe("reserved");
});

test("a scenario that cannot be read names every path, what was found and what is accepted", () => {
  const told: unknown = (() => {
    try {
      return readScenario({
        faults: [{ on: "reserve", fault: "explode" }, { on: "buy" }],
        events: [
          { kind: "party" },
          { at_ms: 1 },
          { kind: "price", at_ms: 1, faktor: 2 },
          { kind: "outage", at_ms: 1, until_ms: -1 },
        ],
        seed: 1,
      });
    } catch (error) {
      return (error as EngineError).problems.map(({ path, message }) => `${path}: ${message}`);
    }
  })();
  const kinds = "accepted: price, interrupt, fail, outage, rival";
  expect(told).toEqual([
    'faults[0].fault: found "explode"; accepted: refuse, unavailable, answer_lost',
    'faults[1].on: found "buy"; accepted: reserve, purchase, peer, deploy, release',
    "faults[1].fault: missing; accepted: refuse, unavailable, answer_lost",
    `events[0].kind: found "party"; ${kinds}`,
    `events[1].kind: missing; ${kinds}`,
    "events[2].factor: missing; accepted: a number",
    "events[2].faktor: unknown field; accepted here: kind, at_ms, provider, offer, factor",
    "events[3].until_ms: found -1; accepted: at least 0",
    "seed: unknown field; accepted here: delays, faults, events",
  ]);
});
