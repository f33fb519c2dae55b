import * as z from "zod";
import { forgePlan } from "../adapters/json/decision.ts";
import { replaySolver } from "../engine/milp/record.ts";
import type { PlanOptions } from "../engine/model/plan.ts";
import { exitCodes, InputError } from "./exit.ts";
import { readSource } from "./input.ts";
import { decide, type SavedRun, toText } from "./place.ts";

/** What a solver answered then; numbers only, so that it is the same answer now. */
const answer = z.strictObject({
  solver: z.string(),
  model: z.int(),
  status: z.enum(["optimal", "feasible", "infeasible", "unbounded", "unknown", "failed"]),
  values: z.array(z.number()).nullable(),
  bound: z.number().nullable(),
  rowDuals: z.array(z.number()).nullable(),
  message: z.string().optional(),
});

const source = z.strictObject({ name: z.string(), document: z.unknown() });

/** A file written by `flare place --save`. */
const savedRun = z.strictObject({
  flare_plan: z.literal(1),
  fixtures: z.array(source),
  intents: z.array(source),
  strict: z.boolean(),
  at: z.string(),
  options: z.strictObject({
    seed: z.int().optional(),
    work: z.int().optional(),
    deadlineMs: z.number().optional(),
    tradeoffs: z.boolean().optional(),
    planB: z.boolean().optional(),
    together: z.boolean().optional(),
    moves: z.strictObject({ horizonHours: z.number(), leastShare: z.number() }).optional(),
    runnersUp: z.int().min(0).optional(),
    explain: z.boolean().optional(),
  } satisfies Record<keyof PlanOptions, z.ZodType>),
  answers: z.array(answer),
  plan: z.unknown(),
});

/** First line in which two texts differ, for the message. */
function firstDifference(a: string, b: string): string {
  const left = a.split("\n");
  const right = b.split("\n");
  const line = left.findIndex((text, index) => text !== right[index]);
  const at = line < 0 ? Math.min(left.length, right.length) : line;
  return `line ${at + 1}: saved ${(left[at] ?? "(end)").trim()}, now ${(right[at] ?? "(end)").trim()}`;
}

/** `flare replay`: runs a saved plan again; exit 0 when the bytes are the same, else 5. */
export async function replay(file: string, flags: { readonly json?: boolean }): Promise<number> {
  const { document } = readSource(file);
  const parsed = savedRun.safeParse(document);
  if (!parsed.success)
    throw new InputError(
      parsed.error.issues.map(
        ({ path, message }) =>
          `${file}: ${path.join(".") || "document"}: ${message}; accepted: a file written by flare place --save`,
      ),
    );
  const saved = parsed.data as SavedRun;
  const run = await decide(
    saved.fixtures,
    saved.intents,
    { strict: saved.strict, at: saved.at },
    {
      ...saved.options,
      ...(saved.answers.length === 0 ? {} : { solver: replaySolver(saved.answers) }),
    },
  );
  const before = toText(saved.plan);
  const now = toText(forgePlan(run.plan, run.snapshot));
  if (flags.json === true) process.stdout.write(now);
  if (before === now) {
    if (flags.json !== true)
      process.stdout.write(`${file}: the same plan, byte for byte (${now.length} bytes)\n`);
    return exitCodes.ok;
  }
  process.stderr.write(`${file}: the plan differs at ${firstDifference(before, now)}\n`);
  return exitCodes.replayDiffers;
}
