import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Proof, Row } from "../conformance/table/proof.ts";
import { rows } from "../conformance/table/rows.ts";
import { fill } from "./reference.ts";

const write = process.env["FLARE_GOLDEN"] === "write";
const pathOf = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const sources = new Map<string, string>();

function sourceOf(file: string): string {
  let text = sources.get(file);
  if (text === undefined) {
    const path = pathOf(`test/${file}`);
    text = existsSync(path) ? readFileSync(path, "utf8") : "";
    sources.set(file, text);
  }
  return text;
}

/** A text with every run of blanks as one, so that a line break of the formatter changes nothing. */
const flat = (text: string): string => text.replace(/\s+/g, " ").replace(/([[{(]) | (?=[\])}])/g, "$1");

/** What is wrong with a proof: no such file, no test of that name, no such case; nothing when it stands. */
function wrong({ file, test: name, case: text }: Proof): string[] {
  const source = sourceOf(file);
  if (source === "") return [`${file} does not exist`];
  const quoted = name.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  // a name stands as the first argument of test(...) or of the call that test.for(...) gives
  const called = [`test("${quoted}"`, `)("${quoted}"`, `test( "${quoted}"`, `)( "${quoted}"`];
  const code = flat(source);
  if (!called.some((call) => code.includes(call) || code.includes(call.replace("( ", "("))))
    return [`${file} has no test named "${name}"`];
  if (text !== undefined && !code.includes(flat(text)) && !sourceOf("golden/scenarios.ts").includes(text))
    return [`${file} has no case ${text}`];
  return [];
}

test("every promise of the original has exactly one row, from F-001 to F-324", () => {
  const expected = Array.from({ length: 324 }, (_, index) => `F-${String(index + 1).padStart(3, "0")}`);
  expect(rows.map(({ id }) => id)).toEqual(expected);
});

test("every row names tests that exist, or says in a sentence why it comes later", () => {
  const problems = rows.flatMap(({ id, proofs, later = "" }) => {
    if (proofs.length > 0)
      return proofs.flatMap((proof) => wrong(proof).map((problem) => `${id}: ${problem}`));
    return later.length > 10 ? [] : [`${id}: neither a test nor a reason`];
  });
  expect(problems).toEqual([]);
});

test("a missing file, a test that was renamed and a case that is gone are found", () => {
  const file = "golden/conformance.test.ts";
  const name = "every row names tests that exist, or says in a sentence why it comes later";
  expect(wrong({ file, test: name })).toEqual([]);
  expect(wrong({ file: "golden/nowhere.test.ts", test: name })).toHaveLength(1);
  expect(wrong({ file, test: `${name.slice(0, -1)}x` })).toHaveLength(1);
  expect(wrong({ file, test: name, case: ["no", "such", "case"].join("/") })).toHaveLength(1);
});

test("at least 220 of the 324 promises are proved by tests", () => {
  expect(rows.filter(({ proofs }) => proofs.length > 0).length).toBeGreaterThanOrEqual(220);
});

const list = "../shared/spec/flare-checklist.csv";

test.skipIf(!existsSync(pathOf(list)))("the list of promises has these rows and no others", () => {
  const ids = readFileSync(pathOf(list), "utf8")
    .split("\n")
    .map((line) => /^(F-\d{3}),/.exec(line)?.[1])
    .filter((id) => id !== undefined);
  expect(rows.map(({ id }) => id)).toEqual(ids);
});

const shownBy = ({ proofs, later }: Row): string => {
  if (proofs.length === 0) return `later: ${later}`;
  return proofs
    .map(({ file, test: name, case: text }) => {
      const detail = text === undefined ? "" : `, case \`${text.replaceAll("`", "")}\``;
      return `${file}: ${name}${detail}`;
    })
    .join("<br>");
};

test("the conformance page is made from the table", () => {
  const proved = rows.filter(({ proofs }) => proofs.length > 0).length;
  const summary = `${proved} of ${rows.length} promises are proved by tests; ${rows.length - proved} come later, each with its reason.`;
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const lines = rows.map((row) => `| ${row.id} | ${cell(row.what)} | ${cell(shownBy(row))} |`);
  const file = "docs/conformance.md";
  const text = fill(
    readFileSync(pathOf(file), "utf8"),
    "conformance",
    [summary, "", "| row | promise | shown by |", "|---|---|---|", ...lines].join("\n"),
  );
  if (write) writeFileSync(pathOf(file), text);
  expect(readFileSync(pathOf(file), "utf8")).toBe(text);
});
