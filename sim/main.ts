import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { bugs } from "./bugs/all.ts";
import { hunt } from "./hunt.ts";
import { mix } from "./random.ts";
import { replayLine, reportOf } from "./report.ts";
import { type RunResult, run } from "./run.ts";
import { shrink } from "./shrink.ts";

const usage = `npm run sim -- [options]

  --seed N       run one seed; else many, derived from the commit
  --steps N      steps of each run (1000)
  --keep A,B,C   only these steps of the seed
  --count N      runs of derived seeds (20)
  --minutes N    as many runs as fit into this time, two million steps at most
  --base N       derive seeds from this instead of the commit
  --bugs TEXT    plant the bugs whose names have this text (all: every one), and see that each is found
  --no-shrink    report the first failure as it is
  --json         figures as JSON
`;

/** Steps of a long run at most. */
const MOST_STEPS = 2_000_000;
/** One in this many seeds runs twice: it must do the same. */
const TWICE_EVERY = 25;

interface Options {
  readonly steps: number;
  readonly shrinks: boolean;
  readonly json: boolean;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** The first 32 bits of the commit: every change is tried with seeds of its own, and anybody can try them again. */
function seedOfCommit(): number {
  try {
    const hash = execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" });
    return Number.parseInt(hash.slice(0, 8), 16);
  } catch {
    return 1;
  }
}

async function explain(result: RunResult, { steps, shrinks }: Options): Promise<void> {
  print(reportOf(result, steps));
  if (!shrinks) return;
  const { keep, result: small, runs } = await shrink(result, { seed: result.seed, steps });
  print(`\nshrunk in ${runs} runs from ${result.operations.size} steps to ${keep.length}:`);
  print(reportOf(small, steps, keep));
}

async function runOne(seed: number, keep: readonly number[] | null, options: Options): Promise<boolean> {
  const { steps } = options;
  const once = (): Promise<RunResult> =>
    run({ seed, steps, ...(keep === null ? {} : { keep: new Set(keep) }) });
  const [result, again] = [await once(), await once()];
  if (result.hash !== again.hash) {
    print(
      `seed ${seed} did not do the same twice: ${result.hash}, ${again.hash}\nreplay: ${replayLine(seed, steps)}`,
    );
    return false;
  }
  if (result.violation === null) {
    print(`seed ${seed}: ${result.steps} steps, hash ${result.hash}, nothing found`);
    return true;
  }
  if (keep === null) await explain(result, options);
  else print(reportOf(result, steps, keep));
  return false;
}

async function runMany(
  base: number,
  most: { runs: number; seconds: number },
  options: Options,
): Promise<boolean> {
  const { steps, json } = options;
  const marks = new Map<string, number>();
  const startMs = performance.now();
  const cpu = cpuSeconds();
  let done = 0;
  let runs = 0;
  let twice = 0;
  const isLeft = (): boolean =>
    runs < most.runs && done < MOST_STEPS && performance.now() - startMs < most.seconds * 1000;
  while (isLeft()) {
    const seed = mix(base, runs);
    const result = await run({ seed, steps });
    done += result.steps;
    for (const [name, count] of result.marks) marks.set(name, (marks.get(name) ?? 0) + count);
    if (result.violation !== null) {
      await explain(result, options);
      return false;
    }
    if (runs % TWICE_EVERY === 0) {
      const again = await run({ seed, steps });
      done += again.steps;
      twice++;
      if (again.hash !== result.hash) {
        print(`seed ${seed} did not do the same twice\nreplay: ${replayLine(seed, steps)}`);
        return false;
      }
    }
    runs++;
  }
  const seconds = cpuSeconds() - cpu;
  const figures = {
    base,
    runs,
    steps: done,
    cpuSeconds: seconds,
    stepsPerCpuSecond: Math.round(done / seconds),
    twice,
  };
  const sorted = Object.fromEntries([...marks].sort(([a], [b]) => (a < b ? -1 : 1)));
  if (json) print(JSON.stringify({ ...figures, marks: sorted }));
  else {
    print(`${runs} runs of ${steps} steps from base ${base}: nothing found`);
    print(
      `${done} steps in ${seconds.toFixed(1)} s of CPU, ${figures.stepsPerCpuSecond} per second; ${twice} ran twice, the same`,
    );
    for (const [name, count] of Object.entries(sorted)) print(`  ${name}: ${count}`);
  }
  return true;
}

/** What is wrong with the command line; nothing ran, so that nothing was found means nothing. */
const refuse = (message: string): never => {
  process.stderr.write(`error: ${message}\n`);
  return process.exit(2);
};

/** Plants bugs one after another; false when one is not found. */
async function huntBugs(text: string, base: number): Promise<boolean> {
  let isFine = true;
  const wanted = bugs.filter(({ name }) => text === "all" || name.includes(text));
  if (wanted.length === 0)
    return refuse(
      `--bugs ${text}: no such bug; accepted: all, or part of ${bugs.map(({ name }) => name).join(", ")}`,
    );
  for (const bug of wanted) {
    const { steps, result } = await hunt(bug, base);
    const what = `${result?.violation?.kind ?? "nothing"} ${(result?.violation?.message ?? "").slice(0, 90)}`;
    print(`${steps === null ? "NOT FOUND" : `${steps} steps`}: ${bug.name} (seed ${result?.seed}: ${what})`);
    isFine &&= steps !== null;
  }
  return isFine;
}

function flags() {
  try {
    return parseArgs({
      options: {
        seed: { type: "string" },
        steps: { type: "string", default: "1000" },
        keep: { type: "string" },
        count: { type: "string", default: "20" },
        minutes: { type: "string" },
        base: { type: "string" },
        bugs: { type: "string" },
        "no-shrink": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const values = flags();
const whole = (name: string, text: string, least = 0): number => {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least
    ? value
    : refuse(`--${name}: found "${text}"; accepted: a whole number from ${least} on`);
};
const minutes = (text: string): number => {
  const value = Number(text);
  return value > 0 && value < 1e6 ? value : refuse(`--minutes: found "${text}"; accepted: a number above 0`);
};
if (values.help) print(usage);
else {
  const options: Options = {
    steps: whole("steps", values.steps, 1),
    shrinks: !values["no-shrink"],
    json: values.json,
  };
  const keep = values.keep?.split(",").map((step) => whole("keep", step)) ?? null;
  const isFine =
    values.bugs !== undefined
      ? await huntBugs(values.bugs, values.base === undefined ? 1 : whole("base", values.base))
      : values.seed !== undefined
        ? await runOne(whole("seed", values.seed), keep, options)
        : await runMany(
            values.base === undefined ? seedOfCommit() : whole("base", values.base),
            values.minutes === undefined
              ? { runs: whole("count", values.count, 1), seconds: Number.POSITIVE_INFINITY }
              : { runs: Number.POSITIVE_INFINITY, seconds: minutes(values.minutes) * 60 },
            options,
          );
  process.exitCode = isFine ? 0 : 1;
}
