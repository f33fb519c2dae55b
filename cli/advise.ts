import colors from "picocolors";
import { prepare } from "../engine/compile/catalog.ts";
import { advise, type Proposal } from "../engine/resilience/advise.ts";
import { exitCodes } from "./exit.ts";
import { readFixtures } from "./fixtures.ts";
import { expandFolders, readIntents, readSnapshots, readSource } from "./input.ts";
import { type PlaceFlags, toText } from "./place.ts";
import { price, table } from "./render/table.ts";

export interface AdviseFlags extends PlaceFlags {
  /** Hours. */
  readonly horizon?: number;
  /** Per cent. */
  readonly least?: number;
}

const hours = (payback: number | null): string => (payback === null ? "-" : `${payback.toFixed(1)} h`);

const rowOf = (one: Proposal, currency: string): string[] => [
  one.kind,
  one.isAssumed ? `${one.intent} *` : one.intent,
  one.from.join(", "),
  one.to.map(({ offer, spot }) => `${offer}${spot ? " spot" : ""}`).join(", "),
  price(one.beforeMicro, currency),
  price(one.afterMicro, currency),
  hours(one.paybackHours),
  one.empties.join(", ") || "-",
];

/** `flare advise`: moves that would pay, with their payback. Nothing is moved. */
export async function adviseCommand(files: readonly string[], flags: AdviseFlags): Promise<number> {
  const choices = { strict: flags.strict, ...(flags.at === undefined ? {} : { at: flags.at }) };
  const snapshot = readSnapshots(await readFixtures(flags), choices);
  const intents = readIntents(expandFolders(files).map(readSource), flags.strict);
  const proposals = advise(prepare(snapshot), intents, {
    ...(flags.horizon === undefined ? {} : { horizonHours: flags.horizon }),
    ...(flags.least === undefined ? {} : { leastShare: flags.least / 100 }),
  });
  const { currency } = snapshot;
  if (flags.json === true)
    process.stdout.write(
      toText({
        currency,
        proposals: proposals.map((one) => ({
          kind: one.kind,
          name: one.intent,
          tenant: one.tenant,
          from: one.from,
          to: one.to.map(({ offer, gpus, replicas, spot }) => ({ offer, gpus, replicas, spot })),
          cost_before: one.beforeMicro / 1e6,
          cost_after: one.afterMicro / 1e6,
          move_cost: one.moveMicro / 1e6,
          payback_hours: one.paybackHours,
          empties: one.empties,
          assumed: one.isAssumed,
        })),
      }),
    );
  else if (proposals.length === 0)
    process.stdout.write(`nothing to propose: no move of the ${snapshot.holdings.length} holdings pays\n`);
  else {
    const saved = proposals.reduce((sum, one) => sum + one.beforeMicro - one.afterMicro, 0);
    const head = `${proposals.length} move${proposals.length === 1 ? "" : "s"} proposed, ${price(saved, currency)} saved by all of them`;
    process.stdout.write(
      `${colors.bold(head)}\n${table(
        ["kind", "intent", "runs on", "could go to", "costs", "would cost", "pays back in", "empties"],
        proposals.map((one) => rowOf(one, currency)),
      )}\n`,
    );
    if (proposals.some(({ isAssumed }) => isAssumed))
      process.stdout.write("    * its intent is not given: what it asks for is read off what it holds\n");
  }
  return exitCodes.ok;
}
