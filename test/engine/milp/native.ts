import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "flare-native-"));
const run = (command: string, args: readonly string[]) => spawnSync(command, args, { encoding: "utf8" });

/** Optimum of an MPS file by solvers that are no part of this package. */
const natives: Readonly<Record<string, (mps: string) => number>> = {
  highs(mps) {
    const out = join(folder, "highs.sol");
    run("highs", ["--solution_file", out, "--model_file", mps, "--options_file", "/dev/null"]);
    return Number(/^Objective (\S+)/m.exec(readFileSync(out, "utf8"))![1]);
  },
  cbc(mps) {
    const out = join(folder, "cbc.sol");
    run("cbc", [mps, "ratio", "0", "solve", "solution", out]);
    const text = readFileSync(out, "utf8");
    expect(text).toMatch(/^Optimal/);
    return Number(/objective value +(\S+)/.exec(text)![1]);
  },
  glpsol(mps) {
    const out = join(folder, "glpsol.sol");
    run("glpsol", ["--freemps", mps, "--output", out]);
    return Number(/Objective: +cost = (\S+)/.exec(readFileSync(out, "utf8"))![1]);
  },
};

/** The first of highs, cbc and glpsol that is installed. */
export const native: string | undefined = Object.keys(natives).find(
  (command) => run(command, ["--version"]).error === undefined,
);

/** For names of tests that skip where none is. */
export const nativeName: string = native ?? "a native solver (none of highs, cbc, glpsol is installed)";

/** Least objective of the model in a file. */
export const nativeOptimum = (mps: string): number => natives[native!]!(mps);
