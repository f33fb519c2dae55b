import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readIntent } from "../../adapters/json/intent.ts";
import { readNodes } from "../../adapters/json/node.ts";
import { notEffective } from "../../adapters/json/not-effective.ts";
import { forgeJsonSchema, schemaNames } from "../../adapters/json/schema.ts";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { annotationTable, effectOf, fill, intentFields, intentTables, jsonBlocks } from "./reference.ts";

const write = process.env["FLARE_GOLDEN"] === "write";
const pathOf = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const textOf = (file: string): string => readFileSync(pathOf(file), "utf8");

/** The file is what the generator makes of it; written instead when that is asked for. */
function expectCurrent(file: string, text: string): void {
  if (write) writeFileSync(pathOf(file), text);
  expect(textOf(file)).toBe(text);
}

test.for(schemaNames)("schemas/%s.schema.json is the schema that reads it", (name) => {
  expectCurrent(`schemas/${name}.schema.json`, `${JSON.stringify(forgeJsonSchema(name), null, 2)}\n`);
});

test("the intent reference has the tables of the schema", () => {
  const file = "docs/reference/intent.md";
  expectCurrent(file, fill(textOf(file), "fields", intentTables()));
});

test("the annotation reference has the table that reads them", () => {
  const file = "docs/reference/annotations.md";
  expectCurrent(file, fill(textOf(file), "annotations", annotationTable()));
});

test("every field of an intent filters, prefers, plans, is passed on, or is answered with a warning", () => {
  const silent = intentFields().filter(({ path }) => effectOf(path) === undefined);
  expect(silent.map(({ path }) => path)).toEqual([]);
});

test("every entry of the list of fields without effect names fields of the schema", () => {
  const paths = intentFields().map(({ path }) => path);
  expect(notEffective.filter((path) => !paths.includes(path))).toEqual([]);
});

test.for([
  "docs/reference/intent.md",
  "docs/reference/annotations.md",
  "docs/reference/snapshot.md",
  "docs/guides/provider.md",
])("the examples of %s are read without a problem", (file) => {
  const blocks = jsonBlocks(textOf(file));
  expect(blocks.length).toBeGreaterThan(0);
  for (const { kind, text } of blocks) {
    const document: unknown = JSON.parse(text);
    if (kind === "intent") readIntent(document);
    else if (kind === "snapshot") expect(readSnapshot(document).skipped).toEqual([]);
    else if (kind === "nodes") expect(readNodes(document).skipped).toEqual([]);
    else expect(kind, `a block of ${file} without a kind`).toBe("fragment");
  }
});
