import { statSync } from "node:fs";
import type { Readable } from "node:stream";

/** How far a file has been read, shown while it is. */
export interface Progress {
  /** Tells the number of rows so far. */
  readonly step: (rows: number) => void;
  /** Removes the bar. */
  readonly end: () => void;
}

/** Rows between two updates: a bar needs no more. */
const EVERY = 2_000;
const WIDTH = 30;

/** One line: name, bar, share of the bytes, rows. */
export function progressLine(name: string, share: number, rows: number): string {
  const filled = Math.round(Math.min(Math.max(share, 0), 1) * WIDTH);
  const percent = String(Math.floor(Math.min(share, 1) * 100)).padStart(3);
  return `${name} [${"#".repeat(filled)}${".".repeat(WIDTH - filled)}] ${percent} % ${rows.toLocaleString("en-US")} rows`;
}

function sizeOf(name: string): number {
  try {
    return statSync(name).size;
  } catch {
    return 0; // opening the file says what is wrong with it
  }
}

/** A bar on standard error for a file that is being read; nothing where standard error is no terminal. */
export function progressOf(name: string, input: Readable): Progress {
  if (process.stderr.isTTY !== true) return { step: () => undefined, end: () => undefined };
  const size = sizeOf(name);
  let bytes = 0;
  let shown = false;
  input.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  return {
    step: (rows) => {
      if (rows % EVERY !== 0) return;
      shown = true;
      process.stderr.write(`\r${progressLine(name, size === 0 ? 0 : bytes / size, rows)}`);
    },
    end: () => {
      if (shown) process.stderr.write("\r\u001b[K");
    },
  };
}
