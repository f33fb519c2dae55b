import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createProgram } from "../../cli/program.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = createProgram(() => undefined);
const flags = new Map(
  program.commands.map((command) => [
    command.name(),
    new Set(
      [command, ...command.commands]
        .flatMap(({ options }) => options)
        .flatMap(({ long, short }) => [long, short])
        .filter((flag) => flag !== undefined),
    ),
  ]),
);

test.for([
  "reference/inputs",
  "reference/labels",
  "reference/objects",
  "reference/intent",
  "reference/use-cases",
  "guides/provider",
  "guides/quickstart",
  "guides/api",
])("docs/%s.md names commands and flags that exist", (name) => {
  const text = readFileSync(`${root}/docs/${name}.md`, "utf8");
  const calls = [...text.matchAll(/\bflare ([a-z]+)([^\n|`#>]*)/g)].filter(([, command]) =>
    flags.has(command ?? ""),
  );
  expect(calls.length).toBeGreaterThan(0);
  for (const [call, command = "", rest = ""] of calls)
    for (const [flag] of rest.matchAll(/(?<=\s)-{1,2}[a-z][a-z-]*/g))
      expect(flags.get(command), call.trim()).toContain(flag);
  const known = new Set([...flags.values()].flatMap((set) => [...set]));
  for (const [, flag] of text.matchAll(/`(--[a-z][a-z-]*)/g)) expect(known).toContain(flag);
});
