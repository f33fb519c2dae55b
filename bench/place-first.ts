import { readFileSync } from "node:fs";
import { readIntent } from "../adapters/json/intent.ts";
import { readSnapshot } from "../adapters/json/snapshot.ts";
import { prepare } from "../engine/compile/catalog.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { plan } from "../engine/plan.ts";
import { placedIntent } from "./place-intent.ts";

/** What one process measured: the bench starts several, since a process makes its first plan only once. */
export interface FirstPlan {
  /** From parsed JSON to a snapshot; 0 where the file holds a snapshot as a library's user would build it. */
  readonly loadMs: number;
  /** The whole way from snapshot to explained decision: first in the process, then again and again. */
  readonly decideMs: readonly number[];
  readonly chosen: string;
}

/** Run by the bench: `node place-first.ts <document|snapshot> <file> <rounds>`. */
const [, , kind, file, rounds] = process.argv;
const parsed: unknown = JSON.parse(readFileSync(file!, "utf8"));
const intent = readIntent(placedIntent);
const started = performance.now();
const snapshot = kind === "document" ? readSnapshot(parsed) : (parsed as Snapshot);
const loadMs = kind === "document" ? performance.now() - started : 0;
const decideMs: number[] = [];
let chosen = "";
for (let round = 0; round < Number(rounds); round++) {
  const start = performance.now();
  const catalog = prepare(snapshot);
  const { decisions } = await plan(catalog, [intent]);
  decideMs.push(performance.now() - start);
  chosen = decisions[0]!.placements[0]?.offer ?? decisions[0]!.reason;
  catalog.table.dispose();
}
const result: FirstPlan = { loadMs, decideMs, chosen };
process.stdout.write(JSON.stringify(result));
