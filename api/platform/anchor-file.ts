import { appendFileSync, closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";
import type { Anchor } from "../store/verify.ts";

/** More than any line has. */
const TAIL_BYTES = 4096;

/** Takes away what a process that died wrote of a line: the next anchor would be a part of it. */
function dropTornLine(path: string): void {
  if (!existsSync(path)) return;
  const file = openSync(path, "r+");
  try {
    const { size } = fstatSync(file);
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(file, tail, 0, tail.length, size - tail.length);
    const end = tail.lastIndexOf(0x0a) + 1;
    if (end < tail.length) ftruncateSync(file, size - tail.length + end);
  } finally {
    closeSync(file);
  }
}

/** Appends anchors to a file, one JSON object a line. */
export function anchorFile(path: string): (anchors: readonly Anchor[]) => void {
  dropTornLine(path);
  return (anchors) =>
    appendFileSync(path, anchors.map((anchor) => `${JSON.stringify(anchor)}\n`).join(""), { mode: 0o600 });
}
