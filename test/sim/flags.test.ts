import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

const wrong: readonly (readonly [readonly string[], string])[] = [
  [["--sed", "1"], "'--sed'"],
  [["--minutes", "x"], '--minutes: found "x"; accepted: a number above 0'],
  [["--bugs", "no such"], "--bugs no such: no such bug; accepted: all, or part of "],
];

test.for(wrong)("%j runs nothing and does not say that nothing was found", ([args, message]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["sim/main.ts", ...args], {
    cwd: root,
    encoding: "utf8",
  });
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain(message);
});
