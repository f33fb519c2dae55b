import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Who may import whom, by top-level folder (docs/architecture.md, "Dependency rules"). */
const allowed: Record<string, readonly string[]> = {
  engine: ["engine"],
  adapters: ["adapters", "engine"],
  api: ["api", "adapters", "engine"],
  cli: ["cli", "adapters", "engine", "api"],
  sim: ["sim", "adapters", "engine", "api"],
  bench: ["bench", "assembly", "adapters", "engine", "api", "cli", "fixtures"],
};

/** Stages inside the engine in order: a stage imports itself and earlier ones; only `plan.ts` imports them all. */
const stages = [
  "model",
  "catalog",
  "score",
  "kernel",
  "calendar",
  "compile",
  "milp",
  "quota",
  "market",
  "pack",
  "assign",
  "explain",
  "resilience",
  "simulate",
];

const sourceFiles = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));

/** Relative imports of one file, as paths from the root; the kernel's compiled bytes are no source. */
const importsOf = (file: string): string[] =>
  [...readFileSync(join(root, file), "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)]
    .map((match) => relative(root, join(root, dirname(file), match[1]!)))
    .filter((target) => target !== "build/kernel.wasm");

const present = Object.keys(allowed).filter((folder) => readdirSync(root).includes(folder));

test("folders import only what the dependency rules allow", () => {
  const broken = present.flatMap((folder) =>
    sourceFiles(folder).flatMap((file) =>
      importsOf(file)
        .filter((target) => !allowed[folder]!.includes(target.split("/")[0]!))
        .map((target) => `${file} imports ${target}`),
    ),
  );
  expect(broken).toEqual([]);
});

test("engine stages never import later stages, and nothing imports the simulator", () => {
  const stageOf = (path: string): number => stages.indexOf(path.split("/")[1] ?? "");
  const broken = sourceFiles("engine")
    .filter((file) => stageOf(file) >= 0)
    .flatMap((file) =>
      importsOf(file)
        .filter((target) => stageOf(target) > stageOf(file) || stageOf(target) < 0)
        .map((target) => `${file} imports ${target}`),
    );
  expect(broken).toEqual([]);
});

test("every folder of the engine is a known stage", () => {
  const folders = readdirSync(join(root, "engine"), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  expect(folders.map((entry) => entry.name).filter((name) => !stages.includes(name))).toEqual([]);
});

test("the page about the architecture names every folder of these, and none that is not there", () => {
  const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
  const named = [...page.matchAll(/`([a-z/-]+)(?:\{([a-z,-]+)\})?\/?`/g)].flatMap(([, path = "", inner]) =>
    inner === undefined ? [path] : inner.split(",").map((name) => path + name),
  );
  const parents = ["engine", "adapters", "api"];
  const wanted = named
    .map((path) => path.replace(/\/$/, ""))
    .filter((path) => parents.includes(dirname(path)));
  const there = parents.flatMap((parent) =>
    readdirSync(join(root, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${parent}/${entry.name}`),
  );
  expect([...new Set(wanted)].sort()).toEqual(there.sort());
});

test("adapters do not import one another, except through json and the shared Kubernetes pieces", () => {
  const shared = ["json", "port.ts", "kubernetes"];
  const broken = sourceFiles("adapters").flatMap((file) => {
    const own = file.split("/")[1]!;
    return importsOf(file)
      .filter((target) => target.startsWith("adapters/"))
      .filter(
        (target) =>
          own !== "kubernetes" && target.split("/")[1] !== own && !shared.includes(target.split("/")[1]!),
      )
      .map((target) => `${file} imports ${target}`);
  });
  expect(broken).toEqual([]);
});

test("the engine draws no randomness of its own and uses no transcendental Math in decisions", () => {
  const broken = sourceFiles("engine").filter((file) =>
    /Math\.(random|exp|log|log2|log10|pow|sin|cos|tan|atan2?|asin|acos|cbrt|hypot)\(|\*\*/.test(
      readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ""),
    ),
  );
  expect(broken).toEqual([]);
});

test("the service draws no randomness around its Env", () => {
  const files = ["api", "adapters/federation"].flatMap(sourceFiles);
  expect(files.filter((file) => readFileSync(join(root, file), "utf8").includes("Math.random"))).toEqual([]);
});

test("no folder is a drawer for everything, and no file but a data table exceeds 500 lines", () => {
  const files = present.flatMap(sourceFiles);
  expect(files.filter((file) => /(^|\/)(utils?|helpers?|common|types)\//.test(file))).toEqual([]);
  const long = files.filter(
    (file) =>
      !/-(table|rows)\.ts$/.test(file) && readFileSync(join(root, file), "utf8").split("\n").length > 501,
  );
  expect(long).toEqual([]);
});
