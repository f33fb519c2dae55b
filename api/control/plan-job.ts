import { type Catalog, prepare } from "../../engine/compile/catalog.ts";
import { applyChanges } from "../../engine/compile/changes.ts";
import type { Table, TableColumns } from "../../engine/kernel/query.ts";
import { replaySolver } from "../../engine/milp/record.ts";
import type { Solver } from "../../engine/milp/solver.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { Plan, PlanOptions } from "../../engine/model/plan.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";
import { type PlanTools, plan } from "../../engine/plan.ts";
import { type Change, changeHeld, type Held, offersOf, restOf } from "./change.ts";
import { type PlanRecord, restore } from "./plan-log.ts";

/** One run of `plan()` as plain data: it can run in another thread. */
export interface PlanJob {
  /** Where the state begins anew; absent: it goes on from where the runner's last job left it. */
  readonly catalog?: Snapshot;
  /** What has happened to that state since. */
  readonly change: Change;
  /** The catalog is for this job alone: what the runner keeps stays as it is. */
  readonly isForeign?: true;
  readonly intents: readonly Intent[];
  readonly options: PlanOptions;
}

/** So much waits for a runner already that another job would wait for too long: come back later. */
export class PlannerBusy extends Error {}

/** Where plans are made. Jobs that are handed in together run one after another. */
export interface PlanRunner {
  /**
   * Asked before a job of so many intents is handed in; absent: everything may be.
   *
   * @throws {PlannerBusy} when it would wait for too long
   */
  admit?(intents: number): void;
  run(job: PlanJob): Promise<Plan>;
  /** Makes a logged plan again, with other options than then where they are given. What the runner keeps stays. */
  rerun(record: PlanRecord, options?: PlanOptions): Promise<Plan>;
  /** Differs from the last time when the kept state was lost: the next job has to bring a catalog. */
  epoch(): number;
  dispose(): Promise<void>;
}

/** A catalogue and what is held, as the last job left them. */
interface State {
  readonly columns: Catalog;
  readonly held: Held;
}

/** The state after a change; rows of the catalogue that do not change are kept. */
function moved({ columns, held }: State, change: Change): State {
  changeHeld(held, change);
  const snapshot = restOf(change, held);
  const offers = offersOf(columns.snapshot, change);
  const removed = change.removed ?? [];
  return { columns: applyChanges(columns, { offers, removed, snapshot }), held };
}

/** Plans over a catalog that is not kept. */
async function runOnce(
  catalog: Snapshot,
  intents: readonly Intent[],
  options: PlanOptions & PlanTools,
): Promise<Plan> {
  const columns = prepare(catalog);
  try {
    return await plan(columns, intents, options);
  } finally {
    columns.table.dispose();
  }
}

/** Makes the tables of a catalog of so many offers. */
export type MakeTables = (offers: number) => Promise<(columns: TableColumns) => Table>;

/**
 * Makes plans in this thread, keeping the state of the last job with its columns.
 *
 * @param tables makes what is kept over other threads; default this one
 */
export function createPlanRunner(solver?: Solver, tables?: MakeTables): PlanRunner {
  let kept: State | null = null;
  const tools = solver === undefined ? {} : { solver };
  return {
    epoch: () => 0,
    async run({ catalog, change, isForeign, intents, options }) {
      if (catalog !== undefined && isForeign === true)
        return runOnce(catalog, intents, { ...options, ...tools });
      if (catalog !== undefined) {
        const make = await tables?.(catalog.offers.length);
        kept?.columns.table.dispose();
        kept = { columns: prepare(catalog, make), held: { foreign: catalog.holdings, own: new Map() } };
      }
      if (kept === null) throw new Error("the first job brings a catalog");
      kept = moved(kept, change);
      return plan(kept.columns, intents, { ...options, ...tools });
    },
    async rerun(record, options = {}) {
      const { snapshot, intents, answers, options: recorded } = restore(record);
      const solver = answers.length === 0 ? {} : { solver: replaySolver(answers) };
      return runOnce(snapshot, intents, { ...recorded, ...options, ...solver });
    },
    async dispose() {
      kept?.columns.table.dispose();
      kept = null;
      await solver?.dispose();
    },
  };
}
