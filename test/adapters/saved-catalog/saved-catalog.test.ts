import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { generateSnapshot } from "../../../adapters/catalog/generate.ts";
import { readIntent } from "../../../adapters/json/intent.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import { openCatalog } from "../../../adapters/saved-catalog/open.ts";
import { saveCatalog } from "../../../adapters/saved-catalog/save.ts";
import { applyChanges, EngineError, plan, prepare, type Snapshot } from "../../../engine/index.ts";
import { readTable, writeTable } from "../../../engine/kernel/binary.ts";

const fixtures = fileURLToPath(new URL("../../../fixtures", import.meta.url));
const readJson = (path: string): unknown => JSON.parse(readFileSync(join(fixtures, path), "utf8"));
const intents = ["inference-eu", "fine-tuning", "hpc"].map((name) =>
  readIntent(readJson(`intents/${name}.json`)),
);
const generated = (seed: number): Snapshot => readSnapshot(generateSnapshot(600, seed));

const clusters = readdirSync(join(fixtures, "clusters")).filter((name) => name.endsWith(".json"));
const snapshots = [
  ...clusters.map((name) => ({ name, snapshot: readSnapshot(readJson(`clusters/${name}`)) })),
  { name: "generated", snapshot: generated(3) },
  { name: "nothing for sale", snapshot: { ...generated(1), offers: [] } },
];

test.for(snapshots)("$name: what is opened plans the bytes of what was saved", async ({ snapshot }) => {
  const bytes = saveCatalog(snapshot);
  const opened = openCatalog(bytes);
  expect(opened).toEqual(snapshot);
  expect(JSON.stringify(await plan(prepare(opened), intents))).toBe(
    JSON.stringify(await plan(prepare(snapshot), intents)),
  );
  expect(saveCatalog(opened)).toEqual(bytes);
});

test("an opened catalogue follows changes like the one it came from", async () => {
  const snapshot = generated(3);
  const changes = { offers: generated(4).offers.slice(0, 90), removed: [snapshot.offers[99]!.id] };
  const [here, there] = [snapshot, openCatalog(saveCatalog(snapshot))].map((one) =>
    applyChanges(prepare(one), changes),
  );
  expect(JSON.stringify(await plan(there!, intents))).toBe(JSON.stringify(await plan(here!, intents)));
});

test("what many offers share is written once, and one object when opened", () => {
  const small = saveCatalog(generated(1)).length;
  const snapshot = generated(1);
  // the same offers ten times over
  const many = Array.from({ length: 10 }, (_, copy) =>
    snapshot.offers.map((offer) => ({ ...offer, id: `${offer.id}-${copy}` })),
  ).flat();
  const bytes = saveCatalog({ ...snapshot, offers: many });
  expect(bytes.length).toBeLessThan(small * 4);
  const distinct = new Set(openCatalog(bytes).offers.map(({ compliance }) => compliance));
  expect(distinct.size).toBeLessThanOrEqual(snapshot.offers.length);
});

test("a thread that is sent the bytes, not a copy of them, plans over them the same", async () => {
  const snapshot = generated(3);
  const bytes = saveCatalog(snapshot);
  const worker = new Worker(new URL("./plans-saved.ts", import.meta.url), {
    workerData: { bytes, intents },
    transferList: [bytes.buffer],
  });
  const [answer] = (await once(worker, "message")) as [string];
  expect(bytes).toHaveLength(0);
  expect(answer).toBe(JSON.stringify(await plan(prepare(snapshot), intents)));
});

const saved = saveCatalog(generated(1));
const { attachment, ...columns } = readTable(saved);
/** The same file with something else attached. */
const attaching = (change: (attached: Record<string, unknown>) => unknown): Uint8Array =>
  writeTable(columns, JSON.stringify(change(JSON.parse(attachment))));

test.for([
  { name: "empty", bytes: new Uint8Array(), message: "a header has 64 bytes, got 0" },
  { name: "a JSON document", bytes: new TextEncoder().encode("{}".repeat(60)), message: "starts with" },
  { name: "of a later version", bytes: saved.with(4, 9), message: "version 9, this engine reads 1" },
  { name: "cut off", bytes: saved.slice(0, -128), message: "bytes announced" },
  { name: "longer than announced", bytes: new Uint8Array(saved.length + 64), message: "starts with 0" },
  {
    name: "changed in one bit",
    bytes: saved.with(999, saved[999]! ^ 4),
    message: "check sum does not match",
  },
  { name: "a table alone", bytes: writeTable(columns), message: "a table without a snapshot" },
  {
    name: "by another engine",
    bytes: attaching((all) => ({ ...all, engine: "0.0.1" })),
    message: "made by engine 0.0.1",
  },
  {
    name: "without a snapshot's data",
    bytes: attaching(({ snapshot: _, ...all }) => all),
    message: "its snapshot lacks a part",
  },
  {
    name: "short of an offer",
    bytes: attaching((all) => ({
      ...all,
      lists: { id: (all["lists"] as { id: unknown[] }).id.slice(1) },
    })),
    message: "id of 599 offers, its columns have 600 rows",
  },
  {
    name: "short of a part",
    bytes: attaching((all) => ({ ...all, parts: {} })),
    message: "an offer names part 0 of 0 of",
  },
])("a saved catalogue that is $name is refused", ({ bytes, message }) => {
  expect(() => openCatalog(bytes)).toThrow(EngineError);
  expect(() => openCatalog(bytes)).toThrow(message);
});
