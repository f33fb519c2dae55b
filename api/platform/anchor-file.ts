import { appendFileSync } from "node:fs";
import type { Anchor } from "../store/verify.ts";

/** Appends anchors to a file, one JSON object a line. */
export function anchorFile(path: string): (anchors: readonly Anchor[]) => void {
  return (anchors) =>
    appendFileSync(path, anchors.map((anchor) => `${JSON.stringify(anchor)}\n`).join(""), { mode: 0o600 });
}
