/** A flag or a value that a bench does not know: told in one line, with exit code 2. */
export class FlagError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FlagError";
  }
}

/**
 * A flag that counts.
 *
 * @param flag with its dashes
 * @throws {FlagError} when it is no whole number from `least` on
 */
export function countOf(flag: string, text: string, least = 1): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least))
    throw new FlagError(`${flag}: found ${JSON.stringify(text)}; accepted: a whole number from ${least} on`);
  return value;
}

/**
 * Flags that count, separated by commas.
 *
 * @param flag with its dashes
 * @throws {FlagError} when one is no whole number from 1 on
 */
export function countsOf(flag: string, text: string): number[] {
  return text.split(",").map((part) => countOf(flag, part));
}

/**
 * A flag that measures.
 *
 * @param flag with its dashes
 * @throws {FlagError} when it is no number above 0
 */
export function amountOf(flag: string, text: string): number {
  const value = /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0)) throw new FlagError(`${flag}: found ${JSON.stringify(text)}; accepted: a number above 0`);
  return value;
}

/** What is wrong with the command line, when that is what went wrong; else null. */
export function flagProblem(error: unknown): string | null {
  if (error instanceof FlagError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  return code?.startsWith("ERR_PARSE_ARGS_") === true ? message : null;
}
