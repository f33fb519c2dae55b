import { assert } from "../model/errors.ts";

/**
 * A linear program, or a mixed-integer one: minimize `cost * x` subject to `rowLower <= A x <= rowUpper` and
 * `colLower <= x <= colUpper`. Indices only: names never reach a solver, so none can be misread.
 */
export interface LinearModel {
  readonly cols: number;
  readonly rows: number;
  readonly cost: Float64Array;
  /** Finite: every column is bounded on both sides, so every dual vector proves a finite bound. */
  readonly colLower: Float64Array;
  readonly colUpper: Float64Array;
  /** -Infinity is open. */
  readonly rowLower: Float64Array;
  /** Infinity is open. */
  readonly rowUpper: Float64Array;
  /** Row-major sparse matrix: entries of row r are `starts[r] .. starts[r + 1]`. */
  readonly starts: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float64Array;
  /** 1 where the column is integer; absent is a pure LP. */
  readonly integer?: Uint8Array;
}

/** Collects columns and rows and lays them out. Zero coefficients are dropped. */
export interface ModelBuilder {
  /** Adds a column with finite bounds; returns its index. */
  addColumn(cost: number, lower: number, upper: number, integer?: boolean): number;
  /** Adds a row; either bound may be infinite. Returns its index. */
  addRow(lower: number, upper: number): number;
  put(row: number, column: number, coefficient: number): void;
  build(): LinearModel;
}

/** An empty model under construction. */
export function createModelBuilder(): ModelBuilder {
  const cost: number[] = [];
  const colLower: number[] = [];
  const colUpper: number[] = [];
  const integer: number[] = [];
  const rowLower: number[] = [];
  const rowUpper: number[] = [];
  const entryRow: number[] = [];
  const entryColumn: number[] = [];
  const entryValue: number[] = [];

  const build = (): LinearModel => {
    const starts = new Int32Array(rowLower.length + 1);
    for (const row of entryRow) starts[row + 1]! += 1;
    for (let row = 0; row < rowLower.length; row++) starts[row + 1]! += starts[row]!;
    const next = starts.slice();
    const indices = new Int32Array(entryRow.length);
    const values = new Float64Array(entryRow.length);
    for (let entry = 0; entry < entryRow.length; entry++) {
      const at = next[entryRow[entry]!]!++;
      indices[at] = entryColumn[entry]!;
      values[at] = entryValue[entry]!;
    }
    return {
      cols: cost.length,
      rows: rowLower.length,
      cost: Float64Array.from(cost),
      colLower: Float64Array.from(colLower),
      colUpper: Float64Array.from(colUpper),
      rowLower: Float64Array.from(rowLower),
      rowUpper: Float64Array.from(rowUpper),
      starts,
      indices,
      values,
      ...(integer.some((flag) => flag === 1) ? { integer: Uint8Array.from(integer) } : {}),
    };
  };

  return {
    addColumn(columnCost, lower, upper, isInteger = false) {
      assert(Number.isFinite(columnCost), `column ${cost.length}: cost ${columnCost}`);
      assert(lower <= upper && Number.isFinite(upper - lower), `column ${cost.length}: ${lower}..${upper}`);
      cost.push(columnCost);
      colLower.push(lower);
      colUpper.push(upper);
      integer.push(isInteger ? 1 : 0);
      return cost.length - 1;
    },
    addRow(lower, upper) {
      assert(lower <= upper, `row ${rowLower.length}: ${lower}..${upper}`);
      rowLower.push(lower);
      rowUpper.push(upper);
      return rowLower.length - 1;
    },
    put(row, column, coefficient) {
      assert(Number.isFinite(coefficient), `row ${row}, column ${column}: coefficient ${coefficient}`);
      if (coefficient === 0) return;
      entryRow.push(row);
      entryColumn.push(column);
      entryValue.push(coefficient);
    },
    build,
  };
}

/** The same model without integrality. */
export function relaxed(model: LinearModel): LinearModel {
  const { integer: _dropped, ...rest } = model;
  return rest;
}

/** Column-major view: entries of column j are `starts[j] .. starts[j + 1]`. */
export interface Columns {
  readonly starts: Int32Array;
  readonly rows: Int32Array;
  readonly values: Float64Array;
}

/** Transposes the matrix; rows ascend within a column. */
export function columnsOf(model: LinearModel): Columns {
  const starts = new Int32Array(model.cols + 1);
  for (const column of model.indices) starts[column + 1]! += 1;
  for (let column = 0; column < model.cols; column++) starts[column + 1]! += starts[column]!;
  const next = starts.slice();
  const rows = new Int32Array(model.indices.length);
  const values = new Float64Array(model.indices.length);
  for (let row = 0; row < model.rows; row++) {
    for (let entry = model.starts[row]!; entry < model.starts[row + 1]!; entry++) {
      const at = next[model.indices[entry]!]!++;
      rows[at] = row;
      values[at] = model.values[entry]!;
    }
  }
  return { starts, rows, values };
}
