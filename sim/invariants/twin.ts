import { type Moment, snapshotOf } from "../../api/control/plan-job.ts";
import { showDecision } from "../../api/control/planner.ts";
import type { DecisionRow, PlanRow } from "../../api/store/schema.ts";
import { prepare } from "../../engine/compile/catalog.ts";
import { twinTable } from "../../engine/kernel/twin.ts";
import { replaySolver } from "../../engine/milp/record.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { PlanOptions, RecordedAnswer } from "../../engine/model/plan.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";
import { plan } from "../../engine/plan.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";

/** One in this many decisions is made again. */
const SAMPLE = 25;

interface Inputs {
  readonly moment: Moment;
  readonly intents: readonly Intent[];
  readonly options: PlanOptions;
}

/** Makes a logged decision again: with the other kernel, and everything in another order. */
async function decideAgain({ database, swarm }: World, row: DecisionRow): Promise<void> {
  const [logged] = database.rows<PlanRow & { document: string }>(
    "select p.*, c.document from plans p join catalogs c on c.hash = p.catalog_hash where p.id = ?",
    row.plan_id,
  );
  check(logged !== undefined, "event-log", () => `decision ${row.seq} was made by a plan that is not logged`);
  const { moment, intents, options } = JSON.parse(logged.inputs) as Inputs;
  const catalog = {
    skipped: [],
    warnings: [],
    ...(JSON.parse(logged.document) as object),
  } as unknown as Snapshot;
  const snapshot = snapshotOf(catalog, { ...moment, holdings: [...moment.holdings].reverse() });
  const columns = prepare(snapshot, twinTable);
  const solver = replaySolver(JSON.parse(logged.answers) as RecordedAnswer[]);
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
