import { expect, test } from "vitest";
import { readTable, writeTable } from "../../../engine/kernel/binary.ts";
import { kernelModule } from "../../../engine/kernel/load.ts";
import { twinTable } from "../../../engine/kernel/twin.ts";
import { wasmTable } from "../../../engine/kernel/wasm.ts";
import { EngineError } from "../../../engine/model/errors.ts";
import { drawFrom, randomChange, randomColumns, randomQuery } from "./tables.ts";

test.for([0, 1, 1025])(
  "a table of %i rows saved after changes and opened answers and changes alike",
  (rows) => {
    const columns = randomColumns(rows, 4);
    const draw = drawFrom(rows);
    const table = wasmTable({ module: kernelModule! }, columns);
    const twin = twinTable(columns);
    const live = new Set(Array.from({ length: rows }, (_, row) => row));
    for (let change = 0; change < 50; change++) randomChange(draw, [table, twin], live);
    const bytes = writeTable(table.columns());
    expect(readTable(writeTable(twin.columns()))).toEqual(readTable(bytes));
    const opened = wasmTable({ module: kernelModule! }, readTable(bytes));
    const openedTwin = twinTable(readTable(bytes));
    for (let index = 0; index < 20; index++) {
      randomChange(draw, [opened, openedTwin, twin], live);
      const one = { ...randomQuery(draw, twin), terms: [] };
      expect(opened.select(one)).toEqual(openedTwin.select(one));
      expect(opened.select(one)).toEqual(twin.select(one));
    }
  },
);

test("bytes at any offset are read", () => {
  const bytes = writeTable(randomColumns(70, 1));
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  expect(readTable(shifted.subarray(3))).toEqual(readTable(bytes));
});

test.for([
  { name: "too short", break: (bytes: Uint8Array) => bytes.slice(0, 20) },
  { name: "cut off", break: (bytes: Uint8Array) => bytes.slice(0, -64) },
  { name: "another magic", break: (bytes: Uint8Array) => bytes.with(0, 1) },
  { name: "a later version", break: (bytes: Uint8Array) => bytes.with(4, 2) },
  { name: "one bit changed", break: (bytes: Uint8Array) => bytes.with(bytes.length - 64, 0x5a) },
])("a saved table that is damaged is refused: $name", (one) => {
  const damaged = one.break(writeTable(randomColumns(64, 1)));
  expect(() => readTable(damaged)).toThrow(EngineError);
});
