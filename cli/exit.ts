/** Exit codes of the command line; documented in the README and in `--help`. */
export const exitCodes = {
  ok: 0,
  badInput: 2,
  notPlaced: 3,
  assertionFailed: 4,
  replayDiffers: 5,
} as const;

/** Bad input on the command line or in a file: printed line by line, exit 2. */
export class InputError extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.name = "InputError";
    this.lines = lines;
  }
}
