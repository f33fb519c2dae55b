import { createHash } from "node:crypto";

/** Lines kept for a report. */
const MOST_LINES = 4000;
/** Characters that are hashed at once. */
const PIECE = 16_384;

/** What happened, as a hash and as the last lines of it. */
export class Trace {
  readonly #hash = createHash("sha256");
  /** What is not hashed yet. */
  #piece = "";
  readonly #lines: string[] = [];
  readonly #marks = new Map<string, number>();
  #failure: unknown = null;

  add(line: string): void {
    this.#piece += line;
    if (this.#piece.length >= PIECE) this.#flush();
    this.#lines.push(line);
    if (this.#lines.length > 2 * MOST_LINES) this.#lines.splice(0, MOST_LINES);
  }

  /** A line of the service's log; counted by its text. */
  log(level: "warn" | "error", fields: object, message: string): void {
    this.mark(`log: ${message}`);
    this.add(`  ${level}: ${message} ${JSON.stringify(fields)}`);
  }

  /** Counts that something happened: a fault that is never met proves nothing. */
  mark(name: string): void {
    this.#marks.set(name, (this.#marks.get(name) ?? 0) + 1);
  }

  /** Keeps the first error of what runs beside the driver; `raise` throws it. */
  readonly fail = (error: unknown): void => {
    this.#failure ??= error;
  };

  /** Runs a check where an exception would be swallowed by the service: it is kept for `raise`. */
  guard<T>(run: (input: T) => void): (input: T) => void {
    return (input) => {
      try {
        run(input);
      } catch (error) {
        this.fail(error);
      }
    };
  }

  raise(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-MOST_LINES);
  }

  get marks(): ReadonlyMap<string, number> {
    return this.#marks;
  }

  /** Hash of all lines so far; ends the trace. */
  digest(): string {
    this.#flush();
    return this.#hash.digest("hex").slice(0, 16);
  }

  #flush(): void {
    this.#hash.update(this.#piece);
    this.#piece = "";
  }
}
