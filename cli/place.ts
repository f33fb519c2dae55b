import { writeFileSync } from "node:fs";
import { forgePlan } from "../adapters/json/decision.ts";
import { prepare } from "../engine/compile/catalog.ts";
import type { Intent } from "../engine/model/intent.ts";
import type { Plan, PlanOptions } from "../engine/model/plan.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { plan } from "../engine/plan.ts";
import { exitCodes } from "./exit.ts";
import { readFixtures } from "./fixtures.ts";
import { readIntents, readSnapshots, readSource, type Source } from "./input.ts";
import { renderPlan } from "./render/decision.ts";
import { renderSkipped } from "./render/skipped.ts";

/** Flags that every deciding command shares. */
export interface PlaceFlags {
  readonly fixture: readonly string[];
  readonly rate?: readonly string[];
  readonly memoryScope?: "gpu" | "node";
  readonly json?: boolean;
  readonly strict: boolean;
  readonly tradeoffs?: boolean;
  readonly at?: string;
  readonly save?: string;
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
  readonly answers: readonly unknown[];
  readonly plan: unknown;
}

/** Reads everything, plans once. */
export async function decide(
  fixtures: readonly Source[],
  documents: readonly Source[],
  choices: { readonly strict: boolean; readonly at?: string },
  options: PlanOptions,
): Promise<Run> {
  const snapshot = readSnapshots(fixtures, choices);
  const intents = readIntents(documents, choices.strict);
  return { snapshot, intents, plan: await plan(prepare(snapshot), intents, options) };
}

/** JSON as every command prints it. */
export const toText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const pickOptions = (flags: PlaceFlags): PlanOptions => ({ tradeoffs: flags.tradeoffs ?? false });

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
  const documents = files.map(readSource);
  const choices = { strict: flags.strict, ...(flags.at === undefined ? {} : { at: flags.at }) };
  const run = await decide(fixtures, documents, choices, pickOptions(flags));
  const output = forgePlan(run.plan, run.snapshot);
  if (flags.save !== undefined) {
    const saved: SavedRun = {
      flare_plan: 1,
      fixtures,
      intents: documents,
      strict: flags.strict,
      at: run.snapshot.at,
      options: pickOptions(flags),
      answers: [],
      plan: output,
    };
    writeFileSync(flags.save, toText(saved));
  }
  if (flags.json === true) process.stdout.write(toText(output));
  else {
    process.stderr.write(fixtureNotes(run.snapshot));
    process.stdout.write(`${renderPlan(run.plan)}\n`);
  }
  return run.plan.decisions.every(({ outcome }) => outcome === "placed") ? exitCodes.ok : exitCodes.notPlaced;
}
