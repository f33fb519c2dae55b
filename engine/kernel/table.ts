import type { KernelHost } from "./host.ts";
import { kernelModule } from "./load.ts";
import type { Table, TableColumns } from "./query.ts";
import { FEW_ROWS, SmallTable } from "./small-table.ts";
import { twinTable } from "./twin.ts";
import { wasmTable } from "./wasm.ts";

/** A first plan asks each column for a bound or two, and for one or two more to explain itself. */
const FIRST_BOUNDS = 8;

/** A table on the kernel, whatever its size. WebAssembly has to be present. */
export function kernelTable(columns: TableColumns, host: KernelHost = { module: kernelModule! }): Table {
  return wasmTable(host, columns, { firstBounds: FIRST_BOUNDS });
}

/**
 * Builds a table on the fastest backend present: WASM where it loads, else the TypeScript twin. Few rows are read one by
 * one even so, until there are more.
 *
 * @param host what it runs on; default the calling thread
 */
export function createTable(columns: TableColumns, host?: KernelHost): Table {
  if (host !== undefined) return kernelTable(columns, host);
  if (kernelModule === null) return twinTable(columns);
  return columns.rows <= FEW_ROWS ? new SmallTable(columns, kernelTable) : kernelTable(columns);
}
