import { join } from "node:path";
import type { BatchDump } from "../engine/assign/dump.ts";
import { makeFolder, writeOutput } from "./output.ts";

/**
 * Writes a contended batch as three files: `instance.mps` (minimize minus the gain), `assignment.json` (nonzero columns
 * and what they mean) and `bound.json`. A batch in which nobody competes has no instance: then `bound.json` says so.
 */
export function writeDump(folder: string, dump: (() => BatchDump) | undefined): void {
  makeFolder(folder);
  const write = (file: string, value: unknown): void =>
    writeOutput(join(folder, file), `${JSON.stringify(value, null, 2)}\n`);
  if (dump === undefined) {
    write("bound.json", { contended: false });
    return;
  }
  const { mps, assignment, gain, bound, gap, objectiveScale, solver } = dump();
  writeOutput(join(folder, "instance.mps"), mps);
  write("assignment.json", assignment);
  write("bound.json", {
    contended: true,
    unit: "micro-units per hour",
    gain,
    bound,
    gap,
    // the objective of instance.mps times this is minus the gain
    objective_scale: objectiveScale,
    solver,
  });
}
