import type { KernelHost } from "./host.ts";
import { kernelModule } from "./load.ts";
import type { Table, TableColumns } from "./query.ts";
import { twinTable } from "./twin.ts";
import { wasmTable } from "./wasm.ts";

/** A first plan asks each column for a bound or two, and for one or two more to explain itself. */
const FIRST_BOUNDS = 8;

/**
 * Builds a table on the fastest backend present: WASM where it loads, else the TypeScript twin.
 *
 * @param host what it runs on; default the calling thread
 */
export function createTable(columns: TableColumns, host?: KernelHost): Table {
  if (host === undefined && kernelModule === null) return twinTable(columns);
  return wasmTable(host ?? { module: kernelModule! }, columns, { firstBounds: FIRST_BOUNDS });
}
