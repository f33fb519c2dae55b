import { columnsOf, type LinearModel } from "./model.ts";

export interface MpsNames {
  /** Without spaces. */
  readonly model: string;
  readonly column: (column: number) => string;
  readonly row: (row: number) => string;
}

/** Shortest text that reads back as the same number; MPS knows no thousands separator and no leading plus. */
const digits = (value: number): string => String(value);

/** Type of a row by its bounds, and its right-hand side; `ranged` rows need a RANGES entry on top. */
function rowType(
  lower: number,
  upper: number,
): { readonly type: "N" | "E" | "G" | "L"; readonly side: number } {
  if (lower === upper) return { type: "E", side: lower };
  if (Number.isFinite(upper)) return { type: "L", side: upper };
  return Number.isFinite(lower) ? { type: "G", side: lower } : { type: "N", side: 0 };
}

/**
 * A model in free MPS, the form that every solver reads: minimize row `cost`, integer columns between markers, every
 * bound written out. Numbers keep their exact value.
 */
export function toMps(model: LinearModel, names: MpsNames): string {
  const { column: columnName, row: rowName } = names;
  const columns = columnsOf(model);
  const lines: string[] = [`NAME ${names.model} FREE`, "ROWS", " N cost"];
  const sides: string[] = [];
  const ranges: string[] = [];
  for (let row = 0; row < model.rows; row++) {
    const lower = model.rowLower[row]!;
    const upper = model.rowUpper[row]!;
    const { type, side } = rowType(lower, upper);
    lines.push(` ${type} ${rowName(row)}`);
    if (side !== 0) sides.push(` rhs ${rowName(row)} ${digits(side)}`);
    if (type === "L" && Number.isFinite(lower)) ranges.push(` rng ${rowName(row)} ${digits(upper - lower)}`);
  }
  lines.push("COLUMNS");
  const bounds: string[] = [];
  let isInteger = false;
  const marker = (to: boolean): void => {
    if (isInteger === to) return;
    isInteger = to;
    lines.push(` marker 'MARKER' '${to ? "INTORG" : "INTEND"}'`);
  };
  for (let column = 0; column < model.cols; column++) {
    marker(model.integer?.[column] === 1);
    const name = columnName(column);
    // a column without any entry would not exist: its cost is written even when it is 0
    const { starts, rows, values } = columns;
    const first = starts[column]!;
    if (model.cost[column] !== 0 || first === starts[column + 1])
      lines.push(` ${name} cost ${digits(model.cost[column]!)}`);
    for (let entry = first; entry < starts[column + 1]!; entry++)
      lines.push(` ${name} ${rowName(rows[entry]!)} ${digits(values[entry]!)}`);
    bounds.push(` LO bnd ${name} ${digits(model.colLower[column]!)}`);
    bounds.push(` UP bnd ${name} ${digits(model.colUpper[column]!)}`);
  }
  marker(false);
  lines.push("RHS", ...sides);
  if (ranges.length > 0) lines.push("RANGES", ...ranges);
  lines.push("BOUNDS", ...bounds, "ENDATA", "");
  return lines.join("\n");
}
