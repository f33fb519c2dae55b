import { type Catalog, prepare } from "../../engine/compile/catalog.ts";
import { follow } from "../../engine/compile/changes.ts";
import type { Table, TableColumns } from "../../engine/kernel/query.ts";
import type { Solver } from "../../engine/milp/solver.ts";
import type { Capacity } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { Plan, PlanOptions } from "../../engine/model/plan.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";
import { plan } from "../../engine/plan.ts";

/** What changes from one plan to the next, on a catalog that stays. */
export interface Moment extends Omit<Snapshot, "offers" | "skipped" | "warnings"> {
  /** Capacities that differ from the catalog's, by offer. */
  readonly capacity: Readonly<Record<string, Capacity>>;
}

/** One run of `plan()` as plain data: it can run in another thread, and run again from the log. */
export interface PlanJob {
  /** Names the catalog by its content. */
  readonly catalogHash: string;
  /** The catalog itself; absent where the runner was given it before. */
  readonly catalog?: Snapshot;
  /** On a catalog of its own that is not kept. */
  readonly isForeign?: true;
  readonly moment: Moment;
  readonly intents: readonly Intent[];
  readonly options: PlanOptions;
}

/** Where plans are made. Jobs that are handed in together run one after another. */
export interface PlanRunner {
  run(job: PlanJob): Promise<Plan>;
  dispose(): Promise<void>;
}

/** The snapshot of a job: its catalog at its moment. */
export function snapshotOf(catalog: Snapshot, { capacity, ...moment }: Moment): Snapshot {
  const offers = catalog.offers.map((offer) =>
    Object.hasOwn(capacity, offer.id) ? { ...offer, capacity: capacity[offer.id] ?? offer.capacity } : offer,
  );
  return { ...catalog, ...moment, offers };
}

/** Makes the tables of a catalog of so many offers. */
export type MakeTables = (offers: number) => Promise<(columns: TableColumns) => Table>;

/**
 * Makes plans in this thread, keeping the last catalog and its columns.
 *
 * @param tables makes what is kept over other threads; default this one
 */
export function createPlanRunner(solver?: Solver, tables?: MakeTables): PlanRunner {
  let known: { readonly hash: string; readonly catalog: Snapshot } | null = null;
  let prepared: { readonly key: string; readonly columns: Catalog } | null = null;

  /** Built once per catalog and spot history, then kept by changing rows. */
  const columnsOf = (job: PlanJob, catalog: Snapshot, make?: (columns: TableColumns) => Table): Catalog => {
    const now = snapshotOf(catalog, job.moment);
    const key = `${job.catalogHash} ${JSON.stringify(now.spotHistory ?? [])}`;
    if (prepared?.key === key) prepared = { key, columns: follow(prepared.columns, now) };
    else {
      prepared?.columns.table.dispose();
      prepared = { key, columns: prepare(now, make) };
    }
    return prepared.columns;
  };
  const tools = solver === undefined ? {} : { solver };
  const runForeign = async ({ catalog, moment, intents, options }: PlanJob): Promise<Plan> => {
    if (catalog === undefined) throw new Error("a foreign job brings its catalog");
    const columns = prepare(snapshotOf(catalog, moment));
    try {
      return await plan(columns, intents, { ...options, ...tools });
    } finally {
      columns.table.dispose();
    }
  };
  return {
    async run(job) {
      if (job.isForeign === true) return runForeign(job);
      if (job.catalog !== undefined) known = { hash: job.catalogHash, catalog: job.catalog };
      if (known?.hash !== job.catalogHash) throw new Error(`catalog ${job.catalogHash} was not handed over`);
      const { catalog } = known;
      const make = tables === undefined ? undefined : await tables(catalog.offers.length);
      return plan(columnsOf(job, catalog, make), job.intents, { ...job.options, ...tools });
    },
    async dispose() {
      prepared?.columns.table.dispose();
      prepared = null;
      await solver?.dispose();
    },
  };
}
