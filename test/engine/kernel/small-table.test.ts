import { expect, test } from "vitest";
import type { Table, TableColumns } from "../../../engine/kernel/query.ts";
import { FEW_ROWS } from "../../../engine/kernel/small-table.ts";
import { createTable, kernelTable } from "../../../engine/kernel/table.ts";
import { drawFrom, randomChange, randomColumns, randomQuery } from "./tables.ts";

/** Bytes of kernel memory tell a table on the kernel from one that is read row by row. */
const isOnKernel = ({ bytes }: Table): boolean => bytes > 0;

/** Columns as plain data; those of a table on the kernel are views of longer arrays. */
const plain = (columns: TableColumns): unknown => JSON.parse(JSON.stringify(columns));

test.for([
  { rows: 0, onKernel: false },
  { rows: FEW_ROWS, onKernel: false },
  { rows: FEW_ROWS + 1, onKernel: true },
])("of $rows rows a table is on the kernel: $onKernel", ({ rows, onKernel }) => {
  expect(isOnKernel(createTable(randomColumns(rows, 1)))).toBe(onKernel);
});

test("a table that grows goes on where it was, on the kernel", () => {
  let grown = 0;
  let asked = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const draw = drawFrom(seed);
    const columns = randomColumns(FEW_ROWS - draw(5), seed);
    const table = createTable(columns);
    const kernel = kernelTable(columns);
    const live = new Set(Array.from({ length: columns.rows }, (_, row) => row));
    for (let round = 0; round < 30; round++) {
      for (let change = draw(6); change >= 0; change--) randomChange(draw, [table, kernel], live);
      if (round % 6 === 0) live.add(Math.max(...[table, kernel].map((one) => one.addRow())));
      expect(plain(table.columns()), `seed ${seed}, round ${round}`).toEqual(plain(kernel.columns()));
      const query = randomQuery(draw, table);
      // scores are in units that depend on what the columns held before
      const [own, other] = [table.select(query), kernel.select(query)];
      for (const name of ["considered", "feasible", "failed", "unknown", "sole"] as const)
        expect(own[name]).toEqual(other[name]);
      expect(table.feasible(query).join()).toBe(kernel.feasible(query).join());
      asked++;
    }
    expect(isOnKernel(table)).toBe(table.rows > FEW_ROWS);
    if (isOnKernel(table)) grown++;
  }
  expect(asked).toBe(360);
  expect(grown).toBeGreaterThan(5);
  expect(grown).toBeLessThan(12);
});
