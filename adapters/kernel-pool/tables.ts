import { availableParallelism } from "node:os";
import { kernelModule } from "../../engine/kernel/load.ts";
import type { Table, TableColumns } from "../../engine/kernel/query.ts";
import { createTable } from "../../engine/kernel/table.ts";
import { createKernelPool, type KernelPool } from "./pool.ts";

/** Offers below which a job is over before a second thread is awake. */
const FEWEST_OFFERS = 50_000;
/** Offers times intents below which a plan is over before threads have paid for their start, some 50 ms each. */
const FEWEST_PAIRS = 50_000_000;
/** More than these wait for memory, not for each other. */
const MOST_THREADS = 8;

/** Makes tables for `prepare`, over threads where that pays. */
export interface KernelTables {
  /** Threads that ask its tables, the calling one among them. */
  readonly threads: number;
  readonly make: (columns: TableColumns) => Table;
  /** Ends the threads; tables must not be asked any more. */
  close(): Promise<void>;
}

const single: KernelTables = {
  threads: 1,
  make: (columns) => createTable(columns),
  close: async () => undefined,
};

function tablesOver(pool: KernelPool): KernelTables {
  return {
    threads: pool.threads,
    make: (columns) => createTable(columns, pool.host()),
    close: () => pool.close(),
  };
}

interface Work {
  /** Intents that will be planned in all; default: of no end, as in a service. */
  readonly intents?: number;
  /** Default: what this process may use. */
  readonly cores?: number;
}

/**
 * Tables for a catalogue of so many offers: the calling thread alone where there is little to do or one core, or where
 * memory cannot be shared. Plans are the same bytes either way.
 */
export async function openKernelTables(
  offers: number,
  { intents = Number.POSITIVE_INFINITY, cores = availableParallelism() }: Work = {},
): Promise<KernelTables> {
  const threads = Math.min(cores, MOST_THREADS);
  const isSmall = offers < FEWEST_OFFERS || offers * intents < FEWEST_PAIRS;
  if (isSmall || threads < 2 || kernelModule === null) return single;
  const pool = await createKernelPool(threads);
  return pool.threads === 1 ? single : tablesOver(pool);
}
