import { kernelModule } from "./load.ts";
import type { Table, TableColumns } from "./query.ts";
import { twinTable } from "./twin.ts";
import { wasmTable } from "./wasm.ts";

/** Builds a table on the fastest backend present: WASM where it loads, else the TypeScript twin. */
export function createTable(columns: TableColumns): Table {
  return kernelModule === null ? twinTable(columns) : wasmTable({ module: kernelModule }, columns);
}
