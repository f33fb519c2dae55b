import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Bench } from "tinybench";
import { generateSnapshot } from "../adapters/catalog/generate.ts";
import { readIntent } from "../adapters/json/intent.ts";
import { readSnapshot } from "../adapters/json/snapshot.ts";
import { type Catalog, prepare } from "../engine/compile/catalog.ts";
import { encode, withScore } from "../engine/compile/encode.ts";
import { needOf } from "../engine/compile/need.ts";
import type { Query } from "../engine/kernel/query.ts";
import { twinTable } from "../engine/kernel/twin.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { goalOf } from "../engine/score/objective.ts";
import { countOf } from "./flags.ts";
import type { FirstPlan } from "./place-first.ts";
import { placedIntent } from "./place-intent.ts";
import { aim, machine, median, print, spread } from "./report.ts";

/** Ways from snapshot to decision per process: the first one, and those after it. */
const ROUNDS = 5;

/** What several processes measured. */
interface Decide {
  readonly load_ms: number;
  /** The first way in a process, which runs code that nobody has run yet. */
  readonly first_ms: number;
  readonly first_spread: number;
  readonly first_runs: readonly number[];
  /** Later ways in the same processes, each building the catalogue anew. */
  readonly later_ms: number;
  readonly chosen: string;
}

/** Processes that read a file and make their first plans, one after the other. */
function decide(kind: "document" | "snapshot", file: string, processes: number): Decide {
  const script = fileURLToPath(new URL("place-first.ts", import.meta.url));
  const runs = Array.from({ length: processes }, () => {
    const output = execFileSync(process.execPath, [script, kind, file, String(ROUNDS)], { encoding: "utf8" });
    return JSON.parse(output) as FirstPlan;
  });
  const first = runs.map(({ decideMs }) => decideMs[0]!);
  return {
    load_ms: median(runs.map(({ loadMs }) => loadMs)),
    first_ms: median(first),
    first_spread: spread(first),
    first_runs: first,
    later_ms: median(runs.flatMap(({ decideMs }) => decideMs.slice(1))),
    chosen: runs[0]!.chosen,
  };
}

/** The scored query of the bench's intent. */
function queryOf(catalog: Catalog): Query {
  const intent = readIntent(placedIntent);
  const scope = { catalog, need: needOf(catalog, intent), usage: new Map(), asIfFree: false };
  const plain = encode(scope, 16);
  return (withScore(scope, goalOf(intent).weights, plain) ?? plain).query;
}

/** Median microseconds of one query on the kernel and on its TypeScript twin, interleaved by tinybench. */
async function compareBackends(snapshot: Snapshot): Promise<{
  readonly options: number;
  readonly backend: string;
  readonly kernelUs: number;
  readonly twinUs: number;
}> {
  const kernel = prepare(snapshot);
  const twin = prepare(snapshot, twinTable);
  const [kernelQuery, twinQuery] = [queryOf(kernel), queryOf(twin)];
  const [a, b] = [kernel.table.select(kernelQuery), twin.table.select(twinQuery)];
  if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error("kernel and twin disagree");
  const timed = new Bench({ time: 500, warmupTime: 100 });
  timed.add("kernel", () => void kernel.table.select(kernelQuery));
  timed.add("twin", () => void twin.table.select(twinQuery));
  await timed.run();
  const microseconds = (name: string): number => {
    const result = timed.getTask(name)?.result;
    if (result?.state !== "completed") throw new Error(`${name} did not complete`);
    return result.latency.p50 * 1000;
  };
  return {
    options: kernel.options.count,
    backend: kernel.table.backend,
    kernelUs: microseconds("kernel"),
    twinUs: microseconds("twin"),
  };
}

/**
 * One intent over `--offers` generated offers (default 100,000): load rate; the way from snapshot to explained decision, the
 * first of each of `--processes` fresh processes (default 3) and later ones, for the reader's snapshot and for plain objects
 * that share nothing; and the kernel against its TypeScript twin on the same query.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean" },
      offers: { type: "string", default: "100000" },
      processes: { type: "string", default: "3" },
    },
  });
  const offers = countOf("--offers", values.offers);
  const processes = countOf("--processes", values.processes);
  const text = JSON.stringify(generateSnapshot(offers, 1));
  const snapshot = readSnapshot(JSON.parse(text));
  const folder = mkdtempSync(join(tmpdir(), "flare-bench-"));
  const [documentFile, snapshotFile] = [join(folder, "document.json"), join(folder, "snapshot.json")];
  writeFileSync(documentFile, text);
  writeFileSync(snapshotFile, JSON.stringify(snapshot));
  const read = decide("document", documentFile, processes);
  const plain = decide("snapshot", snapshotFile, processes);
  rmSync(folder, { recursive: true });
  const { options, backend, kernelUs, twinUs } = await compareBackends(snapshot);

  const result = {
    machine: machine(),
    offers,
    chosen: read.chosen,
    load: { ms: read.load_ms, offers_per_s: (offers / read.load_ms) * 1000, bytes: text.length },
    decide: { read, plain },
    select: { backend, kernel_us: kernelUs, twin_us: twinUs, ratio: twinUs / kernelUs },
    aims: [
      aim("compile-plan-explain-1e5", read.first_ms, { most: 300 }, "ms"),
      aim("compile-plan-explain-1e5-plain-objects", plain.first_ms, { most: 300 }, "ms"),
    ],
  };
  const line = ({ first_ms, first_spread, later_ms }: Decide): string =>
    `${first_ms.toFixed(0)} ms first in a process (spread ${(first_spread * 100).toFixed(0)} %), ${later_ms.toFixed(0)} ms later`;
  print(values.json === true, result, [
    `${result.machine.cpu}, ${result.machine.cores} cores, node ${result.machine.node}`,
    `${offers} offers, ${options} options; chosen ${read.chosen}`,
    `load      ${read.load_ms.toFixed(0)} ms (${Math.round(result.load.offers_per_s)} offers/s of JSON)`,
    `decide    ${line(read)}: prepare, plan, explain`,
    `  plain   ${line(plain)}: the same of plain objects that share nothing`,
    `kernel    ${kernelUs.toFixed(1)} us per query (${backend})`,
    `twin      ${twinUs.toFixed(1)} us per query: ${(twinUs / kernelUs).toFixed(1)}x the kernel's time`,
  ]);
}
