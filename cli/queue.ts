import colors from "picocolors";
import { forgeDecision } from "../adapters/json/decision.ts";
import type { Decision } from "../engine/model/decision.ts";
import { exitCodes } from "./exit.ts";
import { readFixtures } from "./fixtures.ts";
import { expandFolders, readSource } from "./input.ts";
import { decide, type PlaceFlags, toText } from "./place.ts";
import { table } from "./render/table.ts";

const byPosition = (a: Decision, b: Decision): number => (a.wait?.position ?? 0) - (b.wait?.position ?? 0);

/** One line of the queue. An operator sees every tenant; a tenant is only ever told its own decision. */
const lineOf = ({ intent, tenant, reason, wait }: Decision): string[] => [
  String(wait?.position ?? "-"),
  intent,
  tenant,
  wait?.held?.start ?? "not known",
  wait?.held?.basis ?? "-",
  wait?.held?.placements.map(({ offer, gpus }) => `${offer} (${gpus})`).join(", ") ?? "-",
  reason,
];

/** `flare queue`: who waits, in which order, for when, and why; exit 3 while somebody waits. */
export async function queue(files: readonly string[], flags: PlaceFlags): Promise<number> {
  const choices = { strict: flags.strict, ...(flags.at === undefined ? {} : { at: flags.at }) };
  const documents = expandFolders(files).map(readSource);
  const { plan } = await decide(await readFixtures(flags), documents, choices, {});
  const waiting = plan.decisions.filter(({ outcome }) => outcome === "waiting").sort(byPosition);
  const count = (outcome: Decision["outcome"]): number =>
    plan.decisions.filter((one) => one.outcome === outcome).length;
  if (flags.json === true)
    process.stdout.write(
      toText({
        at: plan.at,
        placed: count("placed"),
        refused: count("refused"),
        queue: waiting.map((one) => forgeDecision(one, plan.currency)),
      }),
    );
  else {
    const summary = `${waiting.length} waiting, ${count("placed")} placed or running, ${count("refused")} refused, as of ${plan.at}`;
    process.stdout.write(`${colors.bold(summary)}\n`);
    if (waiting.length > 0)
      process.stdout.write(
        `${table(["#", "intent", "tenant", "start", "basis", "held (GPUs)", "reason"], waiting.map(lineOf))}\n`,
      );
    for (const { intent, wait } of waiting)
      if (wait?.moved !== undefined)
        process.stdout.write(`  ${intent}: was told ${wait.moved.from}; ${wait.moved.because}\n`);
  }
  return waiting.length === 0 ? exitCodes.ok : exitCodes.notPlaced;
}
