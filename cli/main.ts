#!/usr/bin/env node
import { CommanderError } from "commander";
import { exitCodes, InputError } from "./exit.ts";
import { createProgram } from "./program.ts";

/** Runs the command line; every failure becomes lines on standard error and an exit code, never a stack trace. */
async function main(): Promise<number> {
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

// A reader that stops early (a pager, head) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.ok);
  throw error;
});
process.exitCode = await main();
