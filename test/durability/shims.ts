import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const compiler = ["cc", "gcc", "clang"].find((name) => spawnSync(name, ["--version"]).status === 0);

/** True where a library can be put between a process and its disk. */
export const hasShims: boolean = process.platform === "linux" && compiler !== undefined;

/** For the names of tests that need one. */
export const skipReason: string = hasShims ? "" : " (skipped: needs Linux and a C compiler)";

/** Compiles `<name>.c` of this folder into `folder` and returns the library's path, for `LD_PRELOAD`. */
export function compileShim(name: string, folder: string): string {
  const library = join(folder, `${name}.so`);
  const source = fileURLToPath(new URL(`./${name}.c`, import.meta.url));
  execFileSync(compiler ?? "cc", ["-shared", "-fPIC", "-O1", "-Wall", "-o", library, source, "-ldl"]);
  return library;
}
