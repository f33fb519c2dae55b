// Compiles assembly/ to build/kernel.wasm and its form for shared memory (and the debug build on request) unless it is up to date.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const targets = process.argv.includes("--debug") ? ["release", "shared", "debug"] : ["release", "shared"];
const outputs = {
  release: "build/kernel.wasm",
  shared: "build/kernel.shared.wasm",
  debug: "build/kernel.debug.wasm",
};
const modified = (path) => {
  try {
    return statSync(`${root}${path}`).mtimeMs;
  } catch {
    return 0;
  }
};
const sources = ["asconfig.json", ...readdirSync(`${root}assembly`).map((name) => `assembly/${name}`)];
const newest = Math.max(...sources.map(modified));

mkdirSync(`${root}build`, { recursive: true });
for (const target of targets) {
  if (modified(outputs[target]) > newest) continue;
  const compiler = fileURLToPath(import.meta.resolve("assemblyscript/bin/asc.js"));
  execFileSync(
    process.execPath,
    [compiler, "assembly/index.ts", "--config", "asconfig.json", "--target", target],
    {
      cwd: root,
      stdio: "inherit",
    },
  );
}
