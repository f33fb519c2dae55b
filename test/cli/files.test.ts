import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { shapeOf } from "../../adapters/json/shape.ts";
import { backupCommand, verifyCommand } from "../../cli/data.ts";
import { InputError } from "../../cli/exit.ts";
import { expandFolders, readIntents, readSource } from "../../cli/input.ts";
import { requireWritable, writeOutput, writeSecret } from "../../cli/output.ts";
import { parseText } from "../../cli/parse.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "flare-files-"));
const inFolder = (name: string): string => join(folder, name);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The lines that an action is refused with. */
function refusal(action: () => unknown): readonly string[] {
  try {
    action();
  } catch (error) {
    if (error instanceof InputError) return error.lines;
    throw error;
  }
  return [];
}

const malformed: readonly (readonly [string, string, Uint8Array, string])[] = [
  ["an empty file", "a.json", bytes(""), "a.json: empty; accepted: a JSON or YAML document"],
  ["blanks alone", "a.json", bytes(" \n"), "a.json: empty; accepted: a JSON or YAML document"],
  ["comments alone", "a.yaml", bytes("# soon\n"), "a.yaml: empty; accepted: a JSON or YAML document"],
  ["null alone", "a.json", bytes("null"), "a.json: empty; accepted: a JSON or YAML document"],
  ["bytes that are no text", "a.json", Uint8Array.of(0x7f, 0x45, 0xff), "a.json: not UTF-8 text"],
  ["UTF-16", "a.json", Uint8Array.of(0xff, 0xfe, 0x7b, 0, 0x7d, 0), "a.json: not UTF-8 text"],
  ["a document cut off", "a.json", bytes('{"a": '), "a.json: malformed JSON: it ends too early"],
  [
    "an unquoted word",
    "a.json",
    bytes(`{"a": 1,\n "b": foo, "c": "${"d".repeat(90)}"}`),
    "a.json: malformed JSON at line 2, column 8: Unexpected token 'o'",
  ],
  ["a missing value", "a.json", bytes('{"a": }'), "line 1, column 7: Unexpected token '}'"],
  [
    "a comma too many",
    "a.json",
    bytes('{"a": 1,}'),
    "line 1, column 9: Expected double-quoted property name",
  ],
  [
    "a key twice in JSON",
    "a.json",
    bytes('{"a": {"b": 1,\n\t"b": 2}}'),
    "a.json: a.b: the same key a second time",
  ],
  [
    "a key twice in YAML",
    "a.yaml",
    bytes("a: 1\na: 2"),
    "a.yaml: malformed YAML at line 2, column 1: Map keys",
  ],
  [
    "nesting without end",
    "a.json",
    bytes("[".repeat(1e5) + "]".repeat(1e5)),
    "a.json: nested 100000 levels deep; accepted: at most 100",
  ],
];

test.for(malformed)("%s is refused with what is wrong and where", ([, name, content, message]) => {
  expect(refusal(() => parseText(name, content)).join("\n")).toContain(message);
});

test("a byte order mark, Windows line ends, and colons and brackets in strings are nothing special", () => {
  expect(parseText("a.json", bytes('\uFEFF{"a":\r\n ["b:c", "\\":{[", {"d": ":"}]}'))).toEqual({
    a: ["b:c", '":{[', { d: ":" }],
  });
  expect(parseText("a.yaml", bytes("\uFEFFa: 1\r\nb: [c]\r\n"))).toEqual({ a: 1, b: ["c"] });
  expect(shapeOf('{"a:": [{"\\":": 1}]}')).toEqual({ depth: 3, colons: 2 });
});

test("a number that is too large to be one is shown as what it is", () => {
  const name = inFolder("huge.json");
  const intent = readFileSync(join(root, "fixtures/intents/quickstart.json"), "utf8");
  writeFileSync(name, intent.replace(/"count": \d+/, '"count": 1e999'));
  expect(refusal(() => readIntents([readSource(name)], true)).join("\n")).toContain(
    "gpu.count: found Infinity; accepted: ",
  );
});

test("several intents in one file are counted, and one file each is asked for", () => {
  const name = inFolder("two.yaml");
  writeFileSync(name, "intent: {}\n---\nintent: {}\n");
  expect(refusal(() => readIntents([readSource(name)], true))).toEqual([
    `${name}: a list of 2 documents; accepted: one intent in a file, several files or a folder`,
  ]);
});

test("a folder without intents says so", () => {
  const name = inFolder("none");
  mkdirSync(name);
  expect(refusal(() => expandFolders([name]))).toEqual([
    `${name}: no intents in this folder; accepted: .json, .yaml or .yml files`,
  ]);
});

test("what cannot be written is named with the reason", () => {
  writeFileSync(inFolder("file"), "");
  expect(refusal(() => writeOutput(inFolder("absent/plan.json"), ""))).toEqual([
    `${inFolder("absent/plan.json")}: cannot be written: its folder does not exist`,
  ]);
  expect(refusal(() => requireWritable(inFolder("file/secret")))).toEqual([
    `${inFolder("file/secret")}: cannot be written: its folder is a file`,
  ]);
  expect(refusal(() => requireWritable(folder))).toEqual([`${folder}: cannot be written: is a folder`]);
  requireWritable(inFolder("new"));
  expect(existsSync(inFolder("new"))).toBe(false);
});

test("anchors that are not there compare with nothing: verify says so instead of agreeing", async () => {
  const absent = inFolder("absent.ndjson");
  await expect(verifyCommand({ data: folder, anchors: absent })).rejects.toThrow(
    `--anchors ${absent}: no such file`,
  );
  for (const [index, text] of ["", "no anchor\n"].entries()) {
    const name = inFolder(`anchors-${index}`);
    writeFileSync(name, text);
    await expect(verifyCommand({ data: folder, anchors: name })).rejects.toThrow(
      `--anchors ${name}: no anchors`,
    );
  }
});

test("a backup into no folder is told by the name of the copy", async () => {
  const name = inFolder("nowhere/copy.db");
  await expect(backupCommand({ data: folder, to: name })).rejects.toThrow(`${name}: cannot be written`);
});

test("a secret is for its owner alone, also in a file that others could read before", () => {
  const name = inFolder("token");
  writeFileSync(name, "old and longer than the new one");
  chmodSync(name, 0o644);
  writeSecret(name, "new");
  expect(readFileSync(name, "utf8")).toBe("new\n");
  expect(statSync(name).mode & 0o777).toBe(0o600);
});

const inference = ["fixtures/intents/inference-eu.json", "--fixture", "fixtures/clusters/europe.json"];

const commands: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    "place --save into no folder",
    ["place", ...inference, "--save", inFolder("no/plan")],
    /no\/plan: cannot be/,
  ],
  [
    "standard input twice",
    ["place", "-", "--fixture", "-"],
    /^error: -: standard input is empty, or was read already/,
  ],
  [
    "--yaml with --json",
    ["explain", ...inference, "--yaml", "--json"],
    /'--yaml' cannot be used with.*'--json'/,
  ],
  [
    "a drill of nobody",
    ["drill", "--fixture", "fixtures/clusters/europe.json", "--provider", "nobody"],
    /^error: --provider nobody: no offers; accepted: fjord, rheincloud, solgpu$/m,
  ],
];

test.for(commands)("%s is exit 2, with nothing on standard output", ([, args, message]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["cli/main.ts", ...args], {
    cwd: root,
    encoding: "utf8",
    input: readFileSync(join(root, "fixtures/clusters/europe.json")),
  });
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(message);
});
