import type { Readable } from "node:stream";
import { parse } from "csv-parse";
import { EngineError } from "../../engine/model/errors.ts";

/** A price list as it was read: cells are text, nothing is judged yet. Plain JSON, so that a saved run can hold it. */
export interface PriceTable {
  readonly format: "prices";
  /** Seller of rows that name none. */
  readonly provider: string;
  readonly columns: readonly string[];
  /** Cells by column. A row with another number of cells is kept as it is, and judged broken later. */
  readonly rows: readonly (readonly string[])[];
}

/** Whether a document of a fixture is such a table. */
export function isPriceTable(document: unknown): document is PriceTable {
  return (
    typeof document === "object" && document !== null && "format" in document && document.format === "prices"
  );
}

/**
 * Reads a CSV stream into a table, record by record.
 *
 * @param provider seller of rows that name none
 * @param onRow called after every row with the number of rows so far
 * @throws {EngineError} `invalid_format` when the text is no CSV (a quote that is never closed) or has no header
 */
export async function readPriceTable(
  input: Readable,
  provider: string,
  onRow: (rows: number) => void = () => undefined,
): Promise<PriceTable> {
  const parser = input.pipe(
    parse({ bom: true, relax_column_count: true, relax_quotes: true, skip_empty_lines: true, trim: true }),
  );
  input.on("error", (error) => parser.destroy(error));
  const rows: string[][] = [];
  try {
    for await (const record of parser) {
      rows.push(record as string[]);
      onRow(rows.length);
    }
  } catch (error) {
    const { code, lines, message } = error as Error & { code?: string; lines?: number };
    if (code?.startsWith("CSV_") !== true) throw error;
    throw new EngineError("invalid_format", `line ${lines ?? "?"}: ${message}; accepted: CSV with a header`);
  }
  const [columns, ...body] = rows;
  if (columns === undefined) throw new EngineError("invalid_format", "empty; accepted: CSV with a header");
  return { format: "prices", provider, columns, rows: body };
}
