#!/usr/bin/env node
import { enableCompileCache } from "node:module";
import { exitCodes } from "./exit.ts";

// A reader that stops early (a pager, head) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.ok);
  throw error;
});
// Loaded only now, so that its modules come out of the cache too: a command starts in half the time.
enableCompileCache();
const { run } = await import("./run.ts");
process.exitCode = await run();
