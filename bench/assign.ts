import { parseArgs } from "node:util";
import { createWorkerSolver, type WorkerSolver } from "../adapters/solver/worker-solver.ts";
import { type CaseResult, contendedCases, type Limits } from "./assign-contended.ts";
import { singleCase } from "./assign-single.ts";
import { warmCase } from "./assign-warm.ts";
import { countsOf, FlagError } from "./flags.ts";
import { machine, print } from "./report.ts";

const groups = ["full", "classes", "capacity", "single", "warm"] as const;

/**
 * Many intents at once: certified gap against the clock, beside greedy, first match and HiGHS alone with the same time;
 * one arrival among many prepared offers; a tick after a small change against a fresh plan.
 *
 * `--seeds 1,2,3`, `--sizes 50,100,200,500,1000,2000` (full model), `--seconds 1,5`, `--only full,classes,capacity,single,warm`,
 * `--offers 100000` (single), `--intents 500`, `--change 5` (warm; per cent).
 */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean" },
      seeds: { type: "string", default: "1,2,3" },
      sizes: { type: "string", default: "50,100,200,500,1000,2000" },
      seconds: { type: "string", default: "1,5" },
      only: { type: "string", default: groups.join(",") },
      offers: { type: "string", default: "100000" },
      intents: { type: "string", default: "500" },
      change: { type: "string", default: "5" },
    },
  });
  const only = new Set(values.only.split(","));
  for (const name of only)
    if (!groups.some((group) => group === name))
      throw new FlagError(`--only: ${name}; accepted: ${groups.join(", ")}`);
  const limits: Limits = {
    seeds: countsOf("--seeds", values.seeds),
    sizes: countsOf("--sizes", values.sizes),
    seconds: countsOf("--seconds", values.seconds),
  };
  const solver: WorkerSolver = createWorkerSolver();
  await solver.ready();
  const results: CaseResult[] = [];
  try {
    const keep = (one: CaseResult): void => {
      results.push(one);
      // what is there already, should somebody's patience end first
      for (const line of one.lines) process.stderr.write(`${line}\n`);
    };
    if (only.has("single")) keep(await singleCase(countsOf("--offers", values.offers)[0]!));
    if (only.has("warm")) {
      const [intents, change] = [
        countsOf("--intents", values.intents)[0]!,
        countsOf("--change", values.change)[0]!,
      ];
      keep(await warmCase(solver, { seeds: limits.seeds, intents, change: change / 100 }));
    }
    for (const group of ["classes", "capacity", "full"] as const)
      if (only.has(group)) for await (const one of contendedCases(group, solver, limits)) keep(one);
  } finally {
    await solver.dispose();
  }
  const result = {
    machine: machine(),
    cases: results.map(({ lines: _lines, aims: _aims, ...rest }) => rest),
    aims: results.flatMap(({ aims }) => aims),
  };
  print(values.json === true, result, [
    `${result.machine.cpu}, ${result.machine.cores} cores, node ${result.machine.node}`,
    ...results.flatMap(({ lines }) => lines),
  ]);
}
