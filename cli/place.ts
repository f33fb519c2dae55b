import { setImmediate } from "node:timers/promises";
import { forgePlan } from "../adapters/json/decision.ts";
import { openKernelTables } from "../adapters/kernel-pool/tables.ts";
import { chooseSolver, type SolverName } from "../adapters/solver/choose.ts";
import type { BatchDump } from "../engine/assign/dump.ts";
import { prepare } from "../engine/compile/catalog.ts";
import type { Intent } from "../engine/model/intent.ts";
import type { MoveRules, Plan, PlanOptions, RecordedAnswer } from "../engine/model/plan.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { type PlanTools, plan } from "../engine/plan.ts";
import { writeDump } from "./dump.ts";
import { exitCodes, InputError } from "./exit.ts";
import { readFixtures } from "./fixtures.ts";
import { expandFolders, readIntents, readSnapshots, readSource, type Source } from "./input.ts";
import { writeOutput } from "./output.ts";
import { renderPlan } from "./render/decision.ts";
import { renderSkipped } from "./render/skipped.ts";
import { renderSummary } from "./render/summary.ts";

/** Flags that every deciding command shares. */
export interface PlaceFlags {
  readonly fixture: readonly string[];
  readonly rate?: readonly string[];
  readonly memoryScope?: "gpu" | "node";
  readonly json?: boolean;
  readonly strict: boolean;
  readonly tradeoffs?: boolean;
  readonly planB?: boolean;
  readonly at?: string;
  readonly save?: string;
  readonly solver?: SolverName;
  /** Milliseconds. */
  readonly deadline?: number;
  readonly work?: number;
  readonly moves?: boolean;
  readonly seed?: number;
  readonly dump?: string;
}

/** Inputs and plan of one run. */
export interface Run {
  readonly snapshot: Snapshot;
  readonly intents: readonly Intent[];
  readonly plan: Plan;
}

/** A saved run: the documents as they were read, so that replay takes the very same way. */
export interface SavedRun {
  readonly flare_plan: 1;
  readonly fixtures: readonly Source[];
  readonly intents: readonly Source[];
  readonly strict: boolean;
  readonly at: string;
  readonly options: PlanOptions;
  /** Answers of solvers that are not reproducible; empty while none took part. */
  readonly answers: readonly RecordedAnswer[];
  readonly plan: unknown;
}

/** Reads everything, plans once. */
export async function decide(
  fixtures: readonly Source[],
  documents: readonly Source[],
  choices: { readonly strict: boolean; readonly at?: string },
  options: PlanOptions & PlanTools,
): Promise<Run> {
  const snapshot = readSnapshots(fixtures, choices);
  const intents = readIntents(documents, choices.strict);
  const tables = await openKernelTables(snapshot.offers.length, { intents: intents.length });
  try {
    return { snapshot, intents, plan: await plan(prepare(snapshot, tables.make), intents, options) };
  } finally {
    await tables.close();
  }
}

/** JSON as every command prints it. */
export const toText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** A batch that nobody waits long for: the solver gets this many milliseconds unless the user says otherwise. */
const DEADLINE_MS = 2000;

/** Moves pay for themselves within a day, and bring a tenth of what the work costs. */
const payingMoves: MoveRules = { horizonHours: 24, leastShare: 0.1 };

const pickOptions = (flags: PlaceFlags, isBatch: boolean): PlanOptions => ({
  tradeoffs: flags.tradeoffs ?? false,
  ...(flags.planB === true ? { planB: true } : {}),
  ...(isBatch ? { deadlineMs: flags.deadline ?? DEADLINE_MS } : {}),
  ...(flags.work === undefined ? {} : { work: flags.work }),
  ...(flags.seed === undefined ? {} : { seed: flags.seed }),
  ...(flags.moves === true ? { moves: payingMoves } : {}),
});

/** Runs `use` with the solver of a batch, which ends afterwards. One intent needs none. */
async function withSolver<T>(
  isBatch: boolean,
  name: SolverName,
  use: (tools: PlanTools) => Promise<T>,
): Promise<T> {
  const solver = isBatch ? chooseSolver(name) : null;
  if (solver === null) return use({});
  if ("missing" in solver)
    throw new InputError([`--solver ${name}: the npm package ${solver.missing} is not installed`]);
  try {
    return await use({ solver });
  } finally {
    await solver.dispose();
  }
}

/** What was skipped and noticed in the fixtures, for people. */
function fixtureNotes({ skipped, warnings }: Snapshot): string {
  const lines = [
    ...(warnings.length > 0
      ? [`${warnings.length} note${warnings.length === 1 ? "" : "s"} on the fixtures; see --json`]
      : []),
  ];
  return renderSkipped(skipped) + lines.map((line) => `${line}\n`).join("");
}

/** `flare place`: decides, prints, saves; exit 0 when all are placed, else 3. */
export async function place(files: readonly string[], flags: PlaceFlags): Promise<number> {
  const fixtures = await readFixtures(flags);
  const documents = expandFolders(files).map(readSource);
  const choices = { strict: flags.strict, ...(flags.at === undefined ? {} : { at: flags.at }) };
  const isBatch = documents.length > 1;
  const options = pickOptions(flags, isBatch);
  let dump: (() => BatchDump) | undefined;
  const started = performance.now();
  const run = await withSolver(isBatch, flags.solver ?? "auto", (tools) =>
    decide(fixtures, documents, choices, {
      ...options,
      ...tools,
      // the solver's answers come in between steps of own search
      pause: () => setImmediate(),
      observe: (written) => {
        dump = written;
      },
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const output = forgePlan(run.plan, run.snapshot);
  if (flags.dump !== undefined) writeDump(flags.dump, dump);
  if (flags.save !== undefined) {
    const saved: SavedRun = {
      flare_plan: 1,
      fixtures,
      intents: documents,
      strict: flags.strict,
      at: run.snapshot.at,
      options,
      answers: run.plan.batch?.answers ?? [],
      plan: output,
    };
    writeOutput(flags.save, toText(saved));
  }
  if (flags.json === true) process.stdout.write(toText(output));
  else {
    process.stderr.write(fixtureNotes(run.snapshot));
    process.stdout.write(`${renderPlan(run.plan)}\n`);
  }
  if (isBatch) process.stderr.write(renderSummary(run.plan, seconds));
  return run.plan.decisions.every(({ outcome }) => outcome === "placed") ? exitCodes.ok : exitCodes.notPlaced;
}
