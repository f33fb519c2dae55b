import type {
  Answer,
  CategoryColumn,
  FlagColumn,
  NumericColumn,
  Query,
  ScoreColumn,
  Table,
  TableColumns,
} from "./query.ts";
import { twinTable } from "./twin.ts";

/**
 * Rows up to which reading them one by one costs less than writing a query into kernel memory, see
 * docs/decisions/0052-small-plans.md.
 */
export const FEW_ROWS = 64;

/**
 * A table of few rows, read row by row by the TypeScript twin: the answers are the same, and neither columns nor queries
 * are written for the kernel. Once it has more rows it is a table on the kernel, and stays one.
 */
export class SmallTable implements Table {
  readonly backend = "wasm" as const;
  readonly #grown: (columns: TableColumns) => Table;
  #table: Table;

  /** @param grown makes the table that it becomes */
  constructor(columns: TableColumns, grown: (columns: TableColumns) => Table) {
    this.#table = twinTable(columns);
    this.#grown = grown;
  }

  get rows(): number {
    return this.#table.rows;
  }

  get bytes(): number {
    return this.#table.bytes;
  }

  addNumeric(column: NumericColumn, instead?: number): number {
    return this.#table.addNumeric(column, instead);
  }

  addCategory(column: CategoryColumn): number {
    return this.#table.addCategory(column);
  }

  addFlag(column: FlagColumn): number {
    return this.#table.addFlag(column);
  }

  addScore(column: ScoreColumn, instead?: number): number {
    return this.#table.addScore(column, instead);
  }

  addRow(): number {
    const row = this.#table.addRow();
    if (this.#table.rows > FEW_ROWS && this.#table.backend === "typescript")
      this.#table = this.#grown(this.#table.columns());
    return row;
  }

  removeRow(row: number): void {
    this.#table.removeRow(row);
  }

  setNumeric(column: number, row: number, value: number): void {
    this.#table.setNumeric(column, row, value);
  }

  setCategory(column: number, row: number, code: number): void {
    this.#table.setCategory(column, row, code);
  }

  setFlag(column: number, row: number, value: 0 | 1 | 2): void {
    this.#table.setFlag(column, row, value);
  }

  setScore(column: number, row: number, value: number): void {
    this.#table.setScore(column, row, value);
  }

  setNumerics(column: number, rows: Uint32Array, values: Float64Array): void {
    this.#table.setNumerics(column, rows, values);
  }

  setCategories(column: number, rows: Uint32Array, codes: Int32Array): void {
    this.#table.setCategories(column, rows, codes);
  }

  setFlags(column: number, rows: Uint32Array, values: Uint8Array): void {
    this.#table.setFlags(column, rows, values);
  }

  setScores(column: number, rows: Uint32Array, values: Float32Array): void {
    this.#table.setScores(column, rows, values);
  }

  exact(column: number): Float64Array {
    return this.#table.exact(column);
  }

  select(query: Query): Answer {
    return this.#table.select(query);
  }

  selectAll(queries: readonly Query[]): Answer[] {
    return this.#table.selectAll(queries);
  }

  feasible(query: Query): Uint32Array {
    return this.#table.feasible(query);
  }

  columns(): TableColumns {
    return this.#table.columns();
  }

  dispose(): void {
    this.#table.dispose();
  }
}
