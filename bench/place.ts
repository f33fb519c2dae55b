import { parseArgs } from "node:util";
import { Bench } from "tinybench";
import { generateSnapshot } from "../adapters/catalog/generate.ts";
import { readIntent } from "../adapters/json/intent.ts";
import { readSnapshot } from "../adapters/json/snapshot.ts";
import { prepare } from "../engine/compile/catalog.ts";
import { encode, withScore } from "../engine/compile/encode.ts";
import { needOf } from "../engine/compile/need.ts";
import { twinTable } from "../engine/kernel/twin.ts";
import { plan } from "../engine/plan.ts";
import { goalOf } from "../engine/score/objective.ts";
import { aim, machine, median, print, spread } from "./report.ts";

const document = {
  intent: {
    objective: "Balanced_Optimization",
    workload: {
      type: "service",
      name: "bench",
      image: "registry.example/serve:1",
      resources: { cpu: "8", memory: "32Gi", gpu: { count: 2, memory_min: "40Gi", tier: "premium" } },
    },
    constraints: { max_hourly_cost: "20 EUR", location: "EU", max_latency_ms: 80, preemptible: true },
  },
};

/** Runs of the whole way from a parsed document; each builds the catalogue anew. */
const ROUNDS = 7;

/**
 * One intent over `--offers` generated offers (default 100,000): load rate, the way from snapshot to explained decision,
 * and the kernel against its TypeScript twin on the same query, interleaved by tinybench.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: "boolean" }, offers: { type: "string", default: "100000" } },
  });
  const offers = Number(values.offers);
  const text = JSON.stringify(generateSnapshot(offers, 1));
  const intent = readIntent(document);

  const loadStart = performance.now();
  const snapshot = readSnapshot(JSON.parse(text));
  const loadMs = performance.now() - loadStart;

  const decideMs: number[] = [];
  let chosen = "";
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    const catalog = prepare(snapshot);
    const { decisions } = await plan(catalog, [intent]);
    decideMs.push(performance.now() - start);
    chosen = decisions[0]!.placements[0]?.offer ?? decisions[0]!.reason;
    catalog.table.dispose();
  }

  const kernel = prepare(snapshot);
  const twin = prepare(snapshot, twinTable);
  const query = (catalog: typeof kernel) => {
    const scope = { catalog, need: needOf(catalog, intent), usage: new Map(), asIfFree: false };
    const plain = encode(scope, 16);
    return (withScore(scope, goalOf(intent).weights, plain) ?? plain).query;
  };
  const [kernelQuery, twinQuery] = [query(kernel), query(twin)];
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
  const [kernelUs, twinUs] = [microseconds("kernel"), microseconds("twin")];

  const result = {
    machine: machine(),
    offers,
    chosen,
    load: { ms: loadMs, offers_per_s: (offers / loadMs) * 1000, bytes: text.length },
    decide: { ms: median(decideMs), spread: spread(decideMs) },
    select: { backend: kernel.table.backend, kernel_us: kernelUs, twin_us: twinUs, ratio: twinUs / kernelUs },
    aims: [aim("compile-plan-explain-1e5", median(decideMs), { most: 300 }, "ms")],
  };
  print(values.json === true, result, [
    `${result.machine.cpu}, ${result.machine.cores} cores, node ${result.machine.node}`,
    `${offers} offers, ${kernel.options.count} options; chosen ${chosen}`,
    `load      ${loadMs.toFixed(0)} ms (${Math.round(result.load.offers_per_s)} offers/s of JSON)`,
    `decide    ${result.decide.ms.toFixed(1)} ms: prepare, plan, explain (spread ${(result.decide.spread * 100).toFixed(0)} %)`,
    `kernel    ${kernelUs.toFixed(1)} us per query (${kernel.table.backend})`,
    `twin      ${twinUs.toFixed(1)} us per query: ${(twinUs / kernelUs).toFixed(1)}x the kernel's time`,
  ]);
}
