import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("every threat of the security page has an answer, and names a test that exists", () => {
  const page = readFileSync(`${root}/docs/security.md`, "utf8");
  const [, table = ""] = /\| threat \| answer \| shown by \|\n\|[-|]+\n((?:\|.*\n)+)/.exec(page) ?? [];
  const rows = table.trim().split("\n");
  expect(rows.length).toBeGreaterThan(20);
  for (const row of rows) {
    const [threat, answer, proof = ""] = row.split("|").slice(1, -1);
    expect([threat?.trim(), answer?.trim()]).not.toContain("");
    const files = [...proof.matchAll(/`([\w/.-]+\.test\.ts)`/g)].map(([, file]) => file!);
    expect(files, row).not.toEqual([]);
    expect(
      files.filter((file) => !existsSync(`${root}/test/${file}`)),
      row,
    ).toEqual([]);
  }
});
