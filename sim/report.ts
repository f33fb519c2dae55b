import type { RunResult } from "./run.ts";

/** Lines of what happened that a report shows. */
const MOST_LINES = 50;

/** The command that runs the same again. */
export function replayLine(seed: number, steps: number, keep?: readonly number[]): string {
  const kept = keep === undefined ? "" : ` --keep ${keep.join(",")}`;
  return `npm run sim -- --seed ${seed} --steps ${steps}${kept}`;
}

/** A failure for people: what, where, how to see it again. */
export function reportOf(result: RunResult, steps: number, keep?: readonly number[]): string {
  const { seed, violation, operations, lines } = result;
  const kept =
    keep === undefined ? [] : [`steps: ${[...operations].map(([at, name]) => `${at} ${name}`).join(", ")}`];
  return [
    `seed ${seed}, step ${violation?.step}: ${violation?.kind}`,
    violation?.message ?? "",
    `replay: ${replayLine(seed, steps, keep)}`,
    ...kept,
    "what happened last:",
    ...lines
      .filter((line) => !line.startsWith("["))
      .slice(-MOST_LINES)
      .map((line) => `  ${line.slice(0, 200)}`),
  ].join("\n");
}
