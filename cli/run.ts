import { CommanderError } from "commander";
import { exitCodes, InputError } from "./exit.ts";
import { createProgram } from "./program.ts";

/** Runs the command line; every failure becomes lines on standard error and an exit code, never a stack trace. */
export async function run(): Promise<number> {
  let code: number = exitCodes.ok;
  try {
    await createProgram((result) => {
      code = result;
    }).parseAsync();
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.badInput;
    if (error instanceof InputError) {
      for (const line of error.lines) process.stderr.write(`error: ${line}\n`);
      return exitCodes.badInput;
    }
    process.stderr.write(
      `internal error: ${(error as Error).message}\nThis is a bug in flare; please report it with the input.\n`,
    );
    return 1;
  }
}
