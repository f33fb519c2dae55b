import { flagProblem } from "./flags.ts";

/**
 * `npm run bench [-- NAME] [--json] [flags]`: runs `bench/NAME.ts`, which exports `bench(args)`. Every bench measures its
 * baseline in the same run; with `--json` standard output holds one JSON document and nothing else.
 */
const names = ["assign", "kernel", "pack", "place", "policies", "service", "spot"] as const;

const given = process.argv.slice(2);
const isNamed = given[0] !== undefined && !given[0].startsWith("-");
const name = isNamed ? given[0] : "place";
const args = isNamed ? given.slice(1) : given;
if (names.some((known) => known === name)) {
  const { bench } = (await import(`./${name}.ts`)) as { bench: (args: readonly string[]) => Promise<void> };
  try {
    await bench(args);
  } catch (error) {
    const problem = flagProblem(error);
    if (problem === null) throw error;
    process.stderr.write(`error: ${problem}\n`);
    process.exitCode = 2;
  }
} else {
  process.stderr.write(`error: no bench named ${name}; accepted: ${names.join(", ")}\n`);
  process.exitCode = 2;
}
