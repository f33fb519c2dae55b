import { showDecision } from "../../api/control/documents.ts";
import { readRecord, restore } from "../../api/control/plan-log.ts";
import type { DecisionRow } from "../../api/store/schema.ts";
import { prepare } from "../../engine/compile/catalog.ts";
import { kernelTable } from "../../engine/kernel/table.ts";
import { replaySolver } from "../../engine/milp/record.ts";
import { plan } from "../../engine/plan.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";

/** One in this many decisions is made again. */
const SAMPLE = 25;

/** Makes a logged decision again: on the kernel, which small catalogs do without, and everything in another order. */
async function decideAgain({ process, swarm }: World, row: DecisionRow): Promise<void> {
  const record = await readRecord(process().env.store.system, row.plan_id);
  check(record !== null, "event-log", () => `decision ${row.seq} was made by a plan that is not logged`);
  const { snapshot, intents, options, answers } = restore(record);
  const columns = prepare({ ...snapshot, holdings: [...snapshot.holdings].reverse() }, kernelTable);
  const solver = replaySolver(answers);
  const again = await plan(columns, [...intents].reverse(), { ...options, solver });
  columns.table.dispose();
  const decision = again.decisions.find(({ intent }) => intent === row.intent_id);
  const name = (JSON.parse(row.document) as { name: string }).name;
  const shown =
    decision === undefined ? null : JSON.stringify(showDecision(decision, name, swarm.snapshot.currency));
  check(
    shown === row.document,
    "determinism",
    () => `plan ${row.plan_id} again: ${row.document} becomes ${shown}`,
  );
}

/** Samples decisions since the last look and makes them again. */
export function createTwinCheck(): (world: World, isLast: boolean) => Promise<void> {
  let seen = 0;
  return async (world, isLast) => {
    const rows = world.database.rows<DecisionRow>("select * from decisions where seq > ? order by seq", seen);
    seen = rows.at(-1)?.seq ?? seen;
    const chosen = rows.filter(({ seq }) => seq % SAMPLE === 1);
    for (const row of isLast ? chosen.slice(0, 1) : chosen) {
      world.trace.mark("a decision was made again");
      await decideAgain(world, row);
    }
  };
}
